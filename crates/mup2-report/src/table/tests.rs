//! Tables of others, small enough to see every cell, and hostile ones.

use super::{TableQuery, read};
use crate::report::{MetricKind, Outcome, ReportInput, Scale, build, terminal_table, write};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

const CSV: &str = "scheme,width,lr,rho,seed,accuracy
mup2,16,0.25,0.5,0,0.80
mup2,16,0.5,0.5,0,0.82
mup2,64,0.25,0.5,0,0.85
mup2,64,0.5,0.5,0,0.81
";

fn query() -> TableQuery {
    TableQuery {
        y: Some("rho".to_owned()),
        ..TableQuery::default()
    }
}

fn file(directory: &TempDir, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = directory.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn of(name: &str, bytes: impl AsRef<[u8]>, query: &TableQuery) -> ReportInput {
    let directory = tempfile::tempdir().unwrap();
    read(&[file(&directory, name, bytes)], query).unwrap()
}

fn refusal(name: &str, bytes: impl AsRef<[u8]>, query: &TableQuery) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory, name, bytes);
    let text = read(&[path], query).unwrap_err().to_string();
    assert!(!text.contains('\n'));
    text.replace(&format!("{}/", directory.path().display()), "")
}

fn points(input: &ReportInput) -> Vec<(String, usize, f64, f64, u64, Option<f64>)> {
    let runs = input.observations.iter();
    runs.map(|run| {
        let value = match run.outcome {
            Outcome::Completed {
                selection_accuracy, ..
            } => Some(selection_accuracy),
            _ => None,
        };
        (
            run.scheme.clone(),
            run.width,
            run.lr,
            run.rho,
            run.seed,
            value,
        )
    })
    .collect()
}

fn parquet() -> Vec<u8> {
    use parquet::data_type::{
        ByteArray, ByteArrayType, DoubleType, FloatType, Int32Type, Int64Type,
    };
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    let schema = "message runs {
        optional binary scheme (UTF8);
        required int64 width;
        required group optimizer { optional double lr; }
        required float rho;
        required int32 seed;
        optional double accuracy;
    }";
    let schema = parquet::schema::parser::parse_message_type(schema).unwrap();
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let names: Vec<ByteArray> = vec!["mup2".into(); 4];
    column
        .typed::<ByteArrayType>()
        .write_batch(&names, Some(&[1; 4]), None)
        .unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<Int64Type>()
        .write_batch(&[16, 16, 64, 64], None, None)
        .unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let lrs = [0.25, 0.5, 0.25, 0.5];
    column
        .typed::<DoubleType>()
        .write_batch(&lrs, Some(&[1; 4]), None)
        .unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<FloatType>()
        .write_batch(&[0.5; 4], None, None)
        .unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<Int32Type>()
        .write_batch(&[0; 4], None, None)
        .unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let accuracies = [0.80, 0.82, 0.85];
    column
        .typed::<DoubleType>()
        .write_batch(&accuracies, Some(&[1, 1, 1, 0]), None)
        .unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn every_format_packed_or_not_gives_the_same_observations() {
    let expected = points(&of("a.csv", CSV, &query()));
    assert_eq!(
        expected[0],
        ("mup2".to_owned(), 16, 0.25, 0.5, 0, Some(0.80))
    );
    assert_eq!(expected.len(), 4);
    let tabs = CSV.replace(',', "\t");
    let mut lines = String::from("\n");
    for row in CSV.lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        lines += &format!(
            "{{\"scheme\":\"{}\",\"width\":{},\"lr\":{},\"rho\":\"{}\",\"seed\":{},\"more\":[{{}}],\"accuracy\":{}}}\n",
            cells[0], cells[1], cells[2], cells[3], cells[4], cells[5]
        );
    }
    for (name, text) in [("a.csv", CSV), ("a.tsv", &tabs), ("a.jsonl", &lines)] {
        assert_eq!(points(&of(name, text, &query())), expected, "{name}");
        let name = format!("{name}.gz");
        assert_eq!(
            points(&of(&name, packed(text.as_bytes()), &query())),
            expected
        );
    }
    let mut query = query();
    query.columns = vec![("lr".to_owned(), "optimizer.lr".to_owned())];
    let mut expected = expected;
    expected[3].5 = None;
    assert_eq!(points(&of("a.parquet", parquet(), &query)), expected);
    assert_eq!(
        points(&of("a.parquet.gz", packed(&parquet()), &query)),
        expected
    );
}

