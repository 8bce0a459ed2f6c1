//! The system's file dialogs, and saving files that users choose.

use std::path::PathBuf;

use self::system::expect_dialog;
use crate::domain::failure::Failure;

/// Lets the user choose a file; `None` if they cancel. After dropping the future, the dialog stays open without effect.
///
/// # Errors
/// When the system has no file dialog; `instead` is the advice then.
pub async fn pick_file(title: &str, instead: &str) -> Result<Option<PathBuf>, Failure> {
    expect_dialog(instead).await?;
    let picked = rfd::AsyncFileDialog::new()
        .set_title(title)
        .pick_file()
        .await;
    Ok(picked.map(|file| file.path().to_owned()))
}

/// Lets the user choose several files; empty if they cancel.
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

/// Lets the user choose where to save a file; `None` if they cancel. `name` is the suggested name.
///
/// # Errors
/// When the system has no file dialog; `instead` is the advice then.
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

#[cfg(all(unix, not(target_os = "macos")))]
mod system {
    use std::time::Duration;

    use crate::domain::failure::Failure;
    use crate::io::desktop::Service;

    /// Opens the desktop's dialogs.
    const PORTAL: Service = Service {
        what: "the desktop portal",
        name: "org.freedesktop.portal.Desktop",
        path: "/org/freedesktop/portal/desktop",
        interface: "org.freedesktop.portal.FileChooser",
        // It may have to start first.
        patience: Duration::from_secs(10),
    };

    /// Checks that there is a dialog, since rfd does not distinguish that from a canceled one.
    pub(super) async fn expect_dialog(instead: &str) -> Result<(), Failure> {
        // The portal exists and has a file chooser.
        let version = |chooser: zbus::Proxy<'static>| async move {
            chooser.get_property::<u32>("version").await
        };
        if let Err(why) = PORTAL.ask(version).await
            && !has_zenity()
        {
            return Err(Failure::new(
                "No file dialog could be opened",
                format!("{instead}. A dialog needs xdg-desktop-portal or zenity"),
            )
            .with_details(why));
        }
        Ok(())
    }

    /// rfd's fallback without a portal.
    fn has_zenity() -> bool {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|dir| dir.join("zenity").is_file())
    }
}

#[cfg(any(windows, target_os = "macos"))]
mod system {
    use crate::domain::failure::Failure;

    /// The dialogs are part of these systems.
    pub(super) async fn expect_dialog(_: &str) -> Result<(), Failure> {
        Ok(())
    }
}
