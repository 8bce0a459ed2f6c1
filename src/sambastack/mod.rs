//! What SambaStack's resources mean: names, readiness, which model a deployment serves.
