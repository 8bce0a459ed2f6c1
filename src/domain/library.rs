//! The prompt library, and the files it is exported to.

use serde::{Deserialize, Serialize};

use super::failure::Failure;

/// What the file says it is.
pub const SCHEMA: &str = "batida.prompts/1";
/// Characters of a name at most.
pub const MOST_NAME: usize = 80;

/// A kept prompt; its text may have places, see [`crate::prompts::template`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// What it is called; no other has the same name.
    pub name: String,
    /// What it says.
    pub text: String,
}

impl Prompt {
    /// A prompt of that name and text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
        }
    }
}

/// The prompts in the user's order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Library {
    /// All of them; their names differ.
    pub prompts: Vec<Prompt>,
}

/// What is to become of the library. A change and not the whole, so that two windows lose nothing of each other's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LibraryChange {
    /// In the place of the one of that name, where there is one, else at the end.
    Put {
        /// The one it replaces.
        old: Option<String>,
        /// It gets another name where one has its own.
        prompt: Prompt,
    },
    /// Back at this place.
    Restore(usize, Prompt),
    /// Out of the library.
    Remove(String),
    /// At the end. What is there already, name and text, is not added; a name that is taken gets a number.
    Add(Vec<Prompt>),
}

/// The file.
#[derive(Serialize, Deserialize)]
struct Stored {
    schema: String,
    prompts: Vec<Prompt>,
}

impl Library {
    /// Does what is asked; gives how many prompts were added.
    pub fn change(&mut self, change: LibraryChange) -> usize {
        let before = self.prompts.len();
        match change {
            LibraryChange::Put { old, prompt } => {
                let at = self
                    .prompts
                    .iter()
                    .position(|known| Some(&known.name) == old.as_ref());
                match at {
                    Some(at) => {
                        let taken = |name: &str| {
                            self.prompts
                                .iter()
                                .enumerate()
                                .any(|(n, known)| n != at && known.name == name)
                        };
                        let name = free_name(&prompt.name, taken);
                        self.prompts[at] = Prompt { name, ..prompt };
                    }
                    None => self.insert(before, prompt),
                }
            }
            LibraryChange::Restore(at, prompt) => self.insert(at, prompt),
            LibraryChange::Remove(name) => self.prompts.retain(|known| known.name != name),
            LibraryChange::Add(prompts) => {
                for prompt in prompts {
                    if !self.prompts.contains(&prompt) {
                        self.insert(self.prompts.len(), prompt);
                    }
                }
            }
        }
        self.prompts.len().saturating_sub(before)
    }

    fn insert(&mut self, at: usize, prompt: Prompt) {
        let name = free_name(&prompt.name, |name| {
            self.prompts.iter().any(|known| known.name == name)
        });
        self.prompts
            .insert(at.min(self.prompts.len()), Prompt { name, ..prompt });
    }

    /// As the file and an export say it: JSON with the schema [`SCHEMA`], `{"schema", "prompts": [{"name", "text"}]}`.
    pub fn write(&self) -> String {
        let stored = Stored {
            schema: SCHEMA.to_owned(),
            prompts: self.prompts.clone(),
        };
        // cannot fail: texts alone
        serde_json::to_string_pretty(&stored).unwrap_or_default() + "\n"
    }

    /// Reads what [`Self::write`] wrote. Names that are empty, long or twice there are mended. An empty file has no prompts.
    ///
    /// # Errors
    /// When it is something else.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let Stored { schema, prompts } =
            serde_json::from_str(text).map_err(|why| Unreadable::Broken(why.to_string()))?;
        match schema
            .strip_prefix("batida.prompts/")
            .and_then(|version| version.parse::<u32>().ok())
        {
            Some(1) => {}
            Some(newer) if newer > 1 => return Err(Unreadable::Newer(newer)),
            _ => return Err(Unreadable::Broken(format!("its schema is {schema:?}"))),
        }
        let mut library = Self::default();
        library.change(LibraryChange::Add(prompts));
        Ok(library)
    }
}

/// Why a text is no library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// A newer Batida wrote it, with this version.
    Newer(u32),
    /// It makes no sense, and why.
    Broken(String),
}

impl Unreadable {
    /// The reason, to go behind a colon.
    pub fn why(self) -> String {
        match self {
            Self::Newer(version) => {
                format!(
                    "it was written by a newer version of Batida (version {version} of its format)"
                )
            }
            Self::Broken(why) => why,
        }
    }

    /// As it is told of a file that somebody wants to import.
    pub fn told(self, file: &str) -> Failure {
        match self {
            Self::Newer(version) => Failure::new(
                format!("{file} was written by a newer Batida (version {version} of its format)"),
                "Update Batida",
            ),
            Self::Broken(why) => Failure::new(
                format!("{file} holds no prompts that can be read"),
                "Choose a file that Batida exported from its prompts",
            )
            .with_details(why),
        }
    }
}

