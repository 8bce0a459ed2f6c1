//! From a query to SQL: its conditions and its order.

use jiff::Timestamp;
use rusqlite::types::Value;

use super::rows::{kind_name, nanos};
use crate::domain::history::{HistoryQuery, SortBy};

/// Of a word that the index of what was said does not know. So many exchanges are read at most, and none that has
/// pictures in it.
const SHORT: &str = "(words LIKE ? ESCAPE '\\' OR key IN (SELECT session FROM (SELECT session, body FROM exchanges \
    WHERE octet_length(body) < 65536 ORDER BY session DESC, id DESC LIMIT 1000) WHERE json_valid(body) AND \
    ifnull(body ->> '$.prompt', '') || char(10) || ifnull(body ->> '$.answer', '') LIKE ? ESCAPE '\\'))";

/// So many words are looked for, and so much of each: whoever pastes a page has said enough with its beginning, and
/// SQLite takes no more.
const MOST_WORDS: usize = 16;
const LONGEST_WORD: usize = 200;

/// Of those that are too short for the index: for each, what was said is read.
const MOST_SHORT: usize = 4;

/// Sessions that a deletion by age does not spare; the moment is that of the latest heartbeat of a session that does not
/// run any more.
pub(super) const DELETABLE: &str =
    "(state <> 'running' OR heartbeat_ns < ?) AND key NOT IN (SELECT session FROM baselines)";

/// The latest heartbeat of a session that does not run any more.
pub(super) fn stale() -> i64 {
    nanos(Timestamp::now()) - super::HEARTBEAT.as_nanos() as i64
}

/// The words that are looked for, each once.
fn words(text: &str) -> Vec<String> {
    let text = text.to_lowercase().replace('\0', " ");
    let mut words = Vec::new();
    let mut short = 0;
    for word in text.split_whitespace() {
        let word: String = word.chars().take(LONGEST_WORD).collect();
        if words.len() == MOST_WORDS {
            break;
        }
        if words.contains(&word) || is_short(&word) && short == MOST_SHORT {
            continue;
        }
        short += usize::from(is_short(&word));
        words.push(word);
    }
    words
}

/// The index knows three letters and more.
fn is_short(word: &str) -> bool {
    word.chars().nth(2).is_none()
}

/// The conditions, and what stands for their question marks.
pub(super) fn filter(query: &HistoryQuery) -> (String, Vec<Value>) {
    let HistoryQuery {
        text,
        kind,
        model,
        deployment,
        environment,
        tag,
        since,
        until,
        deletable,
        ..
    } = query;
    let (mut conditions, mut values) = (Vec::new(), Vec::new());
    for word in words(text) {
        let like = word
            .replace('\\', "\\\\")
            .replace('%', "\\%")
            .replace('_', "\\_");
        values.push(Value::from(format!("%{like}%")));
        if is_short(&word) {
            // Too short for the index: looked for in what was said last.
            conditions.push(SHORT);
            values.push(Value::from(format!("%{like}%")));
        } else {
            conditions.push(
                "(words LIKE ? ESCAPE '\\' OR key IN (SELECT rowid >> 32 FROM said WHERE said MATCH ?))",
            );
            values.push(Value::from(format!("\"{}\"", word.replace('"', "\"\""))));
        }
    }
    let mut add = |condition: &'static str, value: Value| {
        conditions.push(condition);
        values.push(value);
    };
    if let Some(kind) = kind {
        add("kind = ?", Value::from(kind_name(*kind).to_owned()));
    }
    if let Some(model) = model {
        add(
            "key IN (SELECT session FROM targets WHERE model = ?)",
            Value::from(model.clone()),
        );
    }
    if let Some(deployment) = deployment {
        add(
            "key IN (SELECT session FROM targets WHERE deployment = ?)",
            Value::from(deployment.clone()),
        );
    }
    if let Some(environment) = environment {
        add("environment = ?", Value::from(environment.clone()));
    }
    if let Some(tag) = tag {
        add(
            "key IN (SELECT session FROM tags WHERE tag = ?)",
            Value::from(tag.clone()),
        );
    }
    if let Some(since) = since {
        add("began_ns >= ?", Value::from(nanos(*since)));
    }
    if let Some(until) = until {
        add("began_ns < ?", Value::from(nanos(*until)));
    }
    if *deletable {
        add(DELETABLE, Value::from(stale()));
    }
    let all = if conditions.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", conditions.join(" AND "))
    };
    (all, values)
}

/// What weighs more of how a session went is more, in the order of [`crate::domain::history::Status`].
const STATUS: &str = "CASE WHEN state = 'running' THEN 6 WHEN state = 'failed' OR (state = 'complete' AND errors > 0 AND \
errors >= requests) THEN 5 WHEN state = 'interrupted' THEN 4 WHEN state = 'stopped' THEN 3 WHEN errors > 0 THEN 2 \
WHEN warnings > 0 THEN 1 ELSE 0 END";

/// What is absent comes last either way, and equals newest first.
pub(super) fn order(query: &HistoryQuery) -> String {
    let way = if query.ascending { "ASC" } else { "DESC" };
    let names = |column: &str| {
        // Without the bracket a list comes before a longer one that begins like it.
        format!(
            "{column} = '[]', rtrim({column}, ']') COLLATE NOCASE {way}, began_ns DESC, key DESC"
        )
    };
    let figure = |column: &str| match query.ascending {
        // Without the condition an index does it: what is absent is smallest to SQLite.
        false => format!("{column} DESC, began_ns DESC, key DESC"),
        true => format!("{column} IS NULL, {column}, began_ns DESC, key DESC"),
    };
    match query.sort {
        SortBy::Began => format!("began_ns {way}, key {way}"),
        SortBy::Ended => format!("ended_ns {way}, key {way}"),
        SortBy::Title => format!("title COLLATE NOCASE {way}, began_ns DESC, key DESC"),
        SortBy::Deployment => names("deployments"),
        SortBy::Model => names("models"),
        SortBy::Tag => names("tags"),
        SortBy::Requests => figure("requests"),
        SortBy::Errors => figure("errors"),
        SortBy::Status => format!("{STATUS} {way}, began_ns DESC, key DESC"),
        SortBy::Ttft => figure("ttft_ms"),
        SortBy::Itl => figure("itl_ms"),
        SortBy::Peak => figure("peak"),
    }
}

pub(super) fn whole(n: u64) -> Value {
    Value::from(i64::try_from(n).unwrap_or(i64::MAX))
}
