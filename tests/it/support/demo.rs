//! The demo's server for tests that are not async themselves.

use batida::demo::api::{DemoModel, DemoOptions, DemoServer, Received};
use tokio::runtime::Runtime;

/// Serves until it is dropped, and keeps what it receives.
pub(crate) struct Demo {
    server: DemoServer,
    _runtime: Runtime,
}

impl Demo {
    /// On a port of its own.
    pub(crate) fn start(models: Vec<DemoModel>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let server = runtime
            .block_on(DemoServer::start(options(models)))
            .expect("it listens");
        Self {
            server,
            _runtime: runtime,
        }
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn root(&self) -> String {
        self.server.address().root().to_owned()
    }

    /// Everything received so far, oldest first.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.server.received()
    }
}

/// A demo that keeps what it receives.
pub(crate) fn options(models: Vec<DemoModel>) -> DemoOptions {
    DemoOptions {
        models,
        keep_received: true,
        ..DemoOptions::default()
    }
}
