//! Bytes from elsewhere, read into values. Pure: no sockets, no processes, no clocks.

pub mod answer;
pub mod certificate;
pub mod embeddings;
pub mod fault;
pub mod kubectl;
pub mod openai;
pub mod refusal;
pub mod silence;
pub mod sse;
