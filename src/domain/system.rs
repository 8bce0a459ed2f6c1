//! The operating system, and advice that differs by it.

/// What Batida is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Linux, and other systems with its desktops.
    Linux,
    /// macOS.
    MacOs,
    /// Windows.
    Windows,
}

/// Debian and Ubuntu packages that a window needs at run time.
const X11: &str =
    "libx11-6 libx11-xcb1 libxcursor1 libxi6 libxkbcommon-x11-0 libegl1 libgl1 libgl1-mesa-dri";
const WAYLAND: &str =
    "libwayland-client0 libwayland-egl1 libwayland-cursor0 libxkbcommon0 libegl1 libgl1-mesa-dri";

impl System {
    /// The one that this program is built for.
    pub const HERE: Self = if cfg!(windows) {
        Self::Windows
    } else if cfg!(target_os = "macos") {
        Self::MacOs
    } else {
        Self::Linux
    };

    /// When no window can be opened although there is a display.
    pub fn window_advice(self) -> String {
        match self {
            Self::Linux => {
                format!("On X11: apt-get install {X11}. On Wayland: apt-get install {WAYLAND}")
            }
            Self::MacOs => "Batida's window needs OpenGL. Its commands do not: batida --help".into(),
            Self::Windows => "Batida's window needs OpenGL 2: install the graphics card's own driver. Its commands do \
                              not: batida --help"
                .into(),
        }
    }

    /// When there is no keychain. The beginning of a sentence.
    pub fn keychain_advice(self) -> &'static str {
        match self {
            Self::Linux => "Start a keychain (gnome-keyring, KWallet) and restart Batida",
            Self::MacOs => {
                "Make a default keychain in the application Keychain Access and restart Batida"
            }
            Self::Windows => {
                "Start the service \"Credential Manager\" (VaultSvc) and restart Batida"
            }
        }
    }

    /// When notifications are not shown.
    pub fn notification_advice(self) -> &'static str {
        match self {
            Self::Linux => {
                "Start your desktop's notification service, or turn off Desktop notifications in Environments"
            }
            Self::MacOs => {
                "Allow notifications of Script Editor in System Settings, or turn off Desktop notifications in \
                 Environments"
            }
            Self::Windows => {
                "Allow notifications in Windows' settings, or turn off Desktop notifications in Environments"
            }
        }
    }

    /// When nothing can be copied.
    pub fn copy_advice(self) -> &'static str {
        match self {
            Self::Linux => {
                "Copying needs a graphical display (X11 or Wayland). Select the text and copy it manually"
            }
            Self::MacOs | Self::Windows => {
                "Copying needs a graphical session. Select the text and copy it manually"
            }
        }
    }

    /// When the process has as many open files and sockets as it may.
    pub fn files_advice(self) -> &'static str {
        match self {
            Self::Linux | Self::MacOs => {
                "Use fewer connections, or raise the limit first (ulimit -n 65536)"
            }
            Self::Windows => "Use fewer connections",
        }
    }

    /// For a program whose file may not be run.
    pub fn executable_advice(self, program: &str) -> String {
        match self {
            Self::Linux | Self::MacOs => format!("Make it executable (chmod +x {program})"),
            Self::Windows => {
                "Check that it is a program, such as kubectl.exe, and that you may run it"
                    .to_owned()
            }
        }
    }

    /// For a file that its user may not read.
    pub fn readable_advice(self) -> &'static str {
        match self {
            Self::Linux | Self::MacOs => "Make it readable for you (chmod u+r)",
            Self::Windows => "Give yourself the right to read it (Properties, Security)",
        }
    }

    /// When there is no home folder.
    pub fn home_advice(self) -> &'static str {
        match self {
            Self::Linux | Self::MacOs => "Set HOME",
            Self::Windows => "Set USERPROFILE",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_system_is_advised_what_only_another_one_has() {
        let texts = |system: System| {
            [
                system.window_advice(),
                system.keychain_advice().to_owned(),
                system.notification_advice().to_owned(),
                system.copy_advice().to_owned(),
                system.files_advice().to_owned(),
                system.executable_advice("/opt/kubectl"),
                system.readable_advice().to_owned(),
                system.home_advice().to_owned(),
            ]
            .join("\n")
        };
        let foreign = |system: System| match system {
            System::Linux => ["Keychain Access", "VaultSvc", "USERPROFILE", ".exe"].as_slice(),
            System::MacOs => &["apt-get", "gnome-keyring", "X11", "VaultSvc", "USERPROFILE"],
            System::Windows => &[
                "apt-get",
                "gnome-keyring",
                "X11",
                "Keychain Access",
                "chmod",
                "ulimit",
                "HOME",
            ],
        };
        for system in [System::Linux, System::MacOs, System::Windows] {
            let texts = texts(system);
            for word in foreign(system) {
                assert!(!texts.contains(word), "{word} on {system:?}: {texts}");
            }
        }
    }
}
