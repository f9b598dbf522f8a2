//! One epoch at two sizes and in each mode: 256 uids with 64 validators of 100 weights, and 1,024
//! uids with 128 validators of 400 weights.
//!
//! Each run takes the next of a ring of subnets that differ in all stakes, weights and bonds, so
//! that nothing can be kept from one run to the next. Old bonds are those that epochs with other
//! weights left behind, or rows with a value for everybody. `cargo bench -p protocol --bench epoch`
//! prints a row per case; compare rows of one machine only.

use core::hint::black_box;
use criterion::{Criterion, criterion_group, criterion_main};
use protocol::yuma::{self, EpochInput, Row, epoch};

/// Subnets that take turns.
const RING: u64 = 8;
/// Epochs with other weights that a subnet had before the measured one.
const EARLIER: usize = 3;

/// What sets a case apart.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    yuma3: bool,
    liquid_alpha: bool,
    /// Stored weights on uids in random instead of ascending order, any uid and any value.
    scattered: bool,
    /// A bond of each validator on each uid, instead of those that earlier epochs left.
    dense: bool,
}

const LEGACY: Case =
    Case { name: "legacy", yuma3: false, liquid_alpha: false, scattered: false, dense: false };
const YUMA3: Case = Case { name: "yuma3", yuma3: true, ..LEGACY };
const LIQUID: Case = Case { name: "liquid", liquid_alpha: true, ..YUMA3 };

const CASES: [Case; 9] = [
    LEGACY,
    YUMA3,
    LIQUID,
    Case { name: "legacy, dense bonds", dense: true, ..LEGACY },
    Case { name: "yuma3, dense bonds", dense: true, ..YUMA3 },
    Case { name: "liquid, dense bonds", dense: true, ..LIQUID },
    Case { name: "legacy, scattered weights", scattered: true, ..LEGACY },
    Case { name: "yuma3, scattered weights", scattered: true, ..YUMA3 },
    Case { name: "liquid, scattered weights", scattered: true, ..LIQUID },
];

#[derive(Clone, Copy)]
struct Size {
    uids: u16,
    validators: u16,
    weights: usize,
}

/// SplitMix64: enough to make inputs differ, and the same on every machine.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Moves `count` random elements to the front.
    fn choose(&mut self, from: &mut [u16], count: usize) {
        for index in 0..count {
            let other = index + self.below((from.len() - index) as u64) as usize;
            from.swap(index, other);
        }
    }
}

struct Subnet {
    case: Case,
    stake: Vec<i128>,
    last_update: Vec<u64>,
    registered_at: Vec<u64>,
    validator_permit: Vec<bool>,
    weights: Vec<Row>,
    bonds: Vec<Row>,
}

impl Subnet {
    fn new(size: Size, case: Case, seed: u64) -> Self {
        let mut draw = Draw(seed);
        let n = usize::from(size.uids);
        let permit = |uid: u16| uid < size.validators;
        let mut stake = |uid: u16| match permit(uid) {
            true => (1 << 50) / (u64::from(uid) + 4) + draw.below(1 << 44),
            false => draw.below(1 << 30),
        };
        let mut subnet = Self {
            case,
            stake: (0..size.uids).map(|uid| i128::from(stake(uid)) << 64).collect(),
            last_update: vec![990; n],
            registered_at: vec![1; n],
            validator_permit: (0..size.uids).map(permit).collect(),
            weights: vec![Row::new(); n],
            bonds: vec![Row::new(); n],
        };
        if case.dense {
            for row in subnet.bonds.iter_mut().take(usize::from(size.validators)) {
                *row = (0..size.uids).map(|uid| (uid, draw.next() as u16)).collect();
            }
        } else {
            for _ in 0..EARLIER {
                subnet.weights = weights(size, case, &mut draw);
                subnet.bonds = subnet.epoch().bonds;
            }
        }
        subnet.weights = weights(size, case, &mut draw);
        subnet
    }

    fn epoch(&self) -> yuma::EpochOutput {
        epoch(&EpochInput {
            block: 1_000,
            tempo: 360,
            activity_cutoff: 5_000,
            max_validators: 128,
            owner_uid: Some(0),
            kappa: 32_767,
            bonds_penalty: 65_535,
            bonds_moving_average: 900_000,
            liquid_alpha: self.case.liquid_alpha,
            yuma3: self.case.yuma3,
            alpha_low: 45_875,
            alpha_high: 58_982,
            alpha_sigmoid_steepness: 1_000,
            stake_threshold: 1_000,
            rao_emission: 360_000_000_000,
            commit_reveal: false,
            stake: &self.stake,
            last_update: &self.last_update,
            registered_at: &self.registered_at,
            validator_permit: &self.validator_permit,
            commit_block: &[],
            weights: &self.weights,
            bonds: &self.bonds,
        })
    }
}

/// Weights of all validators. They mostly agree: each takes four fifths of the same good miners,
/// and sees the quality of each with an error of its own. Scattered weights agree on nothing.
fn weights(size: Size, case: Case, draw: &mut Draw) -> Vec<Row> {
    let first = if case.scattered { 0 } else { size.validators };
    let mut miners: Vec<u16> = (first..size.uids).collect();
    let pool = if case.scattered { miners.len() } else { size.weights * 5 / 4 };
    draw.choose(&mut miners, pool);
    let quality: Vec<u64> = (0..size.uids).map(|_| 2_000 + draw.below(30_000)).collect();
    let mut rows = vec![Row::new(); usize::from(size.uids)];
    for row in rows.iter_mut().take(usize::from(size.validators)) {
        draw.choose(&mut miners[..pool], size.weights);
        let chosen = miners[..size.weights].iter().map(|&uid| {
            let seen = quality[usize::from(uid)] * (50 + draw.below(101)) / 100;
            (uid, if case.scattered { draw.next() as u16 } else { seen as u16 })
        });
        row.extend(chosen);
        if !case.scattered {
            row.sort_unstable();
        }
    }
    rows
}

fn epochs(criterion: &mut Criterion) {
    let small = Size { uids: 256, validators: 64, weights: 100 };
    let large = Size { uids: 1_024, validators: 128, weights: 400 };
    for size in [small, large] {
        let Size { uids, validators, weights } = size;
        let mut group = criterion.benchmark_group(format!("{uids}x{validators}x{weights}"));
        for case in CASES {
            let ring: Vec<Subnet> = (0..RING).map(|seed| Subnet::new(size, case, seed)).collect();
            let mut turns = ring.iter().cycle();
            group.bench_function(case.name, |bencher| {
                bencher.iter(|| turns.next().map(|subnet| black_box(subnet).epoch()));
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(40).measurement_time(core::time::Duration::from_secs(3));
    targets = epochs
}
criterion_main!(benches);
