//! Desktop notifications, shown by a service of our own on a real session bus, and where there is none.
//!
//! D-Bus is found through the environment, so this binary runs itself again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use batida::io::notify::show;
use zbus::zvariant::OwnedValue;

use crate::kube::{Cluster, Kube, kubectls};
use crate::support::api::Api;
use crate::support::environments::{cluster_env, runtime};
use crate::support::programs::{check_test, find, quiet, say_ran, this_test};
use crate::support::window::Window;
use crate::ui_cluster::env_of;

const MARK: &str = "BATIDA_TEST_NOTIFY";

/// A notification service that keeps what it is to show.
struct Service(Arc<Mutex<Vec<(String, String)>>>);

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Service {
    #[expect(clippy::too_many_arguments, reason = "the interface says so")]
    async fn notify(
        &self,
        app_name: String,
        _replaces_id: u32,
        _app_icon: String,
        summary: String,
        body: String,
        _actions: Vec<String>,
        _hints: HashMap<String, OwnedValue>,
        _expire_timeout: i32,
    ) -> u32 {
        assert_eq!(app_name, "Batida");
        self.0.lock().expect("no panic").push((summary, body));
        1
    }
}

async fn service(shown: &Arc<Mutex<Vec<(String, String)>>>) -> zbus::Connection {
    zbus::connection::Builder::session()
        .and_then(|bus| bus.name("org.freedesktop.Notifications"))
        .and_then(|bus| bus.serve_at("/org/freedesktop/Notifications", Service(Arc::clone(shown))))
        .expect("a bus")
        .build()
        .await
        .expect("a service")
}

fn on_a_bus(test: &str) {
    let inner = this_test(test);
    let mut command = quiet(find("dbus-run-session", "dbus"));
    check_test(
        command
            .arg("--")
            .arg(inner.get_program())
            .args(inner.get_args())
            .env(MARK, "1"),
    );
}

#[test]
fn the_desktop_shows_what_becomes_ready_and_what_stops() {
    on_a_bus("notify::inner_is_told_of_changes");
}

#[test]
fn a_desktop_without_notifications_is_remarked_once() {
    on_a_bus("notify::inner_has_no_service");
}

#[test]
fn without_a_bus_it_is_said_at_once() {
    let began = Instant::now();
    for bus in [None, Some("unix:path=/nowhere/bus")] {
        let mut command = this_test("notify::inner_has_no_bus");
        check_test(
            command
                .env_clear()
                .envs(bus.map(|bus| ("DBUS_SESSION_BUS_ADDRESS", bus)))
                .env(MARK, "1"),
        );
    }
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "{:?}",
        began.elapsed()
    );
}

fn is_inner() -> bool {
    std::env::var_os(MARK).is_some()
}

#[tokio::test]
async fn inner_has_no_bus() {
    if !is_inner() {
        return;
    }
    let failure = show("a", "b").await.expect_err("no bus");
    assert_eq!(
        failure.summary,
        "This desktop does not support notifications"
    );
    say_ran();
}

/// A container of a pod is ready from now on, or is not.
fn ready(kube: &Kube, pod: &str, ready: bool) {
    let mut pod = kube.object("pods", pod);
    pod["status"]["containerStatuses"][0]["ready"] = ready.into();
    kube.change("pods", "MODIFIED", pod);
}

#[test]
fn inner_is_told_of_changes() {
    if !is_inner() {
        return;
    }
    let runtime = runtime();
    let shown = Arc::default();
    let _service = runtime.block_on(service(&shown));
    let titles = || {
        shown
            .lock()
            .expect("no panic")
            .iter()
            .map(|(title, _)| title.clone())
            .collect::<Vec<_>>()
    };
    let mut kube = runtime.block_on(Kube::start(Cluster::recorded()));
    let api = Api::start(vec![batida::demo::api::DemoModel::quick(
        "gemma-4-31B-it",
        batida::demo::api::Quirk::None,
    )]);
    let mut window = Window::on(env_of(&kube, &api), Some(batida::demo::api::DEMO_KEY));
    window.see("5 of 11 deployed · live");
    window.click("Environments");
    window.click("Desktop notifications");
    ready(&kube, "inf-llama-70b-cache-0", true);
    window.until("it is shown", |_| titles() == ["llama-70b is ready"]);
    // A cluster that was lost and comes back as it was has not changed.
    runtime.block_on(kube.stop());
    window.click("Deployments");
    window.see("reconnecting");
    runtime.block_on(kube.restart());
    window.until("it is live again", |window| {
        window.shows("live") && !window.shows("reconnecting")
    });
    kube.close_watches(true);
    ready(&kube, "inf-llama-70b-cache-0", false);
    window.until("it is shown", |_| {
        titles() == ["llama-70b is ready", "llama-70b has stopped"]
    });
    let (_, body) = shown
        .lock()
        .expect("no panic")
        .last()
        .cloned()
        .expect("it is there");
    assert_eq!(
        body,
        "mine: cache pod 0/1: container cache is not ready yet"
    );
    let saved = window.saved();
    assert!(saved.care.notify);
    // What is looked at anew is seen for the first time.
    window.click("Environments");
    window.click("Environment Demo");
    window.see("Simulated models");
    ready(&kube, "inf-llama-70b-cache-0", true);
    window.click("Environment mine");
    window.click("Deployments");
    window.until("it is ready", |window| {
        window.has_button("llama-70b, Deployed")
    });
    assert_eq!(titles().len(), 2, "{:?}", titles());
    say_ran();
}

#[test]
fn inner_has_no_service() {
    if !is_inner() {
        return;
    }
    let runtime = runtime();
    let kube = runtime.block_on(Kube::start(Cluster::recorded()));
    let env = cluster_env(&kubectls()[0], &kube.kubeconfig(), crate::kube::NAMESPACE);
    let mut window = Window::on(env, None);
    window.see("5 of 11 deployed · live");
    window.click("Environments");
    window.click("Desktop notifications");
    ready(&kube, "inf-llama-70b-cache-0", true);
    window.see("This desktop does not support notifications");
    assert!(
        !window.has_button("Dismiss"),
        "it is a remark, and goes by itself"
    );
    window.until("it has gone", |window| {
        !window.shows("This desktop does not support notifications")
    });
    ready(&kube, "inf-llama-70b-cache-0", false);
    window.click("Deployments");
    window.until("that was seen", |window| {
        window.has_button("llama-70b, Deploying")
    });
    window.run_steps(20);
    assert!(
        !window.shows("This desktop does not support notifications"),
        "once is enough"
    );
    say_ran();
}
