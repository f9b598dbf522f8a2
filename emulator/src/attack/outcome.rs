//! What two arms of a trial say, and what the trials of all seeds say together: numbers in, numbers out.
//!
//! What belongs here: differences, means, intervals, verdicts. What does not: how they are shown (`output`, `page`).

use crate::arm::{Aim, Arm, GroupWealth};
use crate::sweep::statistics::Estimate;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What one seed says: the run with the attack, less the run without.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// Of the draws.
    pub seed: u64,
    /// The first block that differs, since genesis; none if none does.
    pub parted_at: Option<u64>,
    /// What the attackers had at the end without the attack, in rao.
    pub wealth: f64,
    /// What the attack gained them, in rao, with stake at spot prices.
    pub profit: f64,
    /// The same with stake at what selling all of it would bring.
    pub realisable: f64,
    /// What it changed for each other group, in rao.
    pub groups: Vec<Change>,
    /// What it changed in the attackers' income, in rao, by source.
    pub income: BTreeMap<String, f64>,
    /// Each figure with the attack and without.
    pub figures: BTreeMap<String, [Option<f64>; 2]>,
    /// What it had gained by so many blocks, in rao.
    pub course: Vec<(u64, f64)>,
    /// Blocks between two epochs.
    pub epoch_blocks: u64,
    /// What its detector said.
    pub detection: Detection,
}

/// What a detector said of one seed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Epochs from the first block that differs to the first alarm that names an attacker; none without one.
    pub epochs: Option<f64>,
    /// Alarms without the attack, whomever they name.
    pub false_honest: u64,
    /// Alarms with the attack that name others.
    pub false_attack: u64,
    /// Blocks of each arm.
    pub blocks: u64,
}

/// What an attack changed for a group.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The group.
    pub group: String,
    /// Its role, if it is one of players.
    pub role: Option<String>,
    /// In rao.
    pub change: f64,
    /// The same with stake at what selling all of it would bring.
    pub realisable: f64,
}

/// Compares two arms of a seed.
pub fn trial(seed: u64, attack: &Arm, honest: &Arm) -> Trial {
    let last = |values: &[u64]| values.last().copied().unwrap_or(0) as f64;
    let courses = attack.sampled.iter().zip(attack.wealth_rao.iter().zip(&honest.wealth_rao));
    let names: BTreeSet<&String> = attack.figures.keys().chain(honest.figures.keys()).collect();
    let sources: BTreeSet<&String> =
        attack.income_rao.keys().chain(honest.income_rao.keys()).collect();
    let of = |arm: &Arm, source: &String| arm.income_rao.get(source).copied().unwrap_or(0) as f64;
    let parted_at = parted_at(&attack.prints, &honest.prints);
    Trial {
        seed,
        parted_at,
        detection: detection(parted_at, attack, honest),
        wealth: last(&honest.wealth_rao),
        profit: last(&attack.wealth_rao) - last(&honest.wealth_rao),
        realisable: last(&attack.realisable_rao) - last(&honest.realisable_rao),
        groups: attack.groups.iter().map(|group| change(group, honest)).collect(),
        income: sources
            .into_iter()
            .map(|source| (source.clone(), of(attack, source) - of(honest, source)))
            .collect(),
        figures: names
            .into_iter()
            .map(|name| {
                let both = [attack, honest].map(|arm| arm.figures.get(name).copied());
                (name.clone(), both)
            })
            .collect(),
        course: courses
            .map(|(block, (attack, honest))| (*block, *attack as f64 - *honest as f64))
            .collect(),
        epoch_blocks: attack.epoch_blocks,
    }
}

fn detection(parted_at: Option<u64>, attack: &Arm, honest: &Arm) -> Detection {
    let named = attack.alarms.iter().filter(|alarm| alarm.at == Aim::Attacker);
    let first = parted_at.and_then(|from| {
        let block = named.map(|alarm| alarm.block).filter(|block| *block >= from).min()?;
        Some((block - from) as f64 / attack.epoch_blocks.max(1) as f64)
    });
    let others = attack.alarms.iter().filter(|alarm| alarm.at == Aim::Another);
    Detection {
        epochs: first,
        false_honest: honest.alarms.len() as u64,
        false_attack: others.count() as u64,
        blocks: attack.prints.len() as u64,
    }
}

