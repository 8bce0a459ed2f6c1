//! Parquet: the columns of CSV, typed, and the gaps between chunks as a list.

use std::io::Write;
use std::sync::Arc;

use ::parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use ::parquet::errors::{ParquetError, Result as Parquet};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::parser::parse_message_type;
use parking_lot::Mutex;

use super::columns::{Belongs, COLUMNS, Cell, Kind, cells};
use super::{Exported, cannot_write};
use crate::domain::failure::Failure;
use crate::metrics::request::RequestRecord;

/// A row group holds so many rows at most, which bounds what is kept in memory.
const MOST_ROWS: usize = 100_000;
/// And so many gaps.
const MOST_GAPS: usize = 2_000_000;
/// And so many bytes of what was said.
const MOST_TEXT: usize = 64 << 20;

pub(super) fn write(sessions: &mut [Exported<'_>], out: &mut dyn Write) -> Result<(), Failure> {
    let written = Written::default();
    let schema = parse_message_type(&schema()).map_err(failed)?;
    let created_by = concat!("batida ", env!("CARGO_PKG_VERSION")).to_owned();
    let properties = WriterProperties::builder()
        .set_created_by(created_by)
        .build();
    let mut file =
        SerializedFileWriter::new(written.clone(), Arc::new(schema), Arc::new(properties))
            .map_err(failed)?;
    let mut group = Group::new();
    for session in sessions {
        while let Some(request) = session.requests.next() {
            let request = request?;
            let request_id = format!("{}-{}", session.row.id, request.record.index);
            let label = session.label(request.record.level);
            let (model, said) = (request.model.as_str(), session.said(&request));
            let said = said.as_deref();
            group.add(
                Belongs {
                    request_id: &request_id,
                    label,
                    model,
                    said,
                },
                &request.record,
            );
            if group.rows >= MOST_ROWS || group.gaps.len() >= MOST_GAPS || group.text >= MOST_TEXT {
                group.flush(&mut file)?;
                written.pass_to(out)?;
            }
        }
    }
    group.flush(&mut file)?;
    file.close().map_err(failed)?;
    written.pass_to(out)
}

/// In Parquet's own words. Texts that may lack are null then, not empty.
fn schema() -> String {
    let columns = COLUMNS.map(|(name, kind)| match kind {
        Kind::Text => format!("REQUIRED BYTE_ARRAY {name} (UTF8);"),
        Kind::TextOrNone => format!("OPTIONAL BYTE_ARRAY {name} (UTF8);"),
        Kind::Whole => format!("REQUIRED INT64 {name};"),
        Kind::WholeOrNone => format!("OPTIONAL INT64 {name};"),
        Kind::Real(_) => format!("REQUIRED DOUBLE {name};"),
        Kind::RealOrNone(_) => format!("OPTIONAL DOUBLE {name};"),
    });
    let gaps = "REQUIRED group gaps_us (LIST) { REPEATED group list { REQUIRED INT32 element; } }";
    format!("message request {{ {} {gaps} }}", columns.join(" "))
}

/// A column's values until they are written.
enum Values {
    Text(Vec<ByteArray>),
    Whole(Vec<i64>),
    Real(Vec<f64>),
}

struct Column {
    values: Values,
    /// Of a column that may lack values: 1 where there is one, 0 where there is none.
    present: Option<Vec<i16>>,
}

/// The rows of a row group.
struct Group {
    rows: usize,
    /// Bytes of what was said.
    text: usize,
    columns: Vec<Column>,
    gaps: Vec<i32>,
    /// 1 for a gap, 0 for an answer without one.
    gap_levels: Vec<i16>,
    /// 0 where a row begins.
    gap_repeats: Vec<i16>,
}

impl Group {
    fn new() -> Self {
        let column = |(_, kind): (&str, Kind)| {
            let values = match kind {
                Kind::Text | Kind::TextOrNone => Values::Text(Vec::new()),
                Kind::Whole | Kind::WholeOrNone => Values::Whole(Vec::new()),
                Kind::Real(_) | Kind::RealOrNone(_) => Values::Real(Vec::new()),
            };
            let lacks = matches!(
                kind,
                Kind::TextOrNone | Kind::WholeOrNone | Kind::RealOrNone(_)
            );
            Column {
                values,
                present: lacks.then(Vec::new),
            }
        };
        let columns = COLUMNS.map(column).into();
        Self {
            rows: 0,
            text: 0,
            columns,
            gaps: Vec::new(),
            gap_levels: Vec::new(),
            gap_repeats: Vec::new(),
        }
    }

    fn add(&mut self, belongs: Belongs<'_>, record: &RequestRecord) {
        self.rows += 1;
        self.text += belongs.said.map_or(0, |said| {
            said.prompt.len() + said.reasoning.len() + said.answer.len()
        });
        for (column, cell) in self.columns.iter_mut().zip(cells(belongs, record)) {
            column.add(cell);
        }
        if record.gaps_us.is_empty() {
            self.gap_levels.push(0);
            self.gap_repeats.push(0);
        }
        for (i, gap) in record.gaps_us.iter().enumerate() {
            self.gaps.push(i32::try_from(*gap).unwrap_or(i32::MAX));
            self.gap_levels.push(1);
            self.gap_repeats.push(i16::from(i > 0));
        }
    }

    /// Writes what there is, and is empty again.
    fn flush(&mut self, file: &mut SerializedFileWriter<Written>) -> Result<(), Failure> {
        let full = std::mem::replace(self, Self::new());
        if full.rows == 0 {
            return Ok(());
        }
        let mut group = file.next_row_group().map_err(failed)?;
        full.write(&mut group).map_err(failed)?;
        group.close().map_err(failed)?;
        Ok(())
    }

    fn write(&self, group: &mut SerializedRowGroupWriter<'_, Written>) -> Parquet<()> {
        for column in &self.columns {
            let present = column.present.as_deref();
            let mut to = next_column(group)?;
            match &column.values {
                Values::Text(values) => to
                    .typed::<ByteArrayType>()
                    .write_batch(values, present, None)?,
                Values::Whole(values) => {
                    to.typed::<Int64Type>().write_batch(values, present, None)?
                }
                Values::Real(values) => to
                    .typed::<DoubleType>()
                    .write_batch(values, present, None)?,
            };
            to.close()?;
        }
        let mut to = next_column(group)?;
        let (levels, repeats) = (Some(&self.gap_levels[..]), Some(&self.gap_repeats[..]));
        to.typed::<Int32Type>()
            .write_batch(&self.gaps, levels, repeats)?;
        to.close()
    }
}

fn next_column<'a>(
    group: &'a mut SerializedRowGroupWriter<'_, Written>,
) -> Parquet<::parquet::file::writer::SerializedColumnWriter<'a>> {
    group
        .next_column()?
        .ok_or_else(|| ParquetError::General("the schema has too few columns".to_owned()))
}

impl Column {
    fn add(&mut self, cell: Cell<'_>) {
        let present = match (&mut self.values, cell) {
            (Values::Text(values), Cell::Text(text)) => {
                let there = self.present.is_none() || !text.is_empty();
                values.extend(there.then(|| ByteArray::from(text)));
                there
            }
            (Values::Whole(values), Cell::Whole(n)) => {
                values.extend(n.map(|n| i64::try_from(n).unwrap_or(i64::MAX)));
                n.is_some()
            }
            (Values::Real(values), Cell::Real(n)) => {
                values.extend(n);
                n.is_some()
            }
            _ => false,
        };
        if let Some(levels) = &mut self.present {
            levels.push(i16::from(present));
        }
    }
}

/// What is written and not yet passed on. Parquet's writer wants one that could move to another thread, which
/// ours may not.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn pass_to(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let bytes = std::mem::take(&mut *self.0.lock());
        out.write_all(&bytes).map_err(cannot_write)
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: ParquetError) -> Failure {
    Failure::new(
        format!("The Parquet file cannot be written: {error}"),
        "Try another format",
    )
}
