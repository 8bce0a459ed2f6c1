//! What a session sent, and how long its answers could be, in words.

use serde::{Deserialize, Serialize};

use super::Unknown;
use crate::domain::plan::{Load, Prompts};
use crate::domain::run::BenchReport;
use crate::domain::units::{self, counted};

impl BenchReport {
    /// The prompts, in words: `synthetic, 256 tokens`; `None` where nobody knows.
    pub fn prompts_told(&self) -> Option<String> {
        let told = self.texts_told()?;
        let Some(images) = self.plan.images else {
            return Some(told);
        };
        let each = counted(images.each as usize, "image");
        let size = self.images.as_ref().and_then(ImagesBrief::told);
        let size = size.map_or_else(String::new, |size| format!(", {size}"));
        Some(format!(
            "{told}, with {each} of {}x{} each{size}",
            images.width, images.height
        ))
    }

    /// The same without images.
    fn texts_told(&self) -> Option<String> {
        let plan = self.plan_if(Unknown::Prompts)?;
        if let (Load::Trace { file, .. }, Some(trace)) = (&plan.load, &self.trace) {
            // What a trace says stands before the plan's prompts, which may not have been used at all.
            let lengths = trace.prompts.told(&file.display().to_string());
            if trace.prompts.planned == 0 {
                return Some(lengths);
            }
            if trace.prompts.planned < trace.requests {
                return Some(format!(
                    "{lengths}; where it says none, {}",
                    prompts(&plan.prompts)
                ));
            }
        }
        let told = prompts(&plan.prompts);
        Some(match &self.prompts_file {
            Some(file) => format!("{told}, {}", file.told()),
            None => told,
        })
    }

    /// The endpoint, where it is not chat.
    pub fn endpoint_told(&self) -> Option<&'static str> {
        let endpoint = self.plan.endpoint;
        (!endpoint.is_chat()).then(|| endpoint.name())
    }

    /// The longest answers asked for: `128 tokens at most`, `up to the server's limit`; `None` where nobody knows, and of
    /// embeddings.
    pub fn answers_told(&self) -> Option<String> {
        let asked = self.plan_if(Unknown::OutputTokens)?.output_tokens;
        if !self.plan.endpoint.streams() {
            return None;
        }
        if let (Load::Trace { .. }, Some(trace)) = (&self.plan.load, &self.trace)
            && trace.prompts.limits > 0
        {
            let all = trace.prompts.limits == trace.requests;
            let limits = if all {
                "as long as the trace says"
            } else {
                "as long as the trace says where it does"
            };
            return Some(limits.to_owned());
        }
        match asked {
            Some(most) => Some(format!("{most} tokens at most")),
            None if self.source.is_none() => Some("up to the server's limit".to_owned()),
            None => None,
        }
    }
}

fn prompts(prompts: &Prompts) -> String {
    match prompts {
        Prompts::Synthetic {
            input_tokens,
            prefix_tokens: 0,
        } => format!("synthetic, {input_tokens} tokens"),
        Prompts::Synthetic {
            input_tokens,
            prefix_tokens,
        } => {
            format!("synthetic, {input_tokens} tokens, the first {prefix_tokens} shared")
        }
        Prompts::File(file) => format!("from {}", file.display()),
    }
}

/// The images of a session's requests.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ImagesBrief {
    /// How many were made; some perhaps ahead, and not sent.
    pub made: u64,
    /// The mean size of their files, in bytes; `None` where none was made.
    pub bytes: Option<f64>,
}

impl ImagesBrief {
    /// `41.3 kB a file on average`
    fn told(&self) -> Option<String> {
        let bytes = self.bytes?.round() as usize;
        Some(format!("{} a file on average", units::bytes(bytes)))
    }
}
