//! What differs in what was asked, of whom, and from where; and what is to be known of a comparison.
//!
//! Seeds, tags and dates are no differences. Grave is what makes the same figure another thing: other prompts,
//! other lengths, another kind of load, tokens counted by somebody else.

use std::time::Duration;

use super::bootstrap::DRAWS;
use super::levels::Match;
use super::{Alike, Difference, LevelValues, Side};
use crate::domain::conversation::Params;
use crate::domain::environment::Environment;
use crate::domain::known::{TraceBrief, UNKNOWN, Unknown};
use crate::domain::plan::{Arrivals, Ends, Load, Plan, Prompts};
use crate::domain::run::{BenchReport, EnvironmentInfo, LevelReport, SessionEnd, Stats};
use crate::domain::units::{ABSENT, count, write_duration};

/// Who counted the tokens.
pub(super) const TOKENS_FROM: &str = "tokens from";
/// What a request must meet.
pub(super) const OBJECTIVES: &str = "objectives";
/// Answers, or prompts, whose mean length differs by more are told.
const LENGTHS_TELL: f64 = 0.05;
/// A larger share of the prompts' tokens from a cache, as a share.
const CACHED_TELL: f64 = 0.05;

type Say = fn(&BenchReport) -> String;

/// What can be read off a report, and whether it is grave.
const FIELDS: &[(&str, bool, Say)] = &[
    ("deployments", false, |r| {
        list(
            r.plan
                .targets
                .iter()
                .map(|t| t.deployment.as_deref().unwrap_or(ABSENT)),
        )
    }),
    ("load", true, |r| load(&r.plan.load)),
    ("levels", false, |r| {
        list(r.plan.load.levels().iter().map(|level| level.label()))
    }),
    ("trace", true, |r| {
        or_absent(r.trace.as_ref().map(TraceBrief::told))
    }),
    ("level ends", false, |r| {
        known(r, Unknown::LevelEnds, |plan| ends(&plan.level_ends))
    }),
    ("session ends", false, |r| {
        known(r, Unknown::SessionEnds, |plan| ends(&plan.session_ends))
    }),
    ("warm-up", false, |r| {
        known(r, Unknown::Warmup, |plan| plan.warmup.to_string())
    }),
    ("ramp-up", false, |r| {
        known(r, Unknown::RampUp, |plan| time(plan.ramp_up))
    }),
    ("prompts", true, |r| {
        known(r, Unknown::Prompts, |plan| match &plan.prompts {
            Prompts::Synthetic { .. } => "synthetic".to_owned(),
            Prompts::File(file) => file.display().to_string(),
        })
    }),
    ("prompt tokens", true, |r| {
        known(r, Unknown::Prompts, |plan| match &plan.prompts {
            Prompts::Synthetic { input_tokens, .. } => input_tokens.to_string(),
            Prompts::File(_) => absent(),
        })
    }),
    ("shared prefix", true, |r| {
        known(r, Unknown::Prompts, |plan| match &plan.prompts {
            Prompts::Synthetic { prefix_tokens, .. } => prefix_tokens.to_string(),
            Prompts::File(_) => absent(),
        })
    }),
    ("turns", true, |r| {
        known(r, Unknown::Turns, |plan| plan.turns.to_string())
    }),
    ("output tokens", true, |r| {
        known(r, Unknown::OutputTokens, |plan| {
            or_absent(plan.output_tokens)
        })
    }),
    ("ignore_eos", true, |r| {
        known(r, Unknown::IgnoreEos, |plan| on_off(plan.ignore_eos))
    }),
    ("temperature", false, |r| {
        params(r, |params| or_absent(params.temperature))
    }),
    ("top_p", false, |r| {
        params(r, |params| or_absent(params.top_p))
    }),
    ("top_k", false, |r| {
        params(r, |params| or_absent(params.top_k))
    }),
    ("stop", true, |r| {
        params(r, |params| {
            list(params.stop.iter().map(|stop| format!("{stop:?}")))
        })
    }),
    ("reasoning effort", true, |r| {
        params(r, |params| {
            or_absent(params.reasoning_effort.map(|effort| effort.as_str()))
        })
    }),
    ("thinking", true, |r| {
        params(r, |params| params.thinking.map_or_else(absent, on_off))
    }),
    ("time-out", false, |r| {
        known(r, Unknown::Timeout, |plan| time(plan.timeout))
    }),
    (OBJECTIVES, false, |r| {
        known(r, Unknown::Objectives, |plan| {
            Some(plan.objectives.to_string())
                .filter(|t| !t.is_empty())
                .unwrap_or_else(absent)
        })
    }),
    ("environment", false, |r| r.environment.clone()),
    ("API", false, api),
    ("measured by", true, |r| {
        r.source.clone().unwrap_or_else(|| "Batida".to_owned())
    }),
    ("Batida", false, |r| r.batida.clone()),
    ("machine", false, |r| {
        r.machine.told().unwrap_or_else(|| UNKNOWN.to_owned())
    }),
    ("SambaStack", false, |r| around(r, |s| s.sambastack.clone())),
    ("Kubernetes", false, |r| around(r, |s| s.kubernetes.clone())),
    ("kubectl", false, |r| around(r, |s| s.kubectl.clone())),
    ("generation", false, |r| {
        around(r, |s| {
            some_list(s.deployments.iter().map(|d| d.kind.clone()))
        })
    }),
    ("bundle", false, |r| {
        around(r, |s| {
            some_list(s.deployments.iter().filter_map(|d| d.bundle.clone()))
        })
    }),
    ("ended", false, |r| match &r.ended {
        SessionEnd::Complete => "complete".to_owned(),
        SessionEnd::Stopped => "stopped".to_owned(),
        SessionEnd::Limit(why) | SessionEnd::Errors(why) | SessionEnd::Failed(why) => why.clone(),
    }),
];

