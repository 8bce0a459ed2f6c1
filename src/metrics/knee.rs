//! The knee of a sweep: the load from which on throughput hardly grows any more.
//!
//! Two lines that meet (a continuous broken line, Hudson 1966) are fitted to throughput against load by least squares,
//! and held against one line. It is a knee when the two fit at least twice as well (half of the squared error is gone),
//! the second rises at most a quarter as steeply as the first, and throughput at the knee is at least 85 % of the most:
//! the conditions of guidellm's `analysis/knee.py`. Five different loads are needed.

use crate::domain::run::{Knee, LevelReport};

/// Fewer loads show no bend.
pub const LEAST_LOADS: usize = 5;
const LEAST_IMPROVEMENT: f64 = 0.5;
const MOST_SLOPE: f64 = 0.25;
const LEAST_SHARE: f64 = 0.85;
/// Places between two loads at which the lines may meet.
const STEPS: usize = 16;

/// The knee of each model whose levels are enough for one, in the order in which they were run.
pub fn knees(levels: &[LevelReport]) -> Vec<Knee> {
    let mut models: Vec<String> = levels.iter().map(LevelReport::credited).collect();
    let mut seen = Vec::new();
    models.retain(|model| {
        !seen.contains(model) && {
            seen.push(model.clone());
            true
        }
    });
    let of = |model: String| {
        let levels: Vec<&LevelReport> = levels
            .iter()
            .filter(|level| level.credited() == model)
            .collect();
        knee(&model, &levels)
    };
    models.into_iter().filter_map(of).collect()
}

/// The knee of one model's levels; `None` for fewer than five loads, or loads of several kinds.
pub fn knee(model: &str, levels: &[&LevelReport]) -> Option<Knee> {
    let loads: Vec<(f64, bool)> = levels
        .iter()
        .filter_map(|level| level.load.amount())
        .collect();
    let by_rate = loads.first()?.1;
    if loads.len() != levels.len() || loads.iter().any(|(_, rate)| *rate != by_rate) {
        return None;
    }
    let throughput =
        |level: &&LevelReport| level.throughput.output_tokens_per_s.map(|rate| rate.mean);
    let pairs = loads.iter().zip(levels.iter().map(throughput));
    let points = means(
        pairs
            .filter_map(|((load, _), rate)| Some([*load, rate?]))
            .collect(),
    );
    if points.len() < LEAST_LOADS {
        return None;
    }
    let bend = bend(&points);
    let up_to = points.last()?[0];
    Some(Knee {
        model: model.to_owned(),
        unit: if by_rate { "requests/s" } else { "clients" }.to_owned(),
        at: bend.map(|bend| bend.at),
        gains: bend.map(|bend| bend.slopes),
        improvement: bend.map(|bend| bend.improvement),
        up_to,
    })
}

/// A load that was run several times counts once, with its mean.
fn means(mut points: Vec<[f64; 2]>) -> Vec<[f64; 2]> {
    points.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let same = points.chunk_by(|a, b| a[0] == b[0]);
    let mean = |of: &[[f64; 2]]| {
        [
            of[0][0],
            of.iter().map(|it| it[1]).sum::<f64>() / of.len() as f64,
        ]
    };
    same.map(mean).collect()
}

#[derive(Debug, Clone, Copy)]
struct Bend {
    at: f64,
    slopes: [f64; 2],
    improvement: f64,
}

fn bend(points: &[[f64; 2]]) -> Option<Bend> {
    let most = points.iter().map(|point| point[1]).fold(0.0, f64::max);
    let straight = line_error(points);
    // What is a line to a millionth bends nowhere.
    if most <= 0.0 || straight <= 1e-6 * most * most {
        return None;
    }
    let inner = &points[1..points.len() - 1];
    let steps = inner.windows(2).flat_map(|pair| {
        let width = pair[1][0] - pair[0][0];
        (0..=STEPS).map(move |step| pair[0][0] + width * step as f64 / STEPS as f64)
    });
    let fits = steps.filter_map(|at| Some((at, broken_line(points, at)?)));
    let (at, [level, before, change, error]) =
        fits.min_by(|(_, a), (_, b)| a[3].total_cmp(&b[3]))?;
    let beyond = before + change;
    let improvement = 1.0 - error / straight;
    let is_knee = improvement >= LEAST_IMPROVEMENT
        && before > 0.0
        && beyond <= MOST_SLOPE * before
        && level + before * at >= LEAST_SHARE * most;
    is_knee.then_some(Bend {
        at,
        slopes: [before, beyond],
        improvement,
    })
}

