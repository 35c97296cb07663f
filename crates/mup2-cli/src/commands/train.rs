//! `mup2 train`: one network, with its progress.

use crate::arguments::TrainArguments;
use crate::board::Board;
use crate::dataset;
use crate::device;
use crate::interrupt::cancel_on_signal;
use crate::processes::Processes;
use crate::progress::bar as progress_bar;
use crate::terminal::{print, say, shows_bars};
use indicatif::ProgressBar;
use mup2_scaling::error::Error;
use mup2_scaling::publish::{check_directory, check_file, write_atomically};
use mup2_scaling::workers::Cancel;
use mup2_sweep::config::RunId;
use mup2_sweep::results::{EpochMetrics, RunStatus, SharpnessMetrics};
use mup2_train::built_in::describe;
use mup2_train::checkpoint::CheckpointDirectory;
use mup2_train::config::{RunSpec, read_run};
use mup2_train::data::{Dataset, load};
use mup2_train::train::{
    Checkpointing, Earlier, Keeping, Progress, RunResult, StartWeights, TrainedWeights,
    check_processes, device_model, train_together,
};
use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub fn run(arguments: &TrainArguments) -> anyhow::Result<ExitCode> {
    let processes = Processes::join(arguments.mpi)?;
    let outcome = train(arguments, &processes);
    processes.leave(outcome)
}

/// What a process needs before it can train.
struct Prepared {
    spec: RunSpec,
    start: Option<StartWeights>,
    data: Dataset,
    cancel: Arc<Cancel>,
    bar: ProgressBar,
    pool: rayon::ThreadPool,
}

/// Only the first of several processes speaks.
fn prepare(arguments: &TrainArguments, processes: &Processes) -> anyhow::Result<Prepared> {
    let mut spec = read_run(&arguments.spec, &arguments.overrides)?;
    let start = match &arguments.init {
        Some(path) => Some(StartWeights::read(path).map_err(|error| of_flag("--init", error))?),
        None => None,
    };
    if let Some(start) = &start {
        spec.train.start = Some(start.digest.clone());
    }
    let size = processes.collective().size();
    check_processes(&spec, size)?;
    let data = if processes.is_first() {
        check_outputs(arguments, &spec)?;
        device::announce(arguments.device)?;
        let data = dataset::open(&spec.data)?;
        say(format_args!("{}: {}", spec.data.dataset, describe(&data)));
        if size > 1 {
            let parts = spec.train.micro_batches;
            let each = parts / size;
            say(format_args!(
                "{size} processes, each with {each} of the {parts} parts of a batch"
            ));
        }
        data
    } else {
        device_model(arguments.device)?;
        load(&spec.data)?
    };
    let bar = match processes.is_first() {
        true => progress_bar(0, "{bar:30.cyan/dim} step {pos}/{len} · ETA {eta} · {msg}")?,
        false => ProgressBar::hidden(),
    };
    Ok(Prepared {
        spec,
        start,
        data,
        cancel: cancel_on_signal()?,
        bar,
        // One trial, one core: the result is then a function of the spec.
        pool: rayon::ThreadPoolBuilder::new().num_threads(1).build()?,
    })
}

