//! The desktop's notifications, over the session's D-Bus (org.freedesktop.Notifications).

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
/// When this desktop shows none.
pub async fn show(title: &str, body: &str) -> Result<(), Failure> {
    let (replaces, actions, hints) = (0u32, Vec::<&str>::new(), HashMap::<&str, Value<'_>>::new());
    // The service may read markup in the body. Its own default decides how long it stays.
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
    let advice =
        "Start a notification service of your desktop, or untick Desktop notifications on Home";
    match shown.await {
        Ok(_) => Ok(()),
        Err(why) => {
            Err(Failure::new("This desktop shows no notifications", advice).with_details(why))
        }
    }
}

fn plain(text: &str) -> String {
    printable(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
