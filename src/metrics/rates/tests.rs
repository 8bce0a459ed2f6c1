use proptest::prelude::*;

use super::*;
use crate::domain::random::Random;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn us(n: u64) -> Duration {
    Duration::from_micros(n)
}

fn window(from: u64, to: u64) -> Window {
    Window::new([ms(from), ms(to)], &[])
}

fn mean(rates: &Rates, what: Counted, window: &Window) -> f64 {
    rates
        .rate(what, window, None, None)
        .expect("a window with something in it")
        .mean
}

/// Eight clients, each with an answer of 64 tokens every 740 ms: 100 ms to the first, then 10 ms each.
fn steady(rates: &mut Rates, until: u64) {
    for client in 0..8 {
        let mut at = 5_000 + client * 92;
        while at < until {
            rates.output(64, ms(at + 100), &[10_000; 63]);
            rates.prompt(1_000, ms(at + 100));
            rates.answer(ms(at + 740), &[], client < 2);
            rates.in_flight(ms(at), ms(at + 740));
            at += 740;
        }
    }
}

#[test]
fn a_steady_stream_has_its_rate() {
    for until in [15_000, 60_000, 900_000] {
        let mut rates = Rates::default();
        steady(&mut rates, until);
        // A whole number of rounds, so that it does not matter where they are cut.
        let rounds = (until - 7_500) / 740;
        let window = window(6_500, 6_500 + rounds * 740);
        let answers = 8.0 / 0.74;
        for (what, expected) in [
            (Counted::Answers, answers),
            (Counted::Met, answers / 4.0),
            (Counted::Output, answers * 64.0),
            (Counted::Total, answers * 1_064.0),
        ] {
            let rate = rates
                .rate(what, &window, Some(740_000.0), None)
                .expect("a rate");
            assert!(
                (rate.mean / expected - 1.0).abs() < 0.01,
                "{what:?}: {rate:?}, not {expected}"
            );
            let [low, high] = rate.ci.expect("long enough");
            assert!(
                low <= rate.mean && high >= rate.mean && low > 0.8 * rate.mean,
                "{rate:?}"
            );
        }
        let in_flight = rates.mean_in_flight(&window).expect("a mean");
        assert!((in_flight - 8.0).abs() < 0.01, "{in_flight} until {until}");
        assert_eq!(rates.most_in_flight(), 8);
        assert!(rates.bins.len() <= MOST_BINS);
    }
}

#[test]
fn tokens_count_where_their_chunks_came() {
    let mut rates = Rates::default();
    // 30 tokens in three chunks at 1 s, 2 s and 3 s.
    rates.output(30, ms(1_000), &[1_000_000, 1_000_000]);
    assert_eq!(mean(&rates, Counted::Output, &window(500, 1_500)), 10.0);
    assert_eq!(mean(&rates, Counted::Output, &window(1_500, 3_500)), 10.0);
    assert_eq!(mean(&rates, Counted::Output, &window(3_500, 4_500)), 0.0);
}

#[test]
fn no_token_is_lost_when_chunks_share_them_unevenly() {
    let mut rates = Rates::default();
    rates.output(1_000, ms(10), &[333, 333, 334, 400, 17, 0]);
    let all = rates.grown(|bin| bin.output as f64).sums.pop();
    assert_eq!(all, Some(1e9));
}

#[test]
fn a_pause_is_no_part_of_the_window() {
    let paused = Window::new(
        [ms(0), ms(4_000)],
        &[[ms(3_900), ms(9_000)], [ms(1_000), ms(3_000)]],
    );
    assert_eq!(paused.length(), 1_900_000);
    let mut rates = Rates::default();
    for at in (0..1_000).chain(3_000..4_000) {
        rates.answer(ms(at), &[], true);
    }
    assert!((mean(&rates, Counted::Answers, &paused) - 1_000.0).abs() < 1.0);
    assert_eq!(Window::new([ms(1), ms(2)], &[[ms(0), ms(5)]]).length(), 0);
}

#[test]
fn too_short_a_window_has_no_interval() {
    let mut rates = Rates::default();
    (0..4).for_each(|i| rates.answer(ms(i * 100), &[], true));
    let few = rates
        .rate(Counted::Answers, &window(0, 1_000), None, None)
        .expect("a rate");
    assert_eq!((few.mean, few.ci), (4.0, None), "four answers");
    (0..40).for_each(|i| rates.answer(us(i * 100), &[], true));
    let short = rates
        .rate(Counted::Answers, &window(0, 4), None, None)
        .expect("a rate");
    assert_eq!(short.ci, None, "4 ms");
    assert_eq!(
        rates.rate(Counted::Answers, &window(5, 5), None, None),
        None
    );
}

