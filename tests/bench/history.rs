//! What the history costs and how fast it is.

fn main() {}
