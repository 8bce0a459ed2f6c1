use super::*;
use crate::domain::deployment::{DeploymentState, Generation};
use crate::domain::environment::EnvId;
use crate::state::panes::Panes;

fn model(name: &str, capabilities: &[&str]) -> ServedModel {
    ServedModel {
        serving_name: name.to_owned(),
        resource: None,
        aliases: Vec::new(),
        capabilities: capabilities.iter().map(|c| (*c).to_owned()).collect(),
        confirmed: true,
        sizes: Vec::new(),
    }
}

fn deployment(name: &str, state: DeploymentState, models: Vec<ServedModel>) -> Deployment {
    Deployment {
        name: name.to_owned(),
        generation: Generation::New,
        bundle: None,
        state,
        reason: String::new(),
        since: None,
        replicas: 1,
        bundle_notes: Vec::new(),
        pods: Vec::new(),
        models,
        models_trouble: None,
        unreadable: Vec::new(),
    }
}

fn loaded() -> ClusterState {
    let mut cluster = ClusterState::default();
    cluster.view.begin(JobId(1));
    cluster.api_models.begin(JobId(2));
    let ids = ["a-embed", "b-chat", "z-other"].map(str::to_owned).to_vec();
    cluster
        .api_models
        .resolve(JobId(2), Ok(ids), Duration::ZERO);
    assert_eq!(
        cluster.first_choice(&Choice::default()),
        Choice::default(),
        "the cluster comes first"
    );
    let deployments = vec![
        deployment(
            "bd-waits",
            DeploymentState::Deploying,
            vec![model("w", &[])],
        ),
        deployment(
            "md-ready",
            DeploymentState::Deployed,
            vec![
                model("a-embed", &["embeddings"]),
                model("a-unrouted", &["text"]),
                model("b-chat", &["text"]),
            ],
        ),
    ];
    let view = ClusterView {
        deployments,
        ..ClusterView::default()
    };
    cluster.answered(JobId(1), ClusterAnswer::View(Ok(view)), Duration::ZERO);
    cluster
}

#[test]
fn the_first_deployment_that_chats_is_picked_with_its_best_model() {
    let choice = loaded().first_choice(&Choice::default());
    assert_eq!(choice.deployment.as_deref(), Some("md-ready"));
    assert_eq!(
        choice.model.as_deref(),
        Some("b-chat"),
        "no embedding, and routed"
    );
}

#[test]
fn the_picker_marks_what_the_api_does_not_list() {
    let cluster = loaded();
    let offers = cluster.offers_of(&cluster.first_choice(&Choice::default()));
    let remarks: Vec<_> = offers.iter().map(|o| o.remark.as_deref()).collect();
    assert!(remarks[0].is_some_and(|r| r.contains("embedding")));
    assert!(remarks[1].is_some_and(|r| r.contains("does not list it yet")));
    assert_eq!(remarks[2], None);
    assert_eq!(
        remarks.len(),
        3,
        "no model that the deployment does not have"
    );
    let of_api = cluster.offers_of(&Choice::default());
    assert!(of_api.iter().any(|offer| offer.name == "z-other"));
}

#[test]
fn without_a_cluster_the_apis_models_are_offered() {
    let mut cluster = ClusterState::default();
    cluster.api_models.begin(JobId(2));
    cluster
        .api_models
        .resolve(JobId(2), Ok(vec!["m".to_owned()]), Duration::ZERO);
    assert_eq!(
        cluster.first_choice(&Choice::default()),
        Choice {
            deployment: None,
            model: Some("m".to_owned())
        }
    );
}

#[test]
fn what_was_seen_stays_while_the_cluster_is_out_of_reach() {
    let mut cluster = ClusterState::default();
    let seconds = Duration::from_secs;
    let view = |name: &str| ClusterView {
        deployments: vec![deployment(name, DeploymentState::Deployed, Vec::new())],
        ..ClusterView::default()
    };
    cluster.follow(JobId(1));
    assert!(cluster.view.is_loading());
    cluster.followed(JobId(1), Some(view("a")), ClusterLink::Live, seconds(1));
    assert_eq!(cluster.view.with_time(), Some((&view("a"), seconds(1))));
    let why = Failure::new("refused", "");
    cluster.followed(
        JobId(1),
        None,
        ClusterLink::Reconnecting(why.clone()),
        seconds(9),
    );
    assert_eq!(cluster.view.failure(), Some(&why));
    assert_eq!(cluster.view.with_time(), Some((&view("a"), seconds(1))));
    cluster.followed(JobId(1), None, ClusterLink::Live, seconds(12));
    assert_eq!(
        (cluster.view.failure(), cluster.view.with_time()),
        (None, Some((&view("a"), seconds(12))))
    );
    cluster.follow(JobId(2));
    cluster.followed(JobId(1), Some(view("late")), ClusterLink::Live, seconds(13));
    assert!(cluster.view.is_loading(), "the old job is over");
    assert_eq!(cluster.leave(), Some(JobId(2)));
    assert_eq!(cluster.view.with_time(), Some((&view("a"), seconds(12))));
}

#[test]
fn what_is_picked_survives_a_refresh() {
    let mut cluster = loaded();
    let mut panes = Panes::new(EnvId::demo());
    let pane = panes.get_mut(0);
    pane.pick_model("z-other");
    pane.choice = pane.completed_choice(&cluster);
    cluster.view.begin(JobId(3));
    cluster.answered(
        JobId(3),
        ClusterAnswer::View(Err(Failure::new("down", ""))),
        Duration::from_secs(5),
    );
    let choice = pane.completed_choice(&cluster);
    assert_eq!(choice.model.as_deref(), Some("z-other"));
    let first = cluster.first_choice(&Choice::default());
    assert!(
        cluster.deployment_of(&first).is_some(),
        "the old view stays"
    );
}
