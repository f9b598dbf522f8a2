//! What keys and news make of a model, and how it looks.

use super::draw::draw;
use super::model::{Key, Life, Model, News, Overlay, ROWS_KEPT_MAX, Sort, TOLD_MAX, Wish};
use super::scene::{Scene, SubnetRow, TellingLine, Told};
use crate::run::status::{ProcessRow, State, Status};
use expect_test::expect;
use protocol::units::Rao;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::sync::Arc;

fn scene(height: u64) -> Arc<Scene> {
    let row = |netuid: u16, name: &str, price, share, flow| SubnetRow {
        netuid,
        name: name.into(),
        price,
        moving_price: price * 0.9,
        share,
        flow,
        reserve: 12_345.6,
        neurons: 64,
        validators: 4,
    };
    let at = height as f64;
    Arc::new(Scene {
        height,
        issuance: Rao::whole(10_850_000),
        block_emission: Rao(500_000_000),
        lock_cost: Rao::whole(1_250),
        stake: Rao::whole(6_000_000),
        subnets: vec![
            row(1, "α Apex", 0.02 + at / 1e6, 0.2, 0.25),
            row(3, "γ Templar", 0.05, 0.5, -0.125),
            row(64, "τ Chutes", 0.09 - at / 1e6, 0.3, 0.0),
        ],
    })
}

fn told(height: u64, lines: &[(&str, bool)]) -> Told {
    let lines = lines
        .iter()
        .map(|(text, is_deed)| TellingLine { text: (*text).to_owned(), is_deed: *is_deed });
    Told { height, lines: lines.collect(), more: 0 }
}

/// A finished run of blocks 1000 to 1400, wholly read.
fn finished() -> Model {
    let mut model = Model::new("runs/x".to_owned(), Life::Finished, 1_000, 1_400, scene(1_400));
    for height in 1_000..=1_400 {
        model.hear(News::Scene(scene(height)));
    }
    model.hear(News::Read(1_400));
    model.hear(News::Told(told(1_399, &[("staked 5 τ", true), ("prices averaged", false)])));
    model.hear(News::Told(told(1_400, &[("block 1400 began", false), ("weights set", true)])));
    model
}

fn press(model: &mut Model, keys: &str) -> Option<Wish> {
    keys.chars().fold(None, |_, letter| {
        model.press(match letter {
            '↑' => Key::Up,
            '↓' => Key::Down,
            '←' => Key::Left,
            '→' => Key::Right,
            '⇞' => Key::PageUp,
            '⇟' => Key::PageDown,
            '⇱' => Key::Home,
            '⇲' => Key::End,
            '⏎' => Key::Enter,
            '⎋' => Key::Escape,
            '⌫' => Key::Backspace,
            letter => Key::Letter(letter),
        })
    })
}

