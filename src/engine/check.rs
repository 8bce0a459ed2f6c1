//! Home's checks: does everything that Batida needs work, and if not, what is to be done?

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::chat;
use super::cluster;
use super::place::Place;
use crate::domain::conversation::{ChatRequest, Message, Params, Role};
use crate::domain::deployment::{ClusterView, DeploymentState, Generation, embeds_by_name};
use crate::domain::failure::{Failure, FaultClass};
use crate::domain::units;
use crate::io::kubectl::Kubectl;
use crate::protocol::{ChatEnding, Check, KeyStatus, Verdict};

/// Runs all checks; each is told as it ends. The cluster and the API are asked side by side.
pub async fn run(place: &Place, cancel: &CancellationToken, tell: impl Fn(Check)) {
    let all = async {
        tokio::join!(check_cluster(place, &tell), check_api(place, cancel, &tell));
    };
    tokio::select! {
        () = cancel.cancelled() => {}
        () = all => {}
    }
}

async fn check_cluster(place: &Place, tell: &impl Fn(Check)) {
    let Some(kubectl) = &place.kubectl else {
        return tell(skipped("Cluster", "This environment has no cluster: its models come from the API"));
    };
    let began = Instant::now();
    match cluster::client_version(kubectl).await {
        Ok(version) => {
            tell(good(&format!("kubectl {version}"), kubectl.program.display().to_string(), Some(began)))
        }
        Err(failure) => {
            tell(bad("kubectl", &failure, began));
            return tell(skipped("Cluster reachable", "kubectl does not run"));
        }
    }
    let began = Instant::now();
    match cluster::server_version(kubectl).await {
        Ok(version) => tell(good("Cluster reachable", format!("Kubernetes {version}"), Some(began))),
        Err(failure) => {
            tell(bad("Cluster reachable", &failure, began));
            return tell(skipped("Resources", "The cluster was not reached"));
        }
    }
    let began = Instant::now();
    match cluster::load(kubectl).await {
        Ok(view) => check_view(kubectl, &view, began, tell),
        Err(failure) => tell(bad(&format!("Namespace {}", kubectl.namespace), &failure, began)),
    }
}

fn check_view(kubectl: &Kubectl, view: &ClusterView, began: Instant, tell: &impl Fn(Check)) {
    let namespace = format!("Namespace {}", kubectl.namespace);
    match view.warnings.as_slice() {
        [] => tell(good(&namespace, "its deployments and pods can be listed".to_owned(), Some(began))),
        warnings => {
            for warning in warnings {
                tell(Check { verdict: Verdict::Warning, ..bad(&namespace, warning, began) });
            }
        }
    }
    let count = |generation| {
        let n = view.deployments.iter().filter(|deployment| deployment.generation == generation).count();
        let has = view.generations.contains(&generation);
        if has { n.to_string() } else { "none".to_owned() }
    };
    let finding = format!(
        "ModelDeployments (new): {} · BundleDeployments (old): {}",
        count(Generation::New),
        count(Generation::Old)
    );
    tell(good("Resources", finding, None));
    let deployed = view.deployments.iter().filter(|d| d.state == DeploymentState::Deployed).count();
    if deployed == 0 {
        let failure = Failure::new("No deployment is ready, so no model can answer", "");
        tell(Check { took: None, ..bad("Deployments", &failure, began) });
    } else {
        let finding = format!("{deployed} of {} are deployed", view.deployments.len());
        tell(good("Deployments", finding, None));
    }
    for deployment in view.deployments.iter().filter(|d| d.state != DeploymentState::Deployed) {
        let finding = deployment.why();
        let troubled = deployment.pods.iter().find(|pod| pod.trouble.is_some());
        let command = troubled.map(|pod| kubectl.pasteable(&["describe", "pod", &pod.name]));
        tell(Check {
            title: format!("{} is not deployed", deployment.name),
            verdict: Verdict::Warning,
            finding,
            advice: String::new(),
            command: command.unwrap_or_default(),
            details: String::new(),
            took: None,
        });
    }
}

