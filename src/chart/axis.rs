//! Axes: their range, their scale and their round values.

use crate::domain::units;

/// One direction of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What it measures, with the unit; empty where the chart's title says it.
    pub title: String,
    from: f64,
    to: f64,
    scale: Scale,
}

#[derive(Debug, Clone, PartialEq)]
enum Scale {
    Linear(Unit),
    /// Decades; values that are not positive have no place.
    Log,
    /// Times as a clock shows them, between these pairs of a value and its place: both rise.
    Stretched(Vec<[f64; 2]>),
    /// Names at 0, 1, 2 and so on.
    Names(Vec<String>),
    /// Nothing is written.
    Bare,
}

/// How the values of a linear axis are written, and in which steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Any number.
    Number,
    /// Whole numbers from 1.
    Whole,
    /// Whole numbers from 0.
    Count,
    /// Shares, 0 to 1, as percentages.
    Share,
    /// Seconds: `1.5 s`.
    Seconds,
    /// Seconds as a clock shows them: `1:30`.
    Clock,
    /// Days since 1970 as dates: `Nov 30`.
    Date,
}

/// A value that is written on an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tick {
    /// Where, see [`Axis::place`].
    pub at: f64,
    /// How far the next one is.
    pub step: f64,
}

/// Values that differ by more than this factor need a logarithmic axis.
const LOG_FROM: f64 = 20.0;

impl Axis {
    /// From `from` to `to`; an empty range is widened.
    pub fn between(title: &str, from: f64, to: f64, unit: Unit) -> Self {
        let to = if to > from { to } else { from + 1.0 };
        Self {
            title: title.to_owned(),
            from,
            to,
            scale: Scale::Linear(unit),
        }
    }

    /// From zero to a round value above the largest of these.
    pub fn from_zero(title: &str, values: impl Iterator<Item = f64>) -> Self {
        let most = values.filter(|value| value.is_finite()).fold(0.0, f64::max) * 1.04;
        let most = if most.is_normal() { most } else { 1.0 };
        let step = round_up(most / 5.0);
        Self::between(title, 0.0, (most / step).ceil() * step, Unit::Number)
    }

    /// Around these values, with a little room, never below zero.
    pub fn around(title: &str, values: impl Iterator<Item = f64>) -> Self {
        let (least, most) = ends(values);
        let room = ((most - least) * 0.06).max(most * 0.03);
        Self::between(title, (least - room).max(0.0), most + room, Unit::Number)
    }

    /// From zero to above the largest of these counts, with whole numbers alone.
    pub fn of_counts(title: &str, values: impl Iterator<Item = f64>) -> Self {
        Self {
            scale: Scale::Linear(Unit::Count),
            ..Self::from_zero(title, values.map(|value| value.max(1.0)))
        }
    }

    /// Logarithmic, from one positive value to a larger one.
    pub fn log(title: &str, from: f64, to: f64) -> Self {
        Self {
            scale: Scale::Log,
            ..Self::between(title, from.log10(), to.log10(), Unit::Number)
        }
    }

    /// A clock's times from `from` to `to`, on which no stretch between two of `begins` (ascending) is narrower than
    /// half of an even share: what is over in a second stays readable beside what took a minute.
    pub fn of_stretches(title: &str, [from, to]: [f64; 2], begins: &[f64]) -> Self {
        let inside = begins.iter().copied().filter(|at| *at > from && *at < to);
        let ends: Vec<f64> = inside.chain([to]).collect();
        let least = (to - from) / (2.0 * ends.len() as f64);
        let Some(first) = ends.first().filter(|_| ends.len() > 2) else {
            return Self::between(title, from, to, Unit::Clock);
        };
        let mut knots = vec![[from, from], [*first, *first]];
        for pair in ends.windows(2) {
            let place = knots.last().map_or(from, |[_, place]| *place);
            knots.push([pair[1], place + (pair[1] - pair[0]).max(least)]);
        }
        let end = knots.last().map_or(to, |[_, place]| *place);
        if end <= to * (1.0 + 1e-9) {
            return Self::between(title, from, to, Unit::Clock);
        }
        Self {
            scale: Scale::Stretched(knots),
            ..Self::between(title, from, end, Unit::Clock)
        }
    }

    /// As wide as these values, and logarithmic where some are many times as large as others.
    pub fn scaled(title: &str, values: impl Iterator<Item = f64>, zero: bool) -> Self {
        let (least, most) = ends(values.filter(|value| *value > 0.0));
        if most <= least * LOG_FROM {
            return if zero {
                Self::from_zero(title, [most].into_iter())
            } else {
                Self::around(title, [least, most].into_iter())
            };
        }
        let decades = marks(least.log10().floor(), most.log10().ceil());
        let from = decades
            .iter()
            .rev()
            .find(|mark| **mark <= least)
            .copied()
            .unwrap_or(least);
        let to = decades
            .iter()
            .find(|mark| **mark >= most)
            .copied()
            .unwrap_or(most);
        Self {
            title: title.to_owned(),
            from: from.log10(),
            to: to.log10(),
            scale: Scale::Log,
        }
    }

