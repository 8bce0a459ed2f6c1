//! What a reader of a level's figures must know, in plain sentences.

mod prompt_fit;
mod waited;

use std::fmt::Write as _;
use std::time::Duration;

use super::ordered::Effects;
use super::rates::LEAST_BATCHES;
use super::sending::{ChunkTally, Sending};
use super::stats::least_for_interval;
use super::timeline::{AT_ONCE, COALESCED, TOGETHER_SHARE};
use crate::domain::plan::LevelLoad;
use crate::domain::run::{LevelEnd, LevelReport, Stats};
use crate::domain::stats::{P99, PERCENTILES, Percentile};
use crate::domain::units;

/// In flight less than asked by more than this is worth a word.
const UNREACHED: f64 = 0.01;
/// Requests a minute that SambaStack's stock ingress lets through, and its burst.
const INGRESS: [f64; 2] = [240.0, 360.0];
/// A request may leave so late against its schedule without a word, whatever share that is.
const LATE: Duration = Duration::from_millis(5);

/// More of the answers arriving all at once are worth a word.
const AT_ONCE_SHARE: f64 = 0.1;
/// More of the requests' time lying behind their last tokens is, where it is this long on average.
const HELD_SHARE: f64 = 0.05;
const HELD_FOR: Duration = Duration::from_millis(50);

pub use self::prompt_fit::PromptFit;

/// What notes need to know beside the report.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    /// The environment has a cluster, whose ingress SambaStack installs.
    pub(super) cluster: bool,
    pub(super) prompts: &'a PromptFit,
    /// Answers whose tokens are chunks.
    pub(super) by_chunks: u64,
    /// As how many independent ones requests count; `None` while the level runs.
    pub(super) effects: Option<&'a Effects>,
    /// How tokens came in chunks.
    pub(super) chunks: &'a ChunkTally,
    /// How long requests lasted behind their last token.
    pub(super) held: Option<Held>,
    /// What the first warm-up that failed said.
    pub(super) warmup_error: Option<&'a str>,
    /// How an open loop kept to its schedule.
    pub(super) sending: Option<Sending>,
    /// Clients wait between an answer and their next turn.
    pub(super) thinks: bool,
    /// The mean answer.
    pub(super) answer_takes: Option<Duration>,
    /// The steady part without pauses.
    pub(super) steady_for: Option<Duration>,
    /// How long requests were sent, without pauses.
    pub(super) sent_for: Duration,
}

/// The time of good answers behind their last token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    /// Of the whole time of those requests.
    pub(super) share: f64,
    /// On average.
    pub(super) each: Duration,
}

/// All notes on a level, what weighs most first.
pub(super) fn write(level: &LevelReport, seen: &Seen<'_>) -> Vec<String> {
    let over = level.ended != LevelEnd::Running;
    let notes = [
        rate_limited(level, seen),
        queue_full(level),
        failed(level),
        without_text(level),
        only_reasoned(level),
        other_model(level),
        at_once(level),
        coalesced(seen.chunks),
        held_open(seen),
        reconnected(level),
        warmups_failed(level, seen),
        chunks(level, seen),
        prompt_fit::note(seen.prompts),
        // More may come while it runs.
        unsent(level),
        hung_up(level),
        over.then(|| unreached(level, seen)).flatten(),
        over.then(|| behind(level, seen)).flatten(),
        over.then(|| unsteady(level)).flatten(),
        over.then(|| no_interval(level, seen)).flatten(),
        seen.effects
            .and_then(|effects| waited::note(level, effects)),
        over.then(|| too_few(level)).flatten(),
    ];
    notes.into_iter().flatten().collect()
}

