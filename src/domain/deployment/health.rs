//! How well a deployment does, in one sign.

use super::{Deployment, DeploymentState, Progress};

/// How well a deployment does, for the sign beside its name. The signs differ in shape and in colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Health {
    /// It serves, as far as is known.
    Serving,
    /// It serves, with fewer replicas than it asks for or with another fault.
    Degraded,
    /// It is starting: it only takes time.
    Starting,
    /// It does not serve until somebody mends something: a crash loop, a refused bundle, an image that cannot be pulled.
    Broken,
    /// It is not deployed, or is being deleted.
    Off,
    /// The cluster does not say.
    Unknown,
}

impl Health {
    /// In a word or two, for the hover text and for screen readers.
    pub fn label(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Degraded => "serving with problems",
            Self::Starting => "starting",
            Self::Broken => "broken",
            Self::Off => "not deployed",
            Self::Unknown => "state unknown",
        }
    }
}

impl Deployment {
    /// How well it does, given the likely cause of its trouble. `is_silent`: one of its models does not answer probes.
    pub fn health(&self, progress: Option<Progress>, is_silent: bool) -> Health {
        let is_stuck = progress == Some(Progress::NeedsSomebody);
        match self.state {
            DeploymentState::Deployed if is_silent => Health::Broken,
            DeploymentState::Deployed if is_stuck || self.warns() => Health::Degraded,
            DeploymentState::Deployed => Health::Serving,
            DeploymentState::Terminating => Health::Off,
            DeploymentState::Unknown => Health::Unknown,
            DeploymentState::Deploying | DeploymentState::NotDeployed if is_stuck => Health::Broken,
            DeploymentState::Deploying => Health::Starting,
            DeploymentState::NotDeployed => Health::Off,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::deployment::Generation;

    #[test]
    fn a_deployment_is_broken_only_where_it_does_not_serve_and_time_does_not_help() {
        use Progress::{NeedsSomebody, Remark, Starting};
        let of = |state, reason: &str, progress, is_silent| {
            let deployment = Deployment {
                name: "a".to_owned(),
                generation: Generation::Old,
                bundle: None,
                state,
                reason: reason.to_owned(),
                since: None,
                replicas: 1,
                pods: Vec::new(),
                models: Vec::new(),
                bundle_notes: Vec::new(),
                models_trouble: None,
                unreadable: Vec::new(),
            };
            deployment.health(progress, is_silent)
        };
        use DeploymentState as S;
        for (state, reason, progress, is_silent, health) in [
            (S::Deployed, "", None, false, Health::Serving),
            (S::Deployed, "", Some(Remark), false, Health::Serving),
            (
                S::Deployed,
                "1 of 2 pods ready",
                None,
                false,
                Health::Degraded,
            ),
            (
                S::Deployed,
                "",
                Some(NeedsSomebody),
                false,
                Health::Degraded,
            ),
            (S::Deployed, "", None, true, Health::Broken),
            (S::Deploying, "", Some(Starting), false, Health::Starting),
            (S::Deploying, "", Some(NeedsSomebody), false, Health::Broken),
            (S::NotDeployed, "", None, false, Health::Off),
            (
                S::NotDeployed,
                "",
                Some(NeedsSomebody),
                false,
                Health::Broken,
            ),
            (S::Terminating, "", None, false, Health::Off),
            (S::Unknown, "", Some(NeedsSomebody), false, Health::Unknown),
        ] {
            assert_eq!(
                of(state, reason, progress, is_silent),
                health,
                "{state:?} {progress:?}"
            );
        }
    }
}