fn train(arguments: &TrainArguments, processes: &Processes) -> anyhow::Result<ExitCode> {
    let Prepared {
        spec,
        start,
        data,
        cancel,
        bar,
        pool,
    } = processes.together(prepare(arguments, processes))?;
    let is_first = processes.is_first();
    let directory = arguments
        .checkpoints
        .as_deref()
        .map(CheckpointDirectory::new);
    let checkpoints = directory.as_ref().map(|directory| Checkpointing {
        directory: directory.clone(),
        interval: Duration::from_secs(arguments.checkpoint_every),
        resume: arguments.resume,
        earlier: Earlier::of(&spec, directory),
        keep: true,
    });
    let keeping = Keeping {
        start,
        checkpoints,
        weights: arguments
            .weights
            .as_deref()
            .map(|directory| TrainedWeights::new(directory).of_data(&data)),
    };
    let board = arguments.tensorboard.as_deref().filter(|_| is_first);
    let mut board = board.map(Board::new);
    let is_terminal = shows_bars();
    let mut throughput = Throughput::default();
    let mut steps = 0;
    let (device, collective) = (arguments.device, processes.collective());
    let result = pool.install(|| {
        let show = |progress| {
            if !is_first {
                return;
            }
            if let Some(problem) = board
                .as_mut()
                .and_then(|board| board.show(&progress, &spec))
            {
                bar.suspend(|| say(problem));
                board = None;
            }
            match progress {
                Progress::Started {
                    step,
                    total,
                    batch_size,
                } => {
                    throughput = Throughput::start(step, batch_size);
                    steps = step;
                    bar.set_length(total as u64);
                    bar.set_position(step as u64);
                    // What was done before tells nothing of what is left.
                    bar.reset_eta();
                }
                Progress::Step { step, loss, .. } => {
                    steps = step;
                    bar.set_position(step as u64);
                    if step % 10 == 0 {
                        let speed = throughput.images_per_second(step);
                        bar.set_message(format!("{speed:.0} images/s · loss {loss:.3}"));
                    }
                    throughput.step = step;
                }
                Progress::Note(note) => bar.suspend(|| say(note)),
                Progress::Epoch(metrics) if is_terminal => bar.println(line(&metrics)),
                Progress::Epoch(metrics) => {
                    let speed = throughput.images_per_second(throughput.step);
                    say(format_args!("{}, {speed:.0} images/s", line(&metrics)));
                }
            }
        };
        train_together(&spec, &data, device, &cancel, &keeping, collective, show)
    });
    bar.finish_and_clear();
    let result = match result {
        Err(Error::Interrupted) => {
            if is_first {
                say(interrupted(steps, directory.as_ref(), &RunId::of(&spec)));
            }
            return Ok(ExitCode::from(130));
        }
        result => result?,
    };
    let code = match result.status {
        RunStatus::Completed => ExitCode::SUCCESS,
        RunStatus::Diverged | RunStatus::Failed { .. } => ExitCode::from(1),
    };
    if !is_first {
        return Ok(code);
    }
    // First what cannot fail to be of use: files may fail.
    let printed = print(&summary(&result));
    if let Some(weights) = &keeping.weights
        && result.epochs.last().is_some()
    {
        let (best, last) = (weights.best(), weights.last());
        say(format_args!(
            "weights: {} and {}",
            best.display(),
            last.display()
        ));
    }
    if let Some(path) = &arguments.out {
        let text = serde_json::to_string_pretty(&result)? + "\n";
        if let Err(error) = write_atomically(path, text.as_bytes()) {
            // Hours of work are in it.
            print(&text)?;
            return Err(error.into());
        }
    }
    if let Some(directory) = &directory {
        after_training(directory, &result);
    }
    match printed {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(code),
    }
}

/// Tries all outputs: hours of training should not end in a directory that does not exist.
fn check_outputs(arguments: &TrainArguments, spec: &RunSpec) -> Result<(), Error> {
    if let Some(path) = &arguments.out {
        check_parent(path)?;
        check_file(path).map_err(|error| of_flag("--out", error))?;
    }
    for (flag, directory) in [
        ("--weights", &arguments.weights),
        ("--tensorboard", &arguments.tensorboard),
        ("--checkpoints", &arguments.checkpoints),
    ] {
        if let Some(directory) = directory {
            check_directory(directory).map_err(|error| of_flag(flag, error))?;
        }
    }
    if let Some(weights) = &arguments.weights {
        TrainedWeights::new(weights).check(spec, arguments.resume)?;
    }
    Ok(())
}

/// The error with the flag that it is about before its place.
fn of_flag(flag: &str, error: Error) -> Error {
    match error {
        Error::Invalid {
            place,
            problem,
            allowed,
        } => Error::invalid(format!("{flag} {place}"), problem, allowed),
        error => error,
    }
}

