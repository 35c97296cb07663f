//! What the table and the page of a check both say: slopes, shares, what was checked, the verdict.

use mup2_scaling::check::CheckReport;
use mup2_scaling::number::{ABSENT, count, plain, signed, two_decimals};

/// More seeds than these are counted, not listed.
const MOST_SEEDS_LISTED: usize = 8;

/// A slope, always signed: `−1.50`, `+0.50`, `0.00`; `–` where it is absent.
pub(super) fn slope(slope: Option<f64>) -> String {
    match slope.filter(|slope| slope.is_finite()) {
        Some(slope) => signed(slope, &short(slope)),
        None => ABSENT.to_owned(),
    }
}

/// A slope with its standard error: `−1.50 ± 0.02`.
pub(super) fn slope_with_error(value: Option<f64>, stderr: Option<f64>) -> String {
    let value = value.filter(|value| value.is_finite());
    match (value, stderr.filter(|stderr| stderr.is_finite())) {
        (Some(_), Some(stderr)) => format!("{} ± {}", slope(value), short(stderr)),
        _ => slope(value),
    }
}

/// A share between 0 and 1 in per cent: `33.3`; a share that is not zero never reads as zero.
pub(super) fn percent(share: Option<f64>) -> String {
    let percent = share.map(|share| share * 100.0);
    match percent.filter(|percent| percent.is_finite()) {
        Some(percent) if percent > 0.0 && percent < 0.05 => "< 0.1".to_owned(),
        Some(percent) if percent.abs() < 1000.0 => format!("{percent:.1}"),
        Some(percent) => plain(percent),
        None => ABSENT.to_owned(),
    }
}

/// `yes`, `no` or `–`.
pub(super) fn yes_or_no(answer: Option<bool>) -> &'static str {
    match answer {
        Some(true) => "yes",
        Some(false) => "no",
        None => ABSENT,
    }
}

/// Two decimals, except for numbers so large that they would only be noise.
fn short(value: f64) -> String {
    if value.abs() < 1000.0 {
        two_decimals(value)
    } else {
        plain(value)
    }
}

/// What was checked, in parts: `rule sam`, `widths 64, 128`, `seeds 0, 1`, `4 steps`.
pub(super) fn what_was_checked(report: &CheckReport) -> Vec<String> {
    let is_rule = |(name, _): &&(String, String)| name.eq_ignore_ascii_case("rule");
    let rule = report.settings.iter().find(is_rule);
    let mut parts: Vec<String> = rule
        .map(|(_, rule)| format!("rule {rule}"))
        .into_iter()
        .collect();
    parts.push(listed("width", &report.widths));
    parts.push(if report.seeds.len() > MOST_SEEDS_LISTED {
        count(report.seeds.len(), "seed")
    } else {
        listed("seed", &report.seeds)
    });
    parts.push(count(report.steps, "step"));
    parts
}

fn listed(noun: &str, numbers: &[impl ToString]) -> String {
    if numbers.is_empty() {
        return format!("no {noun}");
    }
    let plural = if numbers.len() == 1 { "" } else { "s" };
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    format!("{noun}{plural} {}", numbers.join(", "))
}

/// The outcome of the whole check in a word, and in a sentence.
pub(super) fn outcome(report: &CheckReport) -> (&'static str, &'static str) {
    match (report.pass, report.stable) {
        (true, _) => (
            "PASS",
            "nothing grows with the width, and the perturbation is effective in every tensor that \
             the rule perturbs.",
        ),
        (false, true) => (
            "FAIL",
            "nothing grows with the width, but the perturbation is not shown to be effective in \
             every tensor.",
        ),
        (false, false) if report.divergences.is_empty() => (
            "FAIL",
            "something that was measured grows with the width, so the scheme is not stable.",
        ),
        (false, false) => (
            "FAIL",
            "trainings stopped being finite, so the scheme is not stable at this learning rate and \
             radius.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_and_shares_read_as_a_person_would_write_them() {
        assert_eq!(slope_with_error(Some(-1.5), Some(0.021)), "−1.50 ± 0.02");
        assert_eq!(slope_with_error(Some(0.5), None), "+0.50");
        assert_eq!(slope_with_error(None, Some(0.1)), "–");
        assert_eq!(slope(Some(-0.001)), "0.00");
        assert_eq!(slope(Some(f64::NAN)), "–");
        assert_eq!(slope(Some(-1e300)), "−1.000e300");
        assert_eq!(percent(Some(0.3333)), "33.3");
        assert_eq!(percent(Some(1e-9)), "< 0.1");
        assert_eq!(percent(Some(0.0)), "0.0");
        assert_eq!(percent(Some(1e307)), "–");
    }
}
