//! The file dialog: with a portal of our own that "picks" a file, and where there is none.
//!
//! D-Bus is found through the environment, so this binary runs itself again.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use batida::engine::attach;
use batida::io::dialog::pick_file;
use batida::io::files::save_file;
use batida::protocol::AttachSources;
use zbus::message::Header;
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};

use crate::support::programs::{check_test, find, quiet, say_ran, this_test};

const MARK: &str = "BATIDA_TEST_DIALOG";

#[test]
fn without_a_portal_the_path_is_to_be_typed() {
    let began = Instant::now();
    for bus in [None, Some("unix:path=/nowhere/bus")] {
        let mut command = this_test("dialog::inner_has_no_portal");
        check_test(
            command
                .env_clear()
                .envs(bus.map(|bus| ("DBUS_SESSION_BUS_ADDRESS", bus)))
                .env(MARK, "1"),
        );
    }
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_file_is_saved_whole_or_not_at_all() {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let path = dir.path().join("report.json");
    for content in [b"old".as_slice(), b"new"] {
        save_file(&path, content.into())
            .await
            .expect("it can be written");
        assert_eq!(std::fs::read(&path).expect("it is there"), content);
    }
    let files = std::fs::read_dir(dir.path())
        .expect("it is a folder")
        .count();
    assert_eq!(files, 1, "nothing is left beside it");
    let failure = save_file(&dir.path().join("no/report.json"), (*b"x").into())
        .await
        .expect_err("no folder");
    assert!(
        failure.summary.contains("could not be written"),
        "{failure:?}"
    );
}

#[test]
fn a_file_is_picked_through_the_portal() {
    let inner = this_test("dialog::inner_picks");
    let mut command = quiet(find("dbus-run-session", "dbus"));
    check_test(
        command
            .arg("--")
            .arg(inner.get_program())
            .args(inner.get_args())
            .env(MARK, "1"),
    );
}

#[tokio::test]
async fn inner_has_no_portal() {
    if std::env::var_os(MARK).is_none() {
        return;
    }
    let failure = pick_file("Pick", "Type the path instead")
        .await
        .expect_err("no portal");
    assert!(failure.advice.contains("Type the path"), "{failure:?}");
    say_ran();
}

/// As much of a portal as a file dialog needs. The title says what the user does.
struct Portal(tokio::runtime::Handle);

#[zbus::interface(name = "org.freedesktop.portal.FileChooser")]
impl Portal {
    #[zbus(property, name = "version")]
    async fn version(&self) -> u32 {
        3
    }

    async fn open_file(
        &self,
        _parent: String,
        title: String,
        options: HashMap<String, OwnedValue>,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &zbus::Connection,
    ) -> OwnedObjectPath {
        let token = options["handle_token"]
            .downcast_ref::<String>()
            .expect("a token");
        let sender = header
            .sender()
            .expect("a sender")
            .trim_start_matches(':')
            .replace('.', "_");
        let path = format!("/org/freedesktop/portal/desktop/request/{sender}/{token}");
        let several = options
            .get("multiple")
            .and_then(|on| on.downcast_ref::<bool>().ok())
            == Some(true);
        let picked = title == "Pick" || several;
        let uris = match (picked, several) {
            (_, true) => vec!["file:///etc/hostname", "file:///etc"],
            (true, _) => vec!["file:///home/me/my%20ca.pem"],
            _ => Vec::new(),
        };
        let results = HashMap::from([("uris", Value::from(uris))]);
        let response = (u32::from(!picked), results);
        let (bus, to, request) = (
            bus.clone(),
            header.sender().map(|to| to.to_owned()),
            path.clone(),
        );
        self.0.spawn(async move {
            // A person takes longer than the reply; rfd misses an answer that comes before it.
            tokio::time::sleep(Duration::from_millis(300)).await;
            let interface = "org.freedesktop.portal.Request";
            bus.emit_signal(to, request.as_str(), interface, "Response", &response)
                .await
                .expect("sent");
        });
        OwnedObjectPath::try_from(path).expect("a path")
    }
}

#[tokio::test]
async fn inner_picks() {
    if std::env::var_os(MARK).is_none() {
        return;
    }
    let _portal = zbus::connection::Builder::session()
        .and_then(|bus| bus.name("org.freedesktop.portal.Desktop"))
        .and_then(|bus| {
            bus.serve_at(
                "/org/freedesktop/portal/desktop",
                Portal(tokio::runtime::Handle::current()),
            )
        })
        .expect("a bus")
        .build()
        .await
        .expect("a portal");
    let picked = pick_file("Pick", "Type the path instead")
        .await
        .expect("a dialog")
        .expect("a file");
    assert_eq!(picked, Path::new("/home/me/my ca.pem"));
    assert_eq!(pick_file("Cancel", "").await, Ok(None));
    let read = attach::read(AttachSources::Dialog, 1_000).await;
    let [Ok(file), Err(folder)] = read.as_slice() else {
        panic!("{read:?}")
    };
    assert_eq!(file.name, "hostname");
    assert!(folder.summary.contains("it is a folder"), "{folder:?}");
    say_ran();
}
