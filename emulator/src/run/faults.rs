//! Simulated faults: which are in force when a block is made, and what they do to a message or a call. Pure: what
//! happens follows from the plan's faults, the players, the block, and dice of their own; nothing is remembered, so
//! it is the same in any process, after a resumption, and when the players run again.
//!
//! What belongs here: moments, sides, verdicts. What does not: the network's own losses and latencies and what is
//! under way (`hub`), and what a scenario may ask for (`genesis::faults`). docs/faults.md says what each kind does.

use crate::plan::{Course, Fault, FaultKind, Shape, Times};
use protocol::dice::{Dice, Domain};
use protocol::units::{BLOCK_MS, Height, PlayerId};
use std::collections::BTreeSet;

/// The address of draws that choose one of several players; nobody has this id.
const CHOICE: u64 = u64::MAX;
/// A message's number among its sender's takes fewer bits; those above tell which fault draws.
const SEQUENCE_BITS: u32 = 48;

/// The faults of a stretch of a run.
#[derive(Clone, Debug)]
pub struct Faults {
    seed: u64,
    genesis: Height,
    list: Vec<Planned>,
    /// All players, ascending.
    players: Vec<PlayerId>,
    /// The block that is being made.
    height: Height,
    in_force: Vec<InForce>,
}

/// A fault with the players that it names, ascending.
#[derive(Clone, Debug)]
struct Planned {
    fault: Fault,
    named: Vec<PlayerId>,
}

/// A fault in force.
#[derive(Clone, Debug)]
struct InForce {
    kind: FaultKind,
    /// Its place among the faults.
    place: u64,
    occurrence: Occurrence,
    /// Whom it touches: for kinds about messages who sends or receives them, for offline who is, for a partition
    /// the first side, the isolated one, or the one side beside a bridge.
    members: BTreeSet<PlayerId>,
    /// Who hears both sides.
    bridge: Option<PlayerId>,
}

/// One time that a fault is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// The first block made under it.
    pub first: Height,
    /// The first block that is not.
    pub end: Height,
}

/// What faults do to a message that is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blow {
    /// It never arrives.
    pub lost: bool,
    /// It arrives once more.
    pub again: bool,
    /// Milliseconds that it takes longer.
    pub delay_ms: u64,
    /// It does not arrive before this moment.
    pub not_before_ms: u64,
}

impl Occurrence {
    /// The time within which a block is made, if there is one.
    pub fn of(times: &Times, seed: u64, place: u64, height: Height) -> Option<Self> {
        let period = match times.every {
            None => 0,
            Some(every) => height.0.checked_sub(times.from.0)? / every.max(1),
        };
        Self::in_period(times, seed, place, period)
            .filter(|it| (it.first..it.end).contains(&height))
    }

    /// The period that a block is in; the first also of those before.
    fn period(times: &Times, height: Height) -> u64 {
        times.every.map_or(0, |every| height.0.saturating_sub(times.from.0) / every.max(1))
    }

    /// The one time of a period, as far as it is not cut off.
    fn in_period(times: &Times, seed: u64, place: u64, period: u64) -> Option<Self> {
        let offset = times.every.map_or(0, |every| {
            let mut dice = Dice::new(seed, Domain::Fault, PlayerId::CHAIN.0, period, place);
            let room = every.saturating_sub(times.blocks);
            period.saturating_mul(every).saturating_add(dice.below(room.saturating_add(1)))
        });
        let first = times.from.0.saturating_add(offset);
        let end = first.saturating_add(times.blocks);
        let end = times.until.map_or(end, |until| end.min(until.0));
        (first < end).then_some(Self { first: Height(first), end: Height(end) })
    }

