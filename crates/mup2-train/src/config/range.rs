//! Whether a number of a file is within its range, said in one wording.

use crate::error::{Error, Result};

/// # Errors
/// When `value`, which stands at `place`, is below `least` or above `most`.
pub(super) fn whole(place: String, value: usize, least: usize, most: usize) -> Result<()> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let allowed = format!("whole numbers from {least} to {most}");
    Err(Error::invalid(place, format!("is {value}"), allowed))
}

/// # Errors
/// When `value` is not finite or not `ok`; `allowed` says what is.
pub(super) fn real(place: String, value: f64, allowed: &str, ok: bool) -> Result<()> {
    if value.is_finite() && ok {
        return Ok(());
    }
    Err(Error::invalid(place, format!("is {value}"), allowed))
}

/// # Errors
/// When `value` is not finite and above 0.
pub(super) fn positive(place: String, value: f64) -> Result<()> {
    real(place, value, "finite numbers above 0", value > 0.0)
}

/// # Errors
/// When `value` is not from 0 to below 1.
pub(super) fn fraction(place: String, value: f64) -> Result<()> {
    let within = (0.0..1.0).contains(&value);
    real(place, value, "numbers from 0 to below 1", within)
}

/// # Errors
/// When `parts` does not divide both of the width and the base width.
pub(super) fn divisor(
    place: String,
    parts: usize,
    (width, base_width): (usize, usize),
) -> Result<()> {
    if parts > 0 && width.is_multiple_of(parts) && base_width.is_multiple_of(parts) {
        return Ok(());
    }
    let allowed = format!("divisors of the width {width} and of the base width {base_width}");
    Err(Error::invalid(place, format!("is {parts}"), allowed))
}
