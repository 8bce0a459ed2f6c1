//! The one integration-test binary: its modules are the tests.

mod settings;
mod snippets;
mod support;
