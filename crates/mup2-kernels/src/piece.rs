//! Pieces of matrices, copied as they are or turned: columns become rows.

use super::vector::{MOST_LANES, load, store};
use pulp::Simd;
use std::ops::Range;

/// Some `rows` and `columns` of a matrix whose rows are `pitch` apart.
#[derive(Debug, Clone)]
pub(super) struct Piece<'a> {
    pub matrix: &'a [f32],
    pub pitch: usize,
    pub rows: Range<usize>,
    pub columns: Range<usize>,
}

/// Copies `piece`, each row filled up with zeros to `width`.
#[inline(always)]
pub(super) fn copy<S: Simd>(simd: S, piece: &Piece, to: &mut [f32], width: usize) {
    for (row, to) in piece.rows.clone().zip(to.chunks_exact_mut(width)) {
        let row = &piece.matrix[row * piece.pitch..][piece.columns.clone()];
        for (number, to) in to.chunks_mut(S::F32_LANES).enumerate() {
            let from = (number * S::F32_LANES).min(row.len());
            store(simd, to, load(simd, &row[from..]));
        }
    }
}

/// Each column of `piece` becomes a row of `turned`, filled up with zeros to `width`, a multiple of the lanes.
#[inline(always)]
pub(super) fn turn<S: Simd>(simd: S, piece: &Piece, turned: &mut [f32], width: usize) {
    let lanes = S::F32_LANES;
    let (turned, _) = S::as_mut_simd_f32s(turned);
    let vectors = width / lanes;
    for place in 0..vectors {
        let first = (piece.rows.start + place * lanes).min(piece.rows.end);
        let rows = first..(first + lanes).min(piece.rows.end);
        let mut lines = [([].as_slice(), [].as_slice()); MOST_LANES];
        for (line, row) in lines.iter_mut().zip(rows) {
            let row = &piece.matrix[row * piece.pitch..][piece.columns.clone()];
            *line = S::as_simd_f32s(row);
        }
        for (number, first) in (0..piece.columns.len()).step_by(lanes).enumerate() {
            let mut tile = [simd.splat_f32s(0.0); MOST_LANES];
            for (vector, (line, rest)) in tile.iter_mut().zip(&lines) {
                *vector = match line.get(number) {
                    Some(&seen) => seen,
                    None => simd.partial_load_f32s(rest),
                };
            }
            turn_tile(simd, &mut tile);
            let count = lanes.min(piece.columns.len() - first);
            for (lane, vector) in tile.iter().enumerate().take(count) {
                turned[(first + lane) * vectors + place] = *vector;
            }
        }
    }
}

/// As many vectors as a vector has lanes, turned: blocks of halves are exchanged, then of quarters and so on.
#[inline(always)]
fn turn_tile<S: Simd>(simd: S, tile: &mut [S::f32s; MOST_LANES]) {
    exchange::<S, 8>(simd, tile);
    exchange::<S, 4>(simd, tile);
    exchange::<S, 2>(simd, tile);
    exchange::<S, 1>(simd, tile);
}

/// Of each square of 2 `SIDE` vectors and lanes, the quarter to the upper right against the one to the lower left.
#[inline(always)]
fn exchange<S: Simd, const SIDE: usize>(simd: S, tile: &mut [S::f32s; MOST_LANES]) {
    let lanes = S::F32_LANES;
    if SIDE >= lanes {
        return;
    }
    let mut is_right = [0.0; MOST_LANES];
    for (lane, is_right) in is_right.iter_mut().enumerate() {
        *is_right = if lane & SIDE == 0 { 0.0 } else { 1.0 };
    }
    let is_right = simd.greater_than_f32s(load(simd, &is_right), simd.splat_f32s(0.5));
    for upper in 0..lanes {
        if upper & SIDE == 0 {
            let (above, below) = (tile[upper], tile[upper + SIDE]);
            tile[upper] = simd.select_f32s(is_right, simd.rotate_right_f32s(below, SIDE), above);
            tile[upper + SIDE] =
                simd.select_f32s(is_right, below, simd.rotate_left_f32s(above, SIDE));
        }
    }
}
