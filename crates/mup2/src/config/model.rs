//! The `[model]` table: which architecture, how wide, and what else shapes it.

use super::range;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantNames};

/// The `[model]` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSpec {
    /// Architecture.
    pub kind: ModelKind,
    /// What grows; at least 1: units of every hidden layer of an MLP, channels of the first stage
    /// of a ResNet, entries of a token of a ViT, entries of the state of a GRU.
    pub width: usize,
    /// The width at which every multiplier is 1; at least 1.
    pub base_width: usize,
    /// MLP: number of weight layers, the readout included; at least 2.
    pub depth: usize,
    /// MLP: whether layers have biases.
    pub bias: bool,
    /// MLP: nonlinearity of the hidden layers.
    pub activation: Activation,
    /// MLP: adds each hidden-to-hidden layer's input to its output.
    pub residual: bool,
    /// Starts the readout weight at zero.
    pub readout_zero_init: bool,
    /// Factor of the logits, the same at every width; above 0.
    pub output_multiplier: f64,
    /// What shapes a ResNet.
    pub resnet: ResNetSpec,
    /// What shapes a Vision Transformer.
    pub vit: VitSpec,
    /// What shapes a gated recurrent network.
    pub gru: GruSpec,
}

impl Default for ModelSpec {
    fn default() -> Self {
        Self {
            kind: ModelKind::Mlp,
            width: 128,
            base_width: 128,
            depth: 3,
            bias: false,
            activation: Activation::Relu,
            residual: false,
            readout_zero_init: false,
            output_multiplier: 1.0,
            resnet: ResNetSpec::default(),
            vit: VitSpec::default(),
            gru: GruSpec::default(),
        }
    }
}

/// An architecture of the model zoo.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, EnumString, VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum ModelKind {
    /// Multilayer perceptron on flattened images.
    Mlp,
    /// Residual network.
    #[serde(rename = "resnet")]
    #[strum(serialize = "resnet")]
    ResNet,
    /// Vision Transformer.
    Vit,
    /// Gated recurrent network that reads an image row by row.
    Gru,
}

/// A nonlinearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// max(x, 0).
    Relu,
    /// Gaussian error linear unit.
    Gelu,
    /// Hyperbolic tangent.
    Tanh,
}

/// The `[model.resnet]` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResNetSpec {
    /// Which of the published networks: 18, 34 or 50.
    pub layers: u16,
    /// First layers.
    pub stem: ResNetStem,
    /// Normalization after each convolution.
    pub norm: ChannelNorm,
    /// Groups of channels of `norm = "group"`; a divisor of the width and of the base width.
    pub groups: usize,
    /// Starts the gain of each block's last normalization at 0.
    pub norm_zero_init: bool,
}

impl Default for ResNetSpec {
    fn default() -> Self {
        Self {
            layers: 18,
            stem: ResNetStem::Cifar,
            norm: ChannelNorm::Batch,
            groups: 8,
            norm_zero_init: false,
        }
    }
}

/// What the images go through first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResNetStem {
    /// A 3×3 convolution.
    Cifar,
    /// A 7×7 convolution of stride 2 and a 3×3 max pooling of stride 2.
    Imagenet,
}

/// A normalization of channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelNorm {
    /// Batch normalization.
    Batch,
    /// Group normalization.
    Group,
}

/// The `[model.vit]` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VitSpec {
    /// Side of the square patches; at least 1, and a divisor of the images' height and width.
    pub patch: usize,
    /// Number of blocks; at least 1.
    pub depth: usize,
    /// Number of heads at every width, so that they grow; a divisor of the width and of the base
    /// width.
    pub heads: usize,
    /// Size of the heads at every width, in place of `heads`, so that their number grows; a divisor
    /// of the width and of the base width.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_dim: Option<usize>,
    /// Hidden units of a block's MLP, in widths; at least 1.
    pub mlp_ratio: usize,
    /// What the readout sees.
    pub pool: VitPool,
    /// Normalizes the queries and keys of each head.
    pub qk_norm: bool,
    /// How the products of queries and keys shrink as heads grow; by default `inverse` in µP and
    /// `inverse-root` elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attention_scale: Option<AttentionScale>,
    /// Share of entries dropped in training, from 0 to below 1.
    pub dropout: f64,
    /// Share of samples that skip the last block, from 0 to below 1; earlier blocks are skipped
    /// less, down to none at the first.
    pub stochastic_depth: f64,
}

