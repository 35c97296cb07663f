//! One file a command: arguments in, library calls, output.

#[cfg(feature = "train")]
pub mod bench;
#[cfg(feature = "train")]
pub mod check;
pub mod check_points;
pub mod convert_rho;
#[cfg(feature = "train")]
pub mod data;
pub mod doctor;
#[cfg(feature = "train")]
pub mod evaluate;
pub mod export;
pub mod phases;
#[cfg(feature = "train")]
pub mod quickstart;
pub mod report;
#[cfg(feature = "train")]
pub mod scale;
pub mod scale_files;
mod scale_table;
pub mod spec;
pub mod sweep;
#[cfg(feature = "train")]
pub mod train;
#[cfg(feature = "train")]
pub mod weights;

// Without the trainer these commands are what they can be without networks.
#[cfg(not(feature = "train"))]
pub use {check_points as check, scale_files as scale};
