//! Desktop notifications over D-Bus (org.freedesktop.Notifications).

use std::collections::HashMap;
use std::time::Duration;

use zbus::zvariant::Value;

use super::desktop::Service;
use crate::domain::failure::Failure;
use crate::domain::printable::{one_line, printable};

const NOTIFICATIONS: Service = Service {
    what: "the notification service",
    name: "org.freedesktop.Notifications",
    path: "/org/freedesktop/Notifications",
    interface: "org.freedesktop.Notifications",
    patience: Duration::from_secs(5),
};

/// Shows a notification.
///
/// # Errors
/// When the desktop has no notification service.
pub async fn show(title: &str, body: &str) -> Result<(), Failure> {
    let (replaces, actions, hints) = (0u32, Vec::<&str>::new(), HashMap::<&str, Value<'_>>::new());
    // The service may interpret markup in the body. It decides how long the notification stays.
    let ask = (
        "Batida",
        replaces,
        "",
        one_line(title).into_owned(),
        plain(body),
        actions,
        hints,
        -1i32,
    );
    let shown =
        NOTIFICATIONS.ask(|service| async move { service.call_method("Notify", &ask).await });
    let advice = "Start your desktop's notification service, or turn off Desktop notifications in Environments";
    match shown.await {
        Ok(_) => Ok(()),
        Err(why) => Err(
            Failure::new("This desktop does not support notifications", advice).with_details(why),
        ),
    }
}

fn plain(text: &str) -> String {
    printable(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
