//! A real Prometheus on this machine, for one test: on a free port of 127.0.0.1, gone with the test, and what it answers.

use serde_json::Value;
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How often a server that was started is asked whether it is ready, and how long it is waited for in between.
const ASKED_MAX: u32 = 1_500;
const ASKED_INTERVAL: Duration = Duration::from_millis(20);

/// A Prometheus; it is killed when it is dropped.
#[derive(Debug)]
pub struct Prometheus {
    port: u16,
    server: Child,
}

/// One series of an answer: its labels and its finite values in order of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// By name, `__name__` among them.
    pub labels: Vec<(String, String)>,
    /// Seconds since 1970, and the value.
    pub points: Vec<(f64, f64)>,
}

impl Prometheus {
    /// Starts one with a configuration and the data in a folder, as grafana/README.md says.
    pub fn start(program: &Path, config: &Path, data: &Path) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = free.local_addr().expect("it is bound").port();
        drop(free);
        let log = std::fs::File::create(data.with_extension("log")).expect("writable");
        let server = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg("--storage.tsdb.retention.time=100y")
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--web.enable-remote-write-receiver")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("it starts");
        let made = Self { port, server };
        for _ in 0..ASKED_MAX {
            if made.get("/-/ready").is_ok() {
                return made;
            }
            std::thread::sleep(ASKED_INTERVAL);
        }
        let said = std::fs::read_to_string(data.with_extension("log")).unwrap_or_default();
        panic!("Prometheus is not ready:\n{said}");
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The series of a query over a time, at each `step` seconds; those without a finite value are left out.
    ///
    /// # Errors
    /// What Prometheus says against it.
    pub fn range(
        &self,
        query: &str,
        (begin, end): (f64, f64),
        step: u32,
    ) -> Result<Vec<Series>, String> {
        let query = escaped(query);
        let path = format!("/api/v1/query_range?query={query}&start={begin}&end={end}&step={step}");
        let data = self.data(&path)?;
        let series = data["result"].as_array().ok_or("no list of series")?;
        let series = series.iter().map(|one| Series {
            labels: labels(&one["metric"]),
            points: one["values"].as_array().into_iter().flatten().filter_map(point).collect(),
        });
        Ok(series.filter(|one| !one.points.is_empty()).collect())
    }

    /// The values of a label over the series that a selector names, within a time.
    ///
    /// # Errors
    /// What Prometheus says against it.
    pub fn label_values(
        &self,
        label: &str,
        selector: &str,
        (begin, end): (f64, f64),
    ) -> Result<Vec<String>, String> {
        let selector = escaped(selector);
        let path =
            format!("/api/v1/label/{label}/values?match[]={selector}&start={begin}&end={end}");
        let data = self.data(&path)?;
        let values = data.as_array().ok_or("no list of values")?;
        Ok(values.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// A query as Prometheus itself writes it.
    ///
    /// # Errors
    /// What Prometheus says against it.
    pub fn formatted(&self, query: &str) -> Result<String, String> {
        let data = self.data(&format!("/api/v1/format_query?query={}", escaped(query)))?;
        data.as_str().map(str::to_owned).ok_or_else(|| format!("no text: {data}"))
    }

    /// What an address of its interface answers.
    ///
    /// # Errors
    /// What Prometheus says against it.
    pub fn data(&self, path: &str) -> Result<Value, String> {
        let body = self.get(path)?;
        let mut answer: Value = serde_json::from_str(&body).map_err(|error| error.to_string())?;
        Ok(answer["data"].take())
    }

    fn get(&self, path: &str) -> Result<String, String> {
        let told = |error: std::io::Error| error.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).map_err(told)?;
        // Of HTTP before 1.1: the answer comes in one piece and ends with the connection.
        let request = format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n");
        stream.write_all(request.as_bytes()).map_err(told)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(told)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        if status == "200" { Ok(body.to_owned()) } else { Err(format!("{status}: {body}")) }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It is ours and may be gone already.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn labels(metric: &Value) -> Vec<(String, String)> {
    let pairs = metric.as_object().into_iter().flatten();
    pairs.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

fn point(pair: &Value) -> Option<(f64, f64)> {
    let value: f64 = pair[1].as_str()?.parse().ok()?;
    value.is_finite().then_some((pair[0].as_f64()?, value))
}

/// A text as part of an address.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            escaped.push(char::from(byte));
        } else {
            write!(escaped, "%{byte:02X}").expect("a text takes it");
        }
    }
    escaped
}