fn line_error(points: &[[f64; 2]]) -> f64 {
    let n = points.len() as f64;
    let [mx, my] =
        [0, 1].map(|axis: usize| points.iter().map(|point| point[axis]).sum::<f64>() / n);
    let xx: f64 = points.iter().map(|[x, _]| (x - mx).powi(2)).sum();
    let xy: f64 = points.iter().map(|[x, y]| (x - mx) * (y - my)).sum();
    let slope = if xx > 0.0 { xy / xx } else { 0.0 };
    points
        .iter()
        .map(|[x, y]| (y - my - slope * (x - mx)).powi(2))
        .sum()
}

/// Least squares of y = a + b x + c max(0, x − at): a, b, c and the squared error.
fn broken_line(points: &[[f64; 2]], at: f64) -> Option<[f64; 4]> {
    let basis = |x: f64| [1.0, x, (x - at).max(0.0)];
    let mut rows = [[0.0f64; 4]; 3];
    for [x, y] in points {
        let row = basis(*x);
        for (i, sums) in rows.iter_mut().enumerate() {
            for (j, value) in row.iter().chain([y]).enumerate() {
                sums[j] += row[i] * value;
            }
        }
    }
    let [a, b, c] = solve(rows)?;
    let error = points.iter().map(|[x, y]| {
        let [one, slope, bend] = basis(*x);
        (y - a * one - b * slope - c * bend).powi(2)
    });
    Some([a, b, c, error.sum()])
}

/// Gauss with the largest pivot.
fn solve(mut rows: [[f64; 4]; 3]) -> Option<[f64; 3]> {
    for column in 0..3 {
        let pivot =
            (column..3).max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs()))?;
        rows.swap(column, pivot);
        let lead = rows[column];
        if lead[column].abs() < 1e-12 {
            return None;
        }
        for (at, row) in rows.iter_mut().enumerate() {
            if at != column {
                let factor = row[column] / lead[column];
                for (value, other) in row.iter_mut().zip(lead) {
                    *value -= factor * other;
                }
            }
        }
    }
    Some([0, 1, 2].map(|i: usize| rows[i][3] / rows[i][i]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::plan::LevelLoad;
    use crate::domain::run::Rate;

    fn levels(points: &[(u32, f64)]) -> Vec<LevelReport> {
        let level = |(n, rate): &(u32, f64)| {
            let mut level = LevelReport::blank("m", LevelLoad::Concurrency(*n));
            level.throughput.output_tokens_per_s = Some(Rate {
                mean: *rate,
                ci: None,
                batches: None,
            });
            level
        };
        points.iter().map(level).collect()
    }

    fn only(points: &[(u32, f64)]) -> Option<Knee> {
        knees(&levels(points)).into_iter().next()
    }

    #[test]
    fn a_sweep_that_levels_off_has_its_knee_where_the_lines_meet() {
        // 100 tok/s a client up to 20 clients, nothing beyond.
        let points = [1, 2, 4, 8, 16, 32, 64].map(|n: u32| (n, 100.0 * f64::from(n.min(20))));
        let knee = only(&points).expect("seven levels");
        let at = knee.at.expect("a knee");
        assert!((18.0..=22.0).contains(&at), "{knee:?}");
        assert!(
            knee.told().starts_with("knee at about 2"),
            "{}",
            knee.told()
        );
    }

    #[test]
    fn a_straight_line_and_too_few_levels_have_none() {
        let rising =
            [1, 2, 4, 8, 16, 32, 64].map(|n: u32| (n, 100.0 * f64::from(n) + f64::from(n % 3)));
        let knee = only(&rising).expect("seven levels");
        assert_eq!(
            (knee.at, knee.told().as_str()),
            (
                None,
                "no knee up to 64 clients: throughput does not bend clearly there"
            )
        );
        assert_eq!(only(&rising[..4]), None);
        // Falls off slowly: no bend stands out.
        let slow = [1, 2, 3, 4, 5, 6].map(|n: u32| (n, 100.0 * f64::from(n).sqrt()));
        assert_eq!(only(&slow).expect("six").at, None);
    }

    #[test]
    fn a_rate_beyond_the_capacity_bends_too() {
        let level = |rate: f64| {
            let load = LevelLoad::Rate {
                per_sec: rate,
                arrivals: crate::domain::plan::Arrivals::Constant,
                most_in_flight: None,
            };
            let mut level = LevelReport::blank("m", load);
            level.throughput.output_tokens_per_s = Some(Rate {
                mean: 50.0 * rate.min(6.0),
                ci: None,
                batches: None,
            });
            level
        };
        let levels = [2.0, 4.0, 6.0, 8.0, 10.0].map(level);
        let knee = &knees(&levels)[0];
        assert!(
            knee.at.is_some_and(|at| (5.5..=6.5).contains(&at)),
            "{knee:?}"
        );
        assert!(knee.told().contains("requests/s"), "{}", knee.told());
    }
}
