//! Keys in a real Secret Service, and where there is no keychain.
//!
//! D-Bus is found through the environment, which a test cannot change for itself: the tests run this
//! very binary again, with the tests named `inner_…`, in an environment of their making. Without it those
//! return at once.

use std::time::{Duration, Instant};

use batida::domain::environment::{ApiAddress, EnvId, KeyPlace};
use batida::domain::settings::Settings;
use batida::io::secrets::ExtraSecrets;

use crate::support::programs::{RAN, check_test, find, output_of, quiet, say_ran, this_test};
use crate::support::secrets::{
    FOLDER, KEY, extras_found, folder, found, keys_in, new_key, pair, settings_with,
    settings_with_extras,
};

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
        inner() {{ "{}" --exact "keychain::$1" --nocapture | grep "{RAN}" >&2; }}
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
fn a_window_that_saves_its_settings_does_not_touch_the_key_another_has_typed() {
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
    // The first one does not know the key, so it does not mean to remove it.
    mine.environments[1].name = "Production".to_owned();
    one.save(&mine, None).await.expect("saved");
    let now = keys_in(&dir).1.load().settings;
    let env = &now.environments[1];
    assert_eq!(
        (env.name.as_str(), &env.key),
        ("Production", &KeyPlace::Keychain)
    );
    assert_eq!(env.api, theirs.environments[1].api);
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
        let mut command = this_test("keychain::inner_has_no_keychain");
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
    let inner = this_test("keychain::inner_has_no_keychain");
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
