//! A table as comma-separated values.

use super::column::Values;
use std::error::Error;

/// Encodes `rows` rows of named columns.
///
/// # Errors
/// None in practice: the writer may fail, but memory does not.
pub(super) fn encode(
    columns: &[(&str, Values)],
    rows: usize,
) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(columns.iter().map(|(name, _)| name))?;
    for row in 0..rows {
        writer.write_record(columns.iter().map(|(_, values)| field(values, row)))?;
    }
    Ok(writer.into_inner()?)
}

/// The field of a row; null is empty.
fn field(values: &Values, row: usize) -> String {
    match values {
        Values::Integers(values) => values[row].map(|value| value.to_string()),
        // The shortest digits that are read back as the same number; never without a point or an
        // exponent, so that a reader who guesses types does not see whole numbers.
        Values::Reals(values) => values[row].map(|value| format!("{value:?}")),
        Values::Texts(values) => values[row].clone(),
    }
    .unwrap_or_default()
}
