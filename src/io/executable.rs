//! The running executable and what it needs to run elsewhere: its loader, its libraries, and trusted certificate
//! authorities. For Linux, whose executables are in the ELF format.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::files;
use crate::domain::failure::Failure;

/// No build of Batida comes near it.
const MAX_EXECUTABLE_BYTES: u64 = 2 << 30;
/// A library of glibc has about 2 MiB.
const MAX_LIBRARY_BYTES: u64 = 64 << 20;
/// All authorities that a system trusts have about 0.25 MiB.
const MAX_AUTHORITIES_BYTES: u64 = 16 << 20;
/// Where distributions keep the authorities, as one PEM file.
const AUTHORITIES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// Libraries that glibc opens by itself to look up names of hosts. Since version 2.34 the first is part of libc.
const LOOKUP: [&str; 3] = ["libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2"];

/// An executable and what it needs.
#[derive(Debug)]
pub struct Executable {
    /// Its content.
    pub bytes: Vec<u8>,
    /// Its loader and the libraries that it is linked with, by their paths without the `/` at the beginning, sorted;
    /// empty if it is static.
    pub libraries: Vec<(String, Vec<u8>)>,
}

/// Reads the running executable, and its libraries from where the loader finds them.
///
/// # Errors
/// When a file cannot be read, or the executable is not for Linux.
pub fn running() -> Result<Executable, Failure> {
    // The link leads to the executable even after an update has put another in its place.
    let link = PathBuf::from(format!("/proc/{}/exe", std::process::id()));
    let path = if link.exists() {
        link
    } else {
        std::env::current_exe().map_err(|error| unreadable("Batida's executable", &error))?
    };
    let bytes = read(&path, MAX_EXECUTABLE_BYTES)?;
    let loader = loader(&bytes).map_err(|why| {
        Failure::new(
            format!("Batida's executable cannot be packed: {why}"),
            "Run this command with a build of Batida for Linux on a 64-bit processor",
        )
    })?;
    let libraries = match loader {
        Some(loader) => libraries(&loader, &path)?,
        None => Vec::new(),
    };
    Ok(Executable { bytes, libraries })
}

/// The trusted certificate authorities as PEM: the system's, where it has any, and those of `file`.
///
/// # Errors
/// When there are none, or a file cannot be read or has no certificate.
pub fn authorities(file: Option<&Path>) -> Result<Vec<u8>, Failure> {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let known = AUTHORITIES.iter().map(PathBuf::from);
    let system = named.into_iter().chain(known).find(|path| path.is_file());
    let mut all = Vec::new();
    for path in system.iter().map(PathBuf::as_path).chain(file) {
        let pem = read(path, MAX_AUTHORITIES_BYTES)?;
        let mut certificates = CertificateDer::pem_slice_iter(&pem);
        if certificates.next().is_none_or(|first| first.is_err()) {
            let summary = format!("{} has no certificate in PEM", path.display());
            let advice = "Name a file with lines of -----BEGIN CERTIFICATE-----";
            return Err(Failure::new(summary, advice));
        }
        all.extend(pem);
        if all.last() != Some(&b'\n') {
            all.push(b'\n');
        }
    }
    if all.is_empty() {
        return Err(Failure::new(
            "This machine has no trusted certificate authorities to pack",
            "Install the package ca-certificates, or name a PEM file with --ca",
        ));
    }
    Ok(all)
}

fn read(path: &Path, most: u64) -> Result<Vec<u8>, Failure> {
    files::read_now(path, most).map_err(|unread| {
        Failure::new(
            format!("{} cannot be read: {}", path.display(), unread.why()),
            "Is it there, and may you read it?",
        )
    })
}

fn unreadable(what: &str, error: &std::io::Error) -> Failure {
    Failure::new(
        format!("{what} cannot be read: {}", super::why(error)),
        "Run Batida from a file that you may read",
    )
}

