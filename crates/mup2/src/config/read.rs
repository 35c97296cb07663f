//! TOML in, checked specs out: every message names the file and the key.

use super::kind::{Kind, Source};
use super::sweep::SweepSpec;
use crate::error::{Error, Result};
use std::path::Path;
use toml::{Table, Value};

/// Specs are written by hand; a larger file is something else.
const MAX_BYTES: u64 = 1 << 20;

/// No key of a spec has as many parts, and tables nested by the thousand would overflow the stack.
const MAX_KEY_PARTS: usize = 16;

/// Reads a `SWEEP.toml` with runs of one of `kinds` and applies `--set key=value` overrides.
///
/// # Errors
/// When the file cannot be read, is not TOML, has an unknown or repeated key, or a value is not
/// allowed.
pub fn read_sweep(path: &Path, overrides: &[String], kinds: &[Kind]) -> Result<SweepSpec> {
    parse_sweep(
        &read_text(path)?,
        &path.display().to_string(),
        overrides,
        kinds,
    )
}

/// Parses the text of a sweep spec; `place` names it in messages.
///
/// # Errors
/// As [`read_sweep`].
pub fn parse_sweep(
    text: &str,
    place: &str,
    overrides: &[String],
    kinds: &[Kind],
) -> Result<SweepSpec> {
    let spec = SweepSpec::read(parse_table(text, place, overrides)?, place, kinds)?;
    spec.validate(place)?;
    Ok(spec)
}

/// The text of a TOML file of a spec.
///
/// # Errors
/// When it cannot be read or is too large to be one.
pub fn read_text(path: &Path) -> Result<String> {
    let size = std::fs::metadata(path)
        .map_err(Error::io("read", path))?
        .len();
    if size > MAX_BYTES {
        let problem = format!("has {size} bytes");
        return Err(Error::invalid(
            path.display().to_string(),
            problem,
            format!("a TOML file of at most {MAX_BYTES} bytes"),
        ));
    }
    std::fs::read_to_string(path).map_err(Error::io("read", path))
}

/// The table of a TOML text, with overrides applied.
///
/// # Errors
/// When it is not TOML, or an override is no assignment.
pub fn parse_table(text: &str, place: &str, overrides: &[String]) -> Result<Source> {
    let mut table: Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error
            .span()
            .and_then(|span| text.get(..span.start))
            .map_or(1, |before| before.matches('\n').count() + 1);
        let message = one_line(error.message());
        Error::invalid(
            format!("{place}: line {line}"),
            message,
            "valid TOML, each key once",
        )
    })?;
    for assignment in overrides {
        apply(&mut table, assignment)?;
    }
    Ok(Source::Toml(Value::Table(table)))
}

pub(super) fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Applies one `key.path=value`; a value that is not TOML is taken as a string.
fn apply(table: &mut Table, assignment: &str) -> Result<()> {
    let place = format!("--set {assignment}");
    let allowed = "KEY=VALUE with a dotted key, such as optimizer.lr=0.1";
    let Some((path, text)) = assignment.split_once('=') else {
        return Err(Error::invalid(place, "has no `=`", allowed));
    };
    let value = format!("value = {text}")
        .parse::<Table>()
        .ok()
        // Text with line breaks may hold more than the value.
        .filter(|parsed| parsed.len() == 1)
        .and_then(|mut parsed| parsed.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()));
    let mut keys: Vec<&str> = path.split('.').map(str::trim).collect();
    let last = keys.pop().unwrap_or_default();
    if last.is_empty() || keys.iter().any(|key| key.is_empty()) {
        return Err(Error::invalid(place, "has an empty key", allowed));
    }
    if keys.len() >= MAX_KEY_PARTS {
        let problem = format!("has a key of {} parts", keys.len() + 1);
        return Err(Error::invalid("--set", problem, allowed));
    }
    let mut current = table;
    for key in keys {
        let entry = current
            .entry(key.to_owned())
            .or_insert_with(|| Value::Table(Table::new()));
        let Value::Table(next) = entry else {
            let problem = format!("`{key}` is a value, not a table");
            return Err(Error::invalid(place, problem, allowed));
        };
        current = next;
    }
    current.insert(last.to_owned(), value);
    Ok(())
}
