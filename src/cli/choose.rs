//! Which models a command means: by their deployment, or by what the API routes.

use std::time::Duration;

use super::no_cluster;
use super::report::error_line;
use crate::domain::deployment::{
    ClusterView, Deployment, DeploymentState, ServedModel, embeds_by_name,
};
use crate::domain::failure::{Failure, FaultClass};
use crate::domain::plan::Target;
use crate::domain::printable::one_line;
use crate::domain::run::{BenchReport, LevelReport};
use crate::engine::cluster;
use crate::engine::connection::Connection;
use crate::wire::fault::nearest;

/// How long the list of models is waited for when the model is named.
const LIST_FOR_A_HINT: Duration = Duration::from_secs(2);

/// The model of a chat.
pub(super) struct Chosen {
    /// By its serving name.
    pub(super) model: String,
    /// The deployment that it was taken from.
    pub(super) deployment: Option<String>,
    /// The cluster, where it was asked.
    view: Option<ClusterView>,
}

impl Chosen {
    /// Refuses pictures for a model of which the cluster says that it sees none.
    pub(super) async fn expect_sight(&self, connection: &Connection) -> Result<(), Failure> {
        let loaded = match (&self.view, &connection.kubectl) {
            // A cluster that cannot be asked is no obstacle to an API that can.
            (None, Some(kubectl)) => cluster::load(kubectl).await.ok(),
            _ => None,
        };
        let deployments = self
            .view
            .iter()
            .chain(&loaded)
            .flat_map(|view| &view.deployments);
        let own = |it: &&Deployment| self.deployment.as_ref().is_none_or(|name| *name == it.name);
        let models = deployments
            .filter(own)
            .flat_map(|deployment| &deployment.models);
        match models
            .filter(|served| served.is_called(&self.model))
            .find_map(ServedModel::sees)
        {
            Some(false) => Err(Failure::new(
                format!("{} cannot see pictures", self.model),
                "Take a model with vision (`batida deployments --json` tells which), or send no pictures",
            )),
            _ => Ok(()),
        }
    }
}

/// The model to chat with: the one that is named, else the first of the deployment, or of the API.
///
/// # Errors
/// When there is none, the deployment is not ready or does not serve it, or nobody can be asked.
pub(super) async fn model(
    connection: &Connection,
    deployment: Option<&str>,
    model: Option<&str>,
) -> Result<Chosen, Failure> {
    if let Some(name) = deployment {
        let (view, routed) = cluster_and_routes(connection).await?;
        let deployment = ready(&view, name)?;
        let model = match model {
            Some(model) => served(deployment, model)?,
            None => offered(deployment, &routed)?[0].serving_name.clone(),
        };
        return Ok(Chosen {
            model,
            deployment: Some(name.to_owned()),
            view: Some(view),
        });
    }
    // Without a name, the first of what is deployed, as in the window; a cluster that cannot be asked is no
    // obstacle to an API that can.
    if let (None, Some(kubectl)) = (model, &connection.kubectl)
        && let Ok(view) = cluster::load(kubectl).await
        && let Some(first) = view.first_that_chats()
    {
        let routed = connection
            .models()
            .await
            .map(|models| models.ids)
            .unwrap_or_default();
        let model = offered(first, &routed)?[0].serving_name.clone();
        return Ok(Chosen {
            model,
            deployment: Some(first.name.clone()),
            view: Some(view),
        });
    }
    // Asked also when the model is named: a wrong name is then answered with "did you mean".
    let model = match model {
        None => first_routed(connection).await?,
        Some(model) => {
            // Only a hint: what is asked for does not wait long for it.
            let _ = tokio::time::timeout(LIST_FOR_A_HINT, first_routed(connection)).await;
            model.to_owned()
        }
    };
    Ok(Chosen {
        model,
        deployment: None,
        view: None,
    })
}

/// The models to load: all that these deployments (`-` is none) offer, or the first that the API routes.
///
/// # Errors
/// As [`model`].
pub(super) async fn targets(
    connection: &Connection,
    deployments: &[String],
) -> Result<Vec<Target>, Failure> {
    let names: Vec<&String> = deployments.iter().filter(|name| *name != "-").collect();
    if names.is_empty() {
        return Ok(vec![Target {
            deployment: None,
            model: first_routed(connection).await?,
        }]);
    }
    let (view, routed) = cluster_and_routes(connection).await?;
    let mut targets = Vec::new();
    for name in names {
        let target = |model: &ServedModel| Target {
            deployment: Some(name.clone()),
            model: model.serving_name.clone(),
        };
        targets.extend(
            offered(ready(&view, name)?, &routed)?
                .into_iter()
                .map(target),
        );
    }
    Ok(targets)
}

