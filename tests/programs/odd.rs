//! Objects that cannot be read in full, pods that may not be listed, and pods in every state that is not one of starting:
//! asked through real kubectls, told on the command line and in the window.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use batida::demo::api::{DEMO_KEY, DemoModel, Quirk};
use batida::domain::deployment::{ClusterView, DeploymentState};
use batida::engine::cluster::{default_namespace, events, load, sizes};
use batida::engine::{Options, check, connections};
use batida::io::kubectl::Kubectl;
use batida::protocol::{Check, Verdict};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::follow::{DEVICE_CODE, calls_in, followed_quickly, plugin};
use crate::kube::{Cluster, Kube, NAMESPACE, Trouble, kubectls};
use crate::support::batida::{Said, finish, program, start};
use crate::support::demo::Demo;
use crate::support::environments::{cluster_env, runtime};
use crate::support::tls::Tls;
use crate::ui_cluster::Page;

const LLAMA: &str = "Meta-Llama-3.1-8B-Instruct";

/// Changes a list as it was recorded.
fn edit_list(cluster: &mut Cluster, kind: &'static str, edit: impl FnOnce(&mut Vec<Value>)) {
    let mut list: Value = serde_json::from_str(&cluster.lists[kind]).expect("a list is JSON");
    edit(list["items"].as_array_mut().expect("it has items"));
    cluster.lists.insert(kind, list.to_string().into());
}

/// A copy of the deployment `llama` under another name; it has no pods.
fn like_llama(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "sambanova.ai/v1alpha1", "kind": "BundleDeployment",
        "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec})
}

/// The recorded cluster with an odd object of each kind.
fn odd_cluster() -> Cluster {
    let mut cluster = Cluster::recorded();
    edit_list(&mut cluster, "bundledeployments", |items| {
        items.push(like_llama(
            "odd-minus",
            json!({"bundle": "b-llama", "groups": [{"name": "default", "minReplicas": -1}]}),
        ));
        items.push(like_llama(
            "odd-text",
            json!({"bundle": "b-llama", "groups": [{"minReplicas": "two"}]}),
        ));
        items.push(like_llama("odd-list", json!([])));
        items.push(json!({"metadata": {"name": "odd-bare"}}));
        items.push(json!({"metadata": null, "spec": {"bundle": "b-llama"}}));
        items.push(json!([1, 2]));
    });
    edit_list(&mut cluster, "bundles", |items| {
        items.push(json!({"metadata": {"name": "b-odd"}, "spec": {"models": ["A", "B"]}}));
    });
    edit_list(&mut cluster, "models", |items| {
        items.push(json!({"metadata": {"name": "odd"}, "spec": {"name": {"of": "it"}}}));
    });
    edit_list(&mut cluster, "modeldeployments", |items| {
        items.push(
            json!({"metadata": {"name": "odd-md"}, "spec": {"models": {"modelConfigs": "gemma-4-31b-it:1"}}}),
        );
    });
    edit_list(&mut cluster, "pods", |items| {
        items.push(json!({"metadata": {"name": "inf-no-pods-yet-cache-0"}, "spec": {"containers": {"name": "c"}}, "status": 5}));
    });
    edit_list(&mut cluster, "bundletemplates", |items| {
        items.insert(0, json!({"metadata": 5, "spec": null}))
    });
    edit_list(&mut cluster, "modelprofiles", |items| {
        items.insert(0, json!("text"))
    });
    let event = |message: &str| json!({"involvedObject": {"kind": "Pod", "name": "inf-llama-cache-0"}, "type": "Warning", "message": message});
    let list = json!({"kind": "EventList", "items": [event("one"), {"count": -1, "message": "odd"}, null, event("two")]});
    cluster.lists.insert("events", list.to_string().into());
    cluster
}

fn why<'a>(
    view: &'a ClusterView,
    name: &str,
) -> (
    DeploymentState,
    String,
    &'a [batida::domain::deployment::ServedModel],
) {
    let found = view.deployments.iter().find(|it| it.name == name);
    let found = found.unwrap_or_else(|| panic!("{name} is not among the deployments"));
    (found.state, found.why(), &found.models)
}

