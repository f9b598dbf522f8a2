//! The one description of exported tables: names, columns, types and what they hold, and how a row is filled.
//!
//! docs/export.md shows the same; CSV, JSON lines and Parquet write the same. What does not belong here: which rows a
//! block gives (`rows`), how a format writes them.

use super::rows::{BlockRow, CallRow, EventRow, Moment, NeuronRow, SubnetRow};
use crate::run::totals::ratio;
use protocol::units::{AccountId, Alpha, Hash32, Height, NetUid, Rao};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A signed number of 64 bits.
    Integer,
    /// A number of 64 bits with a point.
    Float,
    /// True or false.
    Flag,
    /// A text that many rows share.
    Word,
    /// An address in SS58.
    Account,
    /// 32 bytes as lower-case hexadecimal digits.
    Hash,
    /// A whole number too long for 64 bits, in decimal digits.
    Decimal,
    /// A JSON object as text.
    Json,
    /// A moment of simulated time, UTC, in milliseconds.
    Time,
}

/// Whether a column has a value in every row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// In every row.
    Always,
    /// Not in every row.
    Sometimes,
}

/// A column.
#[derive(Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, with the unit at its end.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it has a value in every row.
    pub presence: Presence,
    /// What it is.
    #[cfg_attr(not(test), allow(dead_code, reason = "docs/export.md shows it"))]
    pub about: &'static str,
}

/// A table.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name, and that of its file.
    pub name: &'static str,
    /// What a row is.
    #[cfg_attr(not(test), allow(dead_code, reason = "docs/export.md shows it"))]
    pub about: &'static str,
    /// Its columns, in order.
    pub columns: &'static [Column],
}

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// None.
    Null,
    /// Of an integer column.
    Integer(i64),
    /// Of a float column.
    Float(f64),
    /// Of a flag column.
    Flag(bool),
    /// A text of the program's own.
    Word(&'static str),
    /// Any other text.
    Text(String),
    /// Milliseconds since 1970, UTC.
    Time(i64),
}

