//! The file dialog where there is none: this binary runs itself again without a desktop.

use std::time::{Duration, Instant};

use crate::support::programs::{output_of, quiet};

const MARK: &str = "BATIDA_TEST_DIALOG";

#[test]
fn without_a_portal_the_path_is_to_be_typed() {
    let began = Instant::now();
    for bus in [None, Some("unix:path=/nowhere/bus")] {
        let mut command = quiet(std::env::current_exe().expect("a path"));
        command.args(["--exact", "dialog::inner_has_no_portal", "--ignored", "--nocapture"]);
        output_of(command.env_clear().envs(bus.map(|bus| ("DBUS_SESSION_BUS_ADDRESS", bus))).env(MARK, "1"));
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
#[ignore = "run by another, without a desktop"]
async fn inner_has_no_portal() {
    if std::env::var_os(MARK).is_none() {
        return;
    }
    let failure = batida::io::dialog::pick_file("Pick").await.expect_err("no portal");
    assert!(failure.advice.contains("Type the path"), "{failure:?}");
}
