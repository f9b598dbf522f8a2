//! `prospector`: an entrant that does not only look at the price of a subnet but also at what one brings.

use super::{Entrant, EntrantSettings, own_subnet};
use crate::machine::{Context, Input, Machine, Output};
use crate::registry::{InvalidSetting, ppm, within};
use protocol::call::Call;
use protocol::registration::lock_cost;
use protocol::state::State;
use protocol::units::{BLOCKS_PER_DAY, Rao};
use serde::{Deserialize, Serialize};

const PPM: u128 = 1_000_000;

/// Settings of `prospector`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProspectorSettings {
    /// How it looks, pays and backs.
    pub entering: EntrantSettings,
    /// Days in which a subnet must bring back what it costs.
    pub horizon_days: u32,
    /// Part of a subnet's emission that the owner counts as its own, in millionths.
    pub counts_ppm: u32,
}

impl Default for ProspectorSettings {
    fn default() -> Self {
        let entering = EntrantSettings::default();
        Self { entering, horizon_days: 180, counts_ppm: 180_000 }
    }
}

impl ProspectorSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.entering.check()?;
        within("horizon_days", self.horizon_days.into(), 1..=3_650, "1 to 3650")?;
        ppm("counts_ppm", self.counts_ppm)
    }
}

/// An entrant that looks at prospects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prospector {
    settings: ProspectorSettings,
    entrant: Entrant,
}

impl Prospector {
    /// An entrant that has not looked yet.
    pub fn new(settings: ProspectorSettings) -> Self {
        let entrant = Entrant::new(settings.entering.clone());
        Self { settings, entrant }
    }

    /// What the owner of a middling subnet counts as its own over the horizon: the median share of emission, in TAO.
    fn prospect(&self, state: &State) -> Rao {
        let emitting = state.networks().filter(|(_, subnet)| subnet.emits());
        let mut shares: Vec<u128> =
            emitting.map(|(_, subnet)| subnet.fast.emission_share).collect();
        shares.sort_unstable();
        let Some(median) = shares.get(shares.len() / 2) else { return Rao::ZERO };
        // A share is below 2⁶⁴, so its upper half times any amount of rao fits.
        let per_block = (median >> 32) * u128::from(state.global.block_emission.0);
        let blocks = u128::from(BLOCKS_PER_DAY) * u128::from(self.settings.horizon_days);
        let counted = (per_block >> 32) * blocks * u128::from(self.settings.counts_ppm) / PPM;
        Rao(u64::try_from(counted).unwrap_or(u64::MAX))
    }
}

impl Machine for Prospector {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        let before = context.outputs.len();
        self.entrant.step(input, context);
        let state = context.view.state();
        let enters = |output: &Output| {
            matches!(output, Output::Submit { call: Call::RegisterNetworkWithIdentity { .. }, .. })
        };
        let without = own_subnet(state, context).is_none();
        let poor = lock_cost(state) > self.prospect(state);
        if without && poor && context.outputs[before..].iter().any(enters) {
            let said = context.outputs.split_off(before);
            context.outputs.extend(said.into_iter().filter(|output| !enters(output)));
            self.entrant.open_until = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Seated;
    use crate::registry::BehaviourSettings;
    use crate::stage::{Stage, fund, genesis, identity};

    /// Two subnets that share all emission, and a subnet costs a thousand TAO.
    fn registered(horizon_days: u32, counts_ppm: u32) -> usize {
        let mut state = genesis(2);
        state.global.network_rate_limit = 10;
        for subnet in state.subnets.values_mut() {
            subnet.fast.flow_average = Some((0, 1 << 64));
        }
        let who = identity("prospectors", 0, None);
        fund(&mut state, &who, Rao::whole(5_000));
        let entering = EntrantSettings {
            interval_blocks: 4,
            price_min_rao: Rao::whole(2_000),
            ..EntrantSettings::default()
        };
        let settings = ProspectorSettings { entering, horizon_days, counts_ppm };
        let player = BehaviourSettings::Prospector(settings).build();
        let mut stage = Stage::new(state, vec![Seated::new(who, player)], 1);
        stage.play(40);
        assert_eq!(stage.refusals(), [""; 0]);
        stage.count("register_network_with_identity")
    }

    #[test]
    fn it_enters_where_a_middling_subnet_pays_its_price_back_in_time() {
        // Half of one TAO a block is 3,600 a day, of which it counts a hundredth: 36.
        let rows = [(1, 1_000_000, 1), (27, 10_000, 0), (28, 10_000, 1), (3_650, 0, 0)];
        for (horizon_days, counts_ppm, expected) in rows {
            let got = registered(horizon_days, counts_ppm);
            assert_eq!(got, expected, "{horizon_days} days of {counts_ppm}");
        }
    }
}
