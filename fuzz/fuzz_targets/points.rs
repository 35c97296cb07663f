//! Points of a coordinate check that another framework logged: refused in one sentence, or judged
//! and shown.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mup2_fuzz::scaling::{Parameterization, Perturbation, Scheme};
use mup2_fuzz::{scratch, sentence};
use mup2_report::check::{html, read_points, terminal_table};
use std::fs;

fuzz_target!(|bytes: &[u8]| {
    let path = scratch().join("points.jsonl");
    fs::write(&path, bytes).expect("the file can be written");
    let found = match read_points(&path) {
        Ok(found) => found,
        Err(error) => return sentence(&error, "points.jsonl: "),
    };
    assert!(!found.points.is_empty() && !found.tensors.is_empty());
    assert!(found.sizes.is_sorted_by(|one, next| one < next) && found.sizes[0] > 0);
    assert!(found.seeds.is_sorted_by(|one, next| one < next));
    for point in &found.points {
        assert!(found.sizes.contains(&point.width) && found.seeds.contains(&point.seed));
        assert!(
            found
                .tensors
                .iter()
                .any(|tensor| tensor.name == point.tensor)
        );
        assert!(point.step <= found.steps);
    }
    let tensors = found.tensors.len();
    let scheme = Scheme::new(Parameterization::Mup, Perturbation::Mup2);
    match found.judge("mup2", &scheme, 0.2) {
        Err(error) => sentence(&error, "; allowed: "),
        Ok(report) => {
            assert_eq!(report.tensors.len(), tensors);
            let page = html(&report);
            assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
            assert!(!terminal_table(&report, false).is_empty());
        }
    }
});
