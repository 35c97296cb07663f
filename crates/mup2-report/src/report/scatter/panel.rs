//! One scatter plot: points, rings, optimum, transferred optimum and axes.

use super::layout::{Layout, SGD_STRIP};
use super::{hollow_bar, hollow_dot, ring};
use crate::figure::svg::{Anchor, Canvas, LABEL, escape};
use crate::report::cells::Cell;
use crate::report::colour_scale::TICK;
use crate::report::heatmap::{cross, describe, transferred_outline};
use crate::report::optima::{Optimum, is_near};
use crate::report::{Axes, Axis, PrunedPoint, Report};

/// One scatter plot: a scheme at a width.
pub(super) struct Panel<'report> {
    pub layout: &'report Layout,
    pub axes: &'report Axes,
    pub left: f64,
    pub top: f64,
    /// In the order in which they are drawn: the later ones lie above.
    pub cells: Vec<&'report Cell>,
    /// The points that were given up; they lie below.
    pub pruned: Vec<&'report PrunedPoint>,
}

impl Panel<'_> {
    pub fn draw(
        &self,
        canvas: &mut Canvas,
        report: &Report,
        scheme: &str,
        width: usize,
        is_first: bool,
    ) {
        if self.cells.is_empty() && self.pruned.is_empty() {
            let (x, y) = (
                self.left + self.layout.panel_width / 2.0,
                self.top + self.layout.panel_height / 2.0,
            );
            canvas.text(x, y, Anchor::Middle, LABEL, "not run");
            return;
        }
        self.draw_frame(canvas);
        for point in &self.pruned {
            let (x, y) = self.place(point.lr, point.rho);
            let mark = if self.axes.is_baseline(point.rho) {
                hollow_bar(x, y, point)
            } else {
                hollow_dot(x, y, self.layout.radius * 0.6, point)
            };
            canvas.push(&mark);
        }
        for cell in &self.cells {
            self.draw_point(canvas, cell);
        }
        let of_scheme = || report.optima.iter().filter(|row| row.scheme == scheme);
        if let Some(optimum) = of_scheme().find(|row| row.width == width) {
            self.draw_rings(canvas, optimum);
            let narrowest = of_scheme().next().filter(|row| row.width < width);
            if let Some(cell) = narrowest.and_then(|row| self.cell_at(row)) {
                let (x, y) = self.place(cell.lr, cell.rho);
                let half = self.layout.radius + 4.4;
                let side = 2.0 * half;
                canvas.push(&transferred_outline(x - half, y - half, side, side));
            }
            if let Some(cell) = self.cell_at(optimum) {
                let (x, y) = self.place(cell.lr, cell.rho);
                canvas.push(&cross(x, y, self.layout.radius.max(3.0)));
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

    /// The middle of a point; those with ρ = 0 stand in a strip of their own.
    fn place(&self, lr: f64, rho: f64) -> (f64, f64) {
        let x = if self.axes.is_baseline(rho) {
            SGD_STRIP / 2.0
        } else {
            self.layout.x(self.axes.y_place(rho))
        };
        (
            self.left + x,
            self.top + self.layout.y(self.axes.x.place(lr)),
        )
    }

    fn draw_frame(&self, canvas: &mut Canvas) {
        canvas.push(&format!(
            r##"<rect class="grid" x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}" fill="none" stroke="#e3e7ea"/>"##,
            self.left + self.layout.inset,
            self.top,
            self.layout.panel_width - self.layout.inset,
            self.layout.panel_height
        ));
    }

    fn draw_point(&self, canvas: &mut Canvas, cell: &Cell) {
        let (x, y) = self.place(cell.lr, cell.rho);
        let fill = self.layout.colours.fill(cell);
        let title = escape(&describe(self.axes, cell));
        // The circle's thin line keeps the darkest and the lightest colours visible on any ground.
        canvas.push(&if !self.axes.is_baseline(cell.rho) {
            format!(
                r##"<circle cx="{x:.1}" cy="{y:.1}" r="{:.1}" fill="{fill}" stroke="#8a939c" stroke-width="0.5"><title>{title}</title></circle>"##,
                self.layout.radius
            )
        } else {
            format!(
                r#"<rect x="{:.1}" y="{:.1}" width="{SGD_STRIP}" height="2.6" fill="{fill}"><title>{title}</title></rect>"#,
                x - SGD_STRIP / 2.0,
                y - 1.3
            )
        });
    }

    fn draw_rings(&self, canvas: &mut Canvas, optimum: &Optimum) {
        let Some(best) = optimum.accuracy else {
            return;
        };
        let near = self
            .cells
            .iter()
            .filter(|cell| is_near(self.axes, cell, best));
        // The optimum has its cross.
        for cell in near.filter(|cell| (Some(cell.lr), Some(cell.rho)) != (optimum.lr, optimum.rho))
        {
            let (x, y) = self.place(cell.lr, cell.rho);
            canvas.push(&ring(x, y, self.layout.radius + 1.5));
        }
    }

    fn draw_axes(&self, canvas: &mut Canvas, is_first: bool) {
        let layout = self.layout;
        let bottom = self.top + layout.panel_height;
        let most = ((layout.panel_width - layout.inset) / 19.0) as usize;
        let zero = self.axes.zero_label();
        let y_axis = self.axes.y.iter();
        for (tick, label) in y_axis.flat_map(|axis| axis.ticks(layout.rho, most)) {
            let x = self.left + layout.x(tick);
            canvas.axis_line((x, bottom + 1.0), (x, bottom + 4.0));
            canvas.text(x, bottom + 15.0, Anchor::Middle, TICK, &label);
        }
        if layout.inset > 0.0 {
            let x = self.left + SGD_STRIP / 2.0;
            canvas.text(x, bottom + 15.0, Anchor::Middle, TICK, &zero);
        }
        if is_first {
            for (tick, label) in self.axes.x.ticks(layout.lr, 6) {
                let y = self.top + layout.y(tick);
                canvas.axis_line((self.left - 5.0, y), (self.left - 2.0, y));
                canvas.text(self.left - 8.0, y + 3.5, Anchor::End, TICK, &label);
            }
            let y = self.top + layout.panel_height / 2.0;
            let x = self.left - 36.0;
            let turn = format!(r#"{LABEL} transform="rotate(-90 {x:.1} {y:.1})""#);
            canvas.text(x, y, Anchor::Middle, &turn, &self.axes.x.label());
        }
        let right = self.left + layout.panel_width;
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
