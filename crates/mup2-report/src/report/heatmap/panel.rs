//! One heat map: cells, contour, optimum, transferred optimum and axes.

use super::layout::{Layout, SGD_STRIP, around, boundaries, distinct};
use super::legend::{contour_stroke, cross, transferred_outline};
use crate::figure::svg::{Anchor, Canvas, LABEL, escape, whole_ticks};
use crate::report::Report;
use crate::report::cells::Cell;
use crate::report::colour_scale::TICK;
use crate::report::display::percent_with_error;
use crate::report::optima::{Optimum, is_near};
use mup2_scaling::number::{count, power, trimmed};

/// One heat map: a scheme at a width.
pub(super) struct Panel<'report> {
    pub layout: &'report Layout,
    pub left: f64,
    pub top: f64,
    pub cells: Vec<&'report Cell>,
}

impl Panel<'_> {
    fn x(&self, log2_rho: f64) -> f64 {
        let (low, high) = self.layout.rho;
        let room = self.layout.panel_width - self.layout.inset;
        self.left + self.layout.inset + (log2_rho - low) / (high - low) * room
    }

    fn y(&self, log2_lr: f64) -> f64 {
        let (low, high) = self.layout.lr;
        self.top + (high - log2_lr) / (high - low) * self.layout.panel_height
    }

    /// Left, top, width and height of a cell; the cells with ρ = 0 stand in a strip of their own.
    fn rectangle(&self, cell: &Cell) -> (f64, f64, f64, f64) {
        let (low, high) = around(
            &boundaries(self.cells.iter().map(|cell| cell.lr.log2())),
            cell.lr.log2(),
        );
        let (top, bottom) = (self.y(high), self.y(low));
        let (left, right) = if cell.rho > 0.0 {
            let positive = self.cells.iter().filter(|cell| cell.rho > 0.0);
            let borders = boundaries(positive.map(|cell| cell.rho.log2()));
            let (low, high) = around(&borders, cell.rho.log2());
            (self.x(low), self.x(high))
        } else {
            (self.left, self.left + SGD_STRIP)
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
        for cell in &self.cells {
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
        self.cells
            .iter()
            .find(|cell| cell.lr == lr && cell.rho == rho)
            .copied()
    }

    fn draw_cell(&self, canvas: &mut Canvas, cell: &Cell) {
        let (x, y, width, height) = self.rectangle(cell);
        let fill = self.layout.colours.fill(cell);
        canvas.push(&format!(
            r#"<rect x="{x:.2}" y="{y:.2}" width="{:.2}" height="{:.2}" fill="{fill}" shape-rendering="crispEdges"><title>{}</title></rect>"#,
            width,
            height,
            escape(&describe(cell))
        ));
    }

    /// Outlines the cells within one point of the optimum along their borders: a smooth contour
    /// would claim to know what lies between the grid's points.
    fn draw_contour(&self, canvas: &mut Canvas, optimum: &Optimum) {
        let Some(best) = optimum.accuracy else {
            return;
        };
        let rhos = distinct(self.cells.iter().map(|cell| cell.rho));
        let lrs = distinct(self.cells.iter().map(|cell| cell.lr));
        let step = |values: &[f64], value: f64, by: isize| {
            let place = values.iter().position(|other| *other == value)?;
            values.get(place.checked_add_signed(by)?).copied()
        };
        let inside = |lr: Option<f64>, rho: Option<f64>| {
            lr.zip(rho).is_some_and(|(lr, rho)| {
                self.cells
                    .iter()
                    .any(|cell| cell.lr == lr && cell.rho == rho && is_near(cell, best))
            })
        };
        let mut path = String::new();
        for cell in self.cells.iter().filter(|cell| is_near(cell, best)) {
            let (x, y, width, height) = self.rectangle(cell);
            let (right, bottom) = (x + width, y + height);
            let (lr, rho) = (Some(cell.lr), Some(cell.rho));
            if !inside(lr, step(&rhos, cell.rho, -1)) {
                path.push_str(&format!("M{x:.1} {y:.1}V{bottom:.1}"));
            }
            if !inside(lr, step(&rhos, cell.rho, 1)) {
                path.push_str(&format!("M{right:.1} {y:.1}V{bottom:.1}"));
            }
            if !inside(step(&lrs, cell.lr, 1), rho) {
                path.push_str(&format!("M{x:.1} {y:.1}H{right:.1}"));
            }
            if !inside(step(&lrs, cell.lr, -1), rho) {
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
        let most = ((self.layout.panel_width - self.layout.inset) / 19.0) as usize;
        for tick in whole_ticks(self.layout.rho.0, self.layout.rho.1, most) {
            let x = self.x(tick);
            canvas.axis_line((x, bottom + 1.0), (x, bottom + 4.0));
            let label = trimmed(tick);
            canvas.text(x, bottom + 15.0, Anchor::Middle, TICK, &label);
        }
        if self.layout.inset > 0.0 {
            let x = self.left + SGD_STRIP / 2.0;
            canvas.text(x, bottom + 15.0, Anchor::Middle, TICK, "ρ=0");
        }
        if is_first {
            for tick in whole_ticks(self.layout.lr.0, self.layout.lr.1, 6) {
                let y = self.y(tick);
                canvas.axis_line((self.left - 5.0, y), (self.left - 2.0, y));
                let label = trimmed(tick);
                canvas.text(self.left - 8.0, y + 3.5, Anchor::End, TICK, &label);
            }
            let y = self.top + self.layout.panel_height / 2.0;
            let x = self.left - 36.0;
            let turn = format!(r#"{LABEL} transform="rotate(-90 {x:.1} {y:.1})""#);
            canvas.text(x, y, Anchor::Middle, &turn, "log₂ η");
        }
        let right = self.left + self.layout.panel_width;
        canvas.text(right, bottom + 28.0, Anchor::End, LABEL, "log₂ ρ →");
    }
}

/// A cell in words, for the tooltip.
pub(in crate::report) fn describe(cell: &Cell) -> String {
    let mut text = format!(
        "{}, width {}, η = {}, ρ = {}\n{}",
        cell.scheme,
        cell.width,
        power(cell.lr),
        power(cell.rho),
        cell.status.name()
    );
    if cell.accuracy.is_some() {
        text.push_str(&format!(
            ": {} %, test {} %",
            percent_with_error(cell.accuracy, cell.stderr),
            percent_with_error(cell.test_accuracy, cell.test_stderr)
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
