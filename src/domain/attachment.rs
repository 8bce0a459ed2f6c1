//! What is attached to a message: its size, its names, and its bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::conversation::{Attached, Attachment, Image, Message};
use super::units;

/// More than this in one request the ingress does not take: 25 MB, and room for what stands around the messages.
pub const MOST_BODY: usize = 24_500_000;

/// What stands around a part of a message: `{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,"}},`.
const AROUND: usize = 96;

impl Attachment {
    /// How much of a request's body it takes, in bytes.
    pub fn body_bytes(&self) -> usize {
        let content = match &self.content {
            Attached::Image(image) => image.base64.len(),
            Attached::Text(text) => escaped(text),
        };
        content + escaped(&self.name) + AROUND
    }

    /// What it is, in brief: `640 × 480 · 12.3 kB`, `1.2 kB`.
    pub fn told(&self) -> String {
        match &self.content {
            Attached::Image(image) => {
                format!(
                    "{} × {} · {}",
                    image.width,
                    image.height,
                    units::bytes(image.size())
                )
            }
            Attached::Text(text) => units::bytes(text.len()),
        }
    }
}

impl Message {
    /// How much of a request's body it takes, in bytes; rather too much than too little.
    pub fn body_bytes(&self) -> usize {
        let calls: usize = self
            .calls
            .iter()
            .map(|call| escaped(&call.name) + escaped(&call.arguments))
            .sum();
        let attached: usize = self.attachments.iter().map(Attachment::body_bytes).sum();
        escaped(&self.content) + calls + attached + AROUND * (1 + self.calls.len())
    }
}

impl Image {
    /// A picture out of a file's bytes.
    pub fn of(media_type: &str, (width, height): (u32, u32), bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            width,
            height,
            base64: STANDARD.encode(bytes).into(),
        }
    }

    /// The file; `None` when what is kept is no base64.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        STANDARD.decode(self.base64.as_bytes()).ok()
    }

    /// The file's size in bytes.
    pub fn size(&self) -> usize {
        let padding = self
            .base64
            .bytes()
            .rev()
            .take_while(|byte| *byte == b'=')
            .count();
        (self.base64.len() / 4 * 3).saturating_sub(padding)
    }

    /// The name of a file that holds it as it is sent: `name`, with the ending of its form.
    pub fn file_name(&self, name: &str) -> String {
        let endings: &[&str] = match self.media_type.as_str() {
            "image/png" => &["png"],
            "image/webp" => &["webp"],
            _ => &["jpg", "jpeg"],
        };
        match name.rsplit_once('.') {
            Some((_, ending)) if endings.contains(&ending.to_ascii_lowercase().as_str()) => {
                name.to_owned()
            }
            Some((stem, ending)) if !stem.is_empty() && ending.len() < 5 => {
                format!("{stem}.{}", endings[0])
            }
            _ => format!("{name}.{}", endings[0]),
        }
    }
}

/// How many bytes a base64 of so many has.
pub fn base64_len(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

/// How many bytes a text has inside a JSON string.
fn escaped(text: &str) -> usize {
    let extra = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 1,
        0..=0x1f => 5,
        _ => 0,
    };
    text.len() + text.bytes().map(extra).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::conversation::{ChatRequest, Params, Role};
    use crate::wire::openai::chat_body;

    fn image(bytes: &[u8]) -> Image {
        Image::of("image/jpeg", (2, 1), bytes)
    }

    proptest! {
        #[test]
        fn a_body_is_never_longer_than_was_reckoned(
            words in any::<String>(), name in any::<String>(), text in any::<String>(),
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let content = Attached::Image(image(&bytes));
            let files = vec![
                Attachment { name: name.clone(), content },
                Attachment { name, content: Attached::Text(text.into()) },
            ];
            let message = Message { attachments: files, ..Message::new(Role::User, words) };
            let reckoned = message.body_bytes();
            let request =
                ChatRequest { model: "m".to_owned(), messages: vec![message], params: Params::default() };
            let sent = chat_body(&request, true)["messages"].to_string().len();
            prop_assert!(sent <= reckoned + AROUND && reckoned < sent + 4 * AROUND, "{sent} {reckoned}");
        }

        #[test]
        fn a_pictures_bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let image = image(&bytes);
            prop_assert_eq!((image.size(), image.base64.len()), (bytes.len(), base64_len(bytes.len())));
            prop_assert_eq!(image.bytes(), Some(bytes));
        }
    }

    #[test]
    fn a_file_is_called_after_what_is_in_it() {
        for (name, called) in [
            ("a.jpg", "a.jpg"),
            ("a.JPEG", "a.JPEG"),
            ("a.webp", "a.jpg"),
            ("a", "a.jpg"),
            (".png", ".png.jpg"),
            ("v1.2 of the chart", "v1.2 of the chart.jpg"),
        ] {
            assert_eq!(image(b"").file_name(name), called);
        }
    }
}
