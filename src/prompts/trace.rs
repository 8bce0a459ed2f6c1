//! Reads traces: recorded times and lengths of requests, to be replayed.
//!
//! A trace is JSONL with an object per request, or CSV with a header. Names are compared without case, spaces and
//! punctuation.
//!
//! | field | meaning |
//! |---|---|
//! | `timestamp`, `time`, `arrival_time`, `arrived_at` | time of sending, from any start: a date, or a number whose unit is guessed |
//! | `time_ms`, `at_ms`; `time_s`, `at_s`, `at` | the same, in the unit of the name |
//! | `prompt` or `messages` | the prompt |
//! | `input_length`, `input_tokens`, Azure's `ContextTokens`, BurstGPT's `Request tokens` | or: the length of a generated prompt |
//! | `hash_ids` | the blocks of the generated prompt (Mooncake, Qwen): the same id gives the same text |
//! | `output_length`, `output_tokens`, `max_tokens`, `GeneratedTokens`, `Response tokens` | `max_tokens` |
//!
//! An entry with neither a prompt nor a length uses the plan's prompt. Entries that cannot be sent are skipped with a
//! remark. Other fields are ignored.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::entry;
use super::files::{CSV_QUOTES, SkippedEntries, text_of};
use super::pieces::{self, Piece, Place};
use super::table::{INPUTS, OUTPUTS, TIMES, Table, plain};
use super::times::{self, Moment, Units};
use crate::domain::failure::Failure;
use crate::domain::plan::{MOST_TOKENS, TimeUnit};
use crate::domain::run::known::{TraceBrief, TracePrompts};
use crate::domain::units;

/// The entries of a trace, ordered by time. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Trace(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    entries: Vec<Entry>,
    /// Tokens per block of `hash_ids`.
    block: u32,
    units: Units,
    skipped: SkippedEntries,
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Counted from the first entry.
    at: Duration,
    pub(super) prompt: TracePrompt,
    pub(super) max_tokens: Option<u32>,
}

#[derive(Debug, Clone)]
pub(super) enum TracePrompt {
    Own(entry::EntryPrompt),
    OfLength(u32),
    /// A length, and the ids of the blocks.
    OfBlocks(u32, Box<[u64]>),
    AsPlanned,
}

impl Trace {
    /// Entries that hold more than one text, which only chat can send.
    pub fn conversations(&self) -> usize {
        let is_one = |entry: &&Entry| match &entry.prompt {
            TracePrompt::Own(prompt) => prompt.is_conversation(),
            _ => false,
        };
        self.0.entries.iter().filter(is_one).count()
    }

    /// Reads a file called `name`. Entries are sorted by time; the first is due at zero. `unit` is the unit of the times;
    /// `None` guesses it.
    ///
    /// # Errors
    /// When the file has no entry that can be sent, or spans more than a year.
    pub fn parse(name: &str, bytes: &[u8], unit: Option<TimeUnit>) -> Result<Self, Failure> {
        let text = text_of(name, bytes)?;
        let mut skipped = SkippedEntries::default();
        let read = match text.trim_start().starts_with(['[', '{']) {
            true => of_json(name, &text, &mut skipped)?,
            false => of_table(name, &text, &mut skipped)?,
        };
        if read.is_empty() {
            return Err(skipped.refusal(name, "requests", FORMS));
        }
        let (moments, rest): (Vec<Moment>, Vec<(Place, Entry)>) = read
            .into_iter()
            .map(|(place, moment, entry)| (moment, (place, entry)))
            .unzip();
        let (seconds, units) = times::seconds(&moments, unit);
        let mut timed: Vec<(f64, Place, Entry)> = seconds
            .into_iter()
            .zip(rest)
            .map(|(at, (place, entry))| (at, place, entry))
            .collect();
        timed.sort_by(|(one, ..), (other, ..)| one.total_cmp(other));
        let first = timed.first().map_or(0.0, |(at, ..)| *at);
        let shifted = timed.into_iter().map(|(at, place, entry)| {
            // Binary fractions of seconds are not whole microseconds.
            let micros = ((at - first) * 1e6).round();
            if micros > MAX_SPAN.as_micros() as f64 {
                let place = match place {
                    Place::Line(n) => format!("line {}", units::count(n as u64)),
                    Place::Entry(n) => format!("entry {}", units::count(n as u64)),
                };
                let why = format!("{name}, {place}: it is more than a year after the first");
                return Err(Failure::new(
                    why,
                    "Set the unit of the times with --trace-unit",
                ));
            }
            Ok(Entry {
                at: Duration::from_micros(micros as u64),
                ..entry
            })
        });
        let entries = shifted.collect::<Result<Vec<Entry>, Failure>>()?;
        Ok(Self(Arc::new(Inner {
            block: block_tokens(&entries),
            entries,
            units,
            skipped,
        })))
    }

