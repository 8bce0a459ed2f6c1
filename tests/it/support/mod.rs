//! What the tests stand on.

pub(crate) mod batida;
pub(crate) mod demo;
pub(crate) mod display;
pub(crate) mod history;
pub(crate) mod kube;
pub(crate) mod pictures;
pub(crate) mod programs;
pub(crate) mod scripted;
pub(crate) mod shell;
pub(crate) mod tls;
pub(crate) mod window;
