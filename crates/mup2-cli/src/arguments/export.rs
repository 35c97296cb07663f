//! The arguments of `mup2 export`.

use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mup2 export results/first --parquet
  mup2 export results/first --csv --out /tmp/tables
  python3 -c \"import pandas; print(pandas.read_parquet('results/first/runs.parquet'))\"

Three tables: `runs` has one row a run, `metrics` one row an evaluated epoch, `cells` says which run
serves which cell of the grid. docs/reference/export.md lists the columns.")]
pub struct ExportArguments {
    /// A directory made by `mup2 sweep run` or `mup2 quickstart`
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Comma-separated values
    #[arg(long, required_unless_present = "parquet")]
    pub csv: bool,
    /// Apache Parquet
    #[arg(long)]
    pub parquet: bool,
    /// Where the tables go [default: the results directory]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}
