//! Base shapes as a small TOML file, so that the base model need not be made again.

use super::base_shapes::{BaseParameter, BaseShapes};
use super::start::{Start, WeightGain};
use crate::error::{Error, Result};
use crate::scaling::TensorKind;
use crate::shapes::{Layout, check_name, read_text};
use mup2_scaling::publish::write_atomically;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// A model of a hundred thousand tensors fits.
const MAX_BYTES: u64 = 10_000_000;

/// Raised when a key changes its meaning.
const FORMAT: u32 = 1;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BaseShapesFile {
    format: u32,
    weight_gain: WeightGain,
    /// A file that was cut at the end of a line is still TOML: how many entries there are to be.
    count: usize,
    #[serde(default)]
    buffers: Vec<String>,
    parameters: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    shape: Vec<usize>,
    layout: String,
    grows: Vec<usize>,
    kind: Option<TensorKind>,
    start: Beginning,
}

/// `start`: `"drawn"`, `"kept"`, `{ gain = 0.02 }` or `{ value = 1.0 }`.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Beginning {
    Drawn,
    Kept,
    Gain(f64),
    Value(f64),
}

impl BaseShapes {
    /// Writes the file that [`read`](Self::read) reads: whole or not at all.
    ///
    /// # Errors
    /// When the name does not end in `.toml`, or the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        if path.extension().is_none_or(|extension| extension != "toml") {
            return Err(Error::invalid(
                path.display().to_string(),
                "has a name with another ending",
                "a name that ends in `.toml`",
            ));
        }
        write_atomically(path, self.text().as_bytes())
    }

    /// Reads a file that [`write`](Self::write) wrote.
    ///
    /// # Errors
    /// When it cannot be read, is torn or is no file of base shapes; the sentence names the file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = read_text(path, MAX_BYTES)?;
        parse(&text).map_err(|problem| {
            Error::invalid(
                path.display().to_string(),
                problem,
                "a file written by `BaseShapes::write`",
            )
        })
    }

    fn text(&self) -> String {
        let mut text = format!(
            "# Base shapes of a Burn module, written by mup2 {}: the width where every multiplier is 1.\n\
             # `grows` are the sides that grow with the width, from 0.\n\
             format = {FORMAT}\nweight_gain = \"{}\"\ncount = {}\n",
            env!("CARGO_PKG_VERSION"),
            self.gain,
            self.parameters.len()
        );
        let quoted = |name: &String| toml::Value::String(name.clone()).to_string();
        // Writing to a String cannot fail.
        if !self.buffers.is_empty() {
            let buffers: Vec<String> = self.buffers.iter().map(quoted).collect();
            let _ = writeln!(text, "buffers = [{}]", buffers.join(", "));
        }
        text.push_str("\n[parameters]\n");
        for parameter in &self.parameters {
            let sides = 0..parameter.shape.len();
            let grows: Vec<usize> = sides.filter(|side| parameter.grows[*side]).collect();
            let kind = match parameter.kind {
                Some(TensorKind::Weight) => ", kind = \"weight\"",
                Some(TensorKind::Bias) => ", kind = \"bias\"",
                Some(TensorKind::Norm) => ", kind = \"norm\"",
                None => "",
            };
            let start = match parameter.start {
                Start::Drawn { gain: None } => "\"drawn\"".to_owned(),
                Start::Drawn { gain: Some(gain) } => format!("{{ gain = {gain:?} }}"),
                Start::Constant(value) => format!("{{ value = {value:?} }}"),
                Start::Kept => "\"kept\"".to_owned(),
            };
            let _ = writeln!(
                text,
                "{} = {{ shape = {:?}, layout = \"{}\", grows = {grows:?}{kind}, start = {start} }}",
                quoted(&parameter.name),
                parameter.shape,
                parameter.layout
            );
        }
        text
    }
}

fn parse(text: &str) -> std::result::Result<BaseShapes, String> {
    let file: BaseShapesFile = toml::from_str(text).map_err(|error| {
        let message: Vec<&str> = error.message().split_whitespace().collect();
        format!("is not a file of base shapes ({})", message.join(" "))
    })?;
    if file.format != FORMAT {
        return Err(format!(
            "has format {}, and this program reads {FORMAT}",
            file.format
        ));
    }
    if file.count != file.parameters.len() {
        return Err(format!(
            "is torn: it announces {} parameters and has {}",
            file.count,
            file.parameters.len()
        ));
    }
    let parameters = file.parameters.into_iter();
    let parameters: Vec<BaseParameter> = parameters
        .map(|(name, entry)| {
            check_name(&name)?;
            parameter(&name, entry).map_err(|problem| format!("has parameter `{name}` {problem}"))
        })
        .collect::<std::result::Result<_, String>>()?;
    if !parameters.iter().any(|one| one.grows.contains(&true)) {
        return Err("has no parameter that grows".to_owned());
    }
    Ok(BaseShapes {
        gain: file.weight_gain,
        parameters,
        buffers: file.buffers,
    })
}

fn parameter(name: &str, entry: Entry) -> std::result::Result<BaseParameter, String> {
    let Entry {
        shape,
        layout: words,
        grows: sides,
        kind,
        start,
    } = entry;
    let layout = Layout::parse(&words).map_err(|word| format!("with a side `{word}`"))?;
    if layout.sides().len() != shape.len() {
        return Err(format!("with shape {shape:?} in the layout `{layout}`"));
    }
    if shape.contains(&0) || layout.fans(&shape).is_none() {
        return Err(format!("with the impossible shape {shape:?}"));
    }
    let mut grows = vec![false; shape.len()];
    for side in sides {
        *grows
            .get_mut(side)
            .ok_or_else(|| format!("with a side {side} that grows, of {}", shape.len()))? = true;
    }
    if let Some((side, counted)) = layout.forbidden_growth(&grows) {
        return Err(format!("whose side {side}, a `{counted}` side, grows"));
    }
    let start = match start {
        Beginning::Drawn => Start::Drawn { gain: None },
        Beginning::Kept => Start::Kept,
        Beginning::Gain(gain) if gain.is_finite() && gain >= 0.0 => {
            Start::Drawn { gain: Some(gain) }
        }
        Beginning::Value(value) if value.is_finite() => Start::Constant(value),
        Beginning::Gain(number) | Beginning::Value(number) => {
            return Err(format!("that starts at {number}"));
        }
    };
    Ok(BaseParameter {
        name: name.to_owned(),
        shape,
        layout,
        grows,
        kind,
        start,
    })
}
