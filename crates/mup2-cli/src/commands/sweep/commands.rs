//! `mup2 sweep commands`: one shell line a run, for GNU parallel and its kin.

use super::{existing, read};
use crate::arguments::SweepCommandsArguments;
use crate::terminal::print;
use mup2::error::Error;
use mup2::results::{PROCESSOR, ResultStore};
use mup2::sweep::{Selected, known_runs, refuse_halving};
use std::path::Path;
use std::process::ExitCode;

pub fn run(arguments: &SweepCommandsArguments) -> anyhow::Result<ExitCode> {
    let sweep = read(&arguments.sweep)?;
    refuse_halving(&sweep, "mup2 sweep commands")?;
    let store = existing(&arguments.out)?;
    let program = std::env::current_exe()?;
    let mut words = vec![quoted(&program)?, "sweep".into(), "run".into()];
    words.push(quoted(&arguments.sweep.spec)?);
    for assignment in &arguments.sweep.overrides {
        words.extend(["--set".into(), quoted(Path::new(assignment))?]);
    }
    words.extend(["--out".into(), quoted(&arguments.out)?]);
    if let Some(device) = store.as_ref().map(ResultStore::device)
        && device != PROCESSOR
    {
        words.extend(["--device".into(), device.to_owned()]);
    }
    let call = words.join(" ");
    let selected = Selected::default();
    let mut text = String::new();
    for run in known_runs(&sweep, None)?.runs {
        let result = match &store {
            Some(store) => store.result(&run.id)?,
            None => None,
        };
        if result.is_none_or(|result| !selected.is_settled_by(&result)) {
            text += &format!("{call} --workers 1 --only {}\n", run.id);
        }
    }
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// One word of a POSIX shell.
pub fn quoted(path: &Path) -> Result<String, Error> {
    let wrong = |problem: &str| {
        Error::invalid(
            path.display().to_string(),
            problem,
            "a name that a shell line can hold",
        )
    };
    let text = path.to_str().ok_or_else(|| wrong("is not UTF-8"))?;
    let quoted = shlex::try_quote(text).map_err(|_| wrong("holds a NUL"))?;
    Ok(quoted.into_owned())
}