    /// The number of requests.
    pub fn len(&self) -> usize {
        self.0.entries.len()
    }

    /// Always false, since [`Self::parse`] refuses a trace without requests.
    pub fn is_empty(&self) -> bool {
        self.0.entries.is_empty()
    }

    /// The time from the first request to the last.
    pub fn duration(&self) -> Duration {
        self.0
            .entries
            .last()
            .map_or(Duration::ZERO, |entry| entry.at)
    }

    /// The due time of request `at`, counted from the first; `None` after the end.
    pub fn due(&self, at: usize) -> Option<Duration> {
        self.0.entries.get(at).map(|entry| entry.at)
    }

    /// The mean length in tokens of generated prompts; `None` if there are none.
    pub fn mean_input_tokens(&self) -> Option<f64> {
        let lengths = self
            .0
            .entries
            .iter()
            .filter_map(|entry| entry.prompt.length())
            .map(f64::from);
        let (count, sum) = lengths.fold((0u64, 0.0), |(count, sum), length| {
            (count + 1, sum + length)
        });
        (count > 0).then(|| sum / count as f64)
    }

    /// Whether some requests use the plan's prompts.
    pub fn uses_prompts_of_plan(&self) -> bool {
        self.0
            .entries
            .iter()
            .any(|entry| matches!(entry.prompt, TracePrompt::AsPlanned))
    }

    /// The remark about skipped entries, if there are any.
    pub fn note(&self) -> Option<String> {
        self.0.skipped.remark("requests", self.len())
    }

    /// The summary for a report.
    pub fn brief(&self) -> TraceBrief {
        let mut prompts = TracePrompts::default();
        for entry in &self.0.entries {
            prompts.limits += u64::from(entry.max_tokens.is_some());
            match &entry.prompt {
                TracePrompt::Own(_) => prompts.own += 1,
                TracePrompt::AsPlanned => prompts.planned += 1,
                TracePrompt::OfLength(tokens) | TracePrompt::OfBlocks(tokens, _) => {
                    prompts.blocks += u64::from(matches!(entry.prompt, TracePrompt::OfBlocks(..)));
                    prompts.least = if prompts.lengths == 0 {
                        *tokens
                    } else {
                        prompts.least.min(*tokens)
                    };
                    prompts.most = prompts.most.max(*tokens);
                    prompts.lengths += 1;
                }
            }
        }
        TraceBrief {
            requests: self.len() as u64,
            span_s: self.duration().as_secs_f64(),
            unit: self.0.units.name.to_owned(),
            unit_given: self.0.units.given,
            left_out: self.0.skipped.count as u64,
            why_left_out: self.note(),
            prompts,
        }
    }

    pub(super) fn entry(&self, index: u64) -> &Entry {
        &self.0.entries[(index % self.0.entries.len() as u64) as usize]
    }

    /// Tokens per block of `hash_ids`.
    pub(super) fn block_tokens(&self) -> u32 {
        self.0.block
    }
}

