//! Tables of values from the reference (subtensor at 5f4e6263), and plain variants of the parts
//! that are written for speed.
#![allow(clippy::type_complexity, reason = "the types are those of rows of a table")]

use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::matrix::Matrix;
use super::number::{self, Divisor, ONE};
use super::*;

/// What an [`EpochInput`] borrows.
#[derive(Clone, Debug)]
pub(super) struct Subnet {
    pub(super) block: u64,
    pub(super) tempo: u16,
    pub(super) activity_cutoff: u16,
    pub(super) max_validators: u16,
    pub(super) owner_uid: Option<u16>,
    pub(super) kappa: u16,
    pub(super) bonds_penalty: u16,
    pub(super) bonds_moving_average: u64,
    pub(super) liquid_alpha: bool,
    pub(super) yuma3: bool,
    pub(super) alpha: (u16, u16),
    pub(super) steepness: i16,
    pub(super) stake_threshold: u64,
    pub(super) rao_emission: u64,
    pub(super) commit_reveal: bool,
    pub(super) stake: Vec<i128>,
    pub(super) last_update: Vec<u64>,
    pub(super) registered_at: Vec<u64>,
    pub(super) validator_permit: Vec<bool>,
    pub(super) commit_block: Vec<Option<u64>>,
    pub(super) weights: Vec<Row>,
    pub(super) bonds: Vec<Row>,
}

