//! t
mod blocks;
