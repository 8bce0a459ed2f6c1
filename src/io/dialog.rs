//! The system's file dialog, where there is one.

use std::path::PathBuf;
use std::time::Duration;

use super::desktop::Service;
use crate::domain::failure::Failure;

/// Opens the desktop's own dialogs.
const PORTAL: Service = Service {
    what: "the desktop portal",
    name: "org.freedesktop.portal.Desktop",
    path: "/org/freedesktop/portal/desktop",
    interface: "org.freedesktop.portal.FileChooser",
    // It may have to be started first.
    patience: Duration::from_secs(10),
};

/// Lets the user pick a file; `None` when they picked none. Dropping it forgets the dialog, which then
/// stays open without a consequence.
///
/// # Errors
/// When the system has no file dialog; `instead` is what can be done then.
pub async fn pick_file(title: &str, instead: &str) -> Result<Option<PathBuf>, Failure> {
    expect_dialog(instead).await?;
    let picked = rfd::AsyncFileDialog::new()
        .set_title(title)
        .pick_file()
        .await;
    Ok(picked.map(|file| file.path().to_owned()))
}

/// The same for several files; none when they picked none.
///
/// # Errors
/// As [`pick_file`].
pub async fn pick_files(title: &str, instead: &str) -> Result<Vec<PathBuf>, Failure> {
    expect_dialog(instead).await?;
    let picked = rfd::AsyncFileDialog::new()
        .set_title(title)
        .pick_files()
        .await;
    Ok(picked
        .unwrap_or_default()
        .iter()
        .map(|file| file.path().to_owned())
        .collect())
}

/// Lets the user say where a file is to be written; `None` when they gave no place. `name` is offered.
///
/// # Errors
/// When the system has no file dialog; `instead` is what can be done then.
pub async fn place_for_file(
    title: &str,
    name: &str,
    instead: &str,
) -> Result<Option<PathBuf>, Failure> {
    expect_dialog(instead).await?;
    let picked = rfd::AsyncFileDialog::new()
        .set_title(title)
        .set_file_name(name)
        .save_file()
        .await;
    Ok(picked.map(|file| file.path().to_owned()))
}

/// rfd cannot tell "no dialog" from "nothing picked", so ask first.
async fn expect_dialog(instead: &str) -> Result<(), Failure> {
    // It is there, and has a file chooser behind it.
    let version =
        |chooser: zbus::Proxy<'static>| async move { chooser.get_property::<u32>("version").await };
    if let Err(why) = PORTAL.ask(version).await
        && !has_zenity()
    {
        return Err(Failure::new(
            "No file dialog could be opened",
            format!("{instead}; a dialog needs xdg-desktop-portal or zenity"),
        )
        .with_details(why));
    }
    Ok(())
}

/// What rfd falls back to.
fn has_zenity() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join("zenity").is_file())
}
