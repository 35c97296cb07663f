//! What is exported is what was published, in either format.

use super::KINDS;
use crate::config::RunSpec;
use mup2_sweep::config::{PlannedRun, SweepSpec, parse_sweep};
use mup2_sweep::export::{Exported, Format, export};
use mup2_sweep::results::{
    EigenvalueMetrics, EpochMetrics, Fingerprint, ResultStore, RunResult, RunStatus,
    SamSharpnessMetrics, SharpnessMeasures, SharpnessMetrics, TraceMetrics,
};
use parquet::basic::Type as PhysicalType;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Eight cells, five runs: one run for both schemes at the base width, and at ρ = 0.
const SWEEP: &str = r#"
name = "test"
selection = "best-validation"
[run.model]
base_width = 16
[run.train]
epochs = 2
[grid]
scheme = ["mup-naive", "mup2"]
width = [16, 64]
lr = [0.1]
rho = [0.0, 0.3]
"#;

const REASON: &str = "a \"quoted\", comma'd reason\r\nof two lines; and ρ\\";

/// A results directory, and one beside it to export to.
struct Case {
    directory: TempDir,
    sweep: SweepSpec,
    store: ResultStore,
}

impl Case {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sweep = parse_sweep(SWEEP, "s.toml", &[], KINDS).unwrap();
        let store = ResultStore::create(
            &directory.path().join("results"),
            &sweep,
            &Fingerprint::default(),
        );
        Self {
            store: store.unwrap(),
            directory,
            sweep,
        }
    }

    /// Of the plan's cells 0 and 1 (base width) complete, 2 (ρ = 0) diverges in its second epoch,
    /// 3 (mup-naive) fails, and 7 (mup2) has no result.
    fn with_results() -> Self {
        let case = Self::new();
        let reason = REASON.to_owned();
        case.publish(0, RunStatus::Completed, 20, 2);
        case.publish(1, RunStatus::Completed, 20, 2);
        case.publish(2, RunStatus::Diverged, 13, 1);
        case.publish(3, RunStatus::Failed { reason }, 0, 0);
        case
    }

    fn cell(&self, index: usize) -> PlannedRun {
        self.sweep.plan().remove(index)
    }

    fn publish(&self, cell: usize, status: RunStatus, steps: usize, epochs: usize) {
        let planned = self.cell(cell);
        let epochs = (1..=epochs).map(|epoch| EpochMetrics {
            epoch,
            step: None,
            train_loss: (0.1 + 0.2) / epoch as f64,
            // The first epoch is the better one.
            validation_accuracy: Some(0.75 / epoch as f64),
            test_accuracy: 1.0 / 3.0 / epoch as f64,
            sharpness: (epoch == 2).then(sharpness),
        });
        let result = RunResult {
            mup2_version: "0.0.1".into(),
            status,
            steps,
            epochs: epochs.collect(),
            ..RunResult::new(planned.id.clone(), self.sweep.spec(&planned))
        };
        self.store.publish(&result).unwrap();
    }

    fn target(&self) -> PathBuf {
        self.directory.path().join("made/when/absent")
    }

    fn export(&self, format: Format) -> Exported {
        export(&self.sweep, &self.store, &self.target(), format).unwrap()
    }

    /// Exports and reads back a table: a map from name to text for each row, null as "".
    fn table(&self, name: &str, format: Format) -> Vec<BTreeMap<String, String>> {
        self.export(format);
        let path = self.target().join(format!("{name}.{}", format.extension()));
        match format {
            Format::Csv => read_csv(&path),
            Format::Parquet => read_parquet(&path),
        }
    }

    /// The rows of `runs` by the number of the first cell that each serves.
    fn runs(&self, format: Format) -> Vec<BTreeMap<String, String>> {
        let mut rows: HashMap<_, _> = self
            .table("runs", format)
            .into_iter()
            .map(|row| (row["id"].clone(), row))
            .collect();
        let cells = [0, 1, 2, 3, 7].map(|cell| self.cell(cell).id.to_string());
        let sorted = cells.iter().map(|id| rows.remove(id).unwrap()).collect();
        assert!(rows.is_empty());
        sorted
    }
}

