//! Tests of remote write.
