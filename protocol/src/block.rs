//! The block step as a list of named phases, and the calls of a block.

use crate::call::{Call, Origin, Signed};
use crate::event::{Event, Sealed};
use crate::frame::{CallRecord, Facts, Header, RefusedCount, calls_root, events_root, facts_root};
use crate::registration_math::{Adjustment, Bounds, Demand, adjusted, adjustment};
use crate::rejection::{Outcome, Refusal};
use crate::state::{State, Subnet};
use crate::tx::Tx;
use crate::units::{Hash32, Height, PlayerId, Rao};
use crate::{beacon, children, coinbase, decide, epoch, key_swaps, root_claims, timelock};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// A call that reached the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// When it arrived.
    pub due_ms: u64,
    /// Who submitted it; [`PlayerId::CHAIN`] for the timeline.
    pub player: PlayerId,
    /// The submitter's sequence number.
    pub sequence: u64,
    /// Who signed.
    pub origin: Origin,
    /// The nonce it names; `None` takes the signer's next one, as a wallet does.
    pub nonce: Option<u32>,
    /// What it orders.
    pub call: Call,
}

/// What a block is decided from.
#[derive(Clone, Debug)]
pub struct BlockInput {
    /// The block's number; the state's height plus one.
    pub height: Height,
    /// Simulated milliseconds since genesis.
    pub time_ms: u64,
    /// The block's entropy.
    pub entropy: Hash32,
    /// Calls in the order of inclusion: timeline first, then by (due, player, sequence).
    pub calls: Vec<Submitted>,
    /// Calls that found the pool full, in the same order.
    pub surplus: Vec<Submitted>,
    /// Bodies of refused calls kept; further ones are counted.
    pub refused_kept_max: usize,
    /// The last round that the beacon published a block before this one; `None` for no beacon.
    pub beacon_round: Option<u64>,
}

/// What was decided.
#[derive(Clone, Debug, Default)]
pub struct Decided {
    /// Calls with outcomes.
    pub calls: Vec<CallRecord>,
    /// Further refused calls.
    pub refused: Vec<RefusedCount>,
    /// What became of each call of the input, in its order: `calls`, then `surplus`.
    pub outcomes: Vec<Outcome>,
    /// Public events.
    pub events: Vec<Event>,
    /// Sealed facts.
    pub sealed: Vec<Sealed>,
}