fn sharpness() -> SharpnessMetrics {
    SharpnessMetrics {
        loss: 0.5,
        whole: SharpnessMeasures {
            eigenvalue: Some(EigenvalueMetrics {
                value: -2.5,
                most_positive: 1.5,
                residual: 0.125,
                iterations: 30,
                converged: true,
            }),
            trace: Some(TraceMetrics {
                value: 40.0,
                stderr: None,
            }),
            sam: Some(SamSharpnessMetrics {
                radius: 0.3,
                one_step: 0.25,
                value: 1.0 / 3.0,
            }),
        },
        gradient_evaluations: 91,
        layers: Vec::new(),
    }
}

fn read_csv(path: &Path) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.deserialize().map(|row| row.unwrap()).collect()
}

fn read_parquet(path: &Path) -> Vec<BTreeMap<String, String>> {
    let reader = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(|row| {
        let row = row.unwrap();
        let named = row.get_column_iter().map(|(name, field)| {
            let text = match field {
                Field::Null => String::new(),
                Field::Long(value) => value.to_string(),
                Field::Double(value) => format!("{value:?}"),
                Field::Str(value) => value.clone(),
                other => panic!("{name}: {other:?}"),
            };
            (name.clone(), text)
        });
        named.collect()
    })
    .collect()
}

fn column<'a>(rows: &'a [BTreeMap<String, String>], name: &str) -> Vec<&'a str> {
    rows.iter().map(|row| row[name].as_str()).collect()
}

#[test]
fn both_formats_hold_the_same_values() {
    let case = Case::with_results();
    for name in ["runs", "metrics", "cells"] {
        let table = case.table(name, Format::Csv);
        assert_eq!(table, case.table(name, Format::Parquet), "{name}");
        assert!(table.len() >= 5, "{name}");
    }
}

#[test]
fn a_run_is_one_row_whatever_its_result() {
    let case = Case::with_results();
    let runs = case.runs(Format::Csv);
    assert_eq!(
        column(&runs, "status"),
        ["completed", "completed", "diverged", "failed", "missing"]
    );
    assert_eq!(column(&runs, "steps"), ["20", "20", "13", "0", ""]);
    assert_eq!(
        column(&runs, "mup2_version"),
        ["0.0.1", "0.0.1", "0.0.1", "0.0.1", ""]
    );
    assert_eq!(column(&runs, "width"), ["16", "16", "64", "64", "64"]);
    assert_eq!(column(&runs, "rho"), ["0.0", "0.3", "0.0", "0.3", "0.3"]);
    let perturbations = column(&runs, "perturbation");
    assert_eq!(perturbations[3..], ["naive", "mup2"]);
    for (name, value) in [
        ("parameterization", "mup"),
        ("base_width", "16"),
        ("depth", "3"),
        ("lr", "0.1"),
        ("rule", "sam"),
        ("optimizer", "sgd"),
        ("seed", "0"),
        ("dataset", "embedded"),
        ("label_noise", "0.0"),
        ("batch_size", "64"),
        ("epochs", "2"),
        ("selection", "best-validation"),
    ] {
        assert_eq!(column(&runs, name), [value; 5], "{name}");
    }
}

#[test]
fn accuracies_are_those_of_completed_runs_and_read_back_bit_for_bit() {
    let runs = Case::with_results().runs(Format::Parquet);
    for (name, value) in [
        ("final_validation_accuracy", 0.75 / 2.0),
        ("final_test_accuracy", 1.0 / 3.0 / 2.0),
        ("selection_accuracy", 0.75),
        ("selection_test_accuracy", 1.0 / 3.0),
    ] {
        let column = column(&runs, name);
        assert_eq!(column[..2], [format!("{value:?}"), format!("{value:?}")]);
        assert_eq!(column[2..], ["", "", ""], "{name}");
        assert_eq!(column[0].parse::<f64>().unwrap(), value);
    }
}

#[test]
fn a_reason_with_commas_quotes_and_newlines_survives() {
    for format in [Format::Csv, Format::Parquet] {
        let runs = Case::with_results().runs(format);
        assert_eq!(column(&runs, "failure_reason"), ["", "", "", REASON, ""]);
    }
}

#[test]
fn the_spec_column_gives_back_the_spec() {
    let case = Case::with_results();
    let runs = case.runs(Format::Csv);
    for (text, cell) in column(&runs, "spec").iter().zip([0, 1, 2, 3, 7]) {
        let spec: RunSpec = serde_json::from_str(text).unwrap();
        let planned = case.sweep.spec(&case.cell(cell));
        assert_eq!(spec, planned.to().unwrap());
    }
}

