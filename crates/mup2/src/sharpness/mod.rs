//! How sharp a minimum is: the Hessian's top eigenvalue and trace, and the largest loss in a ball.
//!
//! Everything works on any Burn module through a closure that returns the mean loss (shape `[1]`)
//! and its gradients, as `step::Sam` does; no second derivative is asked of the backend.
//! `docs/concepts/sharpness.md` has the formulas, their costs and what may be concluded.

mod ball;
mod direction;
mod eigenvalue;
mod landscape;
mod measure;
mod trace;

pub use ball::SamSharpness;
pub use direction::Direction;
pub use eigenvalue::{Eigenvalue, PowerIteration, TopEigenvalues};
pub use landscape::{Landscape, Part};
pub use measure::{Measures, Options, Sharpness, TensorSharpness, measure};
pub use trace::TraceEstimate;