impl TracePrompt {
    fn length(&self) -> Option<u32> {
        match self {
            Self::OfLength(tokens) | Self::OfBlocks(tokens, _) => Some(*tokens),
            Self::Own(_) | Self::AsPlanned => None,
        }
    }
}

/// One year: longer traces have a wrong unit.
const MAX_SPAN: Duration = Duration::from_secs(366 * 24 * 3_600);

const FORMS: &str = "A trace is JSONL with a \"timestamp\" in each line, or CSV with a column of \
     times and a column of prompt lengths";

type Read = Vec<(Place, Moment, Entry)>;

fn of_json(name: &str, text: &str, skipped: &mut SkippedEntries) -> Result<Read, Failure> {
    let found = pieces::json(text).map_err(|why| {
        Failure::new(
            format!("{name} is not valid JSON, or is truncated: {why}"),
            FORMS,
        )
    })?;
    let mut out = Vec::new();
    for Piece { place, json } in found {
        let read = json
            .and_then(|json| serde_json::from_str(json).map_err(|why| pieces::in_line(&why)))
            .and_then(|fields: Map<String, Value>| read_entry(&fields));
        match read {
            Ok((moment, entry)) => out.push((place, moment, entry)),
            Err(why) => skipped.add(place, why),
        }
    }
    Ok(out)
}

fn of_table(name: &str, text: &str, skipped: &mut SkippedEntries) -> Result<Read, Failure> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let table = Table::read(text).map_err(|why| {
        Failure::new(
            format!("{name} is neither valid JSON nor valid CSV: {why}"),
            CSV_QUOTES,
        )
    })?;
    let timed = table
        .heads
        .iter()
        .any(|head| TimeField::of(&plain(head)).is_some());
    if !timed {
        let columns = units::shorten_middle(&table.heads.join(", "), 120);
        let why = format!(
            "{name} is neither JSON nor CSV with a column of times. Its first line is {columns}"
        );
        return Err(Failure::new(why, FORMS));
    }
    let mut out = Vec::new();
    for (line, row) in table.rows {
        let read = row.and_then(|row| {
            let cells = table
                .heads
                .iter()
                .cloned()
                .zip(row.into_iter().map(Value::String));
            let fields: Map<String, Value> = cells
                .filter(|(_, cell)| cell.as_str().is_some_and(|cell| !cell.is_empty()))
                .collect();
            read_entry(&fields)
        });
        match read {
            Ok((moment, entry)) => out.push((Place::Line(line), moment, entry)),
            Err(why) => skipped.add(Place::Line(line), why),
        }
    }
    Ok(out)
}

/// The unit of a time field.
#[derive(Debug, Clone, Copy)]
enum TimeField {
    /// The unit in the field's name.
    In(TimeUnit),
    /// The unit of the file.
    Open,
}

impl TimeField {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "timems" | "atms" | "timestampms" | "arrivaltimems" | "tsms" | "offsetms" => {
                Self::In(TimeUnit::Ms)
            }
            "times" | "ats" | "at" | "timestamps" | "arrivaltimes" | "tss" | "offsets"
            | "timestampsec" | "timesec" | "timestampseconds" => Self::In(TimeUnit::S),
            "timeus" | "atus" | "timestampus" | "tsus" => Self::In(TimeUnit::Us),
            "timens" | "atns" | "timestampns" | "tsns" => Self::In(TimeUnit::Ns),
            other if TIMES.contains(&other) => Self::Open,
            _ => return None,
        })
    }
}

