//! That a goal of the benches can be missed.

#[path = "../bench/goals.rs"]
mod found;

use found::Goals;

#[test]
fn a_goal_that_is_missed_is_counted_and_told() {
    let asked =
        |args: &[&str]| Goals::asked(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>());
    assert!(!asked(&["truth", "3"]).checked && asked(&["truth", "--check", "3"]).checked);
    let mut goals = Goals::default();
    goals.at_most("TTFT above the floor", 1.0, 1.0, "ms");
    goals.within("in flight", 1_981.0, 2_000.0, 0.01);
    goals.between("hold the truth", 93.0, [93.0, 98.0], "%");
    assert_eq!(goals.missed(), 0, "{}", goals.told());
    goals.at_most("TTFT above the floor", 1.01, 1.0, "ms");
    goals.at_most("TTFT above the floor", f64::NAN, 1.0, "ms");
    goals.within("in flight", 2_021.0, 2_000.0, 0.01);
    goals.within("in flight", f64::NAN, 2_000.0, 0.01);
    goals.between("hold the truth", 92.9, [93.0, 98.0], "%");
    goals.between("hold the truth", f64::NAN, [93.0, 98.0], "%");
    assert_eq!(goals.missed(), 6, "{}", goals.told());
    assert!(
        goals
            .told()
            .contains("MISSED TTFT above the floor: 1.010 ms, at most 1.0 ms\n"),
        "{}",
        goals.told()
    );
}
