//! Environments of other files, imported on Home: by path and by drop; real kubectl reads kubeconfigs.

use std::path::{Path, PathBuf};

use batida::domain::environment::{EnvId, Environment, KeyPlace};
use batida::domain::settings::Settings;
use batida::engine::imports::read;
use batida::io::secrets::Keys;
use batida::io::settings::SettingsStore;
use egui::accesskit::Toggled;
use egui_kittest::kittest::NodeT as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use crate::support::kube::{Cluster, Kube, kubectls};
use crate::support::window::{Window, api_env, cluster_env, runtime};

const KEY: &str = "sk-imported-1234";

pub(crate) fn sambawiz(dir: &Path, kubeconfig: &str, api: &str) -> PathBuf {
    let path = dir.join("app-config.json");
    let config = json!({"currentKubeconfig": "prod", "kubeconfigs": {
        "prod": {"file": kubeconfig, "namespace": "sambastack", "uiDomain": "https://ui.example.com/", "apiDomain": api,
            "apiKey": KEY},
        "Demo": {"file": "kubeconfigs/gone.yaml", "namespace": "default"},
        "broken": {"file": "x.yaml", "namespace": "Not A Namespace"},
    }});
    std::fs::write(&path, config.to_string()).expect("a temporary folder can be written");
    path
}

fn ticked(window: &Window, name: &str) -> Option<bool> {
    let node = window.button(name).accesskit_node().toggled();
    node.map(|toggled| toggled == Toggled::True)
}

#[test]
fn sambawiz_environments_are_looked_at_before_they_are_added() {
    let runtime = runtime();
    let kube = runtime.block_on(Kube::start(Cluster::recorded()));
    let api = crate::ui::Api::quick();
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    std::fs::copy(kube.kubeconfig(), dir.path().join("prod.yaml")).expect("it can be copied");
    let file = sambawiz(dir.path(), "prod.yaml", api.address.root());
    let mut window = Window::first_start();
    window.see("Environment Demo");
    // There may or may not be a keychain: the test knows what becomes of a key without one.
    window.state_mut().state().has_keychain = Some(false);
    window.click("Home");
    window.click("Import…");
    window.type_into("File to import", &file.display().to_string());
    window.click("Read");
    window.see("3 environments in SambaWiz's app-config.json");
    assert_eq!(
        (ticked(&window, "prod"), ticked(&window, "broken")),
        (Some(true), Some(false))
    );
    assert_eq!(ticked(&window, "Demo"), Some(false), "{}", window.told());
    window.see("There is an environment of this name: it would be added as Demo 2");
    window.see("gone.yaml does not exist");
    window.see("Cannot be added: its namespace is not valid");
    assert!(window.button("broken").accesskit_node().is_disabled());
    assert!(
        window.shows("with its key") && !window.told().contains(KEY),
        "{}",
        window.told()
    );
    window.click("Demo");
    window.click("Add 2 environments");
    window.see("2 environments added. Without a keychain their keys are kept until Batida ends");
    window.until("they are saved", |window| {
        window.saved().environments.len() == 3
    });
    let saved = window.saved();
    let prod = saved.by_name("prod").expect("it is there");
    assert!(saved.by_name("Demo 2").is_some());
    let kubeconfig = prod
        .cluster
        .as_ref()
        .and_then(|cluster| cluster.kubeconfig.clone());
    assert_eq!(
        kubeconfig.as_deref(),
        Some(dir.path().join("prod.yaml").as_path())
    );
    assert_eq!(
        prod.key,
        KeyPlace::Variable("SAMBANOVA_API_KEY_PROD".to_owned()),
        "one of its own"
    );
    window.click("Environment prod");
    window.click("Run checks");
    window.see("API key not accepted");
    window.until(
        "the key is not accepted, since it is not the demo's",
        |window| window.shows("refused"),
    );
    assert!(!window.told().contains(KEY));
}

#[test]
fn no_key_of_an_import_reaches_the_settings_file() {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let file = sambawiz(dir.path(), "prod.yaml", "https://api.example.com");
    let mut window = Window::first_start();
    window.state_mut().state().has_keychain = Some(false);
    window.click("Home");
    drop_file(&mut window, &file);
    window.see("3 environments in SambaWiz's app-config.json");
    // The dialog has grown, and goes to the middle.
    window.run_steps(4);
    window.click("Add 1 environment");
    window.until("it is saved", |window| {
        window.saved().by_name("prod").is_some()
    });
    let config = window.config().join("settings.toml");
    let text = std::fs::read_to_string(config).expect("it was saved");
    assert!(text.contains("prod") && !text.contains(KEY), "{text}");
}

