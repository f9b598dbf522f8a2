//! The table of token symbols (30 §4.5 and appendix C) as ranges of code points.

use crate::balances::require;
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;
use crate::tx::Tx;
use crate::units::NetUid;
use alloc::collections::BTreeSet;
use alloc::string::String;

/// First and last code point of each run, in table order.
const RANGES: &[(u32, u32)] = &[
    (0x03A4, 0x03A4),
    (0x03B1, 0x03C1),
    (0x03C3, 0x03C3),
    (0x0074, 0x0074),
    (0x03C5, 0x03C9),
    (0x05D0, 0x05EA),
    (0x0627, 0x0628),
    (0x062A, 0x063A),
    (0x0641, 0x0648),
    (0x064A, 0x064A),
    (0x0649, 0x0649),
    (0x16A0, 0x16A0),
    (0x16A2, 0x16A2),
    (0x16A6, 0x16A6),
    (0x16A8, 0x16A8),
    (0x16B1, 0x16B1),
    (0x16B3, 0x16B3),
    (0x042B, 0x042B),
    (0x16C9, 0x16C9),
    (0x16D2, 0x16D2),
    (0x1680, 0x1685),
    (0x169B, 0x169B),
    (0x10D0, 0x10D5),
    (0x0531, 0x0536),
    (0x055E, 0x055E),
    (0x0400, 0x0405),
    (0x044A, 0x044A),
    (0x2C80, 0x2C85),
    (0x11000, 0x11003),
    (0x11005, 0x11005),
    (0x0DB1, 0x0DB1),
    (0x0DB3, 0x0DB7),
    (0x2C00, 0x2C20),
    (0x0E01, 0x0E23),
    (0x0E25, 0x0E25),
    (0x0E27, 0x0E2E),
    (0x3131, 0x3131),
    (0x3134, 0x3134),
    (0x3137, 0x3137),
    (0x3139, 0x3139),
    (0x3141, 0x3142),
    (0x3145, 0x3145),
    (0x3147, 0x3148),
    (0x314A, 0x3163),
    (0x12A0, 0x12A7),
    (0x12C8, 0x12CE),
    (0x12B0, 0x12B6),
    (0x1310, 0x1312),
    (0x1218, 0x1218),
    (0x1314, 0x1316),
    (0x0905, 0x090B),
    (0x090F, 0x0910),
    (0x0913, 0x0928),
    (0x092A, 0x0930),
    (0x0932, 0x0932),
    (0x0935, 0x0939),
    (0x30A2, 0x30A2),
    (0x30A4, 0x30A4),
    (0x30A6, 0x30A6),
    (0x30A8, 0x30A8),
    (0x30AA, 0x30AB),
    (0x30AD, 0x30AD),
    (0x30AF, 0x30AF),
    (0x30B1, 0x30B1),
    (0x30B3, 0x30B3),
    (0x30B5, 0x30B5),
    (0x30B7, 0x30B7),
    (0x30B9, 0x30B9),
    (0x30BB, 0x30BB),
    (0x30BD, 0x30BD),
    (0x30BF, 0x30BF),
    (0x30C1, 0x30C1),
    (0x30C4, 0x30C4),
    (0x30C6, 0x30C6),
    (0x30C8, 0x30C8),
    (0x30CA, 0x30CF),
    (0x30D2, 0x30D2),
    (0x30D5, 0x30D5),
    (0x30D8, 0x30D8),
    (0x30DB, 0x30DB),
    (0x30DE, 0x30E2),
    (0x30E4, 0x30E4),
    (0x30E6, 0x30E6),
    (0x30E8, 0x30ED),
    (0x30EF, 0x30EF),
    (0x30F2, 0x30F3),
    (0x2D30, 0x2D53),
    (0x0D85, 0x0D86),
    (0x0D89, 0x0D96),
    (0x0D9A, 0x0D9E),
    (0x0DA0, 0x0DA4),
    (0x0DA7, 0x0DA7),
    (0x0DA5, 0x0DA6),
    (0x0DA9, 0x0DA9),
    (0x0DA8, 0x0DA8),
    (0x0DAA, 0x0DB0),
];

/// The symbols in table order; index 0 is root's.
pub fn table() -> impl Iterator<Item = char> {
    RANGES.iter().flat_map(|(first, last)| *first..=*last).filter_map(char::from_u32)
}

/// The symbol a new subnet gets: its own place in the table, else the first unused one, else root's.
pub fn choose(state: &State, netuid: u16) -> String {
    let used: BTreeSet<&str> = state.networks().map(|(_, s)| s.info.symbol.as_str()).collect();
    let free = |symbol: &String| !used.contains(symbol.as_str());
    let root: String = table().take(1).collect();
    let own: Option<String> = table().nth(usize::from(netuid)).map(String::from);
    let own = own.unwrap_or_else(|| root.clone());
    if free(&own) {
        return own;
    }
    table().skip(1).map(String::from).find(free).unwrap_or(root)
}

/// `update_symbol` (30 §4.5). The subnet need not exist, as on the chain.
///
/// # Errors
/// `SymbolDoesNotExist`, `SymbolAlreadyInUse`, also if it is the subnet's own.
pub fn update(tx: &mut Tx<'_>, netuid: NetUid, symbol: &str) -> Result<(), Rejection> {
    let known = table().skip(1).any(|one| symbol.chars().eq([one]));
    require(known, Rejection::SymbolDoesNotExist)?;
    let used = tx.state().subnets.values().any(|subnet| subnet.info.symbol == symbol);
    require(!used, Rejection::SymbolAlreadyInUse)?;

    tx.emit(Event::SymbolUpdated { netuid, symbol: symbol.into() });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_439_symbols_at_their_places() {
        let all: alloc::vec::Vec<char> = table().collect();
        assert_eq!(all.len(), 439);
        for (index, code) in [(0, 0x3A4), (19, 0x74), (127, 0x11005), (400, 0x2D53), (438, 0xDB0)] {
            assert_eq!(u32::from(all[index]), code, "{index}");
        }
    }
}
