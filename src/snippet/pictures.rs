//! Images in snippets. The base64 of all but tiny images would bury the program, so snippets read them from files.
//! The file holds the image as it is sent, which may differ from the file that was attached.

use serde_json::Value;

use super::hidden;
use crate::domain::conversation::{Attached, ChatRequest, Image};

/// Images with more characters of base64 are read from files.
const MAX_INLINE_CHARS: usize = 400;

/// The images that a snippet reads from files.
#[derive(Default)]
pub(super) struct SnippetImages {
    files: Vec<ImageFile>,
}

/// An image that a snippet reads from a file.
pub(super) struct ImageFile {
    /// Its name without a folder, unique in the snippet.
    pub(super) name: String,
    /// `image/png`, `image/jpeg` or `image/webp`.
    pub(super) media_type: String,
    /// The placeholder for its base64, which occurs nowhere else in the request.
    mark: String,
    size: (u32, u32),
    base64: std::sync::Arc<str>,
}

impl ImageFile {
    /// Its description in the program's comment.
    fn told(&self) -> String {
        let Self {
            name,
            media_type,
            size: (width, height),
            ..
        } = self;
        format!("{name} ({media_type}, {width} × {height})")
    }
}

impl SnippetImages {
    /// The images of a request that are read from files, and the request with placeholders for them.
    pub(super) fn take_out_of(request: &ChatRequest) -> (Self, ChatRequest) {
        let mut request = request.clone();
        let mut all = Self { files: Vec::new() };
        let stem = free_mark(&request);
        for message in &mut request.messages {
            for attachment in &mut message.attachments {
                if let Attached::Image(image) = &mut attachment.content
                    && image.base64.len() > MAX_INLINE_CHARS
                {
                    image.base64 = all.mark_of(&attachment.name, image, &stem).into();
                }
            }
        }
        (all, request)
    }

    fn mark_of(&mut self, name: &str, image: &Image, stem: &str) -> String {
        let same =
            |file: &&ImageFile| file.base64 == image.base64 && file.media_type == image.media_type;
        if let Some(file) = self.files.iter().find(same) {
            return file.mark.clone();
        }
        let clean: String = name
            .chars()
            .map(|c| if hidden(c) || c == '/' { '_' } else { c })
            .collect();
        let whole = image.file_name(clean.trim_start_matches('-'));
        let taken = |name: &str| self.files.iter().any(|file| file.name == name);
        let mut name = whole.clone();
        let mut number = 2;
        while taken(&name) {
            name = format!("{number}-{whole}");
            number += 1;
        }
        let mark = format!("{stem}{}.", self.files.len());
        self.files.push(ImageFile {
            name,
            media_type: image.media_type.clone(),
            mark: mark.clone(),
            size: (image.width, image.height),
            base64: std::sync::Arc::clone(&image.base64),
        });
        mark
    }

    /// Whether there are no images.
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The image with this data URL.
    pub(super) fn find(&self, text: &Value) -> Option<&ImageFile> {
        let rest = text.as_str()?.strip_prefix("data:")?;
        self.files.iter().find(|file| {
            let encoded = rest
                .strip_prefix(file.media_type.as_str())
                .and_then(|rest| rest.strip_prefix(";base64,"));
            encoded == Some(&file.mark)
        })
    }

