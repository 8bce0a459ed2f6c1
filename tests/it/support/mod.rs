//! What the tests stand on.

pub(crate) mod kube;
pub(crate) mod programs;
pub(crate) mod recorder;
pub(crate) mod window;
