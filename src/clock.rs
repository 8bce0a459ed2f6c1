//! The system's clocks that the standard library does not read: CPU time, and a clock that all processes share.

pub use self::system::{process_cpu, shared_ns, thread_cpu};

#[cfg(unix)]
mod system {
    use std::time::Duration;

    use rustix::time::{ClockId, clock_gettime};

    /// CPU time of the calling thread so far; `None` if the system does not tell.
    pub fn thread_cpu() -> Option<Duration> {
        read(ClockId::ThreadCPUTime)
    }

    /// CPU time of this process so far, of all its threads; `None` if the system does not tell.
    pub fn process_cpu() -> Option<Duration> {
        read(ClockId::ProcessCPUTime)
    }

    /// Nanoseconds of a clock that all processes of the system share. It never goes backwards.
    pub fn shared_ns() -> u64 {
        let time = clock_gettime(ClockId::Monotonic);
        (time.tv_sec * 1_000_000_000 + time.tv_nsec).cast_unsigned()
    }

    fn read(clock: ClockId) -> Option<Duration> {
        let time = clock_gettime(clock);
        let nanos = u32::try_from(time.tv_nsec).ok()?;
        Some(Duration::new(time.tv_sec.unsigned_abs(), nanos))
    }
}

#[cfg(windows)]
mod system {
    use std::sync::OnceLock;
    use std::time::Duration;

    use winsafe::{
        FILETIME, HPROCESS, HTHREAD, QueryPerformanceCounter, QueryPerformanceFrequency,
    };

    /// CPU time of the calling thread so far, in steps of the system's tick (about 16 ms); `None` if the system does
    /// not tell.
    pub fn thread_cpu() -> Option<Duration> {
        let (_, _, kernel, user) = HTHREAD::GetCurrentThread().GetThreadTimes().ok()?;
        Some(duration(kernel) + duration(user))
    }

    /// CPU time of this process so far, of all its threads; `None` if the system does not tell.
    pub fn process_cpu() -> Option<Duration> {
        let (_, _, kernel, user) = HPROCESS::GetCurrentProcess().GetProcessTimes().ok()?;
        Some(duration(kernel) + duration(user))
    }

    /// Nanoseconds of a clock that all processes of the system share. It never goes backwards.
    pub fn shared_ns() -> u64 {
        static FREQUENCY: OnceLock<u128> = OnceLock::new();
        // Neither call fails on a Windows that Rust's standard library starts on.
        let frequency = FREQUENCY.get_or_init(|| ticks(QueryPerformanceFrequency().unwrap_or(1)));
        let now = ticks(QueryPerformanceCounter().unwrap_or(0));
        (now * 1_000_000_000 / (*frequency).max(1)) as u64
    }

    fn ticks(count: i64) -> u128 {
        count.unsigned_abs().into()
    }

    fn duration(time: FILETIME) -> Duration {
        // FILETIME counts 100 ns.
        Duration::from_nanos(u64::from(time).saturating_mul(100))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn work(lasts: Duration) {
        let began = Instant::now();
        while began.elapsed() < lasts {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn cpu_time_is_that_of_the_thread_and_of_all_threads() {
        let (thread, process) = (thread_cpu().unwrap(), process_cpu().unwrap());
        // A machine that is busy gives this thread a part of the time only.
        let began = Instant::now();
        while thread_cpu().unwrap() - thread < Duration::from_millis(50) {
            assert!(began.elapsed() < Duration::from_secs(30));
            work(Duration::from_millis(10));
        }
        assert!(process_cpu().unwrap() - process >= Duration::from_millis(50));
        let before = thread_cpu().unwrap();
        std::thread::spawn(|| work(Duration::from_millis(100)))
            .join()
            .unwrap();
        let own = thread_cpu().unwrap() - before;
        assert!(own < Duration::from_millis(90), "{own:?} of another thread");
    }

    #[test]
    fn the_shared_clock_counts_nanoseconds() {
        let (began, before) = (Instant::now(), shared_ns());
        std::thread::sleep(Duration::from_millis(30));
        let passed = Duration::from_nanos(shared_ns() - before);
        assert!(passed >= Duration::from_millis(30), "{passed:?}");
        assert!(passed <= began.elapsed());
    }
}
