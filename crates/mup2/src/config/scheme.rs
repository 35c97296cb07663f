//! The name of a scheme: how initialization, learning rate and radius follow the width.

use super::run::RunSpec;
use crate::scaling::{Parameterization, Perturbation, Rule};
use serde::{Deserialize, Serialize};
use std::fmt::{Display, Formatter};
use std::str::FromStr;
use strum::VariantNames;

/// A parameterization with a perturbation scaling, written `mup-global`; `mup2` is `mup-mup2`. A
/// perturbation rule may follow, as in `mup2+asam`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SchemeName {
    /// Initialization and learning rate.
    pub parameterization: Parameterization,
    /// Perturbation radius.
    pub perturbation: Perturbation,
    /// Perturbation rule; without one the run's own `sam.rule`.
    pub rule: Option<Rule>,
}

impl SchemeName {
    /// Writes what the name says into `spec`.
    pub fn apply(self, spec: &mut RunSpec) {
        spec.scaling.parameterization = self.parameterization;
        spec.scaling.perturbation = self.perturbation;
        spec.sam.rule = self.rule.unwrap_or(spec.sam.rule);
    }
}

impl Display for SchemeName {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        match (self.parameterization, self.perturbation) {
            (Parameterization::Mup, Perturbation::Mup2) => formatter.write_str("mup2")?,
            (parameterization, perturbation) => {
                write!(formatter, "{parameterization}-{perturbation}")?;
            }
        }
        match self.rule {
            Some(rule) => write!(formatter, "+{rule}"),
            None => Ok(()),
        }
    }
}

impl From<SchemeName> for String {
    fn from(name: SchemeName) -> Self {
        name.to_string()
    }
}

impl TryFrom<String> for SchemeName {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse()
    }
}

impl FromStr for SchemeName {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (scaling, rule) = match text.split_once('+') {
            None => (text, None),
            Some((scaling, rule)) => (scaling, Some(rule)),
        };
        let rule = match rule.map(str::parse) {
            None => None,
            Some(Ok(rule)) => Some(rule),
            Some(Err(_)) => return Err(unknown_scheme(text)),
        };
        let of = |parameterization, perturbation| Self {
            parameterization,
            perturbation,
            rule,
        };
        if scaling == "mup2" {
            return Ok(of(Parameterization::Mup, Perturbation::Mup2));
        }
        for (index, _) in scaling.match_indices('-') {
            if let (Ok(parameterization), Ok(perturbation)) =
                (scaling[..index].parse(), scaling[index + 1..].parse())
            {
                return Ok(of(parameterization, perturbation));
            }
        }
        Err(unknown_scheme(text))
    }
}

fn unknown_scheme(text: &str) -> String {
    format!(
        "unknown scheme `{text}`, expected `mup2` or PARAMETERIZATION-PERTURBATION with {} and {}, \
         and then +RULE with {} if not `run.sam.rule`",
        Parameterization::VARIANTS.join("|"),
        Perturbation::VARIANTS.join("|"),
        Rule::VARIANTS.join("|"),
    )
}
