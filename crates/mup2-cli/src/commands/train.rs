//! `mup2 train`: one network, with its progress.

use crate::arguments::TrainArguments;
use crate::interrupt::cancel_on_signal;
use crate::progress::bar;
use crate::terminal::print;
use mup2::checkpoint::CheckpointDirectory;
use mup2::config::read_run;
use mup2::data;
use mup2::error::Error;
use mup2::publish::write_atomically;
use mup2::results::{EpochMetrics, RunResult, RunStatus, SharpnessMetrics};
use mup2::sweep::describe;
use mup2::train::{Checkpointing, Progress, train_resumably};
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

pub fn run(arguments: &TrainArguments) -> anyhow::Result<ExitCode> {
    let spec = read_run(&arguments.spec, &arguments.overrides)?;
    if let Some(path) = &arguments.out {
        check_parent(path)?;
    }
    let checkpointing = arguments.checkpoints.as_ref().map(|path| Checkpointing {
        directory: CheckpointDirectory::new(path),
        interval: Duration::from_secs(arguments.checkpoint_every),
        resume: arguments.resume,
    });
    let data = data::load(&spec.data)?;
    eprintln!("{}: {}", spec.data.dataset, describe(&data));
    let cancel = cancel_on_signal()?;
    let bar = bar(
        0,
        "{bar:30.cyan/dim} step {pos}/{len} · ETA {eta} · {per_sec} · {msg}",
    )?;
    let is_terminal = std::io::stderr().is_terminal();
    // One trial, one core: the result is then a function of the spec.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let result = pool.install(|| {
        train_resumably(
            &spec,
            &data,
            &cancel,
            checkpointing.as_ref(),
            |progress| match progress {
                Progress::Step { step, total, loss } => {
                    bar.set_length(total as u64);
                    bar.set_position(step as u64);
                    if step % 10 == 0 {
                        bar.set_message(format!("loss {loss:.3}"));
                    }
                }
                Progress::Note(note) => bar.suspend(|| eprintln!("{note}")),
                Progress::Epoch(metrics) if is_terminal => bar.println(line(&metrics)),
                Progress::Epoch(metrics) => eprintln!("{}", line(&metrics)),
            },
        )
    });
    bar.finish_and_clear();
    if let (Err(Error::Interrupted), Some(directory)) = (&result, &arguments.checkpoints) {
        let directory = directory.display();
        eprintln!("to go on: the same command with --checkpoints {directory} --resume");
    }
    let result = result?;
    if let Some(path) = &arguments.out {
        let text = serde_json::to_string_pretty(&result)?;
        write_atomically(path, format!("{text}\n").as_bytes())?;
    }
    print(&summary(&result))?;
    Ok(match result.status {
        RunStatus::Completed => ExitCode::SUCCESS,
        RunStatus::Diverged | RunStatus::Failed { .. } => ExitCode::from(1),
    })
}

/// Hours of training should not end in a directory that does not exist.
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
    format!(
        "epoch {:3}: training loss {:.4}, {validation}test {:5.2} %{}",
        metrics.epoch,
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
