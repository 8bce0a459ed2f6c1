//! What the system tells of the whole machine.

/// CPU time of all cores since the machine started, in the system's ticks.
#[derive(Debug, Clone, Copy)]
pub struct Ticks {
    /// Spent working.
    pub busy: u64,
    /// Spent at all.
    pub all: u64,
}

/// The first line of `/proc/stat`; `None` where there is none.
pub fn ticks() -> Option<Ticks> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    let fields: Vec<u64> = text
        .lines()
        .next()?
        .split_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq steal; guest time is in user time already.
    let all: u64 = fields.iter().take(8).sum();
    let idle: u64 = fields.iter().skip(3).take(2).sum();
    (fields.len() >= 8).then_some(Ticks {
        busy: all - idle,
        all,
    })
}
