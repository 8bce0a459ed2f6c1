//! Keys in a real Secret Service, in variables, in the settings file, and where there is no keychain.
//!
//! D-Bus is found through the environment, which a test cannot change for itself: the tests run this
//! very binary again, with the tests named `inner_…`, in an environment of their making. Without it those
//! return at once.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use batida::domain::conversation::{Attached, Attachment};
use batida::domain::environment::{
    ApiAddress, EnvId, Environment, Extra, ExtraKind, ExtraValue, KeyPlace,
};
use batida::domain::settings::{PlaygroundForm, Settings};
use batida::engine::{Engine, Options, Started};
use batida::io::secrets::{ExtraSecrets, Keys};
use batida::io::settings::SettingsStore;
use batida::protocol::{Command, Event, Failure, KeyChange};
use secrecy::ExposeSecret as _;

use crate::support::programs::{RAN, check_test, find, output_of, quiet, say_ran, this_test};

/// Tells an inner test its folder, and that it is meant to run.
const FOLDER: &str = "BATIDA_TEST_FOLDER";
const KEY: &str = "sk-very-secret-wxyz";

fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

fn keys_in(dir: &Path) -> (Keys, SettingsStore) {
    let store = SettingsStore::in_dir(dir);
    (Keys::new(store.clone()), store)
}

fn settings_with(key: KeyPlace) -> Settings {
    let mut settings = Settings::default();
    settings.environments.push(Environment {
        key,
        ..Environment::blank(EnvId("prod".to_owned()), "Prod")
    });
    settings
}

fn new_key() -> KeyChange {
    KeyChange {
        env: EnvId("prod".to_owned()),
        key: Some(format!(" {KEY}\n").into()),
    }
}

async fn found(keys: &Keys, settings: &Settings) -> Result<Option<String>, Failure> {
    let key = keys.find(&settings.environments[1]).await?;
    Ok(key.map(|key| key.expose_secret().to_owned()))
}

/// Runs `script` with a fresh, unlocked keyring; `$inner NAME` in it runs an inner test.
#[track_caller]
fn in_a_desktop_session(script: &str) -> String {
    let session = find("dbus-run-session", "dbus");
    find("gnome-keyring-daemon", "gnome-keyring");
    find("secret-tool", "libsecret-tools");
    let dir = tempfile::tempdir().expect("a folder");
    let this = std::env::current_exe().expect("a path");
    let script = format!(
        r#"set -eu
        printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null
        inner() {{ "{}" --exact "secrets::$1" --nocapture | grep "{RAN}" >&2; }}
        {script}"#,
        this.display()
    );
    let mut command = quiet(session);
    command
        .args(["--", "sh", "-c", &script])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    for variable in [
        "HOME",
        "XDG_RUNTIME_DIR",
        "XDG_DATA_HOME",
        "XDG_CONFIG_HOME",
        "XDG_CACHE_HOME",
        FOLDER,
    ] {
        command.env(variable, dir.path());
    }
    output_of(&mut command)
}

#[test]
fn a_key_lives_in_the_keychain_until_it_is_forgotten() {
    let said = in_a_desktop_session(
        "inner inner_saves
        secret-tool lookup service batida; echo
        inner inner_finds_and_replaces
        secret-tool lookup service batida; echo
        inner inner_moves_to_the_file
        secret-tool lookup service batida || echo forgotten",
    );
    assert_eq!(said.trim(), format!("{KEY}\nsk-second\nforgotten"));
}

#[test]
fn a_key_is_forgotten_with_its_environment() {
    let said = in_a_desktop_session(
        "inner inner_saves
        inner inner_removes_the_environment
        secret-tool lookup service batida || echo forgotten",
    );
    assert_eq!(said.trim(), "forgotten");
}

#[test]
fn a_window_that_keeps_its_draft_does_not_touch_the_key_another_has_typed() {
    let said = in_a_desktop_session(
        "inner inner_types_in_two_windows
        secret-tool lookup service batida || echo forgotten",
    );
    assert_eq!(said.trim(), KEY);
}

