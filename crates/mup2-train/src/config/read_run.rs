//! The file of one run: TOML in, a checked spec out.

use super::run::RunSpec;
use crate::error::{Error, Result};
use mup2_sweep::config::{blame, one_line, parse_table, read_text};
use std::path::Path;

/// Reads a `RUN.toml` and applies `--set key=value` overrides.
///
/// # Errors
/// When the file cannot be read, is not TOML, has an unknown or repeated key, or a value is not
/// allowed.
pub fn read_run(path: &Path, overrides: &[String]) -> Result<RunSpec> {
    parse_run(&read_text(path)?, &path.display().to_string(), overrides)
}

/// Parses the text of a run spec; `place` names it in messages.
///
/// # Errors
/// As [`read_run`].
pub fn parse_run(text: &str, place: &str, overrides: &[String]) -> Result<RunSpec> {
    let spec = parse_table(text, place, overrides)?.parse(place, "");
    let spec = spec.and_then(|spec: RunSpec| {
        spec.validate(place)?;
        Ok(spec)
    });
    spec.map_err(|error| blame(error, place, overrides))
}

/// A run with `--set key=value` overrides; `place` names it in messages.
///
/// # Errors
/// As [`read_run`].
pub fn override_run(spec: &RunSpec, place: &str, overrides: &[String]) -> Result<RunSpec> {
    let text = toml::to_string(spec).map_err(|error| {
        Error::invalid(
            place,
            one_line(&error.to_string()),
            "a run that TOML can hold",
        )
    })?;
    parse_run(&text, place, overrides)
}
