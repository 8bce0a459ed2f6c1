//! How numbers are written for people.

use std::time::Duration;

/// A figure and its unit, apart, since the screen sets them in different sizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// The digits, e.g. `88` or `1,204`.
    pub value: String,
    /// e.g. `ms`; empty for a bare count.
    pub unit: &'static str,
}

impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.unit.is_empty() {
            return f.write_str(&self.value);
        }
        write!(f, "{} {}", self.value, self.unit)
    }
}

/// What is written where a file does not say something.
pub const UNKNOWN: &str = "unknown";
/// What stands where there is no figure.
pub const ABSENT: &str = "–";

/// A duration with three significant digits or so: `0.31 ms`, `88 ms`, `1.32 s`, `2:05 min`.
pub fn duration(duration: Duration) -> Figure {
    let ms = duration.as_secs_f64() * 1e3;
    let (value, unit) = if ms < 9.995 {
        (short(Some(ms)), "ms")
    } else if ms < 999.5 {
        (format!("{ms:.0}"), "ms")
    } else if ms < 9_995.0 {
        (format!("{:.2}", ms / 1e3), "s")
    } else if ms < 119_950.0 {
        (format!("{:.1}", ms / 1e3), "s")
    } else {
        let seconds = duration.as_secs();
        (format!("{}:{:02}", seconds / 60, seconds % 60), "min")
    };
    Figure { value, unit }
}

/// The same of a time that is measured in ms; [`ABSENT`] for what is no time.
pub fn milliseconds(ms: f64) -> Figure {
    let absent = |_| Figure {
        value: ABSENT.to_owned(),
        unit: "",
    };
    Duration::try_from_secs_f64(ms / 1e3).map_or_else(absent, duration)
}

/// Latency is read in seconds, so that a column of them can be compared; below a tenth of one, in ms.
pub fn seconds(duration: Duration) -> Figure {
    if duration < Duration::from_micros(99_500) {
        return self::duration(duration);
    }
    let value = if duration.as_secs_f64() < 100.0 {
        format!("{:.2}", duration.as_secs_f64())
    } else {
        format!("{:.1}", duration.as_secs_f64())
    };
    Figure { value, unit: "s" }
}

/// Tokens per second with one decimal below a thousand.
pub fn rate(per_second: f64) -> Figure {
    let value = if per_second < 1_000.0 {
        format!("{per_second:.1}")
    } else {
        count(per_second.round() as u64)
    };
    Figure {
        value,
        unit: "tok/s",
    }
}

/// A whole number with thousands apart: `12,345`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// About three digits, for tables: `0.31`, `88.4`, `1,204`; `<0.01` for what is no zero and would look like one;
/// [`ABSENT`] where there is none.
pub fn short(value: Option<f64>) -> String {
    match value {
        None => ABSENT.to_owned(),
        Some(0.0) => "0".to_owned(),
        Some(value) if value > 0.0 && value < 0.005 => "<0.01".to_owned(),
        Some(value) if value.abs() < 9.995 => format!("{value:.2}"),
        Some(value) if value.abs() < 99.95 => format!("{value:.1}"),
        Some(value) => count(value.round().max(0.0) as u64),
    }
}

