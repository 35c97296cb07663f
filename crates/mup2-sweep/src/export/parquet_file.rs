//! A table as Apache Parquet.

use super::column::Values;
use parquet::basic::{Compression, LogicalType, Repetition, Type as PhysicalType};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};
use std::error::Error;
use std::sync::Arc;

/// Encodes `rows` rows of named columns.
///
/// # Errors
/// None in practice: the writer may fail, but memory does not.
pub(super) fn encode(
    columns: &[(&str, Values)],
    rows: usize,
) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema(columns)?, Arc::new(properties))?;
    // A group without rows is nothing that a reader has to understand.
    if rows > 0 {
        let mut group = writer.next_row_group()?;
        for (_, values) in columns {
            if let Some(mut column) = group.next_column()? {
                write_column(&mut column, values)?;
                column.close()?;
            }
        }
        group.close()?;
    }
    Ok(writer.into_inner()?)
}

/// One optional field a column: INT64, DOUBLE or UTF-8 text.
fn schema(columns: &[(&str, Values)]) -> Result<TypePtr, ParquetError> {
    let fields = columns
        .iter()
        .map(|(name, values)| {
            let (physical, logical) = match values {
                Values::Integers(_) => (PhysicalType::INT64, None),
                Values::Reals(_) => (PhysicalType::DOUBLE, None),
                Values::Texts(_) => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
            };
            Type::primitive_type_builder(name, physical)
                .with_repetition(Repetition::OPTIONAL)
                .with_logical_type(logical)
                .build()
                .map(Arc::new)
        })
        .collect::<Result<Vec<TypePtr>, ParquetError>>()?;
    let schema = Type::group_type_builder("mup2").with_fields(fields);
    schema.build().map(Arc::new)
}

fn write_column(
    column: &mut SerializedColumnWriter<'_>,
    values: &Values,
) -> Result<(), ParquetError> {
    match values {
        Values::Integers(values) => write_values::<Int64Type>(column, values.iter().copied()),
        Values::Reals(values) => write_values::<DoubleType>(column, values.iter().copied()),
        Values::Texts(values) => {
            let bytes = |text: &String| ByteArray::from(text.as_str());
            let values = values.iter().map(|value| value.as_ref().map(bytes));
            write_values::<ByteArrayType>(column, values)
        }
    }
}

/// Parquet stores the values that there are, and a definition level a row: 0 is null, 1 a value.
fn write_values<T: DataType>(
    column: &mut SerializedColumnWriter<'_>,
    values: impl Iterator<Item = Option<T::T>>,
) -> Result<(), ParquetError> {
    let mut levels = Vec::new();
    let present: Vec<T::T> = values
        .inspect(|value| levels.push(i16::from(value.is_some())))
        .flatten()
        .collect();
    let writer = column.typed::<T>();
    writer.write_batch(&present, Some(&levels), None)?;
    Ok(())
}
