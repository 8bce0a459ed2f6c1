//! Doors: each module speaks to one thing outside the program.

pub mod activity;
pub mod settings;
