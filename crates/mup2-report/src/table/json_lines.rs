//! JSON Lines: one object a line; the keys of nested objects are joined by dots.

use super::Wanted;
use super::columns::{Columns, Found, Value};
use super::files::{Source, broken};
use mup2_scaling::error;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::Path;

pub(super) fn read(
    source: Source,
    path: &Path,
    wanted: &[Wanted],
    columns: &mut Columns,
    found: &mut Found,
) -> error::Result<()> {
    let record_size = source.record();
    let mut reader = BufReader::with_capacity(1 << 16, source);
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        record_size.set(0);
        number += 1;
        let count = reader
            .read_until(b'\n', &mut line)
            .map_err(|error| broken(path, number, error))?;
        if count == 0 {
            return Ok(());
        }
        let bytes = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line);
        let bytes = bytes.trim_ascii();
        if bytes.is_empty() {
            continue;
        }
        if bytes[0] != b'{' {
            let problem = "is no JSON object; JSON Lines has one {…} a line";
            return Err(broken(path, number, problem));
        }
        let mut row = vec![Value::Missing; wanted.len()];
        let bytes = without_bare_nan(bytes);
        let mut json = serde_json::Deserializer::from_slice(&bytes);
        let seed = Object {
            prefix: "",
            wanted,
            row: &mut row,
            columns,
            found,
        };
        seed.deserialize(&mut json)
            .and_then(|()| json.end())
            .map_err(|error| broken(path, number, error))?;
        columns.push(&row);
    }
}

/// Puts quotes around the words `NaN` and `Infinity` outside of texts: Python writes them into JSON,
/// which has none.
pub(crate) fn without_bare_nan(line: &[u8]) -> Cow<'_, [u8]> {
    const WORDS: [&[u8]; 3] = [b"NaN", b"-Infinity", b"Infinity"];
    let has = |word: &[u8]| line.windows(word.len()).any(|part| part == word);
    if !has(b"NaN") && !has(b"Infinity") {
        return Cow::Borrowed(line);
    }
    let mut mended = Vec::with_capacity(line.len() + 8);
    let (mut place, mut in_text) = (0, false);
    while let Some(&byte) = line.get(place) {
        let rest = line.get(place..).unwrap_or_default();
        let word = WORDS
            .into_iter()
            .find(|word| !in_text && rest.starts_with(word));
        if let Some(word) = word {
            mended.push(b'"');
            mended.extend_from_slice(word);
            mended.push(b'"');
            place += word.len();
            continue;
        }
        if in_text && byte == b'\\' {
            mended.extend(rest.iter().take(2));
            place += 2;
            continue;
        }
        in_text ^= byte == b'"';
        mended.push(byte);
        place += 1;
    }
    Cow::Owned(mended)
}

/// One object, whose keys continue `prefix`.
struct Object<'a> {
    prefix: &'a str,
    wanted: &'a [Wanted],
    row: &'a mut [Value],
    columns: &'a mut Columns,
    found: &'a mut Found,
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<str>>()? {
            let name = if self.prefix.is_empty() {
                key.into_owned()
            } else {
                format!("{}.{key}", self.prefix)
            };
            self.found.name(&name);
            let wanted = self.wanted.iter();
            let place = wanted.clone().position(|one| one.column == name);
            let is_inside = |one: &Wanted| {
                let rest = one.column.strip_prefix(&name);
                rest.is_some_and(|rest| rest.starts_with('.'))
            };
            if let Some(place) = place {
                self.found.has[place] = true;
                self.row[place] = map.next_value_seed(Scalar(self.columns))?;
            } else if wanted.clone().any(is_inside) {
                map.next_value_seed(Object {
                    prefix: &name,
                    wanted: self.wanted,
                    row: self.row,
                    columns: self.columns,
                    found: self.found,
                })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    // What is no object has no keys: the columns inside it are missing in this row.
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// The value of a wanted key.
struct Scalar<'a>(&'a mut Columns);

impl<'de> DeserializeSeed<'de> for Scalar<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Scalar<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Missing)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(self.0.text(if value { "true" } else { "false" }))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value as f64))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value as f64))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(self.0.value(value))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(self.0.text("a list"))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(self.0.text("an object"))
    }
}
