//! Saving where the user says: in the system's dialog, or at a typed path where there is none.

use std::path::{Path, PathBuf};

use super::{Shared, own_fault};
use crate::domain::failure::Failure;
use crate::io::kubectl::with_home;
use crate::io::{dialog, files, raster};
use crate::protocol::{Event, PathNeeded, Picture, PictureUse, Unsaved};

/// A picture, as it is used.
enum Drawn {
    Png(Vec<u8>),
    Pixels(Picture),
}

impl Shared {
    /// Asks for a place and writes there. Without a dialog the user is to type a path.
    pub(super) async fn save_as(&self, unsaved: Unsaved) {
        let (title, name) = (format!("Save {}", unsaved.what()), unsaved.name());
        match dialog::place_for_file(&title, &name, "Type where to save it").await {
            Ok(Some(path)) => {
                let outcome = self.write(&unsaved, &path).await;
                self.saved(&unsaved, outcome.map(|()| Some(path)));
            }
            Ok(None) => self.saved(&unsaved, Ok(None)),
            Err(why) => {
                let path = Path::new("~").join(name).display().to_string();
                self.needs_path(unsaved, path, why);
            }
        }
    }

    /// Draws a picture, then saves or copies it.
    pub(super) async fn draw(&self, what: String, name: String, svg: String, then: PictureUse) {
        let drawn = tokio::task::spawn_blocking(move || match then {
            PictureUse::Save => raster::png(&svg).map(Drawn::Png),
            PictureUse::Copy => raster::draw(&svg).map(Drawn::Pixels),
        });
        match drawn.await.unwrap_or_else(|panic| Err(own_fault(&panic))) {
            Ok(Drawn::Png(content)) => {
                let content = content.into();
                let file = Unsaved::File {
                    what,
                    name,
                    content,
                };
                self.save_as(file).await;
            }
            Ok(Drawn::Pixels(picture)) => self.copy_picture(what, picture).await,
            Err(why) => {
                let outcome = Err(why);
                self.emitter.emit(Event::FileSaved { what, outcome });
            }
        }
    }

    /// Writes at the path that was typed, unless something is there already.
    pub(super) async fn save_at(&self, unsaved: Unsaved, path: String) {
        match self.write_new(&unsaved, &path).await {
            Ok(place) => self.saved(&unsaved, Ok(Some(place))),
            Err(why) => self.needs_path(unsaved, path, why),
        }
    }

    async fn write_new(&self, unsaved: &Unsaved, typed: &str) -> Result<PathBuf, Failure> {
        let path = with_home(Path::new(typed.trim()));
        if !path.is_absolute() {
            return Err(Failure::new(
                "The path does not say in which folder",
                "Begin it with / or ~/",
            ));
        }
        // A typed path cannot ask whether to replace what is there.
        if files::is_there(&path).await {
            return Err(Failure::new(
                format!("{} exists already", path.display()),
                "Type another name",
            ));
        }
        self.write(unsaved, &path).await?;
        Ok(path)
    }

    async fn write(&self, unsaved: &Unsaved, path: &Path) -> Result<(), Failure> {
        match unsaved.clone() {
            Unsaved::File { content, .. } => files::save_file(path, content).await,
            Unsaved::Sessions {
                sessions, format, ..
            } => self.export(path, sessions, format).await,
        }
    }

    fn needs_path(&self, unsaved: Unsaved, path: String, why: Failure) {
        let needed = PathNeeded { unsaved, path, why };
        self.emitter.emit(Event::PathNeeded(Box::new(needed)));
    }

    fn saved(&self, unsaved: &Unsaved, outcome: Result<Option<PathBuf>, Failure>) {
        let what = unsaved.what();
        self.emitter.emit(Event::FileSaved { what, outcome });
    }
}
