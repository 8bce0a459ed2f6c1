//! A trace: what was sent when, to be sent again.
//!
//! JSONL, an object per request, or CSV with a line of names. Names are read without case, spaces and signs.
//!
//! | field | what it is |
//! |---|---|
//! | `timestamp`, `time`, `arrival_time`, `arrived_at` | when it is sent, from any beginning: a number, whose unit is read off the file, or a date |
//! | `time_ms`, `at_ms`; `time_s`, `at_s`, `at` | the same in the unit of its name |
//! | `prompt` or `messages` | what it says |
//! | `input_length`, `input_tokens`, Azure's `ContextTokens`, BurstGPT's `Request tokens` | or: the length of a made-up prompt |
//! | `hash_ids` | the blocks of that prompt (Mooncake, Qwen): the same id gives the same block of text |
//! | `output_length`, `output_tokens`, `max_tokens`, `GeneratedTokens`, `Response tokens` | `max_tokens` |
//!
//! An entry with neither words nor a length says what the plan says. An entry that cannot be sent is left out, and
//! told. Other fields are passed over.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::files::{CSV_QUOTES, LeftOut, text_of};
use super::pieces::{self, Piece, Place};
use super::said;
use super::table::{INPUTS, OUTPUTS, TIMES, Table, plain};
use super::times::{self, Moment, Units};
use crate::domain::failure::Failure;
use crate::domain::plan::{MOST_TOKENS, TimeUnit};
use crate::domain::run::known::{TraceBrief, TracePrompts};
use crate::domain::units;

/// The entries of a trace in the order of their times. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Trace(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    entries: Vec<Entry>,
    /// Tokens of a block of `hash_ids`.
    block: u32,
    units: Units,
    left_out: LeftOut,
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// From the first entry's.
    at: Duration,
    pub(super) said: Said,
    pub(super) max_tokens: Option<u32>,
}

#[derive(Debug, Clone)]
pub(super) enum Said {
    Own(said::Said),
    OfLength(u32),
    /// A length, and the blocks that it is made of.
    OfBlocks(u32, Box<[u64]>),
    AsPlanned,
}

impl Trace {
    /// Reads a file called `name`. Entries are sorted by time; the first is due at once. `unit` is that of its times;
    /// `None` reads it off the file.
    ///
    /// # Errors
    /// When it holds no entry that can be sent: why.
    pub fn parse(name: &str, bytes: &[u8], unit: Option<TimeUnit>) -> Result<Self, Failure> {
        let text = text_of(name, bytes)?;
        let mut left_out = LeftOut::default();
        let read = match text.trim_start().starts_with(['[', '{']) {
            true => of_json(name, &text, &mut left_out)?,
            false => of_table(name, &text, &mut left_out)?,
        };
        if read.is_empty() {
            return Err(left_out.refusal(name, "requests", FORMS));
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
            // Rounded, since sums of binary fractions of seconds are no whole microseconds.
            let micros = ((at - first) * 1e6).round();
            if micros > LONGEST.as_micros() as f64 {
                let place = match place {
                    Place::Line(n) => format!("line {}", units::count(n as u64)),
                    Place::Entry(n) => format!("entry {}", units::count(n as u64)),
                };
                let why = format!("{name}, {place}: it is sent more than a year after the first");
                return Err(Failure::new(
                    why,
                    "Is its time in another unit? Say which with --trace-unit",
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
            left_out,
        })))
    }

    /// How many requests it has.
    pub fn len(&self) -> usize {
        self.0.entries.len()
    }

    /// Never true: a trace without requests is refused.
    pub fn is_empty(&self) -> bool {
        self.0.entries.is_empty()
    }

    /// From the first request's moment to the last one's.
    pub fn duration(&self) -> Duration {
        self.0
            .entries
            .last()
            .map_or(Duration::ZERO, |entry| entry.at)
    }

    /// When request `at` is due after the first; `None` behind the end.
    pub fn due(&self, at: usize) -> Option<Duration> {
        self.0.entries.get(at).map(|entry| entry.at)
    }

    /// The mean length of the prompts that are to be made up; `None` without such.
    pub fn mean_input_tokens(&self) -> Option<f64> {
        let lengths = self
            .0
            .entries
            .iter()
            .filter_map(|entry| entry.said.length())
            .map(f64::from);
        let (count, sum) = lengths.fold((0u64, 0.0), |(count, sum), length| {
            (count + 1, sum + length)
        });
        (count > 0).then(|| sum / count as f64)
    }

    /// Whether some of its requests say what the plan says.
    pub fn leaves_words_to_the_plan(&self) -> bool {
        self.0
            .entries
            .iter()
            .any(|entry| matches!(entry.said, Said::AsPlanned))
    }

    /// What should be told of the file beside the figures, if anything.
    pub fn note(&self) -> Option<String> {
        self.0.left_out.told("requests", self.len())
    }

