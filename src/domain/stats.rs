//! The distribution of one figure, as a report holds it.
//!
//! [`PERCENTILES`] is the only list of percentiles. A percentile that is added to it is measured, written to the JSON
//! and the schema, read from other programs' files, and can be a condition. One with an interval also stands in the
//! tables of intervals, the CSV of levels and the hover texts. `domain::figures` says which ones the tables of levels and comparisons show.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A percentile of the values of a figure, by nearest rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percentile {
    /// The share of the values that are at most this large, in thousandths.
    per_mille: u16,
    interval: bool,
}

/// The 1st percentile.
pub const P1: Percentile = Percentile::new(10);
/// The 5th percentile.
pub const P5: Percentile = Percentile::new(50);
/// The 10th percentile.
pub const P10: Percentile = Percentile::new(100);
/// The lower quartile.
pub const P25: Percentile = Percentile::new(250);
/// The median.
pub const P50: Percentile = Percentile::with_interval(500);
/// The upper quartile.
pub const P75: Percentile = Percentile::new(750);
/// The 90th percentile.
pub const P90: Percentile = Percentile::new(900);
/// The 95th percentile.
pub const P95: Percentile = Percentile::with_interval(950);
/// The 99th percentile.
pub const P99: Percentile = Percentile::with_interval(990);
/// The 99.9th percentile.
pub const P99_9: Percentile = Percentile::new(999);

/// All percentiles of a distribution, ascending.
pub const PERCENTILES: &[Percentile] = &[P1, P5, P10, P25, P50, P75, P90, P95, P99, P99_9];

impl Percentile {
    const fn new(per_mille: u16) -> Self {
        Self {
            per_mille,
            interval: false,
        }
    }

    /// Its 95 % interval is computed as well.
    const fn with_interval(per_mille: u16) -> Self {
        Self {
            per_mille,
            interval: true,
        }
    }

    /// Those whose 95 % interval a report holds, ascending.
    pub fn all_with_interval() -> impl Iterator<Item = Self> {
        PERCENTILES
            .iter()
            .copied()
            .filter(|percentile| percentile.interval)
    }

    /// Whether a report holds its 95 % interval.
    pub fn has_interval(self) -> bool {
        self.interval
    }

    /// The share of the values that are at most this large, in thousandths.
    pub fn per_mille(self) -> u64 {
        self.per_mille.into()
    }

    /// The same from 0 to 1.
    pub fn share(self) -> f64 {
        f64::from(self.per_mille) / 1e3
    }

    /// In keys: `p99`, `p99_9`.
    pub fn key(self) -> String {
        self.to_string().replace('.', "_")
    }

    fn interval_key(self) -> String {
        format!("{}_ci", self.key())
    }

    /// The key of as how many independent values the values count.
    pub fn effective_key(self) -> String {
        format!("{}_effective", self.key())
    }
}

/// For people: `p99`, `p99.9`.
impl fmt::Display for Percentile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.per_mille / 10, self.per_mille % 10) {
            (whole, 0) => write!(f, "p{whole}"),
            (whole, tenth) => write!(f, "p{whole}.{tenth}"),
        }
    }
}

/// A value and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Estimate {
    /// `None` where it is not known.
    pub value: Option<f64>,
    /// Its 95 % interval; `None` where there are too few values for one, or the figure has none.
    pub ci: Option<[f64; 2]>,
    /// As how many independent values the values count here, by which the interval is made; `None` where nobody knows.
    pub effective: Option<u64>,
}

impl Estimate {
    /// In another unit.
    #[must_use]
    pub fn divided(self, by: f64) -> Self {
        Self {
            value: self.value.map(|value| value / by),
            ci: self.ci.map(|ci| ci.map(|end| end / by)),
            effective: self.effective,
        }
    }
}

/// A value that has no interval.
impl From<Option<f64>> for Estimate {
    fn from(value: Option<f64>) -> Self {
        Self {
            value,
            ci: None,
            effective: None,
        }
    }
}

/// One estimate for each of [`PERCENTILES`]. In JSON: the keys `p50`, …, and `p50_ci`, `p50_effective`, … of those with
/// an interval.
/// A key that is missing, as in the file of an earlier version, is a percentile that is not known.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Percentiles([Estimate; PERCENTILES.len()]);

impl Percentiles {
    /// Each as `of` has it.
    pub fn from_fn<E: Into<Estimate>>(mut of: impl FnMut(Percentile) -> E) -> Self {
        Self(std::array::from_fn(|at| of(PERCENTILES[at]).into()))
    }

    /// These; the others are not known.
    pub fn of<const N: usize>(known: [(Percentile, f64); N]) -> Self {
        let value = |percentile| {
            known
                .iter()
                .find(|(of, _)| *of == percentile)
                .map(|(_, value)| *value)
        };
        Self::from_fn(value)
    }

    /// Sets one of them.
    pub fn set(&mut self, percentile: Percentile, estimate: Estimate) {
        if let Some(place) = place(percentile) {
            self.0[place] = estimate;
        }
    }

    fn get(&self, percentile: Percentile) -> Estimate {
        place(percentile).map_or_else(Estimate::default, |place| self.0[place])
    }
}

fn place(percentile: Percentile) -> Option<usize> {
    PERCENTILES.iter().position(|known| *known == percentile)
}

