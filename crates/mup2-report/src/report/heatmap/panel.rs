//! One heat map: cells, contour, optimum, transferred optimum and axes.

use super::layout::{Layout, SGD_STRIP, around, boundaries, distinct};
use super::legend::{contour_stroke, cross, transferred_outline};
use crate::figure::svg::{Anchor, Canvas, LABEL, escape};
use crate::report::cells::Cell;
use crate::report::colour_scale::TICK;
use crate::report::optima::{Optimum, is_near};
use crate::report::{Axes, Axis, Report};
use mup2_scaling::number::count;
use std::collections::HashSet;

/// One heat map: a scheme at a width.
pub(super) struct Panel<'report> {
    layout: &'report Layout,
    axes: &'report Axes,
    left: f64,
    top: f64,
    cells: &'report [Cell],
    /// The values of ρ and η, ascending, and the borders of their places on the axes.
    rhos: Vec<f64>,
    lrs: Vec<f64>,
    rho_borders: Vec<f64>,
    lr_borders: Vec<f64>,
}

impl<'report> Panel<'report> {
    pub fn new(
        layout: &'report Layout,
        axes: &'report Axes,
        (left, top): (f64, f64),
        cells: &'report [Cell],
    ) -> Self {
        let tuned = cells.iter().filter(|cell| !axes.is_baseline(cell.rho));
        Self {
            layout,
            axes,
            left,
            top,
            cells,
            rhos: distinct(cells.iter().map(|cell| cell.rho)),
            lrs: distinct(cells.iter().map(|cell| cell.lr)),
            rho_borders: boundaries(tuned.map(|cell| axes.y_place(cell.rho))),
            lr_borders: boundaries(cells.iter().map(|cell| axes.x.place(cell.lr))),
        }
    }

    fn x(&self, place: f64) -> f64 {
        let (low, high) = self.layout.rho;
        let room = self.layout.panel_width - self.layout.inset;
        self.left + self.layout.inset + (place - low) / (high - low) * room
    }

    fn y(&self, place: f64) -> f64 {
        let (low, high) = self.layout.lr;
        self.top + (high - place) / (high - low) * self.layout.panel_height
    }

    /// Left, top, width and height of a cell; the cells with ρ = 0 stand in a strip of their own.
    fn rectangle(&self, cell: &Cell) -> (f64, f64, f64, f64) {
        let (low, high) = around(&self.lr_borders, self.axes.x.place(cell.lr));
        let (top, bottom) = (self.y(high), self.y(low));
        let (left, right) = if self.axes.is_baseline(cell.rho) {
            (self.left, self.left + SGD_STRIP)
        } else {
            let (low, high) = around(&self.rho_borders, self.axes.y_place(cell.rho));
            (self.x(low), self.x(high))
        };
        (left, top, right - left, bottom - top)
    }

    pub fn draw(
        &self,
        canvas: &mut Canvas,
        report: &Report,
        scheme: &str,
        width: usize,
        is_first: bool,
    ) {
        if self.cells.is_empty() {
            let (x, y) = (
                self.left + self.layout.panel_width / 2.0,
                self.top + self.layout.panel_height / 2.0,
            );
            canvas.text(x, y, Anchor::Middle, LABEL, "not run");
            return;
        }
        for cell in self.cells {
            self.draw_cell(canvas, cell);
        }
        let of_scheme = || report.optima.iter().filter(|row| row.scheme == scheme);
        if let Some(optimum) = of_scheme().find(|row| row.width == width) {
            self.draw_contour(canvas, optimum);
            let narrowest = of_scheme().next().filter(|row| row.width < width);
            if let Some(cell) = narrowest.and_then(|row| self.cell_at(row)) {
                self.draw_transferred(canvas, cell);
            }
            if let Some(cell) = self.cell_at(optimum) {
                self.draw_cross(canvas, cell);
            }
        }
        self.draw_axes(canvas, is_first);
    }

    fn cell_at(&self, optimum: &Optimum) -> Option<&Cell> {
        let (lr, rho) = (optimum.lr?, optimum.rho?);
        let mut cells = self.cells.iter();
        cells.find(|cell| cell.lr == lr && cell.rho == rho)
    }

    fn draw_cell(&self, canvas: &mut Canvas, cell: &Cell) {
        let (x, y, width, height) = self.rectangle(cell);
        let fill = self.layout.colours.fill(cell);
        canvas.push(&format!(
            r#"<rect x="{x:.2}" y="{y:.2}" width="{:.2}" height="{:.2}" fill="{fill}" shape-rendering="crispEdges"><title>{}</title></rect>"#,
            width,
            height,
            escape(&describe(self.axes, cell))
        ));
    }

