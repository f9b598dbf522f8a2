//! The golden logs in memory.

use protocol::frame::{Frame, Header};
use protocol::state::State;
use serde::Deserialize;
use std::path::Path;
use storage::portable::Reader;
use storage::record::Genesis;

/// What of a plan is looked at here; the rest of it is read and passed over.
#[derive(Clone, Debug, Deserialize)]
pub struct Begin {
    /// The state at genesis.
    pub genesis: State,
}

/// A golden log.
#[derive(Debug)]
pub struct Golden {
    /// Its records, the first of block 0.
    pub records: Vec<Vec<u8>>,
    /// The header of block 0.
    pub header: Header,
    /// The state at block 0.
    pub state: State,
    /// The blocks behind it.
    pub frames: Vec<Frame>,
}

impl Golden {
    /// Reads the golden log of a format.
    pub fn read(format: u16) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/log");
        let bytes = std::fs::read(root.join(format!("format-{format}.log"))).expect("it is kept");
        let records: Result<Vec<_>, _> = Reader::new(&bytes[..]).collect();
        let records = records.expect("it is sound");
        let Genesis { header, plan, .. } =
            records[0].record().genesis::<Begin>().expect("it is sound");
        let frames = records[1..].iter().map(|raw| {
            let record = raw.record();
            record.frame(record.height).expect("it is sound")
        });
        let frames = frames.collect();
        let records = records.iter().map(|raw| raw.bytes().to_vec()).collect();
        Self { records, header, state: plan.genesis, frames }
    }
}
