//! How much memory there is for a dataset.

use std::fs;
use std::path::Path;

/// What is assumed where the system does not tell, in bytes.
const UNTOLD: u64 = 8 << 30;

/// The most bytes of pixels that [`super::Storage::Auto`] keeps in memory: a quarter of what is
/// free, so that there is room for networks, and for a second process with the same data.
pub(super) fn share_for_data() -> u64 {
    available(Path::new("/")).unwrap_or(UNTOLD) / 4
}

/// The memory that is free, in bytes, or the limit of the process's control group, which a Slurm job
/// has, if that is lower. Linux only; `root` is `/`.
fn available(root: &Path) -> Option<u64> {
    let read = |path: &str| fs::read_to_string(root.join(path)).ok();
    let told = read("proc/meminfo")?;
    let free = told.lines().find_map(|line| {
        let kib = line.strip_prefix("MemAvailable:")?.trim();
        kib.strip_suffix("kB")?.trim().parse::<u64>().ok()
    })?;
    let free = free.saturating_mul(1024);
    // Version 2 of control groups has one line, `0::/path`; the limits of all groups above count.
    let groups = read("proc/self/cgroup").unwrap_or_default();
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"));
    let limits = Path::new(group.unwrap_or_default())
        .ancestors()
        .filter_map(|group| {
            let path = Path::new("sys/fs/cgroup").join(group).join("memory.max");
            read(path.to_str()?)?.trim().parse::<u64>().ok()
        });
    Some(limits.fold(free, u64::min))
}

#[cfg(test)]
mod tests {
    use super::available;
    use std::fs;
    use std::path::Path;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn the_lowest_of_free_memory_and_the_limits_above_counts() {
        let root = tempfile::tempdir().unwrap();
        let of = || available(root.path());
        assert_eq!(of(), None);
        let told = "MemTotal:  16 kB\nMemAvailable:   8 kB\n";
        write(root.path(), "proc/meminfo", told);
        assert_eq!(of(), Some(8192));
        write(root.path(), "proc/self/cgroup", "0::/jobs/job_1\n");
        write(root.path(), "sys/fs/cgroup/jobs/job_1/memory.max", "max\n");
        assert_eq!(of(), Some(8192));
        write(root.path(), "sys/fs/cgroup/jobs/memory.max", "4096\n");
        assert_eq!(of(), Some(4096));
    }
}
