//! The file of one run: TOML in, a checked spec out.

use super::read::{parse_table, read_text};
use super::run::RunSpec;
use crate::error::Result;
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
    let spec: RunSpec = parse_table(text, place, overrides)?.parse(place, "")?;
    spec.validate(place)?;
    Ok(spec)
}