#[tokio::test]
async fn inner_types_in_two_windows() {
    let Some(dir) = folder() else { return };
    let variable = settings_with(KeyPlace::Variable("X".to_owned()));
    keys_in(&dir).0.save(&variable, None).await.expect("saved");
    let ((one, one_store), (other, other_store)) = (keys_in(&dir), keys_in(&dir));
    let (mut mine, theirs) = (one_store.load().settings, other_store.load().settings);
    assert_eq!(mine, theirs);
    // The other one moves to the keychain, types a key and goes to another host.
    let mut theirs = settings_with(KeyPlace::Keychain);
    theirs.environments[1].api = ApiAddress::parse("new.example").ok();
    other.save(&theirs, Some(&new_key())).await.expect("saved");
    let form = PlaygroundForm {
        draft: "h".to_owned(),
        ..PlaygroundForm::default()
    };
    one.keep_playgrounds(&[(EnvId::demo(), Some(form.clone()))].into())
        .expect("kept");
    mine.playgrounds.insert(EnvId::demo(), form);
    // Also what the first one means to save: it does not know the key, so it does not mean that.
    mine.environments[1].name = "Production".to_owned();
    one.save(&mine, None).await.expect("saved");
    let now = keys_in(&dir).1.load().settings;
    let env = &now.environments[1];
    assert_eq!(
        (env.name.as_str(), &env.key),
        ("Production", &KeyPlace::Keychain)
    );
    assert_eq!(
        (&env.api, now.playgrounds.len()),
        (&theirs.environments[1].api, 1)
    );
    assert_eq!(
        found(&one, &now).await.expect("found").as_deref(),
        Some(KEY)
    );
    say_ran();
}

#[tokio::test]
async fn inner_saves() {
    let Some(dir) = folder() else { return };
    let (keys, store) = keys_in(&dir);
    keys.keychain_available().await.expect("a keychain");
    let settings = settings_with(KeyPlace::Keychain);
    let missing = found(&keys, &settings).await.expect_err("no key yet");
    assert!(
        missing
            .summary
            .contains("no API key in the system's keychain"),
        "{missing:?}"
    );
    keys.save(&settings, Some(&new_key())).await.expect("saved");
    assert_eq!(
        found(&keys, &settings).await.expect("found").as_deref(),
        Some(KEY)
    );
    let file = std::fs::read_to_string(store.path()).expect("text");
    assert!(!file.contains(KEY), "{file}");
    say_ran();
}

#[tokio::test]
async fn inner_finds_and_replaces() {
    let Some(dir) = folder() else { return };
    let (keys, store) = keys_in(&dir);
    let settings = store.load().settings;
    assert_eq!(
        found(&keys, &settings).await.expect("found").as_deref(),
        Some(KEY)
    );
    let (others, _) = keys_in(&dir.join("elsewhere"));
    found(&others, &settings)
        .await
        .expect_err("another folder's keys are its own");
    keys.put(&settings.environments[1], &"sk-second".into())
        .await
        .expect("replaced");
    assert_eq!(
        found(&keys, &settings).await.expect("found").as_deref(),
        Some("sk-second")
    );
    say_ran();
}

#[tokio::test]
async fn inner_moves_to_the_file() {
    let Some(dir) = folder() else { return };
    let (keys, _) = keys_in(&dir);
    let settings = settings_with(KeyPlace::SettingsFile);
    keys.save(&settings, None).await.expect("saved");
    assert_eq!(
        found(&keys, &settings).await.expect("found").as_deref(),
        Some("sk-second")
    );
    say_ran();
}

#[tokio::test]
async fn inner_removes_the_environment() {
    let Some(dir) = folder() else { return };
    let (keys, store) = keys_in(&dir);
    // What it has not seen would be another window's.
    store.load();
    keys.save(&Settings::default(), None).await.expect("saved");
    say_ran();
}