/// Where the loader is that an executable names; `None` if it is static.
fn loader(elf: &[u8]) -> Result<Option<PathBuf>, &'static str> {
    const INTERPRETER: u32 = 3;
    let cut = "it is cut off";
    let field = |at: usize, size: usize| elf.get(at..at.checked_add(size)?);
    let number = |at: usize, size: usize| {
        let bytes = field(at, size).ok_or(cut)?;
        let value = bytes.iter().rev();
        usize::try_from(value.fold(0_u64, |value, byte| value << 8 | u64::from(*byte)))
            .map_err(|_| cut)
    };
    // The magic number, 64 bits, the lowest byte first.
    if !elf.starts_with(b"\x7fELF\x02\x01") {
        return Err("it is not a 64-bit program for Linux");
    }
    let (table, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    for index in 0..count {
        let at = table.checked_add(index * size).ok_or(cut)?;
        if number(at, 4)? == INTERPRETER as usize {
            let (from, length) = (number(at + 8, 8)?, number(at + 32, 8)?);
            let path = field(from, length).ok_or(cut)?;
            let path = path.strip_suffix(b"\0").unwrap_or(path);
            let path = std::str::from_utf8(path).map_err(|_| "its loader has an odd path")?;
            return Ok(Some(PathBuf::from(path)));
        }
    }
    Ok(None)
}

/// The loader itself, the libraries that it would load, and those that glibc looks up hosts with.
fn libraries(loader: &Path, executable: &Path) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let odd = |details: String| {
        let advice = "Run this command where Batida runs with the system's own libraries";
        Failure::new("The loader does not list Batida's libraries", advice).with_details(details)
    };
    let mut command = Command::new(loader);
    command.arg("--list").arg(executable);
    // Keys are in the environment, which is nobody else's business.
    let search = std::env::var_os("LD_LIBRARY_PATH");
    command.env_clear().stdin(Stdio::null());
    command.envs(search.map(|value| ("LD_LIBRARY_PATH", value)));
    let listed = command.output().map_err(|error| odd(error.to_string()))?;
    if !listed.status.success() {
        return Err(odd(String::from_utf8_lossy(&listed.stderr).into_owned()));
    }
    let mut paths = listed_paths(&String::from_utf8_lossy(&listed.stdout)).map_err(odd)?;
    paths.push(loader.to_owned());
    let libc = paths.iter().find(|path| path.ends_with("libc.so.6"));
    if let Some(dir) = libc.and_then(|libc| libc.parent()).map(Path::to_owned) {
        let lookup = LOOKUP.iter().map(|name| dir.join(name));
        paths.extend(lookup.filter(|path| path.is_file()));
    }
    let mut found = BTreeMap::new();
    for path in paths {
        let place = path.to_string_lossy().trim_start_matches('/').to_owned();
        found.insert(place, read(&path, MAX_LIBRARY_BYTES)?);
    }
    Ok(found.into_iter().collect())
}

/// The files in what a loader prints: `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f…)`. What the kernel brings
/// has no file.
fn listed_paths(text: &str) -> Result<Vec<PathBuf>, String> {
    let mut paths = Vec::new();
    for line in text.lines().map(str::trim) {
        let place = line.split_once(" => ").map_or(line, |(_, place)| place);
        let place = place.rsplit_once(" (").map_or(place, |(place, _)| place);
        if place.starts_with('/') {
            paths.push(PathBuf::from(place));
        } else if place == "not found" {
            return Err(line.to_owned());
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_loaders_list_is_read() {
        let text = "\tlinux-vdso.so.1 (0x00007ffd5a5f2000)
\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f9d7a2e1000)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f9d7a5c6000)\n";
        let paths = [
            "/lib/x86_64-linux-gnu/libm.so.6",
            "/lib64/ld-linux-x86-64.so.2",
        ];
        assert_eq!(listed_paths(text), Ok(paths.map(PathBuf::from).to_vec()));
        let missing = "\tlibfoo.so.1 => not found";
        assert_eq!(
            listed_paths(missing),
            Err("libfoo.so.1 => not found".to_owned())
        );
    }

    #[test]
    fn what_is_no_program_for_linux_is_refused_and_never_read_past_its_end() {
        assert!(loader(b"MZ\x90\0").is_err());
        let own = fs::read("/proc/self/exe").expect("the test");
        assert!(loader(&own).expect("it is one").is_some());
        for length in [0, 6, 40, 57, 64, 65, 120, 400] {
            let cut = loader(&own[..length]);
            assert!(cut.is_err(), "{length}: {cut:?}");
        }
    }

    #[test]
    fn the_test_itself_is_found_with_its_libraries() {
        let own = running().expect("it runs");
        assert_eq!(own.bytes, fs::read("/proc/self/exe").expect("the test"));
        let has = |name: &str| own.libraries.iter().any(|(path, _)| path.ends_with(name));
        assert!(has("libc.so.6"));
        assert!(own.libraries.iter().all(|(path, _)| !path.starts_with('/')));
    }
}
