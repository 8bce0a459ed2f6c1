//! What SambaStack's resources mean: names, readiness, which model a deployment serves.

pub mod diagnosis;
pub mod events;
pub mod models;
pub mod pods;
pub mod read;
pub mod resources;
pub mod sizes;
pub mod status;
pub mod watch;
