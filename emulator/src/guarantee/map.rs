//! Honest emission over all pairs of self-weights, and what it says: between points it is read as linear.

use super::Millionths;
use std::collections::{BTreeMap, BTreeSet};

/// Shares that differ by less are equal. Every step of an epoch floors to 2⁻³², so that each UID may lack that much:
/// 512 of them 1.2·10⁻⁷ of what is divided.
pub const ROUNDING: f64 = 1e-6;

/// A line, by (honest self-weight, cabal's self-weight).
pub type Line = Vec<(f64, f64)>;

/// Honest emission at every pair of self-weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    points: usize,
    /// The honest self-weight varies slowest.
    values: Vec<f64>,
}

/// What honest stake needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Required {
    /// The self-weight from which on it keeps its share at every self-weight of the cabal; none if it never does.
    pub honest_utility: Option<f64>,
    /// The cabal's self-weight that makes it so; none if nothing is ever lost.
    pub cabal_weight: Option<f64>,
}

impl Map {
    /// From values of which the honest self-weight varies slowest; `points` squared of them.
    pub fn new(points: u16, values: Vec<f64>) -> Self {
        let points = usize::from(points);
        assert_eq!(values.len(), points * points, "a map is square");
        Self { points, values }
    }

    /// The mean of maps of one size, of which there is at least one.
    pub fn mean(maps: &[Self]) -> Self {
        let count = maps.len() as f64;
        let mean = |at: usize| maps.iter().map(|map| map.values[at]).sum::<f64>() / count;
        let cells = maps.first().map_or(0, |map| map.values.len());
        let points = maps.first().map_or(0, |map| map.points);
        Self { points, values: (0..cells).map(mean).collect() }
    }

    /// The self-weight of a number: 0 to 1.
    pub fn weight(&self, number: usize) -> f64 {
        number as f64 / (self.points - 1) as f64
    }

    /// All self-weights.
    pub fn weights(&self) -> Vec<f64> {
        (0..self.points).map(|number| self.weight(number)).collect()
    }

    /// The value at a point, by the numbers of the honest and the cabal's self-weight.
    pub fn at(&self, honest: usize, cabal: usize) -> f64 {
        self.values[honest * self.points + cabal]
    }

