//! One pass over a log: who bought and sold on which subnet, what owners did, what was answered, who came and went.

use crate::diff::consequences::{WealthPoint, wealth};
use crate::plan::{Plan, Seat};
use actors::registry::Role;
use protocol::call::{Call, Origin};
use protocol::event::Event;
use protocol::frame::{Frame, Projection};
use protocol::rejection::Outcome;
use protocol::state::State;
use protocol::units::{AccountId, Alpha, BLOCKS_PER_DAY, Height, NetUid, PlayerId, Rao};
use serde::Serialize;
use std::collections::BTreeMap;

/// Who is nobody's player.
pub const OTHERS: &str = "others";
/// What the chain does by itself: claims of root dividends that are sold.
pub const CHAIN: &str = "chain";

/// TAO that went into a pool and came out of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Flow {
    /// In.
    pub in_rao: Rao,
    /// Out.
    pub out_rao: Rao,
}

impl Flow {
    /// In less out.
    pub fn net(self) -> i128 {
        i128::from(self.in_rao.0) - i128::from(self.out_rao.0)
    }

    fn add(&mut self, by: i64) {
        let amount = Rao(by.unsigned_abs());
        let side = if by < 0 { &mut self.out_rao } else { &mut self.in_rao };
        *side = side.plus(amount);
    }
}

/// What happened on one subnet, of one registration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SubnetPast {
    /// Its names.
    pub name: String,
    /// Its token's symbol.
    pub symbol: String,
    /// The block it was registered at; of subnets of genesis what the snapshot says.
    pub registered_at: u64,
    /// The block it was dissolved in.
    pub dissolved_at: Option<u64>,
    /// Its owner's coldkey, at last.
    pub owner: Option<AccountId>,
    /// TAO per alpha when it was first seen, U96F32 bits.
    pub price_start: u128,
    /// TAO per alpha when it was last seen.
    pub price_end: u128,
    /// Flows by role.
    pub flows: BTreeMap<&'static str, Flow>,
    /// Net flow of each day of the run, in rao; a day that is missing had none.
    pub days: BTreeMap<u64, i128>,
    /// TAO emission put into the pool, and spent on alpha, since the run's beginning.
    pub emission: Rao,
    /// Alpha paid to the owner as its cut.
    pub cut: Alpha,
    /// Alpha that the owner sold.
    pub owner_sold: Alpha,
    /// TAO the owner bought alpha with.
    pub owner_bought: Rao,
    /// TAO that customers paid to the owner.
    pub revenue: Rao,
    /// Hyperparameters that its owner set.
    pub parameters_set: u64,
    /// Times its owner said anew who it is.
    pub identities_set: u64,
    /// Queries of players with a place there.
    pub queries: u64,
    /// Answers they received.
    pub answers: u64,
    /// Sum of the answers' latencies.
    pub latency_ms: u64,
}

impl SubnetPast {
    fn began(state: &State, netuid: NetUid) -> Self {
        let Some(subnet) = state.subnet(netuid) else { return Self::default() };
        Self {
            name: subnet.info.name.clone(),
            symbol: subnet.info.symbol.clone(),
            registered_at: subnet.info.registered_at,
            owner: subnet.info.owner,
            price_start: subnet.price(),
            price_end: subnet.price(),
            ..Self::default()
        }
    }

    /// TAO in and out, of all roles.
    pub fn flow(&self) -> Flow {
        self.flows.values().fold(Flow::default(), |sum, flow| Flow {
            in_rao: sum.in_rao.plus(flow.in_rao),
            out_rao: sum.out_rao.plus(flow.out_rao),
        })
    }
}

/// A registration or the end of a subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Turnover {
    /// In which block.
    pub block: u64,
    /// Which netuid.
    pub netuid: u16,
    /// Its name.
    pub name: String,
}

