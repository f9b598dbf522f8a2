//! Random orders that mostly make sense: by people who have something, for what they have, around the
//! price there is, and now and then absurd.

use protocol::beacon::Beacon;
use protocol::call::{Call, Origin, Setting};
use protocol::commits::{Opening, commit_hash};
use protocol::dice::Dice;
use protocol::key_swaps::coldkey_hash;
use protocol::ledger::Position;
use protocol::payload::Payload;
use protocol::registration::work_hash;
use protocol::rules::{FeeSchedule, Mode, RuleVersion, Rules};
use protocol::state::{
    Account, Coldkey, ColdkeyIdentity, Global, Info, Params, RootClaimType, State, Subnet,
    SubnetIdentity,
};
use protocol::units::{AccountId, Alpha, Hash32, Height, NetUid, Rao};
use protocol::weights::Order;
use protocol::work;
use std::collections::BTreeSet;

const PEOPLE: u64 = 10;
const HOTKEYS: u64 = 16;
/// The spot prices of new pools are one; so are most limits near it.
const TAO: u64 = 1_000_000_000;

fn account(kind: &str, number: u64) -> AccountId {
    AccountId(protocol::canon::hash(kind, &number.to_le_bytes()).0)
}

pub fn coldkey(number: u64) -> AccountId {
    account("person", number)
}

pub fn hotkey(number: u64) -> AccountId {
    account("hotkey", number)
}

/// A network that has only root, and people with much, little or nearly nothing. Every other seed
/// runs in `sound` mode, every other two with fees; of eight seeds one has no block author.
pub fn genesis(seed: u64) -> State {
    // So late that a hotkey may be swapped on one subnet, and that old swaps are forgotten soon.
    let mut state = State::default();
    state.height = Height(71_900);
    let swaps = [(NetUid(1), 9), (NetUid(2), 9)].into();
    let entry = Coldkey { hotkey_swaps: swaps, ..Coldkey::default() };
    state.coldkeys.insert(coldkey(0), entry);
    state.rules.mode = if seed.is_multiple_of(2) { Mode::Reference } else { Mode::Sound };
    state.rules.fees =
        if (seed / 2).is_multiple_of(2) { FeeSchedule::None } else { FeeSchedule::Reference };
    state.global = Global {
        block_author: (seed % 8 < 7).then(|| coldkey(999)),
        network_rate_limit: 5,
        network_min_lock_cost: Rao::whole(100),
        network_last_lock_cost: Rao::whole(100),
        network_lock_reduction_interval: 20,
        subnet_limit: 4,
        network_immunity_period: 150,
        tx_delegate_take_rate_limit: 5,
        tx_childkey_take_rate_limit: 5,
        pending_childkey_cooldown: 3,
        moving_alpha: 1 << 30,
        admin_freeze_window: 2,
        tx_rate_limit: 3,
        coldkey_swap_announcement_delay: 20,
        coldkey_swap_reannouncement_delay: 10,
        owner_hyperparam_rate_limit: 1,
        beacon: Beacon { period_ms: 3_000, first_round: 1, ..Beacon::default() },
        ..Global::default()
    };
    for person in 0..PEOPLE {
        let free = match person {
            8 => Rao(2_100_000),
            9 => Rao(2_000),
            _ => Rao::whole(20_000),
        };
        state.accounts.insert(coldkey(person), Account { free, nonce: 0 });
        state.global.total_issuance = state.global.total_issuance.plus(free);
    }
    for number in 0..HOTKEYS {
        let own = number % PEOPLE;
        if number % 5 != 4 {
            super::own(&mut state, coldkey(own), hotkey(number));
        }
    }
    let root = Subnet {
        added: true,
        params: Params { max_allowed_uids: 3, max_registrations_per_block: 9, ..Params::root() },
        info: Info { symbol: "Τ".into(), ..Info::default() },
        ..Subnet::default()
    };
    state.subnets.insert(NetUid::ROOT, root);
    state
}

/// Gives subnets of the last block parameters under which things happen soon: few uids, short pauses,
/// quick averages; most take weights directly, every third asks for commits. Calls change them later.
pub fn loosen(state: &mut State) {
    let height = state.height.0;
    let fresh = |subnet: &&mut Subnet| subnet.added && subnet.info.registered_at == height;
    for (netuid, subnet) in &mut state.subnets {
        let Some(subnet) = Some(subnet).filter(fresh) else { continue };
        let params = &mut subnet.params;
        params.commit_reveal = netuid.0 % 3 == 2;
        params.max_registrations_per_block = 9;
        params.max_allowed_uids = params.max_allowed_uids.min(6);
        params.min_allowed_uids = 2;
        params.weights_set_rate_limit = 3;
        params.immunity_period = 30;
        params.ema_price_halving_blocks = 10;
        params.target_registrations_per_interval = 3;
        params.adjustment_interval = 20;
        params.serving_rate_limit = 2;
        (params.min_difficulty, params.max_difficulty) = (1, 6);
        subnet.fast.difficulty = subnet.fast.difficulty.min(6);
    }
    state.forget_cached_hashes();
}