/// Clients with answers of a second on average, some much longer: neighbours in time are of the same answers.
#[test]
fn intervals_hold_the_rate_of_long_answers_too() {
    let mut random = Random::new(7);
    for (clients, answers, least) in [
        (1u32, 6u32, 0.8),
        (1, 20, 0.88),
        (8, 6, 0.85),
        (8, 20, 0.9),
        (8, 60, 0.9),
    ] {
        let runs = 200;
        let (mut told, mut held) = (0, [0; 2]);
        for _ in 0..runs {
            let mut rates = Rates::default();
            for _ in 0..clients {
                let mut at = 0.0;
                while at < f64::from(answers) {
                    // 0.3 s to the first token, then one each 0.1 s: 0.3 + 0.7 s on average.
                    let gaps = (7.0 * random.exponential()).round() as usize;
                    let (first, gaps) = (Duration::from_secs_f64(at + 0.3), vec![100_000; gaps]);
                    rates.output(gaps.len() as u64 + 1, first, &gaps);
                    rates.answer(first, &gaps, true);
                    at += 0.3 + gaps.len() as f64 * 0.1;
                }
            }
            let window = window(0, u64::from(answers) * 1_000);
            let interval = |what| {
                rates
                    .rate(what, &window, Some(1e6), None)
                    .and_then(|rate| rate.ci)
            };
            // One client may have too few answers for any.
            let both = interval(Counted::Output).zip(interval(Counted::Answers));
            let Some((tokens, complete)) = both else {
                continue;
            };
            told += 1;
            for (held, ([low, high], each)) in held.iter_mut().zip([(tokens, 8.0), (complete, 1.0)])
            {
                let truth = each * f64::from(clients);
                *held += u32::from(low <= truth && truth <= high);
            }
        }
        let held = held.map(|held| f64::from(held) / f64::from(told));
        assert!(
            told > runs / 2,
            "{clients} clients, {answers} answers: only {told} have an interval"
        );
        assert!(
            held.iter().all(|held| *held >= least),
            "{clients} clients, {answers} answers: {held:?}"
        );
    }
}

#[test]
fn a_window_shorter_than_five_answers_has_no_interval() {
    let mut rates = Rates::default();
    // Sixty-four clients, each amid its third answer of ten seconds.
    for client in 0..64 {
        (0..3).for_each(|n| rates.answer(ms(n * 10_000 + client * 150), &[100_000; 99], true));
    }
    let ci = |until| {
        rates
            .rate(Counted::Answers, &window(0, until), Some(1e7), None)
            .expect("a rate")
            .ci
    };
    assert_eq!(
        ci(30_000),
        None,
        "192 answers, and yet each part would be of the same"
    );
    assert_eq!(ci(49_900), None);
    assert!(ci(50_000).is_some());
}

/// Independent arrivals: the interval must hold the true rate about as often as it says.
#[test]
fn intervals_of_a_rate_hold_it_about_as_often_as_they_say() {
    let mut random = Random::new(1);
    let runs = 400;
    let held = (0..runs).filter(|_| {
        let (mut rates, mut at) = (Rates::default(), 0.0);
        loop {
            at += random.exponential() / 50.0;
            if at > 10.0 {
                break;
            }
            rates.answer(Duration::from_secs_f64(at), &[], true);
        }
        let rate = rates
            .rate(Counted::Answers, &window(0, 10_000), None, None)
            .expect("a rate");
        rate.ci
            .is_some_and(|[low, high]| low <= 50.0 && high >= 50.0)
    });
    let held = held.count() as f64 / f64::from(runs);
    assert!((0.92..=0.98).contains(&held), "{held}");
}

proptest! {
    #[test]
    fn merging_equals_recording_everything_in_one(
        flights in prop::collection::vec((0u64..40_000_000, 0u64..5_000_000, 1u64..100, any::<bool>()), 1..40),
        from in 0u64..20_000,
        length in 1u64..30_000,
    ) {
        let record = |rates: &mut Rates, (at, takes, tokens, _): (u64, u64, u64, bool)| {
            rates.output(tokens, us(at), &vec![(takes / tokens) as u32; tokens as usize - 1]);
            rates.prompt(tokens, us(at));
            rates.answer(us(at + takes), &[], tokens > 50);
            rates.in_flight(us(at), us(at + takes));
        };
        let (mut all, mut a, mut b) = (Rates::default(), Rates::default(), Rates::default());
        for flight in &flights {
            record(&mut all, *flight);
            record(if flight.3 { &mut a } else { &mut b }, *flight);
        }
        a.merge(&b);
        let window = window(from, from + length);
        for what in [Counted::Output, Counted::Total, Counted::Answers, Counted::Met] {
            prop_assert_eq!(a.rate(what, &window, None, None), all.rate(what, &window, None, None));
        }
        prop_assert_eq!(a.mean_in_flight(&window), all.mean_in_flight(&window));
        prop_assert_eq!(a.most_in_flight(), all.most_in_flight());
    }

    #[test]
    fn time_in_flight_is_kept_whatever_the_bins(
        flights in prop::collection::vec((0u64..60_000_000, 0u64..20_000_000), 1..60),
    ) {
        let mut rates = Rates::default();
        for (at, takes) in &flights {
            rates.in_flight(us(*at), us(at + takes));
        }
        let expected: u64 = flights.iter().map(|(_, takes)| takes).sum();
        prop_assert_eq!(rates.busy().iter().sum::<i64>(), expected as i64);
        prop_assert!(rates.busy().iter().all(|us| *us >= 0));
        let least = flights.iter().filter(|(_, takes)| *takes > rates.width() * 2).count().min(1);
        prop_assert!(rates.most_in_flight() >= least as u32 && rates.most_in_flight() <= flights.len() as u32);
    }
}
