//! A virtual X display of a test's own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::support::programs::{find, quiet};

/// A program that is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Killed(pub(crate) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Xvfb on a free display.
#[derive(Debug)]
pub(crate) struct Display {
    name: String,
    _xvfb: Killed,
}

impl Display {
    /// Xvfb picks a free display and writes its number once it listens.
    pub(crate) fn start(size: &str) -> Self {
        let mut xvfb = quiet(find("Xvfb", "xvfb"));
        xvfb.args([
            "-displayfd",
            "1",
            "-screen",
            "0",
            &format!("{size}x24"),
            "-nolisten",
            "tcp",
        ]);
        let mut xvfb = Killed(
            xvfb.stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .expect("it starts"),
        );
        let mut number = String::new();
        BufReader::new(xvfb.0.stdout.take().expect("piped"))
            .read_line(&mut number)
            .expect("a number");
        Self {
            name: format!(":{}", number.trim()),
            _xvfb: xvfb,
        }
    }

    /// `:99`
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A program that shows itself there.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = quiet(program);
        command
            .env("DISPLAY", &self.name)
            .env("LIBGL_ALWAYS_SOFTWARE", "1")
            .env_remove("WAYLAND_DISPLAY");
        command
    }
}
