//! A deployment's page, found and used by label: what its models are, whether they answer, and what the screen
//! says of each outage. Real kubectl asks a real API server's answers.

use batida::demo::api::{DEMO_KEY, DemoModel, Quirk};
use batida::domain::environment::Environment;
use egui_kittest::kittest::NodeT as _;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::kube::{Cluster, Kube, NAMESPACE, Trouble, kubectls};
use crate::support::api::Api;
use crate::support::environments::{api_env, cluster_env, runtime};
use crate::support::tls::Tls;
use crate::support::window::Window;

/// A window on a cluster and an API, with a deployment's page open.
pub(crate) struct Page {
    pub(crate) window: Window,
    pub(crate) kube: Kube,
    pub(crate) api: Api,
    pub(crate) runtime: Runtime,
}

impl Page {
    /// The recorded cluster; the API routes these.
    pub(crate) fn open(cluster: Cluster, models: Vec<DemoModel>) -> Self {
        Self::open_with(cluster, models, "of 11 deployed · live")
    }

    /// Any cluster, of which the window shows `seen`.
    pub(crate) fn open_with(cluster: Cluster, models: Vec<DemoModel>, seen: &str) -> Self {
        let runtime = runtime();
        let kube = runtime.block_on(Kube::start(cluster));
        let api = Api::start(models);
        let mut window = Window::on(env_of(&kube, &api), Some(DEMO_KEY));
        window.see(seen);
        window.click("Environments");
        window.click("Deployments");
        Self {
            window,
            kube,
            api,
            runtime,
        }
    }

    fn quick(names: &[&str]) -> Self {
        Self::open(
            Cluster::recorded(),
            names
                .iter()
                .map(|name| DemoModel::quick(name, Quirk::None))
                .collect(),
        )
    }
}

pub(crate) fn env_of(kube: &Kube, api: &Api) -> Environment {
    let cluster = cluster_env(&kubectls()[0], &kube.kubeconfig(), NAMESPACE).cluster;
    Environment {
        cluster,
        ..api_env(&api.address)
    }
}

const LLAMA: &str = "Meta-Llama-3.1-8B-Instruct";
const GEMMA: &str = "gemma-4-31B-it";
const E5: &str = "E5-Mistral-7B-Instruct";

// Models

#[test]
fn each_model_says_its_sizes_and_whether_it_is_routed() {
    let mut page = Page::quick(&[LLAMA, GEMMA]);
    let window = &mut page.window;
    window.click("llama, Deployed");
    window.see("serving: routed by the API");
    window.see("deployed, but not routed yet");
    window.see("Context up to 128k · lengths 4k, 16k, 128k, each in batches of 1, 2, 4");
    window.click("md-gemma, Deployed");
    window.see("Context up to 128k · batch sizes 8k: 1, 4 · 128k: 1");
    window.see("text, vision · Model gemma-4-31b-it");
    window.click("llama-70b, Deploying");
    window.see("routed by the API, perhaps to another deployment");
    window.see("not routed yet: the deployment is not ready");
}

#[test]
fn sizes_are_asked_for_once_a_page_is_open_and_whoever_may_not_read_them_loses_nothing_else() {
    let cluster = Cluster::with(&["modelprofiles"], Trouble::Forbidden);
    let runtime = runtime();
    let kube = runtime.block_on(Kube::start(cluster));
    let api = Api::quick();
    let mut window = Window::on(env_of(&kube, &api), Some(DEMO_KEY));
    window.see("5 of 11 deployed · live");
    let asked = |kube: &Kube, kind: &str| kube.requests().iter().any(|path| path.ends_with(kind));
    assert!(!asked(&kube, "bundletemplates"), "{:?}", kube.requests());
    window.click("Environments");
    window.click("Deployments");
    window.click("md-gemma, Deployed");
    window.see("Context length and batch sizes unknown: ");
    assert!(
        window.shows("modelprofiles") && window.shows("live"),
        "{}",
        window.told()
    );
    window.click("llama, Deployed");
    window.see("Context up to 128k");
    assert!(asked(&kube, "bundletemplates"));
}

#[test]
fn before_the_api_was_asked_nobody_says_whether_a_model_is_routed() {
    let runtime = runtime();
    let kube = runtime.block_on(Kube::start(Cluster::recorded()));
    let mut window = Window::on(
        cluster_env(&kubectls()[0], &kube.kubeconfig(), NAMESPACE),
        None,
    );
    window.see("5 of 11 deployed · live");
    window.click("Environments");
    window.click("Deployments");
    window.click("md-gemma, Deployed");
    window.see("routing not checked yet");
    assert!(
        window
            .button("Probe all models")
            .accesskit_node()
            .is_disabled(),
        "there is no API to ask"
    );
}