fn rate_limited(level: &LevelReport, seen: &Seen<'_>) -> Option<String> {
    let refused = level.limits.rate_limited;
    let mut note = format!(
        "{} refused for a rate limit or a quota: the figures measure that limit as much as the model",
        were(refused, "request")?
    );
    let [limit, burst] = INGRESS;
    let stock = format!("lets {limit} a minute through as SambaStack installs it (burst {burst})");
    let by_ingress = level.limits.ingress;
    if !seen.cluster {
        if by_ingress > 0 {
            let _ = write!(
                note,
                "; {} by a gateway before the API, with a web page as no API sends",
                if by_ingress == refused {
                    "all".to_owned()
                } else {
                    units::count(by_ingress)
                }
            );
        }
        return Some(note);
    }
    if by_ingress > 0 {
        let whom = if by_ingress == refused {
            String::new()
        } else {
            format!(" {} of them", units::count(by_ingress))
        };
        let _ = write!(
            note,
            ";{whom} by the ingress, with a web page as no API sends: it {stock}"
        );
    // An API that tells its limits refuses for them.
    } else if level.limits.headers.is_empty() && has_used_up(level.requests.ended, seen.sent_for) {
        let _ = write!(
            note,
            "; that many in {} may be more than the ingress, which {stock}",
            units::duration(seen.sent_for)
        );
    }
    Some(note)
}

/// Whether so many requests are more than SambaStack's stock ingress lets through in a time.
fn has_used_up(requests: u64, time: Duration) -> bool {
    let [limit, burst] = INGRESS;
    requests as f64 > burst + limit * time.as_secs_f64() / 60.0
}

fn queue_full(level: &LevelReport) -> Option<String> {
    let refused = were(level.limits.queue_full, "request")?;
    Some(format!(
        "{refused} refused since the server's queue was full: it was asked for more than it holds"
    ))
}

fn failed(level: &LevelReport) -> Option<String> {
    let requests = &level.requests;
    (requests.failed > 0).then(|| {
        format!(
            "{} of {} failed: they are in the counts of errors, and in no time or rate",
            units::count(requests.failed),
            counted(requests.ended, "request")
        )
    })
}

fn without_text(level: &LevelReport) -> Option<String> {
    let n = level.requests.without_text;
    (n > 0).then(|| {
        format!(
            "{} without text, tool call or refusal: they count as failed",
            counted(n, "answer")
        )
    })
}

/// Streamed answers that ended before their first word: measured, since tokens came, and yet of no use to a user.
fn only_reasoned(level: &LevelReport) -> Option<String> {
    let n = level
        .ttft_ms
        .count
        .checked_sub(level.first_answer_ms.count)?;
    (n > 0).then(|| {
        format!(
            "{} held reasoning and no answer: raise max tokens or lower the reasoning effort to measure whole answers",
            counted(n, "answer")
        )
    })
}

/// A gateway's fallback, or a server that answers to any name.
fn other_model(level: &LevelReport) -> Option<String> {
    let first = level.answered_by.first()?;
    let n: u64 = level.answered_by.iter().map(|other| other.answers).sum();
    let whom = match (&*first.model, level.answered_by.len()) {
        ("", _) => "other models".to_owned(),
        (model, 1) => model.to_owned(),
        (model, _) => format!("{model} and others"),
    };
    Some(format!(
        "{} of {} came from {whom}, not from {}: the server names the model that answered",
        units::count(n),
        counted(level.requests.ok, "answer"),
        level.model
    ))
}

fn at_once(level: &LevelReport) -> Option<String> {
    let (n, all) = (level.at_once, level.requests.ok);
    (n as f64 > all as f64 * AT_ONCE_SHARE).then(|| {
        format!(
            "{} of {} {AT_ONCE}: they are in no TPOT, ITL or tokens/s",
            units::count(n),
            counted(all, "answer")
        )
    })
}

/// Tokens that come together, in a chunk or in a read.
fn coalesced(chunks: &ChunkTally) -> Option<String> {
    let several = chunks.tokens_per_chunk().filter(|each| *each >= COALESCED);
    let several = several.map(|each| {
        format!("a chunk holds {each:.1} tokens on average: ITL is the gap between chunks, TPOT the time per token")
    });
    let together = chunks.together().filter(|share| *share >= TOGETHER_SHARE).map(|share| {
        let share = units::whole_percent(share);
        format!("{share} of the chunks came in one read with the one before: their gaps in ITL are 0")
    });
    match (several, together) {
        (Some(several), Some(together)) => Some(format!("{several}; {together}")),
        (several, together) => several.or(together),
    }
}

/// A server that keeps streams open after the answer: in a closed loop the next request waits for their end.
fn held_open(seen: &Seen<'_>) -> Option<String> {
    let Held { share, each } = seen.held?;
    (share >= HELD_SHARE && each >= HELD_FOR).then(|| {
        format!(
            "requests lasted {} longer than their answers on average ({} of their time), until the server ended the \
             stream or Batida stopped waiting for its [DONE]: latency leaves that out, throughput and in flight \
             include it",
            units::duration(each),
            units::whole_percent(share)
        )
    })
}