    /// The times that reach into some blocks, the last one included, cut to them.
    pub fn within(
        times: &Times,
        seed: u64,
        place: u64,
        first: Height,
        last: Height,
    ) -> impl Iterator<Item = Self> {
        // One that began in the period before may go on.
        let periods = Self::period(times, first).saturating_sub(1)..=Self::period(times, last);
        periods.filter_map(move |period| {
            let it = Self::in_period(times, seed, place, period)?;
            let end = Height(last.0.saturating_add(1));
            let cut = Self { first: it.first.max(first), end: it.end.min(end) };
            (cut.first < cut.end).then_some(cut)
        })
    }

    /// The times that begin within some blocks, the last one included.
    pub fn beginning(times: &Times, seed: u64, place: u64, first: Height, last: Height) -> u64 {
        let periods = Self::period(times, first)..=Self::period(times, last);
        let within = |it: &Self| (first..=last).contains(&it.first);
        periods
            .filter_map(|period| Self::in_period(times, seed, place, period))
            .filter(within)
            .count() as u64
    }
}

impl Faults {
    /// The faults of a course.
    pub fn new(course: &Course<'_>) -> Self {
        let mut players: Vec<PlayerId> = course.seats().map(|seat| seat.identity.id).collect();
        players.sort_unstable();
        let planned = |fault: &Fault| {
            let seats = course.seats().filter(|seat| fault.whom.names(seat));
            let mut named: Vec<PlayerId> = seats.map(|seat| seat.identity.id).collect();
            named.sort_unstable();
            Planned { fault: fault.clone(), named }
        };
        let list = course.faults().iter().map(planned).collect();
        let genesis = course.plan().genesis.height;
        Self { seed: course.seed(), genesis, list, players, height: genesis, in_force: Vec::new() }
    }

    /// From here on it is about what leads up to this block.
    pub fn turn_to(&mut self, height: Height) {
        if height == self.height || self.list.is_empty() {
            return;
        }
        self.height = height;
        #[cfg(feature = "planted")]
        if crate::planted::active(crate::planted::Bug::UnhealedFault) && !self.in_force.is_empty() {
            return;
        }
        let mut before = std::mem::take(&mut self.in_force);
        for (place, planned) in (0..).zip(&self.list) {
            let times = &planned.fault.times;
            let Some(occurrence) = Occurrence::of(times, self.seed, place, height) else {
                continue;
            };
            // Who is on which side is worked out once.
            let known =
                before.iter().position(|it| (it.place, it.occurrence) == (place, occurrence));
            self.in_force.push(match known {
                Some(known) => before.swap_remove(known),
                None => self.struck(planned, place, occurrence),
            });
        }
    }

    /// The first moment of what leads up to a block, in simulated milliseconds since genesis.
    const fn begin_ms(&self, height: Height) -> u64 {
        height.0.saturating_sub(self.genesis.0.saturating_add(1)).saturating_mul(BLOCK_MS)
    }

    fn struck(&self, planned: &Planned, place: u64, occurrence: Occurrence) -> InForce {
        let Planned { fault, named } = planned;
        let first = occurrence.first.0;
        let drawn = |player: &PlayerId, ppm: u32| {
            Dice::new(self.seed, Domain::Fault, player.0, first, place).chance_ppm(ppm)
        };
        let one = || {
            let mut dice = Dice::new(self.seed, Domain::Fault, CHOICE, first, place);
            named.get(dice.below(named.len() as u64) as usize).copied()
        };
        let half = || self.players.iter().filter(|player| drawn(player, 500_000)).copied();
        let mut bridge = None;
        let members = match fault.kind {
            FaultKind::Offline { ppm } => {
                named.iter().filter(|player| drawn(player, ppm)).copied().collect()
            }
            FaultKind::Partition { shape: Shape::Halves | Shape::OneWay }
                if fault.whom.is_everybody() =>
            {
                half().collect()
            }
            FaultKind::Partition { shape: Shape::Isolate } => one().into_iter().collect(),
            FaultKind::Partition { shape: Shape::Bridge } => {
                bridge = one();
                half().collect()
            }
            _ => named.iter().copied().collect(),
        };
        InForce { kind: fault.kind, place, occurrence, members, bridge }
    }