// Is it serving?

fn refusing(name: &str) -> DemoModel {
    let quirk = Quirk::Refuses {
        status: 500,
        content_type: "application/json",
        body: "{\"error\":{\"message\":\"the engine is gone\"}}",
        retry_after: None,
    };
    DemoModel::quick(name, quirk)
}

#[test]
fn a_probe_says_when_a_model_answered_or_why_it_does_not() {
    let models = vec![
        DemoModel::quick(GEMMA, Quirk::None),
        refusing(LLAMA),
        DemoModel::quick(E5, Quirk::Embeds),
    ];
    let mut page = Page::open(Cluster::recorded(), models);
    let window = &mut page.window;
    window.click("llama, Deployed");
    window.see("serving: routed by the API");
    assert!(!window.shows("Likely cause"), "{}", window.told());
    window.click("Probe these models");
    window.see("no answer at ");
    window.see("answered at ");
    window.see("Likely cause");
    window.see(&format!(
        "The API lists {LLAMA}, but the model does not answer: "
    ));
    window.see(" logs inf-llama-q-default-n-0 -c inf ");
    window.click("md-gemma, Deployed");
    window.click(&format!("Probe {GEMMA}"));
    window.see("TTFT ");
    let bodies = page.api.bodies();
    let chats: Vec<_> = bodies
        .iter()
        .filter(|body| !body["messages"].is_null())
        .collect();
    assert_eq!(chats.len(), 2, "{bodies:?}");
    assert!(
        chats.iter().all(|body| body["max_tokens"] == 1),
        "{chats:?}"
    );
    // No probe is part of the session's figures, nor of the history.
    window.click("Playground");
    window.see("No answers yet");
    window.click("History");
    window.see("No sessions yet");
}

#[test]
fn without_a_key_no_model_is_blamed() {
    let runtime = runtime();
    let kube = runtime.block_on(Kube::start(Cluster::recorded()));
    let api = Api::start(vec![DemoModel::quick(GEMMA, Quirk::None)]);
    let mut window = Window::on(env_of(&kube, &api), None);
    window.see("of 11 deployed · live");
    window.click("Environments");
    window.click("Deployments");
    window.click("md-gemma, Deployed");
    window.click(&format!("Probe {GEMMA}"));
    window.see("could not be probed at ");
    assert!(
        !window.shows("no answer at") && !window.shows("the model does not answer"),
        "{}",
        window.told()
    );
}

#[test]
fn probe_all_asks_each_routed_model_of_what_is_ready_and_can_be_cancelled() {
    let models = vec![
        DemoModel::quick(GEMMA, Quirk::Hangs),
        DemoModel::quick(LLAMA, Quirk::None),
        DemoModel::quick("another", Quirk::None),
    ];
    let mut page = Page::open(Cluster::recorded(), models);
    let window = &mut page.window;
    window.click("md-gemma, Deployed");
    window.see("serving: routed by the API");
    window.click("Probe all models");
    window.until("gemma is asked", |window| window.has_button("Cancel"));
    window.click("Cancel probes");
    window.until("nobody is asked", |window| {
        window.has_button("Probe all models") && !window.has_button("Cancel")
    });
    assert!(
        !window.shows("no answer at"),
        "who was not waited for is not blamed: {}",
        window.told()
    );
    let asked: Vec<String> = page
        .api
        .bodies()
        .iter()
        .filter_map(|body| body["model"].as_str().map(str::to_owned))
        .collect();
    assert!(asked.iter().all(|model| model != "another"), "{asked:?}");
}

#[test]
fn probes_go_on_by_themselves_when_asked_and_stay_asked() {
    let mut page = Page::quick(&[GEMMA]);
    let window = &mut page.window;
    window.click("md-gemma, Deployed");
    window.see("serving: routed by the API");
    let minutes = |window: &Window| {
        window
            .field("Minutes between probes")
            .accesskit_node()
            .is_disabled()
    };
    assert!(minutes(window), "off until asked for");
    window.click("Probe every");
    window.see("answered at ");
    window.type_into("Minutes between probes", "3");
    window.key_press(egui::Key::Enter);
    window.run_steps(3);
    let id = window.state_mut().state().env().id.clone();
    window.until("it is saved", |window| {
        window.saved().care.probe_minutes.get(&id) == Some(&3)
    });
    let Page {
        window,
        kube: _kube,
        api: _api,
        runtime: _runtime,
    } = page;
    let mut window = window.restart();
    // The restart brings back the page.
    window.see("Deployments on mine");
    window.click("md-gemma, Deployed");
    window.see("answered at ");
    window.click("Probe every");
    window.until("it is saved", |window| {
        window.saved().care.probe_minutes.is_empty()
    });
}