    /// By honest self-weight, the values by the cabal's.
    pub fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.points)
    }

    /// The least that the cabal's choice leaves to the honest camp, at any honest self-weight.
    pub fn least(&self, honest: f64) -> f64 {
        let last = self.points - 1;
        let place = (honest * last as f64).clamp(0.0, last as f64);
        let lower = (place.floor() as usize).min(last - 1);
        let part = place - lower as f64;
        let between =
            |cabal: usize| self.at(lower, cabal) * (1.0 - part) + self.at(lower + 1, cabal) * part;
        (0..self.points).map(between).fold(f64::INFINITY, f64::min)
    }

    /// What honest stake of that share needs to keep it. A utility beyond which some utility fails does not suffice.
    pub fn required(&self, honest_stake: Millionths) -> Required {
        let level = level(honest_stake);
        let mut required = Required { honest_utility: Some(0.0), cabal_weight: None };
        for cabal in 0..self.points {
            let Some(failing) = (0..self.points).rev().find(|&at| self.at(at, cabal) < level)
            else {
                continue;
            };
            let cabal_weight = Some(self.weight(cabal));
            if failing + 1 == self.points {
                return Required { honest_utility: None, cabal_weight };
            }
            let (low, high) = (self.at(failing, cabal), self.at(failing + 1, cabal));
            let crossing = self.weight(failing) + (level - low) / (high - low) * self.weight(1);
            if required.honest_utility.is_none_or(|before| crossing > before) {
                required = Required { honest_utility: Some(crossing), cabal_weight };
            }
        }
        required
    }

    /// Where the honest camp keeps just its share: lines with a crossing on each edge of the grid that they pass. Of a
    /// cell whose corners are above and below by turns, the mean of the four says which are connected.
    pub fn contour(&self, honest_stake: Millionths) -> Vec<Line> {
        let level = level(honest_stake);
        let mut neighbours: BTreeMap<Edge, Vec<Edge>> = BTreeMap::new();
        for honest in 0..self.points - 1 {
            for cabal in 0..self.points - 1 {
                for [one, other] in self.contour_cell((honest, cabal), level) {
                    neighbours.entry(one).or_default().push(other);
                    neighbours.entry(other).or_default().push(one);
                }
            }
        }
        // Open lines begin at the border; what is left then is closed.
        let ends = neighbours.iter().filter(|(_, others)| others.len() == 1).map(|(edge, _)| *edge);
        let starts: Vec<Edge> = ends.chain(neighbours.keys().copied()).collect();
        let mut seen = BTreeSet::new();
        let mut lines = Vec::new();
        for start in starts {
            if !seen.insert(start) {
                continue;
            }
            let mut line = vec![self.contour_crossing(start, level)];
            let mut at = start;
            while let Some(&next) = neighbours[&at].iter().find(|edge| !seen.contains(*edge)) {
                seen.insert(next);
                line.push(self.contour_crossing(next, level));
                at = next;
            }
            if at != start && line.len() > 2 && neighbours[&at].contains(&start) {
                line.push(line[0]);
            }
            lines.push(line);
        }
        lines
    }

    /// The pieces of the contour within one cell, each from edge to edge.
    fn contour_cell(&self, (honest, cabal): (usize, usize), level: f64) -> Vec<[Edge; 2]> {
        let corners = [(0, 0), (1, 0), (1, 1), (0, 1)];
        let values = corners.map(|(right, up)| self.at(honest + right, cabal + up));
        let edges = [
            Edge { honest, cabal, along: Along::Honest },
            Edge { honest: honest + 1, cabal, along: Along::Cabal },
            Edge { honest, cabal: cabal + 1, along: Along::Honest },
            Edge { honest, cabal, along: Along::Cabal },
        ];
        let is_kept = |corner: usize| values[corner % 4] >= level;
        let crossed: Vec<Edge> = (0..4)
            .filter(|&corner| is_kept(corner) != is_kept(corner + 1))
            .map(|corner| edges[corner])
            .collect();
        match crossed[..] {
            [one, other] => vec![[one, other]],
            [bottom, right, top, left] => {
                let is_centre_kept = values.iter().sum::<f64>() / 4.0 >= level;
                // Lines part the corners that differ from the centre from the rest.
                match is_kept(0) == is_centre_kept {
                    true => vec![[bottom, right], [top, left]],
                    false => vec![[left, bottom], [right, top]],
                }
            }
            _ => Vec::new(),
        }
    }

    fn contour_crossing(&self, edge: Edge, level: f64) -> (f64, f64) {
        let Edge { honest, cabal, along } = edge;
        let low = self.at(honest, cabal);
        let (right, up) = match along {
            Along::Honest => (1, 0),
            Along::Cabal => (0, 1),
        };
        let part = (level - low) / (self.at(honest + right, cabal + up) - low);
        let place = |at: usize, step: usize| self.weight(at) + part * step as f64 * self.weight(1);
        (place(honest, right), place(cabal, up))
    }
}

fn level(honest_stake: Millionths) -> f64 {
    honest_stake.as_f64() - ROUNDING
}

