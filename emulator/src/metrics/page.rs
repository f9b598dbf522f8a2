//! A scrape in the making: series by family, as the `prometheus` crate has them.
//!
//! What belongs here: series from label values and a number. What does not: which (`collect`), and names (`table`).
//! Label vectors of the crate are not used: they know a series only by a hash in which ("1", "12") and ("11", "2") are
//! the same.

use super::table::{Family, Kind};
use super::timings::Durations;
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily};
use std::collections::BTreeMap;

/// Series by family.
pub struct Page<'a> {
    run: &'a [LabelPair],
    metrics: BTreeMap<&'static str, (&'static Family, Vec<Metric>)>,
}

impl<'a> Page<'a> {
    /// An empty one; every series gets the labels of its run.
    pub const fn new(run: &'a [LabelPair]) -> Self {
        Self { run, metrics: BTreeMap::new() }
    }

    /// Adds a series; values are those of the family's own labels, in their order.
    pub fn add(&mut self, family: &'static Family, values: &[&str], value: f64) {
        let mut metric = self.metric(family, values);
        match family.kind {
            Kind::Gauge => {
                let mut gauge = Gauge::default();
                gauge.set_value(value);
                metric.set_gauge(gauge);
            }
            Kind::Counter => {
                let mut counter = Counter::default();
                counter.set_value(value);
                metric.set_counter(counter);
            }
            Kind::Histogram => unreachable!("{} takes durations", family.name),
        }
        self.push(family, metric);
    }

    /// Adds a histogram.
    pub fn add_durations(
        &mut self,
        family: &'static Family,
        values: &[&str],
        durations: &Durations,
    ) {
        let mut metric = self.metric(family, values);
        metric.set_histogram(durations.shown());
        self.push(family, metric);
    }

    fn metric(&self, family: &'static Family, values: &[&str]) -> Metric {
        debug_assert_eq!(family.labels.len(), values.len(), "labels of {}", family.name);
        let own = family.labels.iter().zip(values).map(|(name, value)| pair(name, value));
        Metric::from_label(own.chain(self.run.iter().cloned()).collect())
    }

    fn push(&mut self, family: &'static Family, metric: Metric) {
        self.metrics.entry(family.name).or_insert((family, Vec::new())).1.push(metric);
    }

    /// All of them.
    pub fn families(self) -> Vec<MetricFamily> {
        let families = self.metrics.into_values().map(|(family, metrics)| {
            let mut shown = MetricFamily::default();
            shown.set_name(family.name.to_owned());
            shown.set_help(family.help.to_owned());
            shown.set_field_type(family.kind.metric_type());
            shown.set_metric(metrics);
            shown
        });
        families.collect()
    }
}

/// A label.
pub fn pair(name: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}
