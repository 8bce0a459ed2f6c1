//! Desktop notifications.

use crate::domain::failure::Failure;
use crate::domain::printable::{one_line, printable};
use crate::domain::system::System;

/// Shows a notification.
///
/// # Errors
/// When the desktop has no notification service, or it fails.
pub async fn show(title: &str, body: &str) -> Result<(), Failure> {
    let (title, body) = (one_line(title).into_owned(), printable(body).into_owned());
    system::show(title, body).await.map_err(|why| {
        let advice = System::HERE.notification_advice();
        Failure::new("This desktop does not support notifications", advice).with_details(why)
    })
}

#[cfg(all(unix, not(target_os = "macos")))]
mod system {
    use std::collections::HashMap;
    use std::time::Duration;

    use zbus::zvariant::Value;

    use crate::io::desktop::Service;

    const NOTIFICATIONS: Service = Service {
        what: "the notification service",
        name: "org.freedesktop.Notifications",
        path: "/org/freedesktop/Notifications",
        interface: "org.freedesktop.Notifications",
        patience: Duration::from_secs(5),
    };

    /// Over D-Bus (org.freedesktop.Notifications).
    pub(super) async fn show(title: String, body: String) -> Result<(), String> {
        let (replaces, actions, hints) =
            (0u32, Vec::<&str>::new(), HashMap::<&str, Value<'_>>::new());
        // The service may interpret markup in the body. It decides how long the notification stays.
        let body = body
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        let ask = ("Batida", replaces, "", title, body, actions, hints, -1i32);
        NOTIFICATIONS
            .ask(|service| async move { service.call_method("Notify", &ask).await })
            .await
            .map(|_| ())
    }
}

#[cfg(target_os = "macos")]
mod system {
    use std::process::Stdio;
    use std::time::Duration;

    use tokio::process::Command;

    const PATIENCE: Duration = Duration::from_secs(5);
    /// The texts are arguments, so nothing in them is run.
    const SCRIPT: [&str; 3] = [
        "on run argv",
        "display notification (item 2 of argv) with title (item 1 of argv)",
        "end run",
    ];

    /// Through the system's script runner: notifications of its own need an application bundle.
    pub(super) async fn show(title: String, body: String) -> Result<(), String> {
        let mut command = Command::new("/usr/bin/osascript");
        for line in SCRIPT {
            command.args(["-e", line]);
        }
        command
            .args(["--", &title, &body])
            .stdin(Stdio::null())
            .kill_on_drop(true);
        match tokio::time::timeout(PATIENCE, command.output()).await {
            Ok(Ok(output)) if output.status.success() => Ok(()),
            Ok(Ok(output)) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!(
                "osascript did not end within {} s",
                PATIENCE.as_secs()
            )),
        }
    }
}

#[cfg(windows)]
mod system {
    use tauri_winrt_notification::Toast;

    /// Windows wants the name of an installed application, which Batida is not. PowerShell is one.
    pub(super) async fn show(title: String, body: String) -> Result<(), String> {
        let show = move || {
            Toast::new(Toast::POWERSHELL_APP_ID)
                .title(&title)
                .text1(&body)
                .show()
        };
        match tokio::task::spawn_blocking(show).await {
            Ok(shown) => shown.map_err(|why| why.to_string()),
            Err(panic) => Err(panic.to_string()),
        }
    }
}
