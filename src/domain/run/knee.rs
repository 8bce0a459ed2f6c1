//! Where throughput stops growing with the load.

use serde::{Deserialize, Serialize};

use crate::domain::units;

/// Where the throughput of a sweep stops growing with the load, or that it does not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Knee {
    /// The model's serving name.
    pub model: String,
    /// What the load counts: `clients` or `requests/s`.
    pub unit: String,
    /// The load at which the two lines meet; `None` where there is no knee.
    pub at: Option<f64>,
    /// Throughput added by each further unit of load, before the knee and beyond it, in tokens per second.
    pub gains: Option<[f64; 2]>,
    /// By how much two lines fit better than one, 0 to 1.
    pub improvement: Option<f64>,
    /// The highest load of the sweep.
    pub up_to: f64,
}

impl Knee {
    /// `knee at about 32 clients: below it each further client adds 410 tok/s, above it 12 tok/s`, or
    /// `no knee up to 64 clients: …`.
    pub fn told(&self) -> String {
        let one = match self.unit.as_str() {
            "clients" => "client",
            _ => "request/s",
        };
        let load = |load: f64| {
            format!(
                "{} {}",
                units::short(Some(load)).trim_end_matches(".0"),
                self.unit
            )
        };
        let gain = |gain: f64| units::short(Some(gain));
        match (self.at, self.gains) {
            (Some(at), Some([before, beyond])) => format!(
                "knee at about {}: below it each further {one} adds {} tok/s, beyond it {}",
                load(at),
                gain(before),
                gain(beyond)
            ),
            _ => format!(
                "no knee up to {}: throughput does not bend clearly there",
                load(self.up_to)
            ),
        }
    }
}