/// All that is gathered.
#[derive(Clone, Debug)]
pub struct Gathered {
    /// The genesis height.
    pub genesis: Height,
    /// Roles of coldkeys.
    roles: BTreeMap<AccountId, &'static str>,
    /// Roles and behaviours of coldkeys.
    behaviours: BTreeMap<AccountId, Class>,
    /// Roles of hotkeys, which sign calls as well.
    signers: BTreeMap<AccountId, &'static str>,
    /// Subnets of players that have a place on one.
    places: BTreeMap<PlayerId, NetUid>,
    /// By netuid, the registration that is alive.
    pub alive: BTreeMap<NetUid, SubnetPast>,
    /// Those that were dissolved, in order.
    pub gone: Vec<(NetUid, SubnetPast)>,
    /// Subnets that came, in order.
    pub registered: Vec<Turnover>,
    /// Subnets that went, in order.
    pub dissolved: Vec<Turnover>,
    /// TAO emission in all.
    pub emission: Rao,
    /// What each role had at genesis.
    pub wealth_start: BTreeMap<&'static str, WealthPoint>,
    /// The same by behaviour.
    pub behaviour_wealth_start: BTreeMap<Class, WealthPoint>,
}

/// A role and a behaviour of it.
pub type Class = (&'static str, &'static str);
/// The class of nobody's players.
const NOBODIES: Class = (OTHERS, OTHERS);

impl Gathered {
    /// Begins before the first block.
    pub fn new(plan: &Plan) -> Self {
        let seats = || plan.players.iter();
        let role = |seat: &Seat| seat.player.behaviour().role.name();
        let genesis = &plan.genesis;
        let networks = genesis.networks().filter(|(netuid, _)| !netuid.is_root());
        let roles: BTreeMap<_, _> =
            seats().map(|seat| (seat.identity.coldkey, role(seat))).collect();
        let class = |account: &AccountId| roles.get(account).copied().unwrap_or(OTHERS);
        let behaviours: BTreeMap<_, _> = seats()
            .map(|seat| (seat.identity.coldkey, (role(seat), seat.player.behaviour().name)))
            .collect();
        let behaviour = |account: &AccountId| behaviours.get(account).copied();
        Self {
            genesis: genesis.height,
            wealth_start: wealth(genesis, class),
            behaviour_wealth_start: wealth(genesis, |account| {
                behaviour(account).unwrap_or(NOBODIES)
            }),
            signers: seats().map(|seat| (seat.identity.hotkey, role(seat))).collect(),
            places: seats()
                .filter_map(|seat| Some((seat.identity.id, seat.identity.netuid?)))
                .collect(),
            alive: networks
                .map(|(netuid, _)| (netuid, SubnetPast::began(genesis, netuid)))
                .collect(),
            gone: Vec::new(),
            registered: Vec::new(),
            dissolved: Vec::new(),
            emission: Rao::ZERO,
            roles,
            behaviours,
        }
    }