fn reconnected(level: &LevelReport) -> Option<String> {
    let requests = were(level.requests.reconnected, "request")?;
    Some(format!(
        "{requests} sent again on a new connection, since the server closed the open one as they were sent: their times \
         include that, and the server may have received some of them twice"
    ))
}

fn warmups_failed(level: &LevelReport, seen: &Seen<'_>) -> Option<String> {
    let requests = &level.requests;
    let example = seen.warmup_error?;
    Some(format!(
        "{} of {} failed: {example}",
        units::count(requests.warmup_failed),
        counted(requests.warmup, "warm-up")
    ))
}

fn chunks(level: &LevelReport, seen: &Seen<'_>) -> Option<String> {
    let answers = level.output_tokens.count;
    match seen.by_chunks {
        0 => None,
        chunks if chunks == answers => Some(
            "the server reports no plausible token count (usage): tokens are chunks, which may hold several"
                .to_owned(),
        ),
        chunks => Some(format!(
            "{} of {} came without the server's count of tokens (usage): theirs are chunks, which may hold several",
            units::count(chunks),
            counted(answers, "answer")
        )),
    }
}

/// In an open loop the cap is an upper bound, and not reaching it is well. Clients that think are not in flight.
fn unreached(level: &LevelReport, seen: &Seen<'_>) -> Option<String> {
    let closed = matches!(
        level.load,
        LevelLoad::Concurrency(_) | LevelLoad::Max { .. }
    );
    let asked = level.concurrency.asked.filter(|_| closed && !seen.thinks)?;
    let reached = level.concurrency.reached?;
    (reached < f64::from(asked) * (1.0 - UNREACHED)).then(|| {
        format!(
            "{} asked for in flight, {reached:.1} reached: the figures are of that load",
            units::count(u64::from(asked))
        )
    })
}

/// Their clients did as the plan says.
fn hung_up(level: &LevelReport) -> Option<String> {
    let were = were(level.requests.hung_up, "request")?;
    Some(were + " of clients that hang up, as planned, and are in no figure of time")
}

/// Those that would have waited longest when the level's time was over: without a word the slowest would vanish.
fn unsent(level: &LevelReport) -> Option<String> {
    let were = were(level.requests.unsent, "request")?;
    let places = level
        .concurrency
        .asked
        .map_or("", |_| "since all places in flight were taken ");
    let missed = if level.goodput.is_some() {
        "; they count as missed in goodput"
    } else {
        ""
    };
    Some(format!(
        "{were} due and not sent, {places}until the level ended: times would be longer with their waits{missed}"
    ))
}

/// In an open loop requests leave at their moments, unless a cap or the machine holds them back.
fn behind(level: &LevelReport, seen: &Seen<'_>) -> Option<String> {
    let Sending {
        requests,
        due_for,
        took,
    } = seen.sending?;
    let held = took > due_for.mul_f64(1.0 + UNREACHED) + LATE;
    let took = took.as_secs_f64();
    if !held || took <= 0.0 {
        return None;
    }
    match level.load {
        LevelLoad::Rate { per_sec, .. } => {
            // Between two requests lies one gap.
            let gaps = if level.requests.unsent > 0 {
                requests
            } else {
                requests.saturating_sub(1)
            };
            let sent = units::short(Some(gaps as f64 / took));
            Some(format!(
                "{per_sec}/s asked, {sent}/s sent: the figures are of that load"
            ))
        }
        LevelLoad::Trace { .. } => Some(format!(
            "what the trace sends in {} took {}: the figures are of that load",
            units::duration(due_for),
            units::duration(units::checked_seconds(took).unwrap_or_default())
        )),
        LevelLoad::Concurrency(_) | LevelLoad::Max { .. } | LevelLoad::Unknown => None,
    }
}

