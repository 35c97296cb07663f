//! One file a command: arguments in, library calls, output.

pub mod bench;
pub mod check;
pub mod convert_rho;
pub mod data;
pub mod doctor;
pub mod evaluate;
pub mod export;
pub mod phases;
pub mod quickstart;
pub mod report;
pub mod scale;
pub mod scale_files;
mod scale_table;
pub mod spec;
pub mod sweep;
pub mod train;
pub mod weights;