/// What the next order is made of.
struct Draw<'a> {
    state: &'a State,
    dice: &'a mut Dice,
}

/// An order on a state.
pub fn call(state: &State, dice: &mut Dice) -> (Origin, Call) {
    Draw { state, dice }.call()
}

impl Draw<'_> {
    fn one_in(&mut self, of: u64) -> bool {
        self.dice.below(of) == 0
    }

    fn small(&mut self, below: u64) -> u16 {
        u16::try_from(self.dice.below(below)).expect("small")
    }

    fn person(&mut self) -> AccountId {
        coldkey(self.dice.below(PEOPLE + 4))
    }

    fn any_hotkey(&mut self) -> AccountId {
        hotkey(self.dice.below(HOTKEYS))
    }

    /// Mostly a subnet that exists; root too.
    fn netuid(&mut self) -> NetUid {
        if self.one_in(12) {
            return NetUid(self.small(7));
        }
        let netuids: Vec<NetUid> = self.state.networks().map(|(netuid, _)| netuid).collect();
        netuids[usize::from(self.small(netuids.len() as u64))]
    }

    /// Mostly a position that somebody holds.
    fn held(&mut self) -> Position {
        let netuid = self.netuid();
        let pools = self.state.subnets.get(&netuid).map(|subnet| &subnet.pools);
        let pools = pools.filter(|pools| !pools.is_empty());
        if let Some(pools) = pools
            && !self.one_in(12)
        {
            let nth = usize::from(self.small(pools.len() as u64));
            let (hotkey, pool) = pools.iter().nth(nth).expect("below the length");
            if !pool.holders.is_empty() {
                let nth = usize::from(self.small(pool.holders.len() as u64));
                let coldkey = *pool.holders.keys().nth(nth).expect("below the length");
                return Position { hotkey: *hotkey, coldkey, netuid };
            }
        }
        Position { hotkey: self.any_hotkey(), coldkey: self.person(), netuid }
    }

    /// A hotkey of a coldkey's, mostly.
    fn own_hotkey(&mut self, coldkey: AccountId) -> AccountId {
        let owned = self.state.coldkeys.get(&coldkey).map_or(&[][..], |lists| &lists.owned);
        if owned.is_empty() || self.one_in(10) {
            return self.any_hotkey();
        }
        owned[usize::from(self.small(owned.len() as u64))]
    }

    /// A hotkey with its owner.
    fn owner_and_hotkey(&mut self) -> (AccountId, AccountId) {
        let hotkey = self.any_hotkey();
        let owner = self.state.owner(&hotkey);
        let somebody = self.person();
        let owner = owner.filter(|_| !self.one_in(10)).unwrap_or(somebody);
        (owner, hotkey)
    }

    fn owner(&mut self, netuid: NetUid) -> AccountId {
        let owner = self.state.subnet(netuid).and_then(|subnet| subnet.info.owner);
        let somebody = self.person();
        owner.filter(|_| !self.one_in(10)).unwrap_or(somebody)
    }

    /// A part of what there is, all of it, a bit more, or an amount near one of the thresholds.
    fn amount(&mut self, whole: u64) -> u64 {
        match self.dice.below(14) {
            0..4 => whole / (1 + self.dice.below(50)),
            4 => whole,
            5 => whole.saturating_sub(1 + self.dice.below(600)),
            6 => whole - whole / 100_000,
            7 => 2_000_000 + self.dice.below(3_000),
            8 => 1_990_000 + self.dice.below(100_000),
            9 => 1 + self.dice.below(4_000),
            10 => 1 << self.dice.below(45),
            11 if self.one_in(4) => u64::MAX,
            12 if self.one_in(4) => 0,
            _ => whole / (1 + self.dice.below(5_000)),
        }
    }

    fn money(&mut self, coldkey: AccountId) -> Rao {
        let free = self.state.free(&coldkey).0;
        Rao(self.amount(free))
    }

    fn alpha(&mut self, position: Position) -> Alpha {
        let held = self.state.stake(&position.hotkey, &position.coldkey, position.netuid);
        Alpha(self.amount(held.0))
    }

    /// A limit near a price of U96F32 bits.
    fn limit(&mut self, price: u128) -> Rao {
        let price = u64::try_from((price * u128::from(TAO)) >> 32).unwrap_or(u64::MAX);
        let by = match self.dice.below(3) {
            0 => price / 100_000,
            1 => price / 1_000,
            _ => price / 20,
        };
        let by = self.dice.below(by.max(1) + 1);
        match self.dice.below(12) {
            0 => Rao(0),
            1 => Rao(u64::MAX),
            2 => Rao(TAO),
            3..8 => Rao(price.saturating_add(by)),
            _ => Rao(price.saturating_sub(by)),
        }
    }

    fn price(&self, netuid: NetUid) -> u128 {
        self.state.subnet(netuid).map_or(1 << 32, Subnet::price)
    }

    fn call(&mut self) -> (Origin, Call) {
        match self.dice.below(100) {
            0..12 => self.life(),
            12..26 => self.weights(),
            26..58 => self.stake(),
            58..74 => self.movement(),
            74..86 => self.relation(),
            86..90 => self.claim(),
            90..94 => self.setting(),
            _ => self.other_setting(),
        }
    }

    fn life(&mut self) -> (Origin, Call) {
        let signer = self.person();
        let hotkey = self.own_hotkey(signer);
        let netuid = self.netuid();
        let call = match self.dice.below(18) {
            0 => Call::RegisterNetwork { hotkey },
            15..18 => return self.swap(signer, hotkey),
            10 | 11 => return self.work(hotkey),
            12 | 13 => return self.name(signer),
            14 => {
                let (dest, value) = (self.person(), self.money(signer));
                match self.dice.below(9) {
                    0 => Call::TransferAll { dest, keep_alive: self.one_in(2) },
                    _ => Call::TransferKeepAlive { dest, value },
                }
            }
            1 => {
                let unstarted =
                    self.state.networks().find(|(_, subnet)| !subnet.params.subtoken_enabled);
                let netuid = unstarted.map_or(netuid, |(netuid, _)| netuid);
                return (Origin::Signed(self.owner(netuid)), Call::StartCall { netuid });
            }
            2..5 => Call::BurnedRegister { netuid, hotkey },
            5 | 6 => Call::RootRegister { hotkey },
            7 => Call::TransferAllowDeath { dest: self.person(), value: self.money(signer) },
            8 => {
                let netuid = self.netuid();
                let call = Call::ServeAxon {
                    netuid,
                    version: 1,
                    ip: u128::from(self.dice.below(1 << 33)),
                    port: self.small(3),
                    ip_type: 4,
                    protocol: 0,
                    placeholder1: 0,
                    placeholder2: 0,
                };
                return (Origin::Signed(hotkey), call);
            }
            _ => Call::TryAssociateHotkey { hotkey: self.any_hotkey() },
        };
        (Origin::Signed(signer), call)
    }

    /// A registration by proof of work, mostly a sound one: difficulties are low here.
    fn work(&mut self, hotkey: AccountId) -> (Origin, Call) {
        let netuid = self.netuid();
        let coldkey = self.state.owner(&hotkey).unwrap_or_else(|| self.person());
        let coldkey = if self.one_in(12) { self.person() } else { coldkey };
        let ages = if self.one_in(5) { 5 } else { 3 };
        let age = self.dice.below(ages);
        let block_number = self.state.height.0.saturating_sub(age);
        let difficulty = self.state.subnets.get(&netuid).map_or(1, |at| at.fast.difficulty);
        let hash = work_hash(self.state, age);
        let first = self.dice.below(1_000);
        let seals = (first..first + 40).map(|nonce| (nonce, work::seal(&hash, &hotkey, nonce)));
        let mut seals = seals.filter(|(_, seal)| work::meets(seal, difficulty));
        let found = seals.next().filter(|_| !self.one_in(10));
        let (mut nonce, work) = found.unwrap_or((0, Hash32([0xff; 32])));
        nonce += u64::from(self.one_in(8));
        let signer = if self.one_in(12) { coldkey } else { hotkey };
        let call = Call::Register { netuid, block_number, nonce, work, hotkey, coldkey };
        (Origin::Signed(signer), call)
    }

    /// Swaps of hotkeys, mostly to fresh ones, and steps of coldkey swaps.
    fn swap(&mut self, signer: AccountId, hotkey: AccountId) -> (Origin, Call) {
        let fresh = self::hotkey(HOTKEYS + self.dice.below(4));
        let new_hotkey = if self.one_in(4) { self.any_hotkey() } else { fresh };
        // Mostly somebody who stakes nothing: whoever was swapped can be swapped to.
        let people: Vec<AccountId> = (0..PEOPLE + 4).map(coldkey).collect();
        let idle = |person: &&AccountId| {
            self.state.coldkeys.get(*person).is_none_or(|keys| keys.staking.is_empty())
        };
        let idle: Vec<AccountId> = people.iter().filter(idle).copied().collect();
        let new_coldkey = match idle[..] {
            [] => self.person(),
            _ if self.one_in(6) => self.person(),
            _ => idle[usize::from(self.small(idle.len() as u64))],
        };
        let announced = self.state.coldkeys.iter();
        let announced = announced.filter(|(_, keys)| keys.swap_announcement.is_some());
        let announced: Vec<AccountId> = announced.map(|(coldkey, _)| *coldkey).collect();
        let bound = match announced[..] {
            [] => signer,
            _ => announced[usize::from(self.small(announced.len() as u64))],
        };
        let call = match self.dice.below(12) {
            0..4 => Call::SwapHotkey { hotkey, new_hotkey, netuid: None },
            4..7 => Call::SwapHotkey { hotkey, new_hotkey, netuid: Some(self.netuid()) },
            7 => {
                let new_coldkey_hash = coldkey_hash(&new_coldkey);
                let by = if self.one_in(3) { bound } else { signer };
                let call = Call::AnnounceColdkeySwap { new_coldkey_hash };
                return (Origin::Signed(by), call);
            }
            8 => {
                let keys = self.state.coldkeys.get(&bound);
                let hash = keys.and_then(|keys| keys.swap_announcement).map(|said| said.hash);
                let meant = people.iter().find(|person| Some(coldkey_hash(person)) == hash);
                let meant = meant.copied().filter(|_| !self.one_in(5));
                let new_coldkey = meant.unwrap_or(new_coldkey);
                return (Origin::Signed(bound), Call::SwapColdkeyAnnounced { new_coldkey });
            }
            9 if self.one_in(2) => return (Origin::Signed(bound), Call::DisputeColdkeySwap),
            9 | 10 => return (Origin::Root, Call::ResetColdkeySwap { coldkey: bound }),
            _ => {
                let swap_cost = Rao(self.dice.below(2) * TAO);
                let new_coldkey = if self.one_in(6) { self.any_hotkey() } else { new_coldkey };
                let old_coldkey = if self.one_in(2) { bound } else { self.person() };
                let origin = if self.one_in(9) { Origin::Signed(signer) } else { Origin::Root };
                return (origin, Call::SwapColdkey { old_coldkey, new_coldkey, swap_cost });
            }
        };
        (Origin::Signed(signer), call)
    }

    /// A coldkey or a subnet says who it is; now and then at too great a length.
    fn name(&mut self, coldkey: AccountId) -> (Origin, Call) {
        let netuid = self.netuid();
        let owner = self.owner(netuid);
        let text = "n".repeat(if self.one_in(6) { 257 } else { 3 });
        let identity = SubnetIdentity { subnet_name: text.clone(), ..SubnetIdentity::default() };
        match self.dice.below(3) {
            0 => {
                let identity = ColdkeyIdentity { name: text, ..ColdkeyIdentity::default() };
                (Origin::Signed(coldkey), Call::SetIdentity(Box::new(identity)))
            }
            1 => {
                let identity = Box::new(identity);
                (Origin::Signed(owner), Call::SetSubnetIdentity { netuid, identity })
            }
            _ => {
                let hotkey = self.own_hotkey(coldkey);
                let identity = Some(Box::new(identity)).filter(|_| !self.one_in(3));
                (Origin::Signed(coldkey), Call::RegisterNetworkWithIdentity { hotkey, identity })
            }
        }
    }

    /// A commit or an attempt to open one; there are few rows and salts, so that some match.
    fn commit(&mut self) -> (Origin, Call) {
        let asking = self.state.networks().find(|(_, subnet)| subnet.params.commit_reveal);
        let asking = asking.map(|(netuid, _)| netuid);
        let netuid = asking.filter(|_| !self.one_in(5)).unwrap_or_else(|| self.netuid());
        let neurons = self.state.subnets.get(&netuid).map(|subnet| &subnet.neurons);
        let hotkeys = neurons.map_or(&[][..], |neurons| &neurons.hotkeys);
        let signer = match hotkeys {
            [] => self.any_hotkey(),
            // Few neurons, for queues to fill.
            _ => hotkeys[usize::from(self.small(hotkeys.len().min(2) as u64))],
        };
        let mecid = u8::from(self.one_in(8));
        if self.one_in(3) {
            return (Origin::Signed(signer), self.sealed(signer, netuid, mecid));
        }
        let (uids, values, salt) = (vec![0], vec![self.small(2)], vec![7, 8]);
        let version_key = 0;
        if self.one_in(6) {
            let count = usize::from(self.small(3));
            let call = Call::BatchRevealWeights {
                netuid,
                uids_list: vec![uids; count],
                values_list: vec![values; count],
                salts_list: vec![salt; count],
                version_keys: vec![version_key; count],
            };
            return (Origin::Signed(signer), call);
        }
        let order = Order { netuid, mechanism: mecid, dests: &uids, weights: &values, version_key };
        let commit_hash = commit_hash(&signer, &Opening { order, salt: &salt });
        let call = match (self.one_in(2), mecid) {
            (true, 0) => Call::CommitWeights { netuid, commit_hash },
            (true, _) => Call::CommitMechanismWeights { netuid, mecid, commit_hash },
            // Mechanism calls on 0 too: they are included without the checks of plain reveals.
            (false, 0) if self.one_in(2) => {
                Call::RevealWeights { netuid, uids, values, salt, version_key }
            }
            _ => Call::RevealMechanismWeights { netuid, mecid, uids, values, salt, version_key },
        };
        (Origin::Signed(signer), call)
    }

    /// A sealed row: mostly legible, the signer's, and to be opened when it is due.
    fn sealed(&mut self, signer: AccountId, netuid: NetUid, mecid: u8) -> Call {
        let hotkey = match self.dice.below(8) {
            0 => None,
            1 => Some(self.any_hotkey()),
            _ => Some(signer),
        };
        let (uids, values) = (vec![0], vec![self.small(3)]);
        let mut commit =
            Payload { hotkey, uids, values, version_key: 0 }.seal(&[self.small(4) as u8]);
        if self.one_in(12) {
            commit.truncate(usize::from(self.small(8)));
        }
        let later = if self.one_in(6) { 1_000 } else { self.dice.below(30) };
        let reveal_round = (self.state.global.beacon.last + later).saturating_sub(1);
        let commit_reveal_version = if self.one_in(8) { 5 } else { 4 };
        match (self.dice.below(4), mecid) {
            (0, _) => Call::CommitCrv3MechanismWeights { netuid, mecid, commit, reveal_round },
            (_, 0) => Call::CommitTimelockedWeights {
                netuid,
                commit,
                reveal_round,
                commit_reveal_version,
            },
            _ => Call::CommitTimelockedMechanismWeights {
                netuid,
                mecid,
                commit,
                reveal_round,
                commit_reveal_version,
            },
        }
    }

    /// Several rows or commits at once.
    fn batch(&mut self) -> (Origin, Call) {
        let count = usize::from(self.small(3));
        let netuids: Vec<NetUid> = (0..count).map(|_| self.netuid()).collect();
        let lists = if self.one_in(8) { count + 1 } else { count };
        let first = netuids.first().copied().unwrap_or_default();
        let neurons = self.state.subnets.get(&first).map(|subnet| &subnet.neurons);
        let signer = neurons.and_then(|neurons| neurons.hotkeys.first().copied());
        let signer = signer.unwrap_or_else(|| self.any_hotkey());
        let call = if self.one_in(2) {
            let weights = (0..count).map(|_| vec![(0, self.small(9))]).collect();
            Call::BatchSetWeights { netuids, weights, version_keys: vec![0; lists] }
        } else {
            let commit_hashes = vec![protocol::canon::hash("row", &[1]); lists];
            Call::BatchCommitWeights { netuids, commit_hashes }
        };
        (Origin::Signed(signer), call)
    }

    fn weights(&mut self) -> (Origin, Call) {
        if self.one_in(2) {
            return if self.one_in(8) { self.batch() } else { self.commit() };
        }
        let netuid = self.netuid();
        let neurons = self.state.subnets.get(&netuid).map(|subnet| &subnet.neurons);
        let hotkeys = neurons.map_or(&[][..], |neurons| &neurons.hotkeys);
        let count = hotkeys.len() as u64;
        let signer = match hotkeys {
            [] => self.any_hotkey(),
            _ => hotkeys[usize::from(self.small(count))],
        };
        let mut dests: Vec<u16> = (0..self.small(count + 1)).collect();
        if self.one_in(10) {
            dests.push(self.small(count + 2));
        }
        let mut weights: Vec<u16> = dests.iter().map(|_| self.small(65_536)).collect();
        if self.one_in(20) {
            weights.push(1);
        }
        let version_key = 0;
        let call = if self.one_in(3) {
            let mecid = u8::try_from(self.small(3)).expect("small");
            Call::SetMechanismWeights { netuid, mecid, dests, weights, version_key }
        } else {
            Call::SetWeights { netuid, dests, weights, version_key }
        };
        (Origin::Signed(signer), call)
    }

    fn stake(&mut self) -> (Origin, Call) {
        if self.dice.below(5) < 2 {
            return self.purchase();
        }
        let position = self.held();
        let Position { hotkey, coldkey, netuid } = position;
        let amount_unstaked = self.alpha(position);
        let limit_price = self.limit(self.price(netuid));
        let call = match self.dice.below(12) {
            0..4 => Call::RemoveStake { hotkey, netuid, amount_unstaked },
            4..8 => {
                let allow_partial = self.one_in(2);
                Call::RemoveStakeLimit {
                    hotkey,
                    netuid,
                    amount_unstaked,
                    limit_price,
                    allow_partial,
                }
            }
            8 => {
                let limit_price = if self.one_in(2) { Some(limit_price) } else { None };
                Call::RemoveStakeFullLimit { hotkey, netuid, limit_price }
            }
            9 if self.one_in(2) => Call::UnstakeAll { hotkey },
            9 => Call::UnstakeAllAlpha { hotkey },
            10 => Call::RecycleAlpha { hotkey, amount: amount_unstaked, netuid },
            _ => Call::BurnAlpha { hotkey, amount: amount_unstaked, netuid },
        };
        (Origin::Signed(coldkey), call)
    }

    fn purchase(&mut self) -> (Origin, Call) {
        let netuid = self.netuid();
        if self.one_in(12) {
            let signer = self.owner(netuid);
            let limit = if self.one_in(2) { Some(self.limit(self.price(netuid))) } else { None };
            let (hotkey, amount) = (self.own_hotkey(signer), self.money(signer));
            return (Origin::Signed(signer), Call::AddStakeBurn { hotkey, netuid, amount, limit });
        }
        let signer = self.person();
        let (hotkey, amount_staked) = (self.any_hotkey(), self.money(signer));
        let call = if self.one_in(2) {
            let limit_price = self.limit(self.price(netuid));
            let allow_partial = !self.one_in(3);
            Call::AddStakeLimit { hotkey, netuid, amount_staked, limit_price, allow_partial }
        } else {
            Call::AddStake { hotkey, netuid, amount_staked }
        };
        (Origin::Signed(signer), call)
    }

    fn movement(&mut self) -> (Origin, Call) {
        let position = self.held();
        let Position { hotkey, coldkey, netuid: origin_netuid } = position;
        let alpha_amount = self.alpha(position);
        let destination_netuid = if self.one_in(6) { origin_netuid } else { self.netuid() };
        let call = match self.dice.below(4) {
            0 => Call::MoveStake {
                origin_hotkey: hotkey,
                destination_hotkey: self.any_hotkey(),
                origin_netuid,
                destination_netuid,
                alpha_amount,
            },
            1 => Call::SwapStake { hotkey, origin_netuid, destination_netuid, alpha_amount },
            2 => {
                let other = self.price(destination_netuid).max(1);
                let ratio = (self.price(origin_netuid) << 32) / other;
                let limit_price = self.limit(ratio);
                let allow_partial = self.one_in(2);
                Call::SwapStakeLimit {
                    hotkey,
                    origin_netuid,
                    destination_netuid,
                    alpha_amount,
                    limit_price,
                    allow_partial,
                }
            }
            _ => Call::TransferStake {
                destination_coldkey: self.person(),
                hotkey,
                origin_netuid,
                destination_netuid,
                alpha_amount,
            },
        };
        (Origin::Signed(coldkey), call)
    }

    fn relation(&mut self) -> (Origin, Call) {
        let (signer, hotkey) = self.owner_and_hotkey();
        let netuid = self.netuid();
        let take = self.small(13_000);
        let call = match self.dice.below(7) {
            0 => Call::IncreaseTake { hotkey, take },
            1 => Call::DecreaseTake { hotkey, take },
            2 => Call::SetChildkeyTake { hotkey, netuid, take },
            3 => {
                let neurons = self.state.subnets.get(&netuid).map(|subnet| &subnet.neurons);
                let hotkeys = neurons.map_or(&[][..], |neurons| &neurons.hotkeys);
                let hotkey = match hotkeys {
                    [] => hotkey,
                    _ => hotkeys[usize::from(self.small(hotkeys.len() as u64))],
                };
                Call::SetColdkeyAutoStakeHotkey { netuid, hotkey }
            }
            _ => {
                let count = self.dice.below(4) + self.dice.below(4);
                let children = (0..count)
                    .map(|_| (u64::MAX / (1 + self.dice.below(9)), self.any_hotkey()))
                    .collect();
                Call::SetChildren { hotkey, netuid, children }
            }
        };
        (Origin::Signed(signer), call)
    }

    fn netuids(&mut self) -> BTreeSet<NetUid> {
        (0..self.dice.below(5)).map(|_| self.netuid()).collect()
    }

    fn claim(&mut self) -> (Origin, Call) {
        let call = if self.one_in(2) {
            Call::ClaimRoot { subnets: self.netuids() }
        } else {
            let new_root_claim_type = match self.dice.below(3) {
                0 => RootClaimType::Swap,
                1 => RootClaimType::Keep,
                _ => RootClaimType::KeepSubnets(self.netuids()),
            };
            Call::SetRootClaimType { new_root_claim_type }
        };
        (Origin::Signed(self.person()), call)
    }

    fn setting(&mut self) -> (Origin, Call) {
        let netuid = self.netuid();
        let origin = match self.dice.below(4) {
            0 => Origin::Signed(self.owner(netuid)),
            1 if self.one_in(5) => Origin::Signed(self.person()),
            _ => Origin::Root,
        };
        let value = self.one_in(2);
        let setting = match self.dice.below(24) {
            0 | 1 => Setting::Tempo { netuid, value: 3 + self.small(9) },
            2 => Setting::WeightsSetRateLimit { netuid, value: 0 },
            3 => Setting::Kappa { netuid, value: self.small(65_536) },
            4 => Setting::RecycleOrBurn { netuid, value },
            5 => Setting::ToggleTransfer { netuid, value: value || self.one_in(2) },
            6 | 7 => {
                let value = u8::try_from(self.small(4)).expect("small");
                Setting::MechanismCount { netuid, value }
            }
            8 => {
                let part = self.small(65_536);
                let split = [None, Some(vec![part, 65_535 - part]), Some(vec![65_535])];
                let value = split[usize::from(self.small(3))].clone();
                Setting::MechanismEmissionSplit { netuid, value }
            }
            9 => {
                let value = Alpha(self.dice.below(11_000_000));
                Setting::RootClaimThreshold { netuid, value }
            }
            10 | 11 => {
                let factors = [0, 500_000, 2_000_000, 50_000_000];
                let value = factors[usize::from(self.small(4))];
                Setting::NominatorMinRequiredStake { value }
            }
            12 => Setting::FeeRate { netuid, value: 33 * self.small(400) },
            13 => Setting::NumRootClaims { value: self.dice.below(52) },
            14 => {
                let burns = [0, u64::MAX / 9, u64::MAX];
                Setting::CkBurn { value: burns[usize::from(self.small(3))] }
            }
            15 => Setting::StakeThreshold { value: self.dice.below(2) * TAO },
            16 => Setting::SubnetOwnerCut { value: self.small(20_000) },
            17 => Setting::MaxAllowedValidators { netuid, value: self.small(7) },
            18 => {
                let value = i128::from(self.dice.below(3)) - 1;
                Setting::TaoFlowCutoff { value: value << 80 }
            }
            19 => Setting::SubtokenEnabled { netuid, value: value || !self.one_in(4) },
            20 => Setting::NetworkRegistrationAllowed { netuid, value: value || self.one_in(2) },
            21 => Setting::MinDelegateTake { value: self.small(200) },
            22 if self.one_in(3) => {
                Setting::CommitRevealVersion { value: if value { 4 } else { 5 } }
            }
            22 if self.one_in(8) => return (origin, Call::RootDissolveNetwork { netuid }),
            22 if self.one_in(8) => {
                let coldkey = self.person();
                return (origin, Call::DissolveNetwork { coldkey, netuid });
            }
            _ => {
                let version = if value { RuleVersion::Price } else { RuleVersion::Taoflow };
                let fees = if self.one_in(2) { FeeSchedule::None } else { FeeSchedule::Reference };
                let rules = Rules { version, fees, ..self.state.rules };
                return (origin, Call::SwitchRules { rules });
            }
        };
        (origin, Call::SudoSet(setting))
    }

    /// Settings of one subnet, by its owner as often as by root; bounds are met from both sides.
    fn other_setting(&mut self) -> (Origin, Call) {
        let netuid = self.netuid();
        let origin = match self.dice.below(8) {
            0..4 => Origin::Signed(self.owner(netuid)),
            4 => Origin::Signed(self.person()),
            _ => Origin::Root,
        };
        if self.one_in(4) {
            return (Origin::Root, Call::SudoSet(self.network_setting()));
        }
        let value = self.one_in(2);
        let subnet = self.state.subnets.get(&netuid).cloned().unwrap_or_default();
        let (params, uids) = (&subnet.params, subnet.neurons.len() as u64);
        let setting = match self.dice.below(36) {
            0 => Setting::ServingRateLimit { netuid, value: self.dice.below(4) },
            1 => Setting::MinDifficulty { netuid, value: self.dice.below(1 << 40) },
            2 => Setting::MaxDifficulty { netuid, value: u64::MAX - self.dice.below(9) },
            3 => Setting::WeightsVersionKey { netuid, value: self.dice.below(8) / 7 },
            4 => Setting::AdjustmentInterval { netuid, value: self.small(30) },
            5 => Setting::AdjustmentAlpha { netuid, value: u64::MAX / (1 + self.dice.below(3)) },
            6 => Setting::ImmunityPeriod { netuid, value: self.small(60) },
            7 => Setting::MinAllowedWeights { netuid, value: self.small(4) },
            8 | 9 => Setting::MaxAllowedUids { netuid, value: self.small(uids + 4) },
            10 => {
                let value = 120 + 134 * self.small(2) + self.small(16);
                Setting::MaxAllowedUids { netuid, value }
            }
            11 => Setting::Rho { netuid, value: self.small(99) },
            12 => Setting::ActivityCutoff { netuid, value: 350 + self.small(20) },
            13 => Setting::NetworkPowRegistrationAllowed { netuid, value },
            14 => Setting::TargetRegistrationsPerInterval { netuid, value: 1 + self.small(3) },
            15 => Setting::MinBurn { netuid, value: Rao(self.dice.below(1_200_000_000)) },
            16 => {
                let value = Rao(params.min_burn.0.saturating_add(self.dice.below(500_000_000)));
                Setting::MaxBurn { netuid, value }
            }
            17 => Setting::Difficulty { netuid, value: self.dice.below(1 << 40) },
            18 => {
                let value = self.dice.below(2) * 900_000 + self.dice.below(100_001);
                Setting::BondsMovingAverage { netuid, value }
            }
            19 => Setting::BondsPenalty { netuid, value: self.small(65_536) },
            20 => Setting::MaxRegistrationsPerBlock { netuid, value: self.small(4) },
            21 => Setting::RaoRecycled { netuid, value: Rao(self.dice.below(TAO)) },
            22 => {
                let value = netuid.0 % 3 == 2 || value && self.one_in(2);
                Setting::CommitRevealWeightsEnabled { netuid, value }
            }
            23 => Setting::CommitRevealWeightsInterval { netuid, value: self.dice.below(3) },
            24 => Setting::CommitRevealWeightsInterval { netuid, value: 101 },
            25 => Setting::LiquidAlphaEnabled { netuid, value: value || self.one_in(2) },
            26 => {
                let (low, high) = (1_600 + self.small(100), 1_600 + self.small(150));
                Setting::AlphaValues { netuid, low, high }
            }
            27 => {
                let value = i16::try_from(self.small(2_000)).expect("small") - 500;
                Setting::AlphaSigmoidSteepness { netuid, value }
            }
            28 => Setting::Yuma3Enabled { netuid, value },
            29 => Setting::BondsResetEnabled { netuid, value },
            30 => Setting::OwnerImmuneNeuronLimit { netuid, value: self.small(12) },
            31 => Setting::MinNonImmuneUids { netuid, value: self.small(4) },
            32 => Setting::MinAllowedUids { netuid, value: self.small(8) },
            33 => Setting::SnOwnerHotkey { netuid, value: self.any_hotkey() },
            34 => {
                let symbols = ["α", "β", "ω", "t", "Τ", "tau", ""];
                let value = symbols[usize::from(self.small(7))].into();
                Setting::Symbol { netuid, value }
            }
            _ => Setting::TrimToMaxAllowedUids { netuid, value: self.small(uids + 2) },
        };
        (origin, Call::SudoSet(setting))
    }

    /// Settings of the network that keep it going.
    fn network_setting(&mut self) -> Setting {
        match self.dice.below(7) {
            0 => {
                let issuance = self.state.global.total_issuance.0;
                let value = Rao(issuance.saturating_sub(TAO) + self.dice.below(2 * TAO));
                Setting::TotalIssuance { value }
            }
            1 => Setting::LockReductionInterval { value: self.dice.below(30) },
            2 => Setting::DissolveNetworkScheduleDuration { value: self.dice.below(9) },
            3 => Setting::AdminFreezeWindow { value: self.small(4) },
            4 => Setting::OwnerHparamRateLimit { value: self.small(2) },
            5 => Setting::StartCallDelay { value: self.dice.below(6) },
            _ => Setting::MaxMechanismCount { value: u8::try_from(self.small(4)).expect("small") },
        }
    }
}