/// Seconds as a clock shows them: `1:30`, `1:02:03`.
pub fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    let (hours, minutes, seconds) = (whole / 3_600, whole / 60 % 60, whole % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// A figure with its 95 % interval: `88.0 [79.2, 96.8]`.
pub fn with_interval(value: Option<f64>, ci: Option<[f64; 2]>) -> String {
    match ci {
        Some([low, high]) => format!(
            "{} [{}, {}]",
            short(value),
            short(Some(low)),
            short(Some(high))
        ),
        None => short(value),
    }
}

/// A time in ms that may be long, for tables: ms below a second, else seconds: `0.31 ms`, `88.4 ms`, `1.32 s`.
pub fn time(ms: Option<f64>) -> String {
    time_with_interval(ms, None)
}

/// The same with its 95 % interval in the same unit: `1.32 [1.19, 1.45] s`.
pub fn time_with_interval(ms: Option<f64>, ci: Option<[f64; 2]>) -> String {
    let Some(value) = ms else {
        return ABSENT.to_owned();
    };
    let (by, unit) = unit_of_time(value);
    format!(
        "{} {unit}",
        with_interval(Some(value / by), ci.map(|ci| ci.map(|end| end / by)))
    )
}

/// What a time in ms is divided by, and the unit that this gives.
pub fn unit_of_time(ms: f64) -> (f64, &'static str) {
    if ms < 999.5 { (1.0, "ms") } else { (1e3, "s") }
}

/// A difference with its sign: `+12.3`, `−0.40`; none before nothing.
pub fn signed(value: f64) -> String {
    let digits = short(
        Some(value.abs())
            .filter(|value| *value >= 0.005)
            .or(Some(0.0)),
    );
    let sign = match digits.as_str() {
        "0" => "",
        _ if value < 0.0 => "−",
        _ => "+",
    };
    format!("{sign}{digits}")
}

/// Digits with the sign for percent behind them, as people read it. On a command line it is [`write_share`].
pub fn in_percent(digits: &str) -> String {
    format!("{digits} %")
}

/// A share as percent, two decimals at most: `3 %`, `2.5 %`, `66.67 %`. A share above 0 never reads as 0 %, and one
/// below 1 never as 100 %: `<0.01 %`, `>99.99 %`.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let text = format!("{percent:.2}");
    match text.trim_end_matches('0').trim_end_matches('.') {
        "0" if percent > 0.0 => in_percent("<0.01"),
        "100" if percent < 100.0 - 1e-9 => in_percent(">99.99"),
        text => in_percent(text),
    }
}

/// The same to the whole percent, where more digits would say nothing: `67 %`.
pub fn whole_percent(share: f64) -> String {
    let whole = (share * 100.0).round();
    // Near 0 % and 100 % the decimals matter.
    if whole == 0.0 || whole == 100.0 {
        percent(share)
    } else {
        in_percent(&whole.to_string())
    }
}

/// The same with two digits where it is small, for what is no exact share: `0.4 %`, `9 %`, `120 %`.
pub fn percent_rounded(share: f64) -> String {
    let percent = share * 100.0;
    if percent >= 9.5 || (percent - percent.round()).abs() < 0.05 && percent >= 0.95 {
        return in_percent(&format!("{percent:.0}"));
    }
    in_percent(&format!("{percent:.1}"))
}

/// A relative change with its sign; zero has none: `+8.2 %`, `−9.3 %`, `0.0 %`.
pub fn change(share: f64) -> String {
    in_percent(&signed_tenth(share * 100.0))
}

/// The interval of a relative change: `−12.1 … −6.6 %`.
pub fn change_interval([low, high]: [f64; 2]) -> String {
    let [low, high] = [low, high].map(|end| signed_tenth(end * 100.0));
    in_percent(&format!("{low} … {high}"))
}

fn signed_tenth(value: f64) -> String {
    let text = format!("{:.1}", value.abs());
    let sign = match text.as_str() {
        "0.0" => "",
        _ if value < 0.0 => "−",
        _ => "+",
    };
    format!("{sign}{text}")
}

/// A count with its noun, in the singular where there is one: `1 answer`, `2,012 pods`.
pub fn counted(n: usize, noun: &str) -> String {
    format!(
        "{} {noun}{}",
        count(n as u64),
        if n == 1 { "" } else { "s" }
    )
}

/// A file's size, about three digits: `940 B`, `12.3 kB`, `1.2 MB`.
pub fn bytes(n: usize) -> String {
    match n as f64 {
        n if n < 1e3 => format!("{n:.0} B"),
        n if n < 99_950.0 => format!("{:.1} kB", n / 1e3),
        n if n < 999_500.0 => format!("{:.0} kB", n / 1e3),
        n => format!("{:.1} MB", n / 1e6),
    }
}

/// How long ago, roughly: `just now`, `40 s ago`, `3 min ago`, `2 h ago`.
pub fn ago(age: Duration) -> String {
    match age.as_secs() {
        0..5 => "just now".to_owned(),
        s @ 5..90 => format!("{s} s ago"),
        s @ 90..5_400 => format!("{} min ago", (s + 30) / 60),
        s @ 5_400..172_800 => format!("{} h ago", (s + 1_800) / 3_600),
        s => format!("{} days ago", s / 86_400),
    }
}