    /// Whether nothing gets from one player to another now.
    pub fn cut(&self, sender: PlayerId, receiver: PlayerId) -> bool {
        self.in_force.iter().any(|fault| fault.cuts(sender, receiver))
    }

    /// Whether a player does not reach the chain now.
    pub fn is_offline(&self, player: PlayerId) -> bool {
        let offline = |it: &&InForce| matches!(it.kind, FaultKind::Offline { .. });
        self.in_force.iter().filter(offline).any(|fault| fault.members.contains(&player))
    }

    /// What becomes of a message that is sent now.
    pub fn strike(&self, sender: PlayerId, receiver: PlayerId, sequence: u64) -> Blow {
        let mut blow = Blow::default();
        if self.in_force.is_empty() {
            return blow;
        }
        for fault in &self.in_force {
            let touched = fault.members.contains(&sender) || fault.members.contains(&receiver);
            // Each has dice of its own: which others are in force moves no draw.
            let number = (fault.place << SEQUENCE_BITS) ^ sequence;
            let mut dice = Dice::new(self.seed, Domain::Fault, sender.0, receiver.0, number);
            let mut hit = |ppm: u32| touched && dice.chance_ppm(ppm);
            match fault.kind {
                FaultKind::Loss { ppm } | FaultKind::Corruption { ppm } => blow.lost |= hit(ppm),
                FaultKind::Duplication { ppm } => blow.again |= hit(ppm),
                FaultKind::Delay { ppm, ms_max } if hit(ppm) => {
                    blow.delay_ms = blow.delay_ms.saturating_add(dice.between(0, ms_max));
                }
                FaultKind::Clog { ppm }
                    if touched && self.is_clogged(fault, ppm, sender, receiver) =>
                {
                    let end_ms = self.begin_ms(fault.occurrence.end);
                    blow.not_before_ms = blow.not_before_ms.max(end_ms);
                }
                FaultKind::Partition { .. } | FaultKind::Offline { .. } => {
                    blow.lost |= fault.cuts(sender, receiver);
                }
                FaultKind::Delay { .. } | FaultKind::Clog { .. } => {}
            }
        }
        blow
    }

    /// Milliseconds that a call submitted now takes longer.
    pub fn call_delay_ms(&self, player: PlayerId, sequence: u64) -> u64 {
        self.strike(player, PlayerId::CHAIN, sequence).delay_ms
    }

    /// A path is clogged or free for the whole time of a fault.
    fn is_clogged(&self, fault: &InForce, ppm: u32, sender: PlayerId, receiver: PlayerId) -> bool {
        // No player has said so much that this is the number of a message.
        let path = u64::MAX - ((fault.occurrence.first.0 << 16) | fault.place);
        Dice::new(self.seed, Domain::Fault, sender.0, receiver.0, path).chance_ppm(ppm)
    }
}