#[tokio::test]
async fn odd_objects_are_told_and_hide_nothing() {
    for program in kubectls() {
        let usual = load(&Kube::start(Cluster::recorded()).await.kubectl(&program))
            .await
            .expect("it loads");
        let kube = Kube::start(odd_cluster()).await;
        let kubectl = kube.kubectl(&program);
        let view = load(&kubectl).await.expect("it loads");
        for deployment in usual
            .deployments
            .iter()
            .filter(|it| it.name != "no-pods-yet")
        {
            assert!(
                view.deployments.contains(deployment),
                "{} is as it was",
                deployment.name
            );
        }
        assert_eq!(view.deployments.len(), usual.deployments.len() + 5);
        assert_eq!(view.warnings, []);
        let (state, told, models) = why(&view, "odd-minus");
        assert_eq!((state, models.len()), (DeploymentState::NotDeployed, 2));
        assert_eq!(
            told,
            "no pods; its resource cannot be read in full: spec.groups[0].minReplicas is -1, not a whole number from 0"
        );
        assert!(
            why(&view, "odd-text")
                .1
                .contains("spec.groups[0].minReplicas is the text \"two\"")
        );
        assert!(
            why(&view, "odd-list")
                .1
                .contains("spec is a list, not a map")
        );
        assert!(why(&view, "odd-bare").1.contains("it names no bundle"));
        assert!(
            why(&view, "odd-md")
                .1
                .contains("spec.models.modelConfigs is the text \"gemma-4-31b-it:1\", not a list")
        );
        let (state, told, _) = why(&view, "no-pods-yet");
        assert_eq!(state, DeploymentState::Deploying, "{told}");
        let odd: Vec<&str> = view
            .unreadable
            .iter()
            .map(|it| it.summary.as_str())
            .collect();
        assert_eq!(odd.len(), 5, "{odd:#?}");
        assert!(
            odd[0].starts_with("5 of 14 bundledeployments cannot be read in full: odd-minus: "),
            "{odd:#?}"
        );
        assert!(
            odd[1].contains("b-odd: spec.models is a list, not a map"),
            "{odd:#?}"
        );
        // The API server's answers that are no lists of deployments are read the same way.
        let read = sizes(&kubectl).await.expect("it loads");
        assert_eq!(
            (read.templates.items().len(), read.profiles.items().len()),
            (7, 6)
        );
        let gemma = view
            .deployments
            .iter()
            .find(|it| it.name == "md-gemma")
            .expect("it is there");
        assert!(
            !read
                .tiers(&gemma.models[0].sizes)
                .expect("it is written down")
                .is_empty()
        );
        let told = events(&kubectl).await.expect("they are read");
        assert_eq!(
            told.iter()
                .filter(|it| it.object == "inf-llama-cache-0")
                .count(),
            2
        );
    }
}

#[tokio::test]
async fn an_odd_object_does_not_end_what_is_followed() {
    for program in kubectls() {
        let kube = Kube::start(Cluster::recorded()).await;
        let mut followed = followed_quickly(&kube, &program).await;
        let before = followed.view.deployments.len();
        let spec = |replicas: Value| json!({"bundle": "b-llama", "groups": [{"name": "default", "minReplicas": replicas}]});
        kube.change(
            "bundledeployments",
            "ADDED",
            like_llama("odd", spec(json!(-1))),
        );
        followed
            .until("it is told", |it| it.state("odd").is_some())
            .await;
        assert_eq!(followed.view.deployments.len(), before + 1);
        assert!(why(&followed.view, "odd").1.contains("minReplicas is -1"));
        kube.change(
            "bundledeployments",
            "MODIFIED",
            like_llama("odd", spec(json!(0))),
        );
        followed
            .until("it is mended", |it| {
                why(&it.view, "odd").1 == "scaled to zero"
            })
            .await;
        let mut bundle = kube.object("bundles", "b-llama");
        bundle["spec"]["models"] = json!(["A"]);
        kube.change("bundles", "MODIFIED", bundle);
        followed
            .until("its bundle is odd", |it| {
                why(&it.view, "llama").1.contains("spec.models is a list")
            })
            .await;
        assert_eq!(
            why(&followed.view, "llama-70b").2.len(),
            2,
            "another bundle is as it was"
        );
        kube.change(
            "bundledeployments",
            "DELETED",
            json!({"metadata": {"name": "odd"}, "spec": 5}),
        );
        followed
            .until("it is gone", |it| it.state("odd").is_none())
            .await;
        assert_eq!(followed.link, Some(batida::protocol::ClusterLink::Live));
    }
}

