//! A parameter counts from the next call of the same block on, and in the next block step: what a call is
//! answered, and what blocks do, with and without a setting.

use crate::Case;
use crate::network::{
    HOTKEY, ONE, OTHER, OTHER_HOTKEY, OWNER, OWNER_HOTKEY, ROOT, STAKER, STRAY_HOTKEY, TAO, at,
    block, execute, network, place, put_stake,
};
use crate::weights::register;
use protocol::call::{Call, Origin, Setting};
use protocol::event::Event;
use protocol::rejection::{Outcome, Refusal, Rejection};
use protocol::state::{Axon, State};
use protocol::units::{Alpha, Hash32, Height, Rao};

/// Validators with stake and permits, miners, direct weights, a tempo of 5.
fn running() -> State {
    let mut case =
        Case { state: network(), origin: Origin::Root, call: Call::UnstakeAll { hotkey: HOTKEY } };
    register(&mut case, ONE, &[OWNER_HOTKEY, HOTKEY, OTHER_HOTKEY, STRAY_HOTKEY]);
    let mut state = case.state;
    for (hotkey, coldkey, alpha) in [(HOTKEY, STAKER, 500), (OTHER_HOTKEY, OTHER, 300)] {
        put_stake(&mut state, place(hotkey, coldkey, ONE), alpha * TAO);
        put_stake(&mut state, place(hotkey, coldkey, ROOT), alpha * TAO);
    }
    let subnet = at(&mut state, ONE);
    subnet.params.tempo = 5;
    subnet.params.commit_reveal = false;
    subnet.params.weights_set_rate_limit = 0;
    subnet.neurons.validator_permit = vec![false, true, true, false];
    subnet.neurons.registered_at = vec![1, 2, 3, 4];
    let mechanism = &mut subnet.mechanisms[0];
    mechanism.weights =
        vec![vec![], vec![(0, 65_535), (3, 30_000)], vec![(0, 9_000), (3, 65_535)], vec![]];
    mechanism.bonds = vec![vec![], vec![(0, 40_000)], vec![(3, 50_000)], vec![]];
    mechanism.last_update = vec![1, 700, 990, 1];
    (subnet.fast.burn, subnet.fast.flow) = (Rao(TAO), 7_000_000_000);
    subnet.fast.last_adjustment = 640;
    state
}

fn set_weights(dests: &[u16]) -> Call {
    let (dests, weights) = (dests.to_vec(), dests.iter().map(|_| 1).collect());
    Call::SetWeights { netuid: ONE, dests, weights, version_key: 0 }
}

