//! The deployments as a picker offers them.

use crate::domain::deployment::{Deployment, DeploymentState};
use crate::domain::printable;
use crate::state::cluster::ClusterState;
use crate::ui::widgets::{Choice, Section, Sign};

/// The line of the picker for models that are asked without a deployment.
pub(in crate::ui::views) const NO_DEPLOYMENT: &str = "None: any model of the API";

/// The lines of the picker: none, then those that may answer, then the others, which cannot be picked.
pub(in crate::ui::views) fn deployment_sections(cluster: &ClusterState) -> Vec<Section<'_>> {
    let section = |heading, those: fn(DeploymentState) -> bool| {
        let view = cluster.view.value().into_iter();
        let all = view.flat_map(|view| &view.deployments);
        let those = all.filter(|deployment| those(deployment.state));
        Section {
            heading,
            choices: those.map(|it| choice_of(cluster, it)).collect(),
        }
    };
    use DeploymentState::{Deployed, Unknown};
    vec![
        // The first, so that it is in sight in the longest list.
        Section {
            heading: "",
            choices: vec![Choice::plain(NO_DEPLOYMENT)],
        },
        section("Deployed", |it| it == Deployed),
        // Its pods may not be listed: it may well answer.
        section("State unknown", |it| it == Unknown),
        section("Not ready", |it| !matches!(it, Deployed | Unknown)),
    ]
}

fn choice_of<'a>(cluster: &ClusterState, deployment: &'a Deployment) -> Choice<'a> {
    let enabled = deployment.may_answer();
    let why = printable::cut(&deployment.why(), 300).into_owned();
    let label = deployment.state.label();
    let remark = match enabled {
        true if why == label => None,
        true => Some(why),
        false if why == label => Some(why),
        false => Some(format!("{label}: {why}")),
    };
    Choice {
        name: &deployment.name,
        remark,
        sign: Some(Sign::Health(cluster.health(deployment))),
        enabled,
    }
}