async fn check_api(place: &Place, cancel: &CancellationToken, tell: &impl Fn(Check)) {
    let began = Instant::now();
    let models = match place.models().await {
        Ok(models) => models,
        Err(failure) => {
            tell(bad("API reachable", &failure, began));
            return tell(skipped("API key accepted", "The API was not reached"));
        }
    };
    let secure = place.address().is_some_and(|address| address.root().starts_with("https://"));
    let tls = match (secure, place.env.accept_invalid_certs) {
        (true, false) => "TLS ok",
        (true, true) => "TLS unchecked",
        (false, _) => "no TLS",
    };
    let mut finding = format!("{tls} · {} listed", units::counted(models.ids.len(), "model"));
    let mut verdict = Verdict::Good;
    if let Some(skew) = models.clock_skew.filter(|skew| skew.abs() > 30) {
        finding = format!("{finding} · its clock and this machine's differ by {} s", skew.abs());
        verdict = Verdict::Warning;
    }
    if secure && place.env.accept_invalid_certs {
        verdict = Verdict::Warning;
    }
    tell(Check { verdict, ..good("API reachable", finding, Some(began)) });
    check_key(place, &models.ids, cancel, tell).await;
}

/// A one-token chat: the model list is public and proves nothing.
async fn check_key(place: &Place, models: &[String], cancel: &CancellationToken, tell: &impl Fn(Check)) {
    const TITLE: &str = "API key accepted";
    let began = Instant::now();
    let api = match place.api_with_key() {
        Ok(api) => api,
        Err(failure) => return tell(bad(TITLE, &failure, began)),
    };
    let chats = |name: &&String| !embeds_by_name(name);
    let Some(model) = models.iter().find(chats).or(models.first()) else {
        return tell(skipped(TITLE, "The API lists no model to try it with"));
    };
    let request = ChatRequest {
        model: model.clone(),
        messages: vec![Message::new(Role::User, "Hi")],
        params: Params { max_tokens: Some(1), ..Params::default() },
    };
    let limit = cancel.child_token();
    let bound = tokio::time::sleep(Duration::from_secs(60));
    let chat = chat::run(api, &request, models, &limit, |_| {});
    let report = tokio::select! {
        report = chat => report,
        () = bound => {
            let failure = Failure::new(format!("{model} did not answer a one-token chat within a minute"), "It may be loading; look at its pods");
            return tell(Check { verdict: Verdict::Warning, ..bad(TITLE, &failure, began) });
        }
    };
    match report.ending {
        ChatEnding::Finished { .. } => {
            let finding = match place.key {
                KeyStatus::NotNeeded => format!("none was needed · one-token chat on {model}"),
                _ => format!("one-token chat on {model}"),
            };
            tell(good(TITLE, finding, Some(began)));
            check_rate(&report.rate_limit, tell);
        }
        ChatEnding::Stopped => {}
        ChatEnding::Failed(failure) => {
            // A full queue or a refused parameter says nothing against the key.
            let refused = failure.class == Some(FaultClass::KeyRefused);
            let verdict = if refused { Verdict::Bad } else { Verdict::Warning };
            tell(Check { verdict, ..bad(TITLE, &failure, began) });
        }
    }
}

fn check_rate(headers: &[(String, String)], tell: &impl Fn(Check)) {
    if headers.is_empty() {
        return;
    }
    let finding = headers
        .iter()
        .map(|(name, value)| format!("{} {value}", name.trim_start_matches("x-ratelimit-").replace('-', " ")))
        .collect::<Vec<_>>()
        .join(" · ");
    let used_up = headers.iter().any(|(name, value)| name.contains("remaining") && value == "0");
    let verdict = if used_up { Verdict::Warning } else { Verdict::Good };
    tell(Check { verdict, ..good("Rate limit", finding, None) });
}

fn good(title: &str, finding: String, began: Option<Instant>) -> Check {
    Check {
        title: title.to_owned(),
        verdict: Verdict::Good,
        finding,
        advice: String::new(),
        command: String::new(),
        details: String::new(),
        took: began.map(|began| began.elapsed()),
    }
}

fn bad(title: &str, failure: &Failure, began: Instant) -> Check {
    let wait = failure.retry_after.map(|wait| format!(" (try again in {})", units::duration(wait)));
    Check {
        title: title.to_owned(),
        verdict: Verdict::Bad,
        finding: format!("{}{}", failure.summary, wait.unwrap_or_default()),
        advice: failure.advice.clone(),
        command: String::new(),
        details: failure.details.clone(),
        took: Some(began.elapsed()),
    }
}

fn skipped(title: &str, why: &str) -> Check {
    Check {
        title: title.to_owned(),
        verdict: Verdict::Skipped,
        finding: why.to_owned(),
        advice: String::new(),
        command: String::new(),
        details: String::new(),
        took: None,
    }
}