/// Shortens in the middle, so that both ends of a long name stay: `meta-llama…instruct`.
pub fn shorten_middle(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most || most < 3 {
        return text.to_owned();
    }
    let head = (most - 1).div_ceil(2);
    let tail = most - 1 - head;
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(length - tail).collect();
    format!("{start}…{end}")
}

/// No time that comes from outside (a header, a flag, a file) is longer: added to a moment it must not overflow.
pub const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// Seconds that come from outside, as a time. `None` when they are no number, negative, or more than [`LONGEST`].
pub fn checked_seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().and_then(checked)
}

/// A time that comes from outside, unless it is longer than [`LONGEST`].
pub fn checked(time: Duration) -> Option<Duration> {
    Some(time).filter(|time| *time <= LONGEST)
}

/// Reads `100ms`, `1.5 s`, `2m 30s`, up to [`LONGEST`].
///
/// # Errors
/// What it should look like.
pub fn read_duration(text: &str) -> Result<Duration, String> {
    let time = jiff::fmt::friendly::SpanParser::new()
        .parse_unsigned_duration(text)
        .map_err(|_| format!("{text:?} is not a time: write 100ms, 1.5s or 2m"))?;
    checked(time).ok_or_else(|| format!("{text:?} is longer than a year"))
}

/// As [`read_duration`] reads it, without spaces and to the nanosecond: `500ms`, `1.5s`, `600s`.
pub fn write_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let (unit, digits, name) = if nanos < 1_000_000_000 {
        (1_000_000, 6, "ms")
    } else {
        (1_000_000_000, 9, "s")
    };
    let fraction = format!("{:0digits$}", nanos % unit);
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    format!("{}{dot}{fraction}{name}", nanos / unit)
}

/// Reads `5%` and `0.05`.
///
/// # Errors
/// What it should look like.
pub fn read_share(text: &str) -> Result<f64, String> {
    let (number, part) = text
        .strip_suffix('%')
        .map_or((text, 1.0), |number| (number, 100.0));
    let number: f64 = number
        .trim()
        .parse()
        .map_err(|_| format!("{text:?} is not a valid share: write 5% or 0.05"))?;
    Ok(number / part)
}

/// As [`read_share`] reads it, to the last digit.
pub fn write_share(share: f64) -> String {
    // 0.07 × 100 is not quite 7.
    let percent = format!("{}%", (share * 1e8).round() / 1e6);
    if read_share(&percent) == Ok(share) {
        percent
    } else {
        share.to_string()
    }
}

/// Milliseconds with the fraction.
pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Of what was stored nothing is lost for a time that is too long: it is as good as [`LONGEST`].
fn capped_seconds(seconds: f64) -> Result<Duration, std::time::TryFromFloatSecsError> {
    if seconds > LONGEST.as_secs_f64() {
        Ok(LONGEST)
    } else {
        Duration::try_from_secs_f64(seconds)
    }
}

/// Serde: a duration as seconds.
pub mod as_seconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer, de};

    /// # Errors
    /// As the format's.
    pub fn serialize<S: Serializer>(duration: &Duration, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_f64(duration.as_secs_f64())
    }

    /// # Errors
    /// When it is no number or negative. A longer time than [`super::LONGEST`] is read as that.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        super::capped_seconds(f64::deserialize(from)?).map_err(de::Error::custom)
    }
}

/// Serde: a duration as seconds, or nothing.
pub mod as_seconds_or_none {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de};

    /// # Errors
    /// As the format's.
    pub fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        duration
            .map(|duration| duration.as_secs_f64())
            .serialize(out)
    }

    /// # Errors
    /// When it is no number or negative. A longer time than [`super::LONGEST`] is read as that.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        let seconds = Option::<f64>::deserialize(from)?;
        seconds
            .map(super::capped_seconds)
            .transpose()
            .map_err(de::Error::custom)
    }
}

/// Serde: a duration as milliseconds, or nothing.
pub mod as_ms_or_none {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de};

    /// # Errors
    /// As the format's.
    pub fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        duration.map(super::ms).serialize(out)
    }

    /// # Errors
    /// When it is no number or negative. A longer time than [`super::LONGEST`] is read as that.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        let ms = Option::<f64>::deserialize(from)?;
        ms.map(|ms| super::capped_seconds(ms / 1e3))
            .transpose()
            .map_err(de::Error::custom)
    }
}

/// A moment, to the minute: `2026-11-23 14:32 UTC`.
pub fn moment(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests;
