//! What is known of a run, what of it is looked at, and what keys and news change.
//!
//! What belongs here: everything that decides what is seen. What does not: how it looks (`draw`), where news come from
//! (`finished`, `live`, `scraped`), and what a keyboard is (`terminal`).

use super::scene::{Scene, SubnetRow, Told};
use crate::run::status::Status;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Blocks whose lines are kept.
pub const TOLD_MAX: usize = 2_000;
/// Subnets of all scenes that are kept: about 100 bytes each.
pub const ROWS_KEPT_MAX: usize = 600_000;
/// Pages of a run.
const PAGES: u64 = 40;
/// Digits of a height that is typed.
const DIGITS_MAX: usize = 19;

/// A key, whatever keyboard it is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A letter or digit.
    Letter(char),
    /// An arrow.
    Up,
    /// An arrow.
    Down,
    /// An arrow.
    Left,
    /// An arrow.
    Right,
    /// A page back.
    PageUp,
    /// A page on.
    PageDown,
    /// To the beginning.
    Home,
    /// To the end.
    End,
    /// What was typed is meant.
    Enter,
    /// What was typed is not meant.
    Escape,
    /// The last letter was wrong.
    Backspace,
}

/// What a source says.
#[derive(Clone, Debug)]
pub enum News {
    /// A state.
    Scene(Arc<Scene>),
    /// What happened in a block.
    Told(Told),
    /// How a live run does.
    Status(Box<Status>),
    /// What the metrics of a run elsewhere count.
    Counts(Box<Counts>),
    /// The last block that there is.
    Tip(u64),
    /// So far the log was read.
    Read(u64),
    /// The live run is over, or out of reach: why.
    Over(String),
    /// Something cannot be read: what. The rest can still be looked at.
    Trouble(String),
}

/// What the metrics of a run elsewhere tell beside its state. What they do not tell is not there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// Blocks by second of wall time lately.
    pub blocks_per_second: Option<f64>,
    /// How often its processes were started again.
    pub restarts: Option<u64>,
    /// Its processes.
    pub processes: Vec<CountedProcess>,
    /// Whatever else is counted: what, and how often.
    pub lines: Vec<(&'static str, String)>,
}

/// A process of a run elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedProcess {
    /// `launcher`, `chain`, `host-0`, `host-1`, …
    pub name: String,
    /// Its memory now.
    pub rss_bytes: u64,
    /// Players it carries.
    pub players: Option<u64>,
    /// Inputs its players took.
    pub steps: Option<u64>,
}

/// What a source is asked for: the state after a block, and what happened up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Which block.
    pub height: u64,
    /// Whether the state is not known yet.
    pub with_scene: bool,
}

/// Whether a run is being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It is.
    Live,
    /// It was, while it was looked at.
    Ended,
    /// It was over before.
    Finished,
}

/// By what subnets are sorted; largest first unless it is turned round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// By number, smallest first.
    Number,
    /// By price.
    Price,
    /// By share of emission.
    Share,
    /// By average net flow.
    Flow,
}

/// What is beside the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overlay {
    /// Nothing.
    None,
    /// The keys.
    Help,
    /// A height that is being typed.
    Going(String),
}

/// All there is to see.
#[derive(Clone, Debug)]
pub struct Model {
    /// The run folder, as it was named.
    pub run: String,
    /// Whether it is being made.
    pub life: Life,
    /// Its genesis block.
    pub genesis: u64,
    /// The last block there is.
    pub tip: u64,
    /// The first block that can be looked at: of a live run the one at which one came.
    pub first: u64,
    /// The block that is looked at.
    pub cursor: u64,
    /// Whether the view goes along with a live run.
    pub follows: bool,
    /// Scenes that are known, by height.
    pub scenes: BTreeMap<u64, Arc<Scene>>,
    /// Blocks between scenes that are kept.
    pub stride: u64,
    /// So far the log was read, of a finished run.
    pub read: Option<u64>,
    /// What happened, by height.
    pub told: BTreeMap<u64, Told>,
    /// Whether bookkeeping is listed beside deeds.
    pub lists_all: bool,
    /// How a live run of this machine does.
    pub status: Option<Status>,
    /// What the metrics of a run elsewhere count.
    pub counts: Option<Counts>,
    /// By what subnets are sorted.
    pub sort: Sort,
    /// Whether the order is turned round.
    pub turned: bool,
    /// The subnet that is looked at.
    pub selected: Option<u16>,
    /// What is beside the view.
    pub overlay: Overlay,
    /// What the user should know.
    pub note: Option<String>,
    /// Whether the user has seen enough.
    pub is_done: bool,
}