/// The first block of which the prints differ, since genesis.
fn parted_at(attack: &[u64], honest: &[u64]) -> Option<u64> {
    let at = attack.iter().zip(honest).position(|(one, other)| one != other)?;
    Some(at as u64 + 1)
}

fn change(group: &GroupWealth, honest: &Arm) -> Change {
    let other = honest.groups.iter().find(|other| other.group == group.group);
    let before = |of: fn(&GroupWealth) -> u64| other.map_or(0, of) as f64;
    Change {
        group: group.group.clone(),
        role: group.role.clone(),
        change: group.wealth_rao as f64 - before(|other| other.wealth_rao),
        realisable: group.realisable_rao as f64 - before(|other| other.realisable_rao),
    }
}

/// What intervals say of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The interval lies above nothing.
    More,
    /// It lies below.
    Less,
    /// It holds nothing, or there is none.
    Unclear,
    /// No seed has any difference.
    Same,
}

impl Verdict {
    /// Of a mean difference.
    pub fn of(estimate: &Estimate) -> Self {
        if estimate.min == 0.0 && estimate.max == 0.0 {
            return Self::Same;
        }
        match estimate.ci95 {
            Some(half) if estimate.mean - half > 0.0 => Self::More,
            Some(half) if estimate.mean + half < 0.0 => Self::Less,
            _ => Self::Unclear,
        }
    }

    /// Of an attack.
    pub const fn pays(self) -> &'static str {
        match self {
            Self::More => "pays",
            Self::Less => "does not pay",
            Self::Unclear => "unclear",
            Self::Same => "changes nothing",
        }
    }

    /// Of a group.
    pub const fn fares(self) -> &'static str {
        match self {
            Self::More => "gains",
            Self::Less => "loses",
            Self::Unclear => "unclear",
            Self::Same => "unchanged",
        }
    }
}

/// What all seeds say of one attack under one defence.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Trials that are there.
    pub trials: Vec<Trial>,
    /// What the attackers had at the end without it.
    pub wealth: Estimate,
    /// What it gained them.
    pub profit: Estimate,
    /// The same with stake at what selling all of it would bring.
    pub realisable: Estimate,
    /// Seeds in which it gained something.
    pub paid: usize,
    /// What it changed for others.
    pub groups: Vec<GroupOutcome>,
    /// What those who lose lost together; none if nobody does.
    pub loss: Option<Estimate>,
    /// What it changed in their income, by source.
    pub income: Vec<(String, Estimate)>,
    /// Figures with the attack, without, and their difference.
    pub figures: BTreeMap<String, FigureOutcome>,
    /// What it had gained by so many blocks.
    pub course: Vec<(u64, Estimate)>,
    /// The earliest first block that differs.
    pub parted_at: Option<u64>,
    /// Seeds in which an alarm named an attacker.
    pub detected: usize,
    /// Epochs until it did, of these seeds.
    pub epochs: Option<Estimate>,
    /// Alarms per thousand blocks without the attack, and with it those that name others.
    pub false_alarms: [f64; 2],
}

/// What an attack changed for a group, over all seeds.
#[derive(Clone, Debug)]
pub struct GroupOutcome {
    /// The group.
    pub group: String,
    /// Its role, if it is one of players.
    pub role: Option<String>,
    /// In rao.
    pub change: Estimate,
    /// The same with stake at what selling all of it would bring.
    pub realisable: Estimate,
}

/// A figure over all seeds.
#[derive(Clone, Copy, Debug)]
pub struct FigureOutcome {
    /// With the attack.
    pub attack: Option<Estimate>,
    /// Without.
    pub honest: Option<Estimate>,
    /// Their differences, of seeds that have both.
    pub difference: Option<Estimate>,
}

