//! The pool of one subnet in square-root-price form: one position of the protocol over the whole range of prices.
//!
//! Not here: subnets with a fixed price (every swap is one to one there), the accounts that pay and are paid, and
//! the fee's way to the block author. The state of a swap is the square-root price and the liquidity; reserves are
//! booked by their own methods, because the chain moves them in different places.

use thiserror::Error;

use crate::fixed::{
    U64F64, U96F32, add, cast, fx, int, isqrt, mul, safe_div, sqrt_bisect, sub, u16_fraction,
};

/// The limit, in rao per whole alpha, that means "buy at any price".
pub const MAX_PRICE: u64 = u64::MAX;
/// The limit, in rao per whole alpha, that means "sell at any price".
pub const MIN_PRICE: u64 = 0;
/// A swap needs at least this much, in rao or alpha-rao, in the reserve it takes from.
pub const RESERVE_MIN: u64 = 1_000_000;

/// A pool that starts with at least this liquidity (the geometric mean of its reserves) never reaches
/// the lowest price: its alpha would have to grow to 4.29·10⁹ times the liquidity, and no subnet has
/// more than 21·10¹⁵ units of alpha.
pub const LIQUIDITY_SAFE_MIN: u64 = 5_000_000;

/// Square root of the highest price (tick 443,636), raw U64F64.
pub const SQRT_PRICE_MAX_RAW: u128 = 79_226_673_515_401_279_992_447_579_062;
/// Square root of the lowest price (tick -443,636), raw U64F64.
pub const SQRT_PRICE_MIN_RAW: u128 = 4_295_048_017;

/// The inverse of [`SQRT_PRICE_MAX_RAW`], kept because every subnet needs it in every block.
const SQRT_PRICE_MAX_INVERSE_RAW: u128 = 4_295_048_016;

/// Square roots of [`MAX_PRICE`] and [`MIN_PRICE`] as the bisection finds them; kept because it is slow.
const SQRT_LIMIT_MAX_RAW: u128 = 2_505_414_483_750_478_650_549_490;
const SQRT_LIMIT_MIN_RAW: u128 = 1_073_741_824;
/// Tolerance of the square root at initialization, 1e-12.
const TOLERANCE_INIT_RAW: u128 = 18_446_744;
/// Tolerance of the square root of a limit price, 1e-10.
const TOLERANCE_LIMIT_RAW: u128 = 1_844_674_407;
/// A limit price is in rao per whole alpha.
const RAO_PER_UNIT: u64 = 1_000_000_000;
/// Changes of a reserve travel through a signed number on the chain.
const CHANGE_MAX: u64 = i64::MAX as u64;

/// Reserves and swap state of one subnet. TAO in rao, alpha in alpha-rao.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Pool {
    /// TAO in the pool.
    pub tao: u64,
    /// Alpha in the pool.
    pub alpha: u64,
    /// Alpha outside the pool.
    pub alpha_out: u64,
    /// Whether the first swap has set the price; until then it is the ratio of the reserves.
    pub initialized: bool,
    /// Square root of the price in TAO per alpha, raw U64F64.
    pub sqrt_price: u128,
    /// Liquidity that swaps see.
    pub liquidity: u64,
    /// Liquidity noted in the protocol's position; drifts below `liquidity` when nothing is injected (quirk Q5).
    pub position_liquidity: u64,
    /// Liquidity that would leave at an edge of the price range.
    pub net_liquidity: u64,
    /// Fee of a swap, of 65,535.
    pub fee_rate: u16,
    /// TAO injected but not yet matched with alpha at the price.
    pub scrap_tao: u64,
    /// Alpha injected but not yet matched with TAO at the price.
    pub scrap_alpha: u64,
}

