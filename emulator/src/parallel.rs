//! Many things that do not depend on each other, done on several cores.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Cores of this machine.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Does many things on so many threads; results are in order of their numbers, whoever made them. The first that
/// fails, by number, is told.
pub fn side_by_side<T: Send, E: Send>(
    threads: usize,
    count: usize,
    each: impl Fn(usize) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                return done;
            }
            let result = each(at);
            if result.is_err() {
                // Nobody begins another; those with lower numbers are begun already.
                next.store(count, Ordering::Relaxed);
            }
            done.push((at, result));
        }
    };
    let threads = threads.max(1).min(count);
    let mut all: Vec<(usize, Result<T, E>)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let done = threads.into_iter().flat_map(|thread| match thread.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        done.collect()
    });
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order_and_the_first_failure_by_number_is_told() {
        let each = |at: usize| if at % 10 == 7 { Err(at) } else { Ok(at) };
        for threads in [0, 1, 2, 7] {
            assert_eq!(side_by_side(threads, 100, each), Err(7));
            assert_eq!(side_by_side(threads, 7, each), Ok((0..7).collect()));
            assert_eq!(side_by_side(threads, 0, each), Ok(Vec::new()));
        }
    }
}
