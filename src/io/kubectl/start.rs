//! Checks before kubectl is started: the program and the kubeconfig. Without a kubeconfig, kubectl would connect to
//! localhost.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::{Kubeconfig, Kubectl, KubectlError};
use crate::domain::failure::{Advice, Failure};
use crate::domain::system::System;
use crate::io::files;
use crate::wire::kubectl::{KubectlFault, may_have_server_path, may_start_a_plugin};

/// Larger kubeconfigs are not examined.
const MAX_KUBECONFIG_BYTES: u64 = 4 << 20;

impl Kubectl {
    /// Checked before the kubeconfig, so that a missing program is reported first.
    pub(super) fn find_program(&self) -> Result<(), KubectlError> {
        // A bare name is looked up in PATH when it is started.
        let named = self.program.components().count() > 1;
        if named && !self.program.exists() && !with_ending(&self.program).exists() {
            return Err(self.not_started(&io::ErrorKind::NotFound.into()));
        }
        Ok(())
    }

    pub(super) fn not_started(&self, error: &io::Error) -> KubectlError {
        let program = self.program.display();
        let named = self.program.components().count() > 1;
        let or_another = |before: String| {
            Advice::by_face(
                format!("{before}, or set another path in the environment's settings"),
                format!("{before}, or set another program with --kubectl"),
            )
        };
        let (fault, summary, advice) = match error.kind() {
            io::ErrorKind::NotFound if named && self.program.exists() => (
                KubectlFault::ProgramBroken,
                format!("{program} cannot be run: its interpreter is missing"),
                match interpreter(&self.program) {
                    Some(interpreter) => {
                        or_another(format!("Install {interpreter}, its interpreter"))
                    }
                    None => or_another(
                        "Install a kubectl for this system. This one may be built for another C \
                         library"
                            .to_owned(),
                    ),
                },
            ),
            io::ErrorKind::NotFound if named => (
                KubectlFault::ProgramMissing,
                format!("kubectl was not found at {program}"),
                Advice::by_face(
                    "Correct its path in the environment's settings, or leave the path empty to look in PATH",
                    "Correct --kubectl, or leave it out to look in PATH",
                ),
            ),
            io::ErrorKind::NotFound => (
                KubectlFault::ProgramMissing,
                "kubectl was not found".to_owned(),
                or_another(format!(
                    "{program} is not in PATH. Install it (https://kubernetes.io/docs/tasks/tools)"
                )),
            ),
            io::ErrorKind::PermissionDenied if self.program.is_dir() => {
                let inside = self.program.join("kubectl");
                let advice = if inside.is_file() {
                    Advice::from(format!("Use the program in it: {}", inside.display()))
                } else {
                    or_another("Use the path of the program".to_owned())
                };
                (
                    KubectlFault::ProgramBroken,
                    format!("{program} is a folder, not the kubectl program"),
                    advice,
                )
            }
            io::ErrorKind::PermissionDenied => (
                KubectlFault::ProgramBroken,
                format!("{program} is not executable"),
                or_another(System::HERE.executable_advice(&program.to_string())),
            ),
            _ => (
                KubectlFault::ProgramBroken,
                match built_for(&self.program) {
                    Some(other) => format!(
                        "{program} is built for {other}, but this machine is {} {}",
                        std::env::consts::OS,
                        std::env::consts::ARCH
                    ),
                    None => format!("{program} cannot be run"),
                },
                or_another("Install a kubectl for this system and processor".to_owned()),
            ),
        };
        KubectlError::new(
            fault,
            Failure::new(summary, advice).with_details(error.to_string()),
        )
    }

    /// Checks the kubeconfig. If it is missing or empty, kubectl would connect to localhost:8080.
    pub(super) fn find_kubeconfig(&self) -> Result<(), KubectlError> {
        match &self.kubeconfig {
            Kubeconfig::BuiltIn => Ok(()),
            Kubeconfig::File(path) => check_kubeconfig(path),
            Kubeconfig::Default => self.find_default_kubeconfig(),
        }
    }