/// The time and the prompt of an entry.
fn read_entry(fields: &Map<String, Value>) -> Result<(Moment, Entry), String> {
    let named = |names: &[&str]| {
        names.iter().find_map(|name| {
            fields
                .iter()
                .find(|(key, value)| !value.is_null() && plain(key) == *name)
                .map(|(_, value)| value)
        })
    };
    let mut times = fields
        .iter()
        .filter(|(_, value)| !value.is_null())
        .filter_map(|(key, value)| Some((TimeField::of(&plain(key))?, value)));
    let moment = match (times.next(), times.next()) {
        (None, _) => return Err("it has no \"timestamp\" and no \"at\"".to_owned()),
        (Some(_), Some(_)) => return Err("it has more than one time".to_owned()),
        (Some((time, value)), None) => {
            // BurstGPT's times are seconds.
            let burst_gpt =
                named(&["requesttokens"]).is_some() && named(&["responsetokens"]).is_some();
            let unit = match time {
                TimeField::In(unit) => Some(unit),
                TimeField::Open => burst_gpt.then_some(TimeUnit::S),
            };
            Moment::read(value, unit)?
        }
    };
    let own = entry::prompt_of(fields)?;
    let limit = named(&OUTPUTS).map(entry::tokens).transpose()?;
    let max_tokens = limit.or_else(|| own.as_ref().and_then(entry::EntryPrompt::max_tokens));
    let prompt = match (own, named(&INPUTS)) {
        (Some(own), _) => TracePrompt::Own(own),
        (None, None) => TracePrompt::AsPlanned,
        (None, Some(length)) => match prompt_tokens(length)? {
            tokens if tokens > MOST_TOKENS => {
                return Err("a prompt has at most 1,000,000 tokens".to_owned());
            }
            tokens => match blocks(named(&["hashids"]))? {
                ids if ids.is_empty() => TracePrompt::OfLength(tokens),
                ids => TracePrompt::OfBlocks(tokens, ids),
            },
        },
    };
    Ok((
        moment,
        Entry {
            at: Duration::ZERO,
            prompt,
            max_tokens,
        },
    ))
}

fn prompt_tokens(value: &Value) -> Result<u32, String> {
    entry::tokens(value).map_err(|why| why.replace("a response", "a prompt"))
}

/// The ids of a prompt's blocks: numbers, or strings, which are hashed.
fn blocks(value: Option<&Value>) -> Result<Box<[u64]>, String> {
    let Some(value) = value else {
        return Ok(Box::default());
    };
    let Value::Array(ids) = value else {
        return Err(format!(
            "its hash_ids are not a list: {}",
            entry::shown(value)
        ));
    };
    let id = |id: &Value| match id {
        Value::Number(n) => n
            .as_u64()
            .or_else(|| n.as_i64().map(i64::cast_unsigned))
            .or_else(|| n.as_f64().map(f64::to_bits)),
        Value::String(text) => {
            use std::hash::{DefaultHasher, Hash as _, Hasher as _};
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            Some(hasher.finish())
        }
        _ => None,
    };
    ids.iter()
        .map(|each| id(each).ok_or_else(|| format!("{} is not a hash id", entry::shown(each))))
        .collect()
}

/// Guesses the tokens per block, which traces do not state: the size at which most prompts have as many blocks as ids.
/// Mooncake's is 512, Qwen's is 16.
fn block_tokens(entries: &[Entry]) -> u32 {
    let pairs = || {
        entries.iter().filter_map(|entry| match &entry.prompt {
            TracePrompt::OfBlocks(tokens, ids) => {
                Some((*tokens, u32::try_from(ids.len()).unwrap_or(u32::MAX)))
            }
            _ => None,
        })
    };
    let fit = |size: u32| {
        pairs()
            .filter(|(tokens, ids)| tokens.div_ceil(size) == *ids)
            .count()
    };
    let powers = (0..14).map(|power| 1u32 << power);
    // Of equally good sizes the larger: prompts of one block fit any larger size.
    let best = powers.map(|size| (fit(size), size)).max();
    match best {
        Some((fitting, size)) if fitting * 2 >= pairs().count().max(1) => size,
        _ => pairs()
            .map(|(tokens, ids)| tokens.div_ceil(ids.max(1)))
            .max()
            .unwrap_or(1),
    }
}
