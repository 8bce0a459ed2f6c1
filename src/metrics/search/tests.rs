use super::*;
use crate::domain::plan::Limit;
use crate::domain::random::Random;

fn find(by: Raise, up_to: Option<f64>) -> Find {
    Find {
        by,
        up_to,
        ..Find::of(vec![Limit::parse("ttft_p95<800ms").expect("reads")])
    }
}

fn target() -> Target {
    Target {
        deployment: None,
        model: "m".to_owned(),
    }
}

/// The loads that are probed, with a mark on those that are to be proven, and what is found. `verdict` says how a load
/// is; a first look is believed where it is met.
fn searched(find: &Find, verdict: impl Fn(f64) -> Verdict) -> (Vec<String>, Found) {
    let mut search = Search::new(find);
    let mut probed = Vec::new();
    while let Some(next) = search.next(Duration::ZERO) {
        assert!(probed.len() < 40, "it ends: {probed:?}");
        let told = match verdict(next.load) {
            Verdict::Met if next.rules.glances => Verdict::LooksMet,
            told => told,
        };
        let proof = if next.rules.glances { "" } else { "!" };
        probed.push(format!("{}{proof}", next.load));
        search.record(next.load, told);
    }
    (probed, search.found(&target(), false))
}

fn up_to(limit: f64) -> impl Fn(f64) -> Verdict {
    move |load| {
        if load <= limit {
            Verdict::Met
        } else {
            Verdict::NotMet
        }
    }
}

#[test]
fn it_doubles_then_bisects() {
    let (probed, found) = searched(&find(Raise::Concurrency, None), up_to(50.0));
    assert_eq!(
        probed,
        ["1", "2", "4", "8", "16", "32", "64", "48!", "56!", "52!"]
    );
    assert_eq!(
        (found.meets, found.fails, found.proven, found.ended),
        (Some(48.0), Some(52.0), true, FoundEnd::Closed)
    );
    assert_eq!(
        found.sentence(),
        "48 clients meet TTFT p95 < 800 ms; 52 do not"
    );
}

#[test]
fn what_the_sentence_stands_on_is_proven() {
    // Nothing between 32 and 64 meets it, so that 32 itself is proven at the end.
    let (probed, found) = searched(&find(Raise::Concurrency, None), up_to(33.0));
    assert_eq!(probed.last().map(String::as_str), Some("32!"), "{probed:?}");
    assert!(found.proven && found.meets == Some(32.0), "{found:?}");
    let (probed, found) = searched(&find(Raise::Concurrency, Some(10.0)), up_to(50.0));
    assert_eq!(probed, ["1", "2", "4", "8", "10", "10!"]);
    assert_eq!((found.ended, found.fails), (FoundEnd::Highest, None));
}

#[test]
fn the_least_load_may_fail_already() {
    let (probed, found) = searched(&find(Raise::Concurrency, None), up_to(0.5));
    assert_eq!(
        probed,
        ["1", "2!"],
        "the second says that it is no exception"
    );
    assert!(found.has_failed(), "{found:?}");
    let (_, found) = searched(&find(Raise::Rate, None), up_to(0.3));
    assert!(
        found
            .meets
            .is_some_and(|meets| (0.27..=0.3).contains(&meets))
            && found.ended == FoundEnd::Closed,
        "{found:?}"
    );
    let (probed, found) = searched(&find(Raise::Rate, None), up_to(0.1));
    assert_eq!(
        probed,
        ["1", "0.5", "0.25", "0.125", "0.25!"][..4].to_vec(),
        "{found:?}"
    );
    assert!(found.has_failed());
}

#[test]
fn a_higher_load_that_passes_is_said() {
    let odd = |load: f64| {
        if load == 1.0 {
            Verdict::NotMet
        } else {
            up_to(20.0)(load)
        }
    };
    let (_, found) = searched(&find(Raise::Concurrency, None), odd);
    assert_eq!(
        (found.exceptions.as_slice(), found.has_failed()),
        (&[1.0][..], false)
    );
    assert!(found.meets >= Some(18.0), "{found:?}");
    assert!(
        found
            .details(&[])
            .iter()
            .any(|text| text.starts_with("Not monotone: 1 "))
    );
}

#[test]
fn what_cannot_be_decided_is_said_and_ends_the_search() {
    let near = |load: f64| match load {
        44.0..=56.0 => Verdict::Undecided,
        load => up_to(50.0)(load),
    };
    let (probed, found) = searched(&find(Raise::Concurrency, None), near);
    assert!(probed.len() <= 14, "{probed:?}");
    assert_eq!(found.ended, FoundEnd::Undecided);
    assert!(
        found.undecided.contains(&48.0) && found.fails == Some(64.0),
        "{found:?}"
    );
    // Undecided at the top: a higher load decides, or there is none.
    let (_, found) = searched(&find(Raise::Concurrency, None), |_| Verdict::Undecided);
    assert_eq!(
        (found.meets, found.fails, found.ended),
        (None, None, FoundEnd::Undecided)
    );
    assert!(found.sentence().starts_with("No load could be decided"));
}

