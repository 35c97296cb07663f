//! TOML in, checked specs out: every message names the file and the key.

use super::kind::{Kind, Source};
use super::sweep::SweepSpec;
use crate::error::{Error, Result};
use std::fs::File;
use std::io::Read;
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
    let table = parse_table(text, place, overrides)?;
    let spec = SweepSpec::read(table, place, kinds).and_then(|spec| {
        spec.validate(place)?;
        Ok(spec)
    });
    spec.map_err(|error| blame(error, place, overrides))
}

/// The text of a file, or of a pipe such as a shell's `<(…)`.
///
/// # Errors
/// When it cannot be read or is too large to be a spec.
pub fn read_text(path: &Path) -> Result<String> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let mut text = String::new();
    // A device's length says nothing.
    file.take(MAX_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(Error::io("read", path))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(Error::invalid(
            path.display().to_string(),
            "is too long",
            format!("a TOML file of at most {MAX_BYTES} bytes"),
        ));
    }
    Ok(text)
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

/// The error, with the flag for its place where the key is one that a flag has set.
pub fn blame(error: Error, file: &str, overrides: &[String]) -> Error {
    let Error::Invalid {
        place,
        problem,
        allowed,
    } = error
    else {
        return error;
    };
    let key = place
        .strip_prefix(file)
        .and_then(|rest| rest.strip_prefix(": "))
        .unwrap_or_default();
    let is_set_by = |assignment: &&String| {
        let set = assignment.split_once('=').map_or("", |(set, _)| set.trim());
        let below = key.strip_prefix(set);
        !set.is_empty() && below.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    // The last one counts.
    let place = match overrides.iter().rev().find(is_set_by) {
        Some(assignment) => format!("--set {assignment}"),
        None => place,
    };
    Error::Invalid {
        place,
        problem,
        allowed,
    }
}

/// What serde says, as (problem, allowed), without the names of Rust's types.
pub(super) fn plain(message: &str) -> (String, String) {
    if message.contains("untagged enum") {
        let problem = "has none of the forms that it may have";
        return (problem.to_owned(), "see `mup2 spec`".to_owned());
    }
    // serde says "…, expected one of …": the second half is what is allowed.
    let Some((problem, expected)) = message.split_once(", expected ") else {
        return (message.to_owned(), "see `mup2 spec`".to_owned());
    };
    let value = problem
        .strip_prefix("invalid type: ")
        .or_else(|| problem.strip_prefix("invalid value: "));
    let text = value.and_then(|value| value.strip_prefix("string "));
    let problem = match (value, text) {
        (_, Some(text)) => format!("is the text {text}"),
        (Some("sequence"), _) => "is a list".to_owned(),
        (Some("map"), _) => "is a table".to_owned(),
        (Some(value), _) => match value.split_once('`') {
            Some((_, value)) => format!("is {}", value.trim_end_matches('`')),
            None => format!("is {value}"),
        },
        (None, _) => problem.to_owned(),
    };
    let is_number = text.is_some_and(|text| text.trim_matches('"').parse::<f64>().is_ok());
    let allowed = match expected.split_whitespace().next().unwrap_or_default() {
        "f64" | "f32" if is_number => "numbers as TOML writes them, such as 0.1",
        "f64" | "f32" => "numbers",
        "i64" | "i32" => "whole numbers",
        "usize" | "u64" | "u32" | "u16" | "u8" => "whole numbers of at least 0",
        "struct" => "a table",
        _ => match expected {
            "a boolean" => "true or false",
            "a sequence" => "a list",
            "a map" => "a table",
            "a string" => "text in quotes",
            "path string" => "a path in quotes",
            expected => expected,
        },
    };
    (problem, allowed.to_owned())
}

/// A message on one line.
pub fn one_line(message: &str) -> String {
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
