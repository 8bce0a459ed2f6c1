//! A load that was run several times: its figures as means over the runs.

use serde::{Deserialize, Serialize};

use crate::domain::stats::Estimate;
use crate::domain::units;

/// One model under one load, over all its runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OverRuns {
    /// `c=16`, `4/s`
    pub label: String,
    /// The model's serving name.
    pub model: String,
    /// Its deployment.
    pub deployment: Option<String>,
    /// How many runs have figures.
    pub runs: u64,
    /// The figures of the tables of levels, in their order; those that no run has are left out.
    pub figures: Vec<OverRunsFigure>,
}

/// A figure over the runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OverRunsFigure {
    /// As `--fail-if` names it: `ttft_p50`.
    pub figure: String,
    /// The runs that have it.
    pub runs: u64,
    /// The mean of their values.
    pub mean: f64,
    /// 95 % interval of the mean by Student's t over the runs; `None` of a single run.
    pub ci: Option<[f64; 2]>,
    /// The standard deviation between the runs; `None` of a single run.
    pub sd: Option<f64>,
    /// The standard error that the intervals of single runs claim, in the mean square; `None` where they have none.
    pub within: Option<f64>,
    /// The runs differ more than these intervals say.
    pub varies: bool,
}

impl OverRuns {
    /// `c=16 of gpt-oss-120b`
    pub fn place(&self) -> String {
        format!("{} of {}", self.label, self.model)
    }

    /// One of its figures.
    pub fn figure(&self, key: &str) -> Option<&OverRunsFigure> {
        self.figures.iter().find(|figure| figure.figure == key)
    }

    /// Of a figure that varies more between runs than within one, as `title` names it: `TTFT p50, ms: runs vary by ±9 %,
    /// while the interval of a single run claims ±1 %`.
    pub fn told(&self, figure: &OverRunsFigure, title: &str) -> Option<String> {
        /// What lies within 95 % of a normal distribution, in standard deviations.
        const Z: f64 = 1.96;
        let (sd, within) = (figure.sd?, figure.within?);
        let share = |deviation: f64| units::percent_rounded(Z * deviation / figure.mean.abs());
        (figure.varies && figure.mean != 0.0).then(|| {
            format!(
                "{title}: runs vary by ±{}, while the interval of a single run claims ±{}",
                share(sd),
                share(within)
            )
        })
    }
}

impl OverRunsFigure {
    /// With its interval.
    pub fn estimate(&self) -> Estimate {
        Estimate {
            value: Some(self.mean),
            ci: self.ci,
            effective: None,
        }
    }
}
