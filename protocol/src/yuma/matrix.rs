//! A matrix of raw numbers, row by row, with only the entries that exist.
//!
//! An entry of value 0 is not the same as no entry, and the order within a row is kept: both are
//! observable in an epoch.

use alloc::vec::Vec;

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

    /// Adds entries to the row being built. Columns are below the width.
    pub(super) fn extend(
        &mut self,
        columns: impl ExactSizeIterator<Item = u16>,
        values: impl ExactSizeIterator<Item = i64>,
    ) {
        debug_assert_eq!(columns.len(), values.len());
        self.columns.extend(columns);
        self.values.extend(values);
    }

    /// Ends the row being built.
    pub(super) fn end_row(&mut self) {
        self.ends.push(self.values.len());
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

    /// Lets `rewrite` change each row in place. It gets the row's uid, columns and values, and says
    /// how many entries remain; these it has moved to the front.
    pub(super) fn rewrite_rows(
        &mut self,
        mut rewrite: impl FnMut(usize, &mut [u16], &mut [i64]) -> usize,
    ) {
        let (mut start, mut length) = (0, 0);
        for (row, end) in self.ends.iter_mut().enumerate() {
            let range = start..*end;
            let columns = &mut self.columns[range.clone()];
            let kept = rewrite(row, columns, &mut self.values[range]);
            if start > length {
                self.columns.copy_within(start..start + kept, length);
                self.values.copy_within(start..start + kept, length);
            }
            length += kept;
            start = core::mem::replace(end, length);
        }
        self.columns.truncate(length);
        self.values.truncate(length);
    }
}
