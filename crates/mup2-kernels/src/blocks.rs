//! The rows of a matrix in blocks that fit a tile of registers.

use std::ops::Range;

/// Rows that a tile of two vectors has at most, with the 32 registers of AVX-512 and with 16.
pub(crate) const MOST_ROWS: usize = 12;
const FEW_ROWS: usize = 6;

/// Some neighbouring rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    pub first: usize,
    pub rows: usize,
}

/// `rows` in blocks.
pub(crate) fn blocks(rows: usize, lanes: usize) -> Vec<Block> {
    let most = if lanes >= 16 { MOST_ROWS } else { FEW_ROWS };
    let block = |rows: Range<usize>| Block {
        first: rows.start,
        rows: rows.len(),
    };
    evenly(rows, most).map(block).collect()
}

/// `count` in parts of at most `most`, as equal as they can be: a last one that is a sliver would cost as much as a whole.
pub(crate) fn evenly(count: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let parts = count.div_ceil(most);
    let bound = move |part: usize| count * part / parts;
    (0..parts).map(move |part| bound(part)..bound(part + 1))
}
