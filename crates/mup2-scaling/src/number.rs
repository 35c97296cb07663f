//! Numbers as text, as a person would write them: `−1.50`, `2⁻⁴`, `3 runs`.

/// What stands where a number is absent.
pub const ABSENT: &str = "–";

/// A number in exactly two decimals, for columns: `−1.50`.
pub fn two_decimals(value: f64) -> String {
    signless_zero(format!("{value:.2}"))
}

/// Puts a plus sign before the text of a number that is above zero as it is shown.
pub fn signed(value: f64, number: &str) -> String {
    let is_zero = number.chars().all(|digit| digit == '0' || digit == '.');
    let sign = if value > 0.0 && !is_zero { "+" } else { "" };
    format!("{sign}{number}")
}

/// A hyperparameter as a power of two where it is one: `2⁻⁴`, else `0.1`.
pub fn power(value: f64) -> String {
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
pub fn plain(value: f64) -> String {
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
pub fn trimmed(value: f64) -> String {
    let text = two_decimals(value);
    strip_zeros(&text).to_owned()
}

/// A count with its noun: `1 run`, `3 runs`.
pub fn count(number: usize, noun: &str) -> String {
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
        assert_eq!(two_decimals(-1.5), "−1.50");
        assert_eq!(two_decimals(-0.001), "0.00");
        assert_eq!(signed(0.5, "0.50"), "+0.50");
        assert_eq!(power(0.0625), "2⁻⁴");
        assert_eq!(power(0.1), "0.1");
        assert_eq!(plain(0.0), "0");
        assert_eq!(plain(1e-9), "1.000e−9");
        assert_eq!(count(1, "run"), "1 run");
    }
}
