//! Doors: each module speaks to one thing outside the program.

pub mod access;
pub mod activity;
pub mod api;
pub mod arrival;
pub mod attachment;
#[cfg(feature = "gui")]
pub mod clipboard;
#[cfg(all(feature = "gui", unix, not(target_os = "macos")))]
mod desktop;
#[cfg(feature = "gui")]
pub mod dialog;
pub mod earlier_files;
pub mod executable;
pub mod files;
pub mod group;
pub mod helm;
pub mod history;
pub mod http1;
#[cfg(unix)]
pub mod keeper;
pub mod kubectl;
pub mod learned;
pub mod limits;
pub mod machine;
#[cfg(feature = "gui")]
pub mod notify;
pub(crate) mod private;
pub mod proxy;
#[cfg(feature = "gui")]
pub mod raster;
pub mod secrets;
pub mod settings;
pub mod signals;
mod tls;
pub mod worker_files;
pub mod worker_key;
pub mod worker_pipes;
pub mod worker_process;

/// An IO error's reason without the operating system's number.
pub(crate) fn why(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "it does not exist".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        std::io::ErrorKind::StorageFull => "the disk is full".to_owned(),
        std::io::ErrorKind::QuotaExceeded => "the disk quota is used up".to_owned(),
        std::io::ErrorKind::FileTooLarge => "the file may not grow any further".to_owned(),
        kind => kind.to_string(),
    }
}