#[test]
fn several_files_are_one_table_whatever_the_order_of_their_columns() {
    let directory = tempfile::tempdir().unwrap();
    let first = file(&directory, "a.csv", CSV);
    let second = "accuracy,rho,lr,width,seed,scheme\n0.7,0.5,0.25,16,1,sp\n";
    let second = file(&directory, "b.csv", second);
    let input = read(&[first, second], &query()).unwrap();
    assert_eq!(input.observations.len(), 5);
    assert_eq!(
        points(&input)[4],
        ("sp".to_owned(), 16, 0.25, 0.5, 1, Some(0.7))
    );
    assert!(input.axes.is_default());
}

#[test]
fn a_column_is_mapped_by_its_name_and_nested_keys_by_dots() {
    let text = r#"{"config":{"optimizer":{"lr":0.25},"width":16},"summary.acc":0.5}
{"config":{"optimizer":{"lr":0.5},"width":64},"summary.acc":0.25}
{"config":3}
"#;
    let query = TableQuery {
        columns: vec![
            ("lr".to_owned(), "config.optimizer.lr".to_owned()),
            ("width".to_owned(), "config.width".to_owned()),
            ("accuracy".to_owned(), "summary.acc".to_owned()),
        ],
        ..TableQuery::default()
    };
    let input = of("a.ndjson", text, &query);
    assert_eq!(
        points(&input)[1],
        ("all runs".to_owned(), 64, 0.5, 1.0, 0, Some(0.25))
    );
    assert_eq!(
        input.warnings,
        [
            "1 row: left out, width is missing",
            "there is no column `seed`: rows of one point were taken for its seeds",
            "a point counts as unstable below half of the best accuracy, 25 %; --unstable sets \
             another threshold"
        ]
    );
}

#[test]
fn what_cannot_be_used_is_counted_and_said_once() {
    let text = "project,scheme,width,lr,rho,seed,accuracy
x,mup2,16,0.25,0.5,0,0.8
x,mup2,16,0.25,0.5,0,0.9
x,mup2,16,0.25,0.5,1,nan
x,mup2,16,0.25,0.5,2,
x,mup2,16,0.25,0.5,3,oops
y,,16,0.25,0.5,0,0.8
y,mup2,16,high,0.5,0,0.8
y,mup2,16,inf,0.5,0,0.8
y,mup2,0.5,0.25,0.5,0,0.8
y,mup2,,0.25,0.5,0,0.8
y,mup2,64,0.5,0.5,0,0.8,more
y,mup2,64,0.5
";
    let input = of("a.csv", text, &query());
    let report = build(&input);
    for part in [
        "1 row: more cells than the header",
        "1 row: accuracy is not finite, taken as diverged",
        "1 row: accuracy is no number, taken as failed",
        "1 row: accuracy is missing, taken as not finished",
        "scheme is missing",
        "lr is no number",
        "lr is not finite",
        "width is no whole number above 0",
        "width is missing",
        "rho is missing",
        "1 observations repeat the seed",
    ] {
        let holding = report
            .warnings
            .iter()
            .filter(|warning| warning.contains(part));
        assert_eq!(holding.count(), 1, "{part}: {:#?}", report.warnings);
    }
    assert_eq!(
        (report.confidence.completed, report.confidence.diverged),
        (2, 1)
    );
    assert_eq!(
        (report.confidence.failed, report.confidence.missing),
        (1, 1)
    );
    assert_eq!(report.confidence.failures[0].reason, "oops");
}

