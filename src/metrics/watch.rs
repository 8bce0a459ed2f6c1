//! What the benchmark saw of itself, compared with what it measured: could it have moved a figure?

use std::time::Duration;

use crate::domain::run::{Clock, Stats, Watch};
use crate::domain::stats::{P50, P99};
use crate::domain::units;
use crate::metrics::arrivals::apart;

/// A late read up to this is left alone in TTFT, in ms: what the truth bench allows us.
const TTFT_LEAST_MS: f64 = 1.0;
/// Of the median TTFT: less is less than two runs of the same model differ by.
const TTFT_SHARE: f64 = 0.05;
/// A late read up to this is left alone in ITL, in ms: any scheduler wakes a thread that late now and then.
const ITL_LEAST_MS: f64 = 0.5;
/// Of the median ITL. A late read lengthens one gap and shortens the next, so that the median hardly moves:
/// what moves is p95 and p99, which lie further from the median than this anyway.
const ITL_SHARE: f64 = 0.2;
/// A thread that is busy for longer has work waiting for it most of the time.
const LANE_BUSY: f64 = 0.85;
/// Beyond this, threads wait for a processor.
const MACHINE_BUSY: f64 = 0.95;
/// One late read up to this is left alone in p99.9 and the maximum, in ms: any machine has one now and then.
const TAIL_LEAST_MS: f64 = 8.0;
/// Of the maximum.
const TAIL_SHARE: f64 = 0.2;
/// Of the requests: fewer late ones move no percentile up to p99.
const LATE_SHARE: f64 = 0.01;
/// A request that left later against its schedule than this counts as late.
pub const LATE: Duration = Duration::from_millis(1);

/// Of the time from one request of a client to its next: the load is that much lower than asked.
const PACE_SHARE: f64 = 0.01;

/// Of the gaps: fewer that are 0 move no percentile up to p99.
const TOGETHER_SHARE: f64 = 0.01;

/// What the level measured, as far as doubts depend on it.
#[derive(Debug, Clone, Copy)]
pub struct Measured<'a> {
    /// Time to first token, in ms.
    pub ttft_ms: &'a Stats,
    /// Inter-token latency, in ms.
    pub itl_ms: &'a Stats,
    /// To the end of the answer, in ms.
    pub latency_ms: &'a Stats,
    /// Measured requests that ended.
    pub requests: u64,
    /// Whether requests have a moment when they are due.
    pub open: bool,
    /// More will come.
    pub running: bool,
}

/// Says in plain sentences what of it could have moved a figure. What was said before is forgotten.
pub fn judge(watch: &mut Watch, level: &Measured<'_>) {
    let mut doubts = match watch.clock {
        Some(Clock::Kernel) => {
            let doubts = [together(watch, level), pace(watch, level)];
            doubts.into_iter().flatten().collect()
        }
        // A read without a stamp may have been the late one.
        Some(Clock::Process | Clock::Mixed) | None => by_the_reads(watch, level),
    };
    doubts.extend(left_late(watch, level));
    watch.doubts = doubts;
}

/// The kernel joins segments that wait for long, and they have the stamp of the last: tokens came together that the
/// server had sent one by one.
fn together(watch: &Watch, level: &Measured<'_>) -> Option<String> {
    let late = watch.read_late_ms.at(P99)?;
    let gap = level.itl_ms.mean.filter(|gap| late > *gap)?;
    let (zero, _) = apart(level.itl_ms);
    if zero < level.itl_ms.count as f64 * TOGETHER_SHARE {
        return None;
    }
    let figures = moved(late, level)?;
    Some(format!(
        "client read delay up to {} (p99), longer than the {} between chunks: those that waited together may have one \
         time of arrival, so that {figures} may be off by that much",
        units::milliseconds(late),
        units::milliseconds(gap)
    ))
}

/// The kernel's clock: a late read moves no time. A client of a closed loop that reads the end of an answer late sends
/// its next request late.
fn pace(watch: &Watch, level: &Measured<'_>) -> Option<String> {
    let late = watch.end_late_ms.mean.filter(|_| !level.open)?;
    let share = late / (level.latency_ms.mean? + late);
    (share > PACE_SHARE).then(|| {
        format!(
            "the client read the ends of answers {} late on average, {} of the time from one request to the next: each \
             client sent its next request that much later, so that throughput may be up to {} too low",
            units::milliseconds(late),
            units::percent((share * 1e3).round() / 1e3),
            units::percent((share * 1e3).round() / 1e3)
        )
    })
}

