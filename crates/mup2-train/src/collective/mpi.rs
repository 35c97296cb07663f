//! Processes that an MPI launcher (`mpirun`, `srun`) has started.

use super::Collective;
use crate::error::{Error, Result};
use ::mpi::Threading;
use ::mpi::collective::SystemOperation;
use ::mpi::environment::Universe;
use ::mpi::traits::{Communicator, CommunicatorCollectives, Equivalence, Root};

/// Entries that are handed to MPI at once: it counts with 32 bits, and sends from another buffer than
/// it receives into, which so stays small.
const CHUNK: usize = 1 << 20;

/// All processes of this MPI job.
///
/// A process that leaves without [`Mpi::finish`], by an error or a panic, takes the others with it: they
/// would wait for it for ever. MPI's own errors (a lost connection, a process that was killed) end the
/// whole job in MPI itself, with its message; they never come back from a method.
pub struct Mpi {
    universe: Universe,
    finished: bool,
}

impl Mpi {
    /// Joins the job that the launcher has started; without a launcher, a job of this process alone.
    ///
    /// Collective calls may come from one thread after the other, [`Mpi::finish`] and drop belong to
    /// the thread that joined.
    ///
    /// # Errors
    /// When this process has joined before, or the MPI library does not let a thread other than the
    /// main one call it. A library that cannot start ends the process itself.
    pub fn join() -> Result<Self> {
        let refuse = |problem: &str, allowed: &str| Err(Error::invalid("MPI", problem, allowed));
        let Some((universe, provided)) = ::mpi::initialize_with_threading(Threading::Serialized)
        else {
            return refuse("was joined before by this process", "one job a process");
        };
        let joined = Self {
            universe,
            finished: false,
        };
        if provided < Threading::Serialized {
            // Every process has the same library, so all of them end here.
            joined.finish();
            return refuse(
                "takes calls from the main thread alone",
                "a library with MPI_THREAD_SERIALIZED, such as Open MPI",
            );
        }
        Ok(joined)
    }

    /// Leaves when all processes have come to their end.
    pub fn finish(mut self) {
        self.finished = true;
    }

    fn sum<T: Equivalence + Copy>(&self, values: &mut [T]) {
        let world = self.universe.world();
        let mut own = Vec::with_capacity(values.len().min(CHUNK));
        for chunk in values.chunks_mut(CHUNK) {
            own.clear();
            own.extend_from_slice(chunk);
            world.all_reduce_into(&own[..], chunk, SystemOperation::sum());
        }
    }
}

impl Drop for Mpi {
    fn drop(&mut self) {
        if !self.finished {
            self.universe.world().abort(1);
        }
    }
}

impl std::fmt::Debug for Mpi {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Mpi({} of {})", self.rank(), self.size())
    }
}

impl Collective for Mpi {
    fn rank(&self) -> usize {
        self.universe.world().rank().unsigned_abs() as usize
    }

    fn size(&self) -> usize {
        self.universe.world().size().unsigned_abs() as usize
    }

    fn all_reduce_sum(&self, values: &mut [f32]) -> Result<()> {
        self.sum(values);
        Ok(())
    }

    fn all_reduce_sum_f64(&self, values: &mut [f64]) -> Result<()> {
        self.sum(values);
        Ok(())
    }

    fn broadcast(&self, bytes: &mut Vec<u8>) -> Result<()> {
        let world = self.universe.world();
        let first = world.process_at_rank(0);
        let mut length = bytes.len() as u64;
        first.broadcast_into(&mut length);
        let Ok(length) = usize::try_from(length) else {
            return Err(Error::invalid(
                "MPI",
                format!("is to broadcast {length} bytes"),
                "as many as this machine can address",
            ));
        };
        bytes.resize(length, 0);
        for chunk in bytes.chunks_mut(CHUNK) {
            first.broadcast_into(chunk);
        }
        Ok(())
    }
}