impl Model {
    /// Begins with one scene, at which it looks.
    pub fn new(run: String, life: Life, genesis: u64, tip: u64, scene: Arc<Scene>) -> Self {
        let height = scene.height;
        let mut model = Self {
            run,
            life,
            genesis,
            tip,
            first: if life == Life::Live { height } else { genesis },
            cursor: height,
            follows: life == Life::Live,
            scenes: BTreeMap::new(),
            stride: 1,
            read: None,
            told: BTreeMap::new(),
            lists_all: false,
            status: None,
            counts: None,
            sort: Sort::Share,
            turned: false,
            selected: None,
            overlay: Overlay::None,
            note: None,
            is_done: false,
        };
        model.selected = model.rows_of(&scene).first().map(|row| row.netuid);
        model.scenes.insert(height, scene);
        model
    }

    /// The scene that is looked at: the one of that block, or until it is known the nearest before it.
    pub fn scene(&self) -> Option<&Arc<Scene>> {
        let before = self.scenes.range(..=self.cursor).next_back();
        before.or_else(|| self.scenes.iter().next()).map(|(_, scene)| scene)
    }

    /// Whether that scene is the one of that block.
    pub fn is_exact(&self) -> bool {
        self.scene().is_some_and(|scene| scene.height == self.cursor)
    }

    /// The subnets of the scene, in order.
    pub fn rows(&self) -> Vec<&SubnetRow> {
        self.scene().map(|scene| self.rows_of(scene)).unwrap_or_default()
    }

