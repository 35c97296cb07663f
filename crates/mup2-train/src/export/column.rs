//! A column of a table: its name and how the value of a row is read, whatever the file's format.

use crate::error::{Error, Result};

/// A column of a table whose rows are made from `Row`s.
#[derive(Debug)]
pub(super) struct Column<Row> {
    /// Name, in the first line or the schema.
    pub name: &'static str,
    read: Read<Row>,
}

#[derive(Debug)]
enum Read<Row> {
    Integer(fn(&Row) -> Option<u64>),
    Real(fn(&Row) -> Option<f64>),
    Text(fn(&Row) -> Option<String>),
}

/// The values of a column, one a row; `None` is null.
#[derive(Debug)]
pub(super) enum Values {
    /// Whole numbers.
    Integers(Vec<Option<i64>>),
    /// Finite numbers.
    Reals(Vec<Option<f64>>),
    /// Text, as long as it is and with any character.
    Texts(Vec<Option<String>>),
}

/// A column of whole numbers. They are unsigned in our types, but signed in files: the difference
/// of two unsigned columns would wrap around in a reader's hands.
pub(super) const fn integer<Row>(name: &'static str, read: fn(&Row) -> Option<u64>) -> Column<Row> {
    let read = Read::Integer(read);
    Column { name, read }
}

/// A column of numbers; one that is not finite is written as null, in every format.
pub(super) const fn real<Row>(name: &'static str, read: fn(&Row) -> Option<f64>) -> Column<Row> {
    let read = Read::Real(read);
    Column { name, read }
}

/// A column of text.
pub(super) const fn text<Row>(name: &'static str, read: fn(&Row) -> Option<String>) -> Column<Row> {
    let read = Read::Text(read);
    Column { name, read }
}

impl<Row> Column<Row> {
    /// The values of `rows`.
    ///
    /// # Errors
    /// When a whole number is beyond 2^63 − 1.
    pub fn values(&self, rows: &[Row]) -> Result<Values> {
        Ok(match self.read {
            Read::Integer(read) => {
                let signed = |row| read(row).map(|value| self.signed(value)).transpose();
                Values::Integers(rows.iter().map(signed).collect::<Result<_>>()?)
            }
            Read::Real(read) => {
                let finite = |row| read(row).filter(|value| value.is_finite());
                Values::Reals(rows.iter().map(finite).collect())
            }
            Read::Text(read) => Values::Texts(rows.iter().map(read).collect()),
        })
    }

    fn signed(&self, value: u64) -> Result<i64> {
        i64::try_from(value).map_err(|_| {
            Error::invalid(
                format!("exported column `{}`", self.name),
                format!("holds {value}"),
                format!("whole numbers up to {}", i64::MAX),
            )
        })
    }
}
