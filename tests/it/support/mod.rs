//! What tests stand on.

pub(crate) mod programs;
pub(crate) mod recorder;
