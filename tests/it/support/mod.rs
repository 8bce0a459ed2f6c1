//! What tests stand on.

pub(crate) mod programs;
pub(crate) mod recorder;
//! What the tests stand on.

pub mod kube;
