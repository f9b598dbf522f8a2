//! Requests to end a run that come from outside: Ctrl-C, and the system's.

use super::control::{Control, Ended};
use super::launch_error::{LaunchError, resume_hint, system_error};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// Requests to end, by Ctrl-C or the system.
#[derive(Debug)]
pub struct Asked {
    signals: (Signal, Signal),
    /// How many there were.
    pub count: u32,
}

impl Asked {
    /// Listens from now on; call within a runtime.
    ///
    /// # Errors
    /// The system does not let us.
    pub fn listen() -> Result<Self, LaunchError> {
        let listen =
            |kind| signal(kind).map_err(|error| system_error("a way to hear signals", &error));
        let signals = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
        Ok(Self { signals, count: 0 })
    }

    /// Waits for the next request.
    pub async fn next(&mut self) {
        let (interrupt, terminate) = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        self.count += 1;
    }
}

/// Ends a run of one process on request: at a block border, and at once when asked again. On a thread of its own,
/// because a block may take long and nobody else is heard during it; the thread ends when what this gives is dropped.
///
/// # Errors
/// The system gives no runtime, signals or thread.
pub fn heed_signals(control: Control, run: String) -> Result<oneshot::Sender<()>, LaunchError> {
    heed(|mut asked| async move {
        asked.next().await;
        control.end(Ended::Interrupted);
        asked.next().await;
        eprintln!("error: stopped at once\n\nhint: {}", resume_hint(&run));
        std::process::exit(1);
    })
}

/// Does something last when the program is asked to end, and ends it with exit code 1. On a thread of its own, which ends
/// when what this gives is dropped.
///
/// # Errors
/// The system gives no runtime, signals or thread.
pub fn end_with(last: impl FnOnce() + Send + 'static) -> Result<oneshot::Sender<()>, LaunchError> {
    heed(|mut asked| async move {
        asked.next().await;
        last();
        std::process::exit(1);
    })
}

/// Listens on a thread of its own until what this gives is dropped.
fn heed<F>(listener: impl FnOnce(Asked) -> F) -> Result<oneshot::Sender<()>, LaunchError>
where
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| system_error("a way to hear signals", &error))?;
    let entered = runtime.enter();
    let heed = listener(Asked::listen()?);
    drop(entered);
    let (heeding, over) = oneshot::channel::<()>();
    let until_over = async move {
        tokio::select! {
            () = heed => {}
            _ = over => {}
        }
    };
    let thread = std::thread::Builder::new().name("signals".to_owned());
    let started = thread.spawn(move || runtime.block_on(until_over));
    started.map_err(|error| system_error("a thread", &error))?;
    Ok(heeding)
}
