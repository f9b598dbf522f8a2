//! Random subnets, ordinary and odd, on which the epoch is compared with the plain one.

use alloc::vec;
use alloc::vec::Vec;

use super::number::ONE;
use super::tests::Subnet;
use super::{Row, plain};

/// Compared in all; each case follows from its number alone.
const CASES: u64 = 40_000;
/// Cases with some hundreds of uids.
const LARGE_CASES: u64 = 40;

/// SplitMix64.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// One of the usual values, or sometimes any.
    fn usually<T: Copy>(&mut self, usual: &[T], any: impl Fn(u64) -> T) -> T {
        if self.one_in(4) { any(self.next()) } else { self.pick(usual) }
    }

    fn uids(&mut self) -> usize {
        match self.below(8) {
            0 => self.below(3),
            1..=4 => self.below(12),
            5..=6 => self.below(30),
            _ => self.below(60),
        }
    }

    fn stake(&mut self, n: usize) -> Vec<i128> {
        let style = self.below(8);
        let mut one = |uid: usize| match style {
            0 => 0,
            1 => 1_i128 << 64,
            2 => i128::from(self.next() >> 20) << self.below(84),
            3 => (i128::from(self.next()) << 62) | i128::from(self.next()),
            4 => ((i128::from(self.next()) << 64) | i128::from(self.next())) >> self.below(127),
            5 => (self.below(3) as i128) << 64,
            _ => i128::from((1 << 50) / (uid as u64 + 1) + self.next() % 1_000_000) << 64,
        };
        let mut stake: Vec<i128> = (0..n).map(&mut one).collect();
        if n > 0 && self.one_in(20) {
            let uid = self.below(n);
            stake[uid] = self.pick(&[i128::MAX, i128::MIN, -1, 1, 1 << 126]);
        }
        stake
    }

    /// Rows of weights or bonds of some of the uids.
    fn rows(&mut self, n: usize) -> Vec<Row> {
        let style = self.below(8);
        let same = self.row(n, style);
        let alike = self.one_in(8);
        let filled = self.pick(&[1, 1, 2, 3]);
        let mut row = || {
            if self.below(filled) > 0 {
                return Row::new();
            }
            if alike { same.clone() } else { self.row(n, style) }
        };
        (0..n).map(|_| row()).collect()
    }

    fn row(&mut self, n: usize, style: usize) -> Row {
        let mut uids: Vec<u16> = (0..n as u16).collect();
        for index in (1..n).rev() {
            let other = self.below(index + 1);
            uids.swap(index, other);
        }
        let kept = if self.one_in(3) { n } else { self.below(n + 1) };
        uids.truncate(kept);
        match style {
            // In any order, with uids that do not exist and some that come twice.
            0 => {
                for _ in 0..self.below(4) {
                    uids.push(self.below(n + 3) as u16);
                    uids.push(self.pick(&[0, u16::MAX]));
                }
            }
            1 => {}
            _ => uids.sort_unstable(),
        }
        let scale = self.below(6);
        let value = |uid: u16| match scale {
            0 => self.pick(&[0, 1, 2, 65_535]),
            1 => 0,
            2 => 1 + (uid % 3),
            3 => (1000 * (u64::from(uid) + 1) + self.next() % 1000) as u16,
            _ => self.next() as u16,
        };
        let values: Vec<u16> = uids.iter().copied().map(value).collect();
        uids.into_iter().zip(values).collect()
    }

    /// Mostly as long as it should be.
    fn cut<T: Clone>(&mut self, mut list: Vec<T>, beyond: &T) -> Vec<T> {
        if self.one_in(16) {
            let length = self.below(2 * list.len() + 2);
            list.resize(length, beyond.clone());
        }
        list
    }

    fn subnet(&mut self, n: usize) -> Subnet {
        let block = self.pick(&[0, 5, 1000, 1000, u64::MAX]);
        let heights = self.below(3);
        let around = |draw: u64| match heights {
            0 => block.saturating_add(draw % 40).saturating_sub(20),
            _ => draw % 1500,
        };
        let calm = self.one_in(2);
        let last_update: Vec<u64> =
            (0..n).map(|_| if calm { block } else { around(self.next()) }).collect();
        let registered_at: Vec<u64> =
            (0..n).map(|_| if calm { 0 } else { around(self.next()) }).collect();
        let commit_block: Vec<Option<u64>> =
            (0..n).map(|_| self.one_in(2).then(|| around(self.next()))).collect();
        let permits = self.below(4);
        let permit: Vec<bool> = (0..n).map(|_| permits > 0 && self.below(permits) == 0).collect();
        let mut subnet = Subnet {
            block,
            tempo: self.usually(&[0, 10, 360], |draw| draw as u16),
            activity_cutoff: self.usually(&[0, 10, 5000, 65_535], |draw| draw as u16),
            max_validators: self.usually(&[0, 1, 3, 64, 64], |draw| (draw % 50) as u16),
            owner_uid: self.usually(&[None, Some(0), Some(1)], |draw| Some(draw as u16 % 64)),
            kappa: self.usually(&[0, 1, 32_767, 32_767, 32_768, 65_535], |draw| draw as u16),
            bonds_penalty: self
                .usually(&[0, 0, 1, 32_768, 65_534, 65_535, 65_535], |draw| draw as u16),
            bonds_moving_average: self.usually(
                &[0, 900_000, 900_000, 975_000, 1_000_000],
                |draw| match draw % 4 {
                    0 => draw,
                    1 => draw >> 32,
                    2 => draw % 3_000_000,
                    _ => draw % 1_000_000,
                },
            ),
            liquid_alpha: self.one_in(2),
            yuma3: self.below(3) > 0,
            alpha: self.usually(
                &[(45_875, 58_982), (45_875, 58_982), (6553, 19_660), (0, 65_535), (65_535, 0)],
                |draw| (draw as u16, (draw >> 16) as u16),
            ),
            steepness: self.usually(
                &[1000, 1000, 100, 1, 0, -1, -1000, 3200, 4000, 4001, i16::MIN, i16::MAX],
                |draw| draw as i16,
            ),
            stake_threshold: self.usually(&[0, 0, 1, 1000], |draw| draw >> 20),
            rao_emission: self.usually(&[0, 1, 1_000_000_000, u64::MAX], |draw| draw),
            commit_reveal: self.one_in(3),
            stake: self.stake(n),
            last_update: self.cut(last_update, &block),
            registered_at: self.cut(registered_at, &1),
            validator_permit: self.cut(permit, &true),
            commit_block: self.cut(commit_block, &None),
            weights: self.rows(n),
            bonds: self.rows(n),
        };
        subnet.weights = self.cut(subnet.weights, &vec![(0, 1), (0, 2), (u16::MAX, 3)]);
        subnet.bonds = self.cut(subnet.bonds, &vec![(0, 1), (0, 2), (u16::MAX, 3)]);
        subnet
    }
}

