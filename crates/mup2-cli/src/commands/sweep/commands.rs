//! `mup2 sweep commands`: one shell line a run, for GNU parallel and its kin.

use super::{existing, read};
use crate::arguments::SweepCommandsArguments;
use crate::encoded::{ENCODED, encoded};
use crate::terminal::print;
use mup2_scaling::error::Error;
use mup2_sweep::results::{PROCESSOR, ResultStore};
use mup2_sweep::{Selected, known_runs, refuse_halving};
use std::path::Path;
use std::process::ExitCode;

pub fn run(arguments: &SweepCommandsArguments) -> anyhow::Result<ExitCode> {
    let sweep = read(&arguments.sweep)?;
    refuse_halving(&sweep, "mup2 sweep commands")?;
    let store = existing(&arguments.out)?;
    let mut words = vec!["sweep".into(), "run".into(), text(&arguments.sweep.spec)?];
    for assignment in &arguments.sweep.overrides {
        words.extend(["--set".into(), assignment.clone()]);
    }
    words.extend(["--out".into(), text(&arguments.out)?]);
    if let Some(device) = store.as_ref().map(ResultStore::device)
        && device != PROCESSOR
    {
        words.extend(["--device".into(), device.to_owned()]);
    }
    let program = quoted(&std::env::current_exe()?)?;
    // Tools that start one line each differ in what they make of quotes and backslashes.
    let call = match words.iter().all(|word| encoded(word) == *word) {
        true => format!("{program} {}", words.join(" ")),
        false => {
            let words: Vec<String> = words.iter().map(|word| encoded(word)).collect();
            format!("{program} {ENCODED} {}", words.join(" "))
        }
    };
    let selected = Selected::default();
    let mut lines = String::new();
    for run in known_runs(&sweep, None)?.runs {
        let result = match &store {
            Some(store) => store.result(&run.id)?,
            None => None,
        };
        if result.is_none_or(|result| !selected.is_settled_by(&result)) {
            lines += &format!("{call} --workers 1 --only {}\n", run.id);
        }
    }
    print(&lines)?;
    Ok(ExitCode::SUCCESS)
}

fn wrong(path: &Path, problem: &str) -> Error {
    Error::invalid(
        path.display().to_string(),
        problem,
        "a name that a shell line can hold",
    )
}

fn text(path: &Path) -> Result<String, Error> {
    let text = path.to_str().ok_or_else(|| wrong(path, "is not UTF-8"))?;
    Ok(text.to_owned())
}

/// One word of a POSIX shell.
pub fn quoted(path: &Path) -> Result<String, Error> {
    let text = text(path)?;
    let quoted = shlex::try_quote(&text).map_err(|_| wrong(path, "holds a NUL"))?;
    Ok(quoted.into_owned())
}