#[test]
fn a_shared_run_shows_the_spec_that_was_trained() {
    let case = Case::new();
    // Cell 4 is mup2 at the base width, the same run as cell 0.
    case.publish(4, RunStatus::Completed, 20, 2);
    let runs = case.runs(Format::Csv);
    assert_eq!(column(&runs, "perturbation")[..2], ["mup2", "naive"]);
    assert_eq!(column(&runs, "status")[..2], ["completed", "missing"]);
}

#[test]
fn cells_that_share_a_run_are_rows_of_their_own() {
    let case = Case::new();
    let cells = case.table("cells", Format::Csv);
    let plan = case.sweep.plan();
    let text = |index: usize| {
        let cell = &plan[index];
        let (scheme, width) = (&cell.cell.scheme, cell.cell.width);
        let (lr, rho, seed) = (cell.cell.lr, cell.cell.rho, cell.cell.seed);
        format!("{scheme} {width} {lr:?} {rho:?} {seed} {}", cell.id)
    };
    let names = ["scheme", "width", "lr", "rho", "seed", "id"];
    let rows: Vec<_> = cells
        .iter()
        .map(|row| names.map(|name| row[name].as_str()).join(" "))
        .collect();
    assert_eq!(rows, (0..8).map(text).collect::<Vec<_>>());
    assert_eq!(
        column(&case.runs(Format::Csv), "schemes"),
        [
            "mup-naive;mup2",
            "mup-naive;mup2",
            "mup-naive;mup2",
            "mup-naive",
            "mup2"
        ]
    );
}

#[test]
fn every_evaluated_epoch_is_a_row_with_its_step() {
    let case = Case::with_results();
    let metrics = case.table("metrics", Format::Csv);
    let [first, second, diverged] = [0, 1, 2].map(|cell| case.cell(cell).id.to_string());
    assert_eq!(
        column(&metrics, "id"),
        [&first, &first, &second, &second, &diverged]
    );
    assert_eq!(column(&metrics, "epoch"), ["1", "2", "1", "2", "1"]);
    assert_eq!(column(&metrics, "step"), ["10", "20", "10", "20", "10"]);
    assert_eq!(metrics[0]["train_loss"], "0.30000000000000004");
    assert_eq!(metrics[1]["validation_accuracy"], "0.375");
    assert_eq!(metrics[4]["test_accuracy"], "0.3333333333333333");
}

#[test]
fn sharpness_stands_in_the_rows_of_the_epochs_that_it_was_measured_after() {
    let metrics = Case::with_results().table("metrics", Format::Csv);
    for (name, value) in [
        ("sharpness_loss", "0.5"),
        ("top_eigenvalue", "-2.5"),
        ("most_positive_eigenvalue", "1.5"),
        ("eigenvalue_residual", "0.125"),
        ("hessian_trace", "40.0"),
        ("hessian_trace_stderr", ""),
        ("sam_sharpness_radius", "0.3"),
        ("sam_sharpness_one_step", "0.25"),
        ("sam_sharpness", "0.3333333333333333"),
    ] {
        assert_eq!(column(&metrics, name), ["", value, "", value, ""], "{name}");
    }
}

#[test]
fn the_step_is_null_as_long_as_no_run_has_completed() {
    let case = Case::new();
    case.publish(0, RunStatus::Diverged, 13, 1);
    assert_eq!(column(&case.table("metrics", Format::Csv), "step"), [""]);
    case.publish(1, RunStatus::Completed, 20, 2);
    let metrics = case.table("metrics", Format::Csv);
    assert_eq!(column(&metrics, "step"), ["10", "10", "20"]);
}

#[test]
fn a_sweep_without_results_has_an_empty_table_of_metrics() {
    let case = Case::new();
    for format in [Format::Csv, Format::Parquet] {
        let exported = case.export(format);
        assert_eq!((exported.runs, exported.metrics), (5, 0));
        assert_eq!(case.table("metrics", format), []);
    }
}