/// Why a swap is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SwapError {
    /// The reserve to take from is below [`RESERVE_MIN`], or the input is worth less than one unit of output.
    #[error("the pool's reserves are too low for this swap")]
    ReservesTooLow,
    /// The price is already at or beyond the limit.
    #[error("the price is at or beyond the limit")]
    PriceLimitExceeded,
    /// The output is more than the reserve holds.
    #[error("the pool does not hold what the swap would pay out")]
    InsufficientLiquidity,
    /// Unreachable with one position; kept because the chain has it.
    #[error("the swap crosses too many ticks")]
    TooManySwapSteps,
}

/// What a swap moved. `paid_in` and `fee` are in the input currency, `paid_out` in the other. Input beyond
/// `paid_in + fee` was not used and stays with the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swap {
    /// Input that enters the pool.
    pub paid_in: u64,
    /// Output that leaves the pool.
    pub paid_out: u64,
    /// Input that goes to the block author.
    pub fee: u64,
}

/// Whether a swap pays the pool's fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fees {
    /// At the pool's fee rate.
    Charged,
    /// Free: the chain's own swaps.
    Dropped,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Buy,
    Sell,
}

struct Order {
    direction: Direction,
    amount: u64,
    limit: u64,
    fees: Fees,
}

impl Pool {
    /// TAO per alpha, raw U96F32, floored; from the reserves until the pool is initialized (0 without alpha).
    ///
    /// Mirrors: `current_price` of a dynamic subnet.
    pub fn price(&self) -> u128 {
        let price: U96F32 = if self.initialized {
            let root = U64F64::from_bits(self.sqrt_price);
            cast(mul(root, root))
        } else {
            safe_div(fx(self.tao), fx(self.alpha))
        };
        price.to_bits()
    }

    /// Sets price and liquidity from the reserves, once; does nothing to an initialized pool.
    ///
    /// The root is off by up to 1e-12. Roots beyond the range of prices become its edge.
    ///
    /// Mirrors: `maybe_initialize_v3`.
    pub fn initialize(&mut self) {
        if self.initialized {
            return;
        }
        let ratio = safe_div(fx(self.tao), fx(self.alpha));
        let root = sqrt_bisect(ratio, U64F64::from_bits(TOLERANCE_INIT_RAW)).to_bits();
        let liquidity = isqrt(u128::from(self.tao) * u128::from(self.alpha));
        self.initialized = true;
        self.sqrt_price = root.clamp(SQRT_PRICE_MIN_RAW, SQRT_PRICE_MAX_RAW);
        self.liquidity = liquidity;
        self.position_liquidity = liquidity;
        self.net_liquidity = liquidity;
    }

    /// Swaps up to `tao` rao for alpha while the price stays below `limit` (rao per whole alpha). Moves price and
    /// liquidity only; see [`Pool::book_buy`]. Amounts are floored; the pool keeps the rest.
    ///
    /// Mirrors: `swap` of the swap pallet with a buy order.
    ///
    /// # Errors
    /// [`SwapError`]; the pool is unchanged, except that `InsufficientLiquidity` leaves the price moved (quirk Q4):
    /// the chain rolls that back in a call, but not inside the block step.
    pub fn buy(&mut self, tao: u64, limit: u64, fees: Fees) -> Result<Swap, SwapError> {
        self.swap(&Order { direction: Direction::Buy, amount: tao, limit, fees })
    }

    /// Swaps up to `alpha` alpha-rao for TAO while the price stays above `limit` (rao per whole alpha). Moves price and
    /// liquidity only; see [`Pool::book_sell`]. Amounts are floored; the pool keeps the rest.
    ///
    /// Mirrors: `swap` of the swap pallet with a sell order.
    ///
    /// # Errors
    /// As [`Pool::buy`].
    ///
    /// # Panics
    /// The sale reaches the lowest price, see [`LIQUIDITY_SAFE_MIN`].
    pub fn sell(&mut self, alpha: u64, limit: u64, fees: Fees) -> Result<Swap, SwapError> {
        self.swap(&Order { direction: Direction::Sell, amount: alpha, limit, fees })
    }

