//! The desktop's services, over the session's D-Bus.

use std::time::Duration;

/// A service on the session's bus.
pub(super) struct Service {
    /// For people, e.g. `the desktop portal`.
    pub(super) what: &'static str,
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    pub(super) interface: &'static str,
    /// It answers by then or not at all.
    pub(super) patience: Duration,
}

impl Service {
    /// Makes one call, or says in words why it could not be made.
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
                "{} did not answer within {} s",
                self.what,
                self.patience.as_secs()
            )),
        }
    }
}