async fn checks(kube: &Kube, program: &Path) -> Vec<Check> {
    let options = Options {
        config: Some(kube.dir.path().join("batida")),
        simulated_kubectl: None,
    };
    let (connections, ..) = connections(&options, |_| {}).expect("a folder of its own");
    let connection = connections
        .open(&cluster_env(program, &kube.kubeconfig(), NAMESPACE))
        .await;
    let told = Mutex::new(Vec::new());
    check::run(&connection, &CancellationToken::new(), |check| {
        told.lock().expect("no panic").push(check)
    })
    .await;
    told.into_inner().expect("no panic")
}

#[track_caller]
fn find<'a>(checks: &'a [Check], title: &str) -> &'a Check {
    let found = checks.iter().find(|check| check.title.starts_with(title));
    found.unwrap_or_else(|| panic!("{title} is not among {checks:#?}"))
}

/// Those of the cluster: the environment has no API.
fn failures(checks: &[Check]) -> Vec<&str> {
    let bad = checks
        .iter()
        .filter(|check| check.verdict == Verdict::Bad && !check.title.starts_with("API"));
    bad.map(|check| check.title.as_str()).collect()
}

#[tokio::test]
async fn checks_tell_odd_objects_and_pods_that_may_not_be_listed() {
    let program = &kubectls()[0];
    let all = checks(&Kube::start(odd_cluster()).await, program).await;
    assert_eq!(failures(&all), [""; 0], "{all:#?}");
    let odd = find(&all, "odd-minus is not deployed");
    assert!(odd.finding.contains("minReplicas is -1"), "{odd:?}");
    assert_eq!(odd.verdict, Verdict::Warning);

    let kube = Kube::start(Cluster::with(&["pods"], Trouble::Forbidden)).await;
    let all = checks(&kube, program).await;
    assert_eq!(failures(&all), [""; 0], "{all:#?}");
    assert_eq!(find(&all, "Rights").verdict, Verdict::Warning);
    let deployments = find(&all, "Deployments");
    assert_eq!(deployments.verdict, Verdict::Warning);
    assert_eq!(
        deployments.finding,
        "10 deployments: their pods could not be listed, so their state is unknown"
    );
    assert!(
        !all.iter()
            .any(|check| check.title.contains("is not deployed")),
        "{all:#?}"
    );
}

#[tokio::test]
async fn checks_read_events_and_know_what_is_only_starting() {
    let program = &kubectls()[0];
    let mut cluster = Cluster::recorded();
    edit_list(&mut cluster, "pods", |pods| {
        let main = pods
            .iter_mut()
            .find(|pod| pod["metadata"]["name"] == "inf-llama-q-default-n-0");
        main.expect("it was recorded")["status"] = json!({"phase": "Pending", "containerStatuses": [
            {"name": "inf", "ready": false, "restartCount": 0, "state": {"waiting": {"reason": "ContainerCreating"}}}]});
    });
    let message =
        "MountVolume.SetUp failed for volume \"keys\" : secret \"artifact-reader\" not found";
    let event = json!({"involvedObject": {"kind": "Pod", "name": "inf-llama-q-default-n-0"}, "type": "Warning",
        "reason": "FailedMount", "message": message, "count": 4, "lastTimestamp": "2026-11-23T05:50:31Z"});
    let list = json!({"kind": "EventList", "apiVersion": "v1", "metadata": {}, "items": [event]});
    cluster.lists.insert("events", list.to_string().into());
    edit_list(&mut cluster, "bundledeployments", |items| {
        items.push(like_llama(
            "zero",
            json!({"bundle": "b-llama", "groups": [{"name": "default", "minReplicas": 0}]}),
        ));
    });
    let all = checks(&Kube::start(cluster).await, program).await;
    let llama = find(&all, "llama is not deployed");
    assert_eq!(
        llama.advice,
        format!("A volume of the default pod cannot be mounted: {message}")
    );
    assert!(
        llama
            .command
            .ends_with("describe pod inf-llama-q-default-n-0"),
        "{}",
        llama.command
    );
    find(&all, "llama-70b is still starting");
    find(&all, "whisper-old is being deleted");
    find(&all, "orphan is deployed, but has a problem");
    let zero = find(&all, "zero is scaled to zero");
    assert!(zero.advice.contains("minReplicas"), "{zero:?}");
}

