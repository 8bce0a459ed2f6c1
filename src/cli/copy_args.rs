//! The arguments and the help of the commands that write something of the program itself: an image, completions, manual
//! pages.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

pub(super) const IMAGE_EXAMPLES: &str = "\
Examples:
  batida image --out batida.oci.tar
  batida image --ca company.pem --out batida.oci.tar
  skopeo copy oci-archive:batida.oci.tar docker://registry.example.com/batida:0.1.0
  podman load --input batida.oci.tar
  ctr --namespace k8s.io images import batida.oci.tar";

pub(super) const IMAGE_DETAILS: &str = "\
The image has one layer: this program as /batida, the system's trusted certificate authorities and those of --ca, and, \
unless the program is static, its loader and the libraries of glibc from this machine. It has no shell, runs as user 65532, \
starts /batida, and writes only to /tmp. The same program on the same machine gives the same bytes.

JSON: {\"image\", \"digest\", \"architecture\", \"bytes\"}; digest is the manifest's, by which a registry names the image.";

pub(super) const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  batida completions bash > ~/.local/share/bash-completion/completions/batida
  batida completions zsh > ~/.zfunc/_batida                 with ~/.zfunc in fpath
  batida completions fish > ~/.config/fish/completions/batida.fish";

pub(super) const MAN_EXAMPLES: &str = "\
Examples:
  batida man --dir ~/.local/share/man/man1";

pub(super) const MAN_DETAILS: &str = "\
The folder is made where it is missing; pages that are there are replaced. Prints the path of each page.

JSON: {\"pages\": [paths]}.";

#[derive(Debug, Args)]
pub(super) struct ImageArgs {
    /// Write the OCI archive to this file
    #[arg(long, value_name = "FILE")]
    pub(super) out: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// Write for this shell
    #[arg(value_enum)]
    pub(super) shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Write the pages to this folder
    #[arg(long, value_name = "DIR")]
    pub(super) dir: PathBuf,
}
