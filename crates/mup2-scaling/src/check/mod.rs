//! The judgement of the coordinate check: from measured points to slopes, verdicts and sentences.
//!
//! A point is what one tensor's perturbation and update did to its layer's output at one step of one
//! training, whatever framework trained. [`judge`] fits the points' slopes over width and compares
//! them with the exponents that [`scale`](crate::scale) predicts.

mod fit;
mod judge;
mod result;
mod sentences;

pub use fit::{Measurement, slope};
pub use judge::{CheckSubject, Extent, judge, verdict};
pub use result::{CheckReport, Divergence, Point, Slope, SlopeVerdict, TensorFinding};
