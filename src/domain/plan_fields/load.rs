//! How requests are sent.

use std::path::PathBuf;

use super::values::{ON, join, maybe, number, numbers, optional, put};
use super::{Compare, FieldSpec, row};
use crate::domain::plan::{Arrivals, Field, Load, MOST_CLIENTS, TimeUnit};
use crate::domain::run::known::{UNKNOWN, Unknown};
use crate::domain::units::{read_duration, write_duration};

const LOAD: &str = "Load";
const LOADS: &[&str] = &["concurrency", "sweep", "rate", "max", "trace"];

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
            Load::Rate { arrivals: Arrivals::Constant, .. } => Some(String::new()),
            Load::Rate { arrivals, .. } => Some(arrivals.to_string()),
            _ => None,
        })
        .set(|plan, text| match &mut plan.load {
            Load::Rate { arrivals, .. } => {
                put(arrivals, maybe(text, Arrivals::parse).map(|how| how.unwrap_or(Arrivals::Constant)))
            }
            _ => Err("use it with --rate".to_owned()),
        }),
    row(Field::Poisson, "Poisson arrivals")
        .flag("poisson", "", LOAD)
        .conflicts(&["arrivals"])
        .help("The same as --arrivals poisson")
        .set(|plan, text| match &mut plan.load {
            Load::Rate { arrivals, .. } => {
                put(arrivals, Ok(if text == ON { Arrivals::Poisson } else { Arrivals::Constant }))
            }
            _ => Err("use it with --rate".to_owned()),
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
            Load::Rate { most_in_flight, .. } | Load::Trace { most_in_flight, .. } => {
                optional(*most_in_flight)
            }
            _ => None,
        })
        .set(|plan, text| match &mut plan.load {
            Load::Rate { most_in_flight, .. } | Load::Trace { most_in_flight, .. } => {
                put(most_in_flight, maybe(text, number))
            }
            _ => Err("use it with --rate or --trace".to_owned()),
        }),
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
        Load::Unknown => UNKNOWN,
    }
}