    fn rows_of<'a>(&self, scene: &'a Scene) -> Vec<&'a SubnetRow> {
        let mut rows: Vec<&SubnetRow> = scene.subnets.iter().collect();
        rows.sort_by(|one, other| {
            let order = match self.sort {
                Sort::Number => one.netuid.cmp(&other.netuid),
                Sort::Price => other.price.total_cmp(&one.price),
                Sort::Share => other.share.total_cmp(&one.share),
                Sort::Flow => other.flow.total_cmp(&one.flow),
            };
            let order = if self.turned { order.reverse() } else { order };
            order.then(one.netuid.cmp(&other.netuid))
        });
        rows
    }

    /// The place of the chosen subnet among the rows.
    pub fn selected_place(&self) -> Option<usize> {
        let selected = self.selected?;
        self.rows().iter().position(|row| row.netuid == selected)
    }

    /// Price over time of the chosen subnet: height and price.
    pub fn prices(&self) -> Vec<(f64, f64)> {
        let Some(netuid) = self.selected else { return Vec::new() };
        let scenes = self.scenes.values();
        let points =
            scenes.filter_map(|scene| Some((scene.height as f64, scene.subnet(netuid)?.price)));
        points.collect()
    }

    /// The last lines up to the block that is looked at, oldest first: height and text.
    pub fn tail(&self, lines: usize) -> Vec<(u64, &str)> {
        let mut tail = Vec::new();
        for told in self.told.range(..=self.cursor).rev().map(|(_, told)| told) {
            for line in told.lines.iter().rev() {
                if tail.len() >= lines {
                    break;
                }
                if line.is_deed || self.lists_all {
                    tail.push((told.height, line.text.as_str()));
                }
            }
        }
        tail.reverse();
        tail
    }

    /// What a source says. What it is to be asked then.
    pub fn hear(&mut self, news: News) -> Option<Wish> {
        match news {
            News::Scene(scene) => self.keep(scene),
            News::Told(told) => {
                self.told.insert(told.height, told);
                while self.told.len() > TOLD_MAX {
                    self.forget_told();
                }
            }
            News::Status(status) => self.status = Some(*status),
            News::Counts(counts) => self.counts = Some(*counts),
            News::Tip(tip) => {
                self.tip = self.tip.max(tip);
                if self.follows {
                    self.cursor = self.tip;
                }
            }
            News::Read(height) => {
                self.read = Some(height);
                // What was passed over while reading is looked up.
                if height >= self.tip && !self.is_exact() {
                    return self.wish();
                }
            }
            News::Over(why) => {
                self.life = Life::Ended;
                self.follows = false;
                self.status = None;
                if let Some(counts) = &mut self.counts {
                    counts.blocks_per_second = None;
                    counts.processes.clear();
                }
                self.note = Some(why);
            }
            News::Trouble(what) => self.note = Some(what),
        }
        None
    }

    fn keep(&mut self, scene: Arc<Scene>) {
        let height = scene.height;
        let per_scene = scene.subnets.len().max(1);
        self.scenes.insert(height, scene);
        // Too many scenes: every other one goes, but never the one that is looked at or the newest.
        while self.scenes.len() * per_scene > ROWS_KEPT_MAX {
            self.stride *= 2;
            let (stride, genesis, cursor) = (self.stride, self.genesis, self.cursor);
            let newest = self.scenes.keys().next_back().copied();
            let before = self.scenes.len();
            self.scenes.retain(|height, _| {
                (height - genesis).is_multiple_of(stride)
                    || *height == cursor
                    || Some(*height) == newest
            });
            if self.scenes.len() == before && stride > self.tip {
                break;
            }
        }
        if self.selected.is_none() {
            self.selected = self.rows().first().map(|row| row.netuid);
        }
    }

    /// Forgets the block that is farthest from the one that is looked at.
    fn forget_told(&mut self) {
        let first = self.told.keys().next().copied();
        let last = self.told.keys().next_back().copied();
        let gap = |height: Option<u64>| height.map_or(0, |height| height.abs_diff(self.cursor));
        let farthest = if gap(first) >= gap(last) { first } else { last };
        if let Some(height) = farthest {
            self.told.remove(&height);
        }
    }

    /// What a key does. What the source is to be asked then.
    pub fn press(&mut self, key: Key) -> Option<Wish> {
        self.note = self.note.take().filter(|_| self.life == Life::Ended);
        match std::mem::replace(&mut self.overlay, Overlay::None) {
            // Whatever is pressed, the help goes away.
            Overlay::Help => None,
            Overlay::Going(typed) => self.typed(typed, key),
            Overlay::None => self.pressed(key),
        }
    }

    fn pressed(&mut self, key: Key) -> Option<Wish> {
        let page = ((self.tip - self.first) / PAGES).max(10);
        match key {
            Key::Letter('q') => self.is_done = true,
            Key::Letter('?' | 'h') => self.overlay = Overlay::Help,
            Key::Letter('g') => self.overlay = Overlay::Going(String::new()),
            Key::Letter('e') => self.lists_all = !self.lists_all,
            Key::Letter('r') => self.turned = !self.turned,
            Key::Letter('n') => self.sort_by(Sort::Number),
            Key::Letter('p') => self.sort_by(Sort::Price),
            Key::Letter('s') => self.sort_by(Sort::Share),
            Key::Letter('f') => self.sort_by(Sort::Flow),
            Key::Up | Key::Letter('k') => self.select(Ordering::Less),
            Key::Down | Key::Letter('j') => self.select(Ordering::Greater),
            Key::Left => return self.go(self.cursor.saturating_sub(1)),
            Key::Right => return self.go(self.cursor.saturating_add(1)),
            Key::PageUp => return self.go(self.cursor.saturating_sub(page)),
            Key::PageDown => return self.go(self.cursor.saturating_add(page)),
            Key::Home => return self.go(self.first),
            Key::End => return self.go(self.tip),
            Key::Letter(_) | Key::Enter | Key::Escape | Key::Backspace => {}
        }
        None
    }

    /// Sorts by something; by what it is sorted by already, the other way round.
    fn sort_by(&mut self, sort: Sort) {
        self.turned = self.sort == sort && !self.turned;
        self.sort = sort;
    }

    fn select(&mut self, to: Ordering) {
        let rows = self.rows();
        let place = self.selected_place();
        let next = match (place, to) {
            (None, _) => 0,
            (Some(place), Ordering::Less) => place.saturating_sub(1),
            (Some(place), _) => (place + 1).min(rows.len().saturating_sub(1)),
        };
        self.selected = rows.get(next).map(|row| row.netuid).or(self.selected);
    }

    /// A height that is being typed.
    fn typed(&mut self, mut typed: String, key: Key) -> Option<Wish> {
        match key {
            Key::Letter(letter @ ('0'..='9' | '+')) if typed.len() < DIGITS_MAX => {
                typed.push(letter);
            }
            Key::Backspace => {
                typed.pop();
            }
            Key::Escape | Key::Letter('q') => return None,
            Key::Enter => {
                let height = match typed.strip_prefix('+') {
                    Some(since) => {
                        since.parse().map(|since: u64| self.genesis.saturating_add(since))
                    }
                    None => typed.parse(),
                };
                let Ok(height) = height else {
                    self.note =
                        Some(format!("{typed:?} is no block: a height, or +N from genesis"));
                    return None;
                };
                if !(self.first..=self.tip).contains(&height) {
                    self.note = Some(format!(
                        "block {height} is not there: {} to {} can be looked at",
                        self.first, self.tip
                    ));
                    return None;
                }
                return self.go(height);
            }
            _ => {}
        }
        self.overlay = Overlay::Going(typed);
        None
    }

    /// Looks at a block, or the nearest there is.
    fn go(&mut self, height: u64) -> Option<Wish> {
        self.cursor = height.clamp(self.first, self.tip);
        self.follows = self.life == Life::Live && self.cursor == self.tip;
        self.wish()
    }

    /// What is missing of the block that is looked at. Nobody can look into the log of a live run, which tells what it
    /// makes anyway.
    pub fn wish(&self) -> Option<Wish> {
        let wish =
            Wish { height: self.cursor, with_scene: !self.scenes.contains_key(&self.cursor) };
        (self.life == Life::Finished).then_some(wish)
    }
}