    /// What [`Pool::buy`] would do, whether or not the reserve could pay it out.
    ///
    /// Mirrors: `sim_swap`.
    ///
    /// # Errors
    /// As [`Pool::buy`], without `InsufficientLiquidity`.
    pub fn simulate_buy(&self, tao: u64, limit: u64, fees: Fees) -> Result<Swap, SwapError> {
        let mut copy = *self;
        let order = Order { direction: Direction::Buy, amount: tao, limit, fees };
        copy.step(&order).map(|(swap, _)| swap)
    }

    /// What [`Pool::sell`] would do, whether or not the reserve could pay it out.
    ///
    /// Mirrors: `sim_swap`.
    ///
    /// # Errors
    /// As [`Pool::sell`], without `InsufficientLiquidity`.
    pub fn simulate_sell(&self, alpha: u64, limit: u64, fees: Fees) -> Result<Swap, SwapError> {
        let mut copy = *self;
        let order = Order { direction: Direction::Sell, amount: alpha, limit, fees };
        copy.step(&order).map(|(swap, _)| swap)
    }

    /// Adds injected `tao` and `alpha` to the protocol's position as far as they match at the price; the unmatched part
    /// waits in the scrap fields. The price stays. Call before the reserves grow, every block, also with zeros:
    /// the position is recomputed with floors each time and shrinks a little. Nothing before initialization.
    ///
    /// Mirrors: `adjust_protocol_liquidity`.
    pub fn adjust_liquidity(&mut self, tao: u64, alpha: u64) {
        if !self.initialized {
            return;
        }
        let (tao, alpha) = self.adjust_liquidity_match(tao, alpha);
        let (held_tao, held_alpha) = self.position();
        let liquidity = isqrt(
            u128::from(held_tao.saturating_add(tao)) * u128::from(held_alpha.saturating_add(alpha)),
        );
        let added = liquidity.saturating_sub(self.position_liquidity);
        self.liquidity = self.liquidity.saturating_add(added);
        self.net_liquidity = self.net_liquidity.saturating_add(added);
        self.position_liquidity = liquidity;
    }

    fn adjust_liquidity_match(&mut self, tao: u64, alpha: u64) -> (u64, u64) {
        let tao = tao.saturating_add(self.scrap_tao);
        let alpha = alpha.saturating_add(self.scrap_alpha);
        let root = U64F64::from_bits(self.sqrt_price);
        let price = mul(root, root);
        let tao_needed = int(mul(fx(alpha), price));
        if tao_needed <= tao {
            self.scrap_tao = tao - tao_needed;
            self.scrap_alpha = 0;
            return (tao_needed, alpha);
        }
        let alpha_needed = int(safe_div(fx::<U64F64>(tao), price));
        self.scrap_tao = 0;
        self.scrap_alpha = alpha.saturating_sub(alpha_needed);
        (tao, alpha_needed)
    }

    /// TAO and alpha that the protocol's position stands for, floored.
    ///
    /// Mirrors: `Position::to_token_amounts`.
    pub fn position(&self) -> (u64, u64) {
        let liquidity: U64F64 = fx(self.position_liquidity);
        let root = U64F64::from_bits(self.sqrt_price);
        let tao = mul(liquidity, sub(root, U64F64::from_bits(SQRT_PRICE_MIN_RAW)));
        let alpha =
            mul(liquidity, sub(inverse(root), U64F64::from_bits(SQRT_PRICE_MAX_INVERSE_RAW)));
        (int(tao), int(alpha))
    }

    /// Books a buy on the reserves: TAO comes in, alpha goes out of the pool. Saturating.
    ///
    /// Mirrors: the reserve changes of `swap_tao_for_alpha`.
    pub fn book_buy(&mut self, swap: &Swap) {
        let (paid_in, paid_out) = (swap.paid_in.min(CHANGE_MAX), swap.paid_out.min(CHANGE_MAX));
        self.tao = self.tao.saturating_add(paid_in);
        self.alpha = self.alpha.saturating_sub(paid_out);
        self.alpha_out = self.alpha_out.saturating_add(swap.paid_out);
    }

