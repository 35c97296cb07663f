//! Numbers as text: per cent, percentage points, octaves and powers of two.

use super::edges::Bound;

/// What stands where a number is absent.
pub(super) const ABSENT: &str = "–";

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

/// A number in exactly two decimals, for columns: `−1.50`.
pub(super) fn two_decimals(value: f64) -> String {
    signless_zero(format!("{value:.2}"))
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

fn signed(value: f64, number: &str) -> String {
    let is_zero = number.chars().all(|digit| digit == '0' || digit == '.');
    let sign = if value > 0.0 && !is_zero { "+" } else { "" };
    format!("{sign}{number}")
}

/// A hyperparameter as a power of two where it is one: `2⁻⁴`, else `0.1`.
pub(super) fn power(value: f64) -> String {
    match exponent(value) {
        Some(exponent) => format!("2{}", raised(exponent)),
        None => plain(value),
    }
}

/// A whole number in raised digits.
fn raised(number: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let digits = number.to_string();
    digits
        .chars()
        .map(|digit| match digit.to_digit(10) {
            Some(value) => DIGITS[value as usize],
            None => '⁻',
        })
        .collect()
}

/// The whole exponent of a power of two.
fn exponent(value: f64) -> Option<i32> {
    let logarithm = value.log2();
    let whole = logarithm.round();
    (logarithm.is_finite() && (logarithm - whole).abs() < 1e-6).then_some(whole as i32)
}

/// A positive number in at most four significant digits.
fn plain(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value.abs().log10().floor();
    if (-5.0..6.0).contains(&magnitude) {
        let decimals = (3.0 - magnitude).clamp(0.0, 9.0) as usize;
        let text = format!("{value:.decimals$}");
        minus(strip_zeros(&text))
    } else {
        minus(&format!("{value:.3e}"))
    }
}

/// A number in at most two decimals, without trailing zeros: `1`, `0.53`, `−2.5`.
pub(super) fn trimmed(value: f64) -> String {
    let text = two_decimals(value);
    strip_zeros(&text).to_owned()
}

/// A count with its noun: `1 run`, `3 runs`.
pub(super) fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

fn strip_zeros(text: &str) -> &str {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}

/// Replaces the hyphen by the minus sign, and drops the sign of a rounded zero.
fn signless_zero(text: String) -> String {
    let digits = text.trim_start_matches('-');
    if digits.chars().all(|digit| digit == '0' || digit == '.') {
        digits.to_owned()
    } else {
        minus(&text)
    }
}

fn minus(text: &str) -> String {
    text.replace('-', "−")
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
        assert_eq!(power(0.0625), "2⁻⁴");
        assert_eq!(power(0.1), "0.1");
        assert_eq!(plain(0.0), "0");
        assert_eq!(plain(1e-9), "1.000e−9");
        assert_eq!(count(1, "run"), "1 run");
    }
}
