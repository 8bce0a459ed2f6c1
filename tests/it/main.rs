//! The one integration-test binary: its modules are the tests.

mod snippets;
mod cluster;
mod support;
