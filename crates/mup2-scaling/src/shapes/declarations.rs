//! `roles.toml`: what shapes alone do not show, said by the user for exact names or patterns.

use super::layout::{Layout, Side};
use super::names::Pattern;
use super::shapes_toml::read_text;
use crate::error::{Error, Result};
use crate::{Role, TensorKind};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use strum::VariantNames;

/// Written by hand; a larger file is something else.
const MAX_BYTES: u64 = 1 << 20;

/// The keys of `roles.toml`. Names may have `*` for any part.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RolesFile {
    readout: Vec<String>,
    embedding: Vec<String>,
    transposed: Vec<String>,
    layout: BTreeMap<String, String>,
    role: BTreeMap<String, Role>,
    weight: Vec<String>,
    bias: Vec<String>,
    norm: Vec<String>,
    gain: BTreeMap<String, f64>,
    buffer: Vec<String>,
}

/// What is said of a tensor.
#[derive(Debug, Clone, PartialEq)]
pub enum Meaning {
    /// What its sides count.
    Sides(Sides),
    /// Which fans grow.
    Role(Role),
    /// What it is within its layer.
    Kind(TensorKind),
    /// Initialization std at the base width, times √fan_in.
    Gain(f64),
    /// No optimizer sees it.
    Buffer,
}

/// A layout, as it is declared.
#[derive(Debug, Clone, PartialEq)]
pub enum Sides {
    /// The readout: its outputs are classes or tokens.
    Readout,
    /// An embedding: its rows are tokens.
    Embedding,
    /// Inputs come before outputs.
    Transposed,
    /// Side by side, as spelled out.
    Spelled(Layout),
}

impl Meaning {
    /// Meanings of one topic contradict each other if they differ.
    fn topic(&self) -> Topic {
        match self {
            Self::Sides(_) => Topic::Sides,
            Self::Role(_) => Topic::Role,
            Self::Kind(_) => Topic::Kind,
            Self::Gain(_) => Topic::Gain,
            Self::Buffer => Topic::Buffer,
        }
    }
}

/// What a [`Meaning`] is about; a tensor has at most one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// [`Meaning::Sides`].
    Sides,
    /// [`Meaning::Role`].
    Role,
    /// [`Meaning::Kind`].
    Kind,
    /// [`Meaning::Gain`].
    Gain,
    /// [`Meaning::Buffer`].
    Buffer,
}

#[derive(Debug, Clone, PartialEq)]
struct Claim {
    key: &'static str,
    pattern: Pattern,
    meaning: Meaning,
}

/// Everything that a `roles.toml` says; nothing, by default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Declarations {
    place: String,
    claims: Vec<Claim>,
}