// Outages, and what the screen says

/// Makes a pod of the recorded deployment `llama` otherwise.
fn pod(kube: &Kube, name: &str, edit: impl FnOnce(&mut Value)) {
    let mut pod = kube.object("pods", name);
    edit(&mut pod["status"]);
    kube.change("pods", "MODIFIED", pod);
}

const CACHE: &str = "inf-llama-cache-0";
const MAIN: &str = "inf-llama-q-default-n-0";

#[test]
fn each_outage_of_a_deployment_has_its_sentence_and_its_command() {
    let mut page = Page::quick(&[LLAMA]);
    let Page { window, kube, .. } = &mut page;
    let waits = |status: &mut Value, reason: &str, message: &str| {
        status["containerStatuses"][0]["ready"] = false.into();
        status["containerStatuses"][0]["state"] =
            json!({"waiting": {"reason": reason, "message": message}});
    };
    window.click("llama, Deployed");
    let mut check = |kube: &Kube, sentence: &str, command: &str| {
        window.see(sentence);
        window.see(command);
        assert!(window.shows("live"), "{}", window.told());
        // As it was.
        kube.change("pods", "MODIFIED", kube.object("pods", CACHE));
        kube.change("pods", "MODIFIED", kube.object("pods", MAIN));
        kube.change("bundles", "MODIFIED", kube.object("bundles", "b-llama"));
        window.until("it is as it was", |window| {
            window.has_button("llama, Deployed") && !window.shows(sentence)
        });
    };
    let unrouted = "The pods are ready, but the API does not list E5-Mistral-7B-Instruct: the gateway has not picked it up";
    pod(kube, CACHE, |status| {
        waits(status, "ImagePullBackOff", "401 unauthorized")
    });
    check(
        kube,
        "The image of container cache in the cache pod cannot be pulled: the registry rejects the credentials",
        "-n sambastack describe pod inf-llama-cache-0",
    );
    pod(kube, MAIN, |status| {
        *status = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": "0/4 nodes are available: 4 Insufficient sambanova.ai/rdu."}]});
    });
    check(
        kube,
        "No node has enough free sambanova.ai/rdu for the default pod",
        "describe pod inf-llama-q-default-n-0",
    );
    pod(kube, MAIN, |status| {
        waits(status, "CrashLoopBackOff", "back-off 5m0s");
        let last =
            json!({"reason": "Error", "exitCode": 1, "message": "loading\nno such checkpoint\n"});
        status["containerStatuses"][0]["restartCount"] = 3.into();
        status["containerStatuses"][0]["lastState"] = json!({"terminated": last});
    });
    check(
        kube,
        "in the default pod crashes (restarted 3 times): it ends with exit code 1; last output: no such checkpoint",
        "logs inf-llama-q-default-n-0 -c inf --previous",
    );
    pod(kube, CACHE, |status| {
        status["containerStatuses"][0]["ready"] = false.into();
    });
    check(
        kube,
        "The cache is not ready yet, and the default pods are waiting for it",
        "logs inf-llama-cache-0 ",
    );
    let mut bundle = kube.object("bundles", "b-llama");
    bundle["status"]["conditions"][0]["status"] = "False".into();
    bundle["status"]["conditions"][0]["message"] = "checkpoint X: no such object".into();
    kube.change("bundles", "MODIFIED", bundle);
    check(
        kube,
        "SambaStack rejected the bundle b-llama: checkpoint X: no such object",
        "get bundles.sambanova.ai b-llama -o ",
    );
    window.see(unrouted);
    window.see("get bundledeployments.sambanova.ai llama -o ");
    window.click("orphan, Deployed");
    window
        .see("The pods are ready, but the bundle b-does-not-exist does not exist, so the models are unknown");
    window.click("whisper-old, Terminating");
    window.see(
        "The deployment is being deleted. If this takes long, a finalizer or a pod that does not stop is blocking it",
    );
}

