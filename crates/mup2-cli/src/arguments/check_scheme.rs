//! What `mup2 check` asks for whoever measured: the scheme, and how to print.

use super::{names, parse_exponents};
use clap::{Args, ValueEnum};
use mup2_scaling::error::Error;
use mup2_scaling::{
    BaseOptimizer, Denominator, Parameterization, Perturbation, Rule, Scheme, SchemeName,
};

/// The scheme, by its parts or by name.
#[derive(Debug, Args)]
pub struct CheckSchemeArguments {
    /// Parameterization and perturbation by one name, such as sp-naive or mup2
    #[arg(long, value_name = "NAME", conflicts_with_all = ["param", "perturb"])]
    pub scheme: Option<SchemeName>,
    /// Parameterization [default: mup]
    #[arg(long, value_name = "NAME", value_parser = names::<Parameterization>())]
    pub param: Option<Parameterization>,
    /// Perturbation scaling [default: mup2]
    #[arg(long, value_name = "NAME", value_parser = names::<Perturbation>())]
    pub perturb: Option<Perturbation>,
    /// Perturbation rule [default: sam]
    #[arg(long, value_name = "NAME", value_parser = names::<Rule>())]
    pub rule: Option<Rule>,
    /// Base optimizer [default: sgd]
    #[arg(long, value_name = "NAME", value_parser = names::<BaseOptimizer>())]
    pub optimizer: Option<BaseOptimizer>,
    /// Norm of the denominator [default: decoupled for mup2, coupled for the others]
    #[arg(long, value_name = "NAME", value_parser = names::<Denominator>())]
    pub denominator: Option<Denominator>,
    /// Exponents of your own: b, c, d-layer, e or a = INPUT,HIDDEN,OUTPUT or INPUT,HIDDEN,OUTPUT,FIXED; d=NUMBER
    #[arg(
        long = "exponent",
        value_name = "NAME=VALUES",
        allow_hyphen_values = true
    )]
    pub exponents: Vec<String>,
}

impl CheckSchemeArguments {
    /// The scheme that the flags describe where there is no run.
    pub fn scheme(&self) -> Result<Scheme, Error> {
        let named = self.scheme;
        let parameterization = named.map(|name| name.parameterization).or(self.param);
        let perturbation = named.map(|name| name.perturbation).or(self.perturb);
        let default = Scheme::new(
            parameterization.unwrap_or(Parameterization::Mup),
            perturbation.unwrap_or(Perturbation::Mup2),
        );
        let rule = self.rule.or(named.and_then(|name| name.rule));
        Ok(Scheme {
            denominator: self.denominator,
            rule: rule.unwrap_or(default.rule),
            optimizer: self.optimizer.unwrap_or(default.optimizer),
            exponents: parse_exponents(&self.exponents)?,
            ..default
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// A table for reading
    Table,
    /// Every number
    Json,
    /// A page with one panel a tensor
    Html,
}
