//! Figures over several runs of the same load.
//!
//! The interval of a run says how sure that run's figure is, as if the cluster stayed as it was. Between runs it may not:
//! other users, another placement, a cache. The mean over runs has the interval of Student's t with the runs as its
//! values, which holds whatever they differ by. A figure varies more than its runs claim when the variance between them,
//! times (runs − 1), divided by the mean of the squared standard errors of single runs, is beyond the 95 % quantile of
//! chi-square with (runs − 1) degrees of freedom (by the approximation of Wilson and Hilferty 1931).

use super::rates::student;
use crate::domain::figures::{self, Metric};
use crate::domain::run::{LevelReport, OverRuns, OverRunsFigure};

/// Half of a 95 % interval in standard errors.
const Z: f64 = 1.959_963_984_540_054;
/// 95 % of a normal distribution lie below, in standard deviations.
const Z95: f64 = 1.644_853_626_951_472;
/// Student's t is known up to these degrees of freedom; beyond, it is as good as normal.
const MOST_FREEDOM: u64 = 19;

/// Each load that was run several times, in the order of its first run; none when every level was run once.
pub fn over_runs(levels: &[LevelReport]) -> Vec<OverRuns> {
    let mut groups: Vec<Vec<&LevelReport>> = Vec::new();
    for level in levels.iter().filter(|level| level.run.is_some()) {
        let same = |group: &&mut Vec<&LevelReport>| {
            let of = group[0];
            of.label == level.label && of.model == level.model && of.deployment == level.deployment
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(level),
            None => groups.push(vec![level]),
        }
    }
    groups.retain(|group| group.len() > 1);
    groups.iter().map(|group| of_group(group)).collect()
}

fn of_group(levels: &[&LevelReport]) -> OverRuns {
    let metrics = figures::COLUMNS.iter().map(|(metric, _)| *metric);
    OverRuns {
        label: levels[0].label.clone(),
        model: levels[0].model.clone(),
        deployment: levels[0].deployment.clone(),
        runs: levels.len() as u64,
        figures: metrics
            .filter_map(|metric| figure(metric, levels))
            .collect(),
    }
}

fn figure(metric: &Metric, levels: &[&LevelReport]) -> Option<OverRunsFigure> {
    let estimates = levels.iter().map(|level| metric.estimate(level));
    let known: Vec<(f64, Option<[f64; 2]>)> = estimates
        .filter_map(|estimate| Some((estimate.value?, estimate.ci)))
        .collect();
    let values: Vec<f64> = known.iter().map(|(value, _)| *value).collect();
    let Mean { mean, ci, sd } = mean(&values)?;
    let n = values.len() as f64;
    let errors = known
        .iter()
        .map(|(_, ci)| ci.map(|[low, high]| ((high - low) / 2.0 / Z).powi(2)));
    let within: Option<f64> = errors.sum::<Option<f64>>().map(|sum| (sum / n).sqrt());
    let varies = within.zip(sd).is_some_and(|(within, sd)| {
        let ratio = (n - 1.0) * (sd / within).powi(2);
        within > 0.0 && ratio > chi_square_95(n - 1.0)
    });
    Some(OverRunsFigure {
        figure: metric.key.clone(),
        runs: values.len() as u64,
        mean,
        ci,
        sd,
        within,
        varies,
    })
}

/// A mean over runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    /// Of their values.
    pub mean: f64,
    /// 95 % interval by Student's t; `None` of a single run.
    pub ci: Option<[f64; 2]>,
    /// The standard deviation between the runs; `None` of a single run.
    pub sd: Option<f64>,
}

/// The mean of what several runs found; `None` without a value.
pub fn mean(values: &[f64]) -> Option<Mean> {
    let n = values.len() as f64;
    if values.is_empty() {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n;
    let around: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let sd = (values.len() > 1).then(|| (around / (n - 1.0)).sqrt());
    let ci = sd.map(|sd| {
        let half = t(values.len() as u64 - 1) * sd / n.sqrt();
        [mean - half, mean + half]
    });
    Some(Mean { mean, ci, sd })
}

fn t(freedom: u64) -> f64 {
    if freedom <= MOST_FREEDOM {
        student(freedom)
    } else {
        // The first terms of its expansion at the normal quantile (Abramowitz and Stegun 26.7.5).
        Z + (Z.powi(3) + Z) / (4.0 * freedom as f64)
    }
}

/// Wilson and Hilferty's approximation.
fn chi_square_95(freedom: f64) -> f64 {
    let spread = 2.0 / (9.0 * freedom);
    freedom * (1.0 - spread + Z95 * spread.sqrt()).powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::plan::LevelLoad;
    use crate::domain::run::Rate;

    fn runs(values: &[(f64, f64)]) -> Vec<LevelReport> {
        let level = |(run, (rate, half)): (usize, &(f64, f64))| {
            let mut level = LevelReport::blank("m", LevelLoad::Concurrency(4));
            level.run = Some(run as u32 + 1);
            level.throughput.output_tokens_per_s = Some(Rate {
                mean: *rate,
                ci: Some([rate - half, rate + half]),
                batches: None,
            });
            level
        };
        values.iter().enumerate().map(level).collect()
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (freedom, chi) in [(1.0, 3.841), (4.0, 9.488), (9.0, 16.919), (19.0, 30.144)] {
            assert!(
                (chi_square_95(freedom) / chi - 1.0).abs() < 0.025,
                "{freedom}"
            );
        }
        assert!((t(2) - 4.303).abs() < 1e-9 && (t(30) - 2.042).abs() < 0.003);
    }

    #[test]
    fn the_mean_has_the_interval_of_its_runs() {
        let all = over_runs(&runs(&[(98.0, 4.0), (100.0, 4.0), (102.0, 4.0)]));
        let [of] = &all[..] else { panic!("{all:?}") };
        let figure = of.figure("output_tokens_per_s").expect("it is there");
        let half = 4.303 * 2.0 / 3f64.sqrt();
        let [low, high] = figure.ci.expect("an interval");
        assert!((low - (100.0 - half)).abs() < 1e-9 && (high - (100.0 + half)).abs() < 1e-9);
        assert_eq!((of.runs, figure.runs, figure.mean), (3, 3, 100.0));
        assert!(!figure.varies, "{figure:?}");
        assert_eq!(of.told(figure, "Output tok/s"), None);
    }

    #[test]
    fn runs_that_differ_more_than_they_claim_are_told() {
        let all = over_runs(&runs(&[(90.0, 1.0), (100.0, 1.0), (110.0, 1.0)]));
        let figure = all[0].figure("output_tokens_per_s").expect("it is there");
        assert_eq!(
            all[0].told(figure, "Output tok/s").as_deref(),
            Some(
                "Output tok/s: runs vary by ±20 %, while the interval of a single run claims ±1 %"
            )
        );
    }

    #[test]
    fn a_load_that_was_run_once_has_no_mean_over_runs() {
        assert_eq!(over_runs(&runs(&[(90.0, 1.0)])), []);
        let mut once = runs(&[(90.0, 1.0), (91.0, 1.0)]);
        once.iter_mut().for_each(|level| level.run = None);
        assert_eq!(over_runs(&once), []);
    }
}
