//! The `[model]` table: which architecture, how wide, and what else shapes it.

mod gru;
mod mlp;
mod resnet;
mod vit;

pub use gru::GruConfig;
pub use mlp::{Activation, MlpConfig};
pub use resnet::{ChannelNorm, ResNetConfig, ResNetDepth, Stem};
pub use vit::{AttentionScale, Pooling, VisionTransformerConfig};

use super::range;
use crate::error::Result;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantNames};

/// The `[model]` table.
///
/// In a file the keys of an MLP stand beside those that all architectures have, and each other
/// architecture has a table of its own below, such as `[model.resnet]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ModelKeys", into = "ModelKeys")]
pub struct ModelSpec {
    /// What grows; at least 1: units of every hidden layer of an MLP, channels of the first stage
    /// of a ResNet, entries of a token of a ViT, entries of the state of a GRU.
    pub width: usize,
    /// The width at which every multiplier is 1; at least 1.
    pub base_width: usize,
    /// Starts the readout weight at zero.
    pub readout_zero_init: bool,
    /// Factor of the logits, the same at every width; above 0.
    pub output_multiplier: f64,
    /// The architecture, with the keys that it alone has.
    pub architecture: Architecture,
}

impl Default for ModelSpec {
    fn default() -> Self {
        Self {
            width: 128,
            base_width: 128,
            readout_zero_init: false,
            output_multiplier: 1.0,
            architecture: Architecture::default(),
        }
    }
}

/// The name of an architecture.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, EnumString, VariantNames,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum ModelKind {
    /// Multilayer perceptron on flattened images.
    Mlp,
    /// Residual network.
    ResNet,
    /// Vision Transformer.
    Vit,
    /// Gated recurrent network that reads an image row by row.
    Gru,
}

impl ModelSpec {
    /// Which architecture it is.
    pub fn kind(&self) -> ModelKind {
        self.architecture.kind()
    }

    /// The keys of an MLP, if it is one.
    pub fn mlp(&self) -> Option<&MlpConfig> {
        match &self.architecture {
            Architecture::Mlp(mlp) => Some(mlp),
            Architecture::ResNet(_) | Architecture::Vit(_) | Architecture::Gru(_) => None,
        }
    }

    /// Whether it has normalization layers.
    pub fn has_norms(&self) -> bool {
        self.architecture.keys().has_norms()
    }

    /// The model in a few words of its own architecture, without its width: `mlp with 3 weight
    /// layers, relu, without biases`.
    pub fn describe(&self) -> String {
        let mut text = self.architecture.keys().describe();
        if self.readout_zero_init {
            text += ", readout starting at 0";
        }
        if self.output_multiplier != 1.0 {
            text += &format!(", logits times {}", self.output_multiplier);
        }
        text
    }

    /// Checks every value; `key` makes the place of a key below `model`.
    ///
    /// # Errors
    /// The first value that is out of its range.
    pub(super) fn validate(&self, key: &dyn Fn(&str) -> String) -> Result<()> {
        range::whole(key("width"), self.width, 1, 1 << 20)?;
        range::whole(key("base_width"), self.base_width, 1, 1 << 20)?;
        range::positive(key("output_multiplier"), self.output_multiplier)?;
        let widths = (self.width, self.base_width);
        self.architecture.keys().validate(widths, key)
    }
}

/// An architecture with the keys that it alone has.
#[derive(Debug, Clone, PartialEq)]
pub enum Architecture {
    /// Multilayer perceptron on flattened images.
    Mlp(MlpConfig),
    /// Residual network.
    ResNet(ResNetConfig),
    /// Vision Transformer.
    Vit(VisionTransformerConfig),
    /// Gated recurrent network that reads an image row by row.
    Gru(GruConfig),
}

impl Default for Architecture {
    fn default() -> Self {
        Self::Mlp(MlpConfig::default())
    }
}

impl Architecture {
    /// Its name.
    pub fn kind(&self) -> ModelKind {
        match self {
            Self::Mlp(_) => ModelKind::Mlp,
            Self::ResNet(_) => ModelKind::ResNet,
            Self::Vit(_) => ModelKind::Vit,
            Self::Gru(_) => ModelKind::Gru,
        }
    }

