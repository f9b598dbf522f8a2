//! A relay between hosts and chain that disturbs the bytes: hosts reach it instead of the chain, and it hands on what
//! they say to each other, but for a frame now and then that it loses, repeats, garbles, holds back, or ends the
//! connection at.
//!
//! What belongs here: frames as bytes. What does not: what is said (`wire`), when something should happen
//! (`disturbance`), and what comes of it: whoever reads the bytes refuses what is not as it was sent (`link`).

use super::disturbance::{Disturbance, Layer, Strike};
use super::link::{HEAD_BYTES, Place};
use super::wire_error::MESSAGE_BYTES_MAX;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::task::JoinSet;

/// Strikes that may wait for a frame; further ones are forgotten, and never told as fired.
pub const STRIKES_WAITING_MAX: usize = 64;
/// How long a frame that should be overtaken waits for another one.
const OVERTAKING_WAIT_MS: u64 = 50;

/// Strikes on their way to the bytes, and those that struck.
#[derive(Clone, Debug, Default)]
pub struct Quiver(Arc<Mutex<Arrows>>);

#[derive(Debug, Default)]
struct Arrows {
    waiting: VecDeque<Strike>,
    fired: Vec<Strike>,
}

impl Quiver {
    /// Lets something happen to the next frame that it can happen to.
    pub fn arm(&self, strike: Strike) {
        self.with(|arrows| {
            let is_here =
                strike.what.layer() == Layer::Wire || strike.what == Disturbance::KillHost;
            if is_here && arrows.waiting.len() < STRIKES_WAITING_MAX {
                arrows.waiting.push_back(strike);
            }
        });
    }

    /// What struck since this was asked last.
    pub fn take_fired(&self) -> Vec<Strike> {
        self.with(|arrows| std::mem::take(&mut arrows.fired))
    }

    fn with<T>(&self, look: impl FnOnce(&mut Arrows) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn next(&self) -> Option<Drawn<'_>> {
        let strike = self.with(|arrows| arrows.waiting.pop_front())?;
        Some(Drawn { strike, quiver: self, has_struck: false })
    }
}

/// A strike on its way to a frame. Unless it strikes it waits for another one: a connection may end in the middle of it.
struct Drawn<'a> {
    strike: Strike,
    quiver: &'a Quiver,
    has_struck: bool,
}

impl Drawn<'_> {
    fn fired(mut self) {
        self.has_struck = true;
        self.quiver.with(|arrows| arrows.fired.push(self.strike));
    }

    /// Hands on what strikes. It has struck with its first bytes: whoever reads them may end the connection before the last.
    async fn land(self, to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
        let written = to.write(bytes).await?;
        self.fired();
        to.write_all(&bytes[written..]).await
    }
}

impl Drop for Drawn<'_> {
    fn drop(&mut self) {
        if !self.has_struck {
            self.quiver.with(|arrows| arrows.waiting.push_front(self.strike));
        }
    }
}

/// Hands everything on between those who come and a place, until it is dropped with its task.
///
/// # Errors
/// Nobody can come any more.
pub async fn relay(listener: UnixListener, onward: Place, quiver: Quiver) -> io::Result<()> {
    let mut pairs = JoinSet::new();
    loop {
        tokio::select! {
            come = listener.accept() => {
                let (host, _) = come?;
                pairs.spawn(join(host, onward.clone(), quiver.clone()));
            }
            Some(ended) = pairs.join_next() => {
                if let Ok(Err(error)) = ended {
                    tracing::debug!(%error, "a relayed connection ended");
                }
            }
        }
    }
}

/// One host and the chain. Either end's end is the other's.
async fn join(host: UnixStream, onward: Place, quiver: Quiver) -> io::Result<()> {
    let (from_host, to_host) = host.into_split();
    match onward {
        Place::Unix(socket) => {
            let (from_chain, to_chain) = UnixStream::connect(socket).await?.into_split();
            tokio::select! {
                ended = pump(from_host, to_chain, &quiver) => ended,
                ended = pump(from_chain, to_host, &quiver) => ended,
            }
        }
        Place::Tcp(address) => {
            let (from_chain, to_chain) = TcpStream::connect(address).await?.into_split();
            tokio::select! {
                ended = pump(from_host, to_chain, &quiver) => ended,
                ended = pump(from_chain, to_host, &quiver) => ended,
            }
        }
        Place::Nats(_) => Err(io::Error::other("frames over a broker cannot be relayed")),
    }
}