    /// A place for each name, evenly spaced.
    pub fn of_names(title: &str, names: Vec<String>) -> Self {
        let to = names.len().max(1) as f64 - 0.5;
        Self {
            title: title.to_owned(),
            from: -0.5,
            to,
            scale: Scale::Names(names),
        }
    }

    /// Rows without names, from 0 to `rows` - 1.
    pub fn of_rows(rows: usize) -> Self {
        Self {
            title: String::new(),
            from: -0.5,
            to: rows.max(1) as f64 - 0.5,
            scale: Scale::Bare,
        }
    }

    /// Whether its scale is logarithmic.
    pub fn is_log(&self) -> bool {
        self.scale == Scale::Log
    }

    /// Whether short stretches are drawn wider than they are.
    pub fn is_stretched(&self) -> bool {
        matches!(self.scale, Scale::Stretched(_))
    }

    /// Whether nothing is written on it.
    pub fn is_bare(&self) -> bool {
        self.scale == Scale::Bare
    }

    /// The places of its two ends.
    pub fn ends(&self) -> [f64; 2] {
        [self.from, self.to]
    }

    /// Where a value lies between the ends: the value itself, or its logarithm. `None` for what has no place.
    pub fn place(&self, value: f64) -> Option<f64> {
        let place = match &self.scale {
            Scale::Log => value.max(0.0).log10(),
            Scale::Stretched(knots) => between_knots(knots, value, [0, 1]),
            _ => value,
        };
        place.is_finite().then_some(place)
    }

    /// How far apart what is written on a horizontal axis has to be, in points.
    pub fn room(&self) -> f64 {
        match &self.scale {
            Scale::Linear(Unit::Date) => 92.0,
            Scale::Linear(Unit::Whole) => 40.0,
            Scale::Names(_) => 68.0,
            _ => 60.0,
        }
    }

    /// Round values between two places, in about `parts` parts at most.
    pub fn ticks(&self, [from, to]: [f64; 2], parts: f64) -> Vec<Tick> {
        let parts = parts.max(1.0);
        match &self.scale {
            Scale::Bare => Vec::new(),
            Scale::Names(names) => {
                let step = (names.len() as f64 / parts).ceil().max(1.0);
                (0..names.len())
                    .step_by(step as usize)
                    .map(|n| Tick { at: n as f64, step })
                    .collect()
            }
            Scale::Log => {
                let inside = |mark: &f64| *mark >= from - 1e-9 && *mark <= to + 1e-9;
                let all = marks(from.floor(), to.ceil())
                    .into_iter()
                    .map(f64::log10)
                    .filter(inside);
                let all: Vec<Tick> = all
                    .map(|at| Tick {
                        at,
                        step: 2f64.log10(),
                    })
                    .collect();
                // Within one decade there may be hardly any of them.
                if all.len() < 3 {
                    let [from, to] = [from, to].map(|end| 10f64.powf(end));
                    let round = evenly(from, to, round_up((to - from) / parts));
                    let placed = |tick: Tick| Tick {
                        at: tick.at.log10(),
                        ..tick
                    };
                    return round
                        .into_iter()
                        .filter(|tick| tick.at > 0.0)
                        .map(placed)
                        .collect();
                }
                if all.len() as f64 <= parts.max(3.0) * 1.5 {
                    return all;
                }
                evenly(from, to, ((to - from) / parts).ceil().max(1.0))
            }
            Scale::Stretched(knots) => stretched_ticks(knots, [from, to], parts),
            Scale::Linear(unit) => evenly(from, to, unit.step((to - from) / parts)),
        }
    }

    /// What is written at a tick.
    pub fn written(&self, tick: Tick) -> String {
        match &self.scale {
            Scale::Bare => String::new(),
            Scale::Names(names) => names
                .get(tick.at.round() as usize)
                .map_or_else(String::new, |name| units::shorten_middle(name, 10)),
            Scale::Log => {
                let value = 10f64.powf(tick.at);
                number(value, value, value)
            }
            Scale::Stretched(knots) => units::clock(between_knots(knots, tick.at, [1, 0])),
            Scale::Linear(unit) => unit.written(tick, self.to.abs()),
        }
    }
}

impl Unit {
    /// The next rounder step.
    fn step(self, step: f64) -> f64 {
        const CLOCK: [f64; 15] = [
            1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0,
            7_200.0, 14_400.0,
        ];
        const HOURS: [f64; 12] = [
            1.0, 2.0, 3.0, 6.0, 12.0, 24.0, 48.0, 168.0, 336.0, 672.0, 2_184.0, 4_368.0,
        ];
        match self {
            Self::Number | Self::Share | Self::Seconds => round_up(step),
            Self::Whole | Self::Count => round_up(step).max(1.0),
            Self::Clock => CLOCK
                .into_iter()
                .find(|rounder| *rounder >= step)
                .unwrap_or_else(|| round_up(step)),
            Self::Date => {
                let found = HOURS
                    .into_iter()
                    .map(|hours| hours / 24.0)
                    .find(|rounder| *rounder >= step);
                found.unwrap_or_else(|| (step / 364.0).ceil() * 364.0)
            }
        }
    }

