//! The keys of a gated recurrent network.

use super::ArchitectureKeys;
use crate::config::range;
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// The `[model.gru]` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "the keys of `[model.gru]`")]
pub struct GruConfig {
    /// Layers, each reading the states of the one before; at least 1.
    pub layers: usize,
}

impl Default for GruConfig {
    fn default() -> Self {
        Self { layers: 1 }
    }
}

impl ArchitectureKeys for GruConfig {
    fn validate(&self, _widths: (usize, usize), key: &dyn Fn(&str) -> String) -> Result<()> {
        range::whole(key("gru.layers"), self.layers, 1, 100)
    }

    fn describe(&self) -> String {
        let plural = if self.layers == 1 { "" } else { "s" };
        format!("gru with {} recurrent layer{plural}", self.layers)
    }
}
