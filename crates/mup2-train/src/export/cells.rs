//! The table `cells`: which run gives the result of each cell of the grid and seed.

use super::column::{Column, integer, real, text};
use crate::config::PlannedRun;

pub(super) const COLUMNS: &[Column<PlannedRun>] = &[
    text("scheme", |cell| Some(cell.scheme.to_string())),
    integer("width", |cell| Some(cell.spec.model.width as u64)),
    real("lr", |cell| Some(cell.spec.optimizer.lr)),
    real("rho", |cell| Some(cell.spec.sam.rho)),
    integer("seed", |cell| Some(cell.spec.seed)),
    text("id", |cell| Some(cell.id.to_string())),
];
