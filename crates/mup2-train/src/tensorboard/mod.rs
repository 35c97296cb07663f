//! Event files that TensorBoard shows while a run trains and afterwards: scalars, text and
//! hyperparameters.
//!
//! ```no_run
//! use mup2_train::tensorboard::EventWriter;
//!
//! let mut events = EventWriter::create("board/first-run".as_ref(), 0)?;
//! events.scalar("train/loss", 100, 0.25)?;
//! events.flush()?;
//! # Ok::<(), mup2_scaling::error::Error>(())
//! ```
//!
//! A directory is a run in TensorBoard; its name is the run's name. Nothing reads these files back:
//! results are elsewhere (`results`), and a lost event file loses no result.
//!
//! The format is TensorFlow's: `TFRecord` frames (`record.rs`) that each hold a protocol buffer
//! `Event` (`event.rs`); `docs/decisions/0013-event-files-are-written-with-prost.md`.

mod event;
mod record;
mod writer;

pub use event::Hyperparameter;
pub use writer::EventWriter;

#[cfg(test)]
mod tests;