/// All that differs: first what is grave, each in the order of a plan.
pub(super) fn differences(sides: &[Side], matches: &[Match<'_>]) -> Vec<Difference> {
    let mut out = Vec::new();
    let mut say = |what: &str, grave: bool, values: Vec<String>| {
        if values.windows(2).any(|pair| pair[0] != pair[1]) {
            out.push(Difference {
                what: what.to_owned(),
                values,
                grave,
            });
        }
    };
    let of =
        |say: &dyn Fn(&BenchReport) -> String| sides.iter().map(|side| say(&side.report)).collect();
    let renamed = matches.iter().any(Match::is_renamed);
    say(
        "model",
        renamed,
        of(&|r| list(r.plan.targets.iter().map(|target| target.model.as_str()))),
    );
    // What one side does not know is no difference that is known: these are told together.
    let mut unknown: Vec<Vec<&str>> = vec![Vec::new(); sides.len()];
    for (what, grave, read) in FIELDS {
        let values: Vec<String> = of(read);
        let knows_not = |value: &String| value == UNKNOWN;
        if values.iter().any(knows_not) {
            let missing = unknown
                .iter_mut()
                .zip(&values)
                .filter(|(_, value)| knows_not(value));
            missing.for_each(|(names, _)| names.push(what));
        } else {
            say(what, *grave, values);
        }
    }
    say(
        "unknown",
        false,
        unknown
            .into_iter()
            .map(|names| list(names.into_iter()))
            .collect(),
    );
    // From no warm-up to some, or back, other requests are measured: those of a cold start.
    let cold = |r: &BenchReport| match r.warmups() {
        Some(0) => "cold".to_owned(),
        Some(_) => "warm".to_owned(),
        None => UNKNOWN.to_owned(),
    };
    let starts: Vec<String> = of(&cold);
    if !starts.iter().any(|start| start == UNKNOWN) {
        say("start", true, starts);
    }
    let places = |side: usize| -> Vec<&LevelReport> {
        let levels = matches.iter().flat_map(|found| &found.levels);
        levels
            .filter_map(|(_, places)| Some(places[side].as_ref()?.level))
            .collect()
    };
    let compared: Vec<Vec<&LevelReport>> = (0..sides.len()).map(places).collect();
    let each = |say: &dyn Fn(&[&LevelReport]) -> String| {
        compared.iter().map(|levels| say(levels)).collect()
    };
    say(TOKENS_FROM, true, each(&tokens_from));
    for (what, stats) in [
        (
            "measured prompt tokens",
            (|l| &l.prompt_tokens) as fn(&LevelReport) -> &Stats,
        ),
        ("measured output tokens", |l| &l.output_tokens),
    ] {
        let means: Vec<Option<f64>> = compared.iter().map(|levels| mean(levels, stats)).collect();
        if spread(&means).is_some_and(|[low, high]| high > low * (1.0 + LENGTHS_TELL)) {
            say(
                what,
                true,
                means
                    .iter()
                    .map(|mean| mean.map_or_else(absent, |n| format!("{n:.1}")))
                    .collect(),
            );
        }
    }
    let cached: Vec<Option<f64>> = compared.iter().map(|levels| cached_share(levels)).collect();
    if spread(&cached).is_some_and(|[low, high]| high - low > CACHED_TELL) {
        let percent =
            |share: &Option<f64>| share.map_or_else(absent, |n| format!("{:.0} %", n * 100.0));
        say(
            "prompt tokens from a cache",
            true,
            cached.iter().map(percent).collect(),
        );
    }
    let doubted = |levels: &[&LevelReport]| {
        some_list(
            levels
                .iter()
                .filter(|l| !l.watch.doubts.is_empty())
                .map(|level| level.label.clone()),
        )
        .unwrap_or_else(absent)
    };
    say("levels in doubt", false, each(&doubted));
    out.sort_by_key(|difference| !difference.grave);
    out
}

/// How sure and how, and what is not seen in the rows.
pub(super) fn remarks(sides: &[Side], matches: &[Match<'_>], alike: Alike, out: &mut Vec<String>) {
    let mut without = Vec::new();
    for (at, side) in sides.iter().enumerate() {
        let levels = matches
            .iter()
            .flat_map(|found| found.levels.iter().map(move |level| (found, level)));
        let places = levels
            .filter_map(|(found, (label, places))| Some((found, label, places[at].as_ref()?)));
        let bare =
            |values: Option<&LevelValues>| values.is_none_or(|values| values.latency_ms.is_empty());
        if places
            .clone()
            .any(|(_, _, place)| place.level.requests.ok > 0 && bare(place.values))
        {
            without.push(side.label.as_str());
        }
        for (found, label, place) in
            places.filter(|(_, _, place)| !place.level.watch.doubts.is_empty())
        {
            let doubts = place.level.watch.doubts.join("; ");
            out.push(format!(
                "In doubt: {label} of {} in {}: {doubts}",
                found.model, side.label
            ));
        }
        if let Some(source) = &side.report.source {
            out.push(format!(
                "{} was measured by {source}. {}",
                side.label,
                means_there(source)
            ));
        }
    }
    if !without.is_empty() {
        out.push(format!(
            "Of {} only the report is at hand, not its requests: values are taken from its histograms, evenly within \
             a bucket, and gaps count as so many values as its own intervals have it",
            without.join(" and ")
        ));
    }
    if !alike.objectives {
        out.push("The objectives differ: goodput is to be looked at, not compared".to_owned());
    }
    if !alike.tokens {
        out.push(
            "Tokens are not counted by the same: what counts them is to be looked at, not compared"
                .to_owned(),
        );
    }
    out.push(format!(
        "Intervals are 95 %: of percentiles by bootstrap with the request as the unit ({} draws), of rates by batch \
         means, of goodput after Jeffreys",
        count(DRAWS as u64)
    ));
    out.push(
        "Better and worse are changes of at least what matters, whose interval does not hold zero and, of medians, \
         whose Mann–Whitney test agrees; errors are by Fisher's exact test; all at 5 % for a session as a whole (Holm)"
            .to_owned(),
    );
    out.push(
        "What varies from run to run is not in the intervals: repeat a run to see it".to_owned(),
    );
}

/// What figures of other programs are, where they are not what Batida's are.
fn means_there(source: &str) -> &'static str {
    let name = source.to_lowercase();
    if name.contains("guidellm") {
        "Its TTFT begins after connecting, its ITL is a mean per request, its TPOT has TTFT inside"
    } else if name.contains("aiperf") || name.contains("genai-perf") {
        "Its inter token latency is a mean per request, which stands as TPOT here; its tokens may be a tokenizer's on \
         the client"
    } else if name.contains("vllm-rs") {
        "Its TTFT ends at the first chunk, which has only the role, and its gaps hold that chunk and the last"
    } else if name.contains("sglang") {
        "Its TTFT ends at the first content and has the opening of a connection in it"
    } else if name.contains("vllm") {
        "Its TTFT may miss reasoning, and time that requests waited in the client is not in it"
    } else {
        "Its figures may mean something else than ours of the same name"
    }
}

/// The demo listens on any free port, which says nothing.
fn api(report: &BenchReport) -> String {
    let demo = Environment::demo().name;
    if report.environment == demo {
        demo
    } else {
        report.api.clone()
    }
}

fn absent() -> String {
    ABSENT.to_owned()
}

fn or_absent(value: Option<impl ToString>) -> String {
    value.map_or_else(absent, |value| value.to_string())
}

fn some_list(items: impl Iterator<Item = impl Into<String>>) -> Option<String> {
    let items: Vec<String> = items.map(Into::into).collect();
    (!items.is_empty()).then(|| items.join(", "))
}

fn list(items: impl Iterator<Item = impl Into<String>>) -> String {
    some_list(items).unwrap_or_else(absent)
}

fn around(report: &BenchReport, read: impl Fn(&EnvironmentInfo) -> Option<String>) -> String {
    report
        .surroundings
        .as_ref()
        .and_then(read)
        .unwrap_or_else(absent)
}

/// What a plan says, where that is known at all.
fn known(report: &BenchReport, part: Unknown, say: impl Fn(&Plan) -> String) -> String {
    if report.knows(part) {
        say(&report.plan)
    } else {
        UNKNOWN.to_owned()
    }
}

fn params(report: &BenchReport, say: impl Fn(&Params) -> String) -> String {
    known(report, Unknown::Params, |plan| say(&plan.params))
}

fn on_off(on: bool) -> String {
    if on { "on" } else { "off" }.to_owned()
}

fn time(time: Duration) -> String {
    if time.is_zero() {
        "0s".to_owned()
    } else {
        write_duration(time)
    }
}

fn load(load: &Load) -> String {
    let cap = |most: Option<u32>| {
        most.map(|n| format!(", {n} in flight at most"))
            .unwrap_or_default()
    };
    match load {
        Load::Concurrency(_) => "clients".to_owned(),
        Load::Rate {
            arrivals,
            most_in_flight,
            ..
        } => {
            let arrivals = match arrivals {
                Arrivals::Constant => "constant",
                Arrivals::Poisson => "Poisson",
            };
            format!("rate, {arrivals}{}", cap(*most_in_flight))
        }
        Load::Max { in_flight } => {
            format!(
                "as fast as it goes{}",
                cap(Some(*in_flight).filter(|n| *n > 0))
            )
        }
        Load::Trace {
            file,
            most_in_flight,
            ..
        } => {
            format!("trace {}{}", file.display(), cap(*most_in_flight))
        }
        Load::Unknown => UNKNOWN.to_owned(),
    }
}

fn ends(ends: &Ends) -> String {
    let mut parts = Vec::new();
    parts.extend(ends.requests.map(|n| format!("{} requests", count(n))));
    parts.extend(ends.after.map(time));
    parts.extend(
        ends.error_share
            .map(|share| format!("{} % errors", (share * 1e4).round() / 1e2)),
    );
    some_list(parts.into_iter()).unwrap_or_else(absent)
}

fn tokens_from(levels: &[&LevelReport]) -> String {
    let mut found: Vec<&str> = levels
        .iter()
        .map(|level| level.tokens_from.as_str())
        .collect();
    found.sort_unstable();
    found.dedup();
    list(found.into_iter())
}

/// Over all answers of these levels.
fn mean(levels: &[&LevelReport], stats: fn(&LevelReport) -> &Stats) -> Option<f64> {
    let counted = levels
        .iter()
        .map(|level| stats(level))
        .filter_map(|s| Some((s.count as f64, s.mean?)));
    let (n, sum) = counted.fold((0.0, 0.0), |(n, sum), (count, mean)| {
        (n + count, sum + count * mean)
    });
    (n > 0.0).then(|| sum / n)
}

fn cached_share(levels: &[&LevelReport]) -> Option<f64> {
    let prompt = mean(levels, |level| &level.prompt_tokens).filter(|mean| *mean > 0.0)?;
    Some(mean(levels, |level| &level.cached_tokens)? / prompt)
}

/// The least and the most of those that are known.
fn spread(values: &[Option<f64>]) -> Option<[f64; 2]> {
    let known = || values.iter().flatten().copied();
    let low = known().reduce(f64::min)?;
    Some([low, known().reduce(f64::max)?])
}
