//! The pages and what lies over them.

pub mod activity;
pub mod benchmark;
pub mod code;
pub mod history;
pub mod home;
pub mod playground;
mod waiting;
