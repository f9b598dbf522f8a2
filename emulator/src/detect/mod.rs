//! Detectors: what shows each adversary, as a fold of the log.
//!
//! What belongs here: signals made of what the log holds and of the address book that every player has. What does not:
//! behaviours, groups and anything else that only the plan says; how alarms are shown (`commands`, `metrics`). What
//! every detector looks at and how good it is: docs/detectors.md.
//!
//! Neurons are judged once per epoch of their subnet, stakers by their orders, so a block costs what happens in it.

mod answers;
mod commits;
mod copiers;
mod favours;
mod floods;
mod lapses;
mod owners;
#[cfg(test)]
mod pages;
mod scene;
mod signals;
mod stakes;
#[cfg(test)]
mod tests;
mod trades;

pub use signals::{Alarm, Row, Signal, Subject};

use crate::plan::Plan;
use crate::run::hosts::directory;
use actors::machine::Directory;
use answers::Answers;
use commits::Commits;
use favours::Favours;
use floods::Floods;
use lapses::Lapsed;
use owners::Owners;
use protocol::event::Event;
use protocol::frame::{Frame, Projection};
use protocol::state::State;
use protocol::units::NetUid;
use scene::Scene;
use signals::Signals;
use stakes::Moves;
use trades::Trades;

macro_rules! detectors {
    ($($constant:ident: $name:literal, $threshold:literal $unit:literal, $observable:literal;)*) => {
        $(
            #[doc = $observable]
            pub const $constant: &Row = &Row {
                name: $name,
                observable: $observable,
                threshold: $threshold,
                unit: $unit,
            };
        )*

        /// Every detector, in the order of docs/players.md; each has the name of the adversary that it shows.
        pub const DETECTORS: &[&Row] = &[$($constant,)*];
    };
}

detectors! {
    TREASURER: "treasurer", 0.03 "parts of the pool's TAO", "An owner's purchases of its own alpha within a week, three of like size at least, less what others paid it";
    WEIGHT_COPIER: "weight-copier", 0.85 "likeness", "A validator asked nobody in three epochs and its row is like a consensus of before, the mean of some, or the row of the validator with most stake";
    STALE_COPIER: "stale-copier", 0.85 "likeness", "On a subnet with commit-reveal, a validator asked nobody in three epochs and its row is like the mean of all rows of an epoch before";
    COMMIT_WITHHOLDER: "commit-withholder", 0.3 "parts of its last commits", "Commits by hash whose time is over and that nobody tried to open";
    BAD_REVEALER: "bad-revealer", 0.5 "reveals per commit", "Reveals that the chain refuses, per commit by hash, over four epochs";
    CABAL: "cabal", 0.1 "parts of a row", "What a validator and another one give the same miners in each of four epochs beyond what half of the validators give them";
    SELF_WEIGHTER: "self-weighter", 0.05 "parts of a row", "The part of a row on hotkeys of its own coldkey, the subnet owner's excepted";
    BONDS_GAMER: "bonds-gamer", 0.3 "parts", "Next to nothing for miners that others weigh much or not at all, in parts of a row's targets, or how much nearer the row is to the others' rows of some epochs ago than to those of now, among the miners that it names and beyond what is usual; the mean of four epochs";
    PERMIT_HOPPER: "permit-hopper", 2.0 "of eight epochs", "Epochs just before which a coldkey moved stake from one hotkey to another of the subnet";
    SPAMMER: "spammer", 0.5 "calls per block", "Calls of one player that failed or were refused, for four different reasons at least, over a hundred blocks";
    SLEEPER: "sleeper", 3.5 "usual periods", "Time since the last row of a validator that has a permit and used to set rows";
    OUTDATED: "outdated", 0.5 "per epoch", "Rows rejected for their version key, or the part of the uids that changed hands on which a row stayed as it was while the others' changed; the mean of four epochs";
    CHILDKEY_ABUSER: "childkey-abuser", 2.0 "orders in eight epochs", "Childkey takes raised just before an epoch and lowered just after one, and children ordered just before one";
    DICTATOR: "dictator", 0.5 "parts of all stake", "The stake behind one validator whose row is the consensus, while more of the others' rows is clipped though they agree with one another";
    SYBIL: "sybil", 3.0 "uids", "Uids of one coldkey on a subnet, or miners whose weight is the same in every row";
    ANSWER_COPIER: "answer-copier", 1.0 "queries per epoch", "Queries of a neuron that earns as a miner and sets no rows";
    VACANCY_SNIPER: "vacancy-sniper", 1.0 "places", "A place taken from an earning miner while rows waited, that earned before any row could be about its new neuron and nothing since";
    STALLER: "staller", 0.15 "answers per query", "Answers that a subnet's validators received beyond one per query and beyond what copies made by the network explain, over four epochs";
    REGISTRATION_BOT: "registration-bot", 2.0 "of eight intervals", "Registration intervals in whose first block a coldkey tried to register several times";
    HYPERPARAMETER_RUGGER: "hyperparameter-rugger", 0.25 "parts", "The part of the miners' emission or of the uids of coldkeys which the subnet's owner gave money, or the part of the neurons that it trimmed away";
    MINER_BURNER: "miner-burner", 0.25 "parts of the miners' emission", "Incentive of the subnet owner's own hotkeys, which is withheld";
    LOCK_COST_GRIEFER: "lock-cost-griefer", 2.0 "subnets", "Subnets that a coldkey registered and did not start though it could";
    FLOW_RECYCLER: "flow-recycler", 2.0 "round trips", "Times within two weeks that a coldkey bought half a percent of one pool or more and sold nearly all of it again; a pool of less than half the median counts as that deep";
    SANDWICHER: "sandwicher", 2.0 "sandwiches", "Blocks of a day in which a coldkey bought and then sold beside somebody else's buy";
    DUMP_WHALE: "dump-whale", 0.05 "parts of the pool's TAO", "What one coldkey takes out of a pool in one block; a pool of less than half the median counts as that deep";
    DEREG_SNIPER: "dereg-sniper", 0.2 "parts of the sales", "The share of a pruned subnet's sales of the coldkey that registered the subnet in its place";
}

