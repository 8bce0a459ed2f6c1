//! The settings file: what is kept, what is never lost, and who may read it.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use batida::domain::environment::{ApiAddress, ClusterAccess, EnvId, Environment, KeyPlace};
use batida::domain::settings::{Settings, ThemeChoice};
use batida::io::settings::{Loaded, SettingsStore};
use secrecy::ExposeSecret as _;

const KEY: &str = "sk-very-secret";

fn store_in(dir: &Path) -> SettingsStore {
    SettingsStore::in_dir(&dir.join("batida"))
}

fn environment(id: &str, key: KeyPlace) -> Environment {
    Environment {
        api: Some(ApiAddress::parse("api.example.com").expect("an address")),
        key,
        ca_file: Some("/etc/ssl/my \"ca\".pem".into()),
        accept_invalid_certs: true,
        client_cert: Some("/etc/ssl/me.pem".into()),
        client_key: Some("/etc/ssl/me.key".into()),
        cluster: Some(ClusterAccess {
            context: Some("prod".to_owned()),
            ..ClusterAccess::default()
        }),
        ..Environment::blank(EnvId(id.to_owned()), format!("{id} é 🎉"))
    }
}

fn some_settings() -> Settings {
    let mut settings = Settings {
        theme: ThemeChoice::Light,
        ..Settings::default()
    };
    settings
        .environments
        .push(environment("a", KeyPlace::SettingsFile));
    settings
        .environments
        .push(environment("b", KeyPlace::Variable("MY_KEY".to_owned())));
    settings
        .environments
        .push(environment("c", KeyPlace::Keychain));
    settings
        .environments
        .push(Environment::blank(EnvId("d".to_owned()), "d"));
    settings.selected = EnvId("b".to_owned());
    settings
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path)
        .expect("it is there")
        .permissions()
        .mode()
        & 0o777
}

fn key_of(store: &SettingsStore, id: &str) -> Option<String> {
    let key = store.file_key(&EnvId(id.to_owned())).expect("readable");
    key.map(|key| key.expose_secret().to_owned())
}

/// Files in the store's folder, by name.
fn names(store: &SettingsStore) -> Vec<String> {
    let dir = store.path().parent().expect("a folder");
    let mut names: Vec<String> = fs::read_dir(dir)
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

#[test]
fn a_first_start_has_the_demo_and_writes_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store_in(dir.path());
    assert_eq!(
        store.load(),
        Loaded {
            settings: Settings::default(),
            notice: None
        }
    );
    assert!(!dir.path().join("batida").exists());
}

#[test]
fn what_was_saved_comes_back_and_only_the_owner_reads_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store_in(dir.path());
    let settings = some_settings();
    store.save(&settings).expect("saved");
    store.save(&settings).expect("saved again");
    assert_eq!(
        store_in(dir.path()).load(),
        Loaded {
            settings,
            notice: None
        }
    );
    assert_eq!(mode(store.path()), 0o600);
    assert_eq!(mode(store.path().parent().expect("a folder")), 0o700);
    assert_eq!(names(&store), ["settings.toml"]);
    let text = fs::read_to_string(store.path()).expect("text");
    assert!(text.starts_with("version = 1\n"), "{text}");
    assert!(
        !text.contains("demo") && !text.contains("api_key"),
        "{text}"
    );
}

#[test]
fn the_demo_alone_is_an_empty_file_with_a_version() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store_in(dir.path());
    let mut settings = Settings::default();
    settings
        .environments
        .push(Environment::blank(EnvId::ad_hoc(), "for one run"));
    store.save(&settings).expect("saved");
    assert_eq!(store.load().settings, Settings::default());
}

