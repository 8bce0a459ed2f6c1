//! An API of a test's own, besides the demo's.

use batida::demo::api::{DEMO_KEY, DemoModel, DemoOptions, DemoServer, Quirk};
use batida::domain::environment::ApiAddress;
use tokio::runtime::Runtime;

use super::environments::{api_env, runtime};
use super::window::Window;

/// An API of our own, besides the demo's.
pub(crate) struct Api {
    server: Option<DemoServer>,
    pub(crate) address: ApiAddress,
    _runtime: Runtime,
}

impl Api {
    pub(crate) fn start(models: Vec<DemoModel>) -> Self {
        let runtime = runtime();
        let options = DemoOptions {
            models,
            keep_received: true,
            ..DemoOptions::default()
        };
        let server = runtime
            .block_on(DemoServer::start(options))
            .expect("the loopback has a free port");
        Self {
            address: server.address(),
            server: Some(server),
            _runtime: runtime,
        }
    }

    pub(crate) fn quick() -> Self {
        Self::start(vec![DemoModel::quick("quick", Quirk::None)])
    }

    /// One that writes 50 tokens a second.
    pub(crate) fn slow() -> Self {
        let per_token = std::time::Duration::from_millis(20);
        Self::start(vec![DemoModel {
            per_token,
            ..DemoModel::quick("slow", Quirk::None)
        }])
    }

    pub(crate) fn stop(&mut self) {
        self.server = None;
    }

    /// The bodies it was sent, oldest first.
    pub(crate) fn bodies(&self) -> Vec<serde_json::Value> {
        self.server
            .iter()
            .flat_map(DemoServer::received)
            .map(|received| received.body)
            .collect()
    }

    pub(crate) fn last_was_aborted(&self) -> bool {
        let received = self
            .server
            .as_ref()
            .map(DemoServer::received)
            .unwrap_or_default();
        received
            .last()
            .is_some_and(|last| last.aborted.load(std::sync::atomic::Ordering::Relaxed))
    }

    /// A window on it, with its first model picked.
    pub(crate) fn window(&self) -> Window {
        let mut window = Window::on(api_env(&self.address), Some(DEMO_KEY));
        window.until("a model is picked", |window| {
            !window.has_button("Model: none") && window.shows(" · updated ")
        });
        window
    }

    /// The same, with the API itself, which stops when it is dropped.
    pub(crate) fn window_and_self(self) -> (Self, Window) {
        let window = self.window();
        (self, window)
    }
}
