//! Parquet, read back.

use ::parquet::file::reader::{FileReader as _, SerializedFileReader};
use ::parquet::record::{Field, RowAccessor as _};

use super::*;
use crate::export::columns::COLUMNS;

fn reader(sample: &Sample) -> SerializedFileReader<bytes::Bytes> {
    let bytes = bytes::Bytes::from(sample.write(ExportFormat::Parquet));
    SerializedFileReader::new(bytes).expect("a Parquet file")
}

#[test]
fn it_is_read_back_as_it_was() {
    let sample = bench(1.0);
    let file = reader(&sample);
    let rows: Vec<_> = file
        .get_row_iter(None)
        .expect("rows")
        .map(|row| row.expect("a row"))
        .collect();
    assert_eq!(rows.len(), sample.requests.len());
    let place = |name: &str| {
        COLUMNS
            .iter()
            .position(|(column, _)| *column == name)
            .expect("a column")
    };
    for (row, request) in rows.iter().zip(&sample.requests) {
        let record = &request.record;
        assert_eq!(
            row.get_long(place("index")).expect("a number"),
            record.index as i64
        );
        let ttft = record.ttft().map(crate::domain::units::ms);
        assert_eq!(row.get_double(place("ttft_ms")).ok(), ttft);
        assert_eq!(
            row.get_double(place("connect_ms")).ok(),
            None,
            "there is none"
        );
        let error = record.error.as_ref().map(|error| error.text.clone());
        assert_eq!(row.get_string(place("error_text")).ok().cloned(), error);
        let gaps = row.get_list(COLUMNS.len()).expect("a list").elements();
        let gaps: Vec<u32> = gaps
            .iter()
            .map(|gap| match gap {
                Field::Int(gap) => *gap as u32,
                other => panic!("{other}"),
            })
            .collect();
        assert_eq!(gaps, record.gaps_us);
    }
    assert!(
        sample
            .requests
            .iter()
            .any(|request| request.record.gaps_us.is_empty())
    );
}

#[test]
fn a_session_without_requests_is_a_file_without_rows() {
    assert_eq!(reader(&chat()).metadata().file_metadata().num_rows(), 0);
}