    /// The text in pieces, each with the image that follows it.
    pub(super) fn split<'a>(&self, mut text: &'a str) -> Vec<(&'a str, Option<&ImageFile>)> {
        let mut pieces = Vec::new();
        loop {
            let next = self
                .files
                .iter()
                .filter_map(|file| Some((text.find(&file.mark)?, file)));
            let Some((at, file)) = next.min_by_key(|(at, _)| *at) else {
                break;
            };
            pieces.push((&text[..at], Some(file)));
            text = &text[at + file.mark.len()..];
        }
        pieces.push((text, None));
        pieces
    }

    /// The comment on the files that the program reads; empty without images. `sign`: the language's comment sign.
    pub(super) fn comment(&self, sign: &str) -> String {
        let told: Vec<String> = self.files.iter().map(ImageFile::told).collect();
        match told.as_slice() {
            [] => String::new(),
            [one] => format!(
                "{sign} Reads {one}: the image as it is sent, which may\n\
                 {sign} be smaller than the attached file. To save it from Batida, click the image, then Save…\n"
            ),
            several => {
                let list: String = several
                    .iter()
                    .map(|one| format!("{sign}   {one}\n"))
                    .collect();
                format!(
                    "{sign} Reads the images as they are sent, which may be smaller than the attached files.\n\
                     {sign} To save them from Batida, click an image, then Save…\n{list}"
                )
            }
        }
    }
}

/// A prefix for placeholders that occurs nowhere in the request.
fn free_mark(request: &ChatRequest) -> String {
    let said = |stem: &str| {
        request.messages.iter().any(|message| {
            let mut texts = message.attachments.iter().map(|it| match &it.content {
                Attached::Text(text) => text.contains(stem) || it.name.contains(stem),
                Attached::Image(image) => {
                    image.base64.len() <= MAX_INLINE_CHARS && image.base64.contains(stem)
                }
            });
            let calls = message
                .calls
                .iter()
                .any(|call| call.arguments.contains(stem) || call.name.contains(stem));
            message.content.contains(stem) || calls || texts.any(|has| has)
        }) || format!("{:?}", request.params).contains(stem)
    };
    (0..)
        .map(|n: u32| format!("picture.{n}."))
        .find(|stem| !said(stem))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::conversation::{Attachment, Message, Params, Role};

    fn picture(name: &str, byte: u8, size: usize) -> Attachment {
        let content = Attached::Image(Image::of("image/png", (3, 4), &vec![byte; size]));
        Attachment {
            name: name.to_owned(),
            content,
        }
    }

    fn request(content: &str, attachments: Vec<Attachment>) -> ChatRequest {
        let message = Message {
            attachments,
            ..Message::new(Role::User, content)
        };
        ChatRequest {
            model: "m".to_owned(),
            messages: vec![message],
            params: Params::default(),
        }
    }

    #[test]
    fn each_picture_has_one_name_and_small_ones_stay() {
        let attached = vec![
            picture("a.png", 1, 500),
            picture("a.png", 2, 500),
            picture("b.png", 1, 500),
            picture("../x\n.jpg", 3, 500),
            picture("dot.png", 4, 9),
        ];
        let (pictures, marked) = SnippetImages::take_out_of(&request("", attached));
        let names: Vec<&str> = pictures
            .files
            .iter()
            .map(|file| file.name.as_str())
            .collect();
        assert_eq!(names, ["a.png", "2-a.png", ".._x_.png"]);
        let attachments = &marked.messages[0].attachments;
        let encoded: Vec<&str> = attachments
            .iter()
            .filter_map(Attachment::image)
            .map(|image| &*image.base64)
            .collect();
        assert_eq!(
            encoded,
            [
                "picture.0.0.",
                "picture.0.1.",
                "picture.0.0.",
                "picture.0.2.",
                "BAQEBAQEBAQE"
            ]
        );
    }

    #[test]
    fn what_is_said_is_never_taken_for_a_picture() {
        let said = "picture.0.0. and picture.1.0.";
        let (pictures, marked) =
            SnippetImages::take_out_of(&request(said, vec![picture("a.png", 1, 500)]));
        let body = crate::wire::openai::chat_body(&marked, false).to_string();
        let pieces = pictures.split(&body);
        let [(before, Some(file)), (after, None)] = pieces.as_slice() else {
            panic!("{body}")
        };
        assert!(
            before.contains(said) && before.ends_with("base64,") && after.starts_with('"'),
            "{body}"
        );
        assert_eq!(file.name, "a.png");
    }
}
