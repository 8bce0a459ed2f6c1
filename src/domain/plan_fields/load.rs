//! How requests are sent.

use std::path::PathBuf;

use super::values::{ON, join, maybe, number, numbers, optional, put, switched};
use super::{Compare, FieldSpec, row};
use crate::domain::plan::{Arrivals, Field, Find, Limit, Load, MOST_CLIENTS, Raise, TimeUnit};
use crate::domain::run::known::{UNKNOWN, Unknown};
use crate::domain::units::{read_duration, read_share, write_duration, write_share};

const LOAD: &str = "Load";
const LOADS: &[&str] = &["concurrency", "sweep", "find", "rate", "max", "trace"];

pub(super) const FIELDS: &[FieldSpec] = &[
    row(Field::Load, "load")
        .keys(&[("load", "text", "unknown if an imported file does not state it; else one of these:")])
        .compare(Compare::Warn).one(|plan| Some(kind(&plan.load).to_owned())),
    row(Field::Concurrency, "concurrent clients")
        .flag("concurrency", "N,N…", LOAD)
        .conflicts(LOADS)
        .help(
            "Send from N concurrent clients; each sends its next request when its previous one \
             finishes. One level per value, e.g. 1,4,16 [default: 1]",
        )
        .form("16", "16", "")
        .list()
        .keys(&[("load.concurrency", "list", "clients of each level")])
        .compare(Compare::List)
        .one(|plan| match &plan.load {
            Load::Concurrency(clients) => Some(join(clients)),
            _ => None,
        })
        .set(|plan, text| put(&mut plan.load, numbers(text).map(Load::Concurrency))),
    row(Field::Sweep, "concurrent clients per level")
        .flag("sweep", "N", LOAD)
        .without_value("64")
        .conflicts(LOADS)
        .help("Sweep the concurrency: 1, 2, 4 … N clients, one level each, e.g. --sweep=32 [N: 64]")
        .form("1, 2, 4, 8, 16", "1, 2, 4, 8, 16", "")
        .list()
        .set(|plan, text| match number::<u32>(text)? {
            most @ 1..=MOST_CLIENTS => put(&mut plan.load, Ok(Load::sweep(most))),
            _ => Err("a level has 1 to 20,000 clients".to_owned()),
        }),
    row(Field::Find, "limits to meet")
        .flag("find", "LIMIT", LOAD)
        .conflicts(LOADS)
        .help(
            "Find the highest load that meets this limit: double the load until it fails, then bisect. \
             ttft_p95<800ms means that at least 95 % of requests have a TTFT below 800 ms; also \
             first_answer, itl, tpot, latency, and user_tokens_per_s_p5>30. Failed and unsent requests \
             do not meet it. A level ends once it is decided, or at --requests or --duration",
        )
        .form("ttft_p95<800ms, itl_p99<50ms", "ttft_p95<800ms", "")
        .list()
        .keys(&[
            ("load.find.limits", "list", "what requests must meet, e.g. ttft_p95<800ms"),
            ("load.find.arrivals", "text", "of a rate: poisson; left out for constant"),
            ("load.find.most_in_flight", "count", "of a rate: at most so many in flight; left out without"),
        ])
        .compare(Compare::Warn)
        .one(|plan| Some(join(&plan.load.find()?.limits)))
        .set(|plan, text| {
            let limits = limits(text)?;
            // A probe ends once it is decided, and one with many errors only fails.
            plan.level_ends.requests = None;
            plan.session_ends.error_share = None;
            put(&mut plan.load, Ok(Load::Find(Find::of(limits))))
        }),
    row(Field::And, "further limits")
        .flag("and", "LIMIT", LOAD)
        .help("With --find: meet this limit as well, e.g. --and 'itl_p99<50ms'; can be repeated")
        .list()
        .set(|plan, text| {
            let more = limits(text)?;
            searched(plan)?.limits.extend(more);
            Ok(())
        }),
    row(Field::AtLeast, "share of requests")
        .flag("at-least", "SHARE", LOAD)
        .help(
            "With --find: the share of requests that must meet all limits without a percentile together, \
             e.g. --find 'ttft<800ms' --at-least 90% [default: 95%]. A limit with a percentile has its own \
             share. Means and rates are no share of requests and cannot be searched for",
        )
        .form("95%", "", "%")
        .keys(&[("load.find.at_least", "number", "share for limits without a percentile, 0 to 1; left out for 0.95")])
        .compare(Compare::Warn)
        .one(|plan| optional(plan.load.find()?.at_least.map(write_share)))
        .set(|plan, text| put(&mut searched(plan)?.at_least, maybe(text, read_share))),
    row(Field::FindBy, "what is raised")
        .flag("by", "concurrency|rate", LOAD)
        .help("With --find: raise the number of clients, or the requests per second [default: concurrency]")
        .form("", "concurrency", "")
        .keys(&[("load.find.by", "text", "concurrency or rate")])
        .compare(Compare::Warn)
        .one(|plan| Some(plan.load.find()?.by.name().to_owned()))
        .set(|plan, text| put(&mut searched(plan)?.by, Raise::parse(text))),
    row(Field::UpTo, "highest load to try")
        .flag("up-to", "N", LOAD)
        .help("With --find: go no higher than this, in clients or requests per second [default: 1024]")
        .form("1024", "", "")
        .keys(&[("load.find.up_to", "number", "the highest load to try; left out for 1024")])
        .compare(Compare::List)
        .one(|plan| optional(plan.load.find()?.up_to))
        .set(|plan, text| put(&mut searched(plan)?.up_to, maybe(text, number))),
    row(Field::Rate, "requests per second")
        .flag("rate", "R,R…", LOAD)
        .conflicts(LOADS)
        .help(
            "Send R requests per second, whether or not earlier ones have finished. One level per \
             value, e.g. 2,4.5",
        )
        .form("2, 4", "2", "")
        .list()
        .keys(&[("load.rate.per_sec", "list", "requests per second of each level")])
        .compare(Compare::List)
        .one(|plan| match &plan.load {
            Load::Rate { per_sec, .. } => Some(join(per_sec)),
            _ => None,
        })
        .set(|plan, text| {
            let load = |per_sec| Load::Rate { per_sec, arrivals: Arrivals::Constant, most_in_flight: None };
            put(&mut plan.load, numbers(text).map(load))
        }),
    row(Field::Max, "requests in flight")
        .flag("max", "N", LOAD)
        .without_value("512")
        .conflicts(LOADS)
        .help("Send as fast as possible, with N requests in flight, e.g. --max=128 [N: 512]")
        .form("64", "64", "")
        .keys(&[("load.max.in_flight", "count", "as fast as possible, with so many requests in flight")])
        .compare(Compare::Warn)
        .one(|plan| match plan.load {
            Load::Max { in_flight } => optional(Some(in_flight).filter(|n| *n > 0)),
            _ => None,
        })
        .set(|plan, text| put(&mut plan.load, number(text).map(|in_flight| Load::Max { in_flight }))),
    row(Field::Trace, "trace file")
        .flag("trace", "FILE", LOAD)
        .conflicts(LOADS)
        .help("Replay the send times of a trace: JSONL or CSV (Mooncake, Qwen, Azure, BurstGPT)")
        .form("/path/to/trace.jsonl", "", "")
        .keys(&[("load.trace.file", "text", "the trace that is replayed")])
        .compare(Compare::Warn)
        .one(|plan| match &plan.load {
            Load::Trace { file, .. } => Some(file.display().to_string()),
            _ => None,
        })
        .set(|plan, text| {
            // A level ends with its trace, unless --requests says otherwise.
            plan.level_ends.requests = None;
            plan.load = Load::Trace { file: PathBuf::from(text), most_in_flight: None, unit: None };
            Ok(())
        }),
    row(Field::Arrivals, "arrivals")
        .flag("arrivals", "HOW", LOAD)
        .help(
            "Space the requests of --rate: constant (evenly), poisson (as independent users would) or gamma:SHAPE \
             (in bursts with a shape below 1, e.g. gamma:0.25) [default: constant]",
        )
        .form("constant", "constant", "")
        .keys(&[(
            "load.rate.arrivals",
            "text",
            "constant, poisson, or gamma: and the shape of the gaps",
        )])
        .compare(Compare::Warn)
        .one(|plan| match &plan.load {
            Load::Rate { arrivals, .. } | Load::Find(Find { by: Raise::Rate, arrivals, .. }) => {
                optional(Some(*arrivals).filter(|how| *how != Arrivals::Constant))
            }
            _ => None,
        })
        .set(|plan, text| match &mut plan.load {
            Load::Rate { arrivals, .. } | Load::Find(Find { by: Raise::Rate, arrivals, .. }) => {
                put(arrivals, maybe(text, Arrivals::parse).map(|how| how.unwrap_or(Arrivals::Constant)))
            }
            _ => Err("use it with --rate, or with --find and --by rate".to_owned()),
        }),
    row(Field::Poisson, "Poisson arrivals")
        .flag("poisson", "", LOAD)
        .conflicts(&["arrivals"])
        .help("The same as --arrivals poisson")
        .set(|plan, text| match &mut plan.load {
            Load::Rate { arrivals, .. } | Load::Find(Find { by: Raise::Rate, arrivals, .. }) => {
                put(arrivals, Ok(if text == ON { Arrivals::Poisson } else { Arrivals::Constant }))
            }
            _ => Err("use it with --rate, or with --find and --by rate".to_owned()),
        }),
    row(Field::TraceUnit, "unit of trace times")
        .flag("trace-unit", "UNIT", LOAD)
        .help(
            "Read the times of --trace in this unit: s, ms, us or ns [default: detected from the \
             file]",
        )
        .keys(&[("load.trace.unit", "text", "of its times, where it was given: s, ms, us or ns")])
        .compare(Compare::List)
        .one(|plan| match &plan.load {
            Load::Trace { unit, .. } => optional(unit.map(TimeUnit::name)),
            _ => None,
        })
        .set(|plan, text| match &mut plan.load {
            Load::Trace { unit, .. } => put(unit, maybe(text, TimeUnit::parse)),
            _ => Err("use it with --trace".to_owned()),
        }),
    row(Field::MaxInFlight, "max requests in flight")
        .flag("max-in-flight", "N", LOAD)
        .help(
            "Hold back requests of --rate or --trace while N are in flight; their wait counts \
             [default: no limit]",
        )
        .form("no limit", "", "")
        .keys(&[("load.rate.most_in_flight", "count", ""), ("load.trace.most_in_flight", "count", "")])
        .compare(Compare::Warn)
        .one(|plan| match &plan.load {
            Load::Rate { most_in_flight, .. }
            | Load::Trace { most_in_flight, .. }
            | Load::Find(Find { by: Raise::Rate, most_in_flight, .. }) => {
                optional(*most_in_flight)
            }
            _ => None,
        })
        .set(|plan, text| match &mut plan.load {
            Load::Rate { most_in_flight, .. }
            | Load::Trace { most_in_flight, .. }
            | Load::Find(Find { by: Raise::Rate, most_in_flight, .. }) => {
                put(most_in_flight, maybe(text, number))
            }
            _ => Err("use it with --rate or --trace".to_owned()),
        }),
    row(Field::KeepSaturated, "go on when saturated")
        .flag("keep-saturated", "", LOAD)
        .help(
            "Go on with a rate although requests come faster than they are answered [default: end the \
             level as saturated once requests in flight and TTFT both rise, with 99 % confidence over at \
             least 10 s and 60 answers]",
        )
        .keys(&[("keep_saturated", "flag", "a level at a rate goes on when it is saturated; left out for false")])
        .compare(Compare::List)
        .one(|plan| match &plan.load {
            Load::Rate { .. } | Load::Find(Find { by: Raise::Rate, .. }) => switched(plan.keep_saturated),
            _ if plan.keep_saturated => switched(true),
            _ => None,
        })
        .set(|plan, text| put(&mut plan.keep_saturated, Ok(text == ON))),
    row(Field::RampUp, "ramp-up time")
        .flag("ramp-up", "TIME", LOAD)
        .help(
            "Start the clients of a level, or raise its rate, over this time, e.g. 10s [default: at \
             once]",
        )
        .form("none", "", "s")
        .keys(&[("ramp_up", "number", "seconds over which the clients of a level start, or its rate rises")])
        .part(Unknown::RampUp)
        .compare(Compare::List)
        .one(|plan| optional(Some(plan.ramp_up).filter(|time| !time.is_zero()).map(write_duration)))
        .set(|plan, text| put(&mut plan.ramp_up, maybe(text, read_duration).map(Option::unwrap_or_default))),
    row(Field::Warmup, "warm-up requests")
        .flag("warmup", "N", LOAD)
        .help("Send N warm-up requests before each level; figures leave them out [default: 4]")
        .form("0", "", "")
        .keys(&[("warmup", "count", "requests before each level that count in no figure")])
        .part(Unknown::Warmup)
        .compare(Compare::List)
        .one(|plan| Some(plan.warmup.to_string()))
        .set(|plan, text| put(&mut plan.warmup, maybe(text, number).map(Option::unwrap_or_default))),
];

fn kind(load: &Load) -> &'static str {
    match load {
        Load::Concurrency(_) => "fixed number of clients",
        Load::Rate { .. } => "rate",
        Load::Max { .. } => "as fast as possible",
        Load::Trace { .. } => "trace",
        Load::Find(_) => "search for the highest load",
        Load::Unknown => UNKNOWN,
    }
}

fn limits(text: &str) -> Result<Vec<Limit>, String> {
    let parts = text.split([',', ';', '\n']).map(str::trim);
    parts
        .filter(|part| !part.is_empty())
        .map(Limit::parse)
        .collect()
}

fn searched(plan: &mut crate::domain::plan::Plan) -> Result<&mut Find, String> {
    match &mut plan.load {
        Load::Find(find) => Ok(find),
        _ => Err("use it with --find".to_owned()),
    }
}
