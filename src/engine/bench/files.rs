//! The files that a plan names: prompts and traces.

use std::path::Path;

use crate::domain::failure::Failure;
use crate::domain::plan::{Load, Plan, Prompts};
use crate::io::files;
use crate::prompts::MAX_FILE_BYTES;
use crate::prompts::files::Material;
use crate::prompts::trace::Trace;

/// What a plan's files say.
#[derive(Default)]
pub(super) struct Files {
    pub(super) material: Option<Material>,
    pub(super) trace: Option<Trace>,
    /// About how long one of the file's prompts is.
    pub(super) bytes_each: Option<usize>,
}

impl Files {
    pub(super) async fn read(plan: &Plan) -> Result<Self, Failure> {
        let mut files = Self::default();
        if let Prompts::File(path) = &plan.prompts {
            let bytes = read_file(path).await?;
            let material = Material::parse(&name(path), &bytes)?;
            files.bytes_each = Some(bytes.len() / material.len().max(1));
            files.material = Some(material);
        }
        if let Load::Trace { file, unit, .. } = &plan.load {
            files.trace = Some(Trace::parse(&name(file), &read_file(file).await?, *unit)?);
        }
        Ok(files)
    }
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

async fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    files::read(path, MAX_FILE_BYTES, "Take a part of it").await
}