/// A frame with its head, as it came.
async fn frame(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut head = [0; HEAD_BYTES];
    from.read_exact(&mut head).await?;
    let (length, _) = head.split_first_chunk().expect("a head is longer");
    let length = u32::from_le_bytes(*length) as usize;
    if length > MESSAGE_BYTES_MAX {
        return Err(io::Error::other("a frame is longer than any may be"));
    }
    let mut bytes = head.to_vec();
    from.take(length as u64).read_to_end(&mut bytes).await?;
    match bytes.len() == HEAD_BYTES + length {
        true => Ok(bytes),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Hands on the frames of one direction.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    quiver: &Quiver,
) -> io::Result<()> {
    // Who is greeting is no part of the run yet.
    let greeting = frame(&mut from).await?;
    to.write_all(&greeting).await?;
    loop {
        let mut bytes = frame(&mut from).await?;
        let Some(drawn) = quiver.next() else {
            to.write_all(&bytes).await?;
            continue;
        };
        match drawn.strike.what {
            Disturbance::Drop => drawn.fired(),
            Disturbance::Repeat => {
                to.write_all(&bytes).await?;
                drawn.land(&mut to, &bytes).await?;
            }
            Disturbance::Reorder => {
                // Its first byte in time, and the rest of it: nothing is lost if there is none, or what comes is no frame.
                let wait = Duration::from_millis(OVERTAKING_WAIT_MS);
                let overtaking = match tokio::time::timeout(wait, from.read_u8()).await {
                    Ok(Ok(first)) => {
                        let first = [first];
                        frame(&mut AsyncReadExt::chain(&first[..], &mut from)).await.map(Some)
                    }
                    Ok(Err(error)) => Err(error),
                    Err(_) => Ok(None),
                };
                match overtaking {
                    Ok(Some(next)) => {
                        drawn.land(&mut to, &next).await?;
                        to.write_all(&bytes).await?;
                    }
                    // It is for another frame, after one that goes on untouched.
                    Ok(None) => {
                        drop(drawn);
                        to.write_all(&bytes).await?;
                        to.write_all(&frame(&mut from).await?).await?;
                    }
                    // This was the last one: whoever ends has said so with it.
                    Err(error) => {
                        drop(drawn);
                        to.write_all(&bytes).await?;
                        return Err(error);
                    }
                }
            }
            // To the chain a host that ends is a connection that does.
            Disturbance::Cut | Disturbance::KillHost => {
                drawn.fired();
                return Ok(());
            }
            Disturbance::Garble => {
                let at = bytes.len() / 2;
                bytes[at.max(HEAD_BYTES / 2)] ^= 0x10;
                drawn.land(&mut to, &bytes).await?;
            }
            Disturbance::Oversize => {
                bytes[..4].fill(u8::MAX);
                drawn.land(&mut to, &bytes).await?;
            }
            Disturbance::Slow => {
                // It strikes while it holds the frame back, whatever becomes of that.
                let held = Duration::from_millis(drawn.strike.ms);
                drawn.fired();
                tokio::time::sleep(held).await;
                to.write_all(&bytes).await?;
            }
            _ => drawn.land(&mut to, &bytes).await?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::link::{Link, Listener, Pass};
    use protocol::units::Height;
    use tokio_util::bytes::Bytes;

    /// What the chain reads of three messages of so many bytes behind a greeting, while something happens to the first of
    /// them; how that ends; and how often it happened.
    async fn read(what: Disturbance, length: usize) -> (Vec<u8>, String, usize) {
        let folder = tempfile::tempdir().expect("writable");
        let pass = Pass { run: "run".to_owned(), token: "token".to_owned() };
        let place = Place::Unix(folder.path().join("chain"));
        let mut listener = Listener::open(&place, &pass).await.expect("nobody is there");
        let front = folder.path().join("front");
        let between = UnixListener::bind(&front).expect("nobody is there");
        let quiver = Quiver::default();
        let relaying = tokio::spawn(relay(between, place, quiver.clone()));
        let mut host = Link::connect(&Place::Unix(front), &pass).await.expect("it listens");
        host.send(Bytes::from_static(b"hello")).await.expect("it listens");
        let mut chain = listener.accept().await.expect("it comes");
        chain.receive().await.expect("a greeting");
        quiver.arm(Strike { at: Height(1), what, ms: 1 });
        let sending = tokio::spawn(async move {
            for number in 0..3_u8 {
                host.send(Bytes::from(vec![number; length])).await.ok();
            }
            host.close().await.ok();
        });
        let mut numbers = Vec::new();
        let error = loop {
            match chain.receive().await {
                Ok(message) => numbers.push(message[0]),
                Err(error) => break error.to_string(),
            }
        };
        sending.abort();
        relaying.abort();
        (numbers, error, quiver.take_fired().len())
    }

    #[test]
    fn what_is_struck_is_seen_or_harmless() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("there are sockets");
        let closed = "the connection was closed by the other end";
        let rows: &[(Disturbance, &[u8], &str)] = &[
            (Disturbance::Repeat, &[0, 1, 2], closed),
            (Disturbance::Slow, &[0, 1, 2], closed),
            (Disturbance::Drop, &[], "message 2 came where message 1 should have"),
            (Disturbance::Reorder, &[], "message 2 came where message 1 should have"),
            (Disturbance::Cut, &[], closed),
            (Disturbance::Garble, &[], "a message was damaged on its way"),
            (Disturbance::Oversize, &[], "a message of more than 1073741824 bytes was refused"),
        ];
        for (what, numbers, error) in rows {
            // More than a socket holds: whoever refuses it reads no more of it.
            for length in [9, 4 << 20] {
                let (read, told, fired) = runtime.block_on(read(*what, length));
                assert_eq!((&read[..], told.as_str(), fired), (*numbers, *error, 1), "{what}");
            }
        }
    }
}
