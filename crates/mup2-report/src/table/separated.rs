//! CSV and TSV: a header of names, then one run a row.

use super::Wanted;
use super::columns::{Columns, Found, Value};
use super::files::{Source, broken};
use csv::{ByteRecord, ReaderBuilder};
use mup2_scaling::error::{Error, Result};
use std::path::Path;

pub(super) fn read(
    source: Source,
    path: &Path,
    separator: u8,
    wanted: &[Wanted],
    columns: &mut Columns,
    found: &mut Found,
) -> Result<()> {
    let record_size = source.record();
    let mut reader = ReaderBuilder::new()
        .delimiter(separator)
        .flexible(true)
        .buffer_capacity(1 << 16)
        .from_reader(source);
    let header = reader
        .byte_headers()
        .map_err(|error| broken(path, 1, error))?;
    let header: Vec<String> = header
        .iter()
        .map(|name| {
            let name = String::from_utf8_lossy(name);
            name.trim_start_matches('\u{feff}').trim().to_owned()
        })
        .collect();
    check_header(path, &header, separator)?;
    let mut places = Vec::with_capacity(wanted.len());
    for one in wanted {
        let mut same = header
            .iter()
            .enumerate()
            .filter(|(_, name)| !one.column.is_empty() && **name == one.column);
        let place = same.next().map(|(place, _)| place);
        if same.next().is_some() {
            return Err(Error::invalid(
                path.display().to_string(),
                format!("has the column `{}` twice", one.column),
                "each column once",
            ));
        }
        places.push(place);
    }
    for (place, has) in places.iter().zip(&mut found.has) {
        *has |= place.is_some();
    }
    for name in &header {
        found.name(name);
    }
    let mut record = ByteRecord::new();
    let mut row = vec![Value::Missing; wanted.len()];
    loop {
        record_size.set(0);
        let number = reader.position().line();
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => return Err(broken(path, number, error)),
        }
        found.ragged += usize::from(record.len() > header.len());
        for (value, place) in row.iter_mut().zip(&places) {
            let cell = place.and_then(|place| record.get(place));
            *value = match cell {
                Some(cell) => columns.value(&String::from_utf8_lossy(cell)),
                None => Value::Missing,
            };
        }
        columns.push(&row);
    }
}

fn check_header(path: &Path, header: &[String], separator: u8) -> Result<()> {
    let other = |sign: char| header.len() == 1 && header[0].contains(sign);
    let found = [';', '\t', ','].into_iter().find(|sign| other(*sign));
    match found {
        Some(sign) if u32::from(sign) != u32::from(separator) => Err(Error::invalid(
            path.display().to_string(),
            format!("has its columns separated by {sign:?}"),
            "commas in .csv, tabs in .tsv",
        )),
        _ => Ok(()),
    }
}