#[test]
fn statuses_of_other_programs_are_understood() {
    let text = "width,lr,accuracy,state
16,0.25,0.8,COMPLETE
16,0.5,0.8,crashed
16,1,0.8,RUNNING
16,2,0.8,Diverged
16,4,0.8,whatever
";
    let query = TableQuery {
        status: Some("state".to_owned()),
        ..TableQuery::default()
    };
    let report = build(&of("a.csv", text, &query));
    let runs = &report.confidence;
    assert_eq!(
        (runs.completed, runs.diverged, runs.failed, runs.missing),
        (2, 1, 1, 1)
    );
    let unknown = report
        .warnings
        .iter()
        .filter(|text| text.contains("unknown status"));
    assert_eq!(unknown.count(), 1);
}

#[test]
fn a_table_that_cannot_be_used_is_refused_in_one_sentence() {
    assert_eq!(
        refusal("a.csv", CSV.replace("lr", "learning"), &query()),
        "a.csv: has no column `lr` (--x); allowed: the columns accuracy, learning, rho, scheme, \
         seed, width"
    );
    assert_eq!(
        refusal("a.csv", CSV.replace(',', ";"), &query()),
        "a.csv: has its columns separated by ';'; allowed: commas in .csv, tabs in .tsv"
    );
    assert!(refusal("a.csv", "", &query()).contains("has no column `width`"));
    let header = "scheme,width,lr,rho,seed,accuracy\n";
    assert!(refusal("a.csv", header, &query()).contains("none of its 0 rows can be used"));
    assert!(refusal("a.xlsx", "x", &query()).contains("is no table by its name"));
    assert!(refusal("a.csv", CSV.replace("seed", "lr"), &query()).contains("`lr` twice"));
    assert!(refusal("a.jsonl", "[1]", &query()).contains("row 1: is no JSON object"));
    assert!(refusal("a.jsonl", "{\"a\": 1} x", &query()).contains("row 1"));
    let deep = format!("{{\"width\":{}", "[".repeat(100_000));
    assert!(refusal("a.jsonl", deep, &query()).contains("row 1"));
    assert!(refusal("a.parquet", "PAR1", &query()).contains("cannot be read as Parquet"));
    let mut cut = parquet();
    cut.truncate(100);
    assert!(refusal("a.parquet", cut, &query()).contains("cannot be read as Parquet"));
    assert!(refusal("a.csv.gz", &packed(CSV.as_bytes())[..30], &query()).contains("row"));
    let mut twice = query();
    twice.metric = "lr".to_owned();
    assert!(refusal("a.csv", CSV, &twice).contains("--metric: is the column `lr`, and so is --x"));
    let mut unknown = query();
    unknown.columns = vec![("nothing".to_owned(), "lr".to_owned())];
    assert!(refusal("a.csv", CSV, &unknown).contains("is no name that this report uses"));
    let mut base = query();
    base.base = Some(17);
    assert_eq!(
        refusal("a.csv", CSV, &base),
        "--base: no row has width 17; allowed: 16, 64"
    );
    let missing = read(&[Path::new("/nowhere.csv").to_owned()], &query()).unwrap_err();
    assert!(missing.to_string().contains("cannot read"));
}

#[test]
fn a_row_without_end_is_refused_before_it_fills_the_memory() {
    // A quote that is never closed, and a bomb: 64 MiB that are packed into 64 kB.
    let open = format!("{CSV}\"{}", "x,".repeat(9 << 20));
    assert!(refusal("a.csv", open, &query()).contains("more than 16 MiB"));
    let bomb = packed(&vec![b'a'; 64 << 20]);
    assert!(bomb.len() < 1 << 20);
    assert!(refusal("a.jsonl.gz", &bomb, &query()).contains("more than 16 MiB"));
    assert!(refusal("a.csv.gz", &bomb, &query()).contains("more than 16 MiB"));
}

