//! The keys of a Vision Transformer.

use super::ArchitectureKeys;
use crate::config::range;
use crate::error::Result;
use crate::scaling::Parameterization;
use serde::{Deserialize, Serialize};

/// The `[model.vit]` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "the keys of `[model.vit]`")]
pub struct VisionTransformerConfig {
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
    pub pool: Pooling,
    /// Normalizes the queries and keys of each head.
    pub qk_norm: bool,
    /// How the products of queries and keys shrink as heads grow; by default that of the
    /// parameterization ([`AttentionScale::of`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attention_scale: Option<AttentionScale>,
    /// Share of entries dropped after the embedding, in the MLPs and at the end of each branch, from
    /// 0 to below 1.
    pub dropout: f64,
    /// Share of samples that skip the last block's branches, from 0 to below 1; it grows linearly
    /// from 0 at the first.
    pub stochastic_depth: f64,
}

impl Default for VisionTransformerConfig {
    fn default() -> Self {
        Self {
            patch: 4,
            depth: 6,
            heads: 4,
            head_dim: None,
            mlp_ratio: 4,
            pool: Pooling::ClassToken,
            qk_norm: false,
            attention_scale: None,
            dropout: 0.0,
            stochastic_depth: 0.0,
        }
    }
}

/// What the readout sees of the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// One more token, after the last normalization.
    ClassToken,
    /// The mean of the tokens, normalized after pooling.
    Mean,
}

/// How the products of queries and keys shrink as heads grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttentionScale {
    /// 1/√d_head, the standard: right while queries and keys are independent.
    InverseRoot,
    /// 1/d_head, as µP has it, since trained queries and keys align; equal to 1/√d_head at the base
    /// width.
    Inverse,
}

impl AttentionScale {
    /// The scale that goes with a parameterization (METHOD section 6): 1/d_head belongs to feature
    /// learning, where queries and keys align.
    pub fn of(parameterization: Parameterization) -> Self {
        match parameterization {
            Parameterization::Mup => Self::Inverse,
            Parameterization::Sp | Parameterization::SpStable | Parameterization::Ntp => {
                Self::InverseRoot
            }
        }
    }
}

impl VisionTransformerConfig {
    /// How the products of queries and keys shrink: as the table says, or as goes with a
    /// parameterization.
    pub fn attention_scale_in(&self, parameterization: Parameterization) -> AttentionScale {
        let usual = AttentionScale::of(parameterization);
        self.attention_scale.unwrap_or(usual)
    }
}

impl ArchitectureKeys for VisionTransformerConfig {
    fn validate(&self, widths: (usize, usize), key: &dyn Fn(&str) -> String) -> Result<()> {
        range::whole(key("vit.patch"), self.patch, 1, 1000)?;
        range::whole(key("vit.depth"), self.depth, 1, 1000)?;
        range::whole(key("vit.mlp_ratio"), self.mlp_ratio, 1, 1000)?;
        range::fraction(key("vit.dropout"), self.dropout)?;
        range::fraction(key("vit.stochastic_depth"), self.stochastic_depth)?;
        match self.head_dim {
            Some(size) => range::divisor(key("vit.head_dim"), size, widths),
            None => range::divisor(key("vit.heads"), self.heads, widths),
        }
    }

    fn describe(&self) -> String {
        let heads = match self.head_dim {
            Some(size) => format!("heads of {size} entries"),
            None if self.heads == 1 => "1 head".to_owned(),
            None => format!("{} heads", self.heads),
        };
        let pool = match self.pool {
            Pooling::ClassToken => "class token",
            Pooling::Mean => "mean of the tokens",
        };
        let plural = if self.depth == 1 { "" } else { "s" };
        let (blocks, side) = (self.depth, self.patch);
        let mut text =
            format!("vit with {blocks} block{plural}, {heads}, {side}×{side} patches, {pool}");
        if self.qk_norm {
            text += ", queries and keys normalized";
        }
        if self.dropout > 0.0 {
            text += &format!(", dropout {}", self.dropout);
        }
        if self.stochastic_depth > 0.0 {
            text += &format!(", stochastic depth {}", self.stochastic_depth);
        }
        text
    }

    fn has_norms(&self) -> bool {
        true
    }
}
