//! The example of docs/players.md, "Write your own player": it compiles, does what the page says, and the page shows it.

// The example begins.
use actors::machine::{Context, Input, Machine};
use protocol::call::Call;
use protocol::rejection::Outcome;
use protocol::units::{BLOCK_MS, NetUid, Rao};
use serde::{Deserialize, Serialize};

/// Settings of `homebody`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HomebodySettings {
    /// The subnet it likes.
    pub netuid: NetUid,
    /// What it puts in, in rao.
    pub amount_rao: Rao,
}

impl Default for HomebodySettings {
    fn default() -> Self {
        Self { netuid: NetUid(1), amount_rao: Rao::whole(10) }
    }
}

/// A staker that buys one subnet once, and holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Homebody {
    settings: HomebodySettings,
    has_bought: bool,
}

impl Homebody {
    /// A staker that has not started.
    pub const fn new(settings: HomebodySettings) -> Self {
        Self { settings, has_bought: false }
    }

    /// The order, if the chain's public state says that it could be filled.
    fn order(&self, context: &Context<'_>) -> Option<Call> {
        let HomebodySettings { netuid, amount_rao } = self.settings;
        let state = context.view.state();
        let subnet = state.subnet(netuid).filter(|subnet| subnet.params.subtoken_enabled)?;
        let hotkey = *subnet.neurons.hotkeys.first()?;
        let can_pay = state.free(&context.me.coldkey) > amount_rao;
        can_pay.then_some(Call::AddStake { hotkey, netuid, amount_staked: amount_rao })
    }
}

impl Machine for Homebody {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        match input {
            Input::Start | Input::Timer { .. } if !self.has_bought => {
                if let Some(order) = self.order(context) {
                    context.submit(context.me.coldkey, order);
                }
                // Should it fail, it tries again in a day.
                context.wake(context.now_ms + 7_200 * BLOCK_MS, 0);
            }
            Input::Receipt(receipt) if receipt.outcome == Outcome::Ok => self.has_bought = true,
            _ => {}
        }
    }
}
// The example ends.

use actors::machine::{Directory, Identity, Output, Receipt};
use protocol::state::{Account, State, Subnet};
use protocol::units::{AccountId, Height, PlayerId};
use protocol::view::View;

fn step(machine: &mut Homebody, input: &Input<'_>, free: Rao) -> Vec<Output> {
    let (coldkey, hotkey) = (AccountId([1; 32]), AccountId([2; 32]));
    let mut state = State::default();
    state.height = Height(9);
    state.accounts.insert(coldkey, Account { free, nonce: 0 });
    let mut subnet = Subnet { added: true, ..Subnet::default() };
    subnet.params.subtoken_enabled = true;
    subnet.neurons.hotkeys = vec![AccountId([3; 32])];
    state.subnets.insert(NetUid(1), subnet);
    let view = View::new(state);
    let me = Identity {
        id: PlayerId(7),
        group: "homebodies".to_owned(),
        index: 0,
        coldkey,
        hotkey,
        netuid: None,
    };
    let directory = Directory::default();
    let outputs = Vec::new();
    let mut context =
        Context { view: &view, me: &me, directory: &directory, now_ms: 0, seed: 1, outputs };
    machine.step(input, &mut context);
    context.outputs
}

fn orders(outputs: &[Output]) -> usize {
    outputs.iter().filter(|output| matches!(output, Output::Submit { .. })).count()
}

#[test]
fn a_homebody_buys_once() {
    let mut homebody = Homebody::new(HomebodySettings::default());
    let poor = step(&mut homebody, &Input::Start, Rao::whole(1));
    assert_eq!((orders(&poor), poor.len()), (0, 1), "only a timer");
    let rich = step(&mut homebody, &Input::Timer { tag: 0 }, Rao::whole(100));
    assert_eq!((orders(&rich), rich.len()), (1, 2));
    let (player, height) = (PlayerId(7), Height(10));
    let receipt = Receipt { player, sequence: 1, height, outcome: Outcome::Ok };
    assert!(step(&mut homebody, &Input::Receipt(&receipt), Rao::whole(90)).is_empty());
    assert!(step(&mut homebody, &Input::Timer { tag: 0 }, Rao::whole(90)).is_empty(), "it has");
}

#[test]
fn the_page_shows_the_example() {
    let this = include_str!("own_player.rs");
    let page = include_str!("../../docs/players.md");
    let begin = this.find("// The example begins.\n").expect("it is marked") + 23;
    let end = this.find("// The example ends.").expect("it is marked");
    assert!(page.contains(&this[begin..end]), "docs/players.md shows another example");
}
