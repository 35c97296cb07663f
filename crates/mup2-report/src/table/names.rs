//! From the names of a query to the columns of a file.

use super::TableQuery;
use super::columns::Found;
use mup2_scaling::error::{Error, Result};
use std::path::PathBuf;

/// The place of each quantity among the columns that are read.
pub(super) const SIZE: usize = 0;
pub(super) const X: usize = 1;
pub(super) const METRIC: usize = 2;
pub(super) const SERIES: usize = 3;
pub(super) const SEED: usize = 4;
pub(super) const Y: usize = 5;
pub(super) const TEST: usize = 6;
pub(super) const STATUS: usize = 7;

/// A column that is looked for.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// The flag that names it.
    flag: &'static str,
    /// Name in the files; empty for a quantity that the query leaves out.
    pub column: String,
    /// Whether a table without it can be used.
    is_optional: bool,
}

/// The columns that a query asks for.
#[derive(Debug)]
pub(super) struct Names {
    wanted: Vec<Wanted>,
}

impl Names {
    /// # Errors
    /// A mapping of a name that the query does not use, or two quantities of one column.
    pub fn new(query: &TableQuery) -> Result<Self> {
        let series = query.series.as_deref();
        let seed = query.seed.as_deref();
        let parts: [(&str, Option<&str>, bool); 8] = [
            ("--size", Some(&query.size), false),
            ("--x", Some(&query.x), false),
            ("--metric", Some(&query.metric), false),
            ("--series", series.or(Some("scheme")), series.is_none()),
            ("--seed", seed.or(Some("seed")), seed.is_none()),
            ("--y", query.y.as_deref(), false),
            ("--test", query.test.as_deref(), false),
            ("--status", query.status.as_deref(), false),
        ];
        for (name, _) in &query.columns {
            if !parts.iter().any(|part| part.1 == Some(name)) {
                let known: Vec<&str> = parts.iter().filter_map(|part| part.1).collect();
                return Err(Error::invalid(
                    format!("--column {name}=…"),
                    "is no name that this report uses",
                    known.join(", "),
                ));
            }
        }
        let wanted: Vec<Wanted> = parts
            .into_iter()
            .map(|(flag, name, is_optional)| {
                let name = name.unwrap_or_default();
                let mapped = query.columns.iter().rfind(|(own, _)| own == name);
                Wanted {
                    flag,
                    column: mapped.map_or(name, |(_, column)| column).to_owned(),
                    // Who maps a column wants it.
                    is_optional: is_optional && mapped.is_none(),
                }
            })
            .collect();
        for (place, one) in wanted.iter().enumerate() {
            let earlier = wanted[..place].iter();
            let mut same = earlier.filter(|other| other.column == one.column);
            if let Some(other) = same.next().filter(|_| !one.column.is_empty()) {
                return Err(Error::invalid(
                    one.flag,
                    format!("is the column `{}`, and so is {}", one.column, other.flag),
                    "a column of its own for each",
                ));
            }
        }
        Ok(Self { wanted })
    }

    pub fn wanted(&self) -> &[Wanted] {
        &self.wanted
    }

    /// # Errors
    /// When no file has a column that is needed.
    pub fn check(&self, files: &[PathBuf], found: &Found) -> Result<()> {
        let is_missing = |(place, one): &(usize, &Wanted)| {
            !one.column.is_empty() && !one.is_optional && !found.has[*place]
        };
        let Some((_, one)) = self.wanted.iter().enumerate().find(is_missing) else {
            return Ok(());
        };
        let place = match files {
            [only] => only.display().to_string(),
            _ => format!("{} files", files.len()),
        };
        let mut known: Vec<String> = found.columns.iter().take(LISTED).cloned().collect();
        if found.columns.len() > LISTED {
            known.push(format!("and {} more", found.columns.len() - LISTED));
        }
        Err(Error::invalid(
            place,
            format!("has no column `{}` ({})", one.column, one.flag),
            format!("the columns {}", known.join(", ")),
        ))
    }
}

/// At most this many columns are listed in a message.
const LISTED: usize = 40;
