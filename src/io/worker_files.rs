//! Files that a worker was sent: kept in the system's folder for temporary files, for this user alone, until the session is
//! over.

use std::io::Write as _;
use std::path::PathBuf;

use crate::domain::failure::{Failure, FaultClass};

/// A file that is removed when this is dropped.
pub type KeptFile = tempfile::TempPath;

/// Writes a file, and gives where.
///
/// # Errors
/// When it cannot be written.
pub fn keep(bytes: &[u8], kept: &mut Vec<KeptFile>) -> Result<PathBuf, Failure> {
    let write = || {
        let mut file = tempfile::Builder::new().prefix("batida-").tempfile()?;
        file.write_all(bytes)?;
        Ok(file.into_temp_path())
    };
    let path = write().map_err(|error: std::io::Error| {
        let folder = std::env::temp_dir();
        let why = super::why(&error);
        let summary = format!("The worker cannot write to {}: {why}", folder.display());
        Failure::new(summary, "Free space there, or set TMPDIR").of_class(FaultClass::ThisMachine)
    })?;
    let place = path.to_path_buf();
    kept.push(path);
    Ok(place)
}
