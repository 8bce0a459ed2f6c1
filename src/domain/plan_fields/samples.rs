//! Plans for property tests.

use std::time::Duration;

use proptest::prelude::*;

use crate::domain::conversation::{Effort, Params};
use crate::domain::plan::{
    Arrivals, Bound, Ends, Find, HangUps, Images, Lengths, Limit, LimitFigure, Load, MetricsSource,
    Objectives, Plan, PlanEndpoint, Price, Prompts, Raise, Target, ThinkTime, TimeUnit,
};

fn times() -> impl Strategy<Value = Duration> {
    (10_000u64..86_400_000_000).prop_map(Duration::from_micros)
}

fn lengths() -> impl Strategy<Value = Lengths> {
    prop_oneof![
        (1..9_000u32).prop_map(Lengths::Fixed),
        (1..90u32, 90..900u32).prop_map(|(least, most)| Lengths::Uniform { least, most }),
        (1..900u32, 1..900u32).prop_map(|(mean, deviation)| Lengths::Normal { mean, deviation }),
    ]
}

fn loads() -> impl Strategy<Value = Load> {
    let cap = || prop::option::of(1..99u32);
    let unit = prop::option::of(prop::sample::select(TimeUnit::ALL.to_vec()));
    prop_oneof![
        prop::collection::vec(1..20_000u32, 1..6).prop_map(Load::Concurrency),
        (
            prop::collection::vec(0.001..1e5f64, 1..6),
            prop_oneof![
                Just(Arrivals::Constant),
                Just(Arrivals::Poisson),
                (0.01..1_000.0f64).prop_map(Arrivals::Gamma),
            ],
            cap()
        )
            .prop_map(|(per_sec, arrivals, cap)| {
                Load::Rate {
                    per_sec,
                    arrivals,
                    most_in_flight: cap,
                }
            }),
        searches(),
        (1..20_000u32).prop_map(|in_flight| Load::Max { in_flight }),
        ("[a-z .=-]{0,8}[a-z]", cap(), unit).prop_map(|(file, cap, unit)| {
            Load::Trace {
                file: file.trim().into(),
                most_in_flight: cap,
                unit,
            }
        }),
    ]
}

fn limit() -> impl Strategy<Value = Limit> {
    let timed = prop::sample::select(vec![
        LimitFigure::Ttft,
        LimitFigure::FirstAnswer,
        LimitFigure::Itl,
        LimitFigure::Tpot,
        LimitFigure::Latency,
    ]);
    let bounds = prop_oneof![
        (timed, times()).prop_map(|(figure, time)| (figure, Bound::Below(time))),
        (0.1..1e4f64).prop_map(|speed| (LimitFigure::UserSpeed, Bound::Above(speed))),
    ];
    (bounds, prop::option::of(1..=999u16)).prop_map(|((figure, bound), per_mille)| Limit {
        figure,
        per_mille,
        bound,
    })
}

fn searches() -> impl Strategy<Value = Load> {
    let limits = prop::collection::vec(limit(), 1..4);
    let (share, up_to) = (
        prop::option::of(0.001..0.999f64),
        prop::option::of(1.0..9e3f64),
    );
    let rate = prop::option::of((any::<bool>(), prop::option::of(1..99u32)));
    (limits, share, up_to, rate).prop_map(|(limits, at_least, up_to, rate)| {
        let by = if rate.is_some() {
            Raise::Rate
        } else {
            Raise::Concurrency
        };
        let (poisson, most_in_flight) = rate.unwrap_or_default();
        let arrivals = if poisson {
            Arrivals::Poisson
        } else {
            Arrivals::Constant
        };
        Load::Find(Find {
            at_least,
            by,
            up_to,
            arrivals,
            most_in_flight,
            ..Find::of(limits)
        })
    })
}

fn ends() -> impl Strategy<Value = Ends> {
    let share = prop::option::of(1e-6..=1.0f64);
    (
        prop::option::of(1..9_999u64),
        prop::option::of(times()),
        share,
    )
        .prop_map(|(requests, after, error_share)| Ends {
            requests,
            after,
            error_share,
        })
}

/// How often it is run and with which pause, think times, hang-ups and prices.
fn clients() -> impl Strategy<
    Value = (
        (u32, Duration),
        Option<ThinkTime>,
        Option<HangUps>,
        Option<Price>,
    ),
> {
    let whole_s = || (1..9_000u64).prop_map(Duration::from_millis);
    let think = prop_oneof![
        whole_s().prop_map(ThinkTime::Fixed),
        (whole_s(), whole_s()).prop_map(|(mean, deviation)| ThinkTime::Normal { mean, deviation }),
    ];
    let hang_ups = (1e-6..=1.0f64, whole_s()).prop_map(|(share, after)| HangUps { share, after });
    let amount = || prop::option::of(0.0..1e3f64);
    let price =
        (0.0..1e3f64, amount(), amount(), amount()).prop_map(|(input, cached, output, hour)| {
            Price {
                input: Some(input),
                cached,
                output,
                hour,
            }
        });
    let runs = (1..9u32, prop_oneof![Just(Duration::ZERO), times()]);
    (
        runs,
        prop::option::of(think),
        prop::option::of(hang_ups),
        prop::option::of(price),
    )
}

