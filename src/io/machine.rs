//! CPU load of the whole machine.

/// CPU time of all cores since the machine started, in clock ticks.
#[derive(Debug, Clone, Copy)]
pub struct Ticks {
    /// Time not idle.
    pub busy: u64,
    /// All time.
    pub all: u64,
}

/// Reads the first line of `/proc/stat`; `None` if it is not available.
pub fn ticks() -> Option<Ticks> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    let fields: Vec<u64> = text
        .lines()
        .next()?
        .split_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq steal; user time includes guest time.
    let all: u64 = fields.iter().take(8).sum();
    let idle: u64 = fields.iter().skip(3).take(2).sum();
    (fields.len() >= 8).then_some(Ticks {
        busy: all - idle,
        all,
    })
}
