//! The desktop's notifications, over the session's D-Bus (org.freedesktop.Notifications).

use std::collections::HashMap;
use std::time::Duration;

use zbus::zvariant::Value;

use crate::domain::failure::Failure;

/// The desktop's bus answers at once or not at all.
const PATIENCE: Duration = Duration::from_secs(5);

/// Shows a notification.
///
/// # Errors
/// When this desktop shows none.
pub async fn show(title: &str, body: &str) -> Result<(), Failure> {
    let why = match tokio::time::timeout(PATIENCE, notify(title, body)).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(why)) => why.to_string(),
        Err(_) => format!("the notification service did not answer within {} s", PATIENCE.as_secs()),
    };
    let advice = "Start a notification service of your desktop, or untick Desktop notifications on Home";
    Err(Failure::new("This desktop shows no notifications", advice).with_details(why))
}

async fn notify(title: &str, body: &str) -> zbus::Result<()> {
    let bus = zbus::Connection::session().await?;
    let service = zbus::Proxy::new(
        &bus,
        "org.freedesktop.Notifications",
        "/org/freedesktop/Notifications",
        "org.freedesktop.Notifications",
    )
    .await?;
    let (replaces, actions, hints) = (0u32, Vec::<&str>::new(), HashMap::<&str, Value<'_>>::new());
    // The service may read markup in the body. Its own default decides how long it stays.
    let ask = ("Batida", replaces, "", title, plain(body), actions, hints, -1i32);
    service.call_method("Notify", &ask).await?;
    Ok(())
}

fn plain(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
