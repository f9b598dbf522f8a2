//! Three bugs are planted, one after the other; an invariant or a golden case must find each.
//! A process of its own: the switch is process-wide.

use protocol::block::{BlockInput, Decided, Submitted, decide_block};
use protocol::call::{Call, Origin, Setting};
use protocol::invariants::{Checker, Violation};
use protocol::planted::{Bug, plant};
use protocol::state::{Account, Params, State, Subnet};
use protocol::units::{AccountId, Hash32, Height, NetUid, PlayerId, Rao};
use protocol::yuma::{EpochInput, epoch};

fn block(
    state: &mut State,
    checker: &mut Checker,
    calls: &[(AccountId, Call)],
) -> Result<Decided, Violation> {
    let height = Height(state.height.0 + 1);
    let submit = |(sequence, (signer, call)): (u64, &(AccountId, Call))| Submitted {
        due_ms: 0,
        player: PlayerId(1),
        sequence,
        origin: if *signer == AccountId::ZERO { Origin::Root } else { Origin::Signed(*signer) },
        nonce: None,
        call: call.clone(),
    };
    let decided = decide_block(
        state,
        &BlockInput {
            height,
            time_ms: 0,
            entropy: Hash32::default(),
            calls: (0..).zip(calls).map(submit).collect(),
            surplus: Vec::new(),
            refused_kept_max: 0,
            beacon_round: None,
        },
    );
    checker.check(state).map(|()| decided)
}

/// A network of one subnet with one staker, from nothing.
fn network() -> Result<(), Violation> {
    let (coldkey, hotkey, netuid) = (AccountId([1; 32]), AccountId([2; 32]), NetUid(1));
    let mut state = State::default();
    state
        .subnets
        .insert(NetUid::ROOT, Subnet { added: true, params: Params::root(), ..Subnet::default() });
    let free = Rao::whole(10_000);
    state.accounts.insert(coldkey, Account { free, nonce: 0 });
    state.global.total_issuance = free;
    let mut checker = Checker::new(&state);
    block(&mut state, &mut checker, &[(coldkey, Call::RegisterNetwork { hotkey })])?;
    let tempo = Call::SudoSet(Setting::Tempo { netuid, value: 5 });
    let amount_staked = Rao::whole(10);
    let opening = [
        (AccountId::ZERO, tempo),
        (coldkey, Call::StartCall { netuid }),
        (coldkey, Call::AddStake { hotkey, netuid, amount_staked }),
    ];
    block(&mut state, &mut checker, &opening)?;
    for _ in 0..12 {
        let call = Call::AddStake { hotkey, netuid, amount_staked };
        block(&mut state, &mut checker, &[(coldkey, call)])?;
    }
    Ok(())
}

/// The minority cabal at 60 % honest stake: consensus (45874, 19660), dividends (54612, 10922).
fn cabal() -> Vec<u16> {
    let stake = [600i128 << 64, 400 << 64, 0, 0];
    let weights = [vec![(2, 65_535), (3, 28_086)], vec![(3, 65_535)], vec![], vec![]];
    let output = epoch(&EpochInput {
        block: 10,
        tempo: 360,
        activity_cutoff: 5_000,
        max_validators: 2,
        owner_uid: None,
        kappa: 32_767,
        bonds_penalty: 65_535,
        bonds_moving_average: 900_000,
        liquid_alpha: false,
        yuma3: false,
        alpha_low: 45_875,
        alpha_high: 58_982,
        alpha_sigmoid_steepness: 1_000,
        stake_threshold: 0,
        rao_emission: 1_000_000_000,
        commit_reveal: false,
        stake: &stake,
        last_update: &[5; 4],
        registered_at: &[0; 4],
        validator_permit: &[true, true, false, false],
        commit_block: &[None; 4],
        weights: &weights,
        bonds: &[vec![], vec![], vec![], vec![]],
    });
    [output.consensus, output.validator_trust].concat()
}

#[test]
fn each_planted_bug_is_found() {
    assert_eq!(network(), Ok(()));
    let sound = cabal();
    // Golden (10 §15.2 a): the cabal is clipped to the 19660 of 65535 that consensus gives its miner.
    assert_eq!(sound[4 + 1], 19_660);

    plant(Some(Bug::EmissionPlusOneRao));
    assert_eq!(network().map_err(|violation| violation.name), Err("tao_conserved"));

    plant(Some(Bug::DoubleApply));
    assert_eq!(network().map_err(|violation| violation.name), Err("alpha_owned_or_known_residue"));

    plant(Some(Bug::MissedClip));
    assert_ne!(cabal(), sound, "the golden value must differ");

    plant(None);
    assert_eq!(network(), Ok(()));
    assert_eq!(cabal(), sound);
}