#[test]
fn keys_stay_across_saves_and_leave_with_the_choice() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store_in(dir.path());
    let mut settings = some_settings();
    let (a, b) = (EnvId("a".to_owned()), EnvId("b".to_owned()));
    store.set_file_key(&a, Some(KEY.into())).expect("held");
    assert!(!store.path().exists());
    assert_eq!(key_of(&store, "a").as_deref(), Some(KEY));
    store.save(&settings).expect("saved");
    settings.theme = ThemeChoice::Dark;
    store_in(dir.path())
        .save(&settings)
        .expect("saved by another");
    assert_eq!(key_of(&store_in(dir.path()), "a").as_deref(), Some(KEY));
    assert_eq!(mode(store.path()), 0o600);

    // An environment that keeps its key elsewhere gets none, whatever is asked.
    store
        .set_file_key(&b, Some("sk-other".into()))
        .expect("held");
    store.save(&settings).expect("saved");
    assert_eq!(key_of(&store, "b"), None);
    assert!(
        !fs::read_to_string(store.path())
            .expect("text")
            .contains("sk-other")
    );

    store
        .set_file_key(&a, Some("sk-new".into()))
        .expect("written");
    assert_eq!(
        key_of(&store_in(dir.path()), "a").as_deref(),
        Some("sk-new")
    );
    settings.environments[1].key = KeyPlace::Keychain;
    store.save(&settings).expect("saved");
    assert!(
        !fs::read_to_string(store.path())
            .expect("text")
            .contains("sk-")
    );
}

#[test]
fn a_key_can_be_taken_out() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store_in(dir.path());
    let a = EnvId("a".to_owned());
    store.set_file_key(&a, Some(KEY.into())).expect("held");
    store.save(&some_settings()).expect("saved");
    store.set_file_key(&a, None).expect("written");
    assert_eq!(key_of(&store, "a"), None);
    assert_eq!(store.load().settings, some_settings());
    assert!(!format!("{store:?}").contains(KEY));
}

#[test]
fn a_loose_file_with_a_key_is_tightened() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store_in(dir.path());
    store
        .set_file_key(&EnvId("a".to_owned()), Some(KEY.into()))
        .expect("held");
    store.save(&some_settings()).expect("saved");
    fs::set_permissions(store.path(), fs::Permissions::from_mode(0o644)).expect("loosened");
    store.load();
    assert_eq!(mode(store.path()), 0o600);
}

/// `text` is not understood: it is moved aside unchanged, told of, and the key in it is not.
#[track_caller]
fn check_kept_aside(text: &[u8], reason: &str) {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store_in(dir.path());
    fs::create_dir_all(store.path().parent().expect("a folder")).expect("made");
    for round in 1..=3 {
        fs::write(store.path(), text).expect("written");
        let Loaded { settings, notice } = store.load();
        assert_eq!(settings, Settings::default());
        let notice = notice.expect("a notice");
        assert!(notice.summary.contains(reason), "{notice:?}");
        assert!(!format!("{notice:?}").contains(KEY), "{notice:?}");
        let kept: Vec<PathBuf> = names(&store)
            .into_iter()
            .map(|name| store.path().with_file_name(name))
            .collect();
        assert_eq!(kept.len(), round, "{kept:?}");
        let told = kept
            .iter()
            .find(|path| notice.advice.contains(&*path.to_string_lossy()));
        let told = told.unwrap_or_else(|| panic!("{notice:?} names none of {kept:?}"));
        assert!(
            told.to_string_lossy().contains("settings.toml.kept-2"),
            "{told:?}"
        );
        assert!(
            kept.iter()
                .all(|path| fs::read(path).expect("readable") == text)
        );
    }
    store.save(&some_settings()).expect("saved");
    assert_eq!(store.load().settings, some_settings());
    assert_eq!(names(&store).len(), 4);
}

#[test]
fn files_that_are_not_understood_are_kept_aside() {
    check_kept_aside(
        format!("version = 1\napi_key = \"{KEY}\nx").as_bytes(),
        "is not valid in line ",
    );
    check_kept_aside(b"version = 0", "file version 0 is not known");
    check_kept_aside(b"", "has no version");
    check_kept_aside(b"version = \"one\"", "is not valid");
    check_kept_aside(b"\xff\xfe\x00", "not text");
    let env =
        |id: &str, more: &str| format!("[[environments]]\nid = \"{id}\"\nname = \"x\"\n{more}\n");
    let one = |text: String| format!("version = 1\n{text}").into_bytes();
    check_kept_aside(
        &one(env("a", "") + &env("a", "")),
        "two environments have the id \"a\"",
    );
    check_kept_aside(&one(env("demo", "")), "cannot have the id \"demo\"");
    check_kept_aside(&one(env("", "")), "cannot have the id \"\"");
    check_kept_aside(
        &one(env("a", &format!("key = \"{KEY}\""))),
        "is not valid in line 5",
    );
    check_kept_aside(
        &one(env("a", "api = \"ftp://x\"")),
        "is not valid in line 5",
    );
}

