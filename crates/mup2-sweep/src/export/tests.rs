//! What is exported of a sweep of a command.

use super::*;
use crate::command::COMMAND;
use crate::config::parse_sweep;
use crate::results::{Fingerprint, RunResult};
use std::collections::BTreeMap;

const SWEEP: &str = r#"
name = "test"
[command]
argv = ["true", "{lr}", "{weight_decay}"]
metric = "acc"
[grid]
lr = [0.1]
weight_decay = [0.0, 1e-4]
"#;

#[test]
fn a_commands_axes_numbers_and_curves_are_columns_and_rows() {
    let directory = tempfile::tempdir().unwrap();
    let sweep = parse_sweep(SWEEP, "s.toml", &[], &[COMMAND]).unwrap();
    let results = directory.path().join("results");
    let store = ResultStore::create(&results, &sweep, &Fingerprint::default()).unwrap();
    let planned = sweep.plan().remove(1);
    let result = RunResult {
        metrics: BTreeMap::from([("acc".to_owned(), 0.75), ("loss".to_owned(), 1.5)]),
        curves: BTreeMap::from([("acc".to_owned(), vec![0.5, 0.75])]),
        ..RunResult::new(planned.id.clone(), sweep.spec(&planned))
    };
    store.publish(&result).unwrap();
    let exported = export(&sweep, &store, directory.path(), Format::Csv).unwrap();
    assert_eq!((exported.files.len(), exported.runs), (4, 2));
    let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
    let runs = read("runs.csv").replace(planned.id.as_str(), "ID");
    let lines: Vec<&str> = runs.lines().collect();
    assert_eq!(
        lines[0],
        "id,status,failure_reason,schemes,width,lr,rho,seed,grid.weight_decay,epochs,steps,\
         mup2_version,final_validation_accuracy,final_test_accuracy,result.acc,result.loss,\
         selection,selection_accuracy,selection_test_accuracy,spec"
    );
    let known = "ID,completed,,\"command, weight_decay=0.0001\",,0.1,,,0.0001,1,0,";
    assert!(lines[2].starts_with(known), "{runs}");
    assert!(lines[2].contains(",,,0.75,1.5,acc,0.75,0.75,"), "{runs}");
    let cells = read("cells.csv");
    assert!(
        cells.starts_with("scheme,width,lr,rho,seed,grid.weight_decay,id\ncommand,1,0.1,0.0,0,0,")
    );
    let curves = read("curves.csv").replace(planned.id.as_str(), "ID");
    assert_eq!(curves, "id,name,index,value\nID,acc,0,0.5\nID,acc,1,0.75\n");
}

#[test]
fn a_number_that_is_not_finite_is_null() {
    let column = column::real::<f64>("x", |value| Some(*value));
    let Values::Reals(values) = column.values(&[1.0, f64::NAN, f64::INFINITY]).unwrap() else {
        panic!("not a column of numbers")
    };
    assert_eq!(values, [Some(1.0), None, None]);
}