impl Serialize for Percentiles {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut map = out.serialize_map(None)?;
        for percentile in PERCENTILES {
            map.serialize_entry(&percentile.key(), &self.get(*percentile).value)?;
        }
        for percentile in Percentile::all_with_interval() {
            map.serialize_entry(&percentile.interval_key(), &self.get(percentile).ci)?;
        }
        for percentile in Percentile::all_with_interval() {
            let effective = self.get(percentile).effective;
            map.serialize_entry(&percentile.effective_key(), &effective)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Percentiles {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = Percentiles;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("percentiles by their keys")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Percentiles, A::Error> {
                let mut found = Percentiles::default();
                while let Some(key) = map.next_key::<String>()? {
                    let ends = ["_ci", "_effective", ""];
                    let (end, name) = ends
                        .iter()
                        .find_map(|end| Some((*end, key.strip_suffix(end)?)))
                        .unwrap_or_default();
                    let place = PERCENTILES.iter().position(|known| known.key() == name);
                    match (place.map(|place| &mut found.0[place]), end) {
                        (Some(of), "_ci") => of.ci = map.next_value()?,
                        (Some(of), "_effective") => of.effective = map.next_value()?,
                        (Some(of), _) => of.value = map.next_value()?,
                        (None, _) => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(found)
            }
        }

        from.deserialize_map(Keys)
    }
}

/// A figure's distribution. All absent when nothing was recorded.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Stats {
    /// How many values.
    pub count: u64,
    /// Their mean.
    pub mean: Option<f64>,
    /// Standard deviation of the sample.
    pub sd: Option<f64>,
    /// The least value.
    pub min: Option<f64>,
    /// With their 95 % intervals, distribution-free from order statistics (binomial); `None` with too few values. Values
    /// that depend on each other count as fewer (`metrics::dependence`).
    #[serde(flatten)]
    pub percentiles: Percentiles,
    /// The largest value.
    pub max: Option<f64>,
    /// `[lower edge, upper edge, count]` of each bucket that holds something, ascending; at most 2 % wide.
    pub buckets: Vec<[f64; 3]>,
}

impl Stats {
    /// A percentile; `None` where it is not known.
    pub fn at(&self, percentile: Percentile) -> Option<f64> {
        self.estimate(percentile).value
    }

    /// A percentile with its 95 % interval.
    pub fn estimate(&self, percentile: Percentile) -> Estimate {
        self.percentiles.get(percentile)
    }

    /// These without any interval.
    pub fn forget_intervals(&mut self) {
        for estimate in &mut self.percentiles.0 {
            *estimate = estimate.value.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// What version 0.1 wrote, word for word.
    fn earlier() -> Value {
        json!({
            "count": 100, "mean": 90.0, "sd": 3.5, "min": 80,
            "p1": 81.0, "p5": 82.0, "p10": 83.0, "p25": 85.0, "p50": 88, "p75": 91.0, "p90": 93.0, "p95": 95.0,
            "p99": 99.0, "p99_9": null, "max": 120.5,
            "p50_ci": [87.0, 89.0], "p95_ci": [94.0, 97.5], "p99_ci": null, "buckets": [[80.0, 121.0, 100.0]],
        })
    }

    #[test]
    fn the_keys_are_those_of_earlier_reports() {
        let stats: Stats = serde_json::from_value(earlier()).expect("it is read");
        assert_eq!(
            (stats.at(P50), stats.estimate(P95).ci),
            (Some(88.0), Some([94.0, 97.5]))
        );
        assert_eq!(
            (stats.at(P99_9), stats.estimate(P99).ci, stats.max),
            (None, None, Some(120.5))
        );
        let written = serde_json::to_value(&stats).expect("it is written");
        for (key, value) in earlier().as_object().expect("an object") {
            let same = written[key] == *value || written[key].as_f64() == value.as_f64();
            assert!(
                same && written.get(key).is_some(),
                "{key}: {} became {}",
                value,
                written[key]
            );
        }
        assert_eq!(
            serde_json::from_value::<Stats>(written).expect("it is read again"),
            stats
        );
    }

    #[test]
    fn a_percentile_that_a_file_lacks_is_not_known_and_one_that_nobody_knows_is_left_out() {
        let mut file = earlier();
        let keys = file.as_object_mut().expect("an object");
        assert!(keys.shift_remove("p95").is_some() && keys.shift_remove("p95_ci").is_some());
        keys.insert("p42".to_owned(), json!(86.0));
        keys.insert("p42_ci".to_owned(), json!("not a pair"));
        let stats: Stats = serde_json::from_value(file).expect("it is read");
        assert_eq!(
            (stats.estimate(P95), stats.at(P90)),
            (Estimate::default(), Some(93.0))
        );
        let wrong =
            serde_json::from_value::<Stats>(json!({ "count": 1, "buckets": [], "p50": "fast" }));
        assert!(wrong.is_err(), "{wrong:?}");
    }

    #[test]
    fn percentiles_ascend_and_are_named_by_their_number() {
        assert!(
            PERCENTILES
                .windows(2)
                .all(|pair| pair[0].per_mille < pair[1].per_mille)
        );
        assert_eq!([P1.key(), P50.key(), P99_9.key()], ["p1", "p50", "p99_9"]);
        assert_eq!(
            (P99_9.to_string().as_str(), P99_9.share()),
            ("p99.9", 0.999)
        );
    }
}
