//! The coordinate check: trains a few real steps at several widths, measures what each tensor's
//! perturbation and update do to its layer's output, and holds the slopes against the theory.

mod defaults;
mod display;
mod fit;
mod judge;
mod lines;
mod measure;
mod module;
mod observe;
mod page;
mod panels;
mod quantities;
mod result;
mod run;
mod sentences;
mod slices;
mod spectral;
mod subject;
mod table;
mod workers;

pub use defaults::{default_run, default_steps, default_widths};
pub use module::{ModuleCheckOptions, ModuleTraining, TracedGradient, check_module};
pub use page::html;
pub use result::{CheckReport, Divergence, Point, Slope, SlopeVerdict, TensorFinding};
pub use run::{CheckOptions, CheckProgress, check};
pub use spectral::{SPECTRAL_NORM_TOLERANCE, spectral_norm};
pub use table::terminal_table;

#[cfg(test)]
mod rendering_tests;
#[cfg(test)]
mod tests;
