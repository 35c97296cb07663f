//! One axis of a grid: an explicit list, or equal steps in log2.

use crate::error::{Error, Result};
use serde::de::{MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};

/// Values of a learning rate or a radius.
///
/// In TOML: `[0.1, 0.2]`, or `{ log2_from = -6, log2_to = 0, log2_step = 1 }`, which for a radius
/// may have `zero = true` to put ρ = 0, the base optimizer alone, in front.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Axis {
    /// An explicit list.
    List(Vec<f64>),
    /// Powers of two.
    Log2(Log2Steps),
}

/// 2^from, 2^(from + step), … up to 2^to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log2Steps {
    /// log2 of the smallest value.
    pub log2_from: f64,
    /// log2 of the largest value.
    pub log2_to: f64,
    /// Distance in log2; 1 unless given.
    #[serde(default = "one")]
    pub log2_step: f64,
    /// Whether 0 stands in front.
    #[serde(default)]
    pub zero: bool,
}

fn one() -> f64 {
    1.0
}

impl Axis {
    /// Number of values, before they are made (a grid may be too large to make).
    pub fn len(&self) -> f64 {
        match self {
            Self::List(values) => values.len() as f64,
            Self::Log2(steps) => steps.count() + if steps.zero { 1.0 } else { 0.0 },
        }
    }

    /// Whether the axis has no value.
    pub fn is_empty(&self) -> bool {
        self.len() < 1.0
    }

    /// The values, in order.
    pub fn values(&self) -> Vec<f64> {
        match self {
            Self::List(values) => values.clone(),
            Self::Log2(steps) => {
                let powers = (0..steps.count() as usize)
                    .map(|index| (steps.log2_from + steps.log2_step * index as f64).exp2());
                let zero = steps.zero.then_some(0.0);
                zero.into_iter().chain(powers).collect()
            }
        }
    }

    /// Checks the bounds; `place` names the file and key.
    ///
    /// # Errors
    /// When there is no value, or one is not finite or negative.
    pub fn validate(&self, place: &str, zero_allowed: bool) -> Result<()> {
        let (problem, allowed) = match self {
            Self::Log2(steps) if !steps.is_ordered() => (
                "its bounds do not ascend in finite steps".to_owned(),
                "finite `log2_from` ≤ `log2_to` within ±1000, and `log2_step` above 0",
            ),
            Self::Log2(steps) if steps.zero && !zero_allowed => {
                ("has `zero = true`".to_owned(), "`zero` for `rho` only")
            }
            Self::List(values) if values.is_empty() => {
                ("is empty".to_owned(), "at least one value")
            }
            Self::List(values) => {
                let wrong = values.iter().find(|value| {
                    !(value.is_finite() && (**value > 0.0 || (zero_allowed && **value == 0.0)))
                });
                match wrong {
                    None => return Ok(()),
                    Some(value) if zero_allowed => {
                        (format!("holds {value}"), "finite numbers of at least 0")
                    }
                    Some(value) => (format!("holds {value}"), "finite numbers above 0"),
                }
            }
            Self::Log2(_) => return Ok(()),
        };
        Err(Error::invalid(place, problem, allowed))
    }
}

impl Log2Steps {
    fn is_ordered(&self) -> bool {
        let bounded = |value: f64| value.is_finite() && value.abs() <= 1000.0;
        bounded(self.log2_from)
            && bounded(self.log2_to)
            && self.log2_from <= self.log2_to
            && self.log2_step.is_finite()
            && self.log2_step > 0.0
    }

    fn count(&self) -> f64 {
        // The tolerance keeps the last step of, say, 0 to 1 by 0.1.
        ((self.log2_to - self.log2_from) / self.log2_step + 1e-9).floor() + 1.0
    }
}

impl<'de> Deserialize<'de> for Axis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct AxisVisitor;
        impl<'de> Visitor<'de> for AxisVisitor {
            type Value = Axis;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(
                    "a list such as [0.1, 0.2] or { log2_from = -6, log2_to = 0, log2_step = 1 }",
                )
            }

            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> std::result::Result<Axis, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = seq.next_element()? {
                    values.push(value);
                }
                Ok(Axis::List(values))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<Axis, A::Error> {
                Log2Steps::deserialize(MapAccessDeserializer::new(map)).map(Axis::Log2)
            }
        }
        deserializer.deserialize_any(AxisVisitor)
    }
}
