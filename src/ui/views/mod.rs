//! The pages and what lies over them.

pub mod activity;
pub mod benchmark;
pub mod code;
pub mod deployments;
pub mod environments;
pub mod history;
mod paragraphs;
pub mod playground;
mod waiting;
pub mod welcome;