    /// The role of a coldkey.
    pub fn role(&self, coldkey: &AccountId) -> &'static str {
        self.roles.get(coldkey).copied().unwrap_or(OTHERS)
    }

    /// The role and behaviour of a coldkey.
    pub fn behaviour(&self, coldkey: &AccountId) -> Class {
        self.behaviours.get(coldkey).copied().unwrap_or(NOBODIES)
    }

    /// How many coldkeys are of a class.
    pub fn players_of(&self, class: Class) -> u64 {
        self.behaviours.values().filter(|one| **one == class).count() as u64
    }

    fn signer(&self, account: &AccountId) -> &'static str {
        let role = self.roles.get(account).or_else(|| self.signers.get(account));
        role.copied().unwrap_or(OTHERS)
    }

    fn event(&mut self, event: &Event, by: &'static str, day: u64, height: u64, after: &State) {
        match event {
            Event::FlowRecorded { netuid, by: amount } => {
                if let Some(past) = self.alive.get_mut(netuid) {
                    past.flows.entry(by).or_default().add(*amount);
                    *past.days.entry(day).or_default() += i128::from(*amount);
                }
            }
            Event::EmissionInjected(injected) => {
                for (index, netuid) in injected.netuids.iter().enumerate() {
                    let of = |column: &[Rao]| column.get(index).copied().unwrap_or(Rao::ZERO);
                    let tao = of(&injected.tao_in).plus(of(&injected.bought_with));
                    self.emission = self.emission.plus(tao);
                    if let Some(past) = self.alive.get_mut(netuid) {
                        past.emission = past.emission.plus(tao);
                    }
                }
            }
            Event::EpochPaid(paid) => {
                if let Some(past) = self.alive.get_mut(&paid.netuid) {
                    past.cut = past.cut.plus(paid.owner_cut);
                }
            }
            Event::StakeAdded { coldkey, netuid, tao, .. } => {
                if let Some(past) = self.alive.get_mut(netuid)
                    && past.owner == Some(*coldkey)
                {
                    past.owner_bought = past.owner_bought.plus(*tao);
                }
            }
            Event::StakeRemoved { coldkey, netuid, alpha, .. } => {
                if let Some(past) = self.alive.get_mut(netuid)
                    && past.owner == Some(*coldkey)
                {
                    past.owner_sold = past.owner_sold.plus(*alpha);
                }
            }
            Event::ParameterSet { netuid: Some(netuid), .. } if by == OWNER => {
                if let Some(past) = self.alive.get_mut(netuid) {
                    past.parameters_set += 1;
                }
            }
            Event::SubnetIdentitySet { netuid, .. } => {
                if let Some(past) = self.alive.get_mut(netuid) {
                    past.identities_set += 1;
                }
            }
            Event::SubnetRegistered(registered) => {
                let netuid = registered.netuid;
                let past = SubnetPast::began(after, netuid);
                let name = past.name.clone();
                self.registered.push(Turnover { block: height, netuid: netuid.0, name });
                self.alive.insert(netuid, past);
            }
            Event::SubnetDissolved(dissolved) => {
                let netuid = dissolved.netuid;
                if let Some(mut past) = self.alive.remove(&netuid) {
                    past.dissolved_at = Some(height);
                    let name = past.name.clone();
                    self.dissolved.push(Turnover { block: height, netuid: netuid.0, name });
                    self.gone.push((netuid, past));
                }
            }
            _ => {}
        }
    }

    /// What customers paid owners.
    fn revenue(&mut self, frame: &Frame) {
        for record in frame.calls.iter().filter(|record| record.outcome == Outcome::Ok) {
            let (Origin::Signed(signer), Call::TransferKeepAlive { dest, value }) =
                (record.origin, &record.call)
            else {
                continue;
            };
            if self.role(&signer) == CUSTOMER {
                let paid = self.places.get(&record.player).and_then(|id| self.alive.get_mut(id));
                if let Some(past) = paid.filter(|past| past.owner == Some(*dest)) {
                    past.revenue = past.revenue.plus(*value);
                }
            }
        }
    }

    fn facts(&mut self, frame: &Frame) {
        let facts = &frame.facts;
        for (index, player) in facts.players.iter().enumerate() {
            let past = self.places.get(player).and_then(|netuid| self.alive.get_mut(netuid));
            let Some(past) = past else { continue };
            let of = |column: &[u32]| column.get(index).map_or(0, |count| u64::from(*count));
            past.queries += of(&facts.queries_sent);
            past.answers += of(&facts.answers_received);
            past.latency_ms += facts.latency_ms.get(index).copied().unwrap_or(0);
        }
    }
}

/// The role that pays owners for their product.
const CUSTOMER: &str = "customer";
const OWNER: &str = Role::Owner.name();

impl Projection for Gathered {
    fn block(&mut self, frame: &Frame, _: &State, after: &State) {
        let height = frame.header.height.0;
        let day = (height - self.genesis.0 - 1) / BLOCKS_PER_DAY;
        let mut by = CHAIN;
        for event in &frame.events {
            if let Event::CallIncluded { signer, .. } = event {
                by = self.signer(signer);
            }
            self.event(event, by, day, height, after);
        }
        self.revenue(frame);
        self.facts(frame);
        for (netuid, past) in &mut self.alive {
            if let Some(subnet) = after.subnet(*netuid) {
                past.price_end = subnet.price();
                past.owner = subnet.info.owner;
                past.name.clone_from(&subnet.info.name);
            }
        }
    }
}
