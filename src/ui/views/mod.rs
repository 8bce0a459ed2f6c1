//! The pages and what lies over them.

pub mod activity;
pub mod code;
pub mod home;
pub mod playground;
