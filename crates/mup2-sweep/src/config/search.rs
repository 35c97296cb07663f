//! Points scattered over (log η, log ρ), in place of a grid: a Sobol sequence or independent draws,
//! trained in full or by successive halving.

use super::halving::Halving;
use crate::error::{Error, Result};
use crate::random::stream;
use rand::Rng;
use serde::de::{MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::HashSet;
use std::fmt::{Display, Formatter};

/// The Sobol sequence of `sobol_burley` ends here; random points keep to the same number, so that
/// the method can be changed alone.
const MAX_POINTS: u32 = 1 << 16;

/// The `[search]` table: points (η, ρ) that take the place of `grid.lr` and `grid.rho`.
///
/// The points are a sequence that depends on nothing but `method`, `seed` and the two ranges, and
/// `points` is how many of it are run: a larger number adds points and keeps the first ones with
/// the ids of their runs. Every scheme and every width gets the same points, so that one width's
/// best point can be looked up at another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// How the points are drawn.
    #[serde(default)]
    pub method: SearchMethod,
    /// Number of points, from 1 to 65536.
    pub points: u32,
    /// Chooses the sequence: the scrambling of a Sobol sequence, or the stream of random draws.
    #[serde(default)]
    pub seed: u32,
    /// Where learning rates η are drawn from.
    pub lr: Log2Range,
    /// Where perturbation radii ρ are drawn from.
    pub rho: Log2Range,
    /// Whether each point's η is also run at ρ = 0, the base optimizer alone: the baseline then
    /// has as many learning rates to choose from as SAM, and a search twice as many runs.
    #[serde(default = "yes")]
    pub include_sgd: bool,
    /// Epochs of the first rung of a search by halving, at least 1; 1 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_epochs: Option<usize>,
    /// Of so many points a search by halving lets one go on to the next rung, which is so many times
    /// as long; from 2, and 3 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<usize>,
}

fn yes() -> bool {
    true
}

/// How points are drawn from the unit square before they are stretched to the ranges.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SearchMethod {
    /// The Sobol sequence in two dimensions under Owen's scrambling (Burley, "Practical Hash-based
    /// Owen Scrambling", 2020): the first 2^k points lie one in each dyadic box of area 2^-k.
    #[default]
    Sobol,
    /// Independent uniform draws.
    Random,
    /// The points of `sobol`, most of which are given up before their last epoch ([`Halving`]).
    Halving,
}

impl Display for SearchMethod {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Sobol => "sobol",
            Self::Random => "random",
            Self::Halving => "halving",
        })
    }
}

/// A range of positive values, uniform in the logarithm: from 2^from to 2^to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Log2Range {
    /// log2 of the smallest value.
    pub log2_from: f64,
    /// log2 of the largest value.
    pub log2_to: f64,
}

impl Log2Range {
    fn validate(&self, place: &str) -> Result<()> {
        let bounded = |value: f64| value.is_finite() && value.abs() <= 1000.0;
        if bounded(self.log2_from) && bounded(self.log2_to) && self.log2_from < self.log2_to {
            return Ok(());
        }
        Err(Error::invalid(
            place,
            format!("is from {} to {}", self.log2_from, self.log2_to),
            "finite `log2_from` < `log2_to` within ±1000",
        ))
    }

    /// The value at a share (0 to 1) of the range, in four significant digits: the file that lists
    /// it stays readable, and its id does not hang on the last bit of a platform's `exp2`.
    fn at(&self, share: f64) -> f64 {
        let exact = (self.log2_from + (self.log2_to - self.log2_from) * share).exp2();
        // Text is the one exact way from a binary number to a short decimal one.
        let rounded = format!("{exact:.3e}").parse().unwrap_or(exact);
        rounded.clamp(self.log2_from.exp2(), self.log2_to.exp2())
    }
}

impl Search {
    /// Checks every value, for runs of `epochs` epochs, which stand at `key`; `place` names the file.
    ///
    /// # Errors
    /// The first value that is out of its range, by key, with what is allowed.
    pub(super) fn validate(&self, epochs: usize, key: &str, place: &str) -> Result<()> {
        if !(1..=MAX_POINTS).contains(&self.points) {
            return Err(Error::invalid(
                format!("{place}: search.points"),
                format!("is {}", self.points),
                format!("whole numbers from 1 to {MAX_POINTS}"),
            ));
        }
        self.lr.validate(&format!("{place}: search.lr"))?;
        self.rho.validate(&format!("{place}: search.rho"))?;
        if self.method == SearchMethod::Halving {
            return Halving::validate(self, epochs, key, place);
        }
        let keys = [("first_epochs", self.first_epochs), ("factor", self.factor)];
        match keys.iter().find(|(_, value)| value.is_some()) {
            None => Ok(()),
            Some((key, _)) => Err(Error::invalid(
                format!("{place}: search.{key}"),
                format!("stands beside `method = \"{}\"`", self.method),
                "this key for `method = \"halving\"` only",
            )),
        }
    }

    /// Number of pairs (η, ρ) at most, before they are made.
    pub(super) fn len(&self) -> f64 {
        f64::from(self.points) * if self.include_sgd { 2.0 } else { 1.0 }
    }

    /// The pairs (η, ρ) in the order of the sequence, each η that is new first with ρ = 0 where
    /// that is asked for. Points that agree in all their digits are one pair.
    pub fn pairs(&self) -> Vec<(f64, f64)> {
        let mut seen = HashSet::new();
        let mut pairs = Vec::new();
        for (x, y) in self.shares() {
            let (lr, rho) = (self.lr.at(x), self.rho.at(y));
            let sgd = self.include_sgd.then_some((lr, 0.0));
            for pair in sgd.into_iter().chain([(lr, rho)]) {
                if seen.insert((pair.0.to_bits(), pair.1.to_bits())) {
                    pairs.push(pair);
                }
            }
        }
        pairs
    }

    /// The points in the unit square, before they are stretched to the ranges and rounded.
    pub(super) fn shares(&self) -> Vec<(f64, f64)> {
        match self.method {
            SearchMethod::Sobol | SearchMethod::Halving => {
                let share =
                    |index, dimension| f64::from(sobol_burley::sample(index, dimension, self.seed));
                (0..self.points)
                    .map(|index| (share(index, 0), share(index, 1)))
                    .collect()
            }
            SearchMethod::Random => {
                // One stream drawn from in order: a point depends on those before it, not on how
                // many follow.
                let mut stream = stream(u64::from(self.seed), "search");
                // The upper 53 bits are what a float can hold.
                let mut share = || (stream.next_u64() >> 11) as f64 * 2_f64.powi(-53);
                (0..self.points).map(|_| (share(), share())).collect()
            }
        }
    }
}

/// A list is refused: of two numbers it would otherwise be taken for the two logarithms.
impl<'de> Deserialize<'de> for Log2Range {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Bounds {
            log2_from: f64,
            log2_to: f64,
        }
        struct RangeVisitor;
        impl<'de> Visitor<'de> for RangeVisitor {
            type Value = Log2Range;

            fn expecting(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a range such as { log2_from = -6, log2_to = 0 }")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                map: A,
            ) -> std::result::Result<Log2Range, A::Error> {
                let bounds = Bounds::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Log2Range {
                    log2_from: bounds.log2_from,
                    log2_to: bounds.log2_to,
                })
            }
        }
        deserializer.deserialize_any(RangeVisitor)
    }
}
