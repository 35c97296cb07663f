//! The device of a command: named on stderr where it is a GPU, and how many workers it feeds.

use mup2::config::TrainingDevice;
use mup2::train::device_model;

/// Opens the device and says which GPU it is.
pub fn announce(device: TrainingDevice) -> anyhow::Result<()> {
    if let Some(model) = device_model(device)? {
        eprintln!("device {device}: {model}");
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
