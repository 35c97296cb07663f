//! Parquet without Arrow: flat columns and columns inside groups, not lists.

use super::Wanted;
use super::columns::{Columns, Found, Value};
use flate2::read::MultiGzDecoder;
use mup2_scaling::error::{Error, Result};
use parquet::basic::{ConvertedType, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A file packed with gzip is unpacked in memory, up to this many bytes.
const LARGEST_UNPACKED: u64 = 512 << 20;

pub(super) fn read(
    path: &Path,
    is_gzip: bool,
    wanted: &[Wanted],
    columns: &mut Columns,
    found: &mut Found,
) -> Result<()> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    if !is_gzip {
        return read_chunks(file, path, wanted, columns, found);
    }
    let mut bytes = Vec::new();
    MultiGzDecoder::new(file)
        .take(LARGEST_UNPACKED + 1)
        .read_to_end(&mut bytes)
        .map_err(Error::io("read", path))?;
    if bytes.len() as u64 > LARGEST_UNPACKED {
        return Err(Error::invalid(
            path.display().to_string(),
            "has more than 512 MiB when unpacked",
            "a Parquet file that is not packed with gzip",
        ));
    }
    read_chunks(bytes::Bytes::from(bytes), path, wanted, columns, found)
}

fn read_chunks<C: ChunkReader + 'static>(
    chunks: C,
    path: &Path,
    wanted: &[Wanted],
    columns: &mut Columns,
    found: &mut Found,
) -> Result<()> {
    let broken = |error: parquet::errors::ParquetError| {
        Error::corrupt(
            path,
            format!("cannot be read as Parquet: {error}"),
            "write it again, uncompressed or with snappy",
        )
    };
    let reader = SerializedFileReader::new(chunks).map_err(broken)?;
    let schema = reader.metadata().file_metadata().schema_descr();
    let mut places: Vec<Option<usize>> = vec![None; wanted.len()];
    for (column, descriptor) in schema.columns().iter().enumerate() {
        let name = descriptor.path().string();
        found.name(&name);
        let of = wanted.iter().position(|one| one.column == name);
        if let Some(place) = of {
            if descriptor.max_rep_level() > 0 {
                return Err(Error::invalid(
                    path.display().to_string(),
                    format!("its column `{name}` holds lists"),
                    "one value a row",
                ));
            }
            places[place] = Some(column);
            found.has[place] = true;
        }
    }
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).map_err(broken)?;
        let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
        for (place, column) in places.iter().enumerate() {
            let before = columns.columns[place].len();
            if let Some(column) = *column {
                let descriptor = schema.column(column);
                let reader = group.get_column_reader(column).map_err(broken)?;
                read_column(reader, &descriptor, place, columns).map_err(broken)?;
            }
            let read = columns.columns[place].len() - before;
            if column.is_some() && read != rows {
                return Err(Error::corrupt(
                    path,
                    format!("a column has {read} values in {rows} rows"),
                    "write it again",
                ));
            }
            columns.columns[place].resize(before + rows, Value::Missing);
        }
    }
    Ok(())
}

type Outcome<T> = std::result::Result<T, parquet::errors::ParquetError>;

fn read_column(
    reader: ColumnReader,
    descriptor: &ColumnDescriptor,
    place: usize,
    columns: &mut Columns,
) -> Outcome<()> {
    let levels = descriptor.max_def_level();
    match reader {
        ColumnReader::BoolColumnReader(reader) => {
            values(reader, levels, place, columns, |columns, value| {
                columns.text(if *value { "true" } else { "false" })
            })
        }
        ColumnReader::Int32ColumnReader(reader) => {
            values(reader, levels, place, columns, |_, value| {
                Value::Number(f64::from(*value))
            })
        }
        ColumnReader::Int64ColumnReader(reader) => {
            values(reader, levels, place, columns, |_, value| {
                Value::Number(*value as f64)
            })
        }
        ColumnReader::FloatColumnReader(reader) => {
            values(reader, levels, place, columns, |_, value| {
                // The decimal number that was meant: 0.1, not 0.10000000149.
                let shortest = value.to_string().parse();
                Value::Number(shortest.unwrap_or(f64::from(*value)))
            })
        }
        ColumnReader::DoubleColumnReader(reader) => {
            values(reader, levels, place, columns, |_, value| {
                Value::Number(*value)
            })
        }
        ColumnReader::ByteArrayColumnReader(reader) => {
            if descriptor.physical_type() == Type::BYTE_ARRAY
                && descriptor.converted_type() == ConvertedType::DECIMAL
            {
                return Err(unsupported("decimal numbers"));
            }
            values(reader, levels, place, columns, |columns, value| {
                columns.value(&String::from_utf8_lossy(value.data()))
            })
        }
        ColumnReader::Int96ColumnReader(_) => Err(unsupported("timestamps")),
        ColumnReader::FixedLenByteArrayColumnReader(_) => Err(unsupported("bytes of fixed length")),
    }
}

fn unsupported(what: &str) -> parquet::errors::ParquetError {
    parquet::errors::ParquetError::General(format!("a wanted column holds {what}"))
}

/// Appends the values of one column of a row group; rows without one are missing.
fn values<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    levels: i16,
    place: usize,
    columns: &mut Columns,
    value: impl Fn(&mut Columns, &T::T) -> Value,
) -> Outcome<()> {
    const BATCH: usize = 1 << 14;
    let (mut definitions, mut numbers) = (Vec::new(), Vec::new());
    loop {
        definitions.clear();
        numbers.clear();
        let of_definitions = (levels > 0).then_some(&mut definitions);
        let (records, _, _) = reader.read_records(BATCH, of_definitions, None, &mut numbers)?;
        if records == 0 {
            return Ok(());
        }
        let mut present = numbers.iter();
        for row in 0..records {
            let is_present = levels == 0 || definitions.get(row) == Some(&levels);
            let number = if is_present { present.next() } else { None };
            let number = match number {
                Some(number) => value(columns, number),
                None => Value::Missing,
            };
            columns.columns[place].push(number);
        }
    }
}
