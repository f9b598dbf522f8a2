//! What leaving now would bring: a sale against the pool as it is, rolled back.

use super::position::value;
use crate::scenario::amount::AlphaAmount;
use protocol::ledger::{STAKE_MIN, simulate_sell};
use protocol::pool::{Fees, MIN_PRICE, Swap, SwapError};
use protocol::rejection::Rejection;
use protocol::state::Subnet;
use protocol::units::{Alpha, Rao};
use std::fmt;
use std::str::FromStr;

const PPM: u64 = 1_000_000;

/// How much is sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Millionths of what is held.
    Part(u64),
    /// So much, held or not.
    Alpha(Alpha),
}

impl Size {
    /// Sizes that are quoted unless others are asked for.
    pub const DEFAULT: [Self; 3] = [Self::Part(PPM / 4), Self::Part(PPM / 2), Self::Part(PPM)];

    /// The alpha it means for a holding; parts are rounded down.
    pub fn of(self, held: Alpha) -> Alpha {
        match self {
            Self::Part(ppm) => {
                let part = u128::from(held.0) * u128::from(ppm) / u128::from(PPM);
                Alpha(u64::try_from(part).unwrap_or(u64::MAX))
            }
            Self::Alpha(alpha) => alpha,
        }
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            "a size is an amount such as \"100 alpha\", or a part of the position such as 25%"
                .to_owned()
        };
        if let Some(percent) = text.trim().strip_suffix('%') {
            return percent_ppm(percent.trim()).map(Self::Part).ok_or_else(wrong);
        }
        let amount: AlphaAmount = text.parse().map_err(|()| wrong())?;
        (amount.0 != 0).then_some(Self::Alpha(Alpha(amount.0))).ok_or_else(wrong)
    }
}

/// Percent with up to four decimals, above zero and up to a hundred, as millionths.
fn percent_ppm(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(part) || part.len() > 4 {
        return None;
    }
    let part: u64 = format!("{part:0<4}").parse().ok()?;
    let ppm = whole.parse::<u64>().ok()?.checked_mul(10_000)?.checked_add(part)?;
    (1..=PPM).contains(&ppm).then_some(ppm)
}

impl fmt::Display for Size {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Part(ppm) if ppm % 10_000 == 0 => write!(to, "{}%", ppm / 10_000),
            Self::Part(ppm) => {
                let decimals = format!("{:04}", ppm % 10_000);
                write!(to, "{}.{}%", ppm / 10_000, decimals.trim_end_matches('0'))
            }
            Self::Alpha(alpha) => AlphaAmount(alpha.0).fmt(to),
        }
    }
}

/// What a sale of one size would bring.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quote {
    /// The size.
    pub alpha: Alpha,
    /// Its value at the spot price.
    pub spot: Rao,
    /// What the seller gets; the swap fee is taken from the alpha before.
    pub proceeds: Rao,
    /// The swap fee.
    pub fee: Alpha,
    /// What comes back unsold.
    pub unsold: Alpha,
    /// Rao per alpha of the proceeds, as a ratio; absent without proceeds.
    pub price: Option<f64>,
    /// The part of the spot value that is lost, fee included; absent without a spot value.
    pub slippage: Option<f64>,
    /// Why `remove_stake` would refuse the order, in the chain's words.
    pub refusal: Option<&'static str>,
}

/// Sells `alpha` of `held` on a subnet in one order without a limit, and rolls it back.
pub fn quote(subnet: &Subnet, held: Alpha, alpha: Alpha) -> Quote {
    let swap = sell(subnet, alpha);
    let (left, fee, proceeds) = match swap {
        Ok(swap) => (alpha.0.saturating_sub(swap.paid_in + swap.fee), swap.fee, swap.paid_out),
        Err(_) => (alpha.0, 0, 0),
    };
    // In the chain's order (20 §14.2).
    let refusal = if !subnet.params.subtoken_enabled {
        Some(Rejection::SubtokenDisabled)
    } else if alpha == Alpha::ZERO {
        Some(Rejection::AmountTooLow)
    } else if alpha > held {
        Some(Rejection::NotEnoughStakeToWithdraw)
    } else if swap.is_err() {
        Some(Rejection::InsufficientLiquidity)
    } else if alpha != held && proceeds < STAKE_MIN.0 {
        Some(Rejection::AmountTooLow)
    } else {
        None
    };
    let exact = alpha.0 as f64 * (subnet.price() as f64 / f64::powi(2.0, 32));
    Quote {
        alpha,
        spot: value(alpha, subnet.price()),
        proceeds: Rao(proceeds),
        fee: Alpha(fee),
        unsold: Alpha(left),
        price: (proceeds != 0).then(|| proceeds as f64 / alpha.0 as f64),
        slippage: (swap.is_ok() && exact >= 1.0).then(|| 1.0 - proceeds as f64 / exact),
        refusal: refusal.map(Rejection::name),
    }
}

/// The sale, on a copy of the pool. Other than the chain's own check it asks whether the reserve can pay.
fn sell(subnet: &Subnet, alpha: Alpha) -> Result<Swap, SwapError> {
    let mut pool = subnet.fast.pool;
    match subnet.params.mechanism {
        1 => pool.sell(alpha.0, MIN_PRICE, Fees::Charged),
        _ => simulate_sell(subnet, alpha.0),
    }
}
