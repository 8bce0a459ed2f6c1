use super::*;

#[test]
fn durations_keep_about_three_digits() {
    for (micros, text) in [
        (310, "0.31 ms"),
        (9_994, "9.99 ms"),
        (9_996, "10 ms"),
        (88_400, "88 ms"),
        (999_400, "999 ms"),
        (999_600, "1.00 s"),
        (42_040_000, "42.0 s"),
        (125_000_000, "2:05 min"),
    ] {
        assert_eq!(duration(Duration::from_micros(micros)).to_string(), text);
    }
}

#[test]
fn times_of_a_table_have_digits_that_tell() {
    for (ms, text) in [
        (0.0, "0 ms"),
        (0.003, "<0.01 ms"),
        (0.31, "0.31 ms"),
        (8.4, "8.40 ms"),
        (88.4, "88.4 ms"),
        (999.0, "999 ms"),
        (1_320.0, "1.32 s"),
        (42_040.0, "42.0 s"),
    ] {
        assert_eq!(time(Some(ms)), text);
    }
    assert_eq!(time(None), ABSENT);
    assert_eq!(
        time_with_interval(Some(4.2), Some([3.9, 10.4])),
        "4.20 [3.90, 10.4] ms"
    );
    assert_eq!(
        time_with_interval(Some(1_320.0), Some([990.0, 1_450.0])),
        "1.32 [0.99, 1.45] s"
    );
    assert_eq!(seconds(Duration::from_micros(4_200)).to_string(), "4.20 ms");
    assert_eq!(seconds(Duration::from_millis(640)).to_string(), "0.64 s");
    assert_eq!(duration(Duration::ZERO).to_string(), "0 ms");
    assert_eq!(duration(Duration::from_nanos(900)).to_string(), "<0.01 ms");
    assert_eq!(
        [signed(0.001), signed(-0.4), signed(12.34)],
        ["0", "−0.40", "+12.3"]
    );
}

#[test]
fn shares_keep_the_digits_that_tell() {
    for (share, text) in [
        (0.0, "0 %"),
        (0.000_01, "<0.01 %"),
        (0.0025, "0.25 %"),
        (0.03, "3 %"),
        (2.0 / 3.0, "66.67 %"),
        (0.999_6, "99.96 %"),
        (0.999_99, ">99.99 %"),
        (1.0, "100 %"),
        (1.1, "110 %"),
    ] {
        assert_eq!(percent(share), text);
    }
    assert_eq!(
        [2.0 / 3.0, 0.001, 0.997, 1.0].map(whole_percent),
        ["67 %", "0.1 %", "99.7 %", "100 %"]
    );
    for (share, text) in [
        (-0.093, "−9.3 %"),
        (0.082, "+8.2 %"),
        (-0.000_1, "0.0 %"),
        (1.0, "+100.0 %"),
    ] {
        assert_eq!(change(share), text);
    }
    assert_eq!(change_interval([-0.121, 0.0]), "−12.1 … 0.0 %");
}

#[test]
fn times_are_written_as_they_are_read() {
    for (nanos, text) in [
        (0, "0ms"),
        (500_000_000, "500ms"),
        (100_000, "0.1ms"),
        (1_001_000_000, "1.001s"),
        (600_000_000_000, "600s"),
        (1, "0.000001ms"),
    ] {
        let time = Duration::from_nanos(nanos);
        assert_eq!(write_duration(time), text);
        assert_eq!(read_duration(text), Ok(time));
    }
}

#[test]
fn no_time_from_outside_overflows_a_moment() {
    for seconds in [
        f64::NAN,
        f64::INFINITY,
        -1.0,
        1e300,
        18_446_744_073_709_549_568.0,
        366.1 * 86_400.0,
    ] {
        assert_eq!(checked_seconds(seconds), None, "{seconds}");
    }
    assert_eq!(checked_seconds(1.5), Some(Duration::from_millis(1_500)));
    for text in [
        "18446744073709549568s",
        "367d",
        "9999999h",
        "213503982334601d",
    ] {
        assert!(read_duration(text).is_err(), "{text}");
    }
    let read = |text: &str| {
        as_seconds::deserialize(&serde_json::from_str::<serde_json::Value>(text).unwrap())
    };
    assert_eq!(read("1e19").unwrap(), LONGEST);
    assert!(read("-1").is_err());
}

#[test]
fn thousands_stand_apart() {
    for (n, text) in [
        (0, "0"),
        (999, "999"),
        (1_000, "1,000"),
        (1_234_567, "1,234,567"),
    ] {
        assert_eq!(count(n), text);
    }
    assert_eq!(counted(1, "answer"), "1 answer");
    assert_eq!(counted(2_012, "pod"), "2,012 pods");
    assert_eq!(rate(484.13).to_string(), "484.1 tok/s");
    assert_eq!(rate(12_345.6).to_string(), "12,346 tok/s");
}

#[test]
fn names_are_shortened_in_the_middle() {
    assert_eq!(shorten_middle("short", 10), "short");
    assert_eq!(
        shorten_middle("meta-llama-3-3-70b-instruct", 13),
        "meta-l…struct"
    );
    assert_eq!(shorten_middle("äöüäöüäöü", 5), "äö…öü");
}

#[test]
fn a_share_is_read_as_it_is_written() {
    for share in [0.05, 0.07, 1.0, 1.0 / 3.0, 1e-6] {
        assert_eq!(read_share(&write_share(share)), Ok(share));
    }
    assert_eq!(write_share(0.07), "7%");
    assert!(read_share("five").is_err());
}
