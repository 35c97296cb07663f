//! The arguments that say what the columns of a table are, of `mup2 report` and `mup2 doctor`.

use clap::Args;
use mup2_report::table::TableQuery;
use mup2_scaling::error::Error;
use std::path::{Path, PathBuf};

/// Which columns of tables are what. Nothing here is for a sweep's directory, which knows it.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Options for tables")]
pub struct TableArguments {
    /// Column of the size: width, depth, parameters, … [default: width]
    #[arg(long, value_name = "NAME")]
    pub size: Option<String>,
    /// Column of the first hyperparameter [default: lr]
    #[arg(long, value_name = "NAME")]
    pub x: Option<String>,
    /// Column of the second hyperparameter, such as rho; without it there is one
    #[arg(long, value_name = "NAME")]
    pub y: Option<String>,
    /// Column that the best is chosen by [default: accuracy]
    #[arg(long, value_name = "NAME")]
    pub metric: Option<String>,
    /// Less is better, as for a loss
    #[arg(long)]
    pub minimize: bool,
    /// Column of the metric on the test set
    #[arg(long, value_name = "NAME")]
    pub test: Option<String>,
    /// Column of what is compared [default: scheme, if there is one]
    #[arg(long, value_name = "NAME")]
    pub series: Option<String>,
    /// Column of the seed [default: seed, if there is one]
    #[arg(long, value_name = "NAME")]
    pub seed: Option<String>,
    /// Column that says how a run ended, such as finished, diverged or failed
    #[arg(long, value_name = "NAME")]
    pub status: Option<String>,
    /// The base size [default: the smallest]
    #[arg(long, value_name = "N")]
    pub base: Option<usize>,
    /// A metric worse than this counts as unstable [default: half of the best accuracy]
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    pub unstable: Option<f64>,
    /// Call a column by a shorter name, such as lr=optimizer.lr; may be repeated
    #[arg(long = "column", value_name = "NAME=COLUMN")]
    pub columns: Vec<String>,
}

impl TableArguments {
    /// The query, with `y` as the second hyperparameter where none was named.
    pub fn query(
        &self,
        files: &[PathBuf],
        y: Option<&str>,
        command: &str,
    ) -> Result<TableQuery, Error> {
        let usual = TableQuery::default();
        let or = |given: &Option<String>, usual: String| given.clone().unwrap_or(usual);
        let columns = self.columns.iter().map(|text| match text.split_once('=') {
            Some((name, column)) if !name.is_empty() && !column.is_empty() => {
                Ok((name.to_owned(), column.to_owned()))
            }
            _ => Err(Error::invalid(
                format!("--column {text}"),
                "maps no name to a column",
                "NAME=COLUMN, such as lr=optimizer.lr",
            )),
        });
        let title = match files {
            [only] => only
                .file_name()
                .map(|name| name.to_string_lossy().into_owned()),
            _ => None,
        };
        Ok(TableQuery {
            size: or(&self.size, usual.size),
            x: or(&self.x, usual.x),
            y: self.y.clone().or(y.map(str::to_owned)),
            metric: or(&self.metric, usual.metric),
            minimize: self.minimize,
            test: self.test.clone(),
            series: self.series.clone(),
            seed: self.seed.clone(),
            status: self.status.clone(),
            base: self.base,
            unstable: self.unstable,
            columns: columns.collect::<Result<_, _>>()?,
            title: title.unwrap_or_default(),
            command: command.to_owned(),
        })
    }

    /// # Errors
    /// When an option for tables was given with a sweep's directory.
    pub fn refuse_for(&self, directory: &Path) -> Result<(), Error> {
        let given = [
            ("--size", self.size.is_some()),
            ("--x", self.x.is_some()),
            ("--y", self.y.is_some()),
            ("--metric", self.metric.is_some()),
            ("--minimize", self.minimize),
            ("--test", self.test.is_some()),
            ("--series", self.series.is_some()),
            ("--seed", self.seed.is_some()),
            ("--status", self.status.is_some()),
            ("--base", self.base.is_some()),
            ("--unstable", self.unstable.is_some()),
            ("--column", !self.columns.is_empty()),
        ];
        match given.into_iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) => Err(Error::invalid(
                flag,
                format!(
                    "`{}` is the directory of a sweep, which knows it",
                    directory.display()
                ),
                "this option with files of tables",
            )),
            None => Ok(()),
        }
    }
}

/// The one directory among the paths of a command, or nothing if all are files.
///
/// # Errors
/// A directory beside other paths.
pub fn only_directory(paths: &[PathBuf]) -> Result<Option<&PathBuf>, Error> {
    match paths.iter().find(|path| path.is_dir()) {
        Some(directory) if paths.len() > 1 => Err(Error::invalid(
            directory.display().to_string(),
            "is a directory among several paths",
            "one directory of a sweep, or files of tables",
        )),
        // What is neither a directory nor named like a table may be a mistyped directory.
        None => match paths {
            [only] if !mup2_report::table::is_table(only) && !only.exists() => Ok(Some(only)),
            _ => Ok(None),
        },
        found => Ok(found),
    }
}