impl Subnet {
    /// Everybody active, permits for those with stake, the parameters of a new subnet.
    fn new(stake: &[u64]) -> Self {
        let n = stake.len();
        Self {
            block: 1000,
            tempo: 360,
            activity_cutoff: 5000,
            max_validators: 64,
            owner_uid: None,
            kappa: 32_767,
            bonds_penalty: 65_535,
            bonds_moving_average: 900_000,
            liquid_alpha: false,
            yuma3: false,
            alpha: (45_875, 58_982),
            steepness: 1000,
            stake_threshold: 0,
            rao_emission: 1_000_000_000,
            commit_reveal: false,
            stake: stake.iter().map(|&stake| combined_stake(stake, 0, 0)).collect(),
            last_update: vec![1000; n],
            registered_at: vec![0; n],
            validator_permit: stake.iter().map(|&stake| stake > 0).collect(),
            commit_block: vec![None; n],
            weights: vec![Row::new(); n],
            bonds: vec![Row::new(); n],
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(super) fn run(&self) -> (EpochOutput, EpochRaw) {
        epoch_with_raw(&self.input())
    }

    pub(super) fn input(&self) -> EpochInput<'_> {
        EpochInput {
            block: self.block,
            tempo: self.tempo,
            activity_cutoff: self.activity_cutoff,
            max_validators: self.max_validators,
            owner_uid: self.owner_uid,
            kappa: self.kappa,
            bonds_penalty: self.bonds_penalty,
            bonds_moving_average: self.bonds_moving_average,
            liquid_alpha: self.liquid_alpha,
            yuma3: self.yuma3,
            alpha_low: self.alpha.0,
            alpha_high: self.alpha.1,
            alpha_sigmoid_steepness: self.steepness,
            stake_threshold: self.stake_threshold,
            rao_emission: self.rao_emission,
            commit_reveal: self.commit_reveal,
            stake: &self.stake,
            last_update: &self.last_update,
            registered_at: &self.registered_at,
            validator_permit: &self.validator_permit,
            commit_block: &self.commit_block,
            weights: &self.weights,
            bonds: &self.bonds,
        }
    }
}

#[test]
fn constants_have_these_raw_values() {
    let rows: [(&str, i64, i64); 8] = [
        ("kappa 32767", number::proportion(32_767), 2_147_450_879),
        ("kappa 32768", number::proportion(32_768), 2_147_516_416),
        ("moving average 900000", bonds::alpha(900_000), 429_496_730),
        ("moving average 975000", bonds::alpha(975_000), 107_374_183),
        ("moving average 1000000", bonds::alpha(1_000_000), 0),
        ("alpha low 45875", number::proportion(45_875), 3_006_509_875),
        ("alpha high 58982", number::proportion(58_982), 3_865_503_334),
        ("proportion of all", number::proportion(65_535), ONE),
    ];
    for (name, computed, expected) in rows {
        assert_eq!(computed, expected, "{name}");
    }
    assert_eq!(proportion_u64(971_718_665_099_567_868), 0x0D7C_3CFA);
    assert_eq!(proportion_u64(u64::MAX), 1 << 32);
}

#[test]
fn proportions_truncate() {
    let rows = [(ONE / 2, 32_767), (ONE / 10, 6553), (ONE - 1, 65_534), (ONE, 65_535)];
    for (raw, expected) in rows {
        assert_eq!(number::to_u16(raw), expected, "{raw}");
    }
    let bounds = [(-1, 0), (i64::MIN, 0), (2 * ONE, 65_535), (i64::MAX, 65_535)];
    for (raw, expected) in bounds {
        assert_eq!(number::to_u16(raw), expected, "{raw}");
    }
}

#[test]
fn exp_is_the_truncated_series_of_the_chain() {
    let rows: [(i64, i64); 12] = [
        (0, ONE),
        (ONE, 11_674_931_200),
        (-ONE, 1_580_030_169),
        (ONE / 2, 7_081_203_935),
        (-ONE / 2, 2_605_029_348),
        (5 * ONE, 637_429_664_624),
        (-5 * ONE, 28_939_262),
        (10 * ONE, 94_602_947_905_357),
        (-10 * ONE, 194_991),
        (21 * ONE, 2_066_907_302_758_576_256),
        (-21 * ONE, 8),
        (1, ONE + 1),
    ];
    for (x, expected) in rows {
        assert_eq!(number::exp(x), expected, "exp({x})");
    }
    assert_eq!(number::exp(-1), ONE - 1);
}

/// The trace of three validators and three miners.
fn trace() -> Subnet {
    Subnet::new(&[500, 300, 200, 0, 0, 0]).with(|subnet| {
        subnet.weights[0] = vec![(3, 65_535), (4, 39_321), (5, 26_214)];
        subnet.weights[1] = vec![(3, 65_535), (4, 65_535), (5, 32_768)];
        subnet.weights[2] = vec![(3, 0), (4, 0), (5, 65_535)];
    })
}

#[test]
fn the_trace_is_reproduced() {
    let (output, raw) = trace().run();
    let stake = [2_147_483_648, 1_288_490_188, 858_993_459, 0, 0, 0];
    assert_eq!(raw.stake, stake);
    assert_eq!(raw.active_stake, stake);
    assert_eq!(raw.consensus, [0, 0, 0, 2_147_483_648, 1_288_490_188, 859_003_945]);
    assert_eq!(raw.validator_trust, [4_294_967_295, 3_865_475_808, 859_003_945, 0, 0, 0]);
    assert_eq!(raw.incentive, [0, 0, 0, 1_961_894_631, 1_272_581_560, 1_060_491_104]);
    assert_eq!(raw.dividends, [2_651_211_588, 1_431_656_194, 212_099_513, 0, 0, 0]);

    assert_eq!(output.consensus, [0, 0, 0, 32_767, 19_660, 13_107]);
    assert_eq!(output.validator_trust, [65_534, 58_981, 13_107, 0, 0, 0]);
    assert_eq!(output.incentive, [0, 0, 0, 29_935, 19_417, 16_181]);
    assert_eq!(output.dividends, [40_453, 21_845, 3236, 0, 0, 0]);
    assert_eq!(output.server_emission, [0, 0, 0, 228_394_594, 148_147_991, 123_457_413]);
    assert_eq!(output.validator_emission, [308_641_650, 166_666_716, 24_691_632, 0, 0, 0]);
    assert_eq!(output.bonds, TRACE_BONDS.map(bond_row));
    assert_eq!(output.new_validator_permit, [true, true, true, false, false, false]);
    assert_eq!(output.stake, [500, 300, 200, 0, 0, 0]);
}

/// Bonds on miners 3, 4 and 5; -1 is no entry.
type BondTable = [[i32; 3]; 6];

const NONE: [i32; 3] = [-1; 3];
const TRACE_BONDS: BondTable =
    [[65_535; 3], [31_456, 39_320, 39_321], [-1, -1, 26_214], NONE, NONE, NONE];

fn bond_row(row: [i32; 3]) -> Row {
    let entries = (3..).zip(row);
    entries.filter_map(|(uid, bond)| Some((uid, u16::try_from(bond).ok()?))).collect()
}

#[test]
fn variants_of_the_trace_are_reproduced() {
    let yuma3 = || trace().with(|subnet| subnet.yuma3 = true);
    let after = |subnet: &Subnet| subnet.clone().with(|next| next.bonds = subnet.run().0.bonds);
    let first = [[3276, 1966, 1310], [2621, 1966, 1310], [-1, -1, 1310], NONE, NONE, NONE];
    let rows: [(&str, Subnet, [i64; 3], [u64; 3], BondTable); 6] = [
        (
            "second epoch",
            after(&trace()),
            [0x9e06_8f20, 0x5555_13b1, 0x0ca4_5d2d],
            [308_643_791, 166_664_710, 24_691_497],
            TRACE_BONDS,
        ),
        (
            "no penalty",
            trace().with(|subnet| subnet.bonds_penalty = 0),
            [0x8ab5_e644, 0x522c_396b, 0x231d_e04f],
            [270_919_032, 160_493_654, 68_587_312],
            [
                [65_535, 65_535, 32_767],
                [31_456, 52_427, 19_660],
                [-1, -1, 65_535],
                NONE,
                NONE,
                NONE,
            ],
        ),
        (
            "half the penalty",
            trace().with(|subnet| subnet.bonds_penalty = 32_768),
            [0x9234_c3d8, 0x52b4_3951, 0x1b17_02d5],
            [285_558_815, 161_531_249, 52_909_935],
            [
                [65_535, 65_535, 54_612],
                [31_456, 45_874, 32_768],
                [-1, -1, 65_535],
                NONE,
                NONE,
                NONE,
            ],
        ),
        (
            "Yuma3",
            yuma3(),
            [0x9f7d_d8eb, 0x55aa_2834, 0x0ad7_fedf],
            [311_507_013, 167_313_820, 21_179_165],
            first,
        ),
        (
            "Yuma3, second epoch",
            after(&yuma3()),
            [0x9f7d_98eb, 0x55aa_682a, 0x0ad7_fee9],
            [311_505_106, 167_315_726, 21_179_166],
            [[6225, 3735, 2489], [4980, 3735, 2489], [-1, -1, 2489], NONE, NONE, NONE],
        ),
        (
            "Yuma3 with liquid alpha, second epoch",
            after(&yuma3()).with(|subnet| subnet.liquid_alpha = true),
            [0x9f7d_d367, 0x55aa_2db9, 0x0ad7_fedf],
            [311_506_849, 167_313_984, 21_179_165],
            [[23_959, 14_375, 9583], [19_167, 14_375, 9583], [-1, -1, 9583], NONE, NONE, NONE],
        ),
    ];
    for (name, subnet, dividends, amounts, bonds) in rows {
        let (output, raw) = subnet.run();
        assert_eq!(raw.dividends[..3], dividends, "{name}: dividends");
        assert_eq!(output.validator_emission[..3], amounts, "{name}: amounts");
        assert_eq!(output.bonds, bonds.map(bond_row), "{name}: bonds");
    }
}

#[test]
fn without_usable_weights_validators_share_by_stake() {
    let own = |subnet: &mut Subnet| subnet.weights[0] = vec![(0, 65_535)];
    let miner = |subnet: &mut Subnet| subnet.weights[0] = vec![(1, 65_535)];
    let both = |subnet: &mut Subnet| subnet.weights[0] = vec![(0, 32_767), (1, 32_767)];
    let rows = [
        ("no weights", Subnet::new(&[1, 0]), [1_000_000_000, 0], [0, 0]),
        ("own weight", Subnet::new(&[1, 0]).with(own), [1_000_000_000, 0], [0, 0]),
        (
            "weight on a miner registered since",
            Subnet::new(&[1, 0]).with(miner).with(|subnet| subnet.registered_at[1] = 1000),
            [1_000_000_000, 0],
            [0, 0],
        ),
        (
            "weight committed before the miner registered",
            Subnet::new(&[1, 0]).with(miner).with(|subnet| {
                subnet.registered_at[1] = 900;
                subnet.commit_reveal = true;
                subnet.commit_block[0] = Some(899);
            }),
            [1_000_000_000, 0],
            [0, 0],
        ),
        (
            "weight committed as the miner registered",
            Subnet::new(&[1, 0]).with(miner).with(|subnet| {
                subnet.registered_at[1] = 900;
                subnet.commit_reveal = true;
                subnet.commit_block[0] = Some(900);
            }),
            [500_000_000, 0],
            [0, 500_000_000],
        ),
        (
            "weight of the owner on itself",
            Subnet::new(&[1, 0]).with(both).with(|subnet| subnet.owner_uid = Some(0)),
            [500_000_000, 0],
            [250_000_000, 250_000_000],
        ),
        (
            "nobody has a permit yet",
            Subnet::new(&[1, 0]).with(|subnet| subnet.validator_permit = vec![]),
            [1_000_000_000, 0],
            [0, 0],
        ),
        ("no stake", Subnet::new(&[0, 0]), [0, 0], [0, 0]),
    ];
    for (name, subnet, validator, server) in rows {
        let (output, _) = subnet.run();
        assert_eq!(output.validator_emission, validator, "{name}");
        assert_eq!(output.server_emission, server, "{name}");
    }
    assert_eq!(Subnet::new(&[]).run(), (EpochOutput::default(), EpochRaw::default()));
}

#[test]
fn liquid_bonds_see_entries_and_their_order() {
    type Pairs<'a> = &'a [(u16, u16)];
    let (high, low, one) = ((2, 40_000), (3, 20_000), (2, 65_535));
    // weights and old bonds of uid 1, penalty; its new bonds and the dividends of uids 0 and 1
    let rows: [(Pairs, Pairs, u16, Pairs, [u16; 2]); 7] = [
        (&[one, (3, 0)], &[high, low], 0, &[(2, 60_428), (3, 5500)], [41_555, 23_979]),
        (&[one], &[high, low], 0, &[(2, 60_428)], [44_852, 20_682]),
        (&[(3, 0), one], &[high, low], 0, &[(3, 5500), (2, 61_709)], [41_374, 24_160]),
        (&[one, (3, 32_768)], &[high, low], 0, &[(2, 42_608), (3, 21_294)], [39_828, 25_706]),
        (&[(3, 32_768), one], &[high, low], 0, &[(3, 21_294), (2, 43_137)], [39_727, 25_807]),
        (&[(3, 32_768), one], &[low, high], 0, &[(3, 21_294), (2, 42_587)], [39_832, 25_702]),
        (&[(3, 32_768), one], &[high, low], 32_768, &[(2, 38_756), (3, 21_294)], [40_606, 24_928]),
    ];
    for (weights, bonds, penalty, expected, dividends) in rows {
        let subnet = Subnet::new(&[600, 400, 0, 0]).with(|subnet| {
            subnet.yuma3 = true;
            subnet.liquid_alpha = true;
            subnet.bonds_penalty = penalty;
            subnet.weights[0] = vec![(2, 65_535), (3, 65_535)];
            subnet.bonds[0] = vec![(2, 30_000), (3, 30_000)];
            subnet.weights[1] = weights.to_vec();
            subnet.bonds[1] = bonds.to_vec();
        });
        let (output, _) = subnet.run();
        assert_eq!(output.bonds[1], expected, "{weights:?} {bonds:?}");
        assert_eq!(output.dividends[..2], dividends, "{weights:?} {bonds:?}");
        if penalty == 0 {
            assert_eq!(output.bonds[0], [(2, 31_940), (3, 31_940)], "{weights:?} {bonds:?}");
        }
    }
}

#[test]
fn weights_are_scaled_to_their_largest() {
    let rows: [(&[u16], &[u16]); 10] = [
        (&[], &[]),
        (&[0, 1], &[0, 65_535]),
        (&[1], &[65_535]),
        (&[65_534], &[65_535]),
        (&[0, 1, 65_534], &[0, 1, 65_535]),
        (&[0, 0], &[0, 0]),
        (&[0, 1, 2, 3, 4, 65_533, 65_535], &[0, 1, 2, 3, 4, 65_533, 65_535]),
        (&[1, 3, 2], &[21_845, 65_535, 43_690]),
        (&[3, 40_000, 20_000, 10_000], &[5, 65_535, 32_767, 16_384]),
        (&[2, 1], &[65_535, 32_768]),
    ];
    for (values, expected) in rows {
        assert_eq!(max_upscale(values), expected, "{values:?}");
    }
}

#[test]
fn permits_go_to_the_largest_stakes() {
    let values: Vec<i64> = (0..10).collect();
    let kept = |values: &[i64], count| -> Vec<usize> {
        let top = stake::top(values, count);
        (0..values.len()).filter(|&uid| top[uid]).collect()
    };
    assert_eq!(kept(&values, 5), [5, 6, 7, 8, 9]);
    assert_eq!(kept(&values, 0), [0_usize; 0]);
    assert_eq!(kept(&values, 11), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(kept(&[7, 7, 7], 2), [1, 2], "of equals the higher uid");
}

#[test]
fn dust_of_stake_vanishes() {
    let shares = |stake: &[u64]| {
        let stake: Vec<i128> = stake.iter().map(|&stake| combined_stake(stake, 0, 0)).collect();
        stake::shares(&stake, 0)
    };
    let total = 21_000_000_000_000_000;
    assert_eq!(shares(&[1, total - 1])[0], 0);
    assert_eq!(shares(&[4_889_443, total - 4_889_443])[0], 0);
    assert_eq!(shares(&[4_889_444, total - 4_889_444])[0], 1);
    assert_eq!(shares(&[total / 2, total / 2])[0], ONE / 2);
    assert_eq!(shares(&[total, 0]), [ONE, 0]);
    assert_eq!(shares(&[0, 0]), [0, 0]);
}

#[test]
fn tao_counts_by_its_weight() {
    let weight = 971_718_665_099_567_868;
    let alpha = [1_000_000_000_000, 0, 0];
    let tao = [0, 10_000_000_000_000, 0];
    let stake = alpha.iter().zip(tao).map(|(&alpha, tao)| combined_stake(alpha, tao, weight));
    let subnet = Subnet::new(&[1, 1, 0]).with(|subnet| subnet.stake = stake.collect());
    let (output, raw) = subnet.run();
    assert_eq!(raw.stake, [0xa7ac_9cdd, 0x5853_6322, 0]);
    assert_eq!(output.validator_emission, [654_977_611, 345_022_388, 0]);

    let saturated = i128::from(i64::MAX) << 64;
    assert_eq!(combined_stake(0, 1 << 63, u64::MAX), i128::MAX);
    assert_eq!(combined_stake(0, i64::MAX as u64, u64::MAX), saturated);
    assert_eq!(combined_stake(u64::MAX, u64::MAX, u64::MAX), i128::MAX);
    assert_eq!(combined_stake(0, u64::MAX, 0), 0);
}

#[test]
fn stake_is_inherited_from_parents_and_given_to_children() {
    let half = u64::MAX / 2;
    let rows: [(&str, u64, &[u64], &[(u64, u64)], u64); 7] = [
        ("no links", 1000, &[], &[], 1000),
        ("half to a child", 1000, &[half], &[], 500),
        ("all to a child", 1000, &[u64::MAX], &[], 0),
        ("more than all to children", 1000, &[u64::MAX, half], &[(half, 100)], 49),
        ("half of a parent", 1000, &[], &[(half, 100)], 1049),
        ("all of two parents", 1000, &[], &[(u64::MAX, 100), (u64::MAX, 10)], 1110),
        ("saturating", u64::MAX, &[], &[(u64::MAX, 1)], u64::MAX),
    ];
    for (name, own, children, parents, expected) in rows {
        assert_eq!(inherited_stake(own, children, parents), expected, "{name}");
    }
}

/// A raw number from millionths, floored.
fn raw(millionths: i64) -> i64 {
    (millionths << 32) / 1_000_000
}

/// A matrix of scores in hundredths; 0 is no entry.
fn scores(width: usize, rows: &[Vec<i64>]) -> Matrix {
    let mut matrix = Matrix::new(width, 0);
    for row in rows {
        let given = (0..).zip(row).filter(|&(_, &score)| score != 0);
        let (columns, values): (Vec<u16>, Vec<i64>) =
            given.map(|(column, &score)| (column, raw(score * 10_000))).unzip();
        matrix.extend(columns.into_iter(), values.into_iter());
        matrix.end_row();
    }
    matrix
}

#[test]
fn the_median_is_weighted_by_stake() {
    // stake and scores in hundredths
    let rows: [(&[i64], &[i64], i64); 8] = [
        (&[100], &[100], 100),
        (&[49, 51], &[50, 100], 100),
        (&[51, 49], &[50, 100], 50),
        (&[49, 0, 51], &[50, 70, 100], 100),
        (&[49, 1, 50], &[50, 70, 100], 70),
        (&[49, 51, 0], &[50, 70, 100], 70),
        (&[20; 5], &[80, 20, 100, 60, 40], 60),
        (&[10; 10], &[80, 80, 20, 20, 100, 100, 60, 60, 40, 40], 60),
    ];
    for (stake, column, expected) in rows {
        let column: Vec<_> = column.iter().map(|&score| vec![score]).collect();
        let matrix = scores(stake.len(), &column);
        let stake: Vec<i64> = stake.iter().map(|&stake| raw(stake * 10_000)).collect();
        let median = consensus::consensus(&matrix, &stake, raw(510_000))[0];
        assert_eq!(median, raw(expected * 10_000), "{stake:?} {column:?}");
    }
}

#[test]
fn the_consensus_is_a_median_by_column() {
    let first = [vec![0, 10, 0], vec![0, 20, 40], vec![0, 30, 10], vec![0, 40, 50]];
    let last = [vec![0, 10, 0], vec![0, 20, 40], vec![0, 30, 10], vec![0, 0, 50]];
    let rows: [(&[i64], &[Vec<i64>], i64, [i64; 3]); 5] = [
        (&[0, 75, 25, 0], &first, 24, [0, 30, 40]),
        (&[0, 75, 25, 0], &first, 26, [0, 20, 40]),
        (&[0, 75, 25, 0], &first, 76, [0, 20, 10]),
        (&[0, 30, 20, 50], &last, 51, [0, 0, 40]),
        (&[0, 0, 0], &[], 50, [0, 0, 0]),
    ];
    for (stake, matrix, majority, expected) in rows {
        let matrix = scores(stake.len(), matrix);
        let stake: Vec<i64> = stake.iter().map(|&stake| raw(stake * 10_000)).collect();
        let consensus = consensus::consensus(&matrix, &stake, raw(majority * 10_000));
        assert_eq!(consensus[..3], expected.map(|score| raw(score * 10_000)), "{majority}");
    }
}

#[test]
fn emission_is_split_over_mechanisms() {
    let rows: [(u64, u8, Option<&[u16]>, &[u64]); 7] = [
        (1000, 1, None, &[1000]),
        (1000, 0, None, &[1000]),
        (1_000_000_001, 2, None, &[500_000_001, 500_000_000]),
        (1000, 3, None, &[334, 333, 333]),
        (1000, 2, Some(&[0, 65_535]), &[0, 1000]),
        (1000, 3, Some(&[32_768, 32_767]), &[501, 499, 0]),
        (u64::MAX, 1, Some(&[65_535]), &[u64::MAX]),
    ];
    for (rao, count, split, expected) in rows {
        assert_eq!(split_mechanisms(rao, count, split), expected, "{rao} {count} {split:?}");
    }
}

#[test]
fn mechanisms_are_folded() {
    let part = |active, incentive| EpochOutput {
        active: vec![active],
        stake_weight: vec![65_535],
        consensus: vec![65_535],
        validator_trust: vec![65_535],
        incentive: vec![incentive],
        dividends: vec![65_535],
        server_emission: vec![7],
        validator_emission: vec![u64::MAX],
        emission: vec![1000],
        new_validator_permit: vec![!active],
        stake: vec![5],
        bonds: vec![vec![(0, 1)]],
    };
    let rao = 1_000_000_001;
    let amounts = split_mechanisms(rao, 2, None);
    let parts = [(amounts[0], part(true, 100)), (amounts[1], part(false, 65_535))];
    let expected = EpochOutput {
        active: vec![true],
        stake_weight: vec![65_534],
        consensus: vec![65_534],
        validator_trust: vec![65_534],
        incentive: vec![50],
        dividends: vec![65_534],
        server_emission: vec![14],
        validator_emission: vec![u64::MAX],
        emission: vec![999],
        new_validator_permit: vec![true],
        stake: vec![10],
        bonds: vec![vec![]],
    };
    assert_eq!(fold_mechanisms(rao, &parts), expected);

    let one = |rao| EpochOutput { bonds: vec![], ..fold_mechanisms(rao, &parts[..1]) };
    let same = EpochOutput { bonds: vec![], ..parts[0].1.clone() };
    assert_eq!(one(amounts[0]), same, "one mechanism folds to itself");
    assert_eq!(one(0), same, "and does so without emission");
    assert_eq!(fold_mechanisms(rao, &[]), EpochOutput::default());
}

/// The median as the text defines it: all scores including the missing zeros, in ascending order.
fn plain_median(column: &[(i64, i64)], majority: i64) -> i64 {
    let mut voters: Vec<(i64, i64)> = column.iter().copied().filter(|vote| vote.1 > 0).collect();
    let total: i64 = voters.iter().map(|vote| vote.1).sum();
    for vote in &mut voters {
        vote.1 = number::div(vote.1, total);
    }
    voters.sort();
    let minority = voters.iter().map(|vote| vote.1).sum::<i64>() - majority;
    let upto = |score| voters.iter().filter(|vote| vote.0 <= score).map(|vote| vote.1).sum::<i64>();
    let carried = voters.iter().map(|vote| vote.0).find(|&score| upto(score) > minority);
    carried.or(voters.last().map(|vote| vote.0)).unwrap_or(0)
}

/// A subnet of up to 12 uids with anything in it that storage can hold.
fn any_subnet() -> impl Strategy<Value = Subnet> {
    (1..12_usize)
        .prop_flat_map(|n| {
            let edge = |max: u64| prop_oneof![0..=max, Just(0), Just(max)];
            let small = |max: u16| prop_oneof![0..=max, Just(0), Just(max)];
            let value = prop_oneof![any::<u16>(), Just(0), Just(1), Just(65_535)];
            let row = proptest::collection::vec((0..=n as u16, value), 0..=n);
            let row = row.prop_map(|row: Row| {
                let mut seen = vec![];
                let new = |&(uid, _): &(u16, u16)| {
                    !seen.contains(&uid) && {
                        seen.push(uid);
                        true
                    }
                };
                row.into_iter().filter(new).collect::<Row>()
            });
            let rows = proptest::collection::vec(row, n);
            let block = || prop_oneof![990..1010_u64, Just(0), 0..1500_u64];
            (
                proptest::collection::vec(edge(21_000_000_000_000_000), n),
                proptest::collection::vec((block(), block(), any::<bool>(), any::<bool>()), n),
                (rows.clone(), rows, proptest::option::of(0..n as u16)),
                (small(65_535), small(65_535), edge(2_000_000), small(n as u16 + 1)),
                (
                    any::<[bool; 3]>(),
                    any::<(u16, u16)>(),
                    any::<i16>(),
                    small(2000),
                    edge(u64::MAX),
                ),
            )
        })
        .prop_map(|(stake, uids, (weights, bonds, owner_uid), numbers, rest)| {
            let (kappa, bonds_penalty, bonds_moving_average, max_validators) = numbers;
            let ([liquid_alpha, yuma3, commit_reveal], alpha, steepness, activity_cutoff, rao) =
                rest;
            Subnet {
                tempo: 10,
                activity_cutoff,
                max_validators,
                owner_uid,
                kappa,
                bonds_penalty,
                bonds_moving_average,
                liquid_alpha,
                yuma3,
                alpha,
                steepness,
                rao_emission: rao,
                commit_reveal,
                last_update: uids.iter().map(|uid| uid.0).collect(),
                registered_at: uids.iter().map(|uid| uid.1).collect(),
                validator_permit: uids.iter().map(|uid| uid.2).collect(),
                commit_block: uids.iter().map(|uid| uid.3.then_some(uid.0)).collect(),
                weights,
                bonds,
                ..Subnet::new(&stake)
            }
        })
}

proptest! {
    #[test]
    fn a_shared_divisor_divides_exactly(
        a in prop_oneof![any::<i64>(), 0..=ONE, 0..70_000_i64, Just(ONE)],
        by in prop_oneof![any::<i64>(), 0..=ONE, 0..70_000_i64, 0..=3_i64, ONE..=5 * ONE],
    ) {
        let expected = if by == 0 { a } else { number::div(a, by) };
        prop_assert_eq!(Divisor::new(by).normalise(a), expected);
        let plain = (i128::from(a) << 32).checked_div(i128::from(by)).unwrap_or(0);
        prop_assert_eq!(number::div(a, by), i64::try_from(plain).unwrap_or(0));
    }

    #[test]
    fn exp_agrees_with_the_library(x in -25 * ONE..25 * ONE) {
        let clamped = crate::fixed::I32F32::from_bits(x.clamp(-20 * ONE, 20 * ONE));
        let expected = crate::fixed::exp(clamped).map(|value| value.to_bits());
        prop_assert_eq!(Some(number::exp(x)), expected);
    }

    #[test]
    fn the_median_agrees_with_its_definition(
        votes in proptest::collection::vec((0..6_i64, prop_oneof![0..4_i64, 0..ONE]), 1..12),
        majority in prop_oneof![0..=ONE, Just(0), Just(ONE), Just(ONE / 2)],
    ) {
        let column: Vec<_> = votes.iter().map(|&(score, _)| vec![score]).collect();
        let stake: Vec<i64> = votes.iter().map(|vote| vote.1).collect();
        let matrix = scores(votes.len(), &column);
        let votes: Vec<_> = votes.iter().map(|vote| (raw(vote.0 * 10_000), vote.1)).collect();
        let consensus = consensus::consensus(&matrix, &stake, majority);
        prop_assert_eq!(consensus[0], plain_median(&votes, majority));
    }

    #[test]
    fn any_epoch_keeps_its_invariants(subnet in any_subnet()) {
        let n = subnet.stake.len();
        let (output, raw) = subnet.run();
        let paid = |amounts: &[u64]| amounts.iter().map(|&rao| u128::from(rao)).sum::<u128>();
        let total = paid(&output.server_emission) + paid(&output.validator_emission);
        prop_assert!(total <= u128::from(subnet.rao_emission));
        let permits = output.new_validator_permit.iter().filter(|&&permit| permit).count();
        prop_assert!(permits <= usize::from(subnet.max_validators));
        for uid in 0..n {
            prop_assert!(output.new_validator_permit[uid] || output.bonds[uid].is_empty());
            prop_assert!(subnet.validator_permit[uid] || raw.validator_trust[uid] == 0);
            prop_assert!((0..=ONE).contains(&raw.consensus[uid]));
        }
        if subnet.bonds_moving_average <= 1_000_000 {
            let bonds: Vec<_> = raw.ema_bonds.iter().flatten().collect();
            prop_assert!(bonds.iter().all(|bond| (1..=ONE).contains(&bond.1)));
            for uid in (0..n as u16).filter(|_| !subnet.yuma3) {
                let column = bonds.iter().filter(|bond| bond.0 == uid).map(|bond| bond.1);
                prop_assert!(column.max().is_none_or(|max| max == ONE));
            }
        }
    }

    #[test]
    fn lists_of_any_length_give_an_epoch(subnet in any_subnet(), length in 0..14_usize) {
        let short = subnet.with(|subnet| {
            subnet.last_update.resize(length, 1000);
            subnet.registered_at.resize(length, 0);
            subnet.validator_permit.resize(length, true);
            subnet.commit_block.resize(length, None);
            subnet.weights.resize(length, vec![(0, 1), (0, 2), (u16::MAX, 3)]);
            subnet.bonds.resize(length, vec![(0, 1), (0, 2), (u16::MAX, 3)]);
            subnet.bonds_moving_average = subnet.bonds_moving_average.wrapping_mul(u64::MAX / 9);
        });
        prop_assert_eq!(short.run().0.bonds.len(), short.stake.len());
    }
}
