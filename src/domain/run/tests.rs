use serde_json::Value;

use super::*;
use crate::domain::plan::LevelLoad;

/// All that the earlier JSON holds stands in the new one under the same key.
#[track_caller]
fn check_kept(place: &str, earlier: &Value, now: &Value) {
    match (earlier, now) {
        (Value::Object(earlier), Value::Object(now)) => {
            for (key, value) in earlier {
                let place = format!("{place}.{key}");
                check_kept(
                    &place,
                    value,
                    now.get(key).unwrap_or_else(|| panic!("{place} is gone")),
                );
            }
        }
        (Value::Array(earlier), Value::Array(now)) => {
            assert_eq!(earlier.len(), now.len(), "{place}");
            earlier
                .iter()
                .zip(now)
                .for_each(|(earlier, now)| check_kept(place, earlier, now));
        }
        // 8 and 8.0 are the same.
        _ if earlier.is_number() => assert_eq!(earlier.as_f64(), now.as_f64(), "{place}"),
        _ => assert_eq!(earlier, now, "{place}"),
    }
}

#[test]
fn a_report_of_an_earlier_version_is_read_and_its_keys_are_kept() {
    let file = include_str!("../../../tests/fixtures/report/batida-0.1.0.json");
    let earlier: Value = serde_json::from_str(file).expect("JSON");
    let report: BenchReport = serde_json::from_str(file).expect("a report");
    check_kept(
        "report",
        &earlier,
        &serde_json::to_value(&report).expect("it is written"),
    );
    let database = include_str!("../../../tests/fixtures/history/v1.sql");
    let (_, level) = database
        .split_once("INSERT INTO levels VALUES (1, 0, '")
        .expect("a level");
    let (level, _) = level
        .split_once("');")
        .or_else(|| level.split_once("',"))
        .expect("its end");
    let earlier: Value = serde_json::from_str(level).expect("JSON");
    let read: LevelReport = serde_json::from_str(level).expect("a level");
    check_kept(
        "level",
        &earlier,
        &serde_json::to_value(&read).expect("it is written"),
    );
}

#[test]
fn what_an_import_does_not_say_of_a_level_is_null_and_earlier_zeros_are_unknown() {
    let unknown = |level: &LevelReport| {
        let LevelReport {
            began_s,
            took_s,
            concurrency,
            ..
        } = level;
        (
            began_s.is_none(),
            took_s.is_none(),
            concurrency.most.is_none(),
        )
    };
    let mut level = LevelReport::blank("m", LevelLoad::Concurrency(2));
    level.requests.ended = 9;
    let json = serde_json::to_value(&level).expect("it is written");
    assert!(json["began_s"].is_null() && json["took_s"].is_null());
    assert!(json["concurrency"]["most"].is_null());
    let read = |json: Value| serde_json::from_value::<LevelReport>(json).expect("a level");
    assert_eq!(unknown(&read(json.clone())), (true, true, true));
    let with = |began: f64, took: f64, most: u32| {
        let mut json = json.clone();
        (json["began_s"], json["took_s"]) = (began.into(), took.into());
        json["concurrency"]["most"] = most.into();
        json
    };
    assert_eq!(unknown(&read(with(0.0, 0.0, 0))), (true, true, true));
    assert_eq!(unknown(&read(with(0.0, 3.0, 2))), (true, false, false));
    let known = with(0.5, 3.0, 2);
    let level = read(known.clone());
    assert_eq!(unknown(&level), (false, false, false));
    let again = serde_json::to_value(&level).expect("it is written");
    check_kept("level", &known, &again);
    // Stopped before it began: nothing was in flight.
    let mut nothing = with(0.5, 0.0, 0);
    nothing["requests"]["ended"] = 0.into();
    assert_eq!(unknown(&read(nothing)), (false, false, false));
}
