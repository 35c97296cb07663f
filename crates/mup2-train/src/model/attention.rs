//! Multi-head self-attention (Vaswani et al. 2017), with normalized queries and keys as an option.

use super::dense::DenseConfig;
use super::normalization::{Norm, NormConfig, NormKind};
use super::{Dense, Dimension, Initializer, Trace};
use crate::config::AttentionScale;
use crate::error::Result;
use crate::fused::softmax;
use crate::scaling::TensorShape;
use burn::module::Module;
use burn::tensor::Tensor;

/// What an [`Attention`] is made of.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AttentionConfig {
    /// Path of the layer in its model.
    pub name: String,
    /// Entries of a token.
    pub width: Dimension,
    /// Entries of one head's queries; the heads divide the width.
    pub head: Dimension,
    /// Normalizes the queries and keys of each head.
    pub qk_norm: Option<f64>,
    pub scale: AttentionScale,
}

impl AttentionConfig {
    fn dense(&self, part: &str) -> DenseConfig {
        DenseConfig {
            bias: true,
            ..DenseConfig::new(format!("{}.{part}", self.name), self.width, self.width)
        }
    }

    fn norms(&self) -> Option<[NormConfig; 2]> {
        let epsilon = self.qk_norm?;
        Some(["query_norm", "key_norm"].map(|part| NormConfig {
            name: format!("{}.{part}", self.name),
            channels: self.head,
            kind: NormKind::Layer,
            epsilon,
            zero_init: false,
        }))
    }

    /// Every parameter in the order of the forward pass.
    pub fn shapes(&self) -> Vec<TensorShape> {
        let mut shapes: Vec<TensorShape> = ["query", "key", "value"]
            .iter()
            .flat_map(|part| self.dense(part).shapes())
            .collect();
        shapes.extend(self.norms().iter().flatten().flat_map(NormConfig::shapes));
        shapes.extend(self.dense("projection").shapes());
        shapes
    }

    /// # Errors
    /// When the initializer's table has no row for a parameter.
    pub fn init(&self, initializer: &Initializer) -> Result<Attention> {
        let dense = |part| self.dense(part).init(initializer);
        let norms = self.norms();
        let norm = |index: usize| {
            let norm = norms.as_ref().map(|norms| norms[index].init(initializer));
            norm.transpose()
        };
        let (head, base) = (self.head.target() as f64, self.head.base() as f64);
        Ok(Attention {
            query: dense("query")?,
            key: dense("key")?,
            value: dense("value")?,
            query_norm: norm(0)?,
            key_norm: norm(1)?,
            projection: dense("projection")?,
            head: self.head.target(),
            scale: match self.scale {
                AttentionScale::InverseRoot => 1.0 / head.sqrt(),
                AttentionScale::Inverse => base.sqrt() / head,
            },
        })
    }
}

/// `softmax(scale · Q Kᵀ) V` in each head, projected.
#[derive(Module, Debug)]
pub struct Attention {
    query: Dense,
    key: Dense,
    value: Dense,
    query_norm: Option<Norm>,
    key_norm: Option<Norm>,
    projection: Dense,
    #[module(skip)]
    head: usize,
    #[module(skip)]
    scale: f64,
}

impl Attention {
    /// `[batch, tokens, width]` of `x` of the same shape.
    pub(super) fn forward(&self, x: Tensor<3>, trace: &mut Trace) -> Tensor<3> {
        let [batch, tokens, width] = x.dims();
        let heads = width / self.head.max(1);
        // [batch, heads, tokens, head]
        let split = |x: Tensor<3>| x.reshape([batch, tokens, heads, self.head]).swap_dims(1, 2);
        let query = self.query.forward_tokens(x.clone(), trace);
        let key = self.key.forward_tokens(x.clone(), trace);
        let value = self.value.forward_tokens(x, trace);
        let mut normalized = |x: Tensor<3>, norm: &Option<Norm>| match norm {
            None => x,
            Some(norm) => {
                let by_head = x.reshape([batch, tokens * heads, self.head]);
                norm.forward_tokens(by_head, trace)
                    .reshape([batch, tokens, width])
            }
        };
        let query = split(normalized(query, &self.query_norm).mul_scalar(self.scale));
        let key = split(normalized(key, &self.key_norm));
        let weights = softmax(query.matmul(key.swap_dims(2, 3)));
        let mixed = weights.matmul(split(value)).swap_dims(1, 2);
        self.projection
            .forward_tokens(mixed.reshape([batch, tokens, width]), trace)
    }
}
