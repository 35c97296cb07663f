//! One scheme under examination: its widths, its rows of the report, its theory.

use super::judgement::Noise;
use super::{Case, Theory};
use crate::report::{Baseline, Cell, Optimum, Report, Slice, Transfer};

/// One scheme of a case.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub case: &'a Case<'a>,
    pub report: &'a Report,
    pub noise: Noise,
    pub scheme: &'a str,
    pub narrowest: usize,
    pub widest: usize,
    pub theory: Option<&'a Theory>,
}

impl<'a> Subject<'a> {
    /// The scheme with its widths; nothing when the report has no cell of it.
    pub fn new(case: &'a Case<'a>, noise: Noise, scheme: &'a str) -> Option<Self> {
        let widths = || case.report.optima.iter().filter(|row| row.scheme == scheme);
        Some(Self {
            case,
            report: case.report,
            noise,
            scheme,
            narrowest: widths().map(|row| row.width).min()?,
            widest: widths().map(|row| row.width).max()?,
            theory: case.theory_of(scheme),
        })
    }

    /// Whether there is a wider network to transfer to.
    pub fn has_several_widths(&self) -> bool {
        self.narrowest < self.widest
    }

    /// The widths, ascending.
    pub fn widths(&self) -> Vec<usize> {
        let own = self.report.optima.iter();
        own.filter(|row| row.scheme == self.scheme)
            .map(|row| row.width)
            .collect()
    }

    /// The optimum at one width.
    pub fn optimum(&self, width: usize) -> Option<&'a Optimum> {
        let mut rows = self.report.optima.iter();
        rows.find(|row| row.scheme == self.scheme && row.width == width)
    }

    /// The slice along ρ at one width.
    pub fn slice(&self, width: usize) -> Option<&'a Slice> {
        let mut rows = self.report.slices.iter();
        rows.find(|row| row.scheme == self.scheme && row.width == width)
    }

    /// SGD against SAM at one width.
    pub fn baseline(&self, width: usize) -> Option<&'a Baseline> {
        let mut rows = self.report.baselines.iter();
        rows.find(|row| row.scheme == self.scheme && row.width == width)
    }

    /// The transfers to the wider widths, ascending.
    pub fn transfers(&self) -> impl Iterator<Item = &'a Transfer> {
        let scheme = self.scheme;
        let rows = self.report.transfer.iter();
        rows.filter(move |row| row.scheme == scheme)
    }

    /// The cells at one width, SGD's included.
    pub fn cells(&self, width: usize) -> impl Iterator<Item = &'a Cell> {
        let scheme = self.scheme;
        let cells = self.report.cells.iter();
        cells.filter(move |cell| cell.scheme == scheme && cell.width == width)
    }

    /// One cell, by exact values.
    pub fn cell(&self, width: usize, lr: f64, rho: f64) -> Option<&'a Cell> {
        self.cells(width)
            .find(|cell| cell.lr == lr && cell.rho == rho)
    }

    /// The narrowest width's best (η, ρ).
    pub fn transferred(&self) -> Option<(f64, f64)> {
        let optimum = self.optimum(self.narrowest)?;
        optimum.lr.zip(optimum.rho)
    }

    /// Whether the theory says that every layer is effectively perturbed and nothing grows.
    pub fn is_effective(&self) -> bool {
        self.theory
            .is_some_and(|theory| theory.table.verdict.is_effective())
    }

    /// Another scheme of the sweep that the theory calls effective, by which this one's edges can
    /// be judged at the same width: it must have been sliced at the same η.
    pub fn reference(&self) -> Option<Subject<'a>> {
        let lr = self.slice(self.widest)?.lr?;
        let schemes = self.report.schemes.iter();
        schemes
            .filter(|scheme| *scheme != self.scheme)
            .filter_map(|scheme| Subject::new(self.case, self.noise, scheme))
            .find(|other| {
                let slice = other.slice(self.widest);
                other.is_effective() && slice.is_some_and(|slice| slice.lr == Some(lr))
            })
    }

    /// The command that measures this scheme's layers, such as
    /// `mup2 check --scheme mup-global --base-width 24 --widths 24,96,384`.
    pub fn check_command(&self) -> String {
        let base_width = self.report.base_width;
        let mut widths = self.widths();
        // A slope needs several widths, whatever the sweep had.
        if widths.len() < 3 {
            widths = [1, 4, 16].map(|factor| factor * base_width).to_vec();
        }
        let widths: Vec<String> = widths.iter().map(usize::to_string).collect();
        format!(
            "`mup2 check --scheme {} --base-width {base_width} --widths {}`",
            self.scheme,
            widths.join(",")
        )
    }
}
