//! The window: what the user sees and does. Draws the state, asks through commands, waits for nothing.

pub mod theme;
pub mod transcript;