#[test]
fn all_errors_together_are_at_most_what_the_sentence_says() {
    let mut search = Search::new(&find(Raise::Concurrency, None));
    let mut spent = 0.0;
    // Each probe uses everything it may.
    for load in 1..=MOST_PROBES {
        let Some(next) = search.next(Duration::ZERO) else {
            break;
        };
        spent += next.rules.glance_error + next.rules.error;
        search.record(
            next.load,
            if load % 2 == 0 {
                Verdict::NotMet
            } else {
                Verdict::Undecided
            },
        );
    }
    assert!(spent > 0.0 && spent <= ERROR, "{spent}");
}

/// Requests of 0.1 s one after the other in a closed loop of four, each met with this probability.
fn judged(met: f64, seed: u64, glances: bool) -> (Verdict, usize) {
    let find = find(Raise::Concurrency, None);
    let rules = Rules {
        clients: Some(4),
        ramp_up: Duration::ZERO,
        glances,
        glance_error: 0.0005,
        error: 0.005,
    };
    let mut judge = Judge::new(&find, rules);
    let mut random = Random::new(seed);
    let most = judge.most();
    for n in 0..most {
        let due = Duration::from_millis(n / 4 * 100);
        let is_met = random.unit() < met;
        let value = if is_met {
            random.unit()
        } else {
            1.0 + random.unit()
        };
        judge.add(
            due,
            due + Duration::from_millis(100),
            vec![Unit::one(is_met, value)],
        );
        let now = due + Duration::from_millis(100);
        if let Some(verdict) = judge.look(InFlight { now, since: &[] }) {
            return (verdict, n as usize);
        }
    }
    let now = Duration::from_secs(3_600);
    (judge.end(0, InFlight { now, since: &[] }), most as usize)
}

#[test]
fn a_clear_probe_is_short_and_a_close_one_is_undecided() {
    let (verdict, n) = judged(0.5, 1, true);
    assert_eq!(verdict, Verdict::NotMet);
    assert!(n < 40, "{n}");
    assert_eq!(judged(1.0, 1, true).0, Verdict::LooksMet);
    let (verdict, n) = judged(1.0, 1, false);
    assert_eq!(verdict, Verdict::Met);
    assert!((150..260).contains(&n), "{n}");
    assert_eq!(judged(0.951, 1, false).0, Verdict::Undecided);
}

/// At the very border each verdict is wrong on one side: it may come as often as its error.
#[test]
fn a_probe_at_the_border_is_decided_as_seldom_as_its_error() {
    let runs = 200;
    let decided = |met: f64, wrong: Verdict| {
        let all = (0..runs).map(|seed| judged(met, seed, false).0);
        all.filter(|verdict| *verdict == wrong).count()
    };
    // 0.55 % of 200 is 1; 7 or more of them would come once in 10,000 such tests.
    assert!(decided(0.949_9, Verdict::Met) <= 6);
    assert!(decided(0.950_1, Verdict::NotMet) <= 6);
}

#[test]
fn requests_that_wait_for_each_other_count_less() {
    let mut random = Random::new(3);
    let mut unit = |hot: bool| {
        let value = random.unit() + if hot { 1.0 } else { 0.0 };
        Unit::one(value < 1.4, value)
    };
    let apart: Vec<Unit> = (0..400).map(|n| unit(n % 7 == 0)).collect();
    let in_spells: Vec<Unit> = (0..400).map(|n| unit(n / 40 % 5 == 0)).collect();
    let [apart, spells] = [&apart, &in_spells].map(|units| counts_as(units, 0.9));
    assert!(apart > 250.0 && spells < 80.0, "{apart} {spells}");
}

#[test]
fn wilsons_interval_is_that_of_the_tables() {
    // statsmodels proportion_confint(count, nobs, method="wilson")
    for (hits, n, expected) in [
        (20.0, 20.0, [0.838_875, 1.0]),
        (95.0, 100.0, [0.888_249_9, 0.978_457_9]),
        (3.0, 10.0, [0.107_789_4, 0.603_222_1]),
    ] {
        let found = wilson(hits / n, n, 1.959_964);
        for (end, known) in found.into_iter().zip(expected) {
            assert!((end - known).abs() < 1e-5, "{hits} of {n}: {found:?}");
        }
    }
    assert!((upper_z(0.025) - 1.959_964).abs() < 1e-5);
}

#[test]
fn what_is_in_flight_holds_the_verdict_back_and_what_hangs_is_a_miss() {
    let find = find(Raise::Concurrency, None);
    let rules = Rules {
        clients: Some(1),
        ramp_up: Duration::ZERO,
        glances: true,
        glance_error: 0.0005,
        error: 0.005,
    };
    let mut judge = Judge::new(&find, rules);
    let at = |n: u64| Duration::from_millis(n * 100);
    for n in 0..60 {
        judge.add(at(n), at(n + 1), vec![Unit::one(true, 0.1)]);
    }
    // The twentieth has not ended: those after it are the fast ones.
    let look = |judge: &mut Judge, now, since: &[Duration]| judge.look(InFlight { now, since });
    assert_eq!(look(&mut judge, at(22), &[at(20)]), None);
    // Those that hang hold nothing up, and are misses: it does not look well any more.
    let hung = [at(20); 12];
    assert_eq!(look(&mut judge.clone(), at(200), &hung), None);
    assert_eq!(look(&mut judge, at(200), &[]), Some(Verdict::LooksMet));
}
