//! The columns of the formats with a row a request: one list for CSV and Parquet.

use std::time::Duration;

use crate::domain::history::Said;
use crate::domain::units;
use crate::metrics::request::RequestRecord;
use crate::metrics::timeline::TokenSource;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text in every row.
    Text,
    /// A text, or nothing.
    TextOrNone,
    /// A whole number in every row.
    Whole,
    /// A whole number, or nothing.
    WholeOrNone,
    /// A number in every row, written with so many digits behind the point.
    Real(usize),
    /// A number, or nothing; likewise.
    RealOrNone(usize),
}

/// What stands in a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell<'a> {
    /// Of [`Kind::Text`] and [`Kind::TextOrNone`].
    Text(&'a str),
    /// Of [`Kind::Whole`] and [`Kind::WholeOrNone`].
    Whole(Option<u64>),
    /// Of [`Kind::Real`] and [`Kind::RealOrNone`].
    Real(Option<f64>),
}

/// Names in order. Times end in their unit; those in seconds count from the session's beginning.
pub(super) const COLUMNS: [(&str, Kind); 39] = {
    use Kind::{Real, RealOrNone, Text, TextOrNone, Whole, WholeOrNone};
    [
        ("request_id", Text),
        ("index", Whole),
        ("level", Whole),
        ("label", Text),
        ("model", Text),
        ("phase", Text),
        ("due_s", Real(6)),
        ("sent_s", Real(6)),
        ("late_ms", Real(3)),
        ("connect_ms", RealOrNone(3)),
        ("first_byte_ms", RealOrNone(3)),
        ("ttft_ms", RealOrNone(3)),
        ("first_answer_ms", RealOrNone(3)),
        ("latency_ms", RealOrNone(3)),
        ("tpot_ms", RealOrNone(3)),
        ("itl_mean_ms", RealOrNone(3)),
        ("itl_max_ms", RealOrNone(3)),
        ("tokens_per_s", RealOrNone(3)),
        ("chunks", Whole),
        ("output_tokens", WholeOrNone),
        ("tokens_from", TextOrNone),
        ("reasoning_tokens", WholeOrNone),
        ("prompt_tokens", WholeOrNone),
        ("cached_tokens", WholeOrNone),
        ("wanted_prompt_tokens", WholeOrNone),
        ("bytes", Whole),
        ("reconnected", Whole),
        ("server_ttft_ms", RealOrNone(3)),
        ("server_latency_ms", RealOrNone(3)),
        ("server_tokens_per_s", RealOrNone(3)),
        ("error", TextOrNone),
        ("status", WholeOrNone),
        ("error_text", TextOrNone),
        ("prompt", TextOrNone),
        ("reasoning", TextOrNone),
        ("answer", TextOrNone),
        ("at_once", Whole),
        ("answered_by", TextOrNone),
        // When it ended, well or not: behind the others, so that readers by number find those where they were.
        ("ended_s", Real(6)),
    ]
};

/// Where a request belongs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Belongs<'a> {
    /// `{session}-{index}`
    pub(super) request_id: &'a str,
    /// Its level's label.
    pub(super) label: &'a str,
    /// Its model's serving name.
    pub(super) model: &'a str,
    /// What was said, where that is kept.
    pub(super) said: Option<&'a Said>,
}

/// A request's cells, in the order of [`COLUMNS`].
pub(super) fn cells<'a>(belongs: Belongs<'a>, record: &'a RequestRecord) -> [Cell<'a>; 39] {
    use Cell::{Real, Text, Whole};
    let figures = &record.figures;
    let ms = |time: Option<Duration>| Real(time.map(units::ms));
    let count = |n: u64| Whole(Some(n));
    let tokens_from = match record.tokens().map(|tokens| tokens.source) {
        Some(TokenSource::Usage) => "usage",
        Some(TokenSource::Chunks) => "chunks",
        None => "",
    };
    let said = |text: fn(&Said) -> &str| Text(belongs.said.map(text).unwrap_or_default());
    let server = figures.server.unwrap_or_default();
    let error = record.error.as_ref();
    let class = error
        .map(|error| error.class.map_or("other", |class| class.name()))
        .unwrap_or_default();
    [
        Text(belongs.request_id),
        count(record.index),
        count(record.level as u64),
        Text(belongs.label),
        Text(belongs.model),
        Text(record.phase.name()),
        Real(Some(record.due.as_secs_f64())),
        Real(Some(record.sent.as_secs_f64())),
        ms(Some(record.late())),
        ms(figures.connect),
        ms(record.first_byte),
        ms(record.ttft()),
        ms(record.first_answer()),
        ms(record.latency()),
        ms(record.tpot()),
        ms(figures.itl),
        ms(figures.longest_gap),
        // A part of an answer that broke off has no speed: its end is not the last token's.
        Real(record.user_speed().filter(|_| error.is_none())),
        count(record.chunks),
        Whole(record.tokens().map(|tokens| tokens.n)),
        Text(tokens_from),
        Whole(figures.reasoning.map(|reasoning| reasoning.tokens.n)),
        Whole(figures.prompt_tokens),
        Whole(figures.cached_tokens),
        Whole(record.wanted_prompt_tokens.map(u64::from)),
        count(record.bytes),
        count(u64::from(record.reconnected)),
        ms(server.ttft),
        ms(server.latency),
        Real(server.after_first_per_sec),
        Text(class),
        Whole(error.and_then(|error| error.status).map(u64::from)),
        Text(error.map(|error| error.text.as_str()).unwrap_or_default()),
        said(|said| &said.prompt),
        said(|said| &said.reasoning),
        said(|said| &said.answer),
        count(u64::from(figures.at_once)),
        Text(record.answered_by.as_deref().unwrap_or_default()),
        Real(Some(record.ended.as_secs_f64())),
    ]
}
