//! Numbers of the report as text: per cent, percentage points and octaves.

use super::edges::Bound;
use mup2_scaling::number::{ABSENT, signed, trimmed, two_decimals};

/// An accuracy in per cent: `83.12`.
pub(super) fn percent(accuracy: Option<f64>) -> String {
    accuracy.map_or(ABSENT.to_owned(), |value| two_decimals(value * 100.0))
}

/// An accuracy in per cent with its standard error: `83.12 ± 0.15`.
pub(super) fn percent_with_error(accuracy: Option<f64>, stderr: Option<f64>) -> String {
    match (accuracy, stderr) {
        (Some(_), Some(stderr)) => format!("{} ± {:.2}", percent(accuracy), stderr * 100.0),
        _ => percent(accuracy),
    }
}

/// A difference of accuracies in percentage points, always signed: `+0.50 ± 0.20`.
pub(super) fn points_with_error(difference: Option<f64>, stderr: Option<f64>) -> String {
    let text = percent_with_error(difference, stderr);
    match difference {
        Some(value) if (value * 100.0) >= 0.005 => format!("+{text}"),
        _ => text,
    }
}

/// The name of a size for a column of several: `widths`.
pub(super) fn plural(name: &str) -> String {
    if name.ends_with('s') {
        name.to_owned()
    } else {
        format!("{name}s")
    }
}

/// A name at the beginning of a line.
pub(super) fn capital(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

/// A drift between grid values in octaves: `+1`, `0`, `−0.5`.
pub(super) fn octaves(drift: Option<f64>) -> String {
    drift.map_or(ABSENT.to_owned(), |drift| signed(drift, &trimmed(drift)))
}

/// A drift between interpolated or averaged values in octaves: `+1.00`, `−0.53`; a bound reads
/// `≥ +0.53`.
pub(super) fn fine_octaves(drift: Option<f64>, bound: Option<Bound>) -> String {
    let Some(drift) = drift else {
        return ABSENT.to_owned();
    };
    let number = signed(drift, &two_decimals(drift));
    let bound = match bound {
        Some(Bound::AtLeast) => "≥ ",
        Some(Bound::AtMost) => "≤ ",
        Some(Bound::Exact) | None => "",
    };
    format!("{bound}{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_a_person_would_write_them() {
        assert_eq!(
            percent_with_error(Some(0.8312), Some(0.0015)),
            "83.12 ± 0.15"
        );
        assert_eq!(percent_with_error(None, None), "–");
        assert_eq!(points_with_error(Some(-0.005), Some(0.001)), "−0.50 ± 0.10");
        assert_eq!(points_with_error(Some(0.005), None), "+0.50");
        assert_eq!(points_with_error(Some(-1e-9), None), "0.00");
        assert_eq!(fine_octaves(Some(1.0), Some(Bound::Exact)), "+1.00");
        assert_eq!(octaves(Some(0.0)), "0");
        assert_eq!(octaves(Some(-0.5)), "−0.5");
        assert_eq!(octaves(None), "–");
        assert_eq!(fine_octaves(Some(0.001), None), "0.00");
        assert_eq!(fine_octaves(Some(0.526), Some(Bound::AtLeast)), "≥ +0.53");
        assert_eq!(fine_octaves(Some(-2.5), Some(Bound::AtMost)), "≤ −2.50");
    }
}