    fn find_default_kubeconfig(&self) -> Result<(), KubectlError> {
        let missing = |summary: String| {
            let advice = Advice::by_face(
                "Choose a kubeconfig in the environment's settings",
                "Set a kubeconfig with --kubeconfig",
            );
            Err(KubectlError::new(
                KubectlFault::KubeconfigMissing,
                Failure::new(summary, advice),
            ))
        };
        if let Some(list) = self.variable("KUBECONFIG") {
            let files: Vec<_> = std::env::split_paths(&list)
                .filter(|file| !file.as_os_str().is_empty())
                .collect();
            if files.is_empty() || files.iter().any(|file| file.exists()) {
                return match files.as_slice() {
                    [file] => check_kubeconfig(file),
                    // kubectl merges them, and any of them may be empty.
                    files => files.iter().try_for_each(|file| check_ordinary(file)),
                };
            }
            let names: Vec<_> = files
                .iter()
                .map(|file| file.display().to_string())
                .collect();
            let tilde = names.iter().any(|name| name.starts_with('~'));
            let note = if tilde {
                " (kubectl does not expand ~)"
            } else {
                ""
            };
            return missing(format!(
                "KUBECONFIG points to {}, which does not exist{note}",
                names.join(" and ")
            ));
        }
        let Some(usual) = self.usual_kubeconfig() else {
            return Ok(());
        };
        // In a pod, kubectl uses the pod's own cluster.
        if self.variable("KUBERNETES_SERVICE_HOST").is_some() {
            return Ok(());
        }
        if usual.exists() {
            return check_kubeconfig(&usual);
        }
        missing(format!(
            "No kubeconfig found: {} does not exist",
            usual.display()
        ))
    }

    /// Where kubectl looks without `KUBECONFIG`, whether it is there or not; `None` without a home folder.
    fn usual_kubeconfig(&self) -> Option<PathBuf> {
        usual_kubeconfig(System::HERE, |name| self.variable(name))
    }

    /// Whether the server's URL may have a path, judging by the kubeconfig's text. Most have none, which saves a call
    /// of kubectl.
    pub fn may_have_server_path(&self) -> bool {
        self.kubeconfig == Kubeconfig::BuiltIn || self.any_text(may_have_server_path, true)
    }

    /// Whether kubectl may start a credential plugin, judging by the kubeconfig's text.
    pub fn may_start_a_plugin(&self) -> bool {
        self.any_text(may_start_a_plugin, false)
    }

    /// Whether `holds` is true for any kubeconfig, or one cannot be read. `otherwise` is the result without a
    /// kubeconfig.
    fn any_text(&self, holds: fn(&str) -> bool, otherwise: bool) -> bool {
        let files = match &self.kubeconfig {
            Kubeconfig::BuiltIn => Vec::new(),
            Kubeconfig::File(path) => vec![path.clone()],
            Kubeconfig::Default => match self.variable("KUBECONFIG") {
                Some(list) => std::env::split_paths(&list)
                    .filter(|file| file.exists())
                    .collect(),
                None => self.usual_kubeconfig().into_iter().collect(),
            },
        };
        let texts: Option<Vec<String>> = files
            .iter()
            .filter(|file| file.exists())
            .map(text_of)
            .collect();
        texts.is_none_or(|texts| {
            if texts.is_empty() {
                otherwise
            } else {
                texts.iter().any(|text| holds(text))
            }
        })
    }
}

