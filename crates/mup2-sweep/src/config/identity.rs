//! The run id: a hash of what decides a run's result, and of nothing else.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::{Display, Formatter};
use std::str::FromStr;

/// A spec as a run's id sees it.
pub trait Canonical {
    /// What kind of spec it is. Raised when a change of the program changes what an unchanged spec
    /// computes.
    const VERSION: &'static str;

    /// What decides the result: equal for specs that are the same computation.
    fn canonical(&self) -> Value;
}

/// 16 hexadecimal digits that name a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(String);

impl RunId {
    /// The id of a spec: equal for specs that are the same computation.
    pub fn of<S: Canonical>(spec: &S) -> Self {
        let mut hash = Sha256::new();
        hash.update(S::VERSION);
        hash.update(spec.canonical().to_string());
        let digest = hash.finalize();
        Self(
            digest[..8]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        )
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RunId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if text.len() == 16 && text.chars().all(is_digit) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("`{text}` is not a run id of 16 hexadecimal digits"))
    }
}

impl Display for RunId {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}