#[test]
fn the_same_results_give_the_same_bytes_and_other_files_are_left_alone() {
    let case = Case::with_results();
    for format in [Format::Csv, Format::Parquet] {
        let Exported {
            files,
            runs,
            metrics,
        } = case.export(format);
        assert_eq!((files.len(), runs, metrics), (3, 5, 5));
        let bytes = || -> Vec<_> { files.iter().map(|path| fs::read(path).unwrap()).collect() };
        let before = bytes();
        case.export(format);
        assert!(bytes() == before);
    }
    // Three files of each format, and no unfinished one.
    assert_eq!(fs::read_dir(case.target()).unwrap().count(), 6);
}

#[test]
fn a_seed_beyond_signed_numbers_is_refused_before_anything_is_written() {
    let mut case = Case::new();
    case.sweep.grid.seed = vec![u64::MAX];
    let error = export(&case.sweep, &case.store, &case.target(), Format::Parquet).unwrap_err();
    insta::assert_snapshot!(error, @"exported column `seed`: holds 18446744073709551615; allowed: whole numbers up to 9223372036854775807");
    assert_eq!(fs::read_dir(case.target()).unwrap().count(), 0);
}

#[test]
fn the_documentation_lists_every_column_in_order_with_its_type() {
    let page = include_str!("../../../../docs/reference/export.md");
    let module = include_str!("../../../mup2-sweep/src/export/mod.rs");
    for path in Case::new().export(Format::Parquet).files {
        let table = path.file_stem().unwrap().to_str().unwrap();
        let reader = SerializedFileReader::new(fs::File::open(&path).unwrap()).unwrap();
        let schema = reader.metadata().file_metadata().schema_descr_ptr();
        let columns: Vec<_> = schema
            .columns()
            .iter()
            .map(|column| {
                assert!(column.self_type().is_optional());
                let kind = match column.physical_type() {
                    PhysicalType::INT64 => "integer",
                    PhysicalType::DOUBLE => "real",
                    PhysicalType::BYTE_ARRAY => "text",
                    other => panic!("{other}"),
                };
                (column.name(), kind)
            })
            .collect();
        let section = page
            .split("\n## ")
            .find(|text| text.starts_with(&format!("`{table}`")));
        let documented: Vec<_> = section
            .unwrap()
            .lines()
            .filter_map(|line| {
                let (name, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
                Some((name, rest.split(' ').next()?))
            })
            .collect();
        assert_eq!(documented, columns, "{table}");
        let list = module
            .split("//! - ")
            .find(|text| text.starts_with(&format!("`{table}`")));
        let named: Vec<_> = list.unwrap().split('`').skip(3).step_by(2).collect();
        let names = columns.iter().map(|(name, _)| *name);
        assert_eq!(named[..columns.len()], names.collect::<Vec<_>>(), "{table}");
    }
}

#[test]
fn the_rungs_of_a_halving_are_rows_as_soon_as_they_have_a_result() {
    let mut case = Case::new();
    let overrides = [
        "run.train.epochs=4",
        "grid.width=[64]",
        "grid.scheme=[\"mup2\"]",
        "search.method=halving",
        "search.factor=2",
        "search.points=2",
        "search.include_sgd=false",
        "search.lr={ log2_from = -6, log2_to = -2 }",
        "search.rho={ log2_from = -6, log2_to = -2 }",
    ];
    let text = SWEEP.replace("lr = [0.1]\nrho = [0.0, 0.3]\n", "");
    case.sweep = parse_sweep(&text, "s.toml", &overrides.map(str::to_owned), KINDS).unwrap();
    assert_eq!(case.sweep.halving().unwrap().rungs(), [1, 2, 4]);
    let rows = |case: &Case| {
        let runs = case.table("runs", Format::Csv);
        let cells = case.table("cells", Format::Csv);
        assert_eq!(column(&runs, "id"), column(&cells, "id"));
        let both = runs
            .iter()
            .map(|run| (run["epochs"].clone(), run["status"].clone()));
        both.map(|(epochs, status)| format!("{epochs} {status}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(rows(&case), ["1 missing", "1 missing"]);
    for epochs in [1, 2] {
        let planned = case.sweep.cut_short(&case.cell(1), epochs);
        let result = RunResult {
            mup2_version: "0.0.1".into(),
            steps: 10 * epochs,
            ..RunResult::new(planned.id.clone(), case.sweep.spec(&planned))
        };
        case.store.publish(&result).unwrap();
    }
    assert_eq!(rows(&case), ["1 missing", "1 completed", "2 completed"]);
}
