//! Texts of the scenarios of attacks that ship: one of each adversary. What does not belong here: what they are measured
//! by (`attack`).

/// By where they are in the repository.
pub const ATTACKS: &[(&str, &str)] = &[
    (
        "configs/attacks/weight-copier.toml",
        include_str!("../../../configs/attacks/weight-copier.toml"),
    ),
    (
        "configs/attacks/stale-copier.toml",
        include_str!("../../../configs/attacks/stale-copier.toml"),
    ),
    (
        "configs/attacks/commit-withholder.toml",
        include_str!("../../../configs/attacks/commit-withholder.toml"),
    ),
    (
        "configs/attacks/bad-revealer.toml",
        include_str!("../../../configs/attacks/bad-revealer.toml"),
    ),
    ("configs/attacks/cabal.toml", include_str!("../../../configs/attacks/cabal.toml")),
    (
        "configs/attacks/self-weighter.toml",
        include_str!("../../../configs/attacks/self-weighter.toml"),
    ),
    ("configs/attacks/bonds-gamer.toml", include_str!("../../../configs/attacks/bonds-gamer.toml")),
    (
        "configs/attacks/permit-hopper.toml",
        include_str!("../../../configs/attacks/permit-hopper.toml"),
    ),
    ("configs/attacks/spammer.toml", include_str!("../../../configs/attacks/spammer.toml")),
    ("configs/attacks/sleeper.toml", include_str!("../../../configs/attacks/sleeper.toml")),
    ("configs/attacks/outdated.toml", include_str!("../../../configs/attacks/outdated.toml")),
    (
        "configs/attacks/childkey-abuser.toml",
        include_str!("../../../configs/attacks/childkey-abuser.toml"),
    ),
    ("configs/attacks/dictator.toml", include_str!("../../../configs/attacks/dictator.toml")),
    ("configs/attacks/sybil.toml", include_str!("../../../configs/attacks/sybil.toml")),
    (
        "configs/attacks/answer-copier.toml",
        include_str!("../../../configs/attacks/answer-copier.toml"),
    ),
    (
        "configs/attacks/vacancy-sniper.toml",
        include_str!("../../../configs/attacks/vacancy-sniper.toml"),
    ),
    ("configs/attacks/staller.toml", include_str!("../../../configs/attacks/staller.toml")),
    (
        "configs/attacks/registration-bot.toml",
        include_str!("../../../configs/attacks/registration-bot.toml"),
    ),
    (
        "configs/attacks/pump-and-treasury.toml",
        include_str!("../../../configs/attacks/pump-and-treasury.toml"),
    ),
    (
        "configs/attacks/flow-recycler.toml",
        include_str!("../../../configs/attacks/flow-recycler.toml"),
    ),
    ("configs/attacks/sandwicher.toml", include_str!("../../../configs/attacks/sandwicher.toml")),
    ("configs/attacks/dump-whale.toml", include_str!("../../../configs/attacks/dump-whale.toml")),
    (
        "configs/attacks/hyperparameter-rugger.toml",
        include_str!("../../../configs/attacks/hyperparameter-rugger.toml"),
    ),
    (
        "configs/attacks/miner-burner.toml",
        include_str!("../../../configs/attacks/miner-burner.toml"),
    ),
    (
        "configs/attacks/lock-cost-griefer.toml",
        include_str!("../../../configs/attacks/lock-cost-griefer.toml"),
    ),
    (
        "configs/attacks/dereg-sniper.toml",
        include_str!("../../../configs/attacks/dereg-sniper.toml"),
    ),
];