/// An edge of the grid, from the point of that number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    honest: usize,
    cabal: usize,
    along: Along,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Along {
    Honest,
    Cabal,
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: Millionths = Millionths(500_000);

    /// A map of a function of (honest, cabal).
    fn map_of(points: u16, value: impl Fn(f64, f64) -> f64) -> Map {
        let weight = |number: u16| f64::from(number) / f64::from(points - 1);
        let cells = (0..points).flat_map(|h| (0..points).map(move |c| (h, c)));
        Map::new(points, cells.map(|(h, c)| value(weight(h), weight(c))).collect())
    }

    #[test]
    fn what_is_required_is_the_last_crossing_of_the_worst_column() {
        let near = |required: Required, utility: f64, cabal: f64| {
            let found = required.honest_utility.expect("there is one");
            assert!((found - utility).abs() < 1e-5, "{found} is not {utility}");
            assert_eq!(required.cabal_weight, Some(cabal));
        };
        // A plane: the half is at h = 0.5 + 0.2·c, worst at c = 1.
        near(map_of(11, |h, c| h - 0.2 * c).required(HALF), 0.7, 1.0);
        // It is kept at first, then lost, then kept: only the last counts.
        near(map_of(101, |h, _| if h < 0.2 { 0.9 } else { h - 0.2 }).required(HALF), 0.7, 0.0);
        let always = map_of(5, |_, _| 0.5).required(HALF);
        assert_eq!(always, Required { honest_utility: Some(0.0), cabal_weight: None });
        // What flooring takes is no loss.
        assert_eq!(map_of(5, |_, _| 0.5 - 1e-7).required(HALF), always);
        let never = map_of(5, |h, c| if c == 0.5 { 0.4 } else { h + 1.0 }).required(HALF);
        assert_eq!(never, Required { honest_utility: None, cabal_weight: Some(0.5) });
    }

    #[test]
    fn the_least_is_over_the_cabals_choices_and_linear_between_points() {
        let map = map_of(5, |h, c| h + f64::abs(c - 0.5));
        for honest in [0.0, 0.1, 0.5, 0.99, 1.0] {
            assert!((map.least(honest) - honest).abs() < 1e-12, "{honest}: {}", map.least(honest));
        }
    }

    #[test]
    fn contours_follow_the_level() {
        let contour = map_of(11, |h, c| h - 0.2 * c).contour(HALF);
        assert_eq!(contour.len(), 1);
        // One crossing for each of 11 columns, and one wherever it passes from one row of cells to the next.
        assert!(contour[0].len() >= 11, "{contour:?}");
        for (h, c) in &contour[0] {
            assert!((h - (0.5 + 0.2 * c)).abs() < 1e-5, "({h}, {c})");
        }
        let ends = [contour[0][0].1, contour[0][contour[0].len() - 1].1];
        assert!(ends.contains(&0.0) && ends.contains(&1.0), "{ends:?}");
        // A hill is gone around once, and the line ends where it began.
        let hill = map_of(41, |h, c| 1.0 - ((h - 0.5).powi(2) + (c - 0.5).powi(2)).sqrt() * 2.0);
        let around = hill.contour(HALF);
        assert_eq!(around.len(), 1);
        assert_eq!(around[0].first(), around[0].last());
        for (h, c) in &around[0] {
            let radius = ((h - 0.5).powi(2) + (c - 0.5).powi(2)).sqrt();
            assert!((radius - 0.25).abs() < 2e-3, "({h}, {c}) is {radius} away");
        }
        assert_eq!(map_of(5, |_, _| 0.9).contour(HALF), Vec::<Line>::new());
    }

    #[test]
    fn a_saddle_is_parted_by_its_centre() {
        // Kept in two opposite corners; whether the middle is kept says whether they are connected.
        for (middle, corner) in [(0.6, 0.45), (0.4, 0.25)] {
            let map =
                Map::new(2, vec![2.0 * middle - corner, corner, corner, 2.0 * middle - corner]);
            let lines = map.contour(HALF);
            assert_eq!(lines.len(), 2, "{lines:?}");
            for line in lines {
                let (h, c) = ((line[0].0 + line[1].0) / 2.0, (line[0].1 + line[1].1) / 2.0);
                // A line cuts off the corner it is nearest to, one that differs from the middle.
                let corner_is_kept = (h < 0.5) == (c < 0.5);
                assert_eq!(corner_is_kept, middle < 0.5, "{line:?}");
            }
        }
    }

    #[test]
    fn the_mean_is_point_by_point() {
        let maps = [map_of(3, |h, c| h + c), map_of(3, |h, c| h - c)];
        assert_eq!(Map::mean(&maps), map_of(3, |h, _| h));
    }
}
