//! The model against theory, against what the chain's makers published, and against itself.

use super::model::EMISSION;
use super::*;
use expect_test::expect;

const S60: Millionths = Millionths(600_000);

/// One honest stake on few points; everything else as users get it.
fn settings() -> Settings {
    Settings {
        honest_stakes: vec![S60],
        uids: 512,
        validators: 64,
        weights_stddev: Millionths(400_000),
        kappa: Millionths(500_000),
        bonds_penalty: Millionths(1_000_000),
        validator_share: Millionths(500_000),
        points: 11,
        samples: 1,
        seed: 1,
        epochs: 1,
        measured: Measured::Last,
        copiers: Millionths(0),
        reveal_epochs: 0,
        drift: Millionths(0),
    }
}

fn study_of(settings: &Settings) -> Study {
    settings.check().expect("sound settings");
    study(settings, 2, |_| ())
}

/// The honest utility that the first honest stake requires; 1 and a bit if none suffices.
fn required(settings: &Settings) -> f64 {
    study_of(settings).retentions[0].required().map_or(1.01, |estimate| estimate.mean)
}

/// Honest emission without noise, from the formulas of docs/guarantee.md: with it all miners of a camp are alike, and
/// so are all validators.
fn noiseless(settings: &Settings, stake: f64, honest: f64, cabal: f64) -> f64 {
    let kappa = f64::from(settings.kappa.as_u16()) / 65_535.0;
    let (beta, xi) = (settings.bonds_penalty.as_f64(), settings.validator_share.as_f64());
    // By camp of miners: what honest validators and the cabal's give it.
    let given = [(honest, 1.0 - cabal), (1.0 - honest, cabal)];
    let mut ranks = [0.0; 2];
    let mut bonds = [0.0; 2];
    for (camp, (h, c)) in given.into_iter().enumerate() {
        let behind_larger = if h >= c { stake } else { 1.0 - stake };
        let consensus = if h == c || behind_larger >= kappa { h.max(c) } else { h.min(c) };
        let (h_clipped, c_clipped) = (h.min(consensus), c.min(consensus));
        ranks[camp] = stake * h_clipped + (1.0 - stake) * c_clipped;
        let bonded = |weight: f64, clipped: f64| (1.0 - beta) * weight + beta * clipped;
        let (h, c) = (stake * bonded(h, h_clipped), (1.0 - stake) * bonded(c, c_clipped));
        bonds[camp] = if h + c > 0.0 { h / (h + c) } else { 0.0 };
    }
    let rank = ranks[0] + ranks[1];
    if rank == 0.0 {
        return stake;
    }
    let [honest_miners, cabal_miners] = ranks.map(|one| one / rank);
    let dividends = honest_miners * bonds[0] + cabal_miners * bonds[1];
    xi * dividends + (1.0 - xi) * honest_miners
}

#[test]
fn without_noise_the_engine_gives_what_the_formulas_say() {
    let rows: [(u32, u32, u32, u32); 7] = [
        // Honest stake, κ, β, ξ.
        (600_000, 500_000, 1_000_000, 500_000),
        (600_000, 500_000, 0, 500_000),
        (600_000, 500_000, 500_000, 250_000),
        (800_000, 500_000, 1_000_000, 410_000),
        (450_000, 500_000, 1_000_000, 500_000),
        (600_000, 350_000, 1_000_000, 500_000),
        (600_000, 700_000, 1_000_000, 500_000),
    ];
    for (stake, kappa, beta, xi) in rows {
        let settings = Settings {
            honest_stakes: vec![Millionths(stake)],
            weights_stddev: Millionths(0),
            kappa: Millionths(kappa),
            bonds_penalty: Millionths(beta),
            validator_share: Millionths(xi),
            uids: 128,
            validators: 16,
            ..settings()
        };
        let map = &study_of(&settings).retentions[0].emission;
        let mut largest: f64 = 0.0;
        for honest in 0..11 {
            for cabal in 0..11 {
                let (h, c) = (map.weight(honest), map.weight(cabal));
                // Where two weights are equal but for rounding, either may be cut to the other.
                if (h + c - 1.0).abs() < 1e-9 {
                    continue;
                }
                let theory = noiseless(&settings, f64::from(stake) / 1e6, h, c);
                largest = largest.max((map.at(honest, cabal) - theory).abs());
            }
        }
        // A weight is rounded to 1/65535 of its row's largest.
        assert!(largest < 2e-4, "{stake} {kappa} {beta} {xi}: {largest}");
    }
}

