//! Splits a JSON file into its entries: one per line, concatenated, in an array, or in an object around an array. An
//! invalid entry does not affect the others.

use serde_json::value::RawValue;

/// An entry that is not parsed yet.
pub(super) struct Piece<'a> {
    pub(super) place: Place,
    /// The JSON, or why it is invalid.
    pub(super) json: Result<&'a str, String>,
}

/// The position of an entry in the file, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The number of the line.
    Line(usize),
    /// The number of the entry in an array.
    Entry(usize),
}

/// Keys of the array in an object that only wraps one.
const WRAPPER_KEYS: [&str; 8] = [
    "data", "prompts", "rows", "requests", "entries", "examples", "items", "train",
];

/// Splits a text that begins with `[` or `{`.
///
/// # Errors
/// When the JSON is broken in a way that hides where entries end.
pub(super) fn json(text: &str) -> Result<Vec<Piece<'_>>, serde_json::Error> {
    let mut filled = lines(text);
    let (Some((number, first)), second) = (filled.next(), filled.next()) else {
        return Ok(Vec::new());
    };
    let by_lines = || -> Vec<Piece<'_>> {
        lines(text)
            .map(|(number, line)| Piece {
                place: Place::Line(number),
                json: whole(line),
            })
            .collect()
    };
    if second.is_some() {
        // If only the first line is broken, most other lines are entries. In an array over several lines, entries end
        // with commas, so they are not.
        let broken = || {
            let entries = lines(text).filter(|(_, line)| is_entry(line)).count();
            entries * 2 >= lines(text).count() && serde_json::from_str::<&RawValue>(text).is_err()
        };
        if is_entry(first) || broken() {
            return Ok(by_lines());
        }
    }
    let mut values = Vec::new();
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    loop {
        let from = stream.byte_offset();
        let Some(value) = stream.next() else { break };
        let at = from + text[from..].len() - text[from..].trim_start().len();
        values.push((at, value?.get()));
    }
    if let [(_, one)] = values[..] {
        return Ok(unwrapped(one).unwrap_or_else(|| {
            vec![Piece {
                place: Place::Line(number),
                json: Ok(one),
            }]
        }));
    }
    let (mut line, mut counted) = (1, 0);
    let piece = |(at, json)| {
        line += text[counted..at].matches('\n').count();
        counted = at;
        Piece {
            place: Place::Line(line),
            json: Ok(json),
        }
    };
    Ok(values.into_iter().map(piece).collect())
}

/// Whether a line is a complete object, array or string.
fn is_entry(line: &str) -> bool {
    line.trim_start().starts_with(['{', '[', '"'])
        && serde_json::from_str::<&RawValue>(line).is_ok()
}

fn whole(line: &str) -> Result<&str, String> {
    serde_json::from_str::<&RawValue>(line)
        .map(RawValue::get)
        .map_err(|why| in_line(&why))
}

/// The entries of an array, or of an object that wraps one; `None` if the value is itself an entry.
fn unwrapped(json: &str) -> Option<Vec<Piece<'_>>> {
    let entries = match serde_json::from_str::<Vec<&RawValue>>(json) {
        Ok(entries) => entries,
        Err(_) => {
            let fields: std::collections::HashMap<String, &RawValue> =
                serde_json::from_str(json).ok()?;
            let array = WRAPPER_KEYS.iter().find_map(|name| fields.get(*name))?;
            serde_json::from_str(array.get()).ok()?
        }
    };
    // A list of messages is one entry.
    let is_message = |entry: &&RawValue| {
        let fields: Option<std::collections::HashMap<String, &RawValue>> =
            serde_json::from_str(entry.get()).ok();
        fields.is_some_and(|fields| fields.contains_key("role") && fields.contains_key("content"))
    };
    if !entries.is_empty() && entries.iter().all(is_message) {
        return None;
    }
    let pieces = entries.into_iter().enumerate();
    Some(
        pieces
            .map(|(at, entry)| Piece {
                place: Place::Entry(at + 1),
                json: Ok(entry.get()),
            })
            .collect(),
    )
}

/// The lines that are not blank, numbered from 1.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(at, line)| (at + 1, line))
        .filter(|(_, line)| !line.trim().is_empty())
}

/// The error without "at line 1", since the message names the line already.
pub(super) fn in_line(why: &serde_json::Error) -> String {
    why.to_string().replace(" at line 1 column ", " at column ")
}
