//! The cells of a table in memory: only the columns that are wanted, texts kept once each.

use std::collections::{BTreeSet, HashMap};

/// One cell of a table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value {
    /// Nothing, or the column is not in this file.
    Missing,
    /// A number, which may be NaN or infinite.
    Number(f64),
    /// The place of a text among [`Columns::texts`].
    Text(u32),
}

/// The wanted columns of all files, row after row.
#[derive(Debug)]
pub(super) struct Columns {
    pub columns: Vec<Vec<Value>>,
    pub texts: Vec<String>,
    places: HashMap<String, u32>,
}

/// What the files have.
#[derive(Debug)]
pub(super) struct Found {
    /// Which of the wanted columns any file has.
    pub has: Vec<bool>,
    /// The names of all columns, as far as they are few.
    pub columns: BTreeSet<String>,
    /// Rows with more cells than the header has names.
    pub ragged: usize,
}

/// Names of columns beyond this many are not kept: JSON Lines may have new ones in every line.
const KEPT_NAMES: usize = 1000;

impl Found {
    pub fn new(wanted: usize) -> Self {
        Self {
            has: vec![false; wanted],
            columns: BTreeSet::new(),
            ragged: 0,
        }
    }

    pub fn name(&mut self, column: &str) {
        if self.columns.len() < KEPT_NAMES && !self.columns.contains(column) {
            self.columns.insert(column.to_owned());
        }
    }
}

impl Columns {
    pub fn new(wanted: usize) -> Self {
        Self {
            columns: vec![Vec::new(); wanted],
            texts: Vec::new(),
            places: HashMap::new(),
        }
    }

    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }

    pub fn push(&mut self, row: &[Value]) {
        for (column, value) in self.columns.iter_mut().zip(row) {
            column.push(*value);
        }
    }

    /// A cell as it stands in a text file: a number where it reads as one.
    pub fn value(&mut self, cell: &str) -> Value {
        let cell = cell.trim();
        if cell.is_empty() {
            return Value::Missing;
        }
        match cell.parse() {
            Ok(number) => Value::Number(number),
            Err(_) => self.text(cell),
        }
    }

    /// A text, which is kept once.
    pub fn text(&mut self, text: &str) -> Value {
        if let Some(place) = self.places.get(text) {
            return Value::Text(*place);
        }
        let Ok(place) = u32::try_from(self.texts.len()) else {
            return Value::Missing;
        };
        self.texts.push(text.to_owned());
        self.places.insert(text.to_owned(), place);
        Value::Text(place)
    }
}
