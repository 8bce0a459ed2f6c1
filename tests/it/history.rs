//! The history: what goes in comes out, whatever happens to the file, and to the program.

#[cfg(feature = "gui")]
mod engine;
mod failures;
mod kill;
mod made;
mod queries;
mod store;