fn picture(model: &Model, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("it is in memory");
    terminal.draw(|frame| draw(model, frame)).expect("it is in memory");
    let text = terminal.backend().to_string();
    let lines = text.lines().map(|line| line.trim_matches('"').trim_end());
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn keys_move_over_blocks_and_never_out_of_the_run() {
    let rows = [
        ("←", 1_399),
        ("←←→", 1_399),
        ("→", 1_400),
        ("⇞", 1_390),
        ("⇱", 1_000),
        ("⇱←", 1_000),
        ("⇱⇟", 1_010),
        ("⇱⇲", 1_400),
        ("g1234⏎", 1_234),
        ("g+7⏎", 1_007),
        ("g12349⌫⏎", 1_234),
        ("g1234⎋", 1_400),
        ("g9⏎", 1_400),
        ("g1401⏎", 1_400),
        ("gxyz⏎", 1_400),
    ];
    for (keys, height) in rows {
        let mut model = finished();
        press(&mut model, keys);
        assert_eq!(model.cursor, height, "{keys}");
        assert_eq!(model.scene().map(|scene| scene.height), Some(height), "{keys}");
    }
    let mut model = finished();
    press(&mut model, "g99999⏎");
    let note = model.note.clone().expect("it says why");
    assert_eq!(note, "block 99999 is not there: 1000 to 1400 can be looked at");
    press(&mut model, "g⏎");
    assert!(model.note.as_ref().is_some_and(|note| note.contains("is no block")), "{model:?}");
    press(&mut model, "↓");
    assert_eq!(model.note, None, "a note is gone with the next key");
}

#[test]
fn rows_are_sorted_and_a_second_time_turned_round() {
    let order = |keys: &str| {
        let mut model = finished();
        press(&mut model, keys);
        model.rows().iter().map(|row| row.netuid).collect::<Vec<_>>()
    };
    let rows = [
        ("", [3, 64, 1]),
        ("s", [1, 64, 3]),
        ("p", [64, 3, 1]),
        ("pp", [1, 3, 64]),
        ("ppp", [64, 3, 1]),
        ("f", [1, 64, 3]),
        ("n", [1, 3, 64]),
        ("nr", [64, 3, 1]),
    ];
    for (keys, expected) in rows {
        assert_eq!(order(keys), expected, "{keys}");
    }
    assert_eq!(finished().sort, Sort::Share);
}

#[test]
fn a_chosen_subnet_stays_chosen_however_rows_are_sorted() {
    let mut model = finished();
    assert_eq!(model.selected, Some(3), "the first one");
    press(&mut model, "↓");
    assert_eq!(model.selected, Some(64));
    press(&mut model, "p");
    assert_eq!((model.selected, model.selected_place()), (Some(64), Some(0)));
    press(&mut model, "↑↑↓↓↓↓");
    assert_eq!(model.selected, Some(1), "the last one");
    assert_eq!(model.prices().len(), 401);
    assert_eq!(model.prices()[400], (1_400.0, 0.02 + 1_400.0 / 1e6));
}

#[test]
fn what_is_not_known_is_wished_for_and_the_nearest_before_is_shown() {
    let mut model = Model::new("x".to_owned(), Life::Finished, 1_000, 1_400, scene(1_400));
    model.hear(News::Scene(scene(1_000)));
    let wish = press(&mut model, "g1200⏎");
    assert_eq!(wish, Some(Wish { height: 1_200, with_scene: true }));
    assert_eq!(model.scene().map(|scene| scene.height), Some(1_000));
    assert!(!model.is_exact());
    model.hear(News::Scene(scene(1_200)));
    assert!(model.is_exact());
    // What is known is wished for without its state: only what happened there is.
    assert_eq!(press(&mut model, "⇱"), Some(Wish { height: 1_000, with_scene: false }));
}

#[test]
fn a_live_run_is_gone_along_with_until_one_looks_back() {
    let mut model = Model::new("x".to_owned(), Life::Live, 1_000, 1_100, scene(1_100));
    assert_eq!(model.first, 1_100, "what was before is in the log, which is not open to anybody");
    for height in 1_101..=1_110 {
        model.hear(News::Scene(scene(height)));
        model.hear(News::Tip(height));
    }
    assert_eq!(model.cursor, 1_110);
    assert_eq!(press(&mut model, "←"), None, "nobody is asked");
    model.hear(News::Scene(scene(1_111)));
    model.hear(News::Tip(1_111));
    assert_eq!((model.cursor, model.tip, model.follows), (1_109, 1_111, false));
    press(&mut model, "⇲");
    assert_eq!((model.cursor, model.follows), (1_111, true));
    model.hear(News::Over("the run is over".to_owned()));
    press(&mut model, "←");
    assert_eq!((model.life, model.cursor), (Life::Ended, 1_110));
    assert_eq!(model.note.as_deref(), Some("the run is over"), "that stays");
}

#[test]
fn what_is_kept_has_limits() {
    let mut model = Model::new("x".to_owned(), Life::Finished, 0, 1_000_000, scene(1_000_000));
    let wide = |height: u64| {
        let mut scene = (*scene(height)).clone();
        let row = scene.subnets[0].clone();
        scene.subnets = (0..1_000).map(|netuid| SubnetRow { netuid, ..row.clone() }).collect();
        Arc::new(scene)
    };
    for height in 0..2_000 {
        model.hear(News::Scene(wide(height)));
        model.hear(News::Told(told(height * 2, &[])));
    }
    assert!(model.scenes.len() * 1_000 <= ROWS_KEPT_MAX, "{}", model.scenes.len());
    assert!(model.scenes.len() * 1_000 >= ROWS_KEPT_MAX / 4, "{}", model.scenes.len());
    for height in [0, 1_999, 1_000_000] {
        assert!(
            model.scenes.contains_key(&height),
            "the ends and what is looked at stay: {height}"
        );
    }
    assert_eq!(model.told.len(), TOLD_MAX);
}

#[test]
fn the_tail_ends_at_the_block_that_is_looked_at() {
    let mut model = finished();
    let tail = |model: &Model, lines| -> Vec<String> {
        model.tail(lines).iter().map(|(height, text)| format!("{height} {text}")).collect()
    };
    assert_eq!(tail(&model, 9), ["1399 staked 5 τ", "1400 weights set"]);
    assert_eq!(tail(&model, 1), ["1400 weights set"]);
    press(&mut model, "e");
    assert_eq!(
        tail(&model, 3),
        ["1399 prices averaged", "1400 block 1400 began", "1400 weights set"]
    );
    press(&mut model, "e←");
    assert_eq!(tail(&model, 9), ["1399 staked 5 τ"]);
}

#[test]
fn help_goes_with_any_key_and_leaving_is_q() {
    let mut model = finished();
    press(&mut model, "?");
    assert_eq!(model.overlay, Overlay::Help);
    press(&mut model, "q");
    assert_eq!((&model.overlay, model.is_done), (&Overlay::None, false));
    press(&mut model, "q");
    assert!(model.is_done);
}

#[test]
fn a_finished_run_looks_so() {
    let mut model = finished();
    press(&mut model, "g1200⏎");
    expect![[r#"
        btemu top runs/x                                                                                                finished
        block 1200 (+200)   time 0d 00:40:00   subnets 3
        issuance 10,850,000 τ   emission 0.500 τ/block   lock cost 1,250 τ   staked 6,000,000 τ
        1000 ├─────────────────────────────────────────────────────●──────────────────────────────────────────────────────┤ 1400
        ┌ 3 subnets ─────────────────────────────────────────────────────────┐┌ SN3 γ Templar: 0.05000 τ ──────────────────────┐
        │   id subnet               price  share ▼       flow      pool neur.││0.05000│                    ⡇                   │
        │    3 γ Templar          0.05000  50.00 %   -0.12500     12.3k  4/64││       │                    ⡇                   │
        │   64 τ Chutes           0.08880  30.00 %   +0.00000     12.3k  4/64││       │                    ⡇                   │
        │    1 α Apex             0.02120  20.00 %   +0.25000     12.3k  4/64││       │                    ⡇                   │
        │                                                                    ││       │                    ⡇                   │
        │                                                                    ││       │                    ⡇                   │
        │                                                                    ││0.05000│⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉│
        │                                                                    ││       │                    ⡇                   │
        │                                                                    ││       │                    ⡇                   │
        │                                                                    ││       │                    ⡇                   │
        │                                                                    ││       │                    ⡇                   │
        │                                                                    ││0.05000│                    ⡇                   │
        │                                                                    ││       └────────────────────────────────────────│
        │                                                                    ││      +0                  +200              +400│
        └────────────────────────────────────────────────────────────────────┘└──────────────────────── moving price 0.04500 τ ┘
        ┌ what players did ────────────────────────────────────────────────────────────────────────────────────────────────────┐
        │nothing in the blocks that were looked at                                                                             │
        │                                                                                                                      │
        │                                                                                                                      │
        │                                                                                                                      │
        │                                                                                                                      │
        └──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
        q leave   ? help   ←→ PgUp PgDn Home End g blocks   ↑↓ subnet   p s f n r sort   e events
    "#]].assert_eq(&picture(&model, 120, 28));
}

#[test]
fn a_live_run_shows_its_processes() {
    let mut model = Model::new("runs/x".to_owned(), Life::Live, 1_000, 1_100, scene(1_100));
    let process = |name: &str, pid, players| ProcessRow {
        name: name.to_owned(),
        pid,
        players,
        steps: 1_234,
        rss_bytes: 20_000_000,
        peak_rss_bytes: 30_000_000,
    };
    model.hear(News::Status(Box::new(Status {
        run: "runs/x".to_owned(),
        state: State::Running,
        block: 1_100,
        genesis_block: 1_000,
        until_block: 2_000,
        simulated_seconds: 1_200,
        blocks_per_second: 12.5,
        pace: "max".to_owned(),
        restarts: 1,
        processes: vec![process("chain", 7, 0), process("host-0", 18, 40)],
    })));
    expect![[r#"
        btemu top runs/x                                                                                       running
        block 1100 (+100)   time 0d 00:20:00   speed 12.5/s   pace max   subnets 3
        issuance 10,850,000 τ   emission 0.500 τ/block   lock cost 1,250 τ   staked 6,000,000 τ
        1100 ├─────────────────────────────────────────────────────────────────────────────────────────────────●┤ 1100
        ┌ 3 subnets ─────────────────────────────────────────────────────────┐┌ SN3 γ Templar: 0.05000 τ ────────────┐
        │   id subnet               price  share ▼       flow      pool neur.││one block is known so far             │
        │    3 γ Templar          0.05000  50.00 %   -0.12500     12.3k  4/64││                                      │
        │   64 τ Chutes           0.08890  30.00 %   +0.00000     12.3k  4/64││                                      │
        │    1 α Apex             0.02110  20.00 %   +0.25000     12.3k  4/64││                                      │
        │                                                                    ││                                      │
        │                                                                    ││                                      │
        │                                                                    │└────────────── moving price 0.04500 τ ┘
        │                                                                    │┌ 2 processes, 1 restarts ─────────────┐
        │                                                                    ││process   players       steps   memory│
        │                                                                    ││chain           0       1,234    20 MB│
        │                                                                    ││host-0         40       1,234    20 MB│
        └────────────────────────────────────────────────────────────────────┘└──────────────────────────────────────┘
        ┌ what players did ──────────────────────────────────────────────────────────────────────────────────────────┐
        │nothing in the blocks that were looked at                                                                   │
        │                                                                                                            │
        │                                                                                                            │
        │                                                                                                            │
        └────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
        q leave   ? help   ←→ PgUp PgDn Home End g blocks   ↑↓ subnet   p s f n r sort   e events
    "#]].assert_eq(&picture(&model, 110, 24));
}

#[test]
fn any_size_can_be_drawn_on() {
    let mut model = finished();
    for (width, height) in [(1, 1), (20, 5), (49, 40), (50, 12), (80, 24), (100, 20), (250, 80)] {
        for keys in ["", "?", "g"] {
            press(&mut model, keys);
            let picture = picture(&model, width, height);
            assert_eq!(picture.lines().count(), usize::from(height), "{width} × {height}");
            press(&mut model, "⎋");
        }
    }
    assert!(picture(&model, 49, 40).contains("at least 50 × 12 are needed"));
    let mut empty = Scene::clone(&scene(1));
    empty.subnets.clear();
    let empty = Model::new("x".to_owned(), Life::Finished, 1, 1, Arc::new(empty));
    assert!(picture(&empty, 120, 40).contains("0 subnets"));
}