#[test]
fn without_noise_honest_stake_needs_just_its_share_of_utility() {
    // A cabal that tells the truth (W_C = 1 − W_H) leaves ξ·S + (1 − ξ)·W: kept if and only if W ≥ S.
    for stake in [510_000, 600_000, 700_000, 900_000] {
        let settings = Settings {
            honest_stakes: vec![Millionths(stake)],
            weights_stddev: Millionths(0),
            points: 21,
            uids: 256,
            ..settings()
        };
        let found = required(&settings);
        assert!((found - f64::from(stake) / 1e6).abs() < 5e-3, "{stake}: {found}");
    }
}

#[test]
fn a_cabal_of_two_fifths_loses_share_at_high_honest_utility_and_gains_at_low() {
    let study = study_of(&settings());
    let map = &study.retentions[0].emission;
    for cabal in 0..11 {
        assert!(map.at(9, cabal) > 0.6, "W_H 0.9, W_C {}: {}", map.weight(cabal), map.at(9, cabal));
        assert!(map.at(10, cabal) > 0.6, "W_H 1, W_C {}", map.weight(cabal));
    }
    // It has something to choose at low utility, and what it gives itself pays.
    assert!(map.least(0.6) < 0.6 && map.least(0.5) < 0.55, "{} {}", map.least(0.6), map.least(0.5));
    assert!(map.at(5, 5) < 0.6 && map.at(5, 0) > map.at(5, 5));
    // The more useful the honest are, the less it can force.
    let least: Vec<f64> = (5..11).map(|honest| map.least(map.weight(honest))).collect();
    assert!(least.is_sorted(), "{least:?}");
}

/// What the chain's makers read off their own maps for 60 % of honest stake, to the hundredth (docs/consensus.md of
/// opentensor/subtensor at 5f4e6263): one epoch, 512 UIDs, 64 validators.
#[test]
fn required_utilities_are_those_that_were_published() {
    type Change = fn(&mut Settings);
    let rows: [(&str, Change, f64); 9] = [
        ("deviation 0", |one| one.weights_stddev = Millionths(0), 0.60),
        ("deviation 0.2", |one| one.weights_stddev = Millionths(200_000), 0.67),
        ("deviation 0.4", |_| (), 0.73),
        ("penalty 0", |one| one.bonds_penalty = Millionths(0), 0.78),
        ("penalty 0.5", |one| one.bonds_penalty = Millionths(500_000), 0.76),
        ("share 0", |one| one.validator_share = Millionths(0), 0.82),
        ("share 0.25", |one| one.validator_share = Millionths(250_000), 0.78),
        ("share 0.5", |one| one.validator_share = Millionths(500_000), 0.73),
        ("stake 0.7", |one| one.honest_stakes = vec![Millionths(700_000)], 0.75),
    ];
    for (name, change, published) in rows {
        let mut settings = Settings { points: 26, ..settings() };
        change(&mut settings);
        let found = required(&settings);
        println!("{name}: {found:.4} against {published}");
        assert!((found - published).abs() < 0.015, "{name}: {found} is not {published}");
    }
}

#[test]
fn each_parameter_moves_what_is_required_in_the_direction_of_theory() {
    let of = |change: fn(&mut Settings, u32), value: u32| {
        let mut settings = settings();
        change(&mut settings, value);
        required(&settings)
    };
    let rising = |name: &str, change: fn(&mut Settings, u32), values: &[u32]| {
        let found: Vec<f64> = values.iter().map(|&value| of(change, value)).collect();
        let steps = found.windows(2).all(|pair| pair[0] + 5e-3 < pair[1]);
        assert!(steps, "{name} {values:?}: {found:?}");
    };
    // More noise hides a cabal better.
    rising("σ", |one, value| one.weights_stddev = Millionths(value), &[0, 200_000, 400_000]);
    // A penalty, and more for validators, hit those who are cut.
    rising("β", |one, value| one.bonds_penalty = Millionths(value), &[1_000_000, 500_000, 0]);
    rising("ξ", |one, value| one.validator_share = Millionths(value), &[500_000, 250_000, 0]);
    // A larger stake has more to keep: it needs at least its own share of utility.
    rising(
        "S_H",
        |one, value| one.honest_stakes = vec![Millionths(value)],
        &[600_000, 800_000, 900_000],
    );
}