#[test]
fn without_a_desktop_bus_the_keychain_says_so_quickly() {
    let dir = tempfile::tempdir().expect("a folder");
    let began = Instant::now();
    for bus in [None, Some("unix:path=/nowhere/bus"), Some("nonsense")] {
        let mut command = this_test("secrets::inner_has_no_keychain");
        command
            .env_clear()
            .envs(bus.map(|bus| ("DBUS_SESSION_BUS_ADDRESS", bus)));
        check_test(
            command
                .env(FOLDER, dir.path())
                .env("HOME", dir.path())
                .env("XDG_RUNTIME_DIR", dir.path()),
        );
    }
    assert!(
        began.elapsed() < Duration::from_secs(6),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn a_bus_without_a_keychain_says_so() {
    let session = find("dbus-run-session", "dbus");
    let dir = tempfile::tempdir().expect("a folder");
    let empty = dir.path().join("bus.conf");
    // A bus that can start no services.
    std::fs::write(
        &empty,
        format!(
            "<busconfig><type>session</type><listen>unix:tmpdir={}</listen>\
             <policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/>\
             <allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>",
            dir.path().display()
        ),
    )
    .expect("written");
    let inner = this_test("secrets::inner_has_no_keychain");
    let mut command = quiet(session);
    command
        .arg("--config-file")
        .arg(&empty)
        .arg("--")
        .arg(inner.get_program())
        .args(inner.get_args());
    check_test(
        command
            .env(FOLDER, dir.path())
            .env("HOME", dir.path())
            .env("XDG_RUNTIME_DIR", dir.path()),
    );
}

#[tokio::test]
async fn inner_has_no_keychain() {
    let Some(dir) = folder() else { return };
    let (keys, store) = keys_in(&dir);
    let settings = settings_with(KeyPlace::Keychain);
    for failure in [
        keys.keychain_available().await.expect_err("none"),
        found(&keys, &settings).await.expect_err("none"),
        keys.save(&settings, Some(&new_key()))
            .await
            .expect_err("none"),
    ] {
        assert_eq!(failure.summary, "The system's keychain is not available");
        assert!(
            failure.advice.contains("environment variable") && !failure.details.is_empty(),
            "{failure:?}"
        );
    }
    // The rest of what was typed is kept: only the key has no place.
    assert_eq!(store.load().settings, settings);
    let text = std::fs::read_to_string(store.path()).expect("saved");
    assert!(!text.contains(KEY), "{text}");
    say_ran();
}

#[test]
fn drafts_do_not_wait_for_a_keychain_that_does_not_answer() {
    let dir = tempfile::tempdir().expect("a folder");
    let bus = dir.path().join("bus");
    // Whoever connects waits for ever.
    let _listens = std::os::unix::net::UnixListener::bind(&bus).expect("a socket");
    let mut command = this_test("secrets::inner_keeps_a_draft");
    command.env_clear().env(
        "DBUS_SESSION_BUS_ADDRESS",
        format!("unix:path={}", bus.display()),
    );
    check_test(
        command
            .env(FOLDER, dir.path())
            .env("HOME", dir.path())
            .env("XDG_RUNTIME_DIR", dir.path()),
    );
}

#[test]
fn inner_keeps_a_draft() {
    let Some(dir) = folder() else { return };
    let options = Options {
        config: Some(dir.join("config")),
        twin: None,
    };
    let Started { engine, events, .. } = Engine::start(options, || {}).expect("it starts");
    engine.send(Command::SaveSettings {
        settings: settings_with(KeyPlace::Keychain),
        key: Some(new_key()),
    });
    let form = PlaygroundForm {
        draft: "half".to_owned(),
        ..PlaygroundForm::default()
    };
    engine.send(Command::KeepPlaygrounds {
        changed: [(EnvId::demo(), Some(form))].into(),
    });
    let note = Attachment {
        name: "a.md".to_owned(),
        content: Attached::Text("a".into()),
    };
    engine.send(Command::KeepDraft {
        env: EnvId::demo(),
        attached: vec![note],
    });
    for _ in 0..2 {
        let kept = loop {
            match events
                .recv_timeout(Duration::from_secs(30))
                .expect("it goes on")
            {
                Event::PlaygroundsKept { outcome, .. } | Event::DraftKept { outcome, .. } => {
                    break outcome;
                }
                Event::SettingsSaved { outcome } => {
                    panic!("the drafts waited for the keychain: {outcome:?}")
                }
                _ => {}
            }
        };
        kept.expect("it is kept");
    }
    drop(engine);
    let kept = SettingsStore::in_dir(&dir.join("config")).load().settings;
    assert_eq!(kept.playgrounds[&EnvId::demo()].draft, "half");
    say_ran();
}

#[tokio::test]
async fn variables_and_no_key_at_all() {
    let dir = tempfile::tempdir().expect("a folder");
    let (keys, _) = keys_in(dir.path());
    assert_eq!(
        found(&keys, &settings_with(KeyPlace::None))
            .await
            .expect("none needed"),
        None
    );
    let unset = settings_with(KeyPlace::Variable("BATIDA_TEST_UNSET".to_owned()));
    let failure = found(&keys, &unset).await.expect_err("unset");
    assert!(failure.summary.contains("BATIDA_TEST_UNSET"), "{failure:?}");
    let failure = keys
        .save(&unset, Some(&new_key()))
        .await
        .expect_err("nowhere to put it");
    assert!(
        failure.summary.contains("$BATIDA_TEST_UNSET") && !failure.summary.contains(KEY),
        "{failure:?}"
    );
    let set = settings_with(KeyPlace::Variable("PATH".to_owned()));
    assert_eq!(
        found(&keys, &set).await.expect("set"),
        std::env::var("PATH").ok()
    );
}

#[tokio::test]
async fn keys_in_the_settings_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let (keys, store) = keys_in(dir.path());
    let settings = settings_with(KeyPlace::SettingsFile);
    found(&keys, &settings).await.expect_err("no key yet");
    keys.save(&settings, Some(&new_key())).await.expect("saved");
    keys.save(&settings, None).await.expect("saved again");
    assert_eq!(
        found(&keys_in(dir.path()).0, &settings)
            .await
            .expect("found")
            .as_deref(),
        Some(KEY)
    );

    // To a variable: the copy in the file goes.
    let variable = settings_with(KeyPlace::Variable("X".to_owned()));
    keys.save(&variable, None).await.expect("saved");
    assert!(
        !std::fs::read_to_string(store.path())
            .expect("text")
            .contains(KEY)
    );

    keys.save(&settings, Some(&new_key())).await.expect("saved");
    let forget = KeyChange {
        key: None,
        ..new_key()
    };
    keys.save(&settings, Some(&forget)).await.expect("saved");
    found(&keys, &settings).await.expect_err("forgotten");
    keys.save(
        &settings,
        Some(&KeyChange {
            key: Some("two\nlines".into()),
            ..new_key()
        }),
    )
    .await
    .expect_err("no key");
}

#[tokio::test]
async fn a_key_survives_settings_that_could_not_be_saved() {
    let dir = tempfile::tempdir().expect("a folder");
    let (keys, store) = keys_in(dir.path());
    let settings = settings_with(KeyPlace::SettingsFile);
    std::fs::create_dir_all(store.path()).expect("a folder in the file's place");
    keys.save(&settings, Some(&new_key()))
        .await
        .expect_err("unreadable");
    std::fs::remove_dir(store.path()).expect("removed");
    keys.save(&settings, Some(&new_key())).await.expect("saved");
    assert_eq!(
        found(&keys, &settings).await.expect("found").as_deref(),
        Some(KEY)
    );
}

#[tokio::test]
async fn a_key_that_is_typed_brings_back_what_another_window_deleted() {
    let dir = tempfile::tempdir().expect("a folder");
    let settings = settings_with(KeyPlace::SettingsFile);
    keys_in(dir.path())
        .0
        .save(&settings, None)
        .await
        .expect("saved");
    let ((one, one_store), (other, other_store)) = (keys_in(dir.path()), keys_in(dir.path()));
    one_store.load();
    other_store.load();
    other
        .save(&Settings::default(), None)
        .await
        .expect("deleted");
    one.save(&settings, None).await.expect("saved");
    assert_eq!(
        keys_in(dir.path()).1.load().settings,
        Settings::default(),
        "it does not come back by itself"
    );
    one.save(&settings, Some(&new_key())).await.expect("saved");
    assert_eq!(keys_in(dir.path()).1.load().settings, settings);
    assert_eq!(
        found(&one, &settings).await.expect("found").as_deref(),
        Some(KEY)
    );
}

fn settings_with_extras(key: KeyPlace, names: &[&str]) -> Settings {
    let mut settings = settings_with(key);
    let extra = |name: &&str| Extra {
        kind: ExtraKind::Header,
        name: (*name).to_owned(),
        value: ExtraValue::Kept,
    };
    settings.environments[1].extras = names.iter().map(extra).collect();
    settings
}

async fn extras_found(keys: &Keys, settings: &Settings) -> Result<Vec<(String, String)>, Failure> {
    let found = keys.find_extras(&settings.environments[1]).await?;
    Ok(found
        .into_iter()
        .map(|(slot, value)| (slot, value.expose_secret().to_owned()))
        .collect())
}

fn pair(slot: &str, value: &str) -> (String, String) {
    (slot.to_owned(), value.to_owned())
}

#[tokio::test]
async fn secret_headers_are_kept_in_the_settings_file_with_the_key() {
    let dir = tempfile::tempdir().expect("a folder");
    let (keys, store) = keys_in(dir.path());
    let settings = settings_with_extras(KeyPlace::SettingsFile, &["X-Token", "X-Other"]);
    let prod = EnvId("prod".to_owned());
    let told = extras_found(&keys, &settings).await.expect_err("none yet");
    assert!(
        told.summary.contains("header x-token") && told.summary.contains("the settings file"),
        "{told:?}"
    );
    let typed = |slot: &str, value: &str| ExtraSecrets::from([(slot.to_owned(), value.into())]);
    keys.stage_extras(&prod, typed("header x-token", " token-secret-1 "));
    keys.stage_extras(&prod, typed("header x-other", "other-secret-2"));
    keys.save(&settings, Some(&new_key())).await.expect("saved");
    // Another start, and a save that changes nothing of it.
    let (keys, store_again) = keys_in(dir.path());
    assert_eq!(store_again.load().settings, settings);
    keys.save(&settings, None).await.expect("saved again");
    let both = [
        pair("header x-other", "other-secret-2"),
        pair("header x-token", "token-secret-1"),
    ];
    assert_eq!(extras_found(&keys, &settings).await.expect("found"), both);
    assert_eq!(
        found(&keys, &settings).await.expect("found").as_deref(),
        Some(KEY)
    );
    // A header that is removed takes its value along, and so does another place of the key.
    let fewer = settings_with_extras(KeyPlace::SettingsFile, &["X-Other"]);
    keys.save(&fewer, None).await.expect("saved");
    let text = || std::fs::read_to_string(store.path()).expect("text");
    assert!(!text().contains("token-secret-1") && text().contains("other-secret-2"));
    keys.save(&settings_with(KeyPlace::SettingsFile), None)
        .await
        .expect("saved");
    assert!(!text().contains("other-secret-2"));
}

#[test]
fn secret_headers_are_kept_in_the_keychain() {
    let said = in_a_desktop_session(
        "inner inner_keeps_headers
        secret-tool search --all service batida 2>/dev/null || true",
    );
    assert!(!said.contains("token-secret-1"), "{said}");
}

#[tokio::test]
async fn inner_keeps_headers() {
    let Some(dir) = folder() else { return };
    let (keys, store) = keys_in(&dir);
    let in_keychain = settings_with_extras(KeyPlace::Variable("X".to_owned()), &["X-Token"]);
    let typed = ExtraSecrets::from([("header x-token".to_owned(), "token-secret-1".into())]);
    keys.stage_extras(&EnvId("prod".to_owned()), typed);
    keys.save(&in_keychain, None).await.expect("saved");
    let text = || std::fs::read_to_string(store.path()).expect("text");
    assert!(
        text().contains("X-Token") && !text().contains("token-secret-1"),
        "{}",
        text()
    );
    let one = [pair("header x-token", "token-secret-1")];
    assert_eq!(extras_found(&keys, &in_keychain).await.expect("found"), one);
    // It moves with the key's place, and back.
    let in_file = settings_with_extras(KeyPlace::SettingsFile, &["X-Token"]);
    keys.save(&in_file, None).await.expect("saved");
    assert!(text().contains("token-secret-1"));
    assert_eq!(extras_found(&keys, &in_file).await.expect("found"), one);
    extras_found(&keys, &in_keychain)
        .await
        .expect_err("it is no longer in the keychain");
    keys.save(&in_keychain, None).await.expect("saved");
    assert_eq!(extras_found(&keys, &in_keychain).await.expect("found"), one);
    keys.save(&settings_with(KeyPlace::None), None)
        .await
        .expect("saved");
    extras_found(&keys, &in_keychain)
        .await
        .expect_err("it went with its header");
    say_ran();
}
