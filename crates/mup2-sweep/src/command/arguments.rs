//! The `[command]` table.

use super::template::Template;
use crate::config::{Cell, Json, number};
use crate::error::{Error, Result};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Formatter;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// The command that every run of a sweep calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandSpec {
    /// The program and its arguments; `{lr}` is replaced by the run's learning rate, and so with every
    /// axis. No shell sees them.
    pub argv: Vec<String>,
    /// The number of its result that runs are compared by.
    pub metric: String,
    /// The number on data that nothing is selected by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// Whether more or less of the metric is better.
    #[serde(default)]
    pub direction: Direction,
    /// What the user changes when the command computes something else; part of every run's id.
    #[serde(default)]
    pub version: String,
    /// A run that takes longer has failed: a number with `s`, `m`, `h` or `d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// What `{epochs}` stands for in a whole run; a search by halving gives fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<usize>,
    /// Files whose contents are part of every run's id.
    #[serde(default)]
    pub files: Files,
}

/// Which of two values of a metric is the better one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// The larger.
    #[default]
    Max,
    /// The smaller.
    Min,
}

/// Files by name, each with the SHA-256 of its contents: that of the moment when the sweep's file was
/// read, in which they are a list of names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Files {
    pub(super) digests: BTreeMap<String, String>,
    /// Those whose contents are still to be looked at.
    #[serde(skip)]
    names: Vec<String>,
}

impl Files {
    /// Looks at the contents of those files that only their names are known of.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(super) fn look(&mut self, place: &str) -> Result<()> {
        for (index, name) in std::mem::take(&mut self.names).into_iter().enumerate() {
            let digest = digest(&name).map_err(|problem| {
                let place = format!("{place}: command.files[{index}]");
                Error::invalid(place, format!("is `{name}`, which {problem}"), FILES)
            })?;
            self.digests.insert(name, digest);
        }
        Ok(())
    }

    /// Whether all files are what they were when the sweep's file was read.
    ///
    /// # Errors
    /// When one is not.
    pub(super) fn check(&self) -> Result<()> {
        for (name, known) in &self.digests {
            let place = format!("command.files: {name}");
            match digest(name) {
                Ok(digest) if digest == *known => {}
                Ok(_) => {
                    return Err(Error::invalid(
                        place,
                        "has changed since the sweep was read",
                        "the file as it was, or the sweep read or submitted again",
                    ));
                }
                Err(problem) => return Err(Error::invalid(place, problem, FILES)),
            }
        }
        Ok(())
    }
}

const FILES: &str = "files that can be read from the directory in which mup2 is called";

/// The SHA-256 of a file's contents, or why there is none.
fn digest(name: &str) -> std::result::Result<String, String> {
    let path = Path::new(name);
    let metadata = std::fs::metadata(path).map_err(|error| format!("cannot be read ({error})"))?;
    if !metadata.is_file() {
        return Err("is no file".to_owned());
    }
    let mut hash = Sha256::new();
    let mut file =
        std::fs::File::open(path).map_err(|error| format!("cannot be read ({error})"))?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => hash.update(&buffer[..count]),
            Err(error) => return Err(format!("cannot be read ({error})")),
        }
    }
    let digest = hash.finalize();
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl<'de> Deserialize<'de> for Files {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct FilesVisitor;
        impl<'de> Visitor<'de> for FilesVisitor {
            type Value = Files;

            fn expecting(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a list of files such as [\"train.py\"]")
            }

            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> std::result::Result<Files, A::Error> {
                let mut files = Files::default();
                while let Some(name) = seq.next_element()? {
                    files.names.push(name);
                }
                Ok(files)
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Files, A::Error> {
                let mut files = Files::default();
                while let Some((name, digest)) = map.next_entry()? {
                    files.digests.insert(name, digest);
                }
                Ok(files)
            }
        }
        deserializer.deserialize_any(FilesVisitor)
    }
}

impl CommandSpec {
    /// The arguments as templates.
    ///
    /// # Errors
    /// When one has a brace without its other half.
    pub(super) fn templates(&self, place: &str) -> Result<Vec<Template>> {
        let templates = self.argv.iter().enumerate();
        templates
            .map(|(index, text)| Template::parse(text, &format!("{place}: command.argv[{index}]")))
            .collect()
    }

    /// The program and its arguments for a cell.
    pub(super) fn words(&self, cell: &Cell, epochs: usize) -> Vec<String> {
        // What does not parse was refused when the sweep was read.
        let templates = self.templates("").unwrap_or_default();
        let value = |name: &str| text_of(name, cell, epochs);
        let words = templates.iter();
        words.map(|template| template.filled(&value)).collect()
    }

    /// The time that a run may take.
    ///
    /// # Errors
    /// When `timeout` is no time.
    pub(super) fn limit(&self, place: &str) -> Result<Option<Duration>> {
        let Some(text) = &self.timeout else {
            return Ok(None);
        };
        let seconds = text.strip_suffix(['s', 'm', 'h', 'd']).and_then(|number| {
            let unit = match text.chars().last() {
                Some('m') => 60.0,
                Some('h') => 3600.0,
                Some('d') => 86400.0,
                _ => 1.0,
            };
            Some(number.trim().parse::<f64>().ok()? * unit)
        });
        match seconds {
            Some(seconds) if (1e-3..=1e9).contains(&seconds) => {
                Ok(Some(Duration::from_secs_f64(seconds)))
            }
            _ => Err(Error::invalid(
                format!("{place}: command.timeout"),
                format!("is `{text}`"),
                "a number above 0 with s, m, h or d, such as \"90s\" or \"2h\"",
            )),
        }
    }
}

/// What a placeholder stands for, as text.
fn text_of(name: &str, cell: &Cell, epochs: usize) -> String {
    match name {
        "scheme" => cell.scheme.to_string(),
        "width" => cell.width.to_string(),
        "lr" => number(cell.lr),
        "rho" => number(cell.rho),
        "seed" => cell.seed.to_string(),
        "epochs" => epochs.to_string(),
        name => further(name, cell).map_or_else(String::new, ToString::to_string),
    }
}

/// What a placeholder stands for, as a value.
pub(super) fn value_of(name: &str, cell: &Cell, epochs: usize) -> Json {
    match name {
        "scheme" => Json::of(&*cell.scheme),
        "width" => Json::of(&cell.width),
        "lr" => Json::of(&cell.lr),
        "rho" => Json::of(&cell.rho),
        "seed" => Json::of(&cell.seed),
        "epochs" => Json::of(&epochs),
        name => further(name, cell).map_or(Json::Null, Json::of),
    }
}

fn further<'a>(name: &str, cell: &'a Cell) -> Option<&'a crate::config::AxisValue> {
    let mut axes = cell.further.iter();
    axes.find_map(|(other, value)| (other == name).then_some(value))
}
