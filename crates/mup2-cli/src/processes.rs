//! The processes that share one training: joined with `--mpi`, and left so that none waits for ever.

use crate::terminal::say;
use mup2_scaling::error::Error;
use mup2_train::collective::{Collective, Solo};
use std::process::ExitCode;

/// What launchers tell the processes that they start: Open MPI's, those with PMI (MPICH, Intel MPI), Slurm's.
const SIZES: [&str; 3] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"];

/// This process alone, or one of several.
pub enum Processes {
    One(Solo),
    #[cfg(feature = "mpi")]
    Several(mup2_train::collective::Mpi),
}

impl Processes {
    /// Joins the processes that a launcher has started, or stays alone.
    pub fn join(mpi: bool) -> Result<Self, Error> {
        match (mpi, launched()) {
            (true, launched) => Self::join_mpi(launched),
            (false, Some((variable, size))) => Err(Error::invalid(
                variable,
                format!("says that this training was started {size} times"),
                format!(
                    "`--mpi`, to train once in {size} processes, or no such variable, to train {size} times"
                ),
            )),
            (false, None) => Ok(Self::One(Solo)),
        }
    }

    #[cfg(feature = "mpi")]
    fn join_mpi(launched: Option<(&str, usize)>) -> Result<Self, Error> {
        let joined = mup2_train::collective::Mpi::join()?;
        match launched {
            Some((variable, size)) if joined.size() == 1 => {
                joined.finish();
                Err(Error::invalid(
                    "--mpi",
                    format!("{size} processes were started ({variable}), but MPI knows of one"),
                    "the launcher of the MPI library that mup2 was built with; with Slurm, `srun --mpi=pmix`",
                ))
            }
            _ => Ok(Self::Several(joined)),
        }
    }

    #[cfg(not(feature = "mpi"))]
    fn join_mpi(_launched: Option<(&str, usize)>) -> Result<Self, Error> {
        Err(Error::invalid(
            "--mpi",
            "is not in this build of mup2",
            "a build by `cargo install --path crates/mup2-cli --features mpi`, which needs an MPI library and libclang",
        ))
    }

    /// How each hears of the others.
    pub fn collective(&self) -> &dyn Collective {
        match self {
            Self::One(solo) => solo,
            #[cfg(feature = "mpi")]
            Self::Several(mpi) => mpi,
        }
    }

    /// Whether this process is the one that speaks and writes.
    pub fn is_first(&self) -> bool {
        self.collective().rank() == 0
    }

    /// `own`, if all processes have come so far. Otherwise all of them end, and the first one that has an
    /// error tells it.
    pub fn together<T>(&self, own: anyhow::Result<T>) -> anyhow::Result<T> {
        let collective = self.collective();
        let (rank, size) = (collective.rank(), collective.size());
        if size == 1 {
            return own;
        }
        let mut failed = vec![0.0; size];
        failed[rank] = f64::from(u8::from(own.is_err()));
        collective.all_reduce_sum_f64(&mut failed)?;
        match (failed.iter().position(|failed| *failed > 0.0), own) {
            (None, own) => own,
            // What rank 0 cannot do is the user's mistake; the others may just be on another machine.
            (Some(0), Err(error)) if rank == 0 => Err(End::ToldHere(error.to_string()).into()),
            (Some(first), Err(error)) if rank == first => {
                Err(End::ToldHere(format!("rank {rank} of {size}: {error}")).into())
            }
            _ => Err(End::ToldElsewhere.into()),
        }
    }

    /// Leaves with the exit code of `outcome`. An error that the others do not have ends them too, for
    /// they would wait for this process.
    pub fn leave(self, outcome: anyhow::Result<ExitCode>) -> anyhow::Result<ExitCode> {
        let (rank, size) = (self.collective().rank(), self.collective().size());
        let error = match outcome {
            Err(error) if size > 1 => error,
            outcome => {
                self.finish();
                return outcome;
            }
        };
        let is_first = rank == 0;
        let (tells, code) = match (error.downcast_ref::<End>(), error.downcast_ref::<Error>()) {
            (Some(End::ToldHere(_)), _) => (true, 2),
            (Some(End::ToldElsewhere), _) => (false, 2),
            (None, Some(Error::Interrupted)) => (is_first, 130),
            (None, Some(Error::Disagreement { .. })) => (is_first, 2),
            (None, _) => {
                say(format_args!(
                    "mup2: rank {rank} of {size}: {error}; this ends the others too"
                ));
                // Dropped unfinished, MPI ends the job here.
                return Ok(ExitCode::from(1));
            }
        };
        // Told before the others may leave: a launcher ends those that are left once one has failed.
        if tells {
            say(format_args!("mup2: {error}"));
        }
        self.finish();
        Ok(ExitCode::from(code))
    }

    fn finish(self) {
        match self {
            Self::One(_) => {}
            #[cfg(feature = "mpi")]
            Self::Several(mpi) => mpi.finish(),
        }
    }
}

/// Why all processes end alike.
#[derive(Debug)]
enum End {
    /// One has an error, and this is the one.
    ToldHere(String),
    /// Another one tells why.
    ToldElsewhere,
}

impl std::fmt::Display for End {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ToldHere(told) => formatter.write_str(told),
            Self::ToldElsewhere => formatter.write_str("another process cannot begin"),
        }
    }
}

impl std::error::Error for End {}

/// A number of processes above 1, and the variable that tells it.
fn launched() -> Option<(&'static str, usize)> {
    SIZES.into_iter().find_map(|variable| {
        let size: usize = std::env::var(variable).ok()?.parse().ok()?;
        (size > 1).then_some((variable, size))
    })
}
