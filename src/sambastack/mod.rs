//! SambaStack's resources: how they are named, whether they are ready, and which models a deployment serves.

pub mod diagnosis;
pub mod events;
pub mod ingress;
pub mod lists;
pub mod metrics_pods;
pub mod models;
pub mod pods;
pub mod read;
pub mod resources;
pub mod sizes;
pub mod status;
pub mod watch;
