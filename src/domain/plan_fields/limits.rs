//! When levels, the session and requests end.

use super::values::{maybe, number, optional, put};
use super::{Compare, FieldSpec, row};
use crate::domain::plan::Field;
use crate::domain::run::known::Unknown;
use crate::domain::units::{read_duration, write_duration};
use crate::domain::units::{read_share, write_share};

const LIMITS: &str = "Limits";

pub(super) const FIELDS: &[FieldSpec] = &[
    row(Field::LevelTime, "time per level")
        .flag("duration", "TIME", LIMITS)
        .help("End a level after this time, e.g. 60s; requests in flight may finish")
        .form("no limit", "", "s")
        .keys(&[(
            "level_ends.after",
            "number",
            "seconds after which a level ends,",
        )])
        .part(Unknown::LevelEnds)
        .compare(Compare::List)
        .one(|plan| optional(plan.level_ends.after.map(write_duration)))
        .set(|plan, text| {
            plan.level_ends.after = maybe(text, read_duration)?;
            if plan.level_ends.after.is_some() {
                plan.level_ends.requests = None;
            }
            Ok(())
        }),
    row(Field::LevelRequests, "requests per level")
        .flag("requests", "N|none", LIMITS)
        .help(
            "End a level after N measured requests [default: 100; none with --duration or --trace]",
        )
        .form("no limit", "", "")
        .keys(&[(
            "level_ends.requests",
            "count",
            "or after so many measured requests,",
        )])
        .part(Unknown::LevelEnds)
        .compare(Compare::List)
        .one(|plan| optional(plan.level_ends.requests))
        .set(|plan, text| put(&mut plan.level_ends.requests, maybe(text, number))),
    row(Field::LevelErrors, "error limit per level")
        .flag("max-level-error-share", "SHARE", LIMITS)
        .help(
            "End a level once this share of its requests has failed (after at least 20), e.g. 10% \
             [default: no limit]",
        )
        .form("no limit", "", "%")
        .keys(&[(
            "level_ends.error_share",
            "number",
            "or once this share of them has failed, 0 to 1",
        )])
        .part(Unknown::LevelEnds)
        .compare(Compare::List)
        .one(|plan| optional(plan.level_ends.error_share.map(write_share)))
        .set(|plan, text| put(&mut plan.level_ends.error_share, maybe(text, read_share))),
    row(Field::SessionTime, "time limit")
        .flag("session-duration", "TIME", LIMITS)
        .help("End the whole session after this time, e.g. 10m [default: no limit]")
        .form("no limit", "", "s")
        .keys(&[(
            "session_ends.after",
            "number",
            "seconds after which the session ends,",
        )])
        .part(Unknown::SessionEnds)
        .compare(Compare::List)
        .one(|plan| optional(plan.session_ends.after.map(write_duration)))
        .set(|plan, text| put(&mut plan.session_ends.after, maybe(text, read_duration))),
    row(Field::SessionRequests, "requests in total")
        .flag("session-requests", "N", LIMITS)
        .help("End the whole session after N measured requests [default: no limit]")
        .form("no limit", "", "")
        .keys(&[(
            "session_ends.requests",
            "count",
            "or after so many measured requests,",
        )])
        .part(Unknown::SessionEnds)
        .compare(Compare::List)
        .one(|plan| optional(plan.session_ends.requests))
        .set(|plan, text| put(&mut plan.session_ends.requests, maybe(text, number))),
    row(Field::SessionErrors, "error limit")
        .flag("max-error-share", "SHARE|none", LIMITS)
        .help(
            "End the whole session once this share of its requests has failed (after at least 20), \
             e.g. 10% [default: 5%]",
        )
        .form("no limit", "", "%")
        .keys(&[(
            "session_ends.error_share",
            "number",
            "or once this share of them has failed, 0 to 1",
        )])
        .part(Unknown::SessionEnds)
        .compare(Compare::List)
        .one(|plan| optional(plan.session_ends.error_share.map(write_share)))
        .set(|plan, text| put(&mut plan.session_ends.error_share, maybe(text, read_share))),
    row(Field::Repeat, "runs")
        .flag("repeat", "N", LIMITS)
        .help(
            "Run the whole plan N times, one round after the other, and report figures as means over the runs [default: \
             1]",
        )
        .form("1", "", "")
        .keys(&[(
            "repeat",
            "count",
            "how often all levels were run, one round after the other; left out for once",
        )])
        .compare(Compare::List)
        .one(|plan| optional((plan.repeat > 1).then_some(plan.repeat)))
        .set(|plan, text| {
            put(
                &mut plan.repeat,
                maybe(text, number).map(|runs| runs.unwrap_or(1)),
            )
        }),
    row(Field::CoolDown, "cool-down time")
        .flag("cool-down", "TIME", LIMITS)
        .help("Wait this long between two runs of --repeat, e.g. 30s [default: none]")
        .form("none", "", "s")
        .keys(&[(
            "cool_down",
            "number",
            "seconds between two runs in which nothing was sent; left out for none",
        )])
        .compare(Compare::List)
        .one(|plan| {
            optional((!plan.cool_down.is_zero()).then(|| write_duration(plan.cool_down)))
        })
        .set(|plan, text| {
            put(
                &mut plan.cool_down,
                maybe(text, read_duration).map(Option::unwrap_or_default),
            )
        }),
    row(Field::Timeout, "request timeout")
        .flag("timeout", "TIME", LIMITS)
        .help("Count a request that takes longer than this as failed, e.g. 60s [default: 10m]")
        .form("600s", "", "s")
        .keys(&[(
            "timeout",
            "number",
            "seconds after which a request counts as failed",
        )])
        .part(Unknown::Timeout)
        .compare(Compare::List)
        .one(|plan| Some(write_duration(plan.timeout)))
        .set(|plan, text| put(&mut plan.timeout, read_duration(text.trim()))),
];