/// The name in one line and not too long; with a number where it is taken.
fn free_name(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let name: String = name
        .split(|c: char| c.is_whitespace() || c.is_control())
        .collect::<Vec<_>>()
        .join(" ");
    let name: String = name.trim().chars().take(MOST_NAME).collect();
    let name = if name.is_empty() {
        "Prompt".to_owned()
    } else {
        name.trim_end().to_owned()
    };
    if !taken(&name) {
        return name;
    }
    let numbered = |n: usize| format!("{name} {n}");
    (2..)
        .map(numbered)
        .find(|name| !taken(name))
        .unwrap_or_default()
}

/// A few prompts to begin with, for who asks for them.
pub fn starters() -> Vec<Prompt> {
    vec![
        Prompt::new(
            "Summarise",
            "Summarise the following text in {{sentences=three}} sentences for {{reader=a \
             colleague}}. Keep figures \
             and names.\n\n{{text}}",
        ),
        Prompt::new(
            "Translate",
            "Translate the following text into {{language=English}}. Keep its tone and its \
             formatting, and answer with \
             the translation alone.\n\n{{text}}",
        ),
        Prompt::new(
            "Explain step by step",
            "Explain {{topic}} to {{reader=an engineer who is new to it}}, step by step, with one example.",
        ),
        Prompt::new(
            "Review code",
            "Review this {{language=Python}} code. Name defects first, then what could be \
             simpler. Quote the lines you \
             mean.\n\n```\n{{code}}\n```",
        ),
        Prompt::new(
            "Extract as JSON",
            "Extract {{fields=name, date, amount}} from the text below. Answer with a JSON array \
             of objects with these \
             keys and nothing else; use null for what is missing.\n\n{{text}}",
        ),
        Prompt::new(
            "Needle in a haystack",
            "{{haystack}}\n\nWhat is the secret word in the text above? Answer with the word alone.",
        ),
        Prompt::new(
            "System: terse expert",
            "You are an expert in {{field=software engineering}}. Answer in as few words as the \
             question allows, say what \
             you are not sure of, and never make up facts.",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(library: &Library) -> Vec<&str> {
        library
            .prompts
            .iter()
            .map(|prompt| prompt.name.as_str())
            .collect()
    }

    #[test]
    fn changes_keep_the_order_and_the_names_apart() {
        let mut library = Library::default();
        assert_eq!(
            library.change(LibraryChange::Add(vec![
                Prompt::new("a", "1"),
                Prompt::new("b", "2")
            ])),
            2
        );
        assert_eq!(
            library.change(LibraryChange::Add(vec![
                Prompt::new("a", "1"),
                Prompt::new("a", "3")
            ])),
            1
        );
        assert_eq!(names(&library), ["a", "b", "a 2"]);
        let put = |old: Option<&str>, name: &str| LibraryChange::Put {
            old: old.map(str::to_owned),
            prompt: Prompt::new(name, "new"),
        };
        library.change(put(Some("a"), "a"));
        assert_eq!(
            (names(&library), library.prompts[0].text.as_str()),
            (vec!["a", "b", "a 2"], "new")
        );
        library.change(put(Some("b"), "a"));
        assert_eq!(names(&library), ["a", "a 3", "a 2"]);
        library.change(put(Some("gone"), " \n "));
        assert_eq!(
            names(&library),
            ["a", "a 3", "a 2", "Prompt"],
            "one that another window deleted is not lost"
        );
        library.change(LibraryChange::Remove("a 3".to_owned()));
        library.change(LibraryChange::Restore(1, Prompt::new("a 3", "x")));
        assert_eq!(names(&library), ["a", "a 3", "a 2", "Prompt"]);
    }

    #[test]
    fn a_file_of_another_kind_is_told_apart() {
        assert_eq!(Library::read(" \n"), Ok(Library::default()));
        assert_eq!(
            Library::read(r#"{"schema": "batida.prompts/7", "prompts": []}"#),
            Err(Unreadable::Newer(7))
        );
        for text in [
            "{",
            "[]",
            r#"{"schema": "x", "prompts": []}"#,
            r#"{"prompts": []}"#,
        ] {
            assert!(
                matches!(Library::read(text), Err(Unreadable::Broken(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn starters_have_places_that_can_be_filled() {
        let mut library = Library::default();
        assert_eq!(
            library.change(LibraryChange::Add(starters())),
            starters().len()
        );
        for Prompt { name, text } in starters() {
            let template = crate::prompts::template::Template::parse(&text);
            assert!(!template.placeholders().is_empty(), "{name}");
            assert!(!template.fill(|_| Some("x")).contains("{{"), "{name}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(all in prop::collection::vec((".{0,90}", ".{0,40}"), 0..6)) {
            let mut library = Library::default();
            library.change(LibraryChange::Add(all.into_iter().map(|(name, text)| Prompt { name, text }).collect()));
            prop_assert_eq!(Library::read(&library.write()), Ok(library));
        }
    }
}
