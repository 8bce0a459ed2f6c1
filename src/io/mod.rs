//! Doors: each module speaks to one thing outside the program.

pub mod activity;
pub mod clipboard;
pub mod dialog;
pub mod secrets;
pub mod settings;
