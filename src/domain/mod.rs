//! The things Batida speaks of. Plain values: no clocks, no IO, no screens.

pub mod attachment;
pub mod command_line;
pub mod conversation;
pub mod deployment;
pub mod dialect;
pub mod embedding;
pub mod encoding;
pub mod environment;
pub mod failure;
pub mod figures;
pub mod history;
pub mod json;
pub mod known;
pub mod library;
pub mod model_name;
pub mod pasted;
pub mod plan;
pub mod plan_fields;
pub mod printable;
pub mod random;
pub mod redact;
pub mod run;
pub mod settings;
pub mod stats;
pub mod units;
pub mod verdict;
