//! Desktop services over the session's D-Bus.

use std::time::Duration;

/// A service on the session bus.
pub(super) struct Service {
    /// The name for messages, e.g. `the desktop portal`.
    pub(super) what: &'static str,
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    pub(super) interface: &'static str,
    /// The time limit.
    pub(super) patience: Duration,
}

impl Service {
    /// Makes one call. The error says why it failed.
    pub(super) async fn ask<T, F: Future<Output = zbus::Result<T>>>(
        &self,
        call: impl FnOnce(zbus::Proxy<'static>) -> F,
    ) -> Result<T, String> {
        let asking = async {
            let bus = zbus::Connection::session().await?;
            call(zbus::Proxy::new(&bus, self.name, self.path, self.interface).await?).await
        };
        match tokio::time::timeout(self.patience, asking).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(why)) => Err(why.to_string()),
            Err(_) => Err(format!(
                "{} did not respond within {} s",
                self.what,
                self.patience.as_secs()
            )),
        }
    }
}