impl Outcome {
    /// Of trials of all seeds; none of no trials.
    pub fn of(trials: Vec<Trial>) -> Option<Self> {
        let estimate = |value: &dyn Fn(&Trial) -> f64| {
            Estimate::of(&trials.iter().map(value).collect::<Vec<f64>>())
        };
        let first = trials.first()?;
        let groups: Vec<GroupOutcome> = first
            .groups
            .iter()
            .enumerate()
            .filter_map(|(at, group)| {
                Some(GroupOutcome {
                    group: group.group.clone(),
                    role: group.role.clone(),
                    change: estimate(&|trial| trial.groups[at].change)?,
                    realisable: estimate(&|trial| trial.groups[at].realisable)?,
                })
            })
            .collect();
        let losers: Vec<usize> = groups
            .iter()
            .enumerate()
            .filter(|(_, group)| Verdict::of(&group.change) == Verdict::Less)
            .map(|(at, _)| at)
            .collect();
        let lost = |trial: &Trial| losers.iter().map(|at| trial.groups[*at].change).sum();
        let income = first.income.keys().filter_map(|source| {
            let of = |trial: &Trial| trial.income.get(source).copied().unwrap_or(0.0);
            Some((source.clone(), estimate(&of)?))
        });
        let course =
            first.course.iter().enumerate().filter_map(|(at, (block, _))| {
                Some((*block, estimate(&|trial| trial.course[at].1)?))
            });
        let epochs: Vec<f64> = trials.iter().filter_map(|trial| trial.detection.epochs).collect();
        let per_thousand = |count: fn(&Detection) -> u64| {
            let blocks: u64 = trials.iter().map(|trial| trial.detection.blocks).sum();
            let alarms: u64 = trials.iter().map(|trial| count(&trial.detection)).sum();
            alarms as f64 * 1_000.0 / blocks.max(1) as f64
        };
        Some(Self {
            detected: epochs.len(),
            epochs: Estimate::of(&epochs),
            false_alarms: [
                per_thousand(|detection| detection.false_honest),
                per_thousand(|detection| detection.false_attack),
            ],
            wealth: estimate(&|trial| trial.wealth)?,
            profit: estimate(&|trial| trial.profit)?,
            realisable: estimate(&|trial| trial.realisable)?,
            paid: trials.iter().filter(|trial| trial.profit > 0.0).count(),
            loss: if losers.is_empty() { None } else { estimate(&lost) },
            income: income.collect(),
            figures: figures(&trials),
            course: course.collect(),
            parted_at: trials.iter().filter_map(|trial| trial.parted_at).min(),
            groups,
            trials,
        })
    }

    /// Whether it pays.
    pub fn verdict(&self) -> Verdict {
        Verdict::of(&self.profit)
    }

    /// What it gained of what the attackers would have had, of one.
    pub fn profit_share(&self) -> Option<f64> {
        (self.wealth.mean > 0.0).then(|| self.profit.mean / self.wealth.mean)
    }

    /// The group that loses most, of those that lose.
    pub fn worst_off(&self) -> Option<&GroupOutcome> {
        let losers = self.groups.iter().filter(|group| Verdict::of(&group.change) == Verdict::Less);
        losers.min_by(|one, other| one.change.mean.total_cmp(&other.change.mean))
    }
}

