//! Files that are dropped on the window: attachments, and environments to import.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use egui::accesskit::Toggled;
use egui_kittest::kittest::NodeT as _;
use serde_json::json;

use super::window::Window;

/// A file as the window's system tells of it.
#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        Err("the window reads no files".to_owned())
    }
}

pub(crate) fn drop_file(window: &mut Window, file: &Path) {
    drop_at_once(window, &[file]);
}

fn drop_at_once(window: &mut Window, files: &[&Path]) {
    for file in files {
        window
            .input_mut()
            .dropped_files
            .push(Arc::new(Dropped(file.to_path_buf())));
    }
    window.step();
}

/// Drops files on the Playground at once and waits until they are read.
pub(crate) fn drop_on(window: &mut Window, files: &[&Path]) {
    drop_at_once(window, files);
    window.until("all is read", |window| !window.has_button("Stop reading"));
}

/// On the demo's model that sees.
pub(crate) fn on_vision() -> Window {
    let mut window = Window::on_demo();
    window.pick("Deployment", "md-gemma-vision");
    window.see("Model: gemma-4-31B-it");
    window
}

pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

pub(crate) fn note(dir: &Path) -> PathBuf {
    let path = dir.join("note.md");
    std::fs::write(&path, "# Notes\nthe secret word is aardvark\n").expect("written");
    path
}

pub(crate) const KEY: &str = "sk-imported-1234";

pub(crate) fn sambawiz(dir: &Path, kubeconfig: &str, api: &str) -> PathBuf {
    let path = dir.join("app-config.json");
    let config = json!({"currentKubeconfig": "prod", "kubeconfigs": {
        "prod": {"file": kubeconfig, "namespace": "sambastack", "uiDomain": "https://ui.example.com/", "apiDomain": api,
            "apiKey": KEY},
        "Demo": {"file": "kubeconfigs/gone.yaml", "namespace": "default"},
        "broken": {"file": "x.yaml", "namespace": "Not A Namespace"},
    }});
    std::fs::write(&path, config.to_string()).expect("a temporary folder can be written");
    path
}

pub(crate) fn ticked(window: &Window, name: &str) -> Option<bool> {
    let node = window.button(name).accesskit_node().toggled();
    node.map(|toggled| toggled == Toggled::True)
}