fn drop_file(window: &mut Window, path: &Path) {
    #[derive(Debug)]
    struct Dropped(PathBuf);
    impl egui::DroppedFile for Dropped {
        fn path(&self) -> &Path {
            &self.0
        }
        fn bytes(&self) -> Result<Vec<u8>, String> {
            std::fs::read(&self.0).map_err(|why| why.to_string())
        }
    }
    window
        .input_mut()
        .dropped_files
        .push(std::sync::Arc::new(Dropped(path.to_owned())));
    window.step();
}

#[test]
fn home_says_what_can_be_dropped_on_it() {
    let mut window = Window::on_demo();
    window.click("Home");
    window
        .input_mut()
        .hovered_files
        .push(egui::HoveredFile::default());
    window.see("Drop a file to see which environments are in it");
    window.input_mut().hovered_files.clear();
    window.until("it is gone", |window| !window.shows("Drop a file to see"));
}

#[test]
fn the_contexts_of_a_kubeconfig_are_environments() {
    let runtime = runtime();
    let kube = runtime.block_on(Kube::start(Cluster::recorded()));
    let env = cluster_env(&kubectls()[0], &kube.kubeconfig(), "sambastack");
    let mut window = Window::on(env, None);
    window.see("5 of 11 deployed");
    window.click("Home");
    drop_file(&mut window, &kube.kubeconfig());
    window.see("2 environments in a kubeconfig");
    window.see("its context has no namespace: enter the one that SambaStack runs in");
    window.click("another one");
    window.click("Add 1 environment");
    window.until("it is saved", |window| {
        window.saved().by_name("test").is_some()
    });
    let saved = window.saved();
    let access = saved
        .by_name("test")
        .and_then(|env| env.cluster.clone())
        .expect("it has a cluster");
    assert_eq!(
        (access.context.as_deref(), access.kubeconfig),
        (Some("test"), Some(kube.kubeconfig()))
    );
    assert!(saved.by_name("another one").is_none());
}

#[test]
fn another_batidas_environments_come_without_their_keys() {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let store = SettingsStore::in_dir(dir.path());
    let address =
        batida::domain::environment::ApiAddress::parse("api.example.com").expect("an address");
    let env = Environment {
        id: EnvId("theirs".to_owned()),
        name: "theirs".to_owned(),
        ..api_env(&address)
    };
    let mut settings = Settings::default();
    settings.environments.push(env.clone());
    let change = batida::protocol::KeyChange {
        env: env.id.clone(),
        key: Some(SecretString::from(KEY)),
    };
    runtime()
        .block_on(Keys::new(store.clone()).save(&settings, Some(&change)))
        .expect("it is saved");
    let before = std::fs::read(store.path()).expect("it is there");
    let mut window = Window::first_start();
    window.click("Home");
    drop_file(&mut window, store.path());
    window.see("1 environment in another Batida's settings");
    window.see("its key was not imported: enter it on Home");
    window.run_steps(4);
    window.click("Add 1 environment");
    window.until("it is saved", |window| {
        window.saved().by_name("theirs").is_some()
    });
    let own = std::fs::read_to_string(window.config().join("settings.toml")).expect("it was saved");
    assert!(
        !own.contains(KEY) && !own.contains("\"theirs\"\nname"),
        "{own}"
    );
    assert_eq!(
        std::fs::read(store.path()).expect("it is there"),
        before,
        "theirs was not touched"
    );
}

