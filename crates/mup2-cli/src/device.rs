//! The device of a command: named on stderr where it is a GPU, how many workers it feeds, and how many trials it
//! trains at once.

use crate::terminal::say;
use mup2_scaling::error::Error;
use mup2_train::built_in::StackSize;
use mup2_train::config::{RunSpec, TrainingDevice};
use mup2_train::train::{device_model, free_memory};

/// Opens the device and says which GPU it is.
pub fn announce(device: TrainingDevice) -> anyhow::Result<()> {
    if let Some(model) = device_model(device)? {
        say(format_args!("device {device}: {model}"));
    }
    Ok(())
}

/// As many workers as were asked for, or one a core; a GPU, which computes one kernel after the other, has
/// one.
pub fn workers(device: TrainingDevice, asked: Option<u16>) -> anyhow::Result<usize> {
    Ok(match asked {
        Some(workers) => usize::from(workers),
        None if device.is_processor() => std::thread::available_parallelism()?.get(),
        None => 1,
    })
}

/// The share of a device's free memory that stacks may take: what they need is estimated.
const MEMORY_SHARE: f64 = 0.5;

/// Refuses a `--stack` that could do nothing, before anything is written.
pub fn check_stack(
    device: TrainingDevice,
    asked: Option<u16>,
    run: &RunSpec,
    is_halving: bool,
) -> anyhow::Result<()> {
    let Some(asked) = asked.filter(|asked| *asked > 1) else {
        return Ok(());
    };
    let refuse = |problem: &str, allowed: &str| {
        let problem = format!("is {asked}, but {problem}");
        Err(Error::invalid("--stack", problem, allowed).into())
    };
    if device.is_processor() {
        return refuse(
            "on the processor one trial fills a core, and its results are the same to the bit everywhere",
            "1, or a `--device` that is a GPU",
        );
    }
    if is_halving {
        return refuse(
            "the runs of a search by halving go on from each other's checkpoints",
            "1 with `search = \"halving\"`",
        );
    }
    if !run.can_be_stacked() {
        return refuse(
            "these runs divide their batches, take statistics anew or measure sharpness",
            "1, or `run.train.micro_batches = 1`, `run.train.recalibrate_batches = 0` and `run.sharpness.every_epochs = 0`",
        );
    }
    Ok(())
}

/// As many trials at once as were asked for. A GPU has as many as fit into its memory, the processor one.
pub fn stack(
    device: TrainingDevice,
    workers: usize,
    asked: Option<u16>,
) -> anyhow::Result<StackSize> {
    if let Some(asked) = asked {
        return Ok(StackSize::AtMost(usize::from(asked)));
    }
    if device.is_processor() {
        return Ok(StackSize::AtMost(1));
    }
    let Some(free) = free_memory(device)? else {
        say(format_args!(
            "the device's free memory is not known: trials are trained one by one; --stack K trains K at once"
        ));
        return Ok(StackSize::AtMost(1));
    };
    let share = free as f64 * MEMORY_SHARE / workers.max(1) as f64;
    Ok(StackSize::Memory(share as u64))
}

/// How many trials are trained at once, in words; none where it is one.
pub fn describe(stack: StackSize) -> Option<String> {
    match stack {
        StackSize::AtMost(1) => None,
        StackSize::AtMost(most) => Some(format!("at most {most}")),
        StackSize::Memory(bytes) => {
            let gib = bytes as f64 / f64::from(1 << 30);
            Some(format!("as many as fit into {gib:.1} GiB"))
        }
    }
}