impl Declarations {
    /// Reads a `roles.toml`.
    ///
    /// # Errors
    /// When the file cannot be read, is not TOML, or has an unknown key or a value that is not allowed.
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(&read_text(path, MAX_BYTES)?, &path.display().to_string())
    }

    /// Parses the text of a `roles.toml`; `place` names it in messages.
    ///
    /// # Errors
    /// As [`Declarations::read`].
    pub fn parse(text: &str, place: &str) -> Result<Self> {
        let file: RolesFile = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(1, |before| before.matches('\n').count() + 1);
            let message: Vec<&str> = error.message().split_whitespace().collect();
            Error::invalid(
                format!("{place}: line {line}"),
                message.join(" "),
                "lists `readout`, `embedding`, `transposed`, `weight`, `bias`, `norm`, `buffer` and tables `[layout]`, `[role]`, `[gain]`",
            )
        })?;
        let mut claims = Vec::new();
        let lists = [
            ("readout", file.readout, Meaning::Sides(Sides::Readout)),
            (
                "embedding",
                file.embedding,
                Meaning::Sides(Sides::Embedding),
            ),
            (
                "transposed",
                file.transposed,
                Meaning::Sides(Sides::Transposed),
            ),
            ("weight", file.weight, Meaning::Kind(TensorKind::Weight)),
            ("bias", file.bias, Meaning::Kind(TensorKind::Bias)),
            ("norm", file.norm, Meaning::Kind(TensorKind::Norm)),
            ("buffer", file.buffer, Meaning::Buffer),
        ];
        for (key, patterns, meaning) in lists {
            claims.extend(patterns.into_iter().map(|pattern| Claim {
                key,
                pattern: Pattern::new(pattern),
                meaning: meaning.clone(),
            }));
        }
        let mut declarations = Self {
            place: place.to_owned(),
            claims,
        };
        for (pattern, words) in file.layout {
            declarations = declarations.layout(&pattern, &words)?;
        }
        for (pattern, role) in file.role {
            declarations = declarations.role(&pattern, role);
        }
        for (pattern, gain) in file.gain {
            declarations = declarations.gain(&pattern, gain)?;
        }
        Ok(declarations)
    }

    /// Declares what each side of a tensor counts, such as `"in out"` of a matrix that is applied as
    /// `x W`. Here and below, `pattern` is a name, or a name with `*` in place of any part of it.
    ///
    /// # Errors
    /// The word that is none.
    pub fn layout(self, pattern: &str, words: &str) -> Result<Self> {
        let layout = Layout::parse(words).map_err(|word| {
            Error::invalid(
                format!("{}: layout of `{pattern}`", self.place()),
                format!("has the word `{word}`"),
                format!("one of {} for each side", Side::VARIANTS.join(", ")),
            )
        })?;
        Ok(self.with(pattern, "layout", Meaning::Sides(Sides::Spelled(layout))))
    }

    /// Declares a table of rows that are looked up or added as they are, `[…, width]`.
    pub fn embedding(self, pattern: &str) -> Self {
        self.with(pattern, "embedding", Meaning::Sides(Sides::Embedding))
    }

    /// Declares which fans grow. It has to fit what grows.
    pub fn role(self, pattern: &str, role: Role) -> Self {
        self.with(pattern, "role", Meaning::Role(role))
    }

    /// Declares what a tensor is within its layer.
    pub fn kind(self, pattern: &str, kind: TensorKind) -> Self {
        let key = match kind {
            TensorKind::Weight => "weight",
            TensorKind::Bias => "bias",
            TensorKind::Norm => "norm",
        };
        self.with(pattern, key, Meaning::Kind(kind))
    }

    /// Declares the initialization: N(0, gain² / fan_in) at the base width.
    ///
    /// # Errors
    /// A gain that is negative or not finite.
    pub fn gain(self, pattern: &str, gain: f64) -> Result<Self> {
        if !gain.is_finite() || gain < 0.0 {
            return Err(Error::invalid(
                format!("{}: gain of `{pattern}`", self.place()),
                format!("is {gain}"),
                "a finite number from 0",
            ));
        }
        Ok(self.with(pattern, "gain", Meaning::Gain(gain)))
    }

    /// Declares numbers that no optimizer changes.
    pub fn buffer(self, pattern: &str) -> Self {
        self.with(pattern, "buffer", Meaning::Buffer)
    }

    fn with(mut self, pattern: &str, key: &'static str, meaning: Meaning) -> Self {
        self.claims.push(Claim {
            key,
            pattern: Pattern::new(pattern),
            meaning,
        });
        self
    }

    /// How messages name these declarations.
    fn place(&self) -> &str {
        match self.place.as_str() {
            "" => "declarations",
            place => place,
        }
    }

    /// What is said of the tensor `name` on one topic. An exact name overrules patterns.
    ///
    /// # Errors
    /// When two exact names, or two patterns, contradict each other.
    pub fn of(&self, name: &str, topic: Topic) -> Result<Option<&Meaning>> {
        let on_topic = self
            .claims
            .iter()
            .filter(|claim| claim.meaning.topic() == topic && claim.pattern.matches(name));
        let (exact, patterns): (Vec<_>, Vec<_>) =
            on_topic.partition(|claim| claim.pattern.is_exact());
        let claims = if exact.is_empty() { patterns } else { exact };
        let Some(first) = claims.first() else {
            return Ok(None);
        };
        match claims.iter().find(|claim| claim.meaning != first.meaning) {
            None => Ok(Some(&first.meaning)),
            Some(other) => Err(Error::invalid(
                format!("{}: tensor `{name}`", self.place()),
                format!(
                    "is declared both by `{}` in {} and by `{}` in {}",
                    first.pattern.as_str(),
                    first.key,
                    other.pattern.as_str(),
                    other.key
                ),
                "one declaration of each kind; an exact name overrules patterns",
            )),
        }
    }

    /// Checks that each pattern means one of `names` at least.
    ///
    /// # Errors
    /// The first pattern that means none.
    pub fn check_used<'a>(&self, names: impl Iterator<Item = &'a str> + Clone) -> Result<()> {
        for claim in &self.claims {
            if !names.clone().any(|name| claim.pattern.matches(name)) {
                return Err(Error::invalid(
                    format!("{}: {}", self.place(), claim.key),
                    format!("`{}` matches no tensor", claim.pattern.as_str()),
                    "names of tensors that are there, with `*` for any part",
                ));
            }
        }
        Ok(())
    }
}