#[test]
fn calls_of_the_same_block_are_answered_by_the_new_value() {
    use Setting::*;
    let netuid = ONE;
    let axon = Call::ServeAxon {
        netuid,
        version: 1,
        ip: 1 << 20,
        port: 9,
        ip_type: 4,
        protocol: 0,
        placeholder1: 0,
        placeholder2: 0,
    };
    let newcomer = Call::BurnedRegister { netuid, hotkey: protocol::units::AccountId([77; 32]) };
    let stake = Call::AddStake { hotkey: HOTKEY, netuid, amount_staked: Rao(TAO) };
    let give = Call::TransferStake {
        destination_coldkey: OTHER,
        hotkey: HOTKEY,
        origin_netuid: netuid,
        destination_netuid: netuid,
        alpha_amount: Alpha(TAO),
    };
    let tempo = Call::SudoSet(Rho { netuid, value: 3 });
    let two = Call::SudoSet(MechanismCount { netuid, value: 2 });
    let wide = |value| Call::SudoSet(MaxAllowedUids { netuid, value });
    let no = Outcome::Failed;
    let rows = [
        (
            MaxRegistrationsPerBlock { netuid, value: 0 },
            STAKER,
            &newcomer,
            no(Rejection::TooManyRegistrationsThisBlock),
        ),
        (
            TargetRegistrationsPerInterval { netuid, value: 0 },
            STAKER,
            &newcomer,
            Outcome::Refused(Refusal::RateLimitExceeded),
        ),
        (
            NetworkRegistrationAllowed { netuid, value: false },
            STAKER,
            &newcomer,
            no(Rejection::SubNetRegistrationDisabled),
        ),
        (
            WeightsVersionKey { netuid, value: 5 },
            HOTKEY,
            &set_weights(&[0, 3]),
            no(Rejection::IncorrectWeightVersionKey),
        ),
        (
            MinAllowedWeights { netuid, value: 3 },
            HOTKEY,
            &set_weights(&[0, 3]),
            no(Rejection::WeightVecLengthIsLow),
        ),
        (
            WeightsSetRateLimit { netuid, value: 301 },
            HOTKEY,
            &set_weights(&[0, 3]),
            no(Rejection::SettingWeightsTooFast),
        ),
        (
            CommitRevealWeightsEnabled { netuid, value: true },
            HOTKEY,
            &set_weights(&[0, 3]),
            no(Rejection::CommitRevealEnabled),
        ),
        (
            StakeThreshold { value: 900 * TAO },
            HOTKEY,
            &set_weights(&[0, 3]),
            Outcome::Refused(Refusal::StakeAmountTooLow),
        ),
        (
            ServingRateLimit { netuid, value: 11 },
            HOTKEY,
            &axon,
            Outcome::Refused(Refusal::ServingRateLimitExceeded),
        ),
        (SubtokenEnabled { netuid, value: false }, STAKER, &stake, no(Rejection::SubtokenDisabled)),
        (ToggleTransfer { netuid, value: false }, STAKER, &give, no(Rejection::TransferDisallowed)),
        (
            AdminFreezeWindow { value: 10 },
            OWNER,
            &tempo,
            no(Rejection::AdminActionProhibitedDuringWeightsWindow),
        ),
        (OwnerHparamRateLimit { value: 3 }, OWNER, &tempo, no(Rejection::TxRateLimitExceeded)),
        (MaxMechanismCount { value: 1 }, OWNER, &two, no(Rejection::InvalidValue)),
        (
            MaxAllowedUids { netuid, value: 129 },
            OWNER,
            &two,
            no(Rejection::TooManyUIDsPerMechanism),
        ),
        (
            MinAllowedUids { netuid, value: 3 },
            OWNER,
            &wide(2),
            no(Rejection::MaxAllowedUidsLessThanMinAllowedUids),
        ),
    ];
    for (setting, signer, call, expected) in rows {
        let mut state = running();
        state.global.admin_freeze_window = 0;
        let subnet = at(&mut state, netuid);
        (subnet.params.serving_rate_limit, subnet.params.min_allowed_uids) = (10, 0);
        (subnet.params.max_allowed_uids, subnet.params.tempo) = (128, 7);
        subnet.axons.insert(HOTKEY, Axon { block: 990, ..Axon::default() });
        let rho = protocol::state::Stamp::Parameter(protocol::event::Parameter::Rho);
        subnet.stamps.insert(rho, 1_000 - 14);
        let origin = Origin::Signed(signer);
        let before = execute(&mut state.clone(), origin, call).0;
        let name = setting.name();
        let without = match &setting {
            // Shrinking below the neurons there are is refused by another bound first.
            MinAllowedUids { .. } => no(Rejection::MaxAllowedUIdsLessThanCurrentUIds),
            _ => Outcome::Ok,
        };
        assert_eq!(before, without, "{} without {name}", call.name());
        assert_eq!(execute(&mut state, Origin::Root, &Call::SudoSet(setting)).0, Outcome::Ok);
        assert_eq!(execute(&mut state, origin, call).0, expected, "{} after {name}", call.name());
    }
}

/// Who makes room for a newcomer. The owner has uid 0 and, with the lowest emission, 3; 1 is the oldest.
#[test]
fn who_is_replaced_follows_the_parameters() {
    use Setting::*;
    let netuid = ONE;
    let rows: [(&[Setting], Option<u16>); 5] = [
        (&[], Some(3)),
        (&[MinNonImmuneUids { netuid, value: 3 }], None),
        (&[OwnerImmuneNeuronLimit { netuid, value: 2 }], Some(2)),
        (&[ImmunityPeriod { netuid, value: 5_000 }], Some(1)),
        (&[MaxAllowedUids { netuid, value: 5 }], Some(4)),
    ];
    for (settings, expected) in rows {
        let mut state = running();
        state.global.admin_freeze_window = 0;
        let lists = state.coldkeys.entry(OWNER).or_default();
        lists.owned.push(STRAY_HOTKEY);
        let subnet = at(&mut state, netuid);
        (subnet.params.max_allowed_uids, subnet.params.min_allowed_uids) = (4, 0);
        (subnet.params.min_non_immune_uids, subnet.params.immunity_period) = (0, 10);
        subnet.neurons.registered_at = vec![900, 100, 200, 999];
        subnet.neurons.emission = [9, 5, 4, 0].map(Alpha).to_vec();
        state.height = Height(5_150);
        for setting in settings {
            let set = Call::SudoSet(setting.clone());
            assert_eq!(execute(&mut state, Origin::Root, &set).0, Outcome::Ok);
        }
        let hotkey = protocol::units::AccountId([77; 32]);
        let call = Call::BurnedRegister { netuid, hotkey };
        let (_, events) = execute(&mut state, Origin::Signed(STAKER), &call);
        let placed = events.iter().find_map(|event| match event {
            Event::NeuronPlaced { uid, .. } => Some(*uid),
            _ => None,
        });
        assert_eq!(placed, expected, "{settings:?}");
    }
}