/// What another version wrote is its business: nothing is moved, nothing is written, and it is said why.
#[test]
fn files_of_another_version_are_left_alone() {
    for (text, reason) in [
        (
            format!("version = 1\nkey = \"{KEY}\""),
            "unknown field `key` in line 2",
        ),
        (
            "version = 2\nnew_things = true".to_owned(),
            "it was written by a newer version of Batida (file version 2)",
        ),
        (
            "version = 1\n[[environments]]\nid = \"a\"\nname = \"x\"\nturbo = true".to_owned(),
            "`turbo` in line 5",
        ),
    ] {
        let dir = tempfile::tempdir().expect("a folder");
        let store = store_in(dir.path());
        fs::create_dir_all(store.path().parent().expect("a folder")).expect("made");
        fs::write(store.path(), &text).expect("written");
        let Loaded { settings, notice } = store.load();
        assert_eq!(settings, Settings::default());
        let notice = notice.expect("a notice");
        assert!(
            notice.summary.contains(reason) && notice.advice.contains("is not changed"),
            "{notice:?}"
        );
        assert!(!format!("{notice:?}").contains(KEY), "{notice:?}");
        store.save(&some_settings()).expect_err("it must not");
        store_in(dir.path())
            .save(&some_settings())
            .expect_err("who has not looked must not either");
        assert_eq!(names(&store), ["settings.toml"]);
        assert_eq!(fs::read_to_string(store.path()).expect("readable"), text);
    }
}

#[test]
fn who_only_reads_moves_nothing_aside() {
    for text in [
        "version = 1\nbroken = ",
        "version = 2",
        "version = 1\nnew = 1",
        "",
        "version = 0",
    ] {
        let dir = tempfile::tempdir().expect("a folder");
        let store = store_in(dir.path());
        fs::create_dir_all(store.path().parent().expect("a folder")).expect("made");
        fs::write(store.path(), text).expect("written");
        let Loaded { settings, notice } = store.load_untouched();
        assert_eq!(settings, Settings::default());
        assert!(
            notice.is_some_and(|notice| notice.advice.contains("is not changed")),
            "{text:?}"
        );
        assert_eq!(names(&store), ["settings.toml"]);
        assert_eq!(fs::read_to_string(store.path()).expect("readable"), text);
    }
}

/// A command line that saves settings has no database to move them to.
#[test]
fn what_is_still_to_be_moved_outlives_a_save_and_goes_with_its_environment() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store_in(dir.path());
    let text = "version = 1\n[[environments]]\nid = \"a\"\nname = \"a\"\n\
                [benches.demo]\nlast = '{\"seed\": 9}'\n\
                [[benches.demo.presets]]\nname = \"theirs\"\nplan = '{\"turbo\": 1}'\n\
                [playgrounds]\na = '{\"draft\": \"half\"}'\n\
                [[votes]]\none = \"m\"\nother = \"n\"\nwins = 1\nlosses = 0\nties = 0\n";
    fs::create_dir_all(store.path().parent().expect("a folder")).expect("made");
    fs::write(store.path(), text).expect("written");
    let mut settings = store.load().settings;
    settings.theme = ThemeChoice::Dark;
    store.save(&settings).expect("saved");
    let kept = fs::read_to_string(store.path()).expect("text");
    for theirs in [
        "{\"seed\": 9}",
        "{\"turbo\": 1}",
        "half",
        "wins = 1",
        "dark",
    ] {
        assert!(kept.contains(theirs), "{theirs} is not in {kept}");
    }
    settings.environments.retain(|env| env.demo);
    store.save(&settings).expect("saved");
    let kept = fs::read_to_string(store.path()).expect("text");
    assert!(
        kept.contains("{\"turbo\": 1}") && !kept.contains("half"),
        "{kept}"
    );
}

#[test]
fn a_file_broken_while_batida_runs_is_not_overwritten() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store_in(dir.path());
    store.save(&some_settings()).expect("saved");
    fs::write(store.path(), "oops").expect("written");
    let failure = store.save(&some_settings()).expect_err("it says so");
    assert!(failure.advice.contains(".kept-"), "{failure:?}");
    store.save(&some_settings()).expect("saved");
    assert_eq!(names(&store).len(), 2);
}