/// What is left of an interrupted training, and how to go on.
fn interrupted(steps: usize, directory: Option<&CheckpointDirectory>, id: &RunId) -> String {
    let Some(directory) = directory else {
        return format!(
            "mup2: interrupted after step {steps}; no checkpoint was asked for, so the same command \
             starts anew (--checkpoints DIR keeps what was trained)"
        );
    };
    let last = directory.last(id);
    if !last.exists() {
        return format!(
            "mup2: interrupted after step {steps}, before the first checkpoint; the same command \
             starts anew"
        );
    }
    format!(
        "mup2: interrupted after step {steps}; what was trained is in {}; to go on: the same command \
         with --checkpoints {} --resume",
        last.display(),
        directory.path().display()
    )
}

/// The result is filed. Nothing goes on from a diverged run; a completed one may become longer.
fn after_training(directory: &CheckpointDirectory, result: &RunResult) {
    if result.status != RunStatus::Completed {
        directory.remove(&result.id);
        return;
    }
    let last = directory.last(&result.id);
    if last.exists() {
        say(format_args!(
            "checkpoint: {}, for --resume with more epochs",
            last.display()
        ));
    }
}

/// Images a second since the training began, evaluations included.
struct Throughput {
    start: Instant,
    first_step: usize,
    step: usize,
    batch_size: usize,
}

impl Default for Throughput {
    fn default() -> Self {
        Self::start(0, 0)
    }
}

impl Throughput {
    fn start(step: usize, batch_size: usize) -> Self {
        Self {
            start: Instant::now(),
            first_step: step,
            step,
            batch_size,
        }
    }

    fn images_per_second(&self, step: usize) -> f64 {
        let images = (step - self.first_step.min(step)) * self.batch_size;
        images as f64 / self.start.elapsed().as_secs_f64()
    }
}

/// `cannot write` alone would not name the directory that is missing.
fn check_parent(path: &Path) -> Result<(), Error> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if parent.is_dir() {
        return Ok(());
    }
    Err(Error::invalid(
        format!("--out {}", path.display()),
        format!("`{}` is not a directory", parent.display()),
        "a file in a directory that exists",
    ))
}

fn line(metrics: &EpochMetrics) -> String {
    let validation = match metrics.validation_accuracy {
        Some(accuracy) => format!("validation {:5.2} %, ", accuracy * 100.0),
        None => String::new(),
    };
    let step = metrics.step.map(|step| format!(", step {step}"));
    format!(
        "epoch {:3}{}: training loss {:.4}, {validation}test {:5.2} %{}",
        metrics.epoch,
        step.unwrap_or_default(),
        metrics.train_loss,
        metrics.test_accuracy * 100.0,
        metrics.sharpness.as_ref().map_or(String::new(), sharpness)
    )
}

/// What was measured of the whole model, each number after a comma.
fn sharpness(metrics: &SharpnessMetrics) -> String {
    let mut text = String::new();
    if let Some(eigenvalue) = metrics.whole.eigenvalue {
        text += &format!(", top eigenvalue {:.4}", eigenvalue.value);
        if !eigenvalue.converged {
            text += &format!(" (not converged in {} products)", eigenvalue.iterations);
        }
    }
    if let Some(trace) = metrics.whole.trace {
        text += &format!(", Hessian trace {:.4}", trace.value);
    }
    if let Some(sam) = metrics.whole.sam {
        text += &format!(", SAM-sharpness {:.4} at ρ = {}", sam.value, sam.radius);
    }
    text
}

fn summary(result: &RunResult) -> String {
    match (&result.status, result.epochs.last()) {
        (RunStatus::Completed, Some(last)) => format!("{}\n", line(last)),
        (RunStatus::Diverged, _) => format!(
            "diverged after {} steps: the loss or a gradient norm was not finite; lower \
             optimizer.lr or sam.rho\n",
            result.steps
        ),
        (status, _) => format!("{status:?}\n"),
    }
}
