//! The files that a plan names: prompts and traces.

use std::path::Path;

use crate::domain::failure::Failure;
use crate::domain::plan::{Load, Plan, Prompts};
use crate::domain::units;
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
        if !plan.endpoint.is_chat() {
            files.are_texts(plan)?;
        }
        Ok(files)
    }

    /// Only chat takes system messages and answers before the question.
    fn are_texts(&self, plan: &Plan) -> Result<(), Failure> {
        let of_prompts = self.material.as_ref().map_or(0, Material::conversations);
        let found = of_prompts + self.trace.as_ref().map_or(0, Trace::conversations);
        if found == 0 {
            return Ok(());
        }
        Err(Failure::new(
            format!(
                "{} with several messages in the file: {} take a single text",
                units::counted(found, "prompt"),
                plan.endpoint.name()
            ),
            "Use a file of prompts without system messages and answers, or the chat endpoint",
        ))
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