fn check(subnet: &Subnet, case: u64) {
    let expected = plain::epoch(&subnet.input());
    let (output, raw) = subnet.run();
    assert_eq!(output, expected.0, "case {case}: {subnet:?}");
    assert_eq!(raw, expected.1, "case {case}: {subnet:?}");
    assert_eq!(super::epoch(&subnet.input()), expected.0, "case {case}, without raw values");
}

#[test]
fn random_epochs_agree_with_the_plain_ones() {
    for case in 0..CASES {
        let mut draw = Draw(case);
        let n = draw.uids();
        let subnet = draw.subnet(n);
        check(&subnet, case);
        // Bonds that an epoch left are what the next one sees, also in another mode.
        if case % 4 == 0 {
            let bonds = subnet.run().0.bonds;
            check(&Subnet { bonds, ..draw.subnet(n) }, case);
        }
    }
}

#[test]
fn larger_epochs_agree_with_the_plain_ones() {
    for case in 0..LARGE_CASES {
        let mut draw = Draw(u64::MAX - case);
        let n = 100 + draw.below(200);
        let validators = 20 + draw.below(60);
        let mut subnet = draw.subnet(n);
        subnet.block = 1000;
        subnet.last_update = vec![990; n];
        subnet.registered_at = vec![1; n];
        subnet.validator_permit = (0..n).map(|uid| uid < validators).collect();
        subnet.weights.iter_mut().skip(validators).for_each(Row::clear);
        for round in 0..2 {
            check(&subnet, round);
            subnet.bonds = subnet.run().0.bonds;
        }
    }
}

#[test]
fn any_speed_and_power_agrees_with_the_plain_one() {
    let mut draw = Draw(1);
    for _ in 0..200_000 {
        let wide = draw.pick(&[1, 4, 5, 16, 17, 25]) * ONE;
        let x = draw.next() as i64 % wide;
        assert_eq!(super::number::exp(x), plain::exp(x), "exp({x})");
    }
    for shift in 0..63 {
        for raw in [1_i64 << shift, (1 << shift) - 1, (1 << shift) + 1] {
            assert_eq!(super::number::inverse(raw.max(1)), plain::inverse(raw.max(1)), "{raw}");
        }
    }
}
