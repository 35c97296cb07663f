//! How much memory of a device is free, from whoever tells.

use super::device::device_model;
use crate::config::TrainingDevice;
use crate::error::Result;
use std::path::Path;
use std::process::Command;

/// Free memory of a device in bytes: the machine's for the processor and for software that stands in for a GPU,
/// `nvidia-smi`'s for cards of NVIDIA, the kernel's for those of AMD. None where nobody tells.
///
/// # Errors
/// As [`super::open_device`]'s.
pub fn free_memory(device: TrainingDevice) -> Result<Option<u64>> {
    let Some(model) = device_model(device)? else {
        return Ok(machine_memory(AVAILABLE));
    };
    if model.contains("llvmpipe") || model.contains("SwiftShader") {
        return Ok(machine_memory(AVAILABLE));
    }
    Ok(nvidia(&model).or_else(|| amd(Path::new("/sys/class/drm"))))
}

/// What Linux could give to a process.
const AVAILABLE: &str = "MemAvailable:";
/// What the machine has.
pub(super) const TOTAL: &str = "MemTotal:";

/// What Linux tells of the machine's memory, in bytes.
pub(super) fn machine_memory(key: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    kib_of(&text, key)
}

/// The bytes of a line such as `MemAvailable:  1024 kB`.
fn kib_of(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Of several cards of one model, that with the least: which one computes is not told.
fn nvidia(model: &str) -> Option<u64> {
    let arguments = [
        "--query-gpu=name,memory.free",
        "--format=csv,noheader,nounits",
    ];
    let output = Command::new("nvidia-smi").args(arguments).output().ok()?;
    output.status.success().then_some(())?;
    least_of(&String::from_utf8(output.stdout).ok()?, model)
}

/// The least of the lines `NAME, MIB` whose card is the model's.
fn least_of(text: &str, model: &str) -> Option<u64> {
    let lines = text.lines().filter_map(|line| line.rsplit_once(','));
    let own = lines.filter(|(name, _)| model.contains(name.trim()) || name.contains(model));
    let mib = own.filter_map(|(_, mib)| mib.trim().parse::<u64>().ok());
    mib.min()?.checked_mul(1 << 20)
}

/// The least of all cards that the driver of AMD's tells of below `cards`.
fn amd(cards: &Path) -> Option<u64> {
    let entries = std::fs::read_dir(cards).ok()?.flatten();
    let free = entries.filter_map(|entry| {
        let number = |file: &str| {
            let text = std::fs::read_to_string(entry.path().join("device").join(file));
            text.ok()?.trim().parse::<u64>().ok()
        };
        number("mem_info_vram_total")?.checked_sub(number("mem_info_vram_used")?)
    });
    free.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_free_memory_is_that_of_the_least_free_card_of_the_model() {
        let told = "NVIDIA H100 80GB HBM3, 70000\nNVIDIA H100 80GB HBM3, 500\nNVIDIA T4, 10\n";
        let free = least_of(told, "NVIDIA H100 80GB HBM3");
        assert_eq!(free, Some(500 << 20));
        assert_eq!(least_of(told, "Radeon"), None);
        assert_eq!(least_of("no devices were found", "NVIDIA T4"), None);
    }

    #[test]
    fn linux_tells_what_it_could_give() {
        let text = "MemTotal: 10 kB\nMemAvailable:   24 kB\n";
        assert_eq!(kib_of(text, AVAILABLE), Some(24 * 1024));
        assert_eq!(kib_of("MemAvailable: x kB", AVAILABLE), None);
    }

    #[test]
    fn a_card_of_amd_is_read_from_the_kernels_files() {
        let cards = tempfile::tempdir().unwrap();
        for (card, total, used) in [("card0", 100, 40), ("card1", 100, 90)] {
            let device = cards.path().join(card).join("device");
            std::fs::create_dir_all(&device).unwrap();
            std::fs::write(device.join("mem_info_vram_total"), format!("{total}\n")).unwrap();
            std::fs::write(device.join("mem_info_vram_used"), format!("{used}\n")).unwrap();
        }
        assert_eq!(amd(cards.path()), Some(10));
        assert_eq!(amd(&cards.path().join("none")), None);
    }
}
