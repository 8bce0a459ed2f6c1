//! Environments of a file that somebody brought.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::domain::environment::{ClusterAccess, EnvId};
use crate::domain::failure::Failure;
use crate::import::environments::{self, MOST_BYTES, Source};
use crate::io::activity::Recorder;
use crate::io::files;
use crate::io::kubectl::{Kubectl, with_home};
use crate::io::settings::SettingsStore;
use crate::protocol::EnvOffers;

/// What reads only files takes no longer than kubectl's start.
const LOCAL: Duration = Duration::from_secs(10);

/// What could be added of a file. `kubectl` reads kubeconfigs; `None` for the one in `PATH`.
///
/// # Errors
/// When the file cannot be read, is none that is known, or holds nothing.
pub async fn read(path: &Path, kubectl: Option<PathBuf>) -> Result<EnvOffers, Failure> {
    let path = with_home(path);
    // The value of KUBECONFIG names several files.
    let several: Vec<PathBuf> = std::env::split_paths(&path)
        .filter(|file| !file.as_os_str().is_empty())
        .collect();
    if several.len() < 2 || files::exists(&path).await {
        return read_one(path, kubectl).await;
    }
    let mut all: Option<EnvOffers> = None;
    for file in several {
        // kubectl passes over files of the list that do not exist.
        if !files::exists(&with_home(&file)).await {
            continue;
        }
        let found = read_one(with_home(&file), kubectl.clone()).await?;
        match &mut all {
            Some(all) => all.offers.extend(found.offers),
            None => all = Some(found),
        }
    }
    let why = || format!("none of the files in {} exists", path.display());
    all.ok_or_else(|| Failure::new(why(), "Check the paths; they are separated by colons"))
}

async fn read_one(path: PathBuf, kubectl: Option<PathBuf>) -> Result<EnvOffers, Failure> {
    // A relative path would mean another file the next time Batida is started.
    let path = std::path::absolute(&path).unwrap_or(path);
    let shown = path.display().to_string();
    let known = "It is too large for any of the files that are known";
    let bytes = files::read(&path, MOST_BYTES as u64, known).await?;
    let source = environments::source_of(&shown, &bytes)?;
    let mut offers = match source {
        Source::SambaWiz => {
            let folder = path.parent().unwrap_or(Path::new("/"));
            environments::read_sambawiz(&shown, &bytes, folder)?
        }
        Source::Kubeconfig => {
            let access = ClusterAccess {
                kubectl,
                kubeconfig: Some(path.clone()),
                ..ClusterAccess::default()
            };
            let kubectl = Kubectl::new(&access, Recorder::silent(EnvId::ad_hoc()));
            let told = kubectl
                .run(&["config", "view", "-o", "json"], LOCAL)
                .await?;
            let mut offers = environments::read_contexts(&told, &path)?;
            let documents = environments::documents(&bytes);
            if documents > 1 {
                let told = format!(
                    "its file holds {documents} YAML documents, of which kubectl reads the first alone"
                );
                offers
                    .iter_mut()
                    .for_each(|offer| offer.remarks.push(told.clone()));
            }
            offers
        }
        Source::Settings => {
            let store = SettingsStore::at(path.clone());
            let stored = tokio::task::spawn_blocking(move || store.environments()).await;
            let stored = stored.map_err(|panic| {
                Failure::new("Reading failed", "").with_details(panic.to_string())
            })?;
            environments::of_settings(stored?)
        }
    };
    if offers.is_empty() {
        let advice = "The demo is in every Batida: it is not counted";
        return Err(Failure::new(
            format!("{shown} holds no environments"),
            advice,
        ));
    }
    for offer in &mut offers {
        let kubeconfig = offer
            .env
            .cluster
            .as_ref()
            .and_then(|cluster| cluster.kubeconfig.as_deref());
        if let Some(kubeconfig) = kubeconfig
            && !files::exists(&with_home(kubeconfig)).await
        {
            offer.remarks.push(format!(
                "its kubeconfig {} does not exist",
                kubeconfig.display()
            ));
        }
    }
    Ok(EnvOffers {
        path,
        source,
        offers,
    })
}