    /// Books a sale on the reserves: alpha comes in, TAO goes out of the pool. Saturating.
    ///
    /// Mirrors: the reserve changes of `swap_alpha_for_tao`.
    pub fn book_sell(&mut self, swap: &Swap) {
        let (paid_in, paid_out) = (swap.paid_in.min(CHANGE_MAX), swap.paid_out.min(CHANGE_MAX));
        self.alpha = self.alpha.saturating_add(paid_in);
        self.alpha_out = self.alpha_out.saturating_sub(paid_in);
        self.tao = self.tao.saturating_sub(paid_out);
    }

    fn swap(&mut self, order: &Order) -> Result<Swap, SwapError> {
        let mut moved = *self;
        let (swap, end) = moved.step(order)?;
        assert!(
            end != End::Edge || moved.net_liquidity == 0,
            "a swap of {} reached the edge of the price range, which no supply of alpha allows in a \
             pool that started with a liquidity of {LIQUIDITY_SAFE_MIN}: {self:?}",
            order.amount,
        );
        let reserve = self.output_reserve(order.direction);
        *self = moved;
        if swap.paid_out > reserve {
            return Err(SwapError::InsufficientLiquidity);
        }
        Ok(swap)
    }

    fn output_reserve(&self, direction: Direction) -> u64 {
        match direction {
            Direction::Buy => self.alpha,
            Direction::Sell => self.tao,
        }
    }

    /// One step over the only range there is. Leaves `self` half changed on an error: call it on a copy.
    fn step(&mut self, order: &Order) -> Result<(Swap, End), SwapError> {
        if self.output_reserve(order.direction) < RESERVE_MIN {
            return Err(SwapError::ReservesTooLow);
        }
        self.initialize();
        let limit = sqrt_limit(order.limit);
        if !order.direction.is_before(self.root(), limit) {
            return Err(SwapError::PriceLimitExceeded);
        }
        if order.amount == 0 {
            return Ok((Swap::default(), End::Target));
        }
        let (root, end, paid_in, fee) = self.step_reach(order, limit);
        let paid_out = self.paid_out(order.direction, paid_in);
        if paid_in > 0 && paid_out == 0 {
            return Err(SwapError::ReservesTooLow);
        }
        self.sqrt_price = root.to_bits();
        if end == End::Edge {
            self.liquidity = self.liquidity.saturating_sub(self.net_liquidity);
        }
        Ok((Swap { paid_in, paid_out, fee }, end))
    }

    fn step_reach(&self, order: &Order, limit: U64F64) -> (U64F64, End, u64, u64) {
        let direction = order.direction;
        let fee_rate = if order.fees == Fees::Charged { self.fee_rate } else { 0 };
        let fee = int(mul(fx::<U64F64>(order.amount), u16_fraction(fee_rate)));
        let paid_in = order.amount.saturating_sub(fee);
        let target = self.target(direction, paid_in);
        let edge = direction.edge();
        let nearer = |a: U64F64, b: U64F64| a == b || direction.is_before(a, b);

        if nearer(target, limit) && nearer(target, edge) {
            return (target, End::Target, paid_in, fee);
        }
        let limit_first = nearer(limit, target) && nearer(limit, edge);
        let (root, end) = if limit_first { (limit, End::Limit) } else { (edge, End::Edge) };
        let paid_in = self.needed(direction, root);
        // The fee is a part of the whole, here found from the part that is left.
        let rate: U64F64 = fx(fee_rate);
        let fee = int(mul(fx(paid_in), safe_div(rate, sub(fx(u16::MAX), rate))));
        (root, end, paid_in, fee)
    }

    fn root(&self) -> U64F64 {
        U64F64::from_bits(self.sqrt_price)
    }