#[tokio::test]
async fn without_a_namespace_the_contexts_is_used() {
    for program in kubectls() {
        let kube = Kube::start(Cluster::recorded()).await;
        let kubectl = Kubectl {
            namespace: String::new(),
            ..kube.kubectl(&program)
        };
        assert_eq!(
            default_namespace(&kubectl).await.expect("it is read"),
            "default"
        );
        name_namespace(&kube);
        assert_eq!(
            default_namespace(&kubectl).await.expect("it is read"),
            NAMESPACE
        );
        let other = Kubectl {
            context: Some("another one".to_owned()),
            ..kubectl
        };
        assert_eq!(
            default_namespace(&other).await.expect("it is read"),
            "default"
        );
    }
}

/// A kubectl that first asks the server for its version, whatever it is told to do: Google's does that to choose the
/// kubectl that fits.
fn dispatcher(dir: &Path, program: &Path) -> PathBuf {
    let (path, program) = (dir.join("dispatcher"), program.display());
    let text = format!(
        "#!/bin/sh\n[ \"$1\" = --kubeconfig ] || exec {program} \"$@\"\n\
         {program} --kubeconfig \"$2\" get --raw /version >/dev/null || exit 1\nexec {program} \"$@\"\n"
    );
    fs::write(&path, text).expect("it can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    path
}

#[tokio::test]
async fn a_login_while_the_namespace_is_read_is_waited_for_and_alone() {
    for program in kubectls() {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let token = r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","status":{"token":"t"}}"#;
        let (at, end) = (dir.path().join("logged-in"), dir.path().join("ended"));
        let then = format!(
            "if [ ! -e {0} ]; then echo {DEVICE_CODE} >&2; sleep 4; touch {0}; fi\necho '{token}'; echo $$ >> {1}",
            at.display(),
            end.display()
        );
        let (user, calls) = plugin(dir.path(), &then);
        let kube = Kube::start(Cluster {
            user,
            tls: Tls::Good,
            ..Cluster::recorded()
        })
        .await;
        name_namespace(&kube);
        let kubectl = Kubectl {
            namespace: String::new(),
            patience: Duration::from_secs(2),
            login: Duration::from_secs(30),
            ..kube.kubectl(&dispatcher(dir.path(), &program))
        };
        let logging_in = async {
            let mut most = 0;
            while !at.exists() {
                most = calls_in(&calls).len().max(most);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            most
        };
        let (one, other, most) = tokio::join!(
            default_namespace(&kubectl),
            default_namespace(&kubectl),
            logging_in
        );
        assert_eq!(one.expect("it is read"), NAMESPACE);
        assert_eq!(other.expect("it is read"), NAMESPACE);
        assert_eq!(most, 1, "one plugin at a time");
        assert_eq!(calls_in(&calls), calls_in(&end), "none was killed");
    }
}

#[test]
fn a_namespace_that_cannot_be_read_is_not_default() {
    let runtime = runtime();
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let (user, _) = plugin(dir.path(), "echo log in first >&2\nexit 3");
    let kube = runtime.block_on(Kube::start(Cluster {
        user,
        tls: Tls::Good,
        ..Cluster::recorded()
    }));
    name_namespace(&kube);
    let mut command = program(kube.dir.path());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.args(["deployments", "--kubeconfig"]);
    command
        .arg(kube.kubeconfig())
        .arg("--kubectl")
        .arg(dispatcher(dir.path(), &kubectls()[0]));
    let said = finish(start(Box::leak(Box::new(command))));
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("failed with exit code 3"), "{said:?}");
    assert!(!said.err.contains("Nothing is deployed"), "{said:?}");
    assert!(
        !kube
            .requests()
            .iter()
            .any(|path| path.contains("/namespaces/")),
        "{:?}",
        kube.requests()
    );
}

/// Writes the namespace into the kubeconfig's current context.
fn name_namespace(kube: &Kube) {
    let text = fs::read(kube.kubeconfig()).expect("it was written");
    let mut config: Value = serde_json::from_slice(&text).expect("it is JSON");
    config["contexts"][0]["context"]["namespace"] = NAMESPACE.into();
    fs::write(kube.kubeconfig(), config.to_string()).expect("it can be written again");
}

// The real program

/// Batida with this cluster, named by nothing but its kubeconfig.
fn run(kube: &Kube, args: &[&str]) -> Said {
    finish(start(command(kube, args)))
}

fn command(kube: &Kube, args: &[&str]) -> &'static mut Command {
    let mut command = program(kube.dir.path());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
        .args(args)
        .arg("--config")
        .arg(kube.dir.path().join("batida"));
    command
        .arg("--kubeconfig")
        .arg(kube.kubeconfig())
        .arg("--kubectl")
        .arg(&kubectls()[0]);
    Box::leak(Box::new(command))
}