/// All detectors over one run.
#[derive(Clone, Debug, Default)]
pub struct Detectors {
    scene: Scene,
    signals: Signals,
    favours: Favours,
    lapsed: Lapsed,
    commits: Commits,
    moves: Moves,
    floods: Floods,
    answers: Answers,
    trades: Trades,
    owners: Owners,
}

impl Detectors {
    fn new(genesis: &State, book: Directory) -> Self {
        Self { scene: Scene::new(genesis, book), ..Self::default() }
    }

    /// Begins a run from its plan, which still has its state at genesis. Only that and the address book are read.
    pub fn of(plan: &Plan) -> Self {
        Self::at(plan, &plan.genesis)
    }

    /// Begins with the state at genesis, or at the block that a resumed run goes on from; of what came before that
    /// nothing is known.
    pub fn at(plan: &Plan, state: &State) -> Self {
        Self::new(state, directory(plan).into_iter().collect())
    }

    /// Folds a block, in order, with the state after it.
    pub fn fold(&mut self, frame: &Frame, after: &State) {
        self.scene.hear(frame);
        self.lapsed.hear(frame);
        self.commits.hear(frame);
        self.answers.hear(frame);
        self.floods.hear(frame, after, &mut self.signals);
        self.trades.hear(frame, after, &mut self.signals);
        self.owners.hear(frame, after, &mut self.signals);
        for event in &frame.events {
            self.follow(event, frame, after);
        }
        self.scene.settle(after);
        self.signals.settle(frame.header.height);
    }

    fn follow(&mut self, event: &Event, frame: &Frame, after: &State) {
        let height = frame.header.height;
        match event {
            Event::SubnetDissolved(facts) => self.forget(facts.netuid),
            Event::SubnetRegistered(facts) => self.answers.begin(facts.netuid),
            _ => {}
        }
        let scene = &self.scene;
        self.commits.follow(event, after, |netuid, uid| {
            let incentive = scene.ground(netuid).map(|ground| &ground.incentive);
            let part = incentive.and_then(|parts| parts.get(usize::from(uid)));
            part.is_some_and(|part| *part > 0)
        });
        self.moves.follow(event, height, after, |netuid| {
            scene.ground(netuid)?.past.back().map(|past| past.at)
        });
        let Some(epoch) = self.scene.follow(event, height, after) else { return };
        let signals = &mut self.signals;
        copiers::judge(&epoch, signals);
        self.favours.judge(&epoch, signals);
        self.lapsed.judge(&epoch, signals);
        self.commits.judge(&epoch, signals);
        self.moves.judge(&epoch, signals);
        self.answers.judge(&epoch, signals);
        self.owners.judge(&epoch, signals);
        signals.settle_neurons(epoch.netuid, height);
    }

    /// A subnet is gone; another may get its number.
    fn forget(&mut self, netuid: NetUid) {
        self.signals.forget(netuid);
        self.favours.forget(netuid);
        self.lapsed.forget(netuid);
        self.commits.forget(netuid);
        self.moves.forget(netuid);
        self.floods.forget(netuid);
        self.answers.forget(netuid);
        self.trades.forget(netuid);
        self.owners.forget(netuid);
    }

    /// The alarms in order, the first hundred thousand of them.
    pub fn alarms(&self) -> &[Alarm] {
        self.signals.alarms()
    }

    /// What each detector sees in whom after the last block; subjects in whom it sees nothing are missing.
    pub fn signals(&self) -> impl Iterator<Item = Signal> {
        self.signals.all()
    }

    /// Every detector with all its alarms so far and its strongest signal, in parts of its threshold.
    pub fn summary(&self) -> Vec<(&'static Row, u64, f64)> {
        let strongest = self.signals.strongest();
        let of = |row: &&'static Row| {
            let signal = strongest.get(row.name).copied().unwrap_or(0.0);
            (*row, self.signals.count(row), signal)
        };
        DETECTORS.iter().map(of).collect()
    }
}

impl Projection for Detectors {
    fn block(&mut self, frame: &Frame, _: &State, after: &State) {
        self.fold(frame, after);
    }
}