    /// The square-root price after `paid_in` has entered the pool.
    fn target(&self, direction: Direction, paid_in: u64) -> U64F64 {
        if self.liquidity == 0 {
            return direction.without_liquidity();
        }
        let step = safe_div(fx(paid_in), fx(self.liquidity));
        match direction {
            Direction::Buy => add(step, self.root()),
            Direction::Sell => inverse(add(step, inverse(self.root()))),
        }
    }

    /// The input that moves the square-root price to `root`.
    fn needed(&self, direction: Direction, root: U64F64) -> u64 {
        let distance = match direction {
            Direction::Buy => sub(root, self.root()),
            Direction::Sell => sub(inverse(root), inverse(self.root())),
        };
        int(mul(fx(self.liquidity), distance))
    }

    /// The output for `paid_in`, at the liquidity and price before the step.
    fn paid_out(&self, direction: Direction, paid_in: u64) -> u64 {
        if paid_in == 0 {
            return 0;
        }
        let (liquidity, root, paid_in): (U64F64, _, _) =
            (fx(self.liquidity), self.root(), fx(paid_in));
        match direction {
            Direction::Buy => {
                let reserve = add(mul(liquidity, root), paid_in);
                int(mul(safe_div(liquidity, mul(reserve, root)), paid_in))
            }
            Direction::Sell => {
                let reserve = add(safe_div(liquidity, root), paid_in);
                int(mul(paid_in, mul(safe_div(liquidity, reserve), root)))
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Target,
    Limit,
    Edge,
}

impl Direction {
    /// Whether a swap in this direction passes `a` strictly before `b`.
    fn is_before(self, a: U64F64, b: U64F64) -> bool {
        match self {
            Self::Buy => a < b,
            Self::Sell => a > b,
        }
    }

    fn edge(self) -> U64F64 {
        match self {
            Self::Buy => U64F64::from_bits(SQRT_PRICE_MAX_RAW),
            Self::Sell => U64F64::from_bits(SQRT_PRICE_MIN_RAW),
        }
    }

    fn without_liquidity(self) -> U64F64 {
        match self {
            Self::Buy => fx(u64::MAX),
            Self::Sell => U64F64::from_bits(0),
        }
    }
}

fn inverse(root: U64F64) -> U64F64 {
    safe_div(fx(1_u8), root)
}

fn sqrt_limit(limit: u64) -> U64F64 {
    match limit {
        MAX_PRICE => U64F64::from_bits(SQRT_LIMIT_MAX_RAW),
        MIN_PRICE => U64F64::from_bits(SQRT_LIMIT_MIN_RAW),
        limit => sqrt_limit_search(limit),
    }
}

fn sqrt_limit_search(limit: u64) -> U64F64 {
    sqrt_bisect(safe_div(fx(limit), fx(RAO_PER_UNIT)), U64F64::from_bits(TOLERANCE_LIMIT_RAW))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pool(tao: u64, alpha: u64) -> Pool {
        Pool { tao, alpha, fee_rate: 33, ..Pool::default() }
    }

    /// The thinnest pool that may start, and all the alpha there can be sold into it.
    #[test]
    fn no_supply_of_alpha_reaches_the_lowest_price() {
        let supply = crate::issuance::SUPPLY_MAX_RAO + 2 * crate::issuance::BLOCK_EMISSION_RAO;
        let least = LIQUIDITY_SAFE_MIN;
        let rows = [
            (least, least),
            (RESERVE_MIN, least * least / RESERVE_MIN),
            (least * least / 4, 4),
            (25, least * least / 25),
            (21_000_000_000_000_000, 1 << 30),
        ];
        for (tao, alpha) in rows {
            let mut pool = pool(tao, alpha);
            for part in [supply / 2, supply - supply / 2 - alpha.min(supply / 2)] {
                match pool.sell(part, MIN_PRICE, Fees::Dropped) {
                    Ok(swap) => pool.book_sell(&swap),
                    Err(error) => assert_eq!(error, SwapError::ReservesTooLow, "{tao}, {alpha}"),
                }
            }
            assert!(pool.liquidity > 0 || !pool.initialized, "{tao} rao, {alpha} alpha: {pool:?}");
        }
    }

    fn check_swap(
        pool: &mut Pool,
        direction: Direction,
        amount: u64,
        expected: [u64; 3],
        root: Option<u128>,
    ) {
        let swap = match direction {
            Direction::Buy => pool.buy(amount, MAX_PRICE, Fees::Charged),
            Direction::Sell => pool.sell(amount, MIN_PRICE, Fees::Charged),
        }
        .expect("a swap of the table");
        match direction {
            Direction::Buy => pool.book_buy(&swap),
            Direction::Sell => pool.book_sell(&swap),
        }
        assert_eq!([swap.paid_in, swap.fee, swap.paid_out], expected, "{amount}");
        if let Some(root) = root {
            assert_eq!(pool.sqrt_price, root, "{amount}");
        }
    }

    #[test]
    fn swaps_of_the_spec() {
        use Direction::{Buy, Sell};
        let mut p = pool(1_000_000_000_000, 1_000_000_000_000);
        check_swap(
            &mut p,
            Buy,
            100_000_000_000,
            [99949645228, 50354772, 90867473489],
            Some(20290489599488532781),
        );
        check_swap(
            &mut p,
            Sell,
            90867473489,
            [90821717380, 45756109, 99903887024],
            Some(18447588163581286451),
        );
        let mut p = pool(100_000_000_000, 400_000_000_000);
        p.initialize();
        assert_eq!((p.sqrt_price, p.liquidity), (9223372036863164416, 200_000_000_000));
        check_swap(
            &mut p,
            Buy,
            1_000_000_000,
            [999496453, 503547, 3958421529],
            Some(9315559313218521752),
        );
        check_swap(
            &mut p,
            Sell,
            3958421529,
            [3956428275, 1993254, 998998136],
            Some(9223417998405134628),
        );
        let mut p = pool(100_000_000_000, 1_000_000_000_000);
        check_swap(
            &mut p,
            Buy,
            100_000_000,
            [99949646, 50354, 998498464],
            Some(5839203104053463060),
        );
        let mut p = pool(3896056559708, 128011331299964);
        check_swap(
            &mut p,
            Buy,
            1_000_000_000,
            [999496453, 503547, 32831673379],
            Some(3218989364122644529),
        );
        // Each on a pool of its own: after the buy the price is higher and the sale gives 250.
        let rows = [
            (Buy, 1000, [1000, 0, 3999]),
            (Sell, 1000, [1000, 0, 249]),
            (Buy, 500_000_000, [499748227, 251773, 1997994413]),
        ];
        for (direction, amount, expected) in rows {
            let mut p = pool(1_000_000_000_000, 4_000_000_000_000);
            check_swap(&mut p, direction, amount, expected, None);
        }
    }

    #[test]
    fn most_that_can_be_added_below_a_limit() {
        use SwapError::PriceLimitExceeded;
        let rows = [
            ((1_000_000_000, 1_000_000_000, 0), Err(PriceLimitExceeded)),
            ((1_000_000, 1_000_000, 4_000_000_000), Ok(1_000_503)),
            ((1_000_000, 1_000_000, 16_000_000_000), Ok(3_001_511)),
            ((1_000_000_000_000, 1_000_000_000_000, 16_000_000_000), Ok(3_001_511_404_231)),
            ((150_000_000_000, 100_000_000_000, 1_499_999_999), Err(PriceLimitExceeded)),
            ((150_000_000_000, 100_000_000_000, 1_500_000_000), Ok(5)),
            ((150_000_000_000, 100_000_000_000, 1_500_000_001), Ok(51)),
            ((150_000_000_000, 100_000_000_000, 6_000_000_000), Ok(150_075_570_210)),
            ((150_000_000_000, 100_000_000_000, 24_000_000_000), Ok(450_226_710_632)),
            ((150_000_000_000, 999_999, 24_000_000_000), Err(SwapError::ReservesTooLow)),
        ];
        for ((tao, alpha, limit), expected) in rows {
            let swap = pool(tao, alpha).simulate_buy(u64::MAX, limit, Fees::Charged);
            assert_eq!(swap.map(|s| s.paid_in + s.fee), expected, "{tao}/{alpha} at {limit}");
        }
    }

    #[test]
    fn most_that_can_be_removed_above_a_limit() {
        let rows = [
            ((1_000_000, 1_000_000, 250_000_000), Ok(1_000_502)),
            ((1_000_000, 1_000_000, 62_500_000), Ok(3_001_511)),
            ((200_000_000_000, 100_000_000_000, 500_000_000), Ok(100_050_380_139)),
            ((200_000_000_000, 100_000_000_000, 1_999_999_990), Ok(252)),
            ((200_000_000_000, 100_000_000_000, 0), Ok(u64::MAX)),
            ((200_000_000_000, 100_000_000_000, 2_000_000_000), Err(SwapError::PriceLimitExceeded)),
        ];
        for ((tao, alpha, limit), expected) in rows {
            let swap = pool(tao, alpha).simulate_sell(u64::MAX, limit, Fees::Charged);
            assert_eq!(swap.map(|s| s.paid_in + s.fee), expected, "{tao}/{alpha} at {limit}");
        }
    }

    #[test]
    fn the_inverse_of_the_highest_price() {
        let inverse = inverse(U64F64::from_bits(SQRT_PRICE_MAX_RAW));
        assert_eq!(inverse.to_bits(), SQRT_PRICE_MAX_INVERSE_RAW);
    }

    #[test]
    fn limits_that_mean_any_price() {
        for limit in [MAX_PRICE, MIN_PRICE] {
            assert_eq!(sqrt_limit(limit), sqrt_limit_search(limit), "{limit}");
        }
    }

    #[test]
    fn output_alone() {
        let p = Pool { sqrt_price: 3 << 63, liquidity: 2_000_000_000_000, ..Pool::default() };
        let rows = [(10_000, 4444, 22_500), (1_000_000, 444_444, 2_250_000), (1, 0, 2)];
        for (paid_in, bought, sold) in rows {
            assert!(p.paid_out(Direction::Buy, paid_in).abs_diff(bought) <= 2, "buy {paid_in}");
            assert!(p.paid_out(Direction::Sell, paid_in).abs_diff(sold) <= 2, "sell {paid_in}");
        }
    }

    #[test]
    fn position_shrinks_when_nothing_is_injected() {
        let mut p = pool(1_000_000_000_000_000, 1_000_000_000_000_000);
        p.adjust_liquidity(7, 7);
        assert_eq!(p, pool(1_000_000_000_000_000, 1_000_000_000_000_000));
        p.initialize();
        for expected in
            [999999999767164, 999999999534328, 999999999301492, 999999999068656, 999999998835820]
        {
            p.adjust_liquidity(0, 0);
            assert_eq!((p.liquidity, p.position_liquidity), (1_000_000_000_000_000, expected));
        }
        p.adjust_liquidity(123, 456);
        assert_eq!((p.position_liquidity, p.scrap_tao, p.scrap_alpha), (999999998603107, 0, 333));
        p.adjust_liquidity(500_000_000, 500_000_000);
        assert_eq!((p.liquidity, p.position_liquidity), (1000000499767164, 1000000498370271));
        assert_eq!(p.net_liquidity, p.liquidity);
    }

    #[test]
    fn injection_at_the_price_adds_liquidity() {
        let mut p = pool(150_000_000_000, 100_000_000_000);
        p.initialize();
        for expected in [122474759274, 122475031409, 122475303544] {
            p.adjust_liquidity(333_333, 222_222);
            assert_eq!((p.liquidity, p.position_liquidity), (expected, expected));
        }
    }

    #[test]
    fn errors_leave_the_pool_alone_except_for_missing_reserves() {
        let start = pool(1_000_000, 1_000_000);
        let mut p = start;
        assert_eq!(p.buy(1000, 1, Fees::Charged), Err(SwapError::PriceLimitExceeded));
        assert_eq!(p, start);
        assert_eq!(p.buy(0, MAX_PRICE, Fees::Charged), Ok(Swap::default()));
        assert!(p.initialized);
        // Liquidity promises more than the reserve holds.
        let mut p = Pool { liquidity: 2_000_000_000, ..p };
        let before = p;
        assert_eq!(
            p.buy(1_000_000_000, MAX_PRICE, Fees::Charged),
            Err(SwapError::InsufficientLiquidity)
        );
        assert!(p.sqrt_price > before.sqrt_price);
        assert!(before.simulate_buy(1_000_000_000, MAX_PRICE, Fees::Charged).is_ok());
    }

    fn any_pool() -> impl Strategy<Value = Pool> {
        let reserve = 1_000_000_u64..20_000_000_000_000_000;
        (reserve.clone(), reserve, 0_u16..10_000)
            .prop_map(|(tao, alpha, fee_rate)| Pool { fee_rate, ..pool(tao, alpha) })
    }

    fn any_injected() -> impl Strategy<Value = Pool> {
        (any_pool(), 0_u64..1_000_000_000, 0_u64..1_000_000_000).prop_map(|(mut p, tao, alpha)| {
            p.initialize();
            p.adjust_liquidity(tao, alpha);
            p.tao += tao;
            p.alpha += alpha;
            p
        })
    }

    proptest! {
        #[test]
        fn buying_and_selling_back_never_profits(start in any_injected(), tao in 1_u64..1_000_000_000_000_000, free: bool) {
            let fees = if free { Fees::Dropped } else { Fees::Charged };
            let mut p = start;
            if let Ok(bought) = p.buy(tao, MAX_PRICE, fees) {
                p.book_buy(&bought);
                if let Ok(sold) = p.sell(bought.paid_out, MIN_PRICE, fees) {
                    prop_assert!(sold.paid_out <= bought.paid_in + bought.fee, "{:?} {:?}", bought, sold);
                }
            }
        }

        #[test]
        fn price_moves_with_the_trade_and_not_with_injection(
            start in any_injected(),
            amount in 0_u64..1_000_000_000_000_000,
            limit: u64,
        ) {
            let mut p = start;
            let _ = p.buy(amount, limit, Fees::Charged);
            prop_assert!(p.sqrt_price >= start.sqrt_price);
            let mut p = start;
            let _ = p.sell(amount, limit, Fees::Charged);
            prop_assert!(p.sqrt_price <= start.sqrt_price);
            let mut p = start;
            p.adjust_liquidity(amount, limit >> 16);
            prop_assert_eq!(p.sqrt_price, start.sqrt_price);
            prop_assert!(p.liquidity >= p.position_liquidity);
            prop_assert_eq!(p.net_liquidity, p.liquidity);
        }

        #[test]
        fn a_full_swap_is_constant_product_on_virtual_reserves(start in any_pool(), tao in 1_u64..1_000_000_000_000) {
            let mut p = start;
            p.initialize();
            prop_assume!((1 << 54..=1 << 74).contains(&p.sqrt_price));
            if let Ok(swap) = p.buy(tao, MAX_PRICE, Fees::Charged) {
                let ideal = u128::from(start.alpha) * u128::from(swap.paid_in)
                    / (u128::from(start.tao) + u128::from(swap.paid_in));
                let out = u128::from(swap.paid_out);
                prop_assert!(out.abs_diff(ideal) <= 2 + ideal / 100_000, "{} {}", out, ideal);
            }
        }
    }
}
