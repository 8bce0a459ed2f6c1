//! `batida image`: this very program as a container image, made without docker and without a network.

use std::io::{self, Write as _};

use serde_json::json;

use super::args::Common;
use super::copy_args::ImageArgs;
use super::{Ended, out, report};
use crate::domain::units;
use crate::export::oci::{self, Image};
use crate::io::executable;
use crate::io::files::{OutFile, cannot_write};

/// A processor as images name it.
fn architecture(processor: &str) -> &str {
    match processor {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

/// Packs the running program.
pub(super) fn write(common: &Common, args: &ImageArgs) -> Result<(), Ended> {
    let authorities = executable::authorities(common.ca())?;
    let program = executable::running()?;
    let image = Image {
        architecture: architecture(std::env::consts::ARCH),
        version: env!("CARGO_PKG_VERSION"),
        executable: &program.bytes,
        authorities: &authorities,
        libraries: &program.libraries,
    };
    let mut written = None;
    OutFile::open(&args.out)?
        .keep(|file| -> io::Result<()> {
            written = Some(oci::write(&image, file)?);
            Ok(())
        })
        .map_err(|error| cannot_write(&args.out, &error))?;
    let Some(written) = written else {
        return Ok(());
    };
    if cfg!(feature = "gui") {
        report::error_line(
            "This build has the window, for which the image has no libraries. A build with --no-default-features makes a \
             smaller image",
        );
    }
    if common.json {
        return Ok(report::json(&json!({
            "image": args.out.display().to_string(),
            "digest": written.digest,
            "architecture": image.architecture,
            "bytes": written.layer_bytes,
        }))?);
    }
    let (path, architecture) = (args.out.display(), image.architecture);
    let size = units::bytes(written.layer_bytes);
    let digest = written.digest;
    Ok(writeln!(
        out::stdout(),
        "{path}: linux/{architecture}, {size}, {digest}"
    )?)
}
