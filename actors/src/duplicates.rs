//! Messages that come twice: whoever hears one again believes and does what it would have without.

use crate::customer::MarketSettings;
use crate::host::Seated;
use crate::miner::QualitySettings;
use crate::miner::worker::WorkerSettings;
use crate::registry::{BehaviourSettings, Player};
use crate::stage::{Stage, Wire, fund, identity, subnet_of};
use crate::validator::SamplerSettings;
use crate::validator::judge::JudgeSettings;
use protocol::envelope::Body;
use protocol::units::{Hash32, NetUid, Rao};

const NETUID: NetUid = NetUid(1);
const BLOCKS: u64 = 120;
/// A second hearing of an answer would be seen in a running score only where answers differ.
const NOISE_PPM: u32 = 100_000;

/// Samplers, judges, miners whose answers and measures scatter by so much, a worker and a market.
fn stage(wire: Wire, noise_ppm: u32) -> Stage {
    let sampler = BehaviourSettings::Sampler(SamplerSettings::default());
    let judge = BehaviourSettings::Judge(JudgeSettings { noise_ppm, ..Default::default() });
    let validators = [sampler.clone(), sampler, judge.clone(), judge];
    let miner = |mean_ppm| {
        let settings = QualitySettings { mean_ppm, spread_ppm: 0, noise_ppm, ..Default::default() };
        BehaviourSettings::Quality(settings)
    };
    let worker = BehaviourSettings::Worker(WorkerSettings { noise_ppm, ..Default::default() });
    let miners = [miner(900_000), miner(700_000), miner(500_000), worker];
    let (mut state, mut seats) = subnet_of(&validators, &miners);
    let subnet = state.subnets.get_mut(&NETUID).expect("it was made");
    subnet.info.owner = Some(identity("owners", 0, None).coldkey);
    let who = identity("customers", 0, Some(NETUID));
    fund(&mut state, &who, Rao::whole(100));
    let settings =
        MarketSettings { interval_blocks: 5, price_rao: Rao::whole(2), ..Default::default() };
    seats.push(Seated::new(who, BehaviourSettings::Market(settings).build()));
    let mut stage = Stage::new(state, seats, 1);
    stage.wire = wire;
    stage
}

/// Those who hear answers, as they are at the end.
fn hearers(stage: &Stage) -> Vec<Player> {
    let validators = (0..4).map(|index| identity("validators", index, None).id);
    let all = validators.chain([identity("customers", 0, None).id]);
    all.map(|who| stage.player(who).clone()).collect()
}

fn answers(stage: &Stage) -> usize {
    let sent = stage.done.iter().flat_map(|done| &done.outgoing);
    sent.filter(|sent| matches!(sent.body, Body::Answer { .. })).count()
}

fn played(wire: Wire, noise_ppm: u32) -> (Stage, Hash32) {
    let mut stage = stage(wire, noise_ppm);
    stage.play(BLOCKS);
    let root = stage.state.root();
    (stage, root)
}

#[test]
fn an_answer_that_comes_again_changes_nothing() {
    let ((once, root), (twice, other)) =
        (played(Wire::Sound, NOISE_PPM), played(Wire::AnswersTwice, NOISE_PPM));
    assert!(answers(&once) > 100 && once.count("set_weights") >= 20, "{}", answers(&once));
    assert!(once.count("transfer_keep_alive") > 5, "the market pays");
    assert_eq!(hearers(&twice), hearers(&once));
    assert_eq!((answers(&twice), other), (answers(&once), root));
}

#[test]
fn a_miner_that_is_asked_again_answers_again_and_is_heard_once() {
    let ((once, root), (twice, other)) = (played(Wire::Sound, 0), played(Wire::AllTwice, 0));
    let (single, double) = (answers(&once), answers(&twice));
    assert!(double > 2 * single - 20 && double <= 2 * single, "{double} of {single}");
    assert_eq!(hearers(&twice), hearers(&once));
    assert_eq!(other, root, "weights, payments and payouts are the same");
}
