//! `mup2 sweep plan`: one line a run.

use super::read;
use crate::arguments::{PlanFormat, SweepPlanArguments};
use crate::terminal::print;
use mup2::config::PlannedRun;
use mup2::sweep::{Selected, cost, planned_runs};
use serde_json::json;
use std::process::ExitCode;

pub fn run(arguments: &SweepPlanArguments) -> anyhow::Result<ExitCode> {
    let sweep = read(&arguments.sweep)?;
    let selected = Selected {
        shard: arguments.shard,
        ..Selected::default()
    };
    // Costs are told in units of the cheapest run of the whole sweep, alike in every part.
    let cheapest = planned_runs(&sweep)
        .iter()
        .map(cost)
        .fold(f64::INFINITY, f64::min);
    let mut text = String::new();
    for run in selected.runs(&sweep)? {
        let cost = cost(&run) / cheapest;
        text += &match arguments.format {
            PlanFormat::Table => line(&run, cost),
            PlanFormat::Json => {
                let scheme = run.scheme.to_string();
                json!({ "id": run.id, "cost": cost, "scheme": scheme, "spec": run.spec })
                    .to_string()
            }
        };
        text.push('\n');
    }
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn line(run: &PlannedRun, cost: f64) -> String {
    let spec = &run.spec;
    format!(
        "{}  cost {cost:<8.1} {:<14} width {:<6} lr {:<12} rho {:<12} seed {}",
        run.id,
        run.scheme.to_string(),
        spec.model.width,
        spec.optimizer.lr,
        spec.sam.rho,
        spec.seed
    )
}
