//! Reads environments from a file for import.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::domain::environment::{ClusterAccess, EnvId};
use crate::domain::failure::Failure;
use crate::import::environments::{self, MAX_FILE_BYTES, Source};
use crate::io::activity::Recorder;
use crate::io::files;
use crate::io::kubectl::{Kubectl, with_home};
use crate::io::settings::SettingsStore;
use crate::protocol::EnvOffers;

/// The time limit for kubectl commands that only read files.
const LOCAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads the environments in a file. `kubectl` is the program that reads kubeconfigs; `None` for the one in `PATH`.
///
/// # Errors
/// When the file cannot be read, its kind is unknown, or it has no environments.
pub async fn read(path: &Path, kubectl: Option<PathBuf>) -> Result<EnvOffers, Failure> {
    let path = with_home(path);
    // The value of KUBECONFIG may list several files.
    let several: Vec<PathBuf> = std::env::split_paths(&path)
        .filter(|file| !file.as_os_str().is_empty())
        .collect();
    if several.len() < 2 || files::exists(&path).await {
        return read_one(path, kubectl).await;
    }
    let mut all: Option<EnvOffers> = None;
    for file in several {
        // Like kubectl, skip files that do not exist.
        if !files::exists(&with_home(&file)).await {
            continue;
        }
        let found = read_one(with_home(&file), kubectl.clone()).await?;
        match &mut all {
            Some(all) => all.offers.extend(found.offers),
            None => all = Some(found),
        }
    }
    let why = || format!("None of the files in {} exist", path.display());
    all.ok_or_else(|| Failure::new(why(), "Check the paths. They are separated by colons"))
}

async fn read_one(path: PathBuf, kubectl: Option<PathBuf>) -> Result<EnvOffers, Failure> {
    // A relative path could mean another file after a restart.
    let path = std::path::absolute(&path).unwrap_or(path);
    let shown = path.display().to_string();
    let known = "The file is too large to be one that Batida recognizes";
    let bytes = files::read(&path, MAX_FILE_BYTES as u64, known).await?;
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
            let output = kubectl
                .run(&["config", "view", "-o", "json"], LOCAL_TIMEOUT)
                .await?;
            let mut offers = environments::read_contexts(&output, &path)?;
            let documents = environments::documents(&bytes);
            if documents > 1 {
                let remark = format!(
                    "its file has {documents} YAML documents, and kubectl reads only the first"
                );
                offers
                    .iter_mut()
                    .for_each(|offer| offer.remarks.push(remark.clone()));
            }
            offers
        }
        Source::Settings => {
            let store = SettingsStore::at(path.clone());
            let stored = tokio::task::spawn_blocking(move || store.environments()).await;
            let stored = stored.map_err(|panic| {
                Failure::new("Batida failed to read the file", "Please report it")
                    .with_details(panic.to_string())
            })?;
            environments::of_settings(stored?)
        }
    };
    if offers.is_empty() {
        let advice = "The built-in demo is not counted";
        return Err(Failure::new(format!("{shown} has no environments"), advice));
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
