//! A descriptor that becomes readable at known moments, as a connection does when bytes arrive.
//!
//! The system's clock makes it so and not this process: whoever reads it late would have read a stream's bytes
//! that late, also when the whole process stood still (stopped, throttled by its cgroup, its machine's processors
//! taken away).

use std::io;
use std::time::Duration;
#[cfg(target_os = "linux")]
use std::time::Instant;

#[cfg(target_os = "linux")]
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
#[cfg(target_os = "linux")]
use tokio::{io::AsyncReadExt as _, net::unix::pipe::Receiver};

/// Rings at even distances.
#[cfg(target_os = "linux")]
pub(super) struct Alarm {
    /// Read as a pipe is: eight bytes once it has rings.
    timer: Receiver,
    every: Duration,
    /// When it rings next.
    next: Instant,
}

/// How late rings were noticed: the first of them by `late`, each later one by [`Alarm`]'s distance less.
#[derive(Debug, Clone, Copy)]
pub(super) struct AlarmRings {
    pub(super) late: Duration,
    /// So many rang; more than one where nobody looked for long.
    pub(super) times: u32,
}

#[cfg(target_os = "linux")]
impl Alarm {
    /// Within the runtime that is to notice it.
    pub(super) fn every(every: Duration) -> io::Result<Self> {
        let timer = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )?;
        let distance = Timespec {
            tv_sec: every.as_secs() as i64,
            tv_nsec: every.subsec_nanos().into(),
        };
        let begins = Instant::now();
        let rings = Itimerspec {
            it_interval: distance,
            it_value: distance,
        };
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &rings)?;
        Ok(Self {
            timer: Receiver::from_owned_fd_unchecked(timer)?,
            every,
            next: begins + every,
        })
    }

    /// Waits until it rings.
    pub(super) async fn rings(&mut self) -> io::Result<AlarmRings> {
        let mut times = [0; 8];
        self.timer.read_exact(&mut times).await?;
        let late = self.next.elapsed();
        let times = u32::try_from(u64::from_ne_bytes(times))
            .unwrap_or(u32::MAX)
            .max(1);
        self.next += self.every.saturating_mul(times);
        Ok(AlarmRings { late, times })
    }
}

/// Where there is no such descriptor, timers stand for it.
#[cfg(not(target_os = "linux"))]
pub(super) struct Alarm;

#[cfg(not(target_os = "linux"))]
impl Alarm {
    pub(super) fn every(_: Duration) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) async fn rings(&mut self) -> io::Result<AlarmRings> {
        std::future::pending().await
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_thread_that_stood_still_hears_of_every_ring_it_missed() {
        let every = Duration::from_millis(20);
        let mut alarm = Alarm::every(every).expect("a timer");
        // As a process that was stopped: nothing on this thread goes on.
        std::thread::sleep(Duration::from_millis(110));
        let missed = alarm.rings().await.expect("it rings");
        assert!(
            missed.times >= 5 && missed.late >= Duration::from_millis(90),
            "{missed:?}"
        );
        let began = Instant::now();
        let next = alarm.rings().await.expect("it rings");
        assert!(
            next.times >= 1 && began.elapsed() <= every * next.times + next.late,
            "{next:?}"
        );
    }
}