    fn keys(&self) -> &dyn ArchitectureKeys {
        match self {
            Self::Mlp(config) => config,
            Self::ResNet(config) => config,
            Self::Vit(config) => config,
            Self::Gru(config) => config,
        }
    }
}

/// The keys of one architecture.
trait ArchitectureKeys {
    /// Checks every value beside `(width, base width)`; `key` makes the place of a key below
    /// `model`.
    ///
    /// # Errors
    /// The first value that is out of its range.
    fn validate(&self, widths: (usize, usize), key: &dyn Fn(&str) -> String) -> Result<()>;

    /// Name, depth and what else shapes the network, in a few words.
    fn describe(&self) -> String;

    /// Whether the network has normalization layers.
    fn has_norms(&self) -> bool {
        false
    }
}

/// The `[model]` table as it stands in a file, which may name the keys of all architectures.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "the keys of `[model]`")]
struct ModelKeys {
    kind: ModelKind,
    width: usize,
    base_width: usize,
    depth: usize,
    bias: bool,
    activation: Activation,
    residual: bool,
    readout_zero_init: bool,
    output_multiplier: f64,
    resnet: ResNetConfig,
    vit: VisionTransformerConfig,
    gru: GruConfig,
}

impl Default for ModelKeys {
    fn default() -> Self {
        ModelSpec::default().into()
    }
}

impl From<ModelSpec> for ModelKeys {
    fn from(spec: ModelSpec) -> Self {
        let kind = spec.kind();
        let mut mlp = MlpConfig::default();
        let mut resnet = ResNetConfig::default();
        let mut vit = VisionTransformerConfig::default();
        let mut gru = GruConfig::default();
        match spec.architecture {
            Architecture::Mlp(own) => mlp = own,
            Architecture::ResNet(own) => resnet = own,
            Architecture::Vit(own) => vit = own,
            Architecture::Gru(own) => gru = own,
        }
        let MlpConfig {
            depth,
            bias,
            activation,
            residual,
        } = mlp;
        Self {
            kind,
            width: spec.width,
            base_width: spec.base_width,
            depth,
            bias,
            activation,
            residual,
            readout_zero_init: spec.readout_zero_init,
            output_multiplier: spec.output_multiplier,
            resnet,
            vit,
            gru,
        }
    }
}

impl TryFrom<ModelKeys> for ModelSpec {
    type Error = String;

    /// A key that the architecture does not read is a mistake, not a wish.
    fn try_from(keys: ModelKeys) -> std::result::Result<Self, String> {
        let mlp = MlpConfig {
            depth: keys.depth,
            bias: keys.bias,
            activation: keys.activation,
            residual: keys.residual,
        };
        let kind = keys.kind;
        let set = [
            (ModelKind::Mlp, "", first_set(&mlp)),
            (ModelKind::ResNet, "resnet.", first_set(&keys.resnet)),
            (ModelKind::Vit, "vit.", first_set(&keys.vit)),
            (ModelKind::Gru, "gru.", first_set(&keys.gru)),
        ];
        for (other, table, key) in set {
            if let Some(key) = key.filter(|_| other != kind) {
                return Err(format!(
                    "`{table}{key}` is set, but belongs to `{other}` and not to `{kind}`, \
                     expected its default here, or `kind = \"{other}\"`"
                ));
            }
        }
        Ok(Self {
            width: keys.width,
            base_width: keys.base_width,
            readout_zero_init: keys.readout_zero_init,
            output_multiplier: keys.output_multiplier,
            architecture: match kind {
                ModelKind::Mlp => Architecture::Mlp(mlp),
                ModelKind::ResNet => Architecture::ResNet(keys.resnet),
                ModelKind::Vit => Architecture::Vit(keys.vit),
                ModelKind::Gru => Architecture::Gru(keys.gru),
            },
        })
    }
}

/// The first key of a table that has another value than its default.
fn first_set<T: Serialize + Default>(table: &T) -> Option<String> {
    let [table, default] = [table, &T::default()].map(|table| serde_json::to_value(table).ok());
    let (table, default) = (table?, default?);
    let mut keys = table.as_object()?.iter();
    let set = keys.find(|(key, value)| default.get(key.as_str()) != Some(value));
    set.map(|(key, _)| key.clone())
}
