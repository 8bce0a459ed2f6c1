//! A response that holds embeddings in place of text.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Error as _, IgnoredAny, SeqAccess, Visitor};

use super::progress::BOM;
use super::whole::is_cut_json;
use super::{AnswerError, AnswerReader, clip};
use crate::metrics::timeline::Usage;
use crate::protocol::FinishReason;
use crate::wire::embeddings;
use crate::wire::openai::Chunk;

/// The usual shape, of which nothing is kept but its counts: a vector has thousands of numbers.
#[derive(Deserialize)]
struct Usual<'a> {
    data: Vec<Item>,
    #[serde(borrow)]
    model: Option<std::borrow::Cow<'a, str>>,
    usage: Option<Counts>,
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(rename = "embedding")]
    _vector: Numbers,
}

#[derive(Deserialize)]
struct Counts {
    prompt_tokens: Option<u64>,
}

/// At least one number, all of them finite.
struct Numbers;

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Numbers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of numbers")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Numbers, A::Error> {
                let mut any = false;
                while let Some(number) = list.next_element::<f64>()? {
                    any = true;
                    if !number.is_finite() {
                        return Err(A::Error::custom("a number is not finite"));
                    }
                }
                if any {
                    Ok(Numbers)
                } else {
                    Err(A::Error::custom("a vector is empty"))
                }
            }
        }
        from.deserialize_seq(Read)
    }
}

impl AnswerReader {
    /// The response is to hold an embedding, in one JSON document. Until [`Self::renew`].
    pub fn expect_embedding(&mut self) {
        self.embeds = true;
    }

    /// Whether it is.
    pub fn expects_embedding(&self) -> bool {
        self.embeds
    }

    /// Reads embeddings, which have no first token. Without a vector it says nothing.
    pub(super) fn read_embedding(&mut self, at: Duration) -> Result<FinishReason, AnswerError> {
        let bytes = self.raw.strip_prefix(&BOM[..]).unwrap_or(&self.raw);
        let Ok(text) = str::from_utf8(bytes) else {
            return Err(AnswerError::NotAnAnswer);
        };
        let (model, prompt_tokens, has_vector) = match serde_json::from_str::<Usual<'_>>(text) {
            Ok(usual) if usual.error.is_none() && !usual.data.is_empty() => {
                let counted = usual.usage.and_then(|usage| usage.prompt_tokens);
                (usual.model, counted, true)
            }
            _ => {
                if is_cut_json(text) {
                    return Err(AnswerError::Cut(format!(
                        "The response ended in the middle of its JSON document:\n{}",
                        clip(text)
                    )));
                }
                let chunk = Chunk::parse(text).unwrap_or_default();
                if chunk.error.is_some() {
                    return Err(AnswerError::Refused);
                }
                match embeddings::read(text) {
                    Ok((_, counted)) => (chunk.model, counted, true),
                    Err(_) if embeddings::is_empty(text) => (chunk.model, None, false),
                    Err(_) => return Err(AnswerError::NotAnAnswer),
                }
            }
        };
        self.progress.note_model(model.as_deref(), true);
        self.progress.spoke = has_vector;
        self.progress.usage = Some(Usage {
            prompt_tokens,
            ..Usage::default()
        });
        self.progress.timeline.end(at);
        Ok(FinishReason::Stop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::timeline::Figures;

    fn read(body: &str) -> (Result<FinishReason, AnswerError>, AnswerReader) {
        let mut reader = AnswerReader::new(false);
        reader.expect_embedding();
        let at = Duration::from_millis(7);
        let _ = reader.take(at, body.as_bytes());
        (reader.at_the_end(at), reader)
    }

    #[test]
    fn a_vector_has_a_latency_and_prompt_tokens_and_no_token() {
        for (body, model) in [
            (
                r#"{"object":"list","model":"e","data":[{"index":0,"embedding":[0.5,-1,2e-3]}],"usage":{"prompt_tokens":9,"total_tokens":9}}"#,
                Some("e"),
            ),
            // In base64, and counted in total only.
            (
                r#"{"data":[{"embedding":"AACAPwAAAMA="}],"usage":{"total_tokens":9}}"#,
                None,
            ),
        ] {
            let (ended, reader) = read(body);
            assert_eq!(ended, Ok(FinishReason::Stop), "{body}");
            assert!(!reader.said_nothing());
            assert_eq!(reader.model(), model);
            assert_eq!(
                reader.figures(),
                Figures {
                    latency: Some(Duration::from_millis(7)),
                    prompt_tokens: Some(9),
                    ..Figures::default()
                }
            );
        }
    }

    #[test]
    fn a_response_without_a_vector_is_no_success() {
        let (ended, reader) = read(r#"{"object":"list","data":[],"usage":{"prompt_tokens":9}}"#);
        assert_eq!(ended, Ok(FinishReason::Stop));
        assert!(reader.said_nothing());
        for (body, why) in [
            (r#"{"error":{"message":"busy"}}"#, AnswerError::Refused),
            (
                r#"{"data":[{"embedding":[1]}],"error":{"message":"busy"}}"#,
                AnswerError::Refused,
            ),
            (r#"{"data":[{"embedding":[]}]}"#, AnswerError::NotAnAnswer),
            (
                r#"{"data":[{"embedding":[null]}]}"#,
                AnswerError::NotAnAnswer,
            ),
            (r#"{"choices":[]}"#, AnswerError::NotAnAnswer),
            ("<html>", AnswerError::NotAnAnswer),
        ] {
            assert_eq!(read(body).0, Err(why), "{body}");
        }
        let cut = read(r#"{"data":[{"embedding":[0.1,"#).0;
        assert!(matches!(cut, Err(AnswerError::Cut(_))), "{cut:?}");
    }

    #[test]
    fn a_reader_is_used_again_for_text() {
        let (_, mut reader) = read(r#"{"data":[{"embedding":[1]}]}"#);
        reader.renew(false);
        assert!(!reader.expects_embedding() && reader.said_nothing());
    }
}
