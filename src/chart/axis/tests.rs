//! Where values lie on an axis, and what is written there.

use super::*;

fn written(axis: &Axis, parts: f64) -> Vec<String> {
    axis.ticks(axis.ends(), parts)
        .into_iter()
        .map(|tick| axis.written(tick))
        .collect()
}

#[test]
fn axes_end_on_round_numbers_and_hold_every_value() {
    for most in [0.003, 0.7, 1.0, 9.0, 88.0, 1_234.0, 5e6] {
        let axis = Axis::from_zero("", [most].into_iter());
        assert!(
            axis.ends()[1] >= most && written(&axis, 5.0).len() <= 7,
            "{axis:?}"
        );
        let axis = Axis::scaled("", [most / 30.0, most].into_iter(), true);
        assert!(
            axis.is_log() && axis.ends()[0] <= (most / 30.0).log10(),
            "{axis:?}"
        );
        assert!(axis.ends()[1] >= most.log10(), "{axis:?}");
        assert!((2..=9).contains(&written(&axis, 6.0).len()), "{axis:?}");
    }
}

#[test]
fn an_axis_has_a_few_round_values() {
    let check = |axis: &Axis, ends, parts, expected: &[&str]| {
        let found: Vec<String> = axis
            .ticks(ends, parts)
            .into_iter()
            .map(|tick| axis.written(tick))
            .collect();
        assert_eq!(found, expected, "{axis:?}");
    };
    let number = Axis::between("", 0.0, 150.0, Unit::Number);
    check(&number, [-8.0, 150.0], 5.0, &["0", "50", "100", "150"]);
    check(&number, [0.0, 0.6], 3.0, &["0", "0.2", "0.4", "0.6"]);
    let thousands = Axis::from_zero("", [12_000.0].into_iter());
    check(&thousands, [0.0, 12_500.0], 5.0, &["0", "5k", "10k"]);
    check(&number, [f64::NAN, 1.0], 5.0, &[]);
    check(
        &Axis::between("", 0.5, 5.5, Unit::Whole),
        [0.5, 5.5],
        9.0,
        &["1", "2", "3", "4", "5"],
    );
    check(
        &Axis::between("", 0.0, 1.0, Unit::Share),
        [0.0, 1.0],
        2.0,
        &["0 %", "50 %", "100 %"],
    );
    check(
        &Axis::between("", 0.0, 90.0, Unit::Clock),
        [0.0, 90.0],
        4.0,
        &["0:00", "0:30", "1:00", "1:30"],
    );
    let day = 20_422.0;
    check(
        &Axis::between("", day, day + 1.0, Unit::Date),
        [day, day + 1.0],
        2.0,
        &["Nov 30", "Nov 30 12:00", "Dec 1"],
    );
    let names = Axis::of_names("", ["c=1", "c=2", "c=4"].map(str::to_owned).to_vec());
    check(&names, names.ends(), 8.0, &["c=1", "c=2", "c=4"]);
    check(&names, names.ends(), 2.0, &["c=1", "c=4"]);
    let wide = Axis::scaled("", [1.0, 1e9].into_iter(), true);
    check(&wide, wide.ends(), 4.0, &["1", "1,000", "1M", "1,000M"]);
}

#[test]
fn a_short_stretch_is_as_wide_as_half_an_even_share() {
    let even = Axis::of_stretches("", [0.0, 90.0], &[0.0, 30.0, 60.0]);
    assert_eq!((even.ends(), even.is_stretched()), ([0.0, 90.0], false));
    // A sweep whose last level was over in a second.
    let axis = Axis::of_stretches("", [0.0, 32.0], &[1.0, 23.0, 30.0, 31.0]);
    let place = |value| axis.place(value).expect("it has one");
    let [from, to] = axis.ends();
    let share = |a, b| (place(b) - place(a)) / (to - from);
    assert!(share(31.0, 32.0) > 0.08 && share(30.0, 31.0) > 0.08);
    assert!(share(1.0, 23.0) > 0.5, "long ones stay the widest");
    assert_eq!(place(to.min(32.0)), to);
    let all: Vec<f64> = (0..=64).map(|n| place(f64::from(n) / 2.0)).collect();
    assert!(all.is_sorted_by(|a, b| a < b), "{all:?}");
    let written = written(&axis, 8.0);
    assert!(
        (4..=9).contains(&written.len()) && written.is_sorted(),
        "{written:?}"
    );
    let seconds = axis.written(Tick {
        at: place(31.0),
        step: 1.0,
    });
    assert_eq!(seconds, "0:31");
}

#[test]
fn a_logarithmic_axis_within_a_decade_has_values_too() {
    let axis = Axis::log("", 80.0, 190.0);
    assert_eq!(
        axis.ends().map(|end| 10f64.powf(end).round()),
        [80.0, 190.0]
    );
    let written = written(&axis, 6.0);
    assert!(
        written.len() >= 3 && written.contains(&"100".to_owned()),
        "{written:?}"
    );
    let counts = Axis::of_counts("", [2.0].into_iter());
    let written: Vec<String> = self::written(&counts, 6.0);
    assert!(
        written.iter().all(|text| text.parse::<u32>().is_ok()),
        "{written:?}"
    );
}

#[test]
fn nonsense_has_no_place() {
    let log = Axis::scaled("", [f64::NAN, 1.0, 1e3].into_iter(), true);
    assert_eq!(
        (log.place(f64::NAN), log.place(0.0), log.place(-1.0)),
        (None, None, None)
    );
    assert_eq!(log.place(100.0), Some(2.0));
    assert_eq!(Axis::from_zero("", std::iter::empty()).ends(), [0.0, 1.0]);
    assert_eq!(Axis::around("", std::iter::empty()).ends(), [0.0, 1.0]);
}