/// What some blocks do, an epoch among them.
fn blocks(mut state: State) -> Vec<Event> {
    (0..8).flat_map(|_| block(&mut state, &[], Hash32::default()).events).collect()
}

#[test]
fn blocks_follow_the_parameters() {
    use Setting::*;
    let netuid = ONE;
    let read = [
        Tempo { netuid, value: 3 },
        Kappa { netuid, value: 60_000 },
        ActivityCutoff { netuid, value: 360 - 60 },
        MaxAllowedValidators { netuid, value: 1 },
        BondsMovingAverage { netuid, value: 100_000 },
        BondsPenalty { netuid, value: 0 },
        Yuma3Enabled { netuid, value: true },
        AdjustmentInterval { netuid, value: 2 },
        AdjustmentAlpha { netuid, value: u64::MAX / 2 },
        MinBurn { netuid, value: Rao(TAO - 1) },
        MaxDifficulty { netuid, value: 7 },
        EmaPriceHalvingPeriod { netuid, value: 7 },
        SubnetMovingAlpha { value: 1 << 31 },
        SubnetOwnerCut { value: 7 },
        TotalIssuance { value: Rao::whole(15_000_000) },
        TaoFlowSmoothingFactor { value: 1 << 60 },
        SubtokenEnabled { netuid, value: false },
    ];
    let unread = [
        // Without Yuma3.
        LiquidAlphaEnabled { netuid, value: true },
        Rho { netuid, value: 7 },
        RaoRecycled { netuid, value: Rao(7) },
        DissolveNetworkScheduleDuration { value: 7 },
        BondsResetEnabled { netuid, value: true },
        MinAllowedUids { netuid, value: 1 },
        MaxAllowedUids { netuid, value: 200 },
    ];
    let mut state = running();
    state.global.admin_freeze_window = 0;
    state.global.min_activity_cutoff = 0;
    at(&mut state, netuid).params.min_allowed_uids = 0;
    // The interval is over in these blocks, and nobody registered.
    at(&mut state, netuid).params.adjustment_alpha = 0;
    let plain = blocks(state.clone());
    let after = |state: &State, setting: &Setting| {
        let mut state = state.clone();
        let set = Call::SudoSet(setting.clone());
        assert_eq!(execute(&mut state, Origin::Root, &set).0, Outcome::Ok, "{}", setting.name());
        blocks(state)
    };
    for setting in &read {
        assert!(after(&state, setting) != plain, "{} is not read", setting.name());
    }
    for setting in &unread {
        assert!(after(&state, setting) == plain, "{} is read", setting.name());
    }
    at(&mut state, netuid).params.yuma3 = true;
    let constant = blocks(state.clone());
    let on = LiquidAlphaEnabled { netuid, value: true };
    assert!(after(&state, &on) != constant, "liquid alpha is not read");
    at(&mut state, netuid).params.liquid_alpha = true;
    let liquid = blocks(state.clone());
    for setting in [
        AlphaValues { netuid, low: 2_000, high: 2_001 },
        AlphaSigmoidSteepness { netuid, value: 1 },
    ] {
        assert!(after(&state, &setting) != liquid, "{} is not read", setting.name());
    }
    at(&mut state, netuid).params.registration_allowed = false;
    let by_work = blocks(state.clone());
    let closed = NetworkPowRegistrationAllowed { netuid, value: false };
    assert!(after(&state, &closed) != by_work, "neither way is open, so nothing is emitted");
}
