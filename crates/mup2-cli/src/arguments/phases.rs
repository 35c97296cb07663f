//! The arguments of `mup2 phases`.

use super::names;
use clap::{Args, ValueEnum};
use mup2_scaling::{Parameterization, Rule};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mup2 phases
  mup2 phases --param sp
  mup2 phases --rule asam --format html > phases.html
  mup2 phases --format json | jq '.schemes[] | {perturbation, stable}'

Theory alone, nothing is trained: `mup2 check` measures the same on a real network.")]
pub struct PhasesArguments {
    /// Parameterization
    #[arg(long, value_name = "NAME", default_value = "mup", value_parser = names::<Parameterization>())]
    pub param: Parameterization,
    /// Perturbation rule
    #[arg(long, value_name = "NAME", default_value = "sam", value_parser = names::<Rule>())]
    pub rule: Rule,
    /// What to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: PhasesFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PhasesFormat {
    /// A table and planes of characters
    Table,
    /// Every number
    Json,
    /// The planes as one figure
    Svg,
    /// A page with figure, table and explanation
    Html,
}
