//! A scheme by its names.

use mup2_scaling::error::{Error, Result};
use mup2_scaling::{
    AsamBias, BaseOptimizer, Denominator, Parameterization, Perturbation, Rule, Scheme,
};
use serde::Deserialize;

/// The part of a request that says which scheme.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemeRequest {
    /// `mup2`, or a parameterization and a perturbation with a hyphen between them.
    pub scheme: String,
    pub rule: Rule,
    pub optimizer: BaseOptimizer,
    pub denominator: Option<Denominator>,
    pub asam_bias: Option<AsamBias>,
}

impl SchemeRequest {
    /// The scheme.
    ///
    /// # Errors
    /// A name that is none.
    pub fn scheme(&self) -> Result<Scheme> {
        let (parameterization, perturbation) = halves(&self.scheme).ok_or_else(|| {
            Error::invalid(
                "scheme",
                format!("is `{}`", self.scheme),
                "`mup2`, or `sp`, `sp-stable`, `ntp` or `mup` with `-naive`, `-global`, `-balanced`, \
                 `-first-layer` or `-mup2` behind it, such as `sp-naive`",
            )
        })?;
        let mut scheme = Scheme::new(parameterization, perturbation);
        scheme.rule = self.rule;
        scheme.optimizer = self.optimizer;
        scheme.denominator = self.denominator;
        scheme.asam_bias = self.asam_bias.unwrap_or(scheme.asam_bias);
        Ok(scheme)
    }
}

fn halves(name: &str) -> Option<(Parameterization, Perturbation)> {
    if name == "mup2" {
        return Some((Parameterization::Mup, Perturbation::Mup2));
    }
    let mut cuts = name.match_indices('-');
    cuts.find_map(|(at, _)| Some((name[..at].parse().ok()?, name[at + 1..].parse().ok()?)))
}
