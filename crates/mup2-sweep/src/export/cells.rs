//! The table `cells`: which run gives the result of each cell of the grid and seed.

use super::column::{Column, integer, real, text};
use crate::config::{PlannedRun, SweepSpec};

pub(super) fn columns(sweep: &SweepSpec) -> Vec<Column<PlannedRun>> {
    let mut columns = vec![
        text("scheme", |run: &PlannedRun| {
            Some(run.cell.scheme.to_string())
        }),
        integer("width", |run: &PlannedRun| Some(run.cell.width as u64)),
        real("lr", |run: &PlannedRun| Some(run.cell.lr)),
        real("rho", |run: &PlannedRun| Some(run.cell.rho)),
        integer("seed", |run: &PlannedRun| Some(run.cell.seed)),
    ];
    for (place, (name, _)) in sweep.grid.further.0.iter().enumerate() {
        columns.push(text(format!("grid.{name}"), move |run: &PlannedRun| {
            Some(run.cell.further.get(place)?.1.to_string())
        }));
    }
    columns.push(text("id", |run: &PlannedRun| Some(run.id.to_string())));
    columns
}
