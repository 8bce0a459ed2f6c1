//! The machine: its name, and the CPU load of all of it.

pub use self::system::{name, ticks};

/// CPU time of all cores since the machine started, in clock ticks, whose length depends on the system.
#[derive(Debug, Clone, Copy)]
pub struct Ticks {
    /// Time not idle.
    pub busy: u64,
    /// All time.
    pub all: u64,
}

#[cfg(not(windows))]
mod system {
    use super::Ticks;

    /// The name that the machine has in its network; `None` if it has none.
    pub fn name() -> Option<String> {
        let name = rustix::system::uname();
        let name = name.nodename().to_string_lossy().into_owned();
        Some(name).filter(|name| !name.is_empty())
    }

    /// Reads the first line of Linux's `/proc/stat`; `None` if it is not available, as on macOS.
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
}

#[cfg(windows)]
mod system {
    use super::Ticks;

    /// The name that the machine has in its network; `None` if it has none.
    pub fn name() -> Option<String> {
        let name = std::env::var("COMPUTERNAME").ok();
        name.filter(|name| !name.is_empty())
    }

    /// Asks the system; `None` if it does not tell.
    pub fn ticks() -> Option<Ticks> {
        let (idle, kernel, user) = winsafe::GetSystemTimes().ok()?;
        let (idle, kernel, user) = (u64::from(idle), u64::from(kernel), u64::from(user));
        // Time in the kernel includes idle time.
        let all = kernel.checked_add(user)?;
        Some(Ticks {
            busy: all.checked_sub(idle)?,
            all,
        })
    }
}