/// A phase of the block step.
pub type Phase = fn(&mut Tx<'_>);

/// The block step, in the chain's order (20 §2). Phases not built yet are in docs/limitations.md.
pub const PHASES: &[(&str, Phase)] = &[
    ("entropy", |tx| tx.emit(Event::EntropyDrawn { entropy: tx.entropy() })),
    ("hotkey swaps", key_swaps::forget_old_swaps),
    ("registration terms", adjust_registration_terms),
    ("timelocked weights", timelock::reveal_due),
    ("emission shares", coinbase::share),
    ("emission", coinbase::emit),
    ("epochs", run_epochs),
    ("moving prices", coinbase::average_prices),
    ("children", children::apply_due),
    ("root claims", root_claims::claim_automatically),
    ("root stakers", root_claims::search_stakers),
];

/// Brings calls into the order of inclusion: by class, those of one class as they come, which is by
/// (due, player, sequence). There is no priority for tips, so no market for places (30 §14.2).
pub fn order_calls(calls: &mut [Submitted]) {
    #[cfg(feature = "planted")]
    if crate::planted::active(crate::planted::Bug::CallsReversed) {
        calls.reverse();
    }
    calls.sort_by_key(|submitted| core::cmp::Reverse(submitted.call.priority()));
}

/// A block that has begun: everything before its calls is decided and applied. It needs none of them, so it may be
/// done before they are known, once it is certain that the block will be made.
#[derive(Clone, Debug)]
pub struct Opened {
    height: Height,
    entropy: Hash32,
    emitted: (Vec<Event>, Vec<Sealed>),
}

/// Begins a block and applies that to the state.
///
/// # Panics
/// As [`decide_block`].
pub fn open_block(state: &mut State, height: Height, entropy: Hash32) -> Opened {
    let mut tx = Tx::in_block(state, entropy);
    open(&mut tx, height);
    Opened { height, entropy, emitted: tx.finish() }
}

/// Decides a block and applies it to the state.
///
/// # Panics
/// An invariant of the state is broken, or the input's height does not follow the state's.
pub fn decide_block(state: &mut State, input: &BlockInput) -> Decided {
    let opened = open_block(state, input.height, input.entropy);
    decide_opened(state, input, opened)
}

/// Decides the rest of a block that has begun and applies it to the state.
///
/// # Panics
/// An invariant of the state is broken, or another block has begun.
pub fn decide_opened(state: &mut State, input: &BlockInput, opened: Opened) -> Decided {
    let Opened { height, entropy, emitted } = opened;
    assert_eq!((height, entropy), (input.height, input.entropy), "it is the block that has begun");
    let mut tx = Tx::resume(state, entropy, emitted);
    if let Some(round) = input.beacon_round {
        beacon::store(&mut tx, round);
    }
    let mut records = Records::new(input.refused_kept_max);
    for submitted in &input.calls {
        let nonce = submitted.nonce.unwrap_or_else(|| match submitted.origin {
            Origin::Signed(signer) => tx.state().nonce(&signer),
            Origin::Root => 0,
        });
        let signed = Signed { origin: submitted.origin, nonce, call: &submitted.call };
        let outcome = decide::execute(&mut tx, &signed);
        records.note(submitted, nonce, outcome);
    }
    for submitted in &input.surplus {
        let nonce = submitted.nonce.unwrap_or(0);
        records.note(submitted, nonce, Outcome::Refused(Refusal::PoolFull));
    }
    close(&mut tx);
    let (events, sealed) = tx.finish();
    state.keep_sealed(&events, &sealed);
    let refused = records.counted();
    Decided { calls: records.calls, refused, outcomes: records.outcomes, events, sealed }
}

/// Begins a block: everything before its calls.
pub fn open(tx: &mut Tx<'_>, height: Height) {
    tx.emit(Event::BlockOpened { height });
    for (_, phase) in PHASES {
        phase(tx);
    }
}

/// Ends a block: everything behind its calls.
pub fn close(tx: &mut Tx<'_>) {
    if !tx.state().stake_markers.is_empty() {
        tx.emit(Event::StakeMarkersCleared);
    }
}

/// Calls as they are decided; bodies of refused ones are kept up to a number.
struct Records {
    calls: Vec<CallRecord>,
    kept: usize,
    kept_max: usize,
    counts: BTreeMap<(PlayerId, Refusal), u32>,
    outcomes: Vec<Outcome>,
}

impl Records {
    fn new(kept_max: usize) -> Self {
        Self { calls: Vec::new(), kept: 0, kept_max, counts: BTreeMap::new(), outcomes: Vec::new() }
    }

    fn note(&mut self, submitted: &Submitted, nonce: u32, outcome: Outcome) {
        self.outcomes.push(outcome);
        if let Outcome::Refused(reason) = outcome {
            if self.kept == self.kept_max {
                *self.counts.entry((submitted.player, reason)).or_insert(0) += 1;
                return;
            }
            self.kept += 1;
        }
        self.calls.push(CallRecord {
            player: submitted.player,
            sequence: submitted.sequence,
            due_ms: submitted.due_ms,
            origin: submitted.origin,
            nonce,
            call: submitted.call.clone(),
            outcome,
        });
    }

    fn counted(&self) -> Vec<RefusedCount> {
        let counts = self.counts.iter();
        counts
            .map(|((player, reason), count)| RefusedCount {
                player: *player,
                reason: *reason,
                count: *count,
            })
            .collect()
    }
}

/// Adjusts burn and difficulty where the interval is over, and restarts the counters (20 §2.1).
fn adjust_registration_terms(tx: &mut Tx<'_>) {
    let state = tx.state();
    let block = state.height.0;
    let (mut netuids, mut burn, mut difficulty) = (Vec::new(), Vec::new(), Vec::new());
    let mut counted = Vec::new();
    for (netuid, subnet) in state.networks() {
        let since = block.saturating_sub(subnet.fast.last_adjustment);
        if since >= u64::from(subnet.params.adjustment_interval) {
            let terms = adjust_registration_terms_of(subnet);
            netuids.push(netuid);
            burn.push(terms.0);
            difficulty.push(terms.1);
        }
        if subnet.fast.registrations_this_block != 0 {
            counted.push(netuid);
        }
    }
    if !netuids.is_empty() {
        tx.emit(Event::RegistrationTermsAdjusted { netuids, burn, difficulty });
    }
    if !counted.is_empty() {
        tx.emit(Event::RegistrationCountersCleared { netuids: counted });
    }
}

fn adjust_registration_terms_of(subnet: &Subnet) -> (Rao, u64) {
    let (fast, params) = (&subnet.fast, &subnet.params);
    let demand = Demand {
        registrations: fast.registrations_this_interval,
        target: params.target_registrations_per_interval,
    };
    let by_work = fast.pow_registrations_this_interval;
    let by_burn = fast.burn_registrations_this_interval;
    let (mut burn, mut difficulty) = (fast.burn.0, fast.difficulty);
    let change = adjustment(demand, by_work, by_burn);
    if matches!(change, Adjustment::Burn | Adjustment::Both) {
        let bounds = Bounds { min: params.min_burn.0, max: params.max_burn.0 };
        burn = adjusted(burn, bounds, params.adjustment_alpha, demand);
    }
    if matches!(change, Adjustment::Difficulty | Adjustment::Both) {
        let bounds = Bounds { min: params.min_difficulty, max: params.max_difficulty };
        difficulty = adjusted(difficulty, bounds, params.adjustment_alpha, demand);
    }
    (Rao(burn), difficulty)
}

fn run_epochs(tx: &mut Tx<'_>) {
    let drained = coinbase::drain(tx);
    epoch::run_all(tx, &drained);
}

/// The header of a block just decided; computes the state root.
pub fn seal(
    state: &mut State,
    parent: Hash32,
    input: &BlockInput,
    decided: &Decided,
    facts: &Facts,
) -> Header {
    Header {
        height: input.height,
        parent,
        time_ms: input.time_ms,
        entropy: input.entropy,
        state_root: state.root(),
        calls_root: calls_root(&decided.calls, &decided.refused),
        events_root: events_root(&decided.events, &decided.sealed),
        facts_root: facts_root(facts),
    }
}
