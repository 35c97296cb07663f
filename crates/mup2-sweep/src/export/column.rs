//! A column of a table: its name and how the value of a row is read, whatever the file's format.

use crate::error::{Error, Result};
use std::borrow::Cow;

/// A column of a table whose rows are made from `Row`s.
pub(super) struct Column<Row> {
    /// Name, in the first line or the schema.
    pub name: Cow<'static, str>,
    read: Read<Row>,
}

/// How a value is read from a row.
type Reader<Row, Value> = Box<dyn Fn(&Row) -> Option<Value>>;

enum Read<Row> {
    Integer(Reader<Row, u64>),
    Real(Reader<Row, f64>),
    Text(Reader<Row, String>),
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
pub(super) fn integer<Row>(
    name: impl Into<Cow<'static, str>>,
    read: impl Fn(&Row) -> Option<u64> + 'static,
) -> Column<Row> {
    Column {
        name: name.into(),
        read: Read::Integer(Box::new(read)),
    }
}

/// A column of numbers; one that is not finite is written as null, in every format.
pub(super) fn real<Row>(
    name: impl Into<Cow<'static, str>>,
    read: impl Fn(&Row) -> Option<f64> + 'static,
) -> Column<Row> {
    Column {
        name: name.into(),
        read: Read::Real(Box::new(read)),
    }
}

/// A column of text.
pub(super) fn text<Row>(
    name: impl Into<Cow<'static, str>>,
    read: impl Fn(&Row) -> Option<String> + 'static,
) -> Column<Row> {
    Column {
        name: name.into(),
        read: Read::Text(Box::new(read)),
    }
}

impl<Row> Column<Row> {
    /// The values of `rows`.
    ///
    /// # Errors
    /// When a whole number is beyond 2^63 − 1.
    pub fn values(&self, rows: &[Row]) -> Result<Values> {
        Ok(match &self.read {
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
