//! The coordinate check: trains a few real steps at several widths, measures what each tensor's
//! perturbation and update do to its layer's output, and holds the slopes against the theory.

mod defaults;
mod measure;
mod module;
mod observe;
mod quantities;
mod run;
mod slices;
mod spectral;
mod subject;
mod workers;

pub use defaults::{default_run, default_steps, default_widths};
pub use module::{ModuleCheckOptions, ModuleTraining, TracedGradient, check_module};
pub use mup2_report::check::{ForeignPoints, html, read_points, terminal_table};
pub use mup2_scaling::check::{CheckReport, Divergence, Point, Slope, TensorFinding, Verdict};
pub use run::{CheckOptions, CheckProgress, check};
pub use spectral::{SPECTRAL_NORM_TOLERANCE, spectral_norm};

#[cfg(test)]
mod tests;
