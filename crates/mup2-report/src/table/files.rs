//! Opening a table: its kind by its name, compression by its first bytes, and limits on what one
//! record may hold.

use super::columns::{Columns, Found};
use super::{Wanted, json_lines, parquet, separated};
use flate2::read::MultiGzDecoder;
use mup2_scaling::error::{Error, Result};
use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

/// Ends of the names of tables; each may be followed by `.gz`.
pub const EXTENSIONS: [&str; 8] = [
    ".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json", ".parquet", ".pq",
];

/// More bytes than this in one row are no row of results.
const LARGEST_RECORD: u64 = 16 << 20;

/// Whether a path is named like a table.
pub fn is_table(path: &Path) -> bool {
    kind(path).is_some()
}

/// The end of the name, without `.gz`.
fn kind(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    EXTENSIONS.into_iter().find(|end| name.ends_with(end))
}

/// Appends the rows of one file.
pub(super) fn read(
    path: &Path,
    wanted: &[Wanted],
    columns: &mut Columns,
    found: &mut Found,
) -> Result<()> {
    let Some(kind) = kind(path) else {
        return Err(Error::invalid(
            path.display().to_string(),
            "is no table by its name",
            format!(
                "a directory of a sweep, or a name that ends in {}, also with .gz",
                EXTENSIONS.join(", ")
            ),
        ));
    };
    let metadata = std::fs::metadata(path).map_err(Error::io("read", path))?;
    if !metadata.is_file() {
        return Err(Error::invalid(
            path.display().to_string(),
            "is no file",
            "a regular file",
        ));
    }
    let is_gzip = is_gzip(path)?;
    match kind {
        ".parquet" | ".pq" => parquet::read(path, is_gzip, wanted, columns, found),
        ".csv" => separated::read(open(path, is_gzip)?, path, b',', wanted, columns, found),
        ".tsv" | ".tab" => {
            separated::read(open(path, is_gzip)?, path, b'\t', wanted, columns, found)
        }
        _ => json_lines::read(open(path, is_gzip)?, path, wanted, columns, found),
    }
}

fn is_gzip(path: &Path) -> Result<bool> {
    let mut first = Vec::new();
    let file = File::open(path).map_err(Error::io("read", path))?;
    file.take(2)
        .read_to_end(&mut first)
        .map_err(Error::io("read", path))?;
    Ok(first == [0x1f, 0x8b])
}

/// A file's bytes, unpacked; an error as soon as one record is too large.
pub(super) struct Source {
    bytes: Box<dyn Read>,
    /// Bytes since the last whole record.
    record: Rc<Cell<u64>>,
}

impl Source {
    /// Where a reader says that a record is whole.
    pub fn record(&self) -> Rc<Cell<u64>> {
        Rc::clone(&self.record)
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        let record = self.record.get() + count as u64;
        self.record.set(record);
        if record > LARGEST_RECORD {
            return Err(io::Error::other(TOO_LARGE));
        }
        Ok(count)
    }
}

/// The message of a record that is too large.
const TOO_LARGE: &str = "a row has more than 16 MiB";

fn open(path: &Path, is_gzip: bool) -> Result<Source> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let file = BufReader::with_capacity(1 << 18, file);
    let bytes: Box<dyn Read> = if is_gzip {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let record = Rc::new(Cell::new(0));
    Ok(Source { bytes, record })
}

/// What is wrong with a row.
pub(super) fn broken(path: &Path, row: u64, problem: impl std::fmt::Display) -> Error {
    Error::corrupt(
        path,
        format!("row {row}: {problem}"),
        "repair or remove the row",
    )
}
