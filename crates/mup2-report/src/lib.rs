//! Plain observations in, pictures and sentences out: the report of a sweep, its diagnosis, the page
//! of a coordinate check and the phase diagrams of a scheme.
//!
//! Nothing here trains, and nothing but [`report::write`] touches a file.

pub mod check;
pub mod doctor;
mod figure;
pub mod phases;
pub mod report;
