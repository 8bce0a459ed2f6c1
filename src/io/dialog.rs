//! The system's file dialog, where there is one.

use std::path::PathBuf;
use std::time::Duration;

use crate::domain::failure::Failure;

/// The portal may have to be started first.
const FOR_THE_PORTAL: Duration = Duration::from_secs(10);

/// Lets the user pick a file; `None` when they picked none. Dropping it forgets the dialog, which then
/// stays open without a consequence.
///
/// # Errors
/// When the system has no file dialog. The path can always be typed.
pub async fn pick_file(title: &str) -> Result<Option<PathBuf>, Failure> {
    // rfd cannot tell "no dialog" from "nothing picked", so ask first.
    if let Err(why) = portal_answers().await
        && !has_zenity()
    {
        return Err(Failure::new(
            "No file dialog could be opened",
            "Type the path instead; a dialog needs xdg-desktop-portal or zenity",
        )
        .with_details(why));
    }
    let picked = rfd::AsyncFileDialog::new().set_title(title).pick_file().await;
    Ok(picked.map(|file| file.path().to_owned()))
}

/// Whether the desktop portal is there and has a file chooser behind it.
async fn portal_answers() -> Result<(), String> {
    let ask = async {
        let bus = zbus::Connection::session().await?;
        let chooser = zbus::Proxy::new(
            &bus,
            "org.freedesktop.portal.Desktop",
            "/org/freedesktop/portal/desktop",
            "org.freedesktop.portal.FileChooser",
        )
        .await?;
        chooser.get_property::<u32>("version").await
    };
    match tokio::time::timeout(FOR_THE_PORTAL, ask).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(why)) => Err(why.to_string()),
        Err(_) => Err(format!("the desktop portal did not answer within {} s", FOR_THE_PORTAL.as_secs())),
    }
}

/// What rfd falls back to.
fn has_zenity() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join("zenity").is_file())
}
