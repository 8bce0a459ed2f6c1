//! The window on a cluster: what is deployed is followed, and what is wrong is said. Real kubectl asks a real API
//! server's answers.

use std::path::Path;

use crate::kube::{Cluster, Kube, NAMESPACE, Trouble, kubectls};
use crate::support::environments::{cluster_env, runtime};
use crate::support::window::{Window, check_trouble};

#[test]
fn five_hundred_deployments_are_listed_and_filtered() {
    let runtime = runtime();
    let kube = runtime.block_on(Kube::start(Cluster::large()));
    let mut window = Window::on(
        cluster_env(&kubectls()[0], &kube.kubeconfig(), NAMESPACE),
        None,
    );
    window.see("506 of 506 deployed");
    window.open_picker("Deployment");
    window.type_into("Filter Deployment", "large-25");
    assert!(window.line("bd-large-251").is_some() && window.line("bd-large-250").is_some());
    assert!(window.line("bd-large-249").is_none());
    window.line("bd-large-257").expect("it is listed").click();
    window.see("Deployment: bd-large-257");
}

#[test]
fn the_cluster_is_live_and_says_so_when_it_is_not() {
    let runtime = runtime();
    let mut kube = runtime.block_on(Kube::start(Cluster::recorded()));
    let mut window = Window::on(
        cluster_env(&kubectls()[0], &kube.kubeconfig(), NAMESPACE),
        None,
    );
    window.see("5 of 11 deployed · live");
    let mut pod = kube.object("pods", "inf-llama-70b-cache-0");
    pod["status"]["containerStatuses"][0]["ready"] = true.into();
    kube.change("pods", "MODIFIED", pod);
    window.see("6 of 11 deployed · live");
    runtime.block_on(kube.stop());
    window.see("reconnecting");
    window.see("Could not reach the cluster at 127.0.0.1");
    window.see("6 of 11 deployed · updated");
    let orphan = kube.object("bundledeployments", "orphan");
    kube.change("bundledeployments", "DELETED", orphan);
    runtime.block_on(kube.restart());
    window.see("5 of 10 deployed · live");
    assert!(
        !window.shows("Could not reach the cluster"),
        "{}",
        window.told()
    );
}

#[test]
fn a_cluster_that_may_not_be_watched_is_polled_and_says_so() {
    let runtime = runtime();
    let watch_troubles = vec![("pods", Trouble::Forbidden)];
    let kube = runtime.block_on(Kube::start(Cluster {
        watch_troubles,
        ..Cluster::recorded()
    }));
    let mut window = Window::on(
        cluster_env(&kubectls()[0], &kube.kubeconfig(), NAMESPACE),
        None,
    );
    window.see("5 of 11 deployed · polling every 10 s");
}

#[test]
fn only_the_cluster_of_the_environment_in_use_is_followed() {
    let runtime = runtime();
    let kube = runtime.block_on(Kube::start(Cluster::recorded()));
    let mut window = Window::on(
        cluster_env(&kubectls()[0], &kube.kubeconfig(), NAMESPACE),
        None,
    );
    window.see("5 of 11 deployed · live");
    window.click("Environments");
    window.click("Environment Demo");
    window.until("nobody asks the other cluster", |_| {
        crate::cluster::askers(&kube).is_empty()
    });
    window.click("Environment mine");
    window.click("Playground");
    window.see("5 of 11 deployed · live");
}

#[test]
fn a_deployments_page_follows_what_happens_to_it() {
    let runtime = runtime();
    let kube = runtime.block_on(Kube::start(Cluster::recorded()));
    let mut window = Window::on(
        cluster_env(&kubectls()[0], &kube.kubeconfig(), NAMESPACE),
        None,
    );
    window.see("5 of 11 deployed · live");
    window.click("Environments");
    window.click("Deployments");
    window.click("llama-70b, Deploying");
    window.see("Still starting");
    window.see("The cache is not ready yet");
    window.see("Events (0)");
    let mut pod = kube.object("pods", "inf-llama-70b-cache-0");
    pod["status"]["containerStatuses"][0]["ready"] = true.into();
    kube.change("pods", "MODIFIED", pod);
    window.until("it is deployed", |window| {
        window.has_button("llama-70b, Deployed")
    });
    assert!(!window.shows("Still starting"), "{}", window.told());
    kube.change(
        "bundledeployments",
        "DELETED",
        kube.object("bundledeployments", "llama-70b"),
    );
    window.see("llama-70b no longer exists");
}

#[test]
fn a_cluster_has_its_fields_and_its_contexts() {
    let runtime = runtime();
    let kube = runtime.block_on(Kube::start(Cluster::recorded()));
    let mut window = Window::on_demo();
    window.click("Environments");
    window.click("Add");
    window.see("not configured");
    window.click("Connect to a cluster (kubectl)");
    window.type_into("Namespace", "Not_A_Namespace");
    window.see("a namespace has lower-case letters, digits and hyphens");
    window.type_into("Namespace", NAMESPACE);
    let kubeconfig = kube.kubeconfig().display().to_string();
    window.type_into("Kubeconfig", &kubeconfig);
    window.type_into("kubectl program", &kubectls()[0].display().to_string());
    assert!(window.has_button("Browse for Kubeconfig…"));
    window
        .button("Load contexts from the kubeconfig")
        .scroll_to_me();
    window.step();
    window.click("Load contexts from the kubeconfig");
    window.until("they were read", |window| {
        window.has_button("Reload contexts")
    });
    window.button("Contexts: none").scroll_to_me();
    window.step();
    window.pick("Contexts", "another one");
    assert_eq!(
        window.field("Context").value().as_deref(),
        Some("another one")
    );
    window.click("API key");
    window.click("No key needed");
    window.click("Save");
    window.click("Playground");
    window.see(" of 11 deployed");
    window.see("No API domain: enter one in Environments");
}

fn check_cluster_trouble(trouble: Trouble, summary: &str, advice: &str, details: &str) {
    let runtime = runtime();
    let troubles = vec![("*", trouble)];
    let kube = runtime.block_on(Kube::start(Cluster {
        troubles,
        ..Cluster::recorded()
    }));
    check_trouble(
        cluster_env(&kubectls()[0], &kube.kubeconfig(), NAMESPACE),
        None,
        summary,
        advice,
        details,
    );
}

#[test]
fn a_kubeconfig_that_is_missing_is_told() {
    let env = cluster_env(&kubectls()[0], Path::new("/nowhere/config"), NAMESPACE);
    check_trouble(
        env,
        None,
        "The kubeconfig /nowhere/config does not exist",
        "Choose another file",
        "",
    );
}

#[test]
fn a_cluster_that_refuses_is_told() {
    check_cluster_trouble(
        Trouble::Unauthorized,
        "The cluster rejected your credentials",
        "Log in again, or ask for a new kubeconfig",
        "Unauthorized",
    );
}

#[test]
fn missing_rights_are_told() {
    check_cluster_trouble(
        Trouble::Forbidden,
        "limited may not list bundledeployments.sambanova.ai in the namespace sambastack",
        "a role that allows get and list",
        "Error from server (Forbidden)",
    );
}

#[test]
fn a_login_portal_instead_of_a_cluster_is_told() {
    check_cluster_trouble(
        Trouble::WebPage,
        "A web page (“Log in”) answered instead of the Kubernetes API",
        "Log in to the network or the VPN",
        "<!doctype html>",
    );
}
