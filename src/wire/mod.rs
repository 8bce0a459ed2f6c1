//! Parsers for the responses of servers and the output of kubectl. Pure: no sockets, processes or clocks.

pub mod answer;
pub mod certificate;
pub mod embeddings;
pub mod fault;
pub mod kubectl;
pub mod openai;
pub mod prometheus;
pub mod refusal;
pub mod sse;
pub mod worker;
