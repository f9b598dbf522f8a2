//! A real NATS server on this machine, for one test: on a free port of 127.0.0.1, with JetStream, gone with the test.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Where `.ci/run` puts Debian's package, below the build folder.
const BELOW_TARGET: &str = "tools/usr/sbin/nats-server";
/// How often a server that was started is asked whether it listens, and how long it is waited for in between.
const ASKED_MAX: u32 = 500;
const ASKED_INTERVAL: Duration = Duration::from_millis(20);

/// A NATS server; it is killed when it is dropped.
#[derive(Debug)]
pub struct Broker {
    program: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
    server: Option<Child>,
}

impl Broker {
    /// Starts a server as it comes; none where there is no `nats-server`, which is said.
    pub fn start() -> Option<Self> {
        Self::start_with("")
    }

    /// Starts a server with more lines of configuration, for instance `max_payload: 4096`.
    pub fn start_with(lines: &str) -> Option<Self> {
        let Some(program) = program() else {
            eprintln!("skipped: there is no nats-server in PATH or at target/{BELOW_TARGET}");
            return None;
        };
        let free = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = free.local_addr().expect("it is bound").port();
        drop(free);
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let store = folder.path().join("store");
        let text = format!(
            "listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: {:?} }}\n{lines}\n",
            store.display().to_string()
        );
        std::fs::write(folder.path().join("server.conf"), text).expect("writable");
        let mut broker = Self { program, folder, port, server: None };
        broker.begin();
        Some(broker)
    }

    /// Where it listens: HOST:PORT behind `nats://`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Its process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().map(Child::id)
    }

    /// Kills it and starts it again on the same port; what it had stored it has again.
    pub fn restart(&mut self) {
        self.stop();
        self.begin();
    }

    /// Kills it.
    pub fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().expect("it is ours");
            server.wait().expect("it was killed");
        }
    }

    fn begin(&mut self) {
        let log = std::fs::File::create(self.folder.path().join("server.log")).expect("writable");
        let server = Command::new(&self.program)
            .arg("-c")
            .arg(self.folder.path().join("server.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.server = Some(server.expect("nats-server starts"));
        for _ in 0..ASKED_MAX {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            std::thread::sleep(ASKED_INTERVAL);
        }
        let said = std::fs::read_to_string(self.folder.path().join("server.log"));
        panic!("nats-server does not listen: {said:?}");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop();
    }
}

fn program() -> Option<PathBuf> {
    let built = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../target").into_os_string()
    });
    let fetched = Path::new(&built).join(BELOW_TARGET);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&path).map(|folder| folder.join("nats-server"));
    found.find(|program| program.is_file()).or_else(|| fetched.is_file().then_some(fetched))
}