#[test]
fn kappa_decides_who_is_a_majority() {
    let of = |stake: u32, kappa: u32| {
        let honest_stakes = vec![Millionths(stake)];
        required(&Settings { honest_stakes, kappa: Millionths(kappa), ..settings() })
    };
    // A lower κ makes a cabal of 49 % or 45 % a majority of its own; a higher one leaves honest stake below it bare.
    for stake in [510_000, 550_000] {
        assert!(of(stake, 400_000) > of(stake, 500_000) + 5e-3, "{stake}: {}", of(stake, 400_000));
        assert!(of(stake, 600_000) > 0.995, "{stake}: {}", of(stake, 600_000));
    }
    // 80 % is above any of them, and the cabal's 20 % below.
    for kappa in [400_000, 500_000, 600_000] {
        let found = of(800_000, kappa);
        assert!((0.8..0.9).contains(&found), "{kappa}: {found}");
    }
}

#[test]
fn the_result_depends_on_settings_and_seed_alone() {
    let small = Settings {
        uids: 48,
        validators: 12,
        points: 5,
        samples: 3,
        honest_stakes: vec![S60, Millionths(800_000)],
        ..settings()
    };
    let outcomes = |settings: &Settings, threads: usize| {
        let retentions = study(settings, threads, |_| ()).retentions;
        retentions.into_iter().map(|one| one.samples).collect::<Vec<_>>()
    };
    let one = outcomes(&small, 1);
    for threads in [2, 3, 16] {
        assert_eq!(outcomes(&small, threads), one, "{threads} threads");
    }
    // A stake alone, or in another place, has the same map.
    let alone = Settings { honest_stakes: vec![Millionths(800_000)], ..small.clone() };
    assert_eq!(outcomes(&alone, 2)[0], one[1]);
    // Fewer samples are the first of more, and a coarse map is part of a fine one.
    let fewer = Settings { samples: 1, points: 3, ..small.clone() };
    let coarse = &outcomes(&fewer, 2)[0][0];
    let picked = [0, 2, 4].into_iter().flat_map(|h| [0, 2, 4].map(|c| one[0][0][h * 5 + c]));
    assert_eq!(*coarse, picked.collect::<Vec<_>>());
    assert_ne!(outcomes(&Settings { seed: 2, ..small.clone() }, 2), one);
    assert!(one[0][0] != one[0][1], "samples differ");
}

#[test]
fn samples_give_a_mean_and_its_interval() {
    let settings = Settings { samples: 4, uids: 256, ..settings() };
    let retention = &study_of(&settings).retentions[0];
    let estimate = retention.required().expect("some utility suffices in each sample");
    assert_eq!((estimate.n, retention.required_by_sample.len()), (4, 4));
    let half = estimate.ci95.expect("of several samples");
    assert!(half > 0.0 && half < 0.03, "{half}");
    assert!(estimate.min < estimate.mean && estimate.mean < estimate.max);
    let again = Settings { samples: 1, seed: 99, ..settings };
    let other = required(&again);
    // Another network is within what single networks differ by.
    let deviation = estimate.standard_deviation.expect("of several samples");
    assert!((other - estimate.mean).abs() < 6.0 * deviation, "{other}: {estimate:?}");
}

#[test]
fn camps_have_validators_and_miners_in_proportion_and_at_least_one() {
    let rows = [
        // Honest stake, copiers; evaluators, copiers, cabal's validators, honest miners, cabal's.
        (600_000, 0, [38, 0, 26, 268, 180]),
        (990_000, 0, [63, 0, 1, 443, 5]),
        (999_999, 0, [63, 0, 1, 447, 1]),
        (1, 0, [1, 0, 63, 1, 447]),
        (600_000, 250_000, [29, 9, 26, 268, 180]),
        (600_000, 1, [37, 1, 26, 268, 180]),
    ];
    for (stake, copiers, counts) in rows {
        let settings = Settings { copiers: Millionths(copiers), ..settings() };
        let camps = Camps::new(&settings, Millionths(stake));
        let found = [
            camps.evaluators,
            camps.copiers,
            camps.cabal_validators,
            camps.honest_miners,
            camps.cabal_miners,
        ];
        assert_eq!(found, counts, "{stake} {copiers}");
    }
}

