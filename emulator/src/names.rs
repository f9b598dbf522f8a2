//! What people call accounts and subnets: players by group and number, subnets by name and symbol.
//!
//! What belongs here: finding and following names, and texts of accounts, subnets and amounts that use them. What does
//! not: whole lines (`telling::lines`).

use crate::genesis::nobodies;
use crate::plan::Plan;
use actors::machine::Identity;
use protocol::event::Event;
use protocol::state::State;
use protocol::units::{AccountId, NetUid, PlayerId, UNITS_PER_TOKEN};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Letters of an address shown at either end.
const ADDRESS_LETTERS: usize = 5;
/// What TAO is written with.
pub const TAO: &str = "τ";
/// What alpha of a subnet without a symbol of its own is written with.
const ALPHA: &str = "α";

/// A subnet's name and the symbol of its token; either may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubnetName {
    /// The display name.
    pub name: String,
    /// The token's symbol.
    pub symbol: String,
}

/// The names in use at a block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    players: BTreeMap<PlayerId, String>,
    accounts: BTreeMap<AccountId, String>,
    subnets: BTreeMap<NetUid, SubnetName>,
}

impl Names {
    /// The names of a plan's accounts, and of the subnets of a state.
    pub fn new(plan: &Plan, state: &State) -> Self {
        let mut accounts: BTreeMap<AccountId, String> = nobodies(state.subnets.keys().copied())
            .into_iter()
            .map(|(account, name)| (account, name.to_owned()))
            .collect();
        let mut players = BTreeMap::new();
        for seat in &plan.players {
            let name = player_name(&seat.identity);
            players.insert(seat.identity.id, name.clone());
            accounts.insert(seat.identity.hotkey, name.clone());
            accounts.insert(seat.identity.coldkey, name);
        }
        let subnets = state.subnets.iter().map(|(netuid, subnet)| {
            let (name, symbol) = (subnet.info.name.clone(), subnet.info.symbol.clone());
            (*netuid, SubnetName { name, symbol })
        });
        Self { players, accounts, subnets: subnets.collect() }
    }

    /// Follows a subnet's names.
    pub fn follow(&mut self, event: &Event) {
        match event {
            Event::SubnetRegistered(facts) => {
                self.subnets.entry(facts.netuid).or_default().symbol.clone_from(&facts.symbol);
            }
            Event::SymbolUpdated { netuid, symbol } => {
                self.subnets.entry(*netuid).or_default().symbol.clone_from(symbol);
            }
            Event::SubnetIdentitySet { netuid, identity } => {
                let names = self.subnets.entry(*netuid).or_default();
                names.name.clone_from(&identity.subnet_name);
            }
            _ => {}
        }
    }

    /// Whether an event changes a name.
    pub const fn is_changed_by(event: &Event) -> bool {
        matches!(
            event,
            Event::SubnetRegistered(_)
                | Event::SymbolUpdated { .. }
                | Event::SubnetIdentitySet { .. }
        )
    }

    /// An account: the player's name and the ends of the address, or the ends alone.
    pub fn account(&self, account: &AccountId) -> String {
        let address = short(&account.to_ss58());
        match self.accounts.get(account) {
            Some(name) => format!("{name} ({address})"),
            None => address,
        }
    }

    /// A player: its name, or its id.
    pub fn player(&self, player: PlayerId) -> String {
        match self.players.get(&player) {
            Some(name) => name.clone(),
            None if player == PlayerId::CHAIN => "the chain".to_owned(),
            None => player.to_string(),
        }
    }

    /// An account by its text; a text that is no address stays as it is.
    pub fn account_text(&self, text: &str) -> String {
        text.parse().map_or_else(|_| text.to_owned(), |account| self.account(&account))
    }

