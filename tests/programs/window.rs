//! The whole job in a real window: the real kubectl, real HTTP streaming, a real keyboard.

use std::time::{Duration, Instant};

use batida::demo::api::{DEMO_KEY, DemoModel, DemoOptions, DemoServer, Quirk};
use batida::domain::environment::{ClusterAccess, EnvId, Environment, KeyPlace};
use batida::domain::settings::Settings;
use batida::domain::workspace::Page;
use batida::io::history::Store;
use batida::io::settings::SettingsStore;

use crate::display::{Display, Killed};
use crate::kube::{Cluster, Kube, NAMESPACE, kubectls};
use crate::support::programs::find;

/// The first model of the first deployment that is ready in the recorded cluster.
const MODEL: &str = "Llama-4-Maverick-17B-128E-Instruct";
const VARIABLE: &str = "BATIDA_WINDOW_KEY";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_in_a_real_window_reaches_the_deployed_model() {
    let xdotool = find("xdotool", "xdotool");
    let models = vec![DemoModel::quick(MODEL, Quirk::None)];
    let options = DemoOptions {
        models,
        keep_received: true,
        ..DemoOptions::default()
    };
    let api = DemoServer::start(options).await.expect("it listens");
    let kube = Kube::start(Cluster::recorded()).await;
    let config = tempfile::tempdir().expect("a folder");
    let env = Environment {
        api: Some(api.address()),
        key: KeyPlace::Variable(VARIABLE.to_owned()),
        cluster: Some(ClusterAccess {
            kubectl: kubectls().into_iter().next(),
            kubeconfig: Some(kube.kubeconfig()),
            context: None,
            namespace: NAMESPACE.to_owned(),
        }),
        ..Environment::blank(EnvId("env-1".to_owned()), "recorded")
    };
    let mut settings = Settings {
        selected: env.id.clone(),
        ..Settings::default()
    };
    settings.environments.push(env);
    SettingsStore::in_dir(config.path())
        .save(&settings)
        .expect("saved");

    let display = Display::start("1440x900");
    let mut batida = display.command(env!("CARGO_BIN_EXE_batida"));
    batida
        .arg("--config")
        .arg(config.path())
        .env(VARIABLE, DEMO_KEY);
    let mut batida = Killed(batida.spawn().expect("it starts"));
    let deadline = Instant::now() + Duration::from_secs(90);
    let mut typed = 0;
    while api.received().is_empty() {
        assert!(
            batida.0.try_wait().expect("asked").is_none(),
            "the window closed by itself"
        );
        assert!(
            Instant::now() < deadline,
            "nothing was sent; the cluster was asked {:?}",
            kube.requests()
        );
        // Before the model is known Enter sends nothing, and the words wait in the composer.
        let mut keys = display.command(&xdotool);
        keys.args([
            "search",
            "--onlyvisible",
            "--name",
            "^Batida$",
            "windowfocus",
            "type",
            "--delay",
            "10",
            "Hello ",
        ]);
        let window = keys.output().expect("it runs").status.success();
        if window {
            typed += 1;
            let enter = display.command(&xdotool).args(["key", "Return"]).status();
            assert!(enter.expect("it runs").success());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let received = &api.received()[0];
    assert_eq!(
        received.body["model"], MODEL,
        "the deployment's, found through kubectl"
    );
    let message = &received.body["messages"][1];
    assert!(
        message["content"]
            .as_str()
            .is_some_and(|text| text.contains("Hello")),
        "{message} after {typed} tries"
    );
    assert_eq!(
        received.authorization.as_deref(),
        Some(format!("Bearer {DEMO_KEY}").as_str())
    );
    assert!(
        kube.requests().iter().any(|path| path.contains("/pods")),
        "{:?}",
        kube.requests()
    );
}

#[test]
fn the_window_shows_the_demo_and_closes() {
    let config = tempfile::tempdir().expect("a folder");
    let display = Display::start("900x600");
    let mut batida = display.command(env!("CARGO_BIN_EXE_batida"));
    let ended = batida
        .args(["--demo", "--time-start", "--config"])
        .arg(config.path())
        .output()
        .expect("it runs");
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{told}");
    assert!(
        told.contains("first frame:") && told.contains("deployments shown:"),
        "{told}"
    );
}

#[test]
fn without_a_display_it_says_so_in_words() {
    let config = tempfile::tempdir().expect("a folder");
    let mut batida = crate::support::programs::quiet(env!("CARGO_BIN_EXE_batida"));
    batida.args(["--demo", "--config"]).arg(config.path());
    let ended = batida
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("WAYLAND_SOCKET")
        .output()
        .expect("it runs");
    let told = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(
        told.contains("No display is available to open a window"),
        "{told}"
    );
}

#[test]
fn a_window_that_is_told_to_end_closes_as_by_its_cross() {
    use rustix::process::{Pid, Signal, kill_process};
    for signal in [Signal::TERM, Signal::HUP] {
        let config = tempfile::tempdir().expect("a folder");
        let display = Display::start("1000x700");
        let mut batida = display.command(env!("CARGO_BIN_EXE_batida"));
        batida.args(["--demo", "--config"]).arg(config.path());
        let mut batida = Killed(batida.spawn().expect("it starts"));
        let deadline = Instant::now() + Duration::from_secs(60);
        while !config.path().join("history.sqlite").exists() {
            assert!(
                batida.0.try_wait().expect("asked").is_none(),
                "the window closed by itself"
            );
            assert!(Instant::now() < deadline, "its engine did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        kill_process(Pid::from_child(&batida.0), signal).expect("it runs");
        let began = Instant::now();
        let status = loop {
            if let Some(status) = batida.0.try_wait().expect("asked") {
                break status;
            }
            // A keychain that does not answer may take three seconds of it.
            assert!(
                began.elapsed() < Duration::from_secs(10),
                "it does not close"
            );
            std::thread::sleep(Duration::from_millis(20));
        };
        assert!(status.success(), "{status}");
    }
}

/// What xdotool says of the window: `Position: 10,20` and `Geometry: 1000x700`.
fn geometry(display: &Display, xdotool: &std::path::Path) -> String {
    let mut asked = display.command(xdotool);
    asked.args([
        "search",
        "--onlyvisible",
        "--name",
        "^Batida$",
        "getwindowgeometry",
    ]);
    let said = asked.stdout(std::process::Stdio::piped()).output();
    String::from_utf8_lossy(&said.expect("it runs").stdout).into_owned()
}

#[test]
fn a_restart_brings_back_the_size_of_the_window() {
    let xdotool = find("xdotool", "xdotool");
    let config = tempfile::tempdir().expect("a folder");
    let display = Display::start("1600x1000");
    let open = || {
        let mut batida = display.command(env!("CARGO_BIN_EXE_batida"));
        batida.args(["--demo", "--config"]).arg(config.path());
        Killed(batida.spawn().expect("it starts"))
    };
    let wait = |what: &str, so: &mut dyn FnMut() -> bool| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !so() {
            assert!(Instant::now() < deadline, "waited in vain until {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let mut batida = open();
    wait("the window is there", &mut || {
        geometry(&display, &xdotool).contains("Geometry: 1440x900")
    });
    let resize = || {
        let mut sized = display.command(&xdotool);
        sized.args(["search", "--onlyvisible", "--name", "^Batida$"]);
        sized.args(["windowsize", "1010", "707"]).status().is_ok()
            && geometry(&display, &xdotool).contains("Geometry: 1010x707")
    };
    wait("it is resized", &mut || resize());
    // The display tells the window of its size before it tells of a later key: what follows the key is drawn in it.
    let pressed = || {
        let mut keys = display.command(&xdotool);
        keys.args(["search", "--onlyvisible", "--name", "^Batida$"]);
        let pressed = keys.args(["windowfocus", "key", "ctrl+3"]).status();
        let kept = Store::open_to_read(config.path()).and_then(|store| store.workspace());
        pressed.is_ok() && kept.is_ok_and(|kept| kept.layout.page == Page::History)
    };
    wait("another page is shown and kept", &mut || pressed());
    let kept = || std::fs::read_to_string(config.path().join("window.ron"));
    wait("its size is kept while it is open", &mut || {
        // A window that has nothing to draw saves nothing.
        pressed() && kept().is_ok_and(|kept| kept.contains("1010"))
    });
    let stopped = std::process::Command::new(find("kill", "procps"))
        .args(["-TERM", &batida.0.id().to_string()])
        .status();
    assert!(stopped.expect("it runs").success());
    wait("it has ended", &mut || {
        batida.0.try_wait().expect("asked").is_some()
    });
    let _batida = open();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let now = geometry(&display, &xdotool);
        if now.contains("Geometry: 1010x707") {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "the window is not as large as it was: {now:?}, kept: {:?}",
            kept()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}
