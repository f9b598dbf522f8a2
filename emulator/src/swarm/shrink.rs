//! Failures made small: a scenario without whatever it fails without.
//!
//! What belongs here: what can be taken away from a document, in which order. What does not: whether it still fails
//! (the caller's).

use super::failure::Failure;
use crate::scenario::amount::Blocks;
use crate::scenario::document::{Document, NetworkSection, Where};
use toml::Table;

/// Trials that shrinking takes at most.
pub const TRIALS_MAX: u32 = 160;
/// Fewest blocks.
const BLOCKS_MIN: u64 = 2;

/// Something that can be made smaller; gives nothing where there is nothing left to take away.
type Cut = fn(&Document, usize) -> Option<Document>;

/// What is tried, coarse before fine. Each is asked with 0, 1, 2, … until it has nothing more to give.
const CUTS: &[Cut] = &[
    fewer_blocks,
    all_faults,
    without_fault,
    without_timeline,
    without_group,
    without_subnet,
    fewer_members,
    default_settings,
    calm_network,
    without_parameter,
    without_hyperparameter,
];

/// The smallest document found that fails by the same check; `fails` tells how one fails, if it does.
pub fn shrink(
    document: &Document,
    check: &str,
    fails: impl Fn(&Document) -> Option<Failure>,
) -> Document {
    let mut smallest = document.clone();
    let mut trials = 0;
    loop {
        let before = smallest.clone();
        for cut in CUTS {
            let mut place = 0;
            while let Some(smaller) = cut(&smallest, place) {
                if trials == TRIALS_MAX {
                    return smallest;
                }
                trials += 1;
                if smaller != smallest && fails(&smaller).is_some_and(|it| it.check == check) {
                    smallest = smaller;
                } else {
                    place += 1;
                }
            }
        }
        if smallest == before {
            return smallest;
        }
    }
}

fn fewer_blocks(document: &Document, place: usize) -> Option<Document> {
    let blocks = document.run.blocks.0;
    let fewer = [blocks / 2, blocks * 3 / 4, blocks.saturating_sub(1)];
    let fewer = *fewer.get(place)?;
    (fewer >= BLOCKS_MIN && fewer < blocks).then(|| {
        let mut smaller = document.clone();
        smaller.run.blocks = Blocks(fewer);
        smaller
    })
}

fn all_faults(document: &Document, place: usize) -> Option<Document> {
    (place == 0 && !document.fault.is_empty())
        .then(|| Document { fault: Vec::new(), ..document.clone() })
}

/// Without one of several, if there is such a one.
fn without<T: Clone>(all: &[T], place: usize) -> Option<Vec<T>> {
    (place < all.len()).then(|| {
        let mut fewer = all.to_vec();
        fewer.remove(place);
        fewer
    })
}

fn without_fault(document: &Document, place: usize) -> Option<Document> {
    let fault = without(&document.fault, place)?;
    Some(Document { fault, ..document.clone() })
}

fn without_timeline(document: &Document, place: usize) -> Option<Document> {
    let timeline = without(&document.timeline, place)?;
    Some(Document { timeline, ..document.clone() })
}

fn without_group(document: &Document, place: usize) -> Option<Document> {
    let players = without(&document.players, place)?;
    let gone = &document.players[place].name;
    let mut smaller = Document { players, ..document.clone() };
    for fault in &mut smaller.fault {
        fault.groups.retain(|group| group != gone);
    }
    Some(smaller)
}

/// Without the last subnet, and whatever was about it alone.
fn without_subnet(document: &Document, place: usize) -> Option<Document> {
    if place > 0 || document.subnet.len() < 2 {
        return None;
    }
    let mut smaller = document.clone();
    let gone = u16::try_from(smaller.subnet.len()).ok()?;
    smaller.subnet.pop();
    smaller.timeline.retain(|entry| entry.netuid != Some(gone));
    for group in &mut smaller.players {
        if let Where::These(netuids) = &mut group.subnets {
            netuids.retain(|netuid| *netuid != gone);
        }
    }
    smaller.players.retain(|group| group.subnets != Where::These(Vec::new()));
    Some(smaller)
}

fn fewer_members(document: &Document, place: usize) -> Option<Document> {
    let mut smaller = document.clone();
    smaller.players.get_mut(place)?.count = 1;
    Some(smaller)
}

fn default_settings(document: &Document, place: usize) -> Option<Document> {
    let mut smaller = document.clone();
    let group = smaller.players.get_mut(place)?;
    group.settings = Table::new();
    (group.arrives, group.spread_ppm) = (None, 0);
    Some(smaller)
}

fn calm_network(document: &Document, place: usize) -> Option<Document> {
    let calm = Document { network: NetworkSection::default(), ..document.clone() };
    (place == 0 && calm != *document).then_some(calm)
}

fn without_key(table: &Table, place: usize) -> Option<Table> {
    let key = table.keys().nth(place)?.clone();
    let mut smaller = table.clone();
    smaller.remove(&key);
    Some(smaller)
}

fn without_parameter(document: &Document, place: usize) -> Option<Document> {
    let mut smaller = document.clone();
    smaller.rules.parameters = without_key(&document.rules.parameters, place)?;
    Some(smaller)
}

fn without_hyperparameter(document: &Document, place: usize) -> Option<Document> {
    let mut smaller = document.clone();
    smaller.hyperparameters = without_key(&document.hyperparameters, place)?;
    Some(smaller)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swarm::draw::{Form, draw};

    /// What fails for a reason is shrunk to the reason.
    #[test]
    fn what_a_failure_needs_stays_and_the_rest_goes() {
        for seed in 0..20 {
            let document = draw(seed, None, Form::OneProcess);
            let needs = |document: &Document| {
                let has_group = document.players.iter().any(|group| group.name == "miners");
                (has_group && document.run.blocks.0 >= 9).then(|| Failure::new("it", "fails"))
            };
            let smallest = shrink(&document, "it", needs);
            let names: Vec<&str> =
                smallest.players.iter().map(|group| group.name.as_str()).collect();
            assert_eq!(names, ["miners"], "seed {seed}");
            assert_eq!(smallest.run.blocks.0, 9, "seed {seed}");
            assert!(smallest.fault.is_empty() && smallest.timeline.is_empty(), "seed {seed}");
        }
    }
}
