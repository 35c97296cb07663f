//! `mup2 sweep plan`: one line a run.

use super::{existing, read};
use crate::arguments::{PlanFormat, SweepPlanArguments};
use crate::terminal::{print, say};
use mup2_sweep::config::PlannedRun;
use mup2_sweep::{KnownRuns, Selected, cost_within, known_runs};
use serde_json::json;
use std::process::ExitCode;

pub fn run(arguments: &SweepPlanArguments) -> anyhow::Result<ExitCode> {
    let sweep = read(&arguments.sweep)?;
    let selected = Selected {
        shard: arguments.shard,
        ..Selected::default()
    };
    let store = arguments.out.as_deref().map(existing).transpose()?;
    let known = known_runs(&sweep, store.flatten().as_ref())?;
    let halving = sweep.halving();
    let cost = |run: &PlannedRun| cost_within(halving.as_ref(), run);
    // Costs are told in units of the cheapest run of the whole sweep, alike in every part.
    let cheapest = known.runs.iter().map(cost).fold(f64::INFINITY, f64::min);
    let mut text = String::new();
    for run in selected.runs(&sweep, &known)? {
        let cost = cost(&run) / cheapest;
        text += &match arguments.format {
            PlanFormat::Table if halving.is_some() => {
                format!("{} epochs {}", line(&run, cost), run.epochs)
            }
            PlanFormat::Table => line(&run, cost),
            PlanFormat::Json => {
                let (scheme, spec) = (&*run.cell.series, sweep.spec(&run));
                json!({ "id": run.id, "cost": cost, "scheme": scheme, "spec": spec }).to_string()
            }
        };
        text.push('\n');
    }
    print(&text)?;
    if halving.is_some() {
        say(format_args!("{}", later(&known)));
    }
    Ok(ExitCode::SUCCESS)
}

/// What the results have still to decide, in one sentence.
fn later(known: &KnownRuns) -> String {
    let rungs = known.later.iter();
    let rungs = rungs.map(|(epochs, runs)| format!("{runs} runs of {epochs} epochs"));
    let mut parts: Vec<String> = rungs.collect();
    if known.carried_at_most > 0 {
        let most = known.carried_at_most;
        parts.push(format!(
            "at most {most} of the narrowest widths' best points at the other widths"
        ));
    }
    match parts.is_empty() {
        true => "nothing is left to decide".to_owned(),
        false => format!("results decide which follow: {}", parts.join(", ")),
    }
}

fn line(run: &PlannedRun, cost: f64) -> String {
    let cell = &run.cell;
    format!(
        "{}  cost {cost:<8.1} {:<14} width {:<6} lr {:<12} rho {:<12} seed {}",
        run.id, cell.series, cell.width, cell.lr, cell.rho, cell.seed
    )
}
