//! Cases of the pool: orders and injections, and the whole pool after each.

use protocol::pool::{Fees, MAX_PRICE, MIN_PRICE, Pool, Swap, SwapError};
use serde::Deserialize;
use serde_json::{Value, json};

use super::check_computed;
use super::raw::Raw;

/// Checks one case; what is returned are the reasons why it fails.
pub fn check(case: &Value) -> Vec<String> {
    check_computed(case, trade)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Market {
    tao_in: u64,
    alpha_in: u64,
    alpha_out: u64,
    fee_rate: u16,
    ops: Vec<Operation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, tag = "op", rename_all = "lowercase")]
enum Operation {
    Buy(Order),
    Sell(Order),
    Inject { tao: u64, alpha: u64 },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    amount: u64,
    limit_price: Option<u64>,
    #[serde(default)]
    drop_fees: bool,
}

impl Order {
    fn fees(&self) -> Fees {
        if self.drop_fees { Fees::Dropped } else { Fees::Charged }
    }
}

fn trade(input: &Market) -> Value {
    let mut pool = Pool {
        tao: input.tao_in,
        alpha: input.alpha_in,
        alpha_out: input.alpha_out,
        fee_rate: input.fee_rate,
        ..Pool::default()
    };
    let price_before_init = Raw(pool.price());
    pool.initialize();
    let after_init = pool_json(&pool);
    let mut step = |operation: &Operation| {
        let result = operate(&mut pool, operation);
        json!({ "result": result, "pool": pool_json(&pool) })
    };
    json!({
        "price_before_init_u96f32": price_before_init,
        "after_init": after_init,
        "steps": input.ops.iter().map(&mut step).collect::<Vec<_>>(),
    })
}

/// Does what one operation asks. An order that fails leaves the pool as it was, as a call does.
fn operate(pool: &mut Pool, operation: &Operation) -> Value {
    let mut moved = *pool;
    let swap = match operation {
        Operation::Buy(order) => {
            let limit = order.limit_price.unwrap_or(MAX_PRICE);
            let bought = moved.buy(order.amount, limit, order.fees());
            bought.inspect(|swap| moved.book_buy(swap))
        }
        Operation::Sell(order) => {
            let limit = order.limit_price.unwrap_or(MIN_PRICE);
            let sold = moved.sell(order.amount, limit, order.fees());
            sold.inspect(|swap| moved.book_sell(swap))
        }
        Operation::Inject { tao, alpha } => {
            pool.adjust_liquidity(*tao, *alpha);
            pool.tao = pool.tao.saturating_add(*tao);
            pool.alpha = pool.alpha.saturating_add(*alpha);
            return json!({});
        }
    };
    match swap {
        Ok(swap) => {
            *pool = moved;
            swap_json(&swap)
        }
        Err(error) => json!({ "error": error_name(error) }),
    }
}

/// The keys of a `result`.
fn swap_json(swap: &Swap) -> Value {
    json!({
        "paid_in": swap.paid_in,
        "paid_out": swap.paid_out,
        "fee_paid": swap.fee,
        "fee_to_block_author": swap.fee,
    })
}

/// The keys of a `pool`. The position earns no fees, so what it has earned stays 0.
fn pool_json(pool: &Pool) -> Value {
    json!({
        "tao_in": pool.tao,
        "alpha_in": pool.alpha,
        "alpha_out": pool.alpha_out,
        "sqrt_price_u64f64": Raw(pool.sqrt_price),
        "price_u96f32": Raw(pool.price()),
        "liquidity": pool.liquidity,
        "fee_global_tao_u64f64": "0",
        "fee_global_alpha_u64f64": "0",
        "scrap_tao": pool.scrap_tao,
        "scrap_alpha": pool.scrap_alpha,
        "protocol_tao": pool.position().0,
    })
}

/// The chain's name of an error.
fn error_name(error: SwapError) -> &'static str {
    match error {
        SwapError::ReservesTooLow => "ReservesTooLow",
        SwapError::PriceLimitExceeded => "PriceLimitExceeded",
        SwapError::InsufficientLiquidity => "InsufficientLiquidity",
        SwapError::TooManySwapSteps => "TooManySwapSteps",
    }
}
