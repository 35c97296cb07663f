//! Processes that compute one thing together: what each hears of the others.

#[cfg(feature = "mpi")]
mod mpi;
mod solo;

#[cfg(feature = "mpi")]
pub use self::mpi::Mpi;
pub use solo::Solo;

use crate::error::Result;

/// The processes (ranks, in the words of MPI) of one computation.
///
/// All ranks call the same methods in the same order, with slices of the same length: each call waits
/// for the others. Whoever leaves early must see to it that the others do not wait for ever; their
/// calls then fail.
pub trait Collective: Sync {
    /// The place of this process among them, from 0.
    fn rank(&self) -> usize;

    /// Number of processes, at least 1.
    fn size(&self) -> usize;

    /// Replaces `values` by the sums over all processes, entry by entry. Every process gets the same
    /// bits.
    ///
    /// # Errors
    /// When a process is gone.
    fn all_reduce_sum(&self, values: &mut [f32]) -> Result<()>;

    /// As [`Collective::all_reduce_sum`], in double precision.
    ///
    /// # Errors
    /// When a process is gone.
    fn all_reduce_sum_f64(&self, values: &mut [f64]) -> Result<()>;

    /// Replaces `bytes` by those of rank 0, of whatever length.
    ///
    /// # Errors
    /// When a process is gone.
    fn broadcast(&self, bytes: &mut Vec<u8>) -> Result<()>;
}