#[test]
fn hostile_names_are_text_on_every_page() {
    let script = "<script>alert(1)</script>";
    let text = format!(
        "series,{script},\"a\"\"b\",=HYPERLINK(1),loss
{script},16,0.25,0.125,1.5
{script},16,0.5,0.125,1.25
\"=cmd|' /C calc'!A0\",64,0.25,0.125,1.5
{script},64,0.25,0.125,1.75
"
    );
    let query = TableQuery {
        size: script.to_owned(),
        x: "a\"b".to_owned(),
        y: Some("=HYPERLINK(1)".to_owned()),
        metric: "loss".to_owned(),
        minimize: true,
        series: Some("series".to_owned()),
        title: script.to_owned(),
        command: script.to_owned(),
        ..TableQuery::default()
    };
    for y in [query.y.clone(), None] {
        let query = TableQuery { y, ..query.clone() };
        let report = build(&of("a.csv", &text, &query));
        let directory = tempfile::tempdir().unwrap();
        write(&report, directory.path()).unwrap();
        let page = std::fs::read_to_string(directory.path().join("report.html")).unwrap();
        assert!(!page.contains("<script"));
        assert!(page.contains("&lt;script&gt;"));
        assert!(!page.contains("&amp;lt;"));
        for entry in std::fs::read_dir(directory.path().join("figures")).unwrap() {
            let figure = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            assert!(roxmltree::Document::parse(&figure).is_ok());
        }
    }
}

#[test]
fn the_data_decide_the_axes_and_the_unit() {
    let rows = |x: &[f64], value: &str| {
        let mut text = format!("width,lr,{value}\n");
        for width in [16, 64] {
            for (place, x) in x.iter().enumerate() {
                text += &format!("{width},{x},{}\n", 40 + place);
            }
        }
        text
    };
    let axes = |x: &[f64], value: &str| {
        let query = TableQuery {
            metric: value.to_owned(),
            ..TableQuery::default()
        };
        of("a.csv", rows(x, value), &query).axes
    };
    assert_eq!(axes(&[0.001, 0.01, 0.1], "acc").x.scale, Scale::Log2);
    assert_eq!(axes(&[32.0, 64.0, 128.0], "acc").x.scale, Scale::Log2);
    assert_eq!(axes(&[0.0, 0.1, 0.2, 0.3], "acc").x.scale, Scale::Linear);
    assert_eq!(axes(&[0.9, 0.95, 0.99], "acc").x.scale, Scale::Linear);
    assert_eq!(axes(&[-1.0, 1.0], "acc").x.scale, Scale::Linear);
    assert_eq!(axes(&[1.0, 2.0], "acc").metric.kind, MetricKind::Share);
    assert_eq!(axes(&[1.0, 2.0], "bleu").metric.kind, MetricKind::Number);
    let query = TableQuery {
        metric: "val_acc".to_owned(),
        ..TableQuery::default()
    };
    let report = build(&of("a.csv", rows(&[1.0, 2.0], "val_acc"), &query));
    assert_eq!(report.cells[0].accuracy, Some(0.4));
    assert!(
        report
            .warnings
            .iter()
            .any(|text| text.contains("divided by 100"))
    );
}

#[test]
fn the_same_results_as_a_table_give_the_same_numbers() {
    let input = crate::report::tests::two_widths_of("mup2");
    let mut text = "scheme,width,lr,rho,seed,accuracy,test\n".to_owned();
    for run in &input.observations {
        if let Outcome::Completed {
            selection_accuracy,
            test_accuracy,
        } = run.outcome
        {
            let (scheme, width, lr, rho, seed) =
                (&run.scheme, run.width, run.lr, run.rho, run.seed);
            text += &format!(
                "{scheme},{width},{lr},{rho},{seed},{selection_accuracy},{test_accuracy}\n"
            );
        }
    }
    let query = TableQuery {
        test: Some("test".to_owned()),
        unstable: Some(0.3),
        ..query()
    };
    let (direct, table) = (build(&input), build(&of("a.csv", text, &query)));
    assert!(table.axes.is_default());
    assert_eq!(table.cells, direct.cells);
    assert_eq!(table.optima, direct.optima);
    assert_eq!(table.slices, direct.slices);
    assert_eq!(table.transfer, direct.transfer);
    assert_eq!(table.baselines, direct.baselines);
    assert_eq!(table.confidence, direct.confidence);
    assert!(!table.fits.is_empty() && direct.fits.is_empty());
}

