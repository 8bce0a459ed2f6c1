//! Environments of other files, imported in Environments.

use batida::domain::environment::{EnvId, Environment, KeyPlace};
use batida::domain::settings::Settings;
use batida::io::secrets::Keys;
use batida::io::settings::SettingsStore;
use secrecy::{ExposeSecret as _, SecretString};

use crate::support::dropped::{KEY, drop_file, sambawiz, ticked};
use crate::support::environments::{api_env, runtime};
use crate::support::window::Window;

#[test]
fn no_key_of_an_import_reaches_the_settings_file() {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let file = sambawiz(dir.path(), "prod.yaml", "https://api.example.com");
    let mut window = Window::start();
    window.state_mut().state().environments.has_keychain = Some(false);
    window.click("Environments");
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

#[test]
fn home_says_what_can_be_dropped_on_it() {
    let mut window = Window::on_demo();
    window.click("Environments");
    window
        .input_mut()
        .hovered_files
        .push(egui::HoveredFile::default());
    window.see("Drop a file to import its environments");
    window.input_mut().hovered_files.clear();
    window.until("it is gone", |window| {
        !window.shows("Drop a file to import")
    });
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
    let mut window = Window::start();
    window.click("Environments");
    drop_file(&mut window, store.path());
    window.see("1 environment in another Batida's settings");
    window.see("its key was not imported: enter it in Environments");
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
    let mut window = Window::start();
    window.click("Environments");
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