impl InForce {
    fn cuts(&self, sender: PlayerId, receiver: PlayerId) -> bool {
        let (from, to) = (self.members.contains(&sender), self.members.contains(&receiver));
        match self.kind {
            FaultKind::Offline { .. } => from || to,
            FaultKind::Partition { shape } => match shape {
                Shape::Halves | Shape::Isolate => from != to,
                Shape::Bridge => {
                    from != to && self.bridge != Some(sender) && self.bridge != Some(receiver)
                }
                Shape::OneWay => !from && to,
            },
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Fork, Limits, Network, Plan, Seat, Terms, Whom};
    use crate::run::calendar::{Calendar, struck};
    use actors::machine::Identity;
    use actors::registry::{BehaviourSettings, Role};
    use protocol::dice::player_id;
    use protocol::state::State;
    use protocol::units::NetUid;

    const GENESIS: Height = Height(1_000);
    const PLAYERS: u64 = 24;

    fn seat(group: &str, index: u64) -> Seat {
        let identity = Identity::new(group, index, Some(NetUid(1 + (index % 2) as u16)));
        let settings = match group {
            "validators" => BehaviourSettings::Sampler(Default::default()),
            _ => BehaviourSettings::Quality(Default::default()),
        };
        Seat { identity, player: settings.build(), arrives_ms: None }
    }

    fn plan(seed: u64, faults: Vec<Fault>) -> Plan {
        let mut genesis = State::default();
        genesis.height = GENESIS;
        let groups = ["validators", "miners"];
        let seats = groups.iter().flat_map(|group| (0..PLAYERS / 2).map(|n| seat(group, n)));
        Plan {
            name: "test".to_owned(),
            description: String::new(),
            scenario: String::new(),
            seed,
            genesis_unix_s: 0,
            network: network(),
            limits: limits(),
            timeline: Vec::new(),
            faults,
            players: seats.collect(),
            genesis,
            forks: Vec::new(),
        }
    }

    const fn network() -> Network {
        Network {
            slice_ms: 1_000,
            latency_ms_min: 40,
            latency_ms_max: 40,
            loss_ppm: 0,
            duplication_ppm: 0,
        }
    }

    const fn limits() -> Limits {
        Limits { extrinsics_per_block_max: 100, pool_max: 100, refused_kept_max: 10 }
    }

    /// From block +10 on, for 5 blocks.
    fn once() -> Times {
        Times { from: Height(GENESIS.0 + 10), blocks: 5, every: None, until: None }
    }

    fn fault(kind: FaultKind) -> Fault {
        Fault { kind, times: once(), whom: Whom::default() }
    }

    fn split(shape: Shape) -> Fault {
        fault(FaultKind::Partition { shape })
    }

    fn at(plan: &Plan, blocks: u64) -> Faults {
        let height = Height(GENESIS.0 + blocks);
        let mut faults = Faults::new(&plan.course(height));
        faults.turn_to(height);
        faults
    }

    fn all() -> Vec<PlayerId> {
        let of = |group: &'static str| (0..PLAYERS / 2).map(move |index| player_id(group, index));
        of("validators").chain(of("miners")).collect()
    }

    /// Who hears whom: a row for each sender.
    fn heard(faults: &Faults) -> Vec<Vec<bool>> {
        let row = |from: &PlayerId| {
            let heard = |to: &PlayerId| {
                let cut = faults.cut(*from, *to);
                assert_eq!(faults.strike(*from, *to, 7).lost, cut, "at both ends alike");
                !cut
            };
            all().iter().map(heard).collect()
        };
        all().iter().map(row).collect()
    }

    /// Within the time and only within it a partition is there; gives who hears whom.
    fn hearing(seed: u64, fault: &Fault) -> Vec<Vec<bool>> {
        let plan = plan(seed, vec![fault.clone()]);
        for blocks in [1, 9, 15, 16, 1_000] {
            let rows = heard(&at(&plan, blocks));
            assert!(rows.iter().flatten().all(|hears| *hears), "seed {seed}, block +{blocks}");
        }
        let rows = heard(&at(&plan, 10));
        for blocks in 11..15 {
            assert_eq!(heard(&at(&plan, blocks)), rows, "seed {seed}, block +{blocks}");
        }
        rows
    }

    fn seeds() -> std::ops::Range<u64> {
        match std::env::var("SEED") {
            Ok(seed) => {
                let seed = seed.parse().expect("SEED is a number");
                seed..seed + 1
            }
            Err(_) => 0..100,
        }
    }

    #[test]
    fn two_halves_do_not_hear_each_other() {
        for seed in seeds() {
            let rows = hearing(seed, &split(Shape::Halves));
            // Whoever the first one hears is its side.
            let side = &rows[0];
            for (from, row) in rows.iter().enumerate() {
                for (to, hears) in row.iter().enumerate() {
                    assert_eq!(*hears, side[from] == side[to], "seed {seed}: {from} to {to}");
                }
            }
            let count = side.iter().filter(|side| **side).count();
            assert!((1..24).contains(&count), "seed {seed}: {count} on one side");
        }
        let named = Whom { groups: vec!["miners".to_owned()], ..Whom::default() };
        let rows = hearing(1, &Fault { whom: named, ..split(Shape::Halves) });
        let miner = |place: usize| place >= 12;
        for (from, row) in rows.iter().enumerate() {
            let expected: Vec<bool> = (0..24).map(|to| miner(from) == miner(to)).collect();
            assert_eq!(*row, expected);
        }
    }

    #[test]
    fn one_way_is_one_way() {
        for seed in seeds() {
            let rows = hearing(seed, &split(Shape::OneWay));
            for (from, row) in rows.iter().enumerate() {
                for (to, hears) in row.iter().enumerate() {
                    assert!(*hears || rows[to][from], "seed {seed}: {from} and {to} are apart");
                }
            }
            assert!(rows.iter().flatten().any(|hears| !*hears), "seed {seed}");
        }
        let named = Whom { roles: vec![Role::Validator], ..Whom::default() };
        let rows = hearing(1, &Fault { whom: named, ..split(Shape::OneWay) });
        assert!(rows[0].iter().all(|hears| *hears), "those who are named are heard by all");
        assert_eq!(rows[12], [[false; 12], [true; 12]].concat(), "and hear themselves only");
    }

    #[test]
    fn an_isolated_one_is_alone_and_a_bridge_hears_both() {
        for seed in seeds() {
            let rows = hearing(seed, &split(Shape::Isolate));
            let alone = |place: &usize| rows[*place].iter().filter(|hears| **hears).count() == 1;
            let isolated: Vec<usize> = (0..24).filter(alone).collect();
            assert_eq!(isolated.len(), 1, "seed {seed}");
            let unheard = |from: usize| !rows[from][isolated[0]];
            assert!((0..24).all(|from| from == isolated[0] || unheard(from)), "seed {seed}");

            let named = Whom { netuids: vec![NetUid(2)], ..Whom::default() };
            let rows = hearing(seed, &Fault { whom: named, ..split(Shape::Bridge) });
            let whole = |place: &usize| rows[*place].iter().all(|hears| *hears);
            let bridge: Vec<usize> = (0..24).filter(whole).collect();
            assert!(bridge.len() == 1 && bridge[0] % 2 == 1, "seed {seed}: {bridge:?}");
            assert!((0..24).all(|from| rows[from][bridge[0]]), "seed {seed}");
        }
    }

    #[test]
    fn parts_are_those_that_were_asked_for() {
        let plan = |kind| plan(3, vec![fault(kind)]);
        let blows = |plan: &Plan| -> Vec<Blow> {
            let faults = at(plan, 12);
            let one = |n| faults.strike(all()[0], all()[1 + (n % 23) as usize], n);
            (0..10_000).map(one).collect()
        };
        let part =
            |plan: &Plan, is: fn(&Blow) -> bool| blows(plan).iter().filter(|blow| is(blow)).count();
        let ppm = 300_000;
        for (kind, is) in [
            (FaultKind::Loss { ppm }, (|blow| blow.lost) as fn(&Blow) -> bool),
            (FaultKind::Corruption { ppm }, |blow| blow.lost),
            (FaultKind::Duplication { ppm }, |blow| blow.again),
            (FaultKind::Delay { ppm, ms_max: 1_000 }, |blow| blow.delay_ms > 0),
        ] {
            let count = part(&plan(kind), is);
            assert!((2_850..3_150).contains(&count), "{kind:?}: {count} of 10000");
        }
        let delays = blows(&plan(FaultKind::Delay { ppm: 1_000_000, ms_max: 30_000 }));
        let sum: u64 = delays.iter().map(|blow| blow.delay_ms).sum();
        assert!((14_700..15_300).contains(&(sum / 10_000)), "{sum}");
        assert!(delays.iter().all(|blow| blow.delay_ms <= 30_000));
        let whole = plan(FaultKind::Loss { ppm: 1_000_000 });
        assert_eq!(part(&whole, |blow| blow.lost), 10_000);
        assert_eq!(at(&whole, 9).strike(all()[0], all()[1], 0), Blow::default());
    }

    #[test]
    fn a_clogged_path_waits_for_the_end_and_others_do_not() {
        let plan = plan(3, vec![fault(FaultKind::Clog { ppm: 200_000 })]);
        let mut clogged = 0;
        for from in all() {
            for to in all() {
                let wait = |blocks, n| at(&plan, blocks).strike(from, to, n).not_before_ms;
                let first = wait(10, 0);
                assert!(first == 0 || first == 14 * BLOCK_MS, "{first}");
                assert!([(10, 1), (11, 0), (14, 99)].iter().all(|(b, n)| wait(*b, *n) == first));
                clogged += usize::from(first > 0);
            }
        }
        assert!((80..150).contains(&clogged), "{clogged} of 576 paths");
    }

    #[test]
    fn only_those_who_are_named_are_struck() {
        let whom = Whom {
            groups: vec!["validators".to_owned()],
            roles: vec![Role::Validator],
            netuids: vec![NetUid(2)],
        };
        let struck = |kind| Fault { whom: whom.clone(), ..fault(kind) };
        let loss = plan(1, vec![struck(FaultKind::Loss { ppm: 1_000_000 })]);
        let loss = at(&loss, 10);
        let lost = |from: usize, to: usize| loss.strike(all()[from], all()[to], 0).lost;
        assert!(lost(1, 12) && lost(12, 1) && !lost(0, 12) && !lost(13, 0));
        assert_eq!((loss.cut(all()[1], all()[12]), loss.is_offline(all()[1])), (false, false));
        let offline = plan(1, vec![struck(FaultKind::Offline { ppm: 1_000_000 })]);
        let offline = at(&offline, 10);
        let off: Vec<bool> = all().iter().map(|player| offline.is_offline(*player)).collect();
        let expected: Vec<bool> = (0..24).map(|place| place < 12 && place % 2 == 1).collect();
        assert_eq!(off, expected);
        assert!(offline.cut(all()[1], all()[0]) && offline.cut(all()[0], all()[1]));
        let some = plan(1, vec![fault(FaultKind::Offline { ppm: 500_000 })]);
        let some = at(&some, 10);
        let count = all().iter().filter(|player| some.is_offline(**player)).count();
        assert!((6..18).contains(&count), "{count} of 24");
    }

    #[test]
    fn one_fault_moves_no_draw_of_another() {
        let loss = fault(FaultKind::Loss { ppm: 300_000 });
        let other = Fault {
            whom: Whom { groups: vec!["miners".to_owned()], ..Whom::default() },
            ..fault(FaultKind::Duplication { ppm: 900_000 })
        };
        let over = Fault { times: Times { blocks: 1, ..once() }, ..other.clone() };
        let fresh = |first: &Fault| at(&plan(5, vec![first.clone(), loss.clone()]), 12);
        let (alone, both) = (fresh(&over), fresh(&other));
        assert_eq!((alone.in_force.len(), both.in_force.len()), (1, 2));
        let mut again = 0;
        for n in 0..1_000 {
            let blow = |faults: &Faults| faults.strike(all()[0], all()[13], n);
            assert_eq!(blow(&alone).lost, blow(&both).lost, "message {n}");
            again += u64::from(blow(&both).again && !blow(&both).lost);
        }
        assert!(
            (580..680).contains(&again),
            "{again}: nine tenths of seven are doubled and arrive"
        );
    }

    #[test]
    fn drawn_faults_strike_once_a_period_wherever_one_begins_to_look() {
        let times = Times { every: Some(100), until: Some(Height(GENESIS.0 + 1_000)), ..once() };
        for seed in seeds() {
            let plan = plan(seed, vec![Fault { times, ..split(Shape::Halves) }]);
            let mut faults = Faults::new(&plan.course(GENESIS));
            let mut blocks = Vec::new();
            for height in (GENESIS.0 + 1..GENESIS.0 + 1_200).map(Height) {
                faults.turn_to(height);
                let here = Occurrence::of(&times, seed, 0, height);
                assert_eq!(faults.in_force.first().map(|it| it.occurrence), here);
                let late = at(&plan, height.0 - GENESIS.0);
                assert_eq!(heard(&late)[3], heard(&faults)[3], "seed {seed}, block {height}");
                if here.is_some() {
                    blocks.push(height.0 - GENESIS.0);
                }
            }
            for period in 0..9 {
                let within =
                    |block: &&u64| (10 + period * 100..110 + period * 100).contains(*block);
                let within: Vec<u64> = blocks.iter().filter(within).copied().collect();
                let whole = within.len() == 5 && within[4] - within[0] == 4;
                assert!(whole, "seed {seed}, period {period}: {within:?}");
            }
            assert!(blocks.iter().all(|block| *block < 1_000), "seed {seed}: {blocks:?}");
            let tip = Height(GENESIS.0 + 1_200);
            assert!((9..=10).contains(&struck(&plan, tip)), "seed {seed}");
            if seeds().count() > 1 && seed == 9 {
                break;
            }
        }
    }

    #[test]
    fn faults_are_counted_when_they_begin_and_once_across_forks() {
        let mut plan = plan(1, vec![split(Shape::Halves), fault(FaultKind::Loss { ppm: 1 })]);
        let count = |plan: &Plan, blocks: u64| struck(plan, Height(GENESIS.0 + blocks));
        let counts = [0, 9, 10, 14, 900].map(|blocks| count(&plan, blocks));
        assert_eq!(counts, [0, 0, 2, 2, 2]);
        let terms = Terms {
            seed: 1,
            network: network(),
            limits: limits(),
            changes: Vec::new(),
            timeline: Vec::new(),
            faults: vec![split(Shape::Halves), split(Shape::Isolate)],
            recast: Vec::new(),
            leaving: Vec::new(),
        };
        plan.forks.push(Fork {
            parent: "runs/other".to_owned(),
            build: "test".to_owned(),
            at: Height(GENESIS.0 + 11),
            block_hash: Default::default(),
            set: Vec::new(),
            scenario: String::new(),
            terms,
        });
        let counts = [10, 11, 12, 900].map(|blocks| count(&plan, blocks));
        assert_eq!(counts, [2, 2, 3, 3], "the halves go on, the isolation is new");
        plan.forks[0].at = Height(GENESIS.0 + 40);
        assert_eq!(count(&plan, 900), 2, "what is over when the fork begins is not made up for");
        for fork_at in [8, 11, 40] {
            plan.forks[0].at = Height(GENESIS.0 + fork_at);
            let calendar = Calendar::of(&plan);
            let mut begun = calendar.none();
            for height in (GENESIS.0 + 1..GENESIS.0 + 60).map(Height) {
                calendar.add_beginning(height, &mut begun);
                assert_eq!(begun, calendar.until(height), "block {height}, fork at {fork_at}");
                let mut faults = Faults::new(&plan.course(height));
                faults.turn_to(height);
                let active: u64 = calendar.active(height).values().sum();
                assert_eq!(active, faults.in_force.len() as u64, "block {height}");
            }
            assert!(begun.values().sum::<u64>() >= 2, "{begun:?}");
        }
    }

    /// Nothing in a log may make a reader panic.
    #[test]
    fn absurd_times_are_no_times() {
        for (every, blocks, until) in [
            (Some(0), 5, None),
            (Some(3), 9, None),
            (Some(u64::MAX), u64::MAX, Some(Height(0))),
            (None, u64::MAX, None),
        ] {
            let times = Times { from: Height(u64::MAX - 2), blocks, every, until };
            for height in [0, 1, u64::MAX - 1, u64::MAX].map(Height) {
                let here = Occurrence::of(&times, 1, 0, height);
                assert!(here.is_none_or(|it| it.first <= height && height < it.end));
            }
        }
    }
}
