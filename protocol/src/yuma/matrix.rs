//! A matrix of raw numbers, row by row, with only the entries that exist.
//!
//! An entry of value 0 is not the same as no entry, and the order within a row is kept: both are
//! observable in an epoch.

use alloc::vec;
use alloc::vec::Vec;

use super::number::{self, Divisor};

/// Rows of entries in one allocation; uids beyond the last finished row have none.
#[derive(Clone, Debug, Default)]
pub(super) struct Matrix {
    /// Where each row ends, and so where the next begins.
    ends: Vec<usize>,
    columns: Vec<u16>,
    values: Vec<i64>,
    /// Number of columns.
    width: usize,
}

impl Matrix {
    pub(super) fn new(width: usize, entries: usize) -> Self {
        Self {
            ends: Vec::with_capacity(width),
            columns: Vec::with_capacity(entries),
            values: Vec::with_capacity(entries),
            width,
        }
    }

    /// Number of columns, and of uids.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Number of entries.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Adds an entry to the row being built. `column` is below the width.
    pub(super) fn push(&mut self, column: u16, value: i64) {
        self.columns.push(column);
        self.values.push(value);
    }

    /// Ends the row being built.
    pub(super) fn end_row(&mut self) {
        self.ends.push(self.values.len());
    }

    /// Puts the row being built in ascending order of columns.
    pub(super) fn sort_open_row(&mut self) {
        let start = self.ends.last().copied().unwrap_or(0);
        if self.columns[start..].is_sorted() {
            return;
        }
        let open = self.columns.drain(start..).zip(self.values.drain(start..));
        let mut row: Vec<(u16, i64)> = open.collect();
        row.sort_by_key(|&(column, _)| column);
        for (column, value) in row {
            self.push(column, value);
        }
    }

    fn range(&self, row: usize) -> core::ops::Range<usize> {
        let end = self.ends.get(row).copied().unwrap_or(self.values.len());
        let start = match row {
            0 => 0,
            _ => self.ends.get(row - 1).copied().unwrap_or(self.values.len()),
        };
        start..end
    }

    /// The entries of a row.
    pub(super) fn row(&self, row: usize) -> impl ExactSizeIterator<Item = (u16, i64)> + '_ {
        let range = self.range(row);
        let columns = self.columns[range.clone()].iter().copied();
        columns.zip(self.values[range].iter().copied())
    }

    /// The same entries, each with its row, column and value put through `f`.
    pub(super) fn map(&self, mut f: impl FnMut(usize, u16, i64) -> i64) -> Self {
        let mut values = Vec::with_capacity(self.values.len());
        for row in 0..self.ends.len() {
            values.extend(self.row(row).map(|(column, value)| f(row, column, value)));
        }
        Self { ends: self.ends.clone(), columns: self.columns.clone(), values, width: self.width }
    }

    pub(super) fn row_sums(&self) -> Vec<i64> {
        (0..self.width).map(|row| number::sum(&self.values[self.range(row)])).collect()
    }

    fn column_sums(&self) -> Vec<i64> {
        let mut sums = vec![0_i64; self.width];
        for (&column, &value) in self.columns.iter().zip(&self.values) {
            let sum = &mut sums[usize::from(column)];
            *sum = sum.wrapping_add(value);
        }
        sums
    }

    fn column_maxima(&self) -> Vec<i64> {
        let mut maxima = vec![0_i64; self.width];
        for (&column, &value) in self.columns.iter().zip(&self.values) {
            let maximum = &mut maxima[usize::from(column)];
            *maximum = value.max(*maximum);
        }
        maxima
    }

    /// The sums of the columns, ready to divide by.
    pub(super) fn column_divisors(&self) -> Vec<Divisor> {
        self.column_sums().into_iter().map(Divisor::new).collect()
    }

    /// Divides each entry by the sum of its column.
    ///
    /// Mirrors: `inplace_col_normalize_sparse`.
    pub(super) fn normalise_columns(&mut self) {
        let divisors = self.column_divisors();
        self.divide_columns(&divisors);
    }

    /// Divides each entry by the largest of its column.
    ///
    /// Mirrors: `inplace_col_max_upscale_sparse`.
    pub(super) fn upscale_columns(&mut self) {
        let divisors: Vec<_> = self.column_maxima().into_iter().map(Divisor::new).collect();
        self.divide_columns(&divisors);
    }

    fn divide_columns(&mut self, divisors: &[Divisor]) {
        for (&column, value) in self.columns.iter().zip(&mut self.values) {
            *value = divisors[usize::from(column)].normalise(*value);
        }
    }
}