/// The program's own clock: whatever keeps it from reading makes times longer.
fn by_the_reads(watch: &Watch, level: &Measured<'_>) -> Vec<String> {
    let mut doubts = Vec::new();
    let reads = watch
        .read_late_ms
        .at(P99)
        .map(|late| (late, moved(late, level)));
    if let Some((late, Some(figures))) = reads {
        doubts.push(format!(
            "client read delay up to {} (p99): {figures} may read that much too long",
            units::milliseconds(late)
        ));
    }
    if let Some(late) = watch.timer_late_ms.at(P99) {
        match moved(late, level) {
            Some(_) if level.open => doubts.push(format!(
                "timers fired up to {} (p99) late: requests left that much after their moment, and TTFT and \
                 latency hold that wait",
                units::milliseconds(late)
            )),
            // Without a look at the reads, the timers stand for them: it is the same threads that wait.
            Some(figures) if reads.is_none() => doubts.push(format!(
                "the measuring threads woke up to {} (p99) late: {figures} may read that much too long",
                units::milliseconds(late)
            )),
            _ => {}
        }
    }
    let seen = if reads.is_some() {
        &watch.read_late_ms
    } else {
        &watch.timer_late_ms
    };
    if let Some((worst, figures)) = seen
        .max
        .and_then(|worst| Some((worst, moved_most(worst, level)?)))
    {
        doubts.push(format!(
            "measuring threads stalled for up to {}: p99.9 and the maximum of {figures} may include that",
            units::milliseconds(worst)
        ));
    }
    if seen.count == 0 && level.requests > 0 && !level.running {
        doubts.push(
            "the level was too short to measure the client's own delays: run it for longer"
                .to_owned(),
        );
    }
    doubts.extend(by_the_load(watch));
    doubts
}

/// How much of the processors was in use, where nothing tells what that did to the reads.
fn by_the_load(watch: &Watch) -> impl Iterator<Item = String> {
    let busy = watch.busiest_lane.filter(|share| *share > LANE_BUSY);
    let busy = busy.map(|share| {
        format!(
            "a measuring thread used {} of a core: the client is at its limit and throughput may be too low",
            units::whole_percent(share)
        )
    });
    let machine = watch.machine_busy.filter(|share| *share > MACHINE_BUSY);
    let machine = machine.map(|share| {
        format!(
            "{} of this machine's processors were in use: times may be too long, throughput too low",
            units::whole_percent(share)
        )
    });
    busy.into_iter().chain(machine)
}

/// Requests of an open loop that left late, whatever the clock: their times count from when they were due.
fn left_late(watch: &Watch, level: &Measured<'_>) -> Option<String> {
    let late = watch.late_requests as f64 > level.requests as f64 * LATE_SHARE;
    let how_late = watch.left_late_ms.at(P99).filter(|_| late)?;
    let least = LATE.as_secs_f64() * 1e3;
    let ttft = level.ttft_ms.at(P50);
    // With the kernel's clock it is all that is in doubt: said when it is more than two runs of a model differ by.
    let matters = match (watch.clock, ttft) {
        (Some(Clock::Kernel), Some(ttft)) => how_late > least.max(ttft * TTFT_SHARE),
        _ => how_late > least,
    };
    let share = ttft
        .filter(|ttft| *ttft > 0.0)
        .map_or(String::new(), |ttft| {
            format!(
                ", {} of the median TTFT",
                units::whole_percent(how_late / ttft)
            )
        });
    matters.then(|| {
        format!(
            "{} of {} requests left late against their schedule (p99 {}{share}): TTFT and latency hold that wait",
            units::count(watch.late_requests),
            units::count(level.requests),
            units::milliseconds(how_late)
        )
    })
}

/// Which figures bytes that are read so late (p99, in ms) could have moved.
fn moved(late: f64, level: &Measured<'_>) -> Option<&'static str> {
    let ttft = level
        .ttft_ms
        .at(P50)
        .is_some_and(|p50| late > TTFT_LEAST_MS.max(p50 * TTFT_SHARE));
    let itl = level
        .itl_ms
        .at(P50)
        .is_some_and(|p50| late > ITL_LEAST_MS.max(p50 * ITL_SHARE));
    named(ttft, itl)
}

/// Of which figures one read that was so late (in ms) could have made the largest values.
fn moved_most(late: f64, level: &Measured<'_>) -> Option<&'static str> {
    let of = |stats: &Stats| {
        stats
            .max
            .is_some_and(|max| late > TAIL_LEAST_MS.max(max * TAIL_SHARE))
    };
    named(of(level.ttft_ms), of(level.itl_ms))
}

fn named(ttft: bool, itl: bool) -> Option<&'static str> {
    match (ttft, itl) {
        (true, true) => Some("TTFT and ITL"),
        (true, false) => Some("TTFT"),
        (false, true) => Some("ITL"),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests;
