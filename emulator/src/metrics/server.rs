//! Metrics over HTTP: `GET /metrics` for Prometheus and `GET /healthz` for whoever asks whether it listens.
//!
//! It has its own thread, so that a slow reader never holds up the chain.

use super::Metrics;
use actix_web::dev::ServerHandle;
use actix_web::rt::System;
use actix_web::web::Data;
use actix_web::{App, HttpResponse, HttpServer, web};
use prometheus::TEXT_FORMAT;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Threads that answer; a scrape takes some milliseconds and there is seldom more than one reader.
const WORKERS: usize = 1;

/// Connections that are answered at a time by a worker.
const CONNECTIONS_MAX: usize = 64;

/// Connections that may wait for one of them to end.
const BACKLOG_MAX: u32 = 64;

/// Why metrics are not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Somebody else has the port.
    #[error("metrics cannot be served on {address}: something else listens there")]
    Taken {
        /// Where metrics were to be served.
        address: String,
    },
    /// The system does not let us listen there.
    #[error("metrics cannot be served on {address}: {source}")]
    Listen {
        /// Where metrics were to be served.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// The system gives no thread that pushes them.
    #[error("metrics cannot be pushed to {url}: {source}")]
    Push {
        /// Where they were to be pushed.
        url: String,
        /// What the system says.
        source: io::Error,
    },
    /// The server's thread did not come up.
    #[error("the server of metrics on {address} does not start: {source}")]
    Start {
        /// Where metrics were to be served.
        address: String,
        /// What the system says.
        source: io::Error,
    },
}

impl ServeError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Taken { .. } => {
                Some("choose another port (port 0 takes a free one), or `--metrics off`".to_owned())
            }
            Self::Listen { .. } => Some("an address is HOST:PORT, as in 127.0.0.1:9464".to_owned()),
            Self::Start { .. } | Self::Push { .. } => None,
        }
    }
}

/// A server of metrics; it stops when dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens on `address` (`HOST:PORT`; port 0 takes a free one) and answers from now on.
    ///
    /// # Errors
    /// The address cannot be listened on, or the server's thread does not come up.
    pub fn start(address: &str, metrics: Metrics) -> Result<Self, ServeError> {
        let listen = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ServeError::Taken { address: address.to_owned() },
            _ => ServeError::Listen { address: address.to_owned(), source },
        };
        let start = |source| ServeError::Start { address: address.to_owned(), source };

        let listener = TcpListener::bind(address).map_err(listen)?;
        let bound = listener.local_addr().map_err(listen)?;
        let (sender, receiver) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("metrics".to_owned())
            .spawn(move || serve(listener, metrics, &sender))
            .map_err(start)?;
        let handle = receiver.recv().unwrap_or_else(|_| Err(io::Error::other("its thread ended")));
        let handle = handle.map_err(start)?;
        Ok(Self { address: bound, handle, thread: Some(thread) })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The order to stop is given by the call; its future only waits, and joining waits better.
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            // A panic of the server was told by its thread and ends nothing else.
            let _ = thread.join();
        }
    }
}

/// The thread's whole life: says once how to stop it, or why it cannot start, and answers until then.
fn serve(listener: TcpListener, metrics: Metrics, started: &SyncSender<io::Result<ServerHandle>>) {
    System::new().block_on(async move {
        let metrics = Data::new(metrics);
        let server = HttpServer::new(move || {
            App::new()
                .app_data(metrics.clone())
                .route("/metrics", web::get().to(answer_metrics))
                .route("/healthz", web::get().to(answer_healthz))
        });
        let server = match server
            .workers(WORKERS)
            .max_connections(CONNECTIONS_MAX)
            .backlog(BACKLOG_MAX)
            .disable_signals()
            .listen(listener)
        {
            Ok(server) => server.run(),
            Err(error) => {
                // Whoever started us waits for this; if not, there is nobody to tell.
                let _ = started.send(Err(error));
                return;
            }
        };
        let _ = started.send(Ok(server.handle()));
        if let Err(error) = server.await {
            tracing::warn!(%error, "metrics are no longer served");
        }
    });
}

async fn answer_metrics(metrics: Data<Metrics>) -> HttpResponse {
    HttpResponse::Ok().content_type(TEXT_FORMAT).body(metrics.text())
}

async fn answer_healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok\n")
}