#[test]
fn all_that_is_divided_is_paid_but_for_flooring() {
    let study = study_of(&settings());
    for outcome in &study.retentions[0].samples[0] {
        let paid = outcome.amounts.server + outcome.amounts.validator;
        // 10 §15.3: each of 512 UIDs lacks at most 2⁻³² of it twice.
        assert!(paid <= EMISSION && EMISSION - paid < EMISSION / (1 << 32) * 1_100, "{paid}");
        let halves = outcome.amounts.server.abs_diff(outcome.amounts.validator);
        assert!(halves < EMISSION / 1_000_000, "miners and validators get a half each");
        assert!((0.0..=1.0).contains(&outcome.honest_emission));
    }
}

#[test]
fn a_small_map_is_golden() {
    let settings = Settings { uids: 64, validators: 8, points: 5, ..settings() };
    let study = study_of(&settings);
    // Changing any of these changes every map ever published.
    expect![[r#"
        honest_stake,sample,honest_utility,cabal_weight,honest_emission,honest_server_rao,server_rao,honest_validator_rao,validator_rao,copiers_validator_rao
        0.6,0,0,0,0.5,0,499999997206021,499999999999997,499999999999997,0
        0.6,0,0,0.25,0.3857419993,0,499999996973188,385741998907176,499999999534334,0
        0.6,0,0,0.5,0.3343833059,0,499999997671682,334383305395021,499999999301506,0
        0.6,0,0,0.75,0.3100529872,0,499999997671680,310052986722438,499999999301504,0
        0.6,0,0,1,0.2953218867,0,499999997206020,295321886427699,499999999534336,0
        0.6,0,0.25,0,0.6418823684,272685343865287,499999993713542,369197021471334,500000000465657,0
        0.6,0,0.25,0.25,0.5373325159,218161498429234,499999993247882,319171014940365,500000000698489,0
        0.6,0,0.25,0.5,0.4716022563,171685250243159,499999993247885,299917003838343,500000000232826,0
        0.6,0,0.25,0.75,0.4208806129,125153154600396,499999993015053,295727456687015,500000000232826,0
        0.6,0,0.25,1,0.3561022078,52625581854936,499999993713543,303476625587789,500000000465657,0
        0.6,0,0.5,0,0.7076682973,386462374823150,499999994412035,321205918444319,500000000465658,0
        0.6,0,0.5,0.25,0.6145288099,315650345757588,499999992782223,298878459725527,500000000232827,0
        0.6,0,0.5,0.5,0.5463369745,250204505864515,499999993713545,296132465591652,500000000232827,0
        0.6,0,0.5,0.75,0.4800873971,183496494544651,499999993015051,296590900281442,500000000465657,0
        0.6,0,0.5,1,0.4389979576,118860480841232,499999994412035,320137475617228,500000000232827,0
        0.6,0,0.75,0,0.7552009731,450613632099687,499999993247883,304587335092945,500000000232827,0
        0.6,0,0.75,0.25,0.6716909565,375153578817826,499999994179204,296537373680619,500000000698488,0
        0.6,0,0.75,0.5,0.6270863481,327664586482553,499999993015054,299421757226807,500000000232826,0
        0.6,0,0.75,0.75,0.5976574038,280257442267594,499999993247882,317399957915766,500000000232827,0
        0.6,0,0.75,1,0.6036209702,233990776352564,499999993247879,369630191009489,500000000465656,0
        0.6,0,1,0,0.7969419414,499999995809030,499999995809030,296941941138355,499999999534335,0
        0.6,0,1,0.25,0.8117818166,499999996274695,499999996274695,311781816417350,499999999767166,0
        0.6,0,1,0.5,0.8344051697,499999996507523,499999996507523,334405169589443,499999999767166,0
        0.6,0,1,0.75,0.8884810375,499999996274692,499999996274692,388481037458403,499999999999997,0
        0.6,0,1,1,1,499999996507527,499999996507527,500000000465660,500000000465660,0
    "#]].assert_eq(&output::csv(&settings, &study));
}

#[test]
fn one_epoch_from_empty_bonds_pays_by_that_epochs_weights_alone() {
    let small = Settings { uids: 128, validators: 16, points: 5, ..settings() };
    let first = &study_of(&small).retentions[0].samples[0];
    let mean = Settings { epochs: 3, measured: Measured::Mean, ..small.clone() };
    let last = Settings { epochs: 3, ..small.clone() };
    let (mean, last) = (study_of(&mean), study_of(&last));
    let point = 4 * 5 + 4;
    let of = |study: &Study| study.retentions[0].samples[0][point];
    // Three epochs' amounts are counted, or the last one's.
    let paid = |outcome: &Outcome| outcome.amounts.server + outcome.amounts.validator;
    assert!(paid(&of(&mean)) > 2 * EMISSION && paid(&of(&last)) <= EMISSION);
    assert!(first[point] != of(&last), "weights are drawn anew");
    // Miners have no memory; validators have their bonds.
    assert!((of(&mean).honest_emission - of(&last).honest_emission).abs() < 0.05);
}

#[test]
fn bonds_keep_what_a_cabal_once_had_only_for_a_while() {
    // Without noise every epoch is the first again.
    let still = Settings {
        weights_stddev: Millionths(0),
        uids: 128,
        validators: 16,
        points: 5,
        ..settings()
    };
    let one = study_of(&still);
    let many = study_of(&Settings { epochs: 12, ..still });
    let points = one.retentions[0].samples[0].iter().zip(&many.retentions[0].samples[0]);
    for (at, (one, many)) in points.enumerate() {
        let difference = (one.honest_emission - many.honest_emission).abs();
        // Bonds are stored as 16 bits.
        assert!(difference < 2e-4, "point {at}: {difference}");
    }
}

/// Copiers' dividends per stake, of evaluators' dividends per stake.
fn copier_yield(drift: u32, reveal_epochs: u16) -> f64 {
    let settings = Settings {
        copiers: Millionths(200_000),
        // As many epochs of copying, however late they begin.
        epochs: 12 + reveal_epochs,
        drift: Millionths(drift),
        reveal_epochs,
        points: 3,
        uids: 256,
        samples: 2,
        ..settings()
    };
    let retention = study_of(&settings).retentions.remove(0);
    let found = retention.copier_yield().expect("copiers earn something");
    println!("drift {drift}, reveal after {reveal_epochs}: {found}");
    found
}

#[test]
fn copying_pays_where_miners_do_not_change_and_costs_the_more_the_later_it_comes() {
    // The median is less noisy than any row behind it: whoever copies it is cut least.
    let still = [copier_yield(0, 0), copier_yield(0, 4)];
    assert!(still.iter().all(|found| *found > 1.0), "{still:?}");
    assert!(
        (still[0] - still[1]).abs() < 0.02,
        "a delay hides nothing that does not change: {still:?}"
    );
    // Where quality moves, each epoch of delay makes it staler.
    let moving = [copier_yield(150_000, 0), copier_yield(150_000, 2), copier_yield(150_000, 5)];
    assert!(moving[0] > moving[1] && moving[1] > moving[2], "{moving:?}");
    assert!(moving[2] < still[1] - 0.03, "{moving:?} {still:?}");
}

#[test]
fn settings_that_leave_somebody_without_anything_are_named() {
    type Change = fn(&mut Settings);
    let rows: [(Change, &str); 9] = [
        (|one| one.validators = 511, "--validators 511"),
        (|one| one.honest_stakes = vec![Millionths(0)], "--honest-stake 0"),
        (|one| one.honest_stakes = vec![Millionths(1_000_000)], "--honest-stake 1"),
        (|one| one.honest_stakes = vec![S60, S60], "given twice"),
        (|one| one.copiers = Millionths(1_000_000), "--copiers 1"),
        (|one| one.copiers = Millionths(100_000), "--epochs 1"),
        (
            |one| (one.copiers, one.reveal_epochs, one.epochs) = (Millionths(100_000), 3, 4),
            "before epoch 5",
        ),
        (|one| one.reveal_epochs = 1, "--reveal-epochs 1"),
        (
            |one| (one.validators, one.copiers, one.epochs) = (3, Millionths(500_000), 5),
            "has one validator",
        ),
    ];
    for (change, words) in rows {
        let mut settings = settings();
        change(&mut settings);
        let unsound = settings.check().expect_err(words);
        assert!(unsound.to_string().contains(words) && !unsound.hint.is_empty(), "{unsound}");
    }
    assert_eq!(settings().check(), Ok(()));
    assert_eq!(Settings { points: 51, ..settings() }.epochs_total(), 2_601);
}