/// `.kube/config` in the user's home folder. On Windows kubectl takes the first of three folders that has it
/// (client-go's `util/homedir`).
fn usual_kubeconfig(
    system: System,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Option<PathBuf> {
    let homes = match system {
        System::Linux | System::MacOs => [variable("HOME"), None, None],
        System::Windows => {
            let drive = variable("HOMEDRIVE").zip(variable("HOMEPATH"));
            let joined = drive.map(|(mut drive, path)| {
                drive.push(path);
                drive
            });
            [variable("HOME"), variable("USERPROFILE"), joined]
        }
    };
    let files = homes.map(|home| Some(Path::new(&home?).join(".kube").join("config")));
    // Those that exist have another order.
    let [home, profile, drive] = &files;
    let mut usual = [home, drive, profile].into_iter().flatten();
    let found = usual.find(|file| file.exists());
    found.or_else(|| files.iter().flatten().next()).cloned()
}

/// `None` if it is not a regular file, is too large or is not UTF-8.
fn text_of(path: &PathBuf) -> Option<String> {
    let about = std::fs::metadata(path).ok()?;
    if !about.is_file() || about.len() > MAX_KUBECONFIG_BYTES {
        return None;
    }
    std::fs::read_to_string(path).ok()
}

/// Refuses what is there and is no ordinary file. Batida runs kubectl several times: a pipe can be read only once, and a
/// device may be endless.
fn check_ordinary(path: &Path) -> Result<(), KubectlError> {
    let Err(odd @ files::Unread::NoFile(_)) = files::ordinary(path) else {
        return Ok(());
    };
    // It is a usual way to say that there is none.
    if path == Path::new("/dev/null") {
        return Ok(());
    }
    let summary = format!(
        "The kubeconfig {} cannot be used: {}",
        path.display(),
        odd.why()
    );
    Err(KubectlError::new(
        KubectlFault::KubeconfigBroken,
        Failure::new(summary, "Save what comes out of it as a file first"),
    ))
}

/// Reports problems for which kubectl has no clear message.
fn check_kubeconfig(path: &Path) -> Result<(), KubectlError> {
    let Ok(about) = std::fs::metadata(path) else {
        return Ok(());
    };
    let shown = path.display();
    let broken = |summary: String, advice: &str| {
        Err(KubectlError::new(
            KubectlFault::KubeconfigBroken,
            Failure::new(summary, advice),
        ))
    };
    if about.is_dir() {
        return broken(
            format!("The kubeconfig {shown} is a folder"),
            "Choose a file in it",
        );
    }
    check_ordinary(path)?;
    if !about.is_file() {
        return Ok(());
    }
    let is_blank = |text: String| text.trim().is_empty();
    if about.len() == 0 || about.len() < 1_000 && text_of(&path.to_owned()).is_some_and(is_blank) {
        let advice = "Replace it with the kubeconfig from your cluster's administrator, or \
             choose another file";
        return broken(format!("The kubeconfig {shown} is empty"), advice);
    }
    Ok(())
}

/// The program as Windows also finds it, e.g. `kubectl.exe` for `kubectl`; on other systems the same.
fn with_ending(program: &Path) -> PathBuf {
    let mut name = program.as_os_str().to_owned();
    name.push(std::env::consts::EXE_SUFFIX);
    name.into()
}

/// The first 128 bytes of a file.
fn first_bytes(path: &Path) -> Option<Vec<u8>> {
    if !path.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .ok()?
        .take(128)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(bytes)
}

/// The interpreter of a script, from its `#!` line.
fn interpreter(path: &Path) -> Option<String> {
    let bytes = first_bytes(path)?;
    let line = bytes
        .strip_prefix(b"#!")?
        .split(|byte| *byte == b'\n')
        .next()?;
    Some(String::from_utf8_lossy(line).trim().to_owned())
}

/// The system and processor that a program is built for; `None` if unknown.
fn built_for(path: &Path) -> Option<String> {
    let bytes = first_bytes(path)?;
    let name = match bytes.get(..4)? {
        [0x7f, b'E', b'L', b'F'] => {
            let little = bytes.get(5) != Some(&2);
            let raw = [*bytes.get(18)?, *bytes.get(19)?];
            let machine = if little {
                u16::from_le_bytes(raw)
            } else {
                u16::from_be_bytes(raw)
            };
            match machine {
                3 => "linux x86 (32 bits)",
                21 => "linux powerpc64",
                22 => "linux s390x",
                40 => "linux arm (32 bits)",
                62 => "linux x86_64",
                183 => "linux aarch64",
                243 => "linux riscv64",
                _ => "another processor",
            }
        }
        [0xcf | 0xce, 0xfa, 0xed, 0xfe] | [0xca, 0xfe, 0xba, 0xbe] => "macOS",
        [b'M', b'Z', ..] => "Windows",
        _ => return None,
    };
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubectl_s_home_folder_is_found_on_each_system() {
        let dir = tempfile::tempdir().unwrap();
        let home = |name: &str| dir.path().join(name).into_os_string();
        let config = |name: &str| Some(dir.path().join(name).join(".kube/config"));
        let all = |name: &str| match name {
            // The path of a drive begins with its own separator.
            "HOMEPATH" => Some("/drive".into()),
            "HOMEDRIVE" => Some(dir.path().into()),
            "USERPROFILE" => Some(home("profile")),
            "HOME" => Some(home("home")),
            _ => None,
        };
        assert_eq!(usual_kubeconfig(System::Linux, all), config("home"));
        assert_eq!(usual_kubeconfig(System::Windows, all), config("home"));
        assert_eq!(usual_kubeconfig(System::Windows, |_| None), None);
        // One that exists goes first.
        for name in ["profile", "drive", "home"] {
            let made = config(name).unwrap();
            std::fs::create_dir_all(made.parent().unwrap()).unwrap();
            std::fs::write(made, "x").unwrap();
            assert_eq!(usual_kubeconfig(System::Windows, all), config(name));
        }
        let profile = |name: &str| (name == "USERPROFILE").then(|| home("profile"));
        assert_eq!(usual_kubeconfig(System::MacOs, profile), None);
        assert_eq!(
            usual_kubeconfig(System::Windows, profile),
            config("profile")
        );
    }

    #[test]
    fn the_platform_of_a_program_is_recognized() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kubectl");
        let told = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            built_for(&path)
        };
        let mut elf = [0; 64];
        elf[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1]);
        elf[18] = 183;
        assert_eq!(told(&elf).as_deref(), Some("linux aarch64"));
        assert_eq!(told(&[0xcf, 0xfa, 0xed, 0xfe]).as_deref(), Some("macOS"));
        assert_eq!(told(b"MZ\x90\x00").as_deref(), Some("Windows"));
        assert_eq!(told(b"hello world"), None);
        assert_eq!(told(b""), None);
    }
}