/// Losses of one hyperparameter with optimum 2^−4 at width 16 and 2^−5 at width 64.
fn losses() -> String {
    let mut text = "width,weight_decay,seed,loss\n".to_owned();
    for (width, best) in [(16, -4.0), (64, -5.0)] {
        for exponent in -8..=-1 {
            for seed in 0..2 {
                let loss =
                    1.5 + 0.1 * (f64::from(exponent) - best).powi(2) + 0.001 * f64::from(seed);
                text += &format!("{width},{},{seed},{loss}\n", f64::from(exponent).exp2());
            }
        }
    }
    text + "64,0.5,7,nan\n"
}

#[test]
fn a_loss_over_one_hyperparameter_has_curves_an_exponent_and_its_own_unit() {
    let query = TableQuery {
        x: "weight_decay".to_owned(),
        metric: "loss".to_owned(),
        minimize: true,
        ..TableQuery::default()
    };
    let report = build(&of("a.csv", losses(), &query));
    assert_eq!(report.optima[1].lr, Some(2_f64.powi(-5)));
    assert_eq!(report.transfer[0].log2_lr_drift, Some(-1.0));
    assert_eq!(report.transfer[0].log2_rho_drift, None);
    // One octave off: 0.1 more loss.
    assert!((report.transfer[0].regret.unwrap() - 0.1).abs() < 1e-9);
    assert_eq!(report.fits[0].exponent, Some(-0.5));
    let directory = tempfile::tempdir().unwrap();
    write(&report, directory.path()).unwrap();
    let json = std::fs::read_to_string(directory.path().join("report.json")).unwrap();
    assert_eq!(
        serde_json::from_str::<crate::report::Report>(&json).unwrap(),
        report
    );
    let page = std::fs::read_to_string(directory.path().join("report.html")).unwrap();
    for word in ["accuracy", "SAM", "ρ", "NaN", "η"] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(directory.path().join("figures/curves.svg").is_file());
    insta::assert_snapshot!(terminal_table(&report, &Default::default()));
}

#[test]
fn the_nan_that_python_writes_into_json_is_a_diverged_run_and_a_text_stays_a_text() {
    let text = r#"{"width":16,"lr":0.25,"accuracy":NaN,"scheme":"a\"NaN"}
{"width":16,"lr":0.5,"accuracy":-Infinity,"scheme":"a\"NaN"}
{"width":16,"lr":1,"accuracy":0.5,"scheme":"a\"NaN"}
"#;
    let input = of("a.jsonl", text, &TableQuery::default());
    assert_eq!(input.observations[0].outcome, Outcome::Diverged);
    assert_eq!(input.observations[1].outcome, Outcome::Diverged);
    assert_eq!(input.observations[2].scheme, "a\"NaN");
}

#[test]
fn the_worst_of_all_losses_is_not_unstable_by_rounding() {
    let text = "width,lr,loss\n16,0.25,4.1380000000000345\n16,0.5,3.0\n16,1,3.1\n";
    let query = TableQuery {
        metric: "loss".to_owned(),
        minimize: true,
        ..TableQuery::default()
    };
    let report = build(&of("a.csv", text, &query));
    let is_ok = |cell: &crate::report::Cell| cell.status == crate::report::Status::Ok;
    assert!(report.cells.iter().all(is_ok));
}
