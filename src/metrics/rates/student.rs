//! Student's t.

/// Student's t: what 2.5 % lie beyond on each side, for 1 to 19 degrees of freedom.
pub(in crate::metrics) fn student(freedom: u64) -> f64 {
    const T: [f64; 19] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
        2.145, 2.131, 2.120, 2.110, 2.101, 2.093,
    ];
    T[(freedom as usize).clamp(1, T.len()) - 1]
}