/// What is sent where, with what, and how long answers may be.
fn said() -> impl Strategy<
    Value = (
        (PlanEndpoint, Option<Images>, u32),
        Prompts,
        Option<Lengths>,
        bool,
    ),
> {
    let prompts = prop_oneof![
        (lengths(), 0..9_000u32).prop_map(|(input_tokens, prefix_tokens)| Prompts::Synthetic {
            input_tokens,
            prefix_tokens
        }),
        "[a-z]{1,4}( [a-z]{1,4})?".prop_map(|file| Prompts::File(file.into())),
    ];
    let images = (1..=32u32, 16..=999u32, 16..=999u32).prop_map(|(each, width, height)| Images {
        each,
        width,
        height,
    });
    let endpoint = prop::sample::select(PlanEndpoint::ALL.to_vec());
    let sent = (endpoint, prop::option::of(images), 1..9u32);
    let answers = (prop::option::of(lengths()), any::<bool>());
    (sent, prompts, answers).prop_map(|(sent, prompts, (tokens, ignore_eos))| {
        // A form has no place for what an endpoint lacks.
        let (endpoint, images, turns) = sent;
        let sent = match endpoint {
            PlanEndpoint::Chat => (endpoint, images, turns),
            _ => (endpoint, None, 1),
        };
        let tokens = tokens.filter(|_| endpoint.streams());
        (sent, prompts, tokens, ignore_eos && endpoint.streams())
    })
}

/// Plans of every kind with a value in any field; not all of them can be run.
pub(crate) fn plans() -> impl Strategy<Value = Plan> {
    let objective = || prop::option::of(times());
    let objectives = (objective(), objective(), objective(), objective()).prop_map(
        |(ttft, itl, tpot, latency)| Objectives {
            ttft,
            itl,
            tpot,
            latency,
        },
    );
    let tags = prop::collection::vec("[a-z-][a-z ,]{0,4}[a-z]", 0..3);
    let whole = (
        loads(),
        ends(),
        ends(),
        0..9u32,
        prop_oneof![Just(Duration::ZERO), times()],
    );
    let said = said();
    let source = prop_oneof![
        Just(MetricsSource::Auto),
        Just(MetricsSource::Pods),
        Just(MetricsSource::Off),
        "http://[a-z]{1,4}:9[0-9]/m".prop_map(MetricsSource::Url),
    ];
    let rest = (
        (times(), any::<bool>()),
        objectives,
        source,
        prop::option::of(0..1u64 << 53),
        tags,
        params(),
    );
    (whole, said, clients(), rest).prop_map(|(whole, said, clients, rest)| {
        let ((repeat, cool_down), think, hang_ups, price) = clients;
        // A form has no place for what an endpoint lacks.
        let think = think.filter(|_| said.0.0.is_chat());
        let (load, level_ends, session_ends, warmup, ramp_up) = whole;
        let ((endpoint, images, turns), prompts, output_tokens, ignore_eos) = said;
        let ((timeout, keep_saturated), objectives, server_metrics, seed, tags, params) = rest;
        // A new field of a plan does not compile here until the test varies it.
        Plan {
            targets: vec![Target {
                deployment: None,
                model: "m".to_owned(),
            }],
            load,
            level_ends,
            session_ends,
            repeat,
            cool_down,
            warmup,
            ramp_up,
            endpoint,
            prompts,
            images,
            turns,
            think,
            hang_ups,
            output_tokens,
            ignore_eos,
            params,
            timeout,
            objectives,
            price,
            server_metrics,
            keep_saturated,
            seed,
            tags,
        }
    })
}

fn params() -> impl Strategy<Value = Params> {
    let maybe = |low: f64, high: f64| prop::option::of(low..=high);
    let effort = prop::option::of(prop::sample::select(vec![
        Effort::Low,
        Effort::Medium,
        Effort::High,
    ]));
    let stop = prop::collection::vec("[ -~]{1,5}", 0..3);
    let seed = prop::option::of(any::<i64>());
    let thinking = prop::option::of(any::<bool>());
    (
        maybe(0.0, 2.0),
        maybe(0.0, 1.0),
        prop::option::of(1..=100u32),
        stop,
        seed,
        effort,
        thinking,
        prop_oneof![
            Just(String::new()),
            Just(r#"{"min_p": 0.1, "x": "it's"}"#.to_owned())
        ],
    )
        .prop_map(
            |(temperature, top_p, top_k, stop, seed, reasoning_effort, thinking, extra_body)| {
                Params {
                    temperature,
                    top_p,
                    top_k,
                    stop,
                    seed,
                    reasoning_effort,
                    thinking,
                    extra_body,
                    ..Params::default()
                }
            },
        )
}
