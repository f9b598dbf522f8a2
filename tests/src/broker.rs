//! A NATS server with JetStream, for one test: on a free port of this machine, with a folder of its own, gone when the
//! test is over.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to listen.
const START_MS_MAX: u64 = 20_000;
/// Servers that are tried: a port that was free may be taken by the time it is used.
const PORTS_MAX: u32 = 5;

/// A server that runs.
#[derive(Debug)]
pub struct Broker {
    program: PathBuf,
    server: Child,
    port: u16,
    store: tempfile::TempDir,
}

impl Broker {
    /// Starts one; none where the machine has no `nats-server`: in PATH, or below the build folder, where `.ci/run`
    /// puts it.
    ///
    /// # Panics
    /// There is one, and it does not start.
    pub fn start() -> Option<Self> {
        let program = program()?;
        let store = tempfile::tempdir().expect("a temporary folder can be made");
        for _ in 0..PORTS_MAX {
            let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
            let port = listener.local_addr().expect("it is bound").port();
            drop(listener);
            let mut server = serve(&program, &store, port);
            if listens(&mut server, port) {
                return Some(Self { program, server, port, store });
            }
        }
        panic!("{} does not start", program.display());
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Ends it at once. What it has stored stays.
    ///
    /// # Panics
    /// The system does not let it.
    pub fn stop(&mut self) {
        self.server.kill().expect("it is ours");
        self.server.wait().expect("it was killed");
    }

    /// Ends it at once, and starts it again at the same place with what it has stored.
    ///
    /// # Panics
    /// It does not start again.
    pub fn restart(&mut self) {
        self.stop();
        self.server = serve(&self.program, &self.store, self.port);
        assert!(listens(&mut self.server, self.port), "it does not start again");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

fn program() -> Option<PathBuf> {
    let test = std::env::current_exe().ok()?;
    let fetched = test.ancestors().nth(3).map(|build| build.join("tools/usr/sbin/nats-server"));
    let works = |program: &PathBuf| {
        Command::new(program).arg("--version").output().is_ok_and(|said| said.status.success())
    };
    fetched.into_iter().chain([PathBuf::from("nats-server")]).find(works)
}

fn serve(program: &PathBuf, store: &tempfile::TempDir, port: u16) -> Child {
    Command::new(program)
        .args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"])
        .arg(store.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it said its version")
}

/// Waits until a server greets; a port that another took ends it.
fn listens(server: &mut Child, port: u16) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(START_MS_MAX) {
        if !matches!(server.try_wait(), Ok(None)) {
            return false;
        }
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
            let mut greeting = [0; 4];
            if stream.read_exact(&mut greeting).is_ok() && &greeting == b"INFO" {
                return true;
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    server.kill().ok();
    server.wait().ok();
    false
}
