//! Plain observations in, pictures and sentences out: the report of a sweep, its diagnosis, the page
//! of a coordinate check and the phase diagrams of a scheme.
//!
//! Nothing here trains. [`table::read`] reads files and [`report::write`] writes them; nothing else
//! touches one.

pub mod check;
pub mod doctor;
mod figure;
pub mod phases;
pub mod report;
pub mod table;
