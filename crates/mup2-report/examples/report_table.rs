//! A report of tables: `report_table OUT SIZE X Y|- METRIC FILE…`; `min:loss` for a metric that is
//! to be small.

use mup2_report::report::{build, terminal_table, write};
use mup2_report::table::{TableQuery, read};
use std::path::PathBuf;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [out, size, x, y, metric, files @ ..] = arguments.as_slice() else {
        return Err("usage: report_table OUT SIZE X Y|- METRIC FILE…".into());
    };
    let query = TableQuery {
        size: size.clone(),
        x: x.clone(),
        y: Some(y.clone()).filter(|name| name != "-"),
        metric: metric.trim_start_matches("min:").to_owned(),
        minimize: metric.starts_with("min:"),
        ..TableQuery::default()
    };
    let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
    let start = Instant::now();
    let input = read(&files, &query)?;
    let read_in = start.elapsed();
    let report = build(&input);
    let built_in = start.elapsed() - read_in;
    let start = Instant::now();
    write(&report, PathBuf::from(out).as_path())?;
    println!("{}", terminal_table(&report, &Default::default()));
    for line in report.headlines.iter().chain(&report.warnings) {
        println!("{line}");
    }
    eprintln!(
        "read {read_in:.2?}, built {built_in:.2?}, written {:.2?}",
        start.elapsed()
    );
    Ok(())
}
