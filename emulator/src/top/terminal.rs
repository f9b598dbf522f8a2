//! The terminal: keys and signals in, pictures out.
//!
//! What belongs here: what a keyboard and a screen are. What does not: what keys do (`model`), and how it looks (`draw`).
//! Whatever happens, the terminal is left as it was found: at the end, on an error, on a panic of any thread, and when the
//! system asks the program to end.

use super::draw::draw;
use super::model::{Key, Model, News, Wish};
use crate::run::signals::Asked;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel,
};
use std::thread;
use std::time::Duration;

/// News that may wait to be heard; a source that has more waits.
pub const NEWS_WAITING_MAX: usize = 1_024;
/// Wishes that may wait to be answered; a further one waits here until it is the newest no more.
pub const WISHES_WAITING_MAX: usize = 1;
/// Inputs that may wait to be heard.
const INPUTS_WAITING_MAX: usize = 64;
/// How long a picture stands while nothing happens.
const PICTURE_MS: u64 = 60;

/// What comes from the user and the system.
enum Input {
    Key(Key),
    /// The picture has another size.
    Resized,
    /// Enough, at once.
    End,
    /// Keys cannot be read any more.
    Broken(io::Error),
}

/// Shows a model until the user has seen enough.
///
/// # Errors
/// The terminal cannot be drawn on or read.
pub fn show(
    model: Model,
    news: &Receiver<News>,
    wishes: Option<&SyncSender<Wish>>,
) -> io::Result<()> {
    let (tell, inputs) = sync_channel(INPUTS_WAITING_MAX);
    heed_signals(tell.clone())?;
    // Installs a hook that restores the terminal before a panic is told.
    let mut terminal = ratatui::try_init()?;
    let panicked = note_panics();
    let keys = thread::Builder::new().name("top keys".to_owned());
    let shown = keys
        .spawn(move || read_keys(&tell))
        .and_then(|_| show_all(&mut terminal, model, news, wishes, &inputs, &panicked));
    let restored = ratatui::try_restore();
    shown.and(restored)
}

fn show_all(
    terminal: &mut ratatui::DefaultTerminal,
    mut model: Model,
    news: &Receiver<News>,
    wishes: Option<&SyncSender<Wish>>,
    inputs: &Receiver<Input>,
    panicked: &AtomicBool,
) -> io::Result<()> {
    // The newest wish that nobody has taken yet.
    let mut wish = None;
    terminal.draw(|frame| draw(&model, frame))?;
    loop {
        let mut changed = false;
        match inputs.recv_timeout(Duration::from_millis(PICTURE_MS)) {
            Ok(input) => {
                changed = true;
                if let Some(asked) = take(&mut model, input)? {
                    wish = Some(asked);
                }
                while let Ok(input) = inputs.try_recv() {
                    if let Some(asked) = take(&mut model, input)? {
                        wish = Some(asked);
                    }
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        // So much at a time that keys are heard in between.
        for _ in 0..NEWS_WAITING_MAX {
            match news.try_recv() {
                Ok(one) => {
                    changed = true;
                    if let Some(asked) = model.hear(one) {
                        wish = Some(asked);
                    }
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        if model.is_done {
            return Ok(());
        }
        if panicked.load(Ordering::Relaxed) {
            return Err(io::Error::other("a part of the view panicked"));
        }
        if let (Some(wished), Some(wishes)) = (wish, wishes) {
            match wishes.try_send(wished) {
                Ok(()) => wish = None,
                Err(TrySendError::Full(_)) => {}
                Err(TrySendError::Disconnected(_)) => {
                    wish = None;
                    model.note = Some("the log is not read any more".to_owned());
                }
            }
        }
        if changed {
            terminal.draw(|frame| draw(&model, frame))?;
        }
    }
}

/// Whether any thread panicked: the terminal is not ours any more then.
fn note_panics() -> Arc<AtomicBool> {
    let panicked = Arc::new(AtomicBool::new(false));
    let (noted, restore) = (panicked.clone(), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |info| {
        noted.store(true, Ordering::Relaxed);
        restore(info);
    }));
    panicked
}

fn take(model: &mut Model, input: Input) -> io::Result<Option<Wish>> {
    match input {
        Input::Key(key) => Ok(model.press(key)),
        Input::Resized => Ok(None),
        Input::End => {
            model.is_done = true;
            Ok(None)
        }
        Input::Broken(error) => Err(error),
    }
}

/// Tells every key until nobody hears it.
fn read_keys(tell: &SyncSender<Input>) {
    loop {
        let input = match event::read() {
            Ok(Event::Key(pressed)) if pressed.kind != KeyEventKind::Release => input_of(&pressed),
            Ok(Event::Resize(..)) => Some(Input::Resized),
            Ok(_) => None,
            Err(error) => Some(Input::Broken(error)),
        };
        let is_broken = matches!(input, Some(Input::Broken(_)));
        if input.is_some_and(|input| tell.send(input).is_err()) || is_broken {
            return;
        }
    }
}

fn input_of(pressed: &KeyEvent) -> Option<Input> {
    let is_control = pressed.modifiers.contains(KeyModifiers::CONTROL);
    Some(Input::Key(match pressed.code {
        KeyCode::Char('c' | 'd') if is_control => return Some(Input::End),
        KeyCode::Char(_) if is_control => return None,
        KeyCode::Char(letter) => Key::Letter(letter),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        _ => return None,
    }))
}

/// Ends the view when the system asks for it: a key that means that is none in a raw terminal.
fn heed_signals(tell: SyncSender<Input>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    let mut asked = Asked::listen().map_err(io::Error::other)?;
    drop(entered);
    let builder = thread::Builder::new().name("top signals".to_owned());
    builder.spawn(move || {
        runtime.block_on(asked.next());
        // Nobody is there to hear it once the view is closed.
        tell.send(Input::End).ok();
    })?;
    Ok(())
}
