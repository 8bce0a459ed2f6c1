use super::*;

fn sound() -> Plan {
    Plan {
        targets: vec![Target {
            deployment: None,
            model: "m".to_owned(),
        }],
        ..Plan::default()
    }
}

#[test]
fn the_default_plan_only_lacks_a_model() {
    assert_eq!(sound().problems(), []);
    let fields: Vec<Field> = Plan::default()
        .problems()
        .iter()
        .map(|problem| problem.field)
        .collect();
    assert_eq!(fields, [Field::Model]);
}

#[test]
fn a_sweep_doubles_up_to_its_end() {
    assert_eq!(Load::sweep(1), Load::Concurrency(vec![1]));
    assert_eq!(Load::sweep(16), Load::Concurrency(vec![1, 2, 4, 8, 16]));
    assert_eq!(Load::sweep(20), Load::Concurrency(vec![1, 2, 4, 8, 16, 20]));
    assert_eq!(
        Load::sweep(u32::MAX).levels().last().map(LevelLoad::label),
        Some(format!("c={}", u32::MAX))
    );
}

#[test]
fn every_target_runs_every_level() {
    let mut plan = sound();
    plan.targets.push(Target {
        deployment: Some("d".to_owned()),
        model: "n".to_owned(),
    });
    plan.load = Load::Concurrency(vec![1, 4]);
    let levels: Vec<_> = plan
        .levels()
        .iter()
        .map(|l| (l.index, l.target, l.load.label()))
        .collect();
    let label = str::to_owned;
    assert_eq!(
        levels,
        [
            (0, 0, label("c=1")),
            (1, 0, label("c=4")),
            (2, 1, label("c=1")),
            (3, 1, label("c=4"))
        ]
    );
}

#[test]
fn lengths_are_read_as_they_are_written() {
    for text in ["1000", "500-1500", "1000±200"] {
        assert_eq!(
            Lengths::parse(text).map(|lengths| lengths.to_string()),
            Ok(text.to_owned())
        );
    }
    assert_eq!(
        Lengths::parse(" 1,000 +- 20"),
        Ok(Lengths::Normal {
            mean: 1_000,
            deviation: 20
        })
    );
    for text in ["", "0", "9-5", "x", "-5", "2000000", "1.5"] {
        assert!(Lengths::parse(text).is_err(), "{text}");
    }
}

#[test]
fn objectives_are_read_as_they_are_written() {
    let read = Objectives::parse("TTFT ≤ 500 ms, itl=15ms,latency<=2s").expect("reads");
    assert_eq!(read.ttft, Some(Duration::from_millis(500)));
    assert_eq!(read.to_string(), "ttft=500ms,itl=15ms,latency=2s");
    assert_eq!(Objectives::parse(&read.to_string()), Ok(read));
    assert!(Objectives::parse("speed=3s").is_err_and(|why| why.contains("tpot")));
    assert!(Objectives::parse("ttft").is_err());
    assert_eq!(Objectives::parse(""), Ok(Objectives::default()));
}

#[test]
fn a_plan_comes_back_from_json_as_it_was() {
    let plan = Plan {
        objectives: Objectives::parse("ttft=500ms").expect("reads"),
        load: Load::Rate {
            per_sec: vec![0.5],
            arrivals: Arrivals::Poisson,
            most_in_flight: Some(9),
        },
        ramp_up: Duration::from_millis(1_500),
        ..sound()
    };
    let json = serde_json::to_string(&plan).expect("writes");
    assert_eq!(serde_json::from_str::<Plan>(&json).expect("reads"), plan);
}

#[test]
fn a_share_of_errors_ends_from_its_limit_on_up_to_all() {
    let ends = |share: f64| Ends {
        error_share: Some(share),
        ..Ends::default()
    };
    assert!(ends(0.1).too_many_failed(3, 30) && !ends(0.1).too_many_failed(2, 30));
    assert!(ends(1.0).too_many_failed(20, 20) && !ends(1.0).too_many_failed(19, 20));
    assert!(
        !ends(0.05).too_many_failed(19, 19),
        "19 are no ground for a share"
    );
    assert!(
        !ends(0.05).too_many_failed(1, 20),
        "nor is one failure in them"
    );
    assert!(
        ends(0.01).too_many_failed(1, 100),
        "it is what was asked for"
    );
    assert!(
        !Ends::default().too_many_failed(20, 20),
        "nobody asked for it"
    );
}
