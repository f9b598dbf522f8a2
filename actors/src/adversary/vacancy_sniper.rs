//! `vacancy-sniper`: registers into a uid that rows still point to while newer rows wait unrevealed, and never answers.

use super::{Seeker, check_interval, settings, time_to_look};
use crate::entry::leaver;
use crate::machine::{Context, Input, Machine};
use crate::registry::InvalidSetting;
use protocol::commits::earliest_blocks;
use protocol::state::{State, Subnet};
use protocol::units::{NetUid, Rao};
use serde::{Deserialize, Serialize};

settings! {
    /// Settings of `vacancy-sniper`.
    VacancySniperSettings {
        /// The subnet it waits for.
        netuid: NetUid = NetUid(1),
        /// Blocks between two looks, on average.
        interval_blocks: u64 = 5,
        /// The most it pays for a place, in rao.
        burn_max_rao: Rao = Rao::whole(1),
        /// Free TAO it never spends, in rao.
        reserve_rao: Rao = Rao(100_000_000),
    }
}

impl VacancySniperSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        check_interval(self.interval_blocks)
    }
}

/// A miner that earns what another had earned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VacancySniper {
    settings: VacancySniperSettings,
}

impl VacancySniper {
    /// A miner that has not started.
    pub const fn new(settings: VacancySniperSettings) -> Self {
        Self { settings }
    }

    fn look(&self, context: &mut Context<'_>) {
        let (state, me) = (context.view.state(), context.me);
        let (netuid, hotkey) = (self.settings.netuid, me.hotkey);
        let Some(subnet) = state.subnet(netuid) else { return };
        let (burn_max, reserve) = (self.settings.burn_max_rao, self.settings.reserve_rao);
        let seeker = Seeker { hotkey, coldkey: me.coldkey, burn_max, reserve };
        if let Some(call) = seeker.registers(netuid, context)
            && pointed_to(state, netuid, subnet)
        {
            context.submit(me.coldkey, call);
        }
    }
}

/// Whether the uid that goes next earned something, and is in the row of a validator whose next row waits unrevealed:
/// that one will name it as well, for its setter does not know yet.
fn pointed_to(state: &State, netuid: NetUid, subnet: &Subnet) -> bool {
    let full = subnet.neurons.len() >= usize::from(subnet.params.max_allowed_uids);
    let Some(uid) = leaver(state, subnet).filter(|_| full && subnet.params.commit_reveal) else {
        return false;
    };
    let Some(mechanism) = subnet.mechanism(0) else { return false };
    let earns = mechanism.incentive.get(usize::from(uid)).is_some_and(|part| *part > 0);
    let waits = earliest_blocks(state, netuid, 0);
    let mut pointing = mechanism.weights.iter().zip(waits).filter(|(_, waits)| waits.is_some());
    earns
        && pointing.any(|(row, _)| row.iter().any(|(target, weight)| *target == uid && *weight > 0))
}

impl Machine for VacancySniper {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        if time_to_look(input, 0, self.settings.interval_blocks, context) {
            self.look(context);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adversary::arena::{EPOCH, NETUID, honest, incentive, miner, seal};
    use crate::host::Seated;
    use crate::registry::BehaviourSettings;
    use crate::stage::{Stage, fund, identity, subnet_of};

    /// A full subnet: two validators and three miners that all earn less, and a sniper outside.
    fn stage(sealed: bool) -> Stage {
        let miners =
            [900_000, 800_000, 700_000].map(|mean| BehaviourSettings::Quality(miner(mean, None)));
        let (mut state, mut seats) = subnet_of(&vec![honest(); 2], &miners);
        if sealed {
            seal(&mut state);
        }
        let subnet = state.subnets.get_mut(&NETUID).expect("it was made");
        let params = &mut subnet.params;
        (params.max_allowed_uids, params.immunity_period) = (5, 30);
        params.min_non_immune_uids = 0;
        subnet.fast.burn = Rao(1_000_000);
        let who = identity("snipers", 0, None);
        fund(&mut state, &who, Rao::whole(5));
        let settings = VacancySniperSettings { interval_blocks: 2, ..Default::default() };
        seats.push(Seated::new(who, BehaviourSettings::VacancySniper(settings).build()));
        Stage::new(state, seats, 1)
    }

    fn uid(stage: &Stage) -> Option<usize> {
        let who = identity("snipers", 0, None);
        stage.state.subnets[&NETUID].neurons.uid(&who.hotkey).map(usize::from)
    }

    #[test]
    fn it_earns_incentive_for_answers_that_another_gave() {
        let mut stage = stage(true);
        let mut blocks = 0;
        while uid(&stage).is_none() {
            stage.play(1);
            blocks += 1;
            assert!(blocks < 20 * EPOCH, "there was never a vacancy");
        }
        let place = uid(&stage).expect("it has one");
        let registered = stage.state.subnets[&NETUID].neurons.registered_at[place];
        let committed = earliest_blocks(&stage.state, NETUID, 0);
        assert!(committed.iter().flatten().any(|block| *block <= registered), "after a commit");
        let mut most = 0;
        for _ in 0..3 {
            stage.play(EPOCH);
            most = most.max(if uid(&stage) == Some(place) { incentive(&stage, place) } else { 0 });
        }
        assert!(most > 10_000, "{most} of 65,535 without an answer");
        let me = identity("snipers", 0, None).id;
        assert!(stage.done.iter().flat_map(|done| &done.outgoing).all(|sent| sent.sender != me));
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn where_rows_are_open_it_waits() {
        let mut stage = stage(false);
        stage.play(12 * EPOCH);
        assert_eq!((uid(&stage), stage.count("burned_register")), (None, 0));
    }
}