/// A number beyond 2⁶³−1 has no value; writers refuse a row that lacks one it must have.
impl From<u64> for Value {
    fn from(number: u64) -> Self {
        i64::try_from(number).map_or(Self::Null, Self::Integer)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

macro_rules! values {
    ($($from:ty: $value:pat => $into:expr;)*) => {
        $(impl From<$from> for Value {
            fn from($value: $from) -> Self {
                $into
            }
        })*
    };
}

values! {
    i64: number => Self::Integer(number);
    u32: number => Self::Integer(i64::from(number));
    u16: number => Self::Integer(i64::from(number));
    usize: number => Self::from(number as u64);
    Rao: amount => Self::from(amount.0);
    Alpha: amount => Self::from(amount.0);
    Height: height => Self::from(height.0);
    NetUid: netuid => Self::from(netuid.0);
    f64: number => Self::Float(number);
    bool: flag => Self::Flag(flag);
    &'static str: word => Self::Word(word);
    String: text => Self::Text(text);
    u128: bits => Self::Text(bits.to_string());
    i128: bits => Self::Text(bits.to_string());
    AccountId: account => Self::Text(account.to_ss58());
    Hash32: hash => Self::Text(hash.to_string());
    Moment: moment => Self::Time(moment.0);
}

macro_rules! tables {
    ($($constant:ident $name:literal, $about:literal, $function:ident($row:ident: $type:ty) {
        $($column:ident: $presence:ident $kind:ident, $text:literal => $value:expr;)*
    })*) => {
        $(
            #[doc = $about]
            pub const $constant: &Table = &Table {
                name: $name,
                about: $about,
                columns: &[$(Column {
                    name: stringify!($column),
                    kind: Kind::$kind,
                    presence: Presence::$presence,
                    about: $text,
                },)*],
            };

            /// The values of a row, in the order of the columns.
            pub fn $function($row: $type) -> Vec<Value> {
                vec![$(Value::from($value)),*]
            }
        )*

        /// Every table, in the order of docs/export.md.
        pub const TABLES: &[&Table] = &[$($constant,)*];
    };
}

tables! {
    BLOCKS "blocks", "One row per block, the one of genesis first", block(row: BlockRow<'_>) {
        block: Always Integer, "The chain's own number" => row.at.block;
        time: Always Time, "Simulated time" => row.at.time;
        hash: Always Hash, "Block hash" => row.header.hash();
        parent: Always Hash, "Hash of the block before; of genesis the simulation hash" => row.header.parent;
        state_root: Always Hash, "Root of the state after it" => row.header.state_root;
        entropy: Always Hash, "The block's draw of the seed" => row.header.entropy;
        events: Always Integer, "Public events; columnar ones count once" => row.counts.events;
        sealed: Always Integer, "Sealed facts" => row.counts.sealed;
        calls_ok: Always Integer, "Calls done" => row.counts.ok;
        calls_failed: Always Integer, "Calls included that changed nothing" => row.counts.failed;
        calls_refused: Always Integer, "Calls not included" => row.counts.refused;
        messages_sent: Always Integer, "Messages between players handed to the network; a duplicate counts once" => row.counts.messages.sent;
        messages_delivered: Always Integer, "Messages handed to players" => row.counts.messages.delivered;
        messages_dropped: Always Integer, "Messages that the network lost" => row.counts.messages.dropped;
        queries_sent: Always Integer, "Queries sent by all players" => row.counts.queries;
        answers_received: Always Integer, "Answers received by all players" => row.counts.answers;
        answer_latency_ms: Always Integer, "Sum over received answers of the time since the query was sent" => row.counts.latency_ms;
        crashes: Always Integer, "Players whose machine panicked" => row.counts.crashes;
        rules: Always Word, "What emission shares follow" => row.state.rules.version.name();
        subnets: Always Integer, "Subnets that exist, root not counted" => row.subnets();
        subnet_limit: Always Integer, "Subnets there may be" => row.state.global.subnet_limit;
        lock_cost_rao: Always Integer, "What registering a subnet costs after the block" => row.lock_cost();
        total_issuance_rao: Always Integer, "TAO ever issued less TAO recycled" => row.state.global.total_issuance;
        total_stake_rao: Always Integer, "The chain's own counter of staked TAO, with its quirks" => row.state.global.total_stake;
        block_emission_rao: Always Integer, "TAO the curve allowed the block" => row.state.global.block_emission;
    }

    CALLS "calls", "One row per call of a block, in the order they were decided; then refused calls whose bodies were not kept, counted by player and reason", call(row: CallRow) {
        block: Always Integer, "The block" => row.at.block;
        time: Always Time, "Simulated time of the block" => row.at.time;
        index: Always Integer, "Its place in the block, from 0" => row.index;
        player: Always Word, "Who submitted it, 16 hexadecimal digits; 0 is the chain itself" => row.player;
        group: Sometimes Word, "The player's group" => row.group;
        sequence: Sometimes Integer, "The submitter's sequence number" => row.sequence;
        due: Sometimes Time, "When it reached the chain" => row.due;
        signer: Sometimes Account, "Who signed it; none is root" => row.signer;
        nonce: Sometimes Integer, "The signer's nonce" => row.nonce;
        call: Sometimes Word, "The chain's name of the call; none where bodies were not kept" => row.call;
        netuid: Sometimes Integer, "The subnet it names" => row.netuid;
        outcome: Always Word, "`ok`, `failed` (included, changed nothing) or `refused` (not included)" => row.outcome;
        reason: Sometimes Word, "Why not" => row.reason;
        count: Always Integer, "1; more where bodies were not kept" => row.count;
        arguments: Sometimes Json, "All arguments; sealed payloads as hash and length" => row.arguments;
    }

    EVENTS "events", "One row per fact, in order: a columnar event gives one row per subnet, neuron or holder, as `btemu log` shows them; sealed facts come last in their block. docs/events.md says what each kind means", event(row: EventRow) {
        block: Always Integer, "The block" => row.at.block;
        time: Always Time, "Simulated time of the block" => row.at.time;
        index: Always Integer, "The event's place in the block, from 0" => row.index;
        part: Always Integer, "The fact's place in its event, from 0" => row.part;
        kind: Always Word, "What happened" => row.kind;
        netuid: Sometimes Integer, "The subnet" => row.netuid;
        uid: Sometimes Integer, "The neuron's slot" => row.uid;
        hotkey: Sometimes Account, "The hotkey" => row.hotkey;
        coldkey: Sometimes Account, "The coldkey" => row.coldkey;
        account: Sometimes Account, "Whose free balance or nonce it is, where it is not said to be a hotkey or coldkey" => row.account;
        tao_rao: Sometimes Integer, "The amount of TAO; signed where it is a change" => row.tao;
        alpha_rao: Sometimes Integer, "The amount of alpha in its smallest unit; signed where it is a change" => row.alpha;
        fee_tao_rao: Sometimes Integer, "The pool's fee, where it is taken in TAO" => row.fee_tao;
        fee_alpha_rao: Sometimes Integer, "The pool's fee, where it is taken in alpha" => row.fee_alpha;
        fields: Sometimes Json, "Everything else it says, by name, as `btemu log --json` writes it" => row.fields;
    }

    SUBNETS "subnets", "One row per subnet, root included, as it is after each sampled block (`--every`), and after the last", subnet(row: SubnetRow<'_>) {
        block: Always Integer, "The block" => row.at.block;
        time: Always Time, "Simulated time of the block" => row.at.time;
        netuid: Always Integer, "The subnet's number; 0 is root" => row.netuid;
        name: Always Word, "Its name" => row.subnet.info.name.clone();
        symbol: Always Word, "Its token's symbol" => row.subnet.info.symbol.clone();
        owner: Sometimes Account, "The owner's coldkey" => row.subnet.info.owner;
        owner_hotkey: Sometimes Account, "The owner's neuron" => row.subnet.info.owner_hotkey;
        tempo: Always Integer, "Blocks between epochs, less one" => row.subnet.params.tempo;
        price: Always Float, "Spot price of one alpha in TAO" => ratio(row.subnet.price(), 32);
        price_bits: Always Decimal, "The same, U96F32 bits" => row.subnet.price();
        moving_price: Always Float, "Slow average of the price" => ratio(row.subnet.moving_price(), 32);
        moving_price_bits: Always Decimal, "As it is stored, I96F32 bits; the price reads 1 on root" => row.subnet.fast.moving_price;
        tao_reserve_rao: Always Integer, "TAO in the pool" => row.subnet.fast.pool.tao;
        alpha_in_rao: Always Integer, "Alpha in the pool" => row.subnet.fast.pool.alpha;
        alpha_out_rao: Always Integer, "Alpha outside the pool" => row.subnet.fast.pool.alpha_out;
        stake_rao: Always Integer, "Alpha staked behind all hotkeys" => row.stake();
        volume_rao: Sometimes Integer, "TAO swapped through the pool ever; none from 2⁶³ on" => u64::try_from(row.subnet.fast.volume).ok();
        tao_flow_rao: Always Integer, "TAO staked less TAO taken out since the last average" => row.subnet.fast.flow;
        ema_tao_flow: Always Float, "Average of that flow, rao per block; 0 before the first" => row.flow_average() as f64 / TWO_TO_64;
        ema_tao_flow_bits: Always Decimal, "The same, I64F64 bits" => row.flow_average();
        emits: Always Flag, "Whether it takes part in emission" => row.subnet.emits();
        emission_share: Always Float, "Part of the block's TAO emission" => ratio(row.subnet.fast.emission_share, 64);
        emission_share_bits: Always Decimal, "The same, U64F64 bits" => row.subnet.fast.emission_share;
        root_proportion: Always Float, "Root's share of validator dividends" => ratio(row.subnet.fast.root_proportion, 32);
        tao_in_emission_rao: Always Integer, "TAO the block put into the pool" => row.subnet.fast.tao_in_emission;
        excess_tao_emission_rao: Always Integer, "TAO the block spent on alpha that it destroyed" => row.subnet.fast.excess_tao_emission;
        alpha_in_emission_rao: Always Integer, "Alpha the block put into the pool" => row.subnet.fast.alpha_in_emission;
        alpha_out_emission_rao: Always Integer, "Alpha the block minted to participants" => row.subnet.fast.alpha_out_emission;
        pending_server_rao: Always Integer, "Alpha waiting for miners until the next epoch" => row.subnet.fast.pending_server;
        pending_validator_rao: Always Integer, "Alpha waiting for validators" => row.subnet.fast.pending_validator;
        pending_root_rao: Always Integer, "Alpha waiting for root stakers" => row.subnet.fast.pending_root;
        pending_owner_rao: Always Integer, "Alpha waiting for the owner" => row.subnet.fast.pending_owner;
        neurons: Always Integer, "Registered neurons" => row.subnet.neurons.len();
        validators: Always Integer, "Neurons with a validator permit" => row.validators();
        burn_rao: Always Integer, "Price of a burned registration" => row.subnet.fast.burn;
        locked_rao: Always Integer, "What its registration cost" => row.subnet.info.locked;
        registered_at: Always Integer, "Block of registration" => row.subnet.info.registered_at;
        immune: Always Flag, "Whether it cannot be pruned yet" => row.immune();
        first_emission_block: Sometimes Integer, "First block with emission; none before the start call" => row.subnet.info.first_emission;
        last_epoch_block: Always Integer, "Block of the last epoch; 0 before the first" => row.subnet.fast.last_step;
    }

    NEURONS "neurons", "One row per neuron of a subnet, as it is after each block in which the subnet had an epoch", neuron(row: NeuronRow<'_>) {
        block: Always Integer, "The block of the epoch" => row.at.block;
        time: Always Time, "Simulated time of the block" => row.at.time;
        netuid: Always Integer, "The subnet" => row.netuid;
        uid: Always Integer, "The neuron's slot" => row.uid;
        hotkey: Always Account, "Its hotkey" => row.hotkey;
        coldkey: Sometimes Account, "The hotkey's owner" => row.coldkey;
        active: Always Flag, "Whether it set weights recently enough" => row.column(&row.subnet.neurons.active);
        validator_permit: Always Flag, "Whether it may set weights" => row.column(&row.subnet.neurons.validator_permit);
        stake_rao: Always Integer, "Alpha staked behind the hotkey on the subnet" => row.stake;
        stake_weight: Always Integer, "Its share of stake, of 65,535" => row.column(&row.subnet.neurons.stake_weight);
        consensus: Always Integer, "Consensus weight, of 65,535" => row.column(&row.subnet.neurons.consensus);
        incentive: Always Integer, "Incentive on mechanism 0, of 65,535" => row.column(row.mechanism(|mechanism| &mechanism.incentive));
        dividends: Always Integer, "Dividends, of 65,535" => row.column(&row.subnet.neurons.dividends);
        validator_trust: Always Integer, "Validator trust, of 65,535" => row.column(&row.subnet.neurons.validator_trust);
        emission_rao: Always Integer, "Alpha the epoch gave it" => row.column(&row.subnet.neurons.emission);
        last_update: Always Integer, "Block of its last weights or commit on mechanism 0; 0 for none" => row.column(row.mechanism(|mechanism| &mechanism.last_update));
        block_at_registration: Always Integer, "Block in which it took the slot" => row.column(&row.subnet.neurons.registered_at);
    }
}

const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;

impl Table {
    /// The first column that has no value and must have one. Debug builds also check that every value is of its
    /// column's kind.
    pub fn lacking(&self, values: &[Value]) -> Option<&'static Column> {
        debug_assert_eq!(self.columns.len(), values.len(), "{}", self.name);
        self.columns.iter().zip(values).find_map(|(column, value)| {
            debug_assert!(column.kind.takes(value), "{} of {}: {value:?}", column.name, self.name);
            let lacks = column.presence == Presence::Always && *value == Value::Null;
            lacks.then_some(column)
        })
    }
}

impl Kind {
    /// The word in docs/export.md.
    #[cfg(test)]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Float => "float",
            Self::Flag => "flag",
            Self::Word => "word",
            Self::Account => "account",
            Self::Hash => "hash",
            Self::Decimal => "decimal",
            Self::Json => "json",
            Self::Time => "time",
        }
    }

    /// Whether a value may stand in such a column.
    pub const fn takes(self, value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Integer(_) => matches!(self, Self::Integer),
            Value::Float(_) => matches!(self, Self::Float),
            Value::Flag(_) => matches!(self, Self::Flag),
            Value::Time(_) => matches!(self, Self::Time),
            Value::Word(_) | Value::Text(_) => {
                !matches!(self, Self::Integer | Self::Float | Self::Flag | Self::Time)
            }
        }
    }
}
