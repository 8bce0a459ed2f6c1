//! Keys in variables and in the settings file.

use batida::domain::environment::{EnvId, KeyPlace};
use batida::domain::settings::Settings;
use batida::io::secrets::ExtraSecrets;
use batida::protocol::KeyChange;

use crate::support::secrets::{
    KEY, extras_found, found, keys_in, new_key, pair, settings_with, settings_with_extras,
};

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