    /// Outlines the cells within one point of the optimum along their borders: a smooth contour
    /// would claim to know what lies between the grid's points.
    fn draw_contour(&self, canvas: &mut Canvas, optimum: &Optimum) {
        let Some(best) = optimum.accuracy else {
            return;
        };
        let step = |values: &[f64], value: f64, by: isize| {
            let place = values.partition_point(|other| *other < value);
            values.get(place.checked_add_signed(by)?).copied()
        };
        let near: Vec<&Cell> = {
            let cells = self.cells.iter();
            cells
                .filter(|cell| is_near(self.axes, cell, best))
                .collect()
        };
        let places: HashSet<(u64, u64)> = near
            .iter()
            .map(|cell| (cell.lr.to_bits(), cell.rho.to_bits()))
            .collect();
        let inside = |lr: Option<f64>, rho: Option<f64>| {
            lr.zip(rho)
                .is_some_and(|(lr, rho)| places.contains(&(lr.to_bits(), rho.to_bits())))
        };
        let mut path = String::new();
        for cell in near {
            let (x, y, width, height) = self.rectangle(cell);
            let (right, bottom) = (x + width, y + height);
            let (lr, rho) = (Some(cell.lr), Some(cell.rho));
            if !inside(lr, step(&self.rhos, cell.rho, -1)) {
                path.push_str(&format!("M{x:.1} {y:.1}V{bottom:.1}"));
            }
            if !inside(lr, step(&self.rhos, cell.rho, 1)) {
                path.push_str(&format!("M{right:.1} {y:.1}V{bottom:.1}"));
            }
            if !inside(step(&self.lrs, cell.lr, 1), rho) {
                path.push_str(&format!("M{x:.1} {y:.1}H{right:.1}"));
            }
            if !inside(step(&self.lrs, cell.lr, -1), rho) {
                path.push_str(&format!("M{x:.1} {bottom:.1}H{right:.1}"));
            }
        }
        canvas.push(&contour_stroke(&path));
    }

    fn draw_transferred(&self, canvas: &mut Canvas, cell: &Cell) {
        let (x, y, width, height) = self.rectangle(cell);
        // In narrow cells the outline needs all the room, or the cross would hide it.
        let inset = if width < 16.0 { 0.0 } else { 2.0 };
        canvas.push(&transferred_outline(
            x + inset,
            y + inset,
            width - 2.0 * inset,
            height - 2.0 * inset,
        ));
    }

    fn draw_cross(&self, canvas: &mut Canvas, cell: &Cell) {
        let (x, y, width, height) = self.rectangle(cell);
        canvas.push(&cross(
            x + width / 2.0,
            y + height / 2.0,
            (width * 0.25).clamp(2.0, 4.0),
        ));
    }

    fn draw_axes(&self, canvas: &mut Canvas, is_first: bool) {
        let bottom = self.top + self.layout.panel_height;
        let zero = self.axes.zero_label();
        let most = ((self.layout.panel_width - self.layout.inset) / 19.0) as usize;
        let y_axis = self.axes.y.iter();
        for (tick, label) in y_axis.flat_map(|axis| axis.ticks(self.layout.rho, most)) {
            let x = self.x(tick);
            canvas.axis_line((x, bottom + 1.0), (x, bottom + 4.0));
            canvas.text(x, bottom + 15.0, Anchor::Middle, TICK, &label);
        }
        if self.layout.inset > 0.0 {
            let x = self.left + SGD_STRIP / 2.0;
            canvas.text(x, bottom + 15.0, Anchor::Middle, TICK, &zero);
        }
        if is_first {
            for (tick, label) in self.axes.x.ticks(self.layout.lr, 6) {
                let y = self.y(tick);
                canvas.axis_line((self.left - 5.0, y), (self.left - 2.0, y));
                canvas.text(self.left - 8.0, y + 3.5, Anchor::End, TICK, &label);
            }
            let y = self.top + self.layout.panel_height / 2.0;
            let x = self.left - 36.0;
            let turn = format!(r#"{LABEL} transform="rotate(-90 {x:.1} {y:.1})""#);
            canvas.text(x, y, Anchor::Middle, &turn, &self.axes.x.label());
        }
        let right = self.left + self.layout.panel_width;
        let label = self.axes.y.as_ref().map_or(String::new(), Axis::label);
        canvas.text(
            right,
            bottom + 28.0,
            Anchor::End,
            LABEL,
            &format!("{label} →"),
        );
    }
}

/// A cell in words, for the tooltip.
pub(in crate::report) fn describe(axes: &Axes, cell: &Cell) -> String {
    let mut text = format!(
        "{}, {} {}, {}\n{}",
        cell.scheme,
        axes.size,
        cell.width,
        axes.point(cell.lr, cell.rho),
        cell.status.name()
    );
    if cell.accuracy.is_some() {
        text.push_str(&format!(
            ": {}{unit}, test {}{unit}",
            axes.metric.with_error(cell.accuracy, cell.stderr),
            axes.metric.with_error(cell.test_accuracy, cell.test_stderr),
            unit = axes.metric.unit()
        ));
    }
    text.push_str(&format!("\n{} counted", count(cell.seeds, "run")));
    for (number, what) in [
        (cell.diverged, "diverged"),
        (cell.failed, "failed"),
        (cell.missing, "missing"),
    ] {
        if number > 0 {
            text.push_str(&format!(", {number} {what}"));
        }
    }
    text
}
