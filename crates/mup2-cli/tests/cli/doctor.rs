//! `mup2 doctor`: a sweep's failures in plain words.

use crate::{TINY, mup2, run_sweep, stderr, stdout, workspace};
use serde_json::Value;

#[test]
fn every_scheme_of_a_sweep_is_diagnosed() {
    let directory = workspace(TINY);
    assert_eq!(
        run_sweep(directory.path(), "out", &[]).status.code(),
        Some(0)
    );
    let output = mup2(&["doctor", "out"], directory.path());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(
        text.contains("mup-global: ") && text.contains("mup2: "),
        "{text}"
    );

    let output = mup2(&["doctor", "out", "--format", "json"], directory.path());
    let diagnosis: Value = serde_json::from_slice(&output.stdout).unwrap();
    let schemes = diagnosis["schemes"].as_array().unwrap();
    assert_eq!(schemes.len(), 2);
    let vanishing = |scheme: &Value| {
        let findings = scheme["findings"].as_array().unwrap();
        let signature = |finding: &&Value| finding["signature"] == "vanishing-perturbation";
        findings.iter().any(|finding| signature(&finding))
    };
    assert!(vanishing(&schemes[0]), "{}", schemes[0]);
    assert!(!vanishing(&schemes[1]), "{}", schemes[1]);
}

#[test]
fn the_check_that_the_doctor_advises_can_be_run() {
    let directory = workspace(TINY);
    run_sweep(directory.path(), "out", &[]);
    let text = stdout(&mup2(&["doctor", "out"], directory.path()));
    let advice = text
        .split('`')
        .find(|quoted| quoted.starts_with("mup2 check"))
        .unwrap();
    let arguments: Vec<&str> = advice.split_whitespace().skip(1).collect();
    let output = mup2(&arguments, directory.path());
    assert_eq!(
        output.status.code(),
        Some(1),
        "{advice}: {}",
        stderr(&output)
    );
}
