//! What a report says of the built-in trainer's runs.

use crate::config::RunSpec;
use crate::data::DatasetName;
use mup2_sweep::config::{Description, SweepSpec};

pub(super) fn describe(run: &RunSpec, sweep: &SweepSpec) -> Description {
    Description {
        dataset: dataset(run),
        base_width: run.model.base_width,
        settings: settings(run, sweep),
    }
}

fn dataset(run: &RunSpec) -> String {
    let mut text = match run.data.dataset {
        DatasetName::Embedded => "Fashion-MNIST subset (embedded)".to_owned(),
        name => name.to_string(),
    };
    if let Some(limit) = run.data.train_limit {
        text += &format!(", {limit} training images");
    }
    if let Some(side) = run.data.resize {
        text += &format!(", resized to {side} pixels");
    }
    if let Some(side) = run.data.crop {
        text += &format!(", cropped to {side}×{side}");
    }
    if run.data.label_noise > 0.0 {
        text += &format!(", {:.0} % label noise", run.data.label_noise * 100.0);
    }
    text
}

fn settings(run: &RunSpec, sweep: &SweepSpec) -> Vec<(String, String)> {
    let list = |values: &mut dyn Iterator<Item = String>| values.collect::<Vec<_>>().join(", ");
    let lower = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
    let pool = run.data.average_pool;
    let mut rows = vec![
        ("Data", dataset(run)),
        ("Model", run.model.describe()),
        (
            "Widths",
            list(&mut sweep.grid.width.iter().map(ToString::to_string)),
        ),
        ("Base width", run.model.base_width.to_string()),
        (
            "Optimizer",
            format!(
                "{}, {} schedule, momentum {}, weight decay {}",
                lower(&run.optimizer.name),
                lower(&run.optimizer.schedule),
                run.optimizer.momentum,
                run.optimizer.weight_decay
            ),
        ),
        ("Perturbation rule", run.sam.rule.to_string()),
        (
            "Training",
            format!(
                "{} epochs, batches of {}",
                run.train.epochs, run.train.batch_size
            ),
        ),
        (
            "Seeds",
            list(&mut sweep.grid.seed.iter().map(ToString::to_string)),
        ),
    ];
    if pool > 1 {
        rows.insert(1, ("Pixels", format!("averaged over {pool}×{pool} blocks")));
    }
    rows.into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