impl Default for VitSpec {
    fn default() -> Self {
        Self {
            patch: 4,
            depth: 6,
            heads: 4,
            head_dim: None,
            mlp_ratio: 4,
            pool: VitPool::ClassToken,
            qk_norm: false,
            attention_scale: None,
            dropout: 0.0,
            stochastic_depth: 0.0,
        }
    }
}

/// How the products of queries and keys shrink as heads grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttentionScale {
    /// 1/√d_head.
    InverseRoot,
    /// 1/d_head, equal to 1/√d_head at the base width.
    Inverse,
}

/// What the readout of a Vision Transformer sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VitPool {
    /// A token of its own.
    ClassToken,
    /// The mean of all tokens.
    Mean,
}

/// The `[model.gru]` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GruSpec {
    /// Layers, each reading the states of the one before; at least 1.
    pub layers: usize,
}

impl Default for GruSpec {
    fn default() -> Self {
        Self { layers: 1 }
    }
}

impl ModelSpec {
    /// Checks every value; `key` makes the place of a key below `model`.
    ///
    /// # Errors
    /// The first value that is out of its range, or that belongs to another architecture.
    pub(super) fn validate(&self, key: &dyn Fn(&str) -> String) -> Result<()> {
        range::whole(key("width"), self.width, 1, 1 << 20)?;
        range::whole(key("base_width"), self.base_width, 1, 1 << 20)?;
        range::whole(key("depth"), self.depth, 2, 1000)?;
        range::positive(key("output_multiplier"), self.output_multiplier)?;
        self.refuse_foreign_keys(key)?;
        match self.kind {
            ModelKind::Mlp => Ok(()),
            ModelKind::ResNet => self.validate_resnet(key),
            ModelKind::Vit => self.validate_vit(key),
            ModelKind::Gru => range::whole(key("gru.layers"), self.gru.layers, 1, 100),
        }
    }

    fn validate_resnet(&self, key: &dyn Fn(&str) -> String) -> Result<()> {
        let resnet = &self.resnet;
        if ![18, 34, 50].contains(&resnet.layers) {
            let problem = format!("is {}", resnet.layers);
            return Err(Error::invalid(
                key("resnet.layers"),
                problem,
                "18, 34 or 50",
            ));
        }
        if resnet.norm == ChannelNorm::Group {
            self.divides("resnet.groups", resnet.groups, key)?;
        }
        Ok(())
    }

    fn validate_vit(&self, key: &dyn Fn(&str) -> String) -> Result<()> {
        let vit = &self.vit;
        range::whole(key("vit.patch"), vit.patch, 1, 1000)?;
        range::whole(key("vit.depth"), vit.depth, 1, 1000)?;
        range::whole(key("vit.mlp_ratio"), vit.mlp_ratio, 1, 1000)?;
        range::fraction(key("vit.dropout"), vit.dropout)?;
        range::fraction(key("vit.stochastic_depth"), vit.stochastic_depth)?;
        match vit.head_dim {
            Some(size) => self.divides("vit.head_dim", size, key),
            None => self.divides("vit.heads", vit.heads, key),
        }
    }

    /// Whether a number of parts divides the width, also the base width.
    fn divides(&self, name: &str, parts: usize, key: &dyn Fn(&str) -> String) -> Result<()> {
        let (width, base) = (self.width, self.base_width);
        if parts > 0 && width.is_multiple_of(parts) && base.is_multiple_of(parts) {
            return Ok(());
        }
        let allowed = format!("divisors of the width {width} and of the base width {base}");
        Err(Error::invalid(key(name), format!("is {parts}"), allowed))
    }

    /// A key that the architecture does not read is a mistake, not a wish.
    fn refuse_foreign_keys(&self, key: &dyn Fn(&str) -> String) -> Result<()> {
        let default = Self::default();
        let set = [
            ("depth", ModelKind::Mlp, self.depth != default.depth),
            ("bias", ModelKind::Mlp, self.bias != default.bias),
            (
                "activation",
                ModelKind::Mlp,
                self.activation != default.activation,
            ),
            (
                "residual",
                ModelKind::Mlp,
                self.residual != default.residual,
            ),
            ("resnet", ModelKind::ResNet, self.resnet != default.resnet),
            ("vit", ModelKind::Vit, self.vit != default.vit),
            ("gru", ModelKind::Gru, self.gru != default.gru),
        ];
        let foreign = set.iter().find(|(_, kind, set)| *set && *kind != self.kind);
        match foreign {
            None => Ok(()),
            Some((name, kind, _)) => Err(Error::invalid(
                key(name),
                format!("is set, but belongs to `{kind}` and not to `{}`", self.kind),
                format!("the default here, or `model.kind = \"{kind}\"`"),
            )),
        }
    }
}
