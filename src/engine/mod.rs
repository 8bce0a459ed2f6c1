//! Everything that waits: jobs on a tokio runtime.

pub mod cluster;