    /// For a report.
    pub fn brief(&self) -> TraceBrief {
        let mut prompts = TracePrompts::default();
        for entry in &self.0.entries {
            prompts.limits += u64::from(entry.max_tokens.is_some());
            match &entry.said {
                Said::Own(_) => prompts.own += 1,
                Said::AsPlanned => prompts.planned += 1,
                Said::OfLength(tokens) | Said::OfBlocks(tokens, _) => {
                    prompts.blocks += u64::from(matches!(entry.said, Said::OfBlocks(..)));
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
            left_out: self.0.left_out.count as u64,
            why_left_out: self.note(),
            prompts,
        }
    }

    pub(super) fn entry(&self, index: u64) -> &Entry {
        &self.0.entries[(index % self.0.entries.len() as u64) as usize]
    }

    /// Tokens of a block of `hash_ids`.
    pub(super) fn block_tokens(&self) -> u32 {
        self.0.block
    }
}

impl Said {
    fn length(&self) -> Option<u32> {
        match self {
            Self::OfLength(tokens) | Self::OfBlocks(tokens, _) => Some(*tokens),
            Self::Own(_) | Self::AsPlanned => None,
        }
    }
}

const LONGEST: Duration = Duration::from_secs(366 * 24 * 3_600);

const FORMS: &str = "A trace is JSONL with a \"timestamp\" in each line, or CSV with a column of times and one of prompt \
     lengths";

type Read = Vec<(Place, Moment, Entry)>;

fn of_json(name: &str, text: &str, left_out: &mut LeftOut) -> Result<Read, Failure> {
    let found = pieces::json(text)
        .map_err(|why| Failure::new(format!("{name} is no JSON, or is cut off: {why}"), FORMS))?;
    let mut out = Vec::new();
    for Piece { place, json } in found {
        let read = json
            .and_then(|json| serde_json::from_str(json).map_err(|why| pieces::in_line(&why)))
            .and_then(|fields: Map<String, Value>| entry(&fields));
        match read {
            Ok((moment, entry)) => out.push((place, moment, entry)),
            Err(why) => left_out.add(place, why),
        }
    }
    Ok(out)
}

fn of_table(name: &str, text: &str, left_out: &mut LeftOut) -> Result<Read, Failure> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let table = Table::read(text).map_err(|why| {
        Failure::new(
            format!("{name} is neither JSON nor CSV that can be read: {why}"),
            CSV_QUOTES,
        )
    })?;
    let timed = table
        .heads
        .iter()
        .any(|head| Time::of(&plain(head)).is_some());
    if !timed {
        let columns = units::shorten_middle(&table.heads.join(", "), 120);
        let why = format!(
            "{name} is neither JSON nor CSV with a column of times: its first line is {columns}"
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
            entry(&fields)
        });
        match read {
            Ok((moment, entry)) => out.push((Place::Line(line), moment, entry)),
            Err(why) => left_out.add(Place::Line(line), why),
        }
    }
    Ok(out)
}

/// A field of times.
#[derive(Debug, Clone, Copy)]
enum Time {
    /// In a unit of its name.
    In(TimeUnit),
    /// In the unit of the file.
    Open,
}

impl Time {
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

/// When it is sent, and what it says.
fn entry(fields: &Map<String, Value>) -> Result<(Moment, Entry), String> {
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
        .filter_map(|(key, value)| Some((Time::of(&plain(key))?, value)));
    let moment = match (times.next(), times.next()) {
        (None, _) => return Err("there is no \"timestamp\" and no \"at\"".to_owned()),
        (Some(_), Some(_)) => return Err("its time is there twice".to_owned()),
        (Some((time, value)), None) => {
            // BurstGPT's whole numbers are seconds.
            let burst_gpt =
                named(&["requesttokens"]).is_some() && named(&["responsetokens"]).is_some();
            let unit = match time {
                Time::In(unit) => Some(unit),
                Time::Open => burst_gpt.then_some(TimeUnit::S),
            };
            Moment::read(value, unit)?
        }
    };
    let own = said::words(fields)?;
    let limit = named(&OUTPUTS).map(said::tokens).transpose()?;
    let max_tokens = limit.or_else(|| own.as_ref().and_then(said::Said::max_tokens));
    let said = match (own, named(&INPUTS)) {
        (Some(said), _) => Said::Own(said),
        (None, None) => Said::AsPlanned,
        (None, Some(length)) => match prompt_tokens(length)? {
            tokens if tokens > MOST_TOKENS => {
                return Err("a prompt has at most 1,000,000 tokens".to_owned());
            }
            tokens => match blocks(named(&["hashids"]))? {
                ids if ids.is_empty() => Said::OfLength(tokens),
                ids => Said::OfBlocks(tokens, ids),
            },
        },
    };
    Ok((
        moment,
        Entry {
            at: Duration::ZERO,
            said,
            max_tokens,
        },
    ))
}

fn prompt_tokens(value: &Value) -> Result<u32, String> {
    said::tokens(value).map_err(|why| why.replace("an answer", "a prompt"))
}

/// The ids of a prompt's blocks: numbers, or texts that stand for some.
fn blocks(value: Option<&Value>) -> Result<Box<[u64]>, String> {
    let Some(value) = value else {
        return Ok(Box::default());
    };
    let Value::Array(ids) = value else {
        return Err(format!("its hash_ids are no list: {}", said::shown(value)));
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
        .map(|each| id(each).ok_or_else(|| format!("{} is no hash id", said::shown(each))))
        .collect()
}

/// How many tokens a block has: traces do not say it. It is the size at which the most prompts have as many blocks as
/// ids (Mooncake's have 512, Qwen's 16).
fn block_tokens(entries: &[Entry]) -> u32 {
    let pairs = || {
        entries.iter().filter_map(|entry| match &entry.said {
            Said::OfBlocks(tokens, ids) => {
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
    // Of equals the larger: short prompts of one block tell nothing.
    let best = powers.map(|size| (fit(size), size)).max();
    match best {
        Some((fitting, size)) if fitting * 2 >= pairs().count().max(1) => size,
        _ => pairs()
            .map(|(tokens, ids)| tokens.div_ceil(ids.max(1)))
            .max()
            .unwrap_or(1),
    }
}
