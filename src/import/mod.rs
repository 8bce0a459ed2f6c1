//! Result files of other programs.
