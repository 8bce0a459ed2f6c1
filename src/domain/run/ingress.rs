//! The limit of the ingress before the API, as far as the cluster tells it: a plan that sends more measures the ingress.

use serde::{Deserialize, Serialize};

use crate::domain::plan::{LevelLoad, Plan};
use crate::domain::units;

/// What an ingress lets through.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct IngressLimit {
    /// Its name, with its namespace: `sambastack/gateway`.
    pub name: String,
    /// Requests a minute; `None` where only a zone is named whose rate is set elsewhere.
    pub per_minute: Option<f64>,
    /// Requests beyond that which it lets through at once, before it refuses any.
    pub burst: Option<u64>,
    /// As it is written there.
    pub rule: String,
}

impl IngressLimit {
    /// Why a plan would measure the ingress, in a sentence; `None` where it stays below the limit.
    pub fn told_of(&self, plan: &Plan) -> Option<String> {
        let burst = self.burst.unwrap_or(0);
        let most = plan
            .load
            .heaviest()
            .into_iter()
            .filter_map(|load| self.sent(&load, plan));
        let (sent, per_minute) = most.max_by(|a, b| a.0.total_cmp(&b.0))?;
        if sent <= burst as f64 {
            return None;
        }
        let ingress = format!("the ingress {} limits requests ({})", self.name, self.rule);
        let Some(limit) = self.per_minute else {
            return Some(format!(
                "{ingress}, at a rate that is set elsewhere: a 429 that is a web page is the ingress's"
            ));
        };
        let lets = format!(
            "{ingress}: {} a minute, {} more at once",
            units::short(Some(limit)),
            units::count(burst)
        );
        let within = units::short(Some(limit / 60.0));
        let instead = format!(
            "Stay below {within} requests per second, or use an address that does not lead through it"
        );
        match per_minute {
            Some(rate) if rate <= limit => None,
            Some(rate) => {
                // The first of them that finds no place: the burst is used up by what comes beyond the limit.
                let first = (burst as f64 / (1.0 - limit / rate)).ceil() + 1.0;
                if first > sent {
                    return None;
                }
                Some(format!(
                    "{lets}. This plan sends up to {} a minute, and from about request {} on it would measure the \
                     ingress. {instead}",
                    units::short(Some(rate)),
                    units::count(first as u64)
                ))
            }
            None => Some(format!(
                "{lets}. Where answers come faster, this plan would measure the ingress. {instead}"
            )),
        }
    }

    /// Requests of a level, and how many a minute where the load says it. `None` for a load of which nobody knows.
    fn sent(&self, load: &LevelLoad, plan: &Plan) -> Option<(f64, Option<f64>)> {
        let ends = plan.level_ends;
        let by_requests = ends.requests.map(|n| n as f64);
        let seconds = ends
            .after
            .or(plan.session_ends.after)
            .map(|it| it.as_secs_f64());
        match load {
            LevelLoad::Rate { per_sec, .. } => {
                let by_time = seconds.map(|seconds| seconds * per_sec);
                let sent = [by_requests, by_time]
                    .into_iter()
                    .flatten()
                    .reduce(f64::min);
                Some((sent.unwrap_or(f64::INFINITY), Some(per_sec * 60.0)))
            }
            LevelLoad::Concurrency(_) | LevelLoad::Max { .. } => {
                let levels = plan.levels().len().max(1) as f64;
                Some((by_requests.map_or(f64::INFINITY, |n| n * levels), None))
            }
            LevelLoad::Trace { .. } => Some((f64::INFINITY, None)),
            LevelLoad::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::plan::{Arrivals, Ends, Load, Target};

    fn limit() -> IngressLimit {
        IngressLimit {
            name: "sambastack/gateway".to_owned(),
            per_minute: Some(240.0),
            burst: Some(360),
            rule: "limit_req zone=240_req_min_header burst=360 nodelay".to_owned(),
        }
    }

    fn plan(load: Load, requests: Option<u64>, after_s: Option<u64>) -> Plan {
        Plan {
            targets: vec![Target {
                deployment: None,
                model: "m".to_owned(),
            }],
            load,
            level_ends: Ends {
                requests,
                after: after_s.map(Duration::from_secs),
                error_share: None,
            },
            session_ends: Ends::default(),
            ..Plan::default()
        }
    }

    fn rate(per_sec: f64) -> Load {
        Load::Rate {
            per_sec: vec![per_sec],
            arrivals: Arrivals::Constant,
            most_in_flight: None,
        }
    }

    #[test]
    fn a_plan_that_sends_more_than_the_ingress_lets_through_is_told_so() {
        let told = |load, requests, after| limit().told_of(&plan(load, requests, after));
        // 10/s are 360 beyond the limit after 60 s: the 601st finds no place.
        let ten = told(rate(10.0), None, Some(120)).expect("told");
        assert!(ten.contains("240 a minute, 360 more at once. This plan sends up to 600 a minute, and from about request 601"), "{ten}");
        assert!(ten.ends_with("Stay below 4.00 requests per second, or use an address that does not lead through it"), "{ten}");
        assert_eq!(told(rate(10.0), None, Some(50)), None, "over before");
        assert_eq!(told(rate(10.0), Some(600), None), None);
        assert!(told(rate(10.0), Some(602), None).is_some());
        assert_eq!(
            told(rate(4.0), None, Some(100_000)),
            None,
            "as many as it lets through"
        );
        assert_eq!(told(Load::Concurrency(vec![16]), Some(360), None), None);
        let closed = told(Load::Concurrency(vec![1, 16]), Some(200), None).expect("400 in all");
        assert!(closed.contains("Where answers come faster"), "{closed}");
        let unknown = IngressLimit {
            per_minute: None,
            ..limit()
        };
        let told = unknown
            .told_of(&plan(rate(1.0), Some(400), None))
            .expect("told");
        assert!(told.contains("at a rate that is set elsewhere"), "{told}");
    }
}
