//! The rows of a matrix in blocks that fit a tile of registers.

/// Rows that a tile of two vectors has at most, with the 32 registers of AVX-512 and with 16.
pub(crate) const MOST_ROWS: usize = 12;
const FEW_ROWS: usize = 6;

/// Some neighbouring rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    pub first: usize,
    pub rows: usize,
}

/// `rows` in blocks as equal as they can be: a last one that is a sliver would cost as much as a whole.
pub(crate) fn blocks(rows: usize, lanes: usize) -> Vec<Block> {
    let most = if lanes >= 16 { MOST_ROWS } else { FEW_ROWS };
    let count = rows.div_ceil(most);
    let bound = |block| rows * block / count;
    let block = |block| Block {
        first: bound(block),
        rows: bound(block + 1) - bound(block),
    };
    (0..count).map(block).collect()
}