#[test]
fn the_command_line_lists_odd_deployments_in_the_contexts_namespace() {
    let runtime = runtime();
    let kube = runtime.block_on(Kube::start(odd_cluster()));
    name_namespace(&kube);
    let said = run(&kube, &["deployments"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let row = said
        .out
        .lines()
        .find(|line| line.starts_with("odd-minus "))
        .expect("it has a row");
    assert!(
        row.contains("minReplicas is -1, not a whole number from 0"),
        "{row}"
    );
    assert!(
        said.out.lines().any(|line| line.starts_with("llama ")),
        "{said:?}"
    );
    assert!(
        said.err.contains("bundles cannot be read in full: b-odd"),
        "{said:?}"
    );
    let said = run(&kube, &["deployments", "--json"]);
    let list: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(
        list["deployments"].as_array().map(Vec::len),
        Some(16),
        "{said:?}"
    );
    assert_eq!(
        list["unreadable"].as_array().map(Vec::len),
        Some(5),
        "{said:?}"
    );
    let said = run(&kube, &["deployments", "--namespace", "elsewhere"]);
    assert!(
        said.err.contains("The namespace elsewhere does not exist"),
        "{said:?}"
    );
}

#[test]
fn what_could_not_be_listed_is_not_nothing() {
    let runtime = runtime();
    let mut cluster = Cluster::with(&["bundledeployments"], Trouble::Forbidden);
    edit_list(&mut cluster, "modeldeployments", Vec::clear);
    let kube = runtime.block_on(Kube::start(cluster));
    let said = run(&kube, &["deployments", "-n", NAMESPACE]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.err.contains("may not list bundledeployments"),
        "{said:?}"
    );
    assert!(
        said.err.contains("The deployments could not be listed"),
        "{said:?}"
    );
    assert!(!said.err.contains("Nothing is deployed"), "{said:?}");
    // The other kind answers: it is listed, and the command fails all the same.
    let kube = runtime.block_on(Kube::start(Cluster::with(
        &["bundledeployments"],
        Trouble::Forbidden,
    )));
    let said = run(&kube, &["deployments", "-n", NAMESPACE]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("md-gemma"), "{said:?}");
    assert!(
        said.err.contains("may not list bundledeployments"),
        "{said:?}"
    );
}

#[tokio::test]
async fn checks_say_that_events_are_missing() {
    let kube = Kube::start(Cluster::with(&["events"], Trouble::Overloaded)).await;
    let all = checks(&kube, &kubectls()[0]).await;
    let missing = find(
        &all,
        "Events could not be read, so causes that only events tell are missing",
    );
    assert_eq!(missing.verdict, Verdict::Warning, "{missing:?}");
}

#[test]
fn a_deployment_whose_pods_may_not_be_listed_can_be_chatted_with() {
    let runtime = runtime();
    let kube = runtime.block_on(Kube::start(Cluster::with(&["pods"], Trouble::Forbidden)));
    let demo = Demo::start(vec![DemoModel::quick(LLAMA, Quirk::None)]);
    let ask = |args: &[&str]| {
        let command = command(&kube, args);
        command
            .args([
                "-n",
                NAMESPACE,
                "--api",
                &demo.root(),
                "--key-env",
                "MY_KEY",
            ])
            .env("MY_KEY", DEMO_KEY);
        finish(start(command))
    };
    let said = ask(&["chat", "Hi", "-d", "llama"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains(LLAMA), "{said:?}");
    assert!(
        said.err.contains("it is not known whether llama is ready"),
        "{said:?}"
    );
    let said = ask(&["check"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let said = ask(&["chat", "Hi", "-d", "whisper-old"]);
    assert_eq!(said.code, Some(1), "that one is being deleted: {said:?}");
}

#[test]
fn a_long_message_is_cut_on_the_command_line() {
    let runtime = runtime();
    let mut cluster = Cluster::recorded();
    let message = format!("no such checkpoint {}", "x".repeat(10_000));
    edit_list(&mut cluster, "bundles", |items| {
        let bundle = items
            .iter_mut()
            .find(|it| it["metadata"]["name"] == "b-llama")
            .expect("it was recorded");
        bundle["status"]["conditions"][0]["status"] = "False".into();
        bundle["status"]["conditions"][0]["message"] = message.clone().into();
    });
    let kube = runtime.block_on(Kube::start(cluster));
    let said = run(&kube, &["deployments", "-n", NAMESPACE]);
    let row = said
        .out
        .lines()
        .find(|line| line.starts_with("llama "))
        .expect("it has a row");
    assert!(
        row.len() < 1_500 && row.contains("no such checkpoint xxx"),
        "{row}"
    );
    assert!(row.contains("more characters)"), "{row}");
    let said = run(&kube, &["deployments", "-n", NAMESPACE, "--json"]);
    assert!(said.out.contains(&message), "JSON has it whole");
    let said = run(&kube, &["check", "-n", NAMESPACE]);
    assert!(
        said.out.lines().all(|line| line.len() < 1_500),
        "{}",
        said.out.len()
    );
}

// The window

#[test]
fn the_page_shows_odd_deployments_and_cuts_long_messages() {
    let mut page = Page::open_with(
        odd_cluster(),
        vec![DemoModel::quick(LLAMA, Quirk::None)],
        "of 16 deployed · live",
    );
    let Page { window, kube, .. } = &mut page;
    window.see("5 of 14 bundledeployments cannot be read in full: odd-minus");
    window.type_into("Filter deployments", "odd");
    window.click("odd-minus, Not deployed");
    window.see(
        "Parts of its resource could not be read: spec.groups[0].minReplicas is -1, not a whole number from 0",
    );
    window.type_into("Filter deployments", "llama");
    window.click("llama-70b, Deploying");
    window.see("Still starting");
    window.click("llama, Deployed");
    window.see("Pods (2)");
    let long = format!("Back-off pulling image {}", "x".repeat(10_000));
    let mut pod = kube.object("pods", "inf-llama-q-default-n-0");
    pod["status"]["containerStatuses"][0]["ready"] = false.into();
    pod["status"]["containerStatuses"][0]["state"] =
        json!({"waiting": {"reason": "CreateContainerConfigError", "message": long}});
    kube.change("pods", "MODIFIED", pod);
    window.click("llama, Deploying");
    window.see("more characters)");
    window.until("it can be seen whole", |window| {
        window.has_button("Show all")
    });
    assert!(!window.shows(&"x".repeat(5_000)), "it is cut");
}

#[test]
fn two_deployments_of_one_name_have_a_page_each() {
    let mut cluster = Cluster::recorded();
    edit_list(&mut cluster, "modeldeployments", |items| {
        let spec = json!({"models": {"modelConfigs": [{"model": "gemma-4-31b-it:1"}]}, "groups": [{"minReplicas": 0}]});
        items.push(json!({"metadata": {"name": "no-pods-yet"}, "spec": spec}));
    });
    let mut page = Page::open_with(
        cluster,
        vec![DemoModel::quick(LLAMA, Quirk::None)],
        "of 12 deployed · live",
    );
    let window = &mut page.window;
    window.type_into("Filter deployments", "no-pods");
    window.click("no-pods-yet (ModelDeployment), Not deployed");
    window.see("The deployment is scaled to zero");
    window.see("Note");
    window.click("no-pods-yet, Not deployed");
    window.see("No pods have been created");
}

#[test]
fn the_page_of_a_deployment_of_unknown_state_says_why() {
    let cluster = Cluster::with(&["pods"], Trouble::Forbidden);
    let mut page = Page::open_with(
        cluster,
        vec![DemoModel::quick(LLAMA, Quirk::None)],
        "0 of 11 deployed",
    );
    let window = &mut page.window;
    window.see("limited may not list pods in the namespace sambastack");
    window.click("llama, Unknown");
    window.see(
        "The pods could not be listed, so it is unknown whether the deployment is ready. A request may still work",
    );
    window.see("auth can-i list pods");
    window.click("Playground");
    window.until("a model of the first that may answer is picked", |window| {
        window.has_button("Model: Llama-4-Maverick-17B-128E-Instruct")
    });
}
