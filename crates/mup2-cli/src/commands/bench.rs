//! `mup2 bench`: steps per second and memory of a run on this machine.

use crate::arguments::BenchArguments;
use crate::dataset;
use crate::device;
use crate::interrupt::cancel_on_signal;
use crate::terminal::print;
use mup2_train::config::read_run;
use mup2_train::train::{ThroughputOptions, throughput};
use serde_json::json;
use std::process::ExitCode;

pub fn run(arguments: &BenchArguments) -> anyhow::Result<ExitCode> {
    let spec = read_run(&arguments.spec, &arguments.overrides)?;
    device::announce(arguments.device)?;
    let data = dataset::open(&spec.data)?;
    let options = ThroughputOptions {
        device: arguments.device,
        workers: device::workers(arguments.device, arguments.workers)?,
        threads: usize::from(arguments.threads),
        warmup: arguments.warmup as usize,
        steps: arguments.steps as usize,
    };
    let cancel = cancel_on_signal()?;
    let measured = throughput(&spec, &data, &options, &cancel)?;
    let (rate, memory) = (measured.steps_per_second, peak_memory());
    let ThroughputOptions {
        workers,
        threads,
        steps,
        ..
    } = options;
    if arguments.json {
        let line = json!({
            "steps_per_second": rate,
            "images_per_second": rate * spec.train.batch_size as f64,
            "step_seconds": measured.step_seconds,
            "device": arguments.device,
            "workers": workers,
            "threads": threads,
            "steps": steps,
            "peak_memory_bytes": memory,
            "version": env!("CARGO_PKG_VERSION"),
        });
        print(&format!("{line}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut sorted = measured.step_seconds;
    sorted.sort_by(f64::total_cmp);
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    let mut text = format!(
        "{rate:.2} steps/s, {:.0} images/s; a step takes {:.2} ms (median of {steps}; workers {workers}, threads \
         of each {threads})\n",
        rate * spec.train.batch_size as f64,
        median * 1e3,
    );
    if let Some(memory) = memory {
        text.push_str(&format!(
            "peak memory {:.1} MiB\n",
            memory as f64 / f64::from(1 << 20)
        ));
    }
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The most memory that this process ever held, where Linux tells.
fn peak_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
