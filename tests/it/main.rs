//! The one integration-test binary: its modules are the tests.
mod transcript;