/// Answers within a steady part of few of their lengths are of one piece, however many they are.
fn no_interval(level: &LevelReport, seen: &Seen<'_>) -> Option<String> {
    let rate = level
        .throughput
        .requests_per_s
        .filter(|rate| rate.ci.is_none())?;
    let (steady, answer) = (seen.steady_for?, seen.answer_takes?);
    let mut note = format!(
        "throughput ({} req/s) has no 95 % interval: ",
        units::short(Some(rate.mean))
    );
    let needed = answer * LEAST_BATCHES as u32;
    let _ = if steady < needed {
        write!(
            note,
            "the steady part of {} is shorter than {LEAST_BATCHES} answers of {}",
            units::duration(steady),
            units::duration(answer)
        )
    } else if level.requests.ok >= LEAST_BATCHES {
        write!(
            note,
            "requests depend on each other for too long for a steady part of {}",
            units::duration(steady)
        )
    } else {
        write!(
            note,
            "fewer than {LEAST_BATCHES} answers are in the steady part of {}",
            units::duration(steady)
        )
    };
    Some(note)
}

fn unsteady(level: &LevelReport) -> Option<String> {
    (level.steady_s.is_none() && level.requests.ok > 0).then(|| {
        "the load was never steady, so there is no throughput: run it for longer".to_owned()
    })
}

/// Which percentiles have no 95 % interval, in one sentence.
fn too_few(level: &LevelReport) -> Option<String> {
    let figures = [
        ("TTFT", &level.ttft_ms),
        ("TPOT", &level.tpot_ms),
        ("latency", &level.latency_ms),
        ("ITL", &level.itl_ms),
    ];
    // Figures of as many values are said together.
    let mut groups: Vec<(u64, bool, Vec<&str>)> = Vec::new();
    for (name, stats) in figures
        .iter()
        .filter(|(_, stats)| stats.count > 0 && !lacking(stats).is_empty())
    {
        let of_gaps = *name == "ITL";
        match groups
            .iter_mut()
            .find(|(count, gaps, _)| (*count, *gaps) == (stats.count, of_gaps))
        {
            Some((_, _, names)) => names.push(name),
            None => groups.push((stats.count, of_gaps, vec![name])),
        }
    }
    let clauses = groups.into_iter().map(|(count, of_gaps, names)| {
        let stats = Stats {
            count,
            ..Stats::default()
        };
        let (percentiles, needed): (Vec<_>, Vec<_>) = lacking(&stats)
            .into_iter()
            .map(|(name, least)| (name, units::count(least)))
            .unzip();
        let several = percentiles.len() * names.len() > 1;
        format!(
            "{} of {} {} on {}: {} {} for a 95 % interval",
            list(&percentiles),
            list(&names),
            if several { "rest" } else { "rests" },
            counted(count, if of_gaps { "gap" } else { "request" }),
            if percentiles.len() > 1 {
                "they need"
            } else {
                "it needs"
            },
            list(&needed),
        )
    });
    let itl = &level.itl_ms;
    // Enough gaps, and yet no interval.
    let alike = itl.estimate(P99).ci.is_none() && itl.count >= least_for_interval(P99.share());
    let alike = alike.then(|| {
        let without = Percentile::all_with_interval().filter(|it| itl.estimate(*it).ci.is_none());
        let without: Vec<String> = without.map(|it| it.to_string()).collect();
        format!(
            "{} of ITL: the gaps are of too few answers for a 95 % interval",
            list(&without)
        )
    });
    let mut clauses = clauses.chain(alike);
    let first = clauses.next()?;
    Some(clauses.fold(first, |all, clause| format!("{all}; {clause}")))
}

/// Percentiles without an interval, and how many values they need.
///
/// A far tail is among them, though a report holds no interval of it: it rests on even fewer values.
fn lacking(stats: &Stats) -> Vec<(String, u64)> {
    let told = PERCENTILES
        .iter()
        .filter(|it| it.has_interval() || it.share() > P99.share());
    let needed = told.map(|it| (it.to_string(), least_for_interval(it.share())));
    needed.filter(|(_, least)| stats.count < *least).collect()
}

/// `a`, `a and b`, `a, b and c`.
fn list<T: AsRef<str>>(words: &[T]) -> String {
    match words {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

fn counted(n: u64, noun: &str) -> String {
    units::counted(usize::try_from(n).unwrap_or(usize::MAX), noun)
}

/// `1 request was`, `2 requests were`, nothing for none.
fn were(n: u64, noun: &str) -> Option<String> {
    (n > 0).then(|| {
        format!(
            "{} {}",
            counted(n, noun),
            if n == 1 { "was" } else { "were" }
        )
    })
}
