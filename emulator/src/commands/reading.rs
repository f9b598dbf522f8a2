//! Opening finished runs: the folder, its log and its plan, with failures told in the words of users.

use super::{BlockArgument, Failure};
use crate::plan::Plan;
use crate::run::repair::ended_at;
use crate::run::totals::Totals;
use protocol::frame::Header;
use protocol::state::{State, Subnet};
use protocol::units::Height;
use protocol::units::NetUid;
use std::path::{Path, PathBuf};
use storage::cache::CacheKind;
use storage::fold::{Folder, ReadError, state_at};
use storage::log::{EventLog, LogError, SledLog};
use storage::runfolder::RunFolder;

/// A run, open for reading.
pub struct Reading {
    /// Its folder.
    pub folder: RunFolder,
    /// Its log.
    pub log: SledLog,
    /// Its plan.
    pub plan: Plan,
    /// The build that made it.
    pub build: String,
    /// The header of its genesis block.
    pub genesis: Header,
}

impl Reading {
    /// Opens a run folder.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let folder =
            RunFolder::open(path).map_err(|error| Failure::failed(&error, error.hint()))?;
        let log = SledLog::open(&folder.log_dir()).map_err(log_failure)?;
        let genesis = log.genesis::<Plan>().map_err(log_failure)?;
        let (plan, build) = (genesis.plan, genesis.build);
        let reading = Self { folder, log, plan, build, genesis: genesis.header };
        if let Some(sentence) = reading.cut_off() {
            tracing::warn!("{sentence}");
        }
        Ok(reading)
    }

    /// The folder with its own name, by whatever link it was opened.
    pub fn name(&self) -> PathBuf {
        self.folder.path.canonicalize().unwrap_or_else(|_| self.folder.path.clone())
    }

    /// What is missing at the log's end, by what the operations journal says of the run. A log that lost its last
    /// records is sound up to there, so nothing else can tell.
    pub fn cut_off(&self) -> Option<String> {
        let block = ended_at(&self.folder)?;
        let tip = self.log.tip().0;
        (block > tip).then(|| {
            let run = self.folder.path.display();
            format!("the log of {run} is cut off: it ends at block {tip}, the run went to {block}")
        })
    }

    /// A block of the run, or its tip.
    pub fn height(&self, block: Option<BlockArgument>) -> Result<Height, Failure> {
        let (genesis, tip) = (self.genesis.height.0, self.log.tip().0);
        let height = block.map_or(tip, |block| block.height(genesis));
        if (genesis..=tip).contains(&height) {
            return Ok(Height(height));
        }
        let what = format!("block {height} is not in the run: it holds blocks {genesis} to {tip}");
        Err(Failure::failed(what, Some("`+N` counts from genesis".to_owned())))
    }

    /// The state after a block.
    pub fn state_at(&self, at: Height) -> Result<Folder, Failure> {
        let genesis = || Ok((self.plan.genesis.clone(), self.genesis.clone()));
        state_at(&self.log, &self.folder.cache(), genesis, at).map_err(read_failure)
    }

    /// What was counted from genesis to a block, beginning at the newest count that was kept.
    pub fn totals_at(&self, at: Height) -> Result<Totals, Failure> {
        let cache = self.folder.cache();
        let (mut from, mut totals) = (self.genesis.height, Totals::default());
        for height in cache.heights(CacheKind::Totals).into_iter().rev().filter(|held| *held <= at)
        {
            let block = self.log.header(height).map_err(log_failure)?.hash();
            if let Some(kept) = cache.load(CacheKind::Totals, height, block) {
                (from, totals) = (height, kept);
                break;
            }
        }
        for frame in self.log.frames(Height(from.0 + 1), at) {
            totals.add(&frame.map_err(log_failure)?);
        }
        Ok(totals)
    }
}

/// A log that cannot be read.
pub fn log_failure(error: LogError) -> Failure {
    let failure = Failure::failed(&error, error.hint());
    match error.is_damage() {
        true => failure.at_damage(error.damaged_block().map(|block| block.0)),
        false => failure,
    }
}

/// A log that cannot be read or does not fold.
pub fn read_failure(error: ReadError) -> Failure {
    match error {
        ReadError::Log(error) => log_failure(error),
        ReadError::Fold(error) => Failure::failed(error, verify_hint()),
    }
}

/// What to do about a damaged log.
pub fn verify_hint() -> Option<String> {
    Some(
        "`btemu verify RUN` says which blocks are sound, `btemu repair RUN --out DIR` keeps them"
            .to_owned(),
    )
}

/// A subnet that exists.
pub fn subnet(state: &State, netuid: u16) -> Result<&Subnet, Failure> {
    state.subnet(NetUid(netuid)).ok_or_else(|| {
        let hint = "`btemu inspect RUN subnets` lists those there are".to_owned();
        Failure::failed(
            format!("there is no subnet {netuid} at block {}", state.height),
            Some(hint),
        )
    })
}