    /// A subnet: `SN3 "Templar"`, or `root`.
    pub fn subnet(&self, netuid: NetUid) -> String {
        if netuid.is_root() {
            return "root".to_owned();
        }
        match self.subnets.get(&netuid).filter(|names| !names.name.is_empty()) {
            Some(names) => format!("SN{netuid} {:?}", names.name),
            None => format!("SN{netuid}"),
        }
    }

    /// What alpha of a subnet is written with: its symbol; on root, TAO's.
    pub fn symbol(&self, netuid: Option<NetUid>) -> &str {
        match netuid {
            Some(NetUid::ROOT) => TAO,
            Some(netuid) => self
                .subnets
                .get(&netuid)
                .map(|names| names.symbol.as_str())
                .filter(|symbol| !symbol.is_empty())
                .unwrap_or(ALPHA),
            None => ALPHA,
        }
    }
}

/// A player as people name it: its group and its number there, on the subnet where it has a place of its own.
pub fn player_name(identity: &Identity) -> String {
    let Identity { group, index, netuid, .. } = identity;
    match netuid {
        Some(netuid) if index >> 16 == u64::from(netuid.0) => {
            format!("{group}-{netuid}-{}", index & 0xffff)
        }
        _ => format!("{group}-{index}"),
    }
}

/// The ends of an address.
fn short(address: &str) -> String {
    let letters = address.len();
    if letters <= 2 * ADDRESS_LETTERS {
        return address.to_owned();
    }
    format!("{}…{}", &address[..ADDRESS_LETTERS], &address[letters - ADDRESS_LETTERS..])
}

/// An amount of the smallest unit in whole tokens: exact, without zeros at its end.
pub fn tokens(amount: i128) -> String {
    let unit = u128::from(UNITS_PER_TOKEN);
    let (whole, part) = (amount.unsigned_abs() / unit, amount.unsigned_abs() % unit);
    let sign = if amount < 0 { "-" } else { "" };
    let text = format!("{sign}{whole}.{part:09}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::state::SubnetIdentity;

    #[test]
    fn amounts_are_exact_and_short() {
        let rows = [
            (0, "0"),
            (1, "0.000000001"),
            (12_500_000_000, "12.5"),
            (-1_000_000_000, "-1"),
            (10_000_000_000, "10"),
            (-1, "-0.000000001"),
        ];
        for (amount, text) in rows {
            assert_eq!(tokens(amount), text);
        }
    }

    #[test]
    fn players_have_a_number_in_their_group_or_on_their_subnet() {
        let identity = |index, netuid: Option<u16>| Identity {
            id: PlayerId(1),
            group: "miners".to_owned(),
            index,
            coldkey: AccountId([1; 32]),
            hotkey: AccountId([2; 32]),
            netuid: netuid.map(NetUid),
        };
        let rows = [
            (7, None, "miners-7"),
            ((3 << 16) | 5, Some(3), "miners-3-5"),
            (5, Some(3), "miners-5"),
        ];
        for (index, netuid, name) in rows {
            assert_eq!(player_name(&identity(index, netuid)), name);
        }
    }

    #[test]
    fn subnets_are_named_as_of_the_last_event() {
        let mut names = Names::default();
        assert_eq!((names.subnet(NetUid(3)), names.symbol(Some(NetUid(3)))), ("SN3".into(), "α"));
        let identity = SubnetIdentity { subnet_name: "Templar".into(), ..Default::default() };
        let netuid = NetUid(3);
        let events = [
            Event::SubnetIdentitySet { netuid, identity: Box::new(identity) },
            Event::SymbolUpdated { netuid, symbol: "γ".into() },
        ];
        for event in events {
            assert!(Names::is_changed_by(&event));
            names.follow(&event);
        }
        assert_eq!(names.subnet(netuid), "SN3 \"Templar\"");
        assert_eq!((names.symbol(Some(netuid)), names.symbol(Some(NetUid::ROOT))), ("γ", TAO));
        assert_eq!(names.account(&AccountId([1; 32])).chars().count(), 11);
    }
}