#[test]
fn a_file_that_cannot_be_read_is_never_overwritten() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store_in(dir.path());
    // Root reads everything; a folder in its place is unreadable for everyone.
    fs::create_dir_all(store.path()).expect("made");
    let notice = store.load().notice.expect("a notice");
    assert!(notice.summary.contains("could not be read"), "{notice:?}");
    store.save(&some_settings()).expect_err("it must not");
    store
        .set_file_key(&EnvId("a".to_owned()), Some(KEY.into()))
        .expect_err("it must not");

    // Readable again, but nobody has seen what is in it.
    fs::remove_dir(store.path()).expect("removed");
    let mut old = some_settings();
    old.theme = ThemeChoice::Dark;
    store_in(dir.path()).save(&old).expect("saved");
    store
        .save(&Settings::default())
        .expect_err("it still must not");
    assert_eq!(
        store.load(),
        Loaded {
            settings: old,
            notice: None
        }
    );
    store.save(&some_settings()).expect("saved");
}

#[test]
fn a_forbidden_file_is_reported() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store_in(dir.path());
    store.save(&some_settings()).expect("saved");
    fs::set_permissions(store.path(), fs::Permissions::from_mode(0o000)).expect("forbidden");
    if fs::read(store.path()).is_ok() {
        // Root may read it all the same.
        assert_eq!(store.load().notice, None);
        return;
    }
    assert!(store.load().notice.is_some());
    store.save(&Settings::default()).expect_err("it must not");
    assert_eq!(names(&store), ["settings.toml"]);
}

#[test]
fn a_link_stays_a_link() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store_in(dir.path());
    fs::create_dir_all(dir.path().join("batida")).expect("made");
    fs::create_dir_all(dir.path().join("dotfiles")).expect("made");
    symlink("../dotfiles/batida.toml", store.path()).expect("linked");
    for _ in 0..2 {
        store.save(&some_settings()).expect("saved");
        assert!(
            fs::symlink_metadata(store.path())
                .expect("there")
                .is_symlink()
        );
        assert_eq!(store.load().settings, some_settings());
    }
    fs::write(store.path(), "oops").expect("written");
    let notice = store.load().notice.expect("a notice");
    assert!(
        notice.advice.contains("dotfiles/batida.toml.kept-"),
        "{notice:?}"
    );
    assert_eq!(names(&store), ["settings.toml"]);

    let circle = store_in(&dir.path().join("circle"));
    fs::create_dir_all(circle.path().parent().expect("a folder")).expect("made");
    symlink("settings.toml", circle.path()).expect("linked");
    assert!(circle.load().notice.is_some());
    circle.save(&some_settings()).expect_err("there is no end");
}

#[test]
fn a_folder_that_cannot_be_made_is_a_failure() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("batida"), "a file").expect("written");
    let failure = store_in(dir.path())
        .save(&some_settings())
        .expect_err("no folder");
    assert!(!failure.summary.is_empty());
}

#[test]
fn what_another_window_has_added_is_not_lost() {
    let dir = tempfile::tempdir().expect("a folder");
    let (one, other) = (
        SettingsStore::in_dir(dir.path()),
        SettingsStore::in_dir(dir.path()),
    );
    let (mut mine, mut theirs) = (one.load().settings, other.load().settings);
    theirs
        .environments
        .push(Environment::blank(EnvId("env-b".to_owned()), "b"));
    other.save(&theirs).expect("saved");
    mine.theme = ThemeChoice::Light;
    one.save(&mine).expect("saved");
    let kept = SettingsStore::in_dir(dir.path()).load().settings;
    assert_eq!(
        (kept.theme, kept.by_name("b").is_some()),
        (ThemeChoice::Light, true)
    );
    // What a window has seen it may remove.
    let mut mine = one.load().settings;
    mine.environments.retain(|env| env.name != "b");
    one.save(&mine).expect("saved");
    assert!(
        SettingsStore::in_dir(dir.path())
            .load()
            .settings
            .by_name("b")
            .is_none()
    );
}