#[test]
fn whoever_brings_settings_cannot_have_any_secret_sent_unasked() {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let store = SettingsStore::in_dir(dir.path());
    let address =
        batida::domain::environment::ApiAddress::parse("api.example.com").expect("an address");
    let key = KeyPlace::Variable("AWS_SECRET_ACCESS_KEY".to_owned());
    let theirs = Environment {
        name: "theirs".to_owned(),
        key,
        accept_invalid_certs: true,
        ..api_env(&address)
    };
    let key = KeyPlace::Variable("SAMBANOVA_API_KEY".to_owned());
    let usual = Environment {
        id: EnvId("env-2".to_owned()),
        name: "usual".to_owned(),
        key,
        ca_file: Some("/tmp/ca.pem".into()),
        ..theirs.clone()
    };
    let mut settings = Settings::default();
    settings.environments.extend([theirs, usual]);
    runtime()
        .block_on(Keys::new(store.clone()).save(&settings, None))
        .expect("it is saved");
    let mut window = Window::first_start();
    window.click("Home");
    drop_file(&mut window, store.path());
    window.see("the value of $AWS_SECRET_ACCESS_KEY would be sent to api.example.com");
    window.see("the value of $SAMBANOVA_API_KEY would be sent to api.example.com");
    window.see("it accepted any certificate, which was skipped");
    window.see("its CA file /tmp/ca.pem was skipped");
    assert_eq!(
        (ticked(&window, "theirs"), ticked(&window, "usual")),
        (Some(false), Some(false))
    );
    window.run_steps(4);
    window.click("theirs");
    window.click("Add 1 environment");
    window.until("it is saved", |window| {
        window.saved().by_name("theirs").is_some()
    });
    assert!(
        !window
            .saved()
            .by_name("theirs")
            .expect("it is there")
            .accept_invalid_certs
    );
}

#[tokio::test]
async fn files_that_are_something_else_are_told_apart() {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let at = |name: &str| dir.path().join(name);
    for (name, text, summary) in [
        ("a.json", "{\"kubeconfigs\":{}}", "has no environments"),
        (
            "b.json",
            "{\"kubeconfigs\":",
            "is not valid JSON, or is truncated",
        ),
        ("c.json", "[1]", "is not a file that Batida recognizes"),
        ("d.yaml", "contexts: {{{", "d.yaml"),
        ("e.yaml", "clusters:\n- name: a\n", "has no contexts"),
        (
            "f.toml",
            "version = 99\n",
            "it was written by a newer version of Batida (file version 99)",
        ),
        (
            "g.toml",
            "version = 1\nselected = \"demo\"\n",
            "has no environments",
        ),
        ("h.txt", "", "is empty"),
    ] {
        std::fs::write(at(name), text).expect("a temporary folder can be written");
        let failure = read(&at(name), Some(kubectls()[0].clone()))
            .await
            .expect_err(name);
        assert!(failure.summary.contains(summary), "{name}: {failure:?}");
        assert!(!failure.advice.is_empty(), "{name}: {failure:?}");
    }
    let failure = read(&at("nowhere"), None)
        .await
        .expect_err("it is not there");
    assert!(
        failure
            .summary
            .ends_with("nowhere cannot be read: it does not exist"),
        "{failure:?}"
    );
    assert!(
        read(dir.path(), None)
            .await
            .expect_err("a folder")
            .summary
            .ends_with("it is a folder")
    );
}

#[tokio::test]
async fn a_held_key_comes_before_a_variable_until_it_is_forgotten() {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let keys = Keys::new(SettingsStore::in_dir(dir.path()));
    let env = Environment {
        key: KeyPlace::Variable("BATIDA_TEST_SURELY_UNSET".to_owned()),
        ..Environment::blank(EnvId("x".to_owned()), "x")
    };
    keys.find(&env).await.expect_err("the variable is not set");
    keys.hold(&env.id, &SecretString::from(KEY))
        .expect("it is a key");
    let found = keys
        .find(&env)
        .await
        .expect("it is held")
        .expect("there is one");
    assert_eq!(found.expose_secret(), KEY);
    let set = Environment {
        key: KeyPlace::Variable("PATH".to_owned()),
        ..env.clone()
    };
    let found = keys
        .find(&set)
        .await
        .expect("it is held")
        .expect("there is one");
    assert_eq!(
        found.expose_secret(),
        KEY,
        "a variable may hold another host's key"
    );
    let mut settings = Settings::default();
    settings.environments.push(env.clone());
    for _ in 0..2 {
        keys.save(&settings, None).await.expect("it is saved");
        keys.find(&env)
            .await
            .expect("a save of what is as it was lets nothing go");
    }
    settings.environments.retain(|env| env.demo);
    settings.environments.push(set.clone());
    keys.save(&settings, None).await.expect("it is saved");
    let found = keys
        .find(&set)
        .await
        .expect("it is set")
        .expect("there is one");
    assert_ne!(
        found.expose_secret(),
        KEY,
        "whoever names another variable means what is in it"
    );
    keys.hold(&env.id, &SecretString::from(KEY))
        .expect("it is a key");
    keys.forget(&env).await.expect("nothing is in its way");
    keys.find(&env).await.expect_err("it is forgotten");
}