fn figures(trials: &[Trial]) -> BTreeMap<String, FigureOutcome> {
    let names: BTreeSet<&String> = trials.iter().flat_map(|trial| trial.figures.keys()).collect();
    let outcome = |name: &String| {
        let both: Vec<[Option<f64>; 2]> =
            trials.iter().filter_map(|trial| trial.figures.get(name).copied()).collect();
        let arm = |at: usize| {
            Estimate::of(&both.iter().filter_map(|pair| pair[at]).collect::<Vec<f64>>())
        };
        let differences = both.iter().filter_map(|pair| Some(pair[0]? - pair[1]?));
        FigureOutcome {
            attack: arm(0),
            honest: arm(1),
            difference: Estimate::of(&differences.collect::<Vec<f64>>()),
        }
    };
    names.into_iter().map(|name| (name.clone(), outcome(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arm::ArmAlarm;

    fn arm(prints: &[u64], wealth: u64, victims: u64) -> Arm {
        let group = |group: &str, wealth_rao| GroupWealth {
            group: group.to_owned(),
            role: Some("miner".to_owned()),
            wealth_rao,
            realisable_rao: wealth_rao / 2,
        };
        Arm {
            prints: prints.to_vec(),
            sampled: vec![0, 3],
            wealth_rao: vec![100, wealth],
            realisable_rao: vec![90, wealth - 10],
            groups: vec![group("victims", victims), group("bystanders", 5)],
            income_rao: BTreeMap::from([("take".to_owned(), wealth / 10)]),
            figures: BTreeMap::from([("queries".to_owned(), 7.0)]),
            epoch_blocks: 20,
            alarms: Vec::new(),
        }
    }

    #[test]
    fn a_detector_is_judged_by_whom_it_names_and_when() {
        let alarm = |block, at| ArmAlarm { block, at };
        let with = |alarms: &[ArmAlarm]| Arm { alarms: alarms.to_vec(), ..arm(&[1, 9, 9], 100, 1) };
        let honest =
            |alarms: &[ArmAlarm]| Arm { alarms: alarms.to_vec(), ..arm(&[1, 2, 3], 100, 1) };
        // The arms part in block 2: what was said before is about nobody's attack.
        let early = [alarm(1, Aim::Attacker), alarm(42, Aim::Attacker), alarm(7, Aim::Another)];
        let said = trial(1, &with(&early), &honest(&[alarm(1, Aim::Attacker)])).detection;
        assert_eq!(said.epochs, Some(2.0));
        assert_eq!((said.false_honest, said.false_attack, said.blocks), (1, 1, 3));
        let silent = trial(1, &with(&[]), &honest(&[])).detection;
        assert_eq!((silent.epochs, silent.false_honest), (None, 0));
        let both = [(with(&early), honest(&early)), (with(&[]), honest(&[]))];
        let trials = both.iter().map(|(attack, honest)| trial(1, attack, honest)).collect();
        let outcome = Outcome::of(trials).expect("trials");
        assert_eq!((outcome.detected, outcome.epochs.map(|one| one.mean)), (1, Some(2.0)));
        assert_eq!(outcome.false_alarms, [500.0, 1_000.0 / 6.0]);
    }

    #[test]
    fn a_trial_is_the_difference_of_its_arms() {
        let trial = trial(7, &arm(&[1, 2, 9], 130, 40), &arm(&[1, 2, 3], 110, 60));
        assert_eq!(trial.parted_at, Some(3));
        assert_eq!((trial.wealth, trial.profit, trial.realisable), (110.0, 20.0, 20.0));
        let changes: Vec<f64> = trial.groups.iter().map(|group| group.change).collect();
        assert_eq!(changes, [-20.0, 0.0]);
        assert_eq!(trial.groups[0].realisable, -10.0);
        assert_eq!(trial.income["take"], 2.0);
        assert_eq!(trial.figures["queries"], [Some(7.0), Some(7.0)]);
        assert_eq!(trial.course, [(0, 0.0), (3, 20.0)]);
        let same = arm(&[1, 2, 3], 110, 60);
        assert_eq!(super::trial(7, &same, &same).parted_at, None);
    }

    #[test]
    fn verdicts_follow_the_interval_of_the_paired_differences() {
        let outcome = |profits: &[u64], losses: &[u64]| {
            let trials = profits.iter().zip(losses).map(|(profit, loss)| {
                trial(1, &arm(&[2], 1_000 + profit, 1_000 - loss), &arm(&[1], 1_000, 1_000))
            });
            Outcome::of(trials.collect()).expect("trials")
        };
        let clear = outcome(&[10, 11, 12], &[20, 21, 22]);
        assert_eq!(clear.verdict(), Verdict::More);
        assert_eq!((clear.paid, clear.profit.mean), (3, 11.0));
        assert_eq!(clear.worst_off().expect("they lose").group, "victims");
        assert_eq!(clear.loss.expect("they lose").mean, -21.0);
        assert_eq!(Verdict::of(&clear.groups[1].change), Verdict::Same);
        assert_eq!(clear.profit_share(), Some(0.011));
        let unclear = outcome(&[0, 100], &[0, 1]);
        assert_eq!((unclear.verdict(), unclear.paid), (Verdict::Unclear, 1));
        assert!(unclear.loss.is_none() && unclear.worst_off().is_none());
        assert_eq!(outcome(&[5], &[5]).verdict(), Verdict::Unclear, "one seed has no interval");
        assert_eq!(outcome(&[0, 0], &[0, 0]).verdict(), Verdict::Same);
        assert!(Outcome::of(Vec::new()).is_none());
    }
}
