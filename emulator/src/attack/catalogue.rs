//! Which attacks there are: a row for each adversary of docs/players.md, and pump and treasury.
//!
//! What belongs here: names, who should pay, which figure shows it. What does not: how its honest counterpart is made
//! (`counterfactual`).

use super::adversary::Adversary;
use super::counterfactual as honest;
use crate::scenario::document::Group;
use actors::registry::Role;

/// The attack of that name.
pub fn find(name: &str) -> Option<&'static Adversary> {
    ADVERSARIES.iter().find(|adversary| adversary.name == name)
}

const VALIDATOR: Role = Role::Validator;
const MINER: Role = Role::Miner;
const OWNER: Role = Role::Owner;
const STAKER: Role = Role::Staker;

/// A row, with a behaviour called like the attack.
const fn row(
    role: Role,
    name: &'static str,
    (counterpart, reform): (&'static str, fn(&mut Group)),
    victims: &'static str,
    figure: &'static str,
) -> Adversary {
    Adversary { name, role, behaviour: name, counterpart, reform, victims, figure }
}

type Counterpart = (&'static str, fn(&mut Group));

const SAMPLER: Counterpart = ("sampler", honest::sampler);
const QUALITY: Counterpart = ("quality", honest::quality);
const WORKER: Counterpart = ("worker, starting outside", honest::worker);
const HOLD: Counterpart = ("hold", honest::hold);

/// All of them: validators, miners, owners, stakers.
pub const ADVERSARIES: &[Adversary] = &[
    row(VALIDATOR, "weight-copier", SAMPLER, "validators that do the work", "dividend_yield"),
    row(VALIDATOR, "stale-copier", SAMPLER, "validators that do the work", "dividend_yield"),
    row(
        VALIDATOR,
        "commit-withholder",
        SAMPLER,
        "miners, by one voice less",
        "commits_not_revealed",
    ),
    row(VALIDATOR, "bad-revealer", SAMPLER, "miners, by one voice less", "calls_refused"),
    row(VALIDATOR, "cabal", SAMPLER, "miners outside, and who stakes for them", "incentive_share"),
    row(VALIDATOR, "self-weighter", SAMPLER, "miners", "incentive_share"),
    row(VALIDATOR, "bonds-gamer", SAMPLER, "validators that decide early", "dividend_yield"),
    row(VALIDATOR, "permit-hopper", SAMPLER, "validators beside it", "permit_flips"),
    row(VALIDATOR, "spammer", SAMPLER, "nobody, if limits hold", "calls_refused"),
    row(VALIDATOR, "sleeper", SAMPLER, "its own stakers", "dividend_share"),
    row(VALIDATOR, "outdated", SAMPLER, "new miners, and its own stakers", "trust"),
    row(
        VALIDATOR,
        "childkey-abuser",
        ("itself, with no take and no moving", honest::modest_child),
        "who staked behind the lender",
        "take_rao",
    ),
    row(VALIDATOR, "dictator", SAMPLER, "good miners", "dividend_share"),
    row(
        MINER,
        "sybil",
        ("quality; worker where it starts outside", honest::single_miner),
        "miners beside it",
        "incentive_share",
    ),
    row(MINER, "answer-copier", QUALITY, "miners that do the work", "incentive_share"),
    row(MINER, "vacancy-sniper", WORKER, "miners that earn what it gets", "incentive_share"),
    row(MINER, "staller", QUALITY, "nobody, if validators take first answers", "incentive_share"),
    row(MINER, "registration-bot", WORKER, "newcomers that pay its burn", "burn_rao"),
    row(OWNER, "hyperparameter-rugger", HOLD, "validators and miners", "validators"),
    row(OWNER, "miner-burner", HOLD, "miners", "withheld_alpha_rao"),
    Adversary {
        name: "pump-and-treasury",
        role: OWNER,
        behaviour: "treasurer",
        counterpart: "hold",
        reform: honest::hold,
        victims: "who bought beside it, and other subnets",
        figure: "emission_share",
    },
    row(
        OWNER,
        "lock-cost-griefer",
        ("entrant with a price of nothing", honest::poor_entrant),
        "who wants a subnet",
        "registered_by_others",
    ),
    row(
        STAKER,
        "flow-recycler",
        ("concentrated, on the same subnet", honest::concentrated),
        "other subnets",
        "emission_share",
    ),
    row(
        STAKER,
        "sandwicher",
        ("averager that buys the same stock once", honest::stockholder),
        "the regular buyer",
        "bought_rao",
    ),
    row(
        STAKER,
        "dump-whale",
        ("itself, never selling", honest::patient_whale),
        "all that hold the token",
        "price",
    ),
    row(
        STAKER,
        "dereg-sniper",
        ("dump-whale that never sells", honest::patient_whale),
        "owner and holders of the victim",
        "subnets_dissolved",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arm::FIGURES;
    use crate::detect::DETECTORS;
    use crate::scenario::shipped_text;
    use actors::registry::behaviours;
    use std::collections::BTreeSet;

    #[test]
    fn every_adversary_has_a_row_a_scenario_and_a_figure() {
        let names: BTreeSet<&str> = ADVERSARIES.iter().map(|one| one.name).collect();
        assert_eq!(names.len(), ADVERSARIES.len(), "names are unique");
        for one in ADVERSARIES {
            let known =
                behaviours().iter().any(|it| it.role == one.role && it.name == one.behaviour);
            assert!(known, "{}: {} is no behaviour", one.name, one.behaviour);
            assert!(shipped_text(&one.scenario()).is_some(), "{} has no scenario", one.name);
            let seen = DETECTORS.iter().any(|row| row.name == one.behaviour);
            assert!(seen, "{} has no detector", one.name);
            assert!(FIGURES.iter().any(|figure| figure.name == one.figure), "{}", one.figure);
        }
        let page = include_str!("../../../docs/players.md");
        let (_, adversaries) = page.split_once("\n## Adversaries\n").expect("there is a section");
        let (adversaries, _) = adversaries.split_once("\n## What").expect("it ends");
        let heads = adversaries.lines().filter_map(|line| line.strip_prefix("## "));
        for head in heads {
            let name = head.split('`').nth(1).expect("a behaviour");
            assert!(names.contains(name), "{name} has no row");
        }
    }
}
