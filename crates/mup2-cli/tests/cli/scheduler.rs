//! Jobs of a scheduler that refuses some, and lines for other programs to run.

#![cfg(unix)]

use crate::{mup2, stderr, stdout};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

const SWEEP: &str = "name = \"s\"\n[grid]\nscheme = [\"mup2\"]\nwidth = [8]\nlr = [0.125]\n\
                     rho = [0, 0.0625]\nseed = [0]\n[run.data]\ntrain_limit = 200\n\
                     average_pool = 4\n[run.model]\nbase_width = 8\n[run.train]\nepochs = 1\n";

fn program(directory: &Path, name: &str, script: &str) {
    let path = directory.join("bin").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A workspace with a scheduler that answers `sbatch` by this script.
fn cluster(sbatch: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("sweep.toml"), SWEEP).unwrap();
    program(directory.path(), "scontrol", "echo 'MaxArraySize = 1001'");
    program(directory.path(), "scancel", "echo \"$*\" >> scancel.log");
    program(directory.path(), "sbatch", sbatch);
    directory
}

fn on_cluster(arguments: &[&str], directory: &Path) -> Output {
    let path = std::env::var("PATH").unwrap();
    Command::new(env!("CARGO_BIN_EXE_mup2"))
        .args(arguments)
        .current_dir(directory)
        .env("PATH", format!("{}/bin:{path}", directory.display()))
        .output()
        .unwrap()
}

const SUBMIT: [&str; 6] = ["sweep", "submit", "sweep.toml", "--out", "out", "--slurm"];

#[test]
fn an_array_whose_report_is_refused_is_not_forgotten() {
    let directory = cluster(
        "case \"$*\" in *--dependency*) echo 'error: AssocMaxSubmitJobLimit' >&2; exit 1;; esac\n\
         echo 777",
    );
    let place = directory.path();
    let output = on_cluster(&SUBMIT, place);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("array job 777 is queued"), "{said}");
    assert!(said.contains("AssocMaxSubmitJobLimit"), "{said}");
    let cancelled = on_cluster(&["sweep", "cancel", "out"], place);
    assert_eq!(cancelled.status.code(), Some(0), "{}", stderr(&cancelled));
    let log = std::fs::read_to_string(place.join("scancel.log")).unwrap();
    assert_eq!(log, "--quiet 777\n");
}

#[test]
fn a_job_is_followed_and_cancelled_on_its_cluster() {
    let directory = cluster(
        "echo \"$*\" >> sbatch.log\necho 'welcome to nautilus'\n\
         case \"$*\" in *--dependency*) echo '780;nautilus';; *) echo '779;nautilus';; esac",
    );
    let place = directory.path();
    let output = on_cluster(&SUBMIT, place);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let calls = std::fs::read_to_string(place.join("sbatch.log")).unwrap();
    let report = calls
        .lines()
        .find(|call| call.contains("afterany:779"))
        .unwrap();
    assert!(report.contains("--clusters=nautilus"), "{report}");
    let record = std::fs::read_to_string(place.join("out/slurm/submission.json")).unwrap();
    assert!(
        record.contains("779;nautilus") && record.contains("780;nautilus"),
        "{record}"
    );
    on_cluster(&["sweep", "cancel", "out"], place);
    let log = std::fs::read_to_string(place.join("scancel.log")).unwrap();
    assert_eq!(log, "--quiet --clusters=nautilus 780 779\n");
}

#[test]
fn times_below_three_minutes_and_no_times_are_refused_in_every_form() {
    let directory = cluster("echo 1");
    for (time, code) in [
        ("00:30", 2),
        ("2:00", 2),
        ("0-00:01", 2),
        ("abc", 2),
        ("2", 2),
        ("3", 0),
        ("00:03:00", 0),
        ("1-0", 0),
    ] {
        let time = [&SUBMIT[..], &["--dry-run", "--time", time]].concat();
        let output = on_cluster(&time, directory.path());
        assert_eq!(
            output.status.code(),
            Some(code),
            "{time:?} {}",
            stderr(&output)
        );
    }
}

#[test]
fn the_documented_lines_for_other_programs_work_with_awkward_values() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let name = "my \"own\" sweep's";
    std::fs::create_dir(place.join(name)).unwrap();
    std::fs::write(place.join(name).join("s.toml"), SWEEP).unwrap();
    let help = stdout(&mup2(&["sweep", "commands", "--help"], place));
    let documented = help
        .lines()
        .find(|line| line.contains("xargs"))
        .unwrap()
        .trim();
    let documented = documented
        .replacen("mup2 ", "\"$MUP2\" ", 1)
        .replace(
            "SWEEP.toml",
            "\"$SWEEP\" --set 'run.data.dataset=\"embedded\"'",
        )
        .replace("results/first", "\"$OUT\"");
    let output = Command::new("sh")
        .args(["-c", &documented])
        .env("MUP2", env!("CARGO_BIN_EXE_mup2"))
        .env("SWEEP", format!("{name}/s.toml"))
        .env("OUT", format!("{name}/out"))
        .current_dir(place)
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{documented}: {}",
        stderr(&output)
    );
    let runs = std::fs::read_dir(place.join(name).join("out/runs")).unwrap();
    assert_eq!(runs.count(), 2);
}