    fn written(self, Tick { at, step }: Tick, most: f64) -> String {
        match self {
            Self::Number | Self::Count => number(at, step, most),
            Self::Whole if at < 1.0 => String::new(),
            Self::Whole => units::count(at.round() as u64),
            Self::Share => units::in_percent(&number(at * 100.0, step * 100.0, 100.0)),
            Self::Seconds => format!("{} s", number(at, step, most)),
            Self::Clock => units::clock(at),
            Self::Date => date(at),
        }
    }
}

/// `Nov 30`, and between two midnights `Nov 30 06:00`.
fn date(days: f64) -> String {
    let Ok(moment) = jiff::Timestamp::from_millisecond((days * 86_400_000.0).round() as i64) else {
        return String::new();
    };
    let zoned = moment.to_zoned(jiff::tz::TimeZone::UTC);
    let form = if zoned.hour() == 0 && zoned.minute() == 0 {
        "%b %-d"
    } else {
        "%b %-d %H:%M"
    };
    zoned.strftime(form).to_string()
}

/// `0.25`, `40`, `2,500`, `12.5k`, `4M`: with the digits that tell it from the next one, `step` away, and in the unit of
/// the largest one.
fn number(value: f64, step: f64, most: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let (unit, name) = match most {
        v if v >= 1e6 => (1e6, "M"),
        v if v >= 1e4 => (1e3, "k"),
        _ => (1.0, ""),
    };
    let (value, step) = (value / unit, step / unit);
    let whole = |digits: &i32| {
        let scaled = step * 10f64.powi(*digits);
        scaled >= 0.5 && (scaled - scaled.round()).abs() < scaled * 1e-3
    };
    match (0..=9).find(whole).unwrap_or(2) {
        0 if value >= 0.0 => format!("{}{name}", units::count(value.round() as u64)),
        digits => format!("{value:.*}{name}", digits as usize),
    }
}

/// What lies on the lines between such pairs where one side, `of[0]`, is `value`: the other side.
fn between_knots(knots: &[[f64; 2]], value: f64, [from, to]: [usize; 2]) -> f64 {
    let after = knots.partition_point(|knot| knot[from] < value);
    let second = after.clamp(1, knots.len().saturating_sub(1).max(1));
    match (knots.get(second - 1), knots.get(second)) {
        (Some(a), Some(b)) if b[from] > a[from] => {
            a[to] + (value - a[from]) / (b[from] - a[from]) * (b[to] - a[to])
        }
        _ => value,
    }
}

/// Round times within each stretch, as many as it has room for.
fn stretched_ticks(knots: &[[f64; 2]], [from, to]: [f64; 2], parts: f64) -> Vec<Tick> {
    let room = (to - from) / parts;
    let mut ticks: Vec<Tick> = Vec::new();
    for pair in knots.windows(2) {
        let [[begin, left], [end, right]] = [pair[0], pair[1]];
        let fit = ((right - left) / room).max(1.0);
        let step = Unit::Clock.step((end - begin) / fit);
        for time in evenly(begin.max(0.0), end, step) {
            let at = between_knots(knots, time.at, [0, 1]);
            let inside = at >= from - 1e-9 && at <= to + 1e-9;
            if inside && ticks.last().is_none_or(|last| at - last.at >= room * 0.8) {
                ticks.push(Tick { at, step });
            }
        }
    }
    ticks
}

/// To 1, 2 or 5 times a power of ten.
fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let step = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|step| step * power >= value * (1.0 - 1e-9));
    step.unwrap_or(10.0) * power
}

/// The multiples of `step` from `from` to `to`.
fn evenly(from: f64, to: f64, step: f64) -> Vec<Tick> {
    let first = (from / step - 1e-9).ceil();
    let count = (to / step + 1e-9).floor() - first;
    // A range that is no range, or a step that is none.
    if !count.is_finite() || !(0.0..100.0).contains(&count) {
        return Vec::new();
    }
    (0..=count as u32)
        .map(|n| Tick {
            at: (first + f64::from(n)) * step,
            step,
        })
        .collect()
}

/// 1, 2 and 5 times each power of ten.
fn marks(from: f64, to: f64) -> Vec<f64> {
    let powers = (from.max(-12.0) as i32)..=(to.min(15.0) as i32);
    powers
        .flat_map(|power| [1.0, 2.0, 5.0].map(|step| step * 10f64.powi(power)))
        .collect()
}

/// The least and the largest, (0, 0) of none.
fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let values = values.filter(|value| value.is_finite());
    let widest = |ends: Option<(f64, f64)>, value: f64| {
        let (least, most) = ends.unwrap_or((value, value));
        Some((least.min(value), most.max(value)))
    };
    values.fold(None, widest).unwrap_or_default()
}

#[cfg(test)]
mod tests;
