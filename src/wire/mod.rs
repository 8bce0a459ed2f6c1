//! Bytes from elsewhere, read into values. Pure: no sockets, no processes.

pub mod openai;