#[test]
fn a_quota_that_is_used_up_is_named() {
    let mut cluster = Cluster::recorded();
    let message = "create Pod inf-no-pods-yet-cache-0 in StatefulSet inf-no-pods-yet-cache failed error: pods \"inf-no-pods-yet-cache-0\" \
                   is forbidden: exceeded quota: team-a, requested: sambanova.ai/rdu=16, used: 64, limited: 64";
    let event = json!({"involvedObject": {"kind": "StatefulSet", "name": "inf-no-pods-yet-cache"}, "type": "Warning",
        "reason": "FailedCreate", "message": message, "count": 4, "lastTimestamp": "2026-11-23T05:50:31Z"});
    let events = json!({"kind": "EventList", "apiVersion": "v1", "metadata": {}, "items": [event]});
    cluster.lists.insert("events", events.to_string().into());
    let mut page = Page::open(cluster, vec![DemoModel::quick(LLAMA, Quirk::None)]);
    page.window.click("no-pods-yet, Not deployed");
    page.window
        .see("The pods would exceed the namespace's quota team-a");
    page.window.see("describe resourcequota team-a");
}

#[test]
fn an_outage_of_the_cluster_is_said_and_what_was_seen_stays() {
    let mut page = Page::quick(&[LLAMA]);
    let Page {
        window,
        kube,
        runtime,
        ..
    } = &mut page;
    window.click("llama, Deployed");
    for (trouble, sentence) in [
        (
            Trouble::Overloaded,
            "The cluster's API server is unavailable",
        ),
        (
            Trouble::Unauthorized,
            "The cluster rejected your credentials",
        ),
        (
            Trouble::Close,
            "The connection to the cluster closed before the response was complete",
        ),
        (
            Trouble::WebPage,
            "A web page (“Log in”) answered instead of the Kubernetes API",
        ),
    ] {
        kube.edit(|cluster| cluster.troubles = vec![("*", trouble)]);
        kube.close_watches(false);
        window.see("reconnecting");
        window.see(sentence);
        assert!(
            window.has_button("llama, Deployed") && window.shows("Pods (2)"),
            "{}",
            window.told()
        );
        kube.edit(|cluster| cluster.troubles.clear());
        window.until("it is live again", |window| {
            window.shows("live") && !window.shows("reconnecting")
        });
    }
    // What the server has forgotten is listed anew, without a word.
    kube.close_watches(true);
    pod(kube, CACHE, |status| {
        status["containerStatuses"][0]["ready"] = false.into()
    });
    window.until("it is seen", |window| window.has_button("llama, Deploying"));
    assert!(!window.shows("reconnecting"), "{}", window.told());
    runtime.block_on(kube.stop());
    window.see("reconnecting");
    window.see("Could not reach the cluster at 127.0.0.1");
    runtime.block_on(kube.restart());
    window.until("it is live again", |window| {
        window.shows("live") && !window.shows("reconnecting")
    });
    assert!(window.has_button("llama, Deploying"));
}

#[test]
fn rights_that_are_revoked_are_said_and_events_are_read_again_when_the_cluster_is_back() {
    let mut page = Page::quick(&[LLAMA]);
    let Page { window, kube, .. } = &mut page;
    window.click("llama, Deployed");
    kube.edit(|cluster| {
        cluster.troubles = vec![
            ("bundledeployments", Trouble::Forbidden),
            ("events", Trouble::Forbidden),
        ]
    });
    kube.close_watches(false);
    window.see("forbidden");
    window.see("limited may not list bundledeployments.sambanova.ai in the namespace sambastack");
    assert!(
        window.has_button("llama, Deployed"),
        "what was seen stays: {}",
        window.told()
    );
    window.until("the events are asked for", |window| {
        window.shows("Could not load the events")
    });
    kube.edit(|cluster| cluster.troubles.clear());
    window.until("it is live again", |window| {
        window.shows("live") && !window.shows("forbidden")
    });
    window.until("the events are read again", |window| {
        !window.shows("Could not load the events")
    });
}

#[test]
fn what_a_credential_plugin_says_is_shown_while_it_waits() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().expect("a folder");
    let plugin = dir.path().join("plugin");
    let text = "#!/bin/sh\necho 'Enter the code B7K2QX9' >&2\nsleep 300\n";
    std::fs::write(&plugin, text).expect("written");
    std::fs::set_permissions(&plugin, std::fs::Permissions::from_mode(0o755))
        .expect("made a program");
    let user = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": plugin,
        "interactiveMode": "IfAvailable"}});
    let runtime = runtime();
    let kube = runtime.block_on(Kube::start(Cluster {
        user,
        tls: Tls::Good,
        ..Cluster::recorded()
    }));
    let mut window = Window::on(
        cluster_env(&kubectls()[0], &kube.kubeconfig(), NAMESPACE),
        None,
    );
    window.see("Message from kubectl, which is waiting");
    window.see("Enter the code B7K2QX9");
    window.click("Environments");
    window.see("Enter the code B7K2QX9");
}