/// Suggestions for models that the API does not route: a sentence for each whose name resembles a routed one.
pub(super) async fn meant(connection: &Connection, found: &BenchReport) -> Vec<String> {
    let is_unknown = |level: &&LevelReport| {
        level
            .requests
            .errors
            .iter()
            .any(|error| error.kind == FaultClass::ModelNotFound.name())
    };
    let mut unknown: Vec<&str> = found
        .levels
        .iter()
        .filter(is_unknown)
        .map(|level| &*level.model)
        .collect();
    unknown.dedup();
    if unknown.is_empty() {
        return Vec::new();
    }
    // Only a hint: a failure is ignored, and the wait is short.
    let _ = tokio::time::timeout(LIST_FOR_A_HINT, connection.models()).await;
    let known = connection.known();
    let hint = |model: &str| {
        let meant = nearest(model, &known).filter(|name| *name != model)?;
        Some(format!(
            "the API does not route {}. Did you mean {}?",
            one_line(model),
            one_line(meant)
        ))
    };
    unknown.into_iter().filter_map(hint).collect()
}

/// The deployment of this name.
///
/// # Errors
/// When there is none; the advice says which there are.
pub(super) fn named<'a>(view: &'a ClusterView, name: &str) -> Result<&'a Deployment, Failure> {
    view.deployments
        .iter()
        .find(|deployment| deployment.name == name)
        .ok_or_else(|| {
            let names: Vec<&str> = view.deployments.iter().map(|it| it.name.as_str()).collect();
            let advice = match names.as_slice() {
                [] => view.nothing().to_owned(),
                names => format!("There are: {}", names.join(", ")),
            };
            Failure::new(format!("There is no deployment named {name}"), advice)
        })
}

/// What is deployed, and the names that the API routes, or none where it cannot be asked.
async fn cluster_and_routes(
    connection: &Connection,
) -> Result<(ClusterView, Vec<String>), Failure> {
    let kubectl = connection
        .kubectl
        .as_ref()
        .ok_or_else(|| no_cluster(connection))?;
    let (view, routed) = tokio::join!(cluster::load(kubectl), connection.models());
    Ok((view?, routed.map(|models| models.ids).unwrap_or_default()))
}

fn ready<'a>(view: &'a ClusterView, name: &str) -> Result<&'a Deployment, Failure> {
    let found = named(view, name)?;
    if found.state == DeploymentState::Unknown {
        error_line(&format!(
            "batida: it is not known whether {name} is ready ({}); it is tried",
            found.reason
        ));
    }
    if found.may_answer() {
        return Ok(found);
    }
    let why = format!("{name} is not ready: {}", found.why());
    Err(Failure::new(why, "Wait for it, or take another deployment"))
}

/// The deployment's models that chat and that the API routes; all that chat where it routes none of them, or
/// nobody knows. Never none.
fn offered<'a>(
    deployment: &'a Deployment,
    routed: &[String],
) -> Result<Vec<&'a ServedModel>, Failure> {
    let chats = || deployment.models.iter().filter(|model| model.chats());
    let reached: Vec<_> = chats()
        .filter(|model| routed.contains(&model.serving_name))
        .collect();
    let offered = if reached.is_empty() {
        chats().collect()
    } else {
        reached
    };
    if offered.is_empty() {
        let why = format!("{} serves no model that can chat", deployment.name);
        return Err(Failure::new(why, "Take another deployment"));
    }
    Ok(offered)
}

/// The model by the name that was given, which is its serving name or another that the API takes for it.
fn served(deployment: &Deployment, model: &str) -> Result<String, Failure> {
    let chats: Vec<&ServedModel> = deployment
        .models
        .iter()
        .filter(|model| model.chats())
        .collect();
    if chats.iter().any(|served| served.is_called(model)) {
        return Ok(model.to_owned());
    }
    let names: Vec<&str> = chats
        .iter()
        .map(|model| model.serving_name.as_str())
        .collect();
    let why = format!("{} does not serve {model}", deployment.name);
    Err(Failure::new(
        why,
        format!("It serves: {}", names.join(", ")),
    ))
}

async fn first_routed(connection: &Connection) -> Result<String, Failure> {
    let none = || {
        Failure::new(
            "The API lists no model that can chat",
            "Name one with --model",
        )
    };
    connection
        .models()
        .await?
        .ids
        .into_iter()
        .find(|id| !embeds_by_name(id))
        .ok_or_else(none)
}
