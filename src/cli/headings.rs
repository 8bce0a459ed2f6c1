//! Headings of the help, in the order in which it lists them.

pub(super) const MODEL: &str = "Model";
pub(super) const PLAN: &str = "Plan file";
pub(super) const SAMPLING: &str = "Sampling (sent only when set)";
pub(super) const OUTPUT: &str = "Output";
pub(super) const HISTORY: &str = "History";
pub(super) const ENVIRONMENT: &str = "Environment";
pub(super) const CONNECTION: &str = "Connection";
pub(super) const PROMPT: &str = "Prompt";
pub(super) const FORMAT: &str = "Answer format";
