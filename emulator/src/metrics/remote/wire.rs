//! What goes over the wire: the messages of Prometheus' remote write 1.0, packed.
//!
//! What belongs here: the few messages that are sent, and their bytes. What does not: which samples (`remote`), sending
//! (`courier`). The only file that names `prost` and `snap`.

use prost::Message;

/// The value that ends a series: a reader of it is told that there is none from here on. It is a NaN like no other.
pub const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// A request.
#[derive(Clone, PartialEq, Message)]
pub struct WriteRequest {
    /// Series, each with samples.
    #[prost(message, repeated, tag = "1")]
    pub timeseries: Vec<TimeSeries>,
}

/// A series with samples.
#[derive(Clone, PartialEq, Message)]
pub struct TimeSeries {
    /// Ascending by name; none is empty.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<Label>,
    /// Ascending by time.
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<Point>,
}

/// A label.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Message)]
pub struct Label {
    /// Its name; `__name__` is the metric's.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// A value at a moment.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Point {
    /// The value.
    #[prost(double, tag = "1")]
    pub value: f64,
    /// Milliseconds since 1970-01-01T00:00:00Z, simulated.
    #[prost(int64, tag = "2")]
    pub timestamp_ms: i64,
}

/// A request as the body that is posted.
pub fn packed(request: &WriteRequest) -> Vec<u8> {
    let bytes = request.encode_to_vec();
    snap::raw::Encoder::new().compress_vec(&bytes).expect("a batch is far below four gigabytes")
}

/// A posted body as a request.
#[cfg(test)]
pub fn unpacked(body: &[u8]) -> WriteRequest {
    let bytes = snap::raw::Decoder::new().decompress_vec(body).expect("it is snappy");
    WriteRequest::decode(&bytes[..]).expect("it is a request")
}
