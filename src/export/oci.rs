//! A container image with Batida alone, as an archive in the OCI image layout: one layer, its config and its manifest.
//! The same contents give the same bytes.
//!
//! The format is that of <https://github.com/opencontainers/image-spec>. `manifest.json` is not of it: with that file a
//! `docker load` of before version 25 reads the archive too.

use std::collections::BTreeSet;
use std::io::{self, Write};

use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::tar::TarWriter;

/// The user and the group that the image runs as: nobody's on any system.
const USER: u32 = 65_532;
/// Where the trusted certificate authorities are.
const AUTHORITIES: &str = "etc/ssl/certs/ca-certificates.crt";
/// Where the executable is.
const EXECUTABLE: &str = "batida";
/// The last change of everything: none, so that the bytes do not tell when they were made.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// What an image is made of.
#[derive(Debug)]
pub struct Image<'a> {
    /// The executable's processor, as Go names it, e.g. `amd64`.
    pub architecture: &'a str,
    /// Batida's version.
    pub version: &'a str,
    /// The program.
    pub executable: &'a [u8],
    /// The trusted certificate authorities, as PEM.
    pub authorities: &'a [u8],
    /// Other files that the executable needs: the path from the root, without a `/` at its beginning, and the content.
    pub libraries: &'a [(String, Vec<u8>)],
}

/// What was written.
#[derive(Debug)]
pub struct Written {
    /// The manifest's digest, by which a registry names the image: `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// The size of the layer in the archive, in bytes.
    pub layer_bytes: usize,
}

/// A part of the archive, named by its digest.
struct Blob {
    media_type: &'static str,
    digest: String,
    bytes: Vec<u8>,
}

impl Blob {
    fn new(media_type: &'static str, bytes: Vec<u8>) -> Self {
        Self {
            media_type,
            digest: sha256(&bytes),
            bytes,
        }
    }

    fn json(media_type: &'static str, value: &Value) -> io::Result<Self> {
        Ok(Self::new(media_type, serde_json::to_vec(value)?))
    }

    fn descriptor(&self) -> Value {
        json!({
            "mediaType": self.media_type,
            "digest": format!("sha256:{}", self.digest),
            "size": self.bytes.len(),
        })
    }

    fn path(&self) -> String {
        format!("blobs/sha256/{}", self.digest)
    }
}

/// Writes the archive.
///
/// # Errors
/// Of the writer, and when a path is too long for the archive.
pub fn write(image: &Image<'_>, out: &mut dyn Write) -> io::Result<Written> {
    let files = files(image)?;
    let gzip = GzBuilder::new().write(Vec::new(), Compression::default());
    let layer = Blob::new(
        "application/vnd.oci.image.layer.v1.tar+gzip",
        pack(&files, gzip)?.finish()?,
    );
    let config = Blob::json(
        "application/vnd.oci.image.config.v1+json",
        &json!({
            "created": CREATED,
            "architecture": image.architecture,
            "os": "linux",
            "config": {
                "User": format!("{USER}:{USER}"),
                "Entrypoint": [format!("/{EXECUTABLE}")],
                // Batida's own files go to the one folder that anyone may write to.
                "Env": [format!("SSL_CERT_FILE=/{AUTHORITIES}"), "HOME=/tmp"],
                "WorkingDir": "/tmp",
                "Labels": {
                    "org.opencontainers.image.title": "Batida",
                    "org.opencontainers.image.version": image.version,
                    "org.opencontainers.image.licenses": env!("CARGO_PKG_LICENSE"),
                },
            },
            "rootfs": {
                "type": "layers",
                "diff_ids": [format!("sha256:{}", sha256(&pack(&files, Vec::new())?))],
            },
            "history": [{ "created": CREATED, "created_by": "batida image" }],
        }),
    )?;
    let manifest = Blob::json(
        "application/vnd.oci.image.manifest.v1+json",
        &json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config.descriptor(),
            "layers": [layer.descriptor()],
        }),
    )?;
    archive(image.version, &manifest, &config, &layer, out)?;
    Ok(Written {
        digest: format!("sha256:{}", manifest.digest),
        layer_bytes: layer.bytes.len(),
    })
}

/// The archive's files around the three blobs.
fn archive(
    version: &str,
    manifest: &Blob,
    config: &Blob,
    layer: &Blob,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut listed = manifest.descriptor();
    listed["annotations"] = json!({
        "org.opencontainers.image.ref.name": version,
        "io.containerd.image.name": format!("docker.io/library/batida:{version}"),
    });
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [listed],
    });
    let docker = json!([{
        "Config": config.path(),
        "RepoTags": [format!("batida:{version}")],
        "Layers": [layer.path()],
    }]);
    let mut blobs = [manifest, config, layer];
    blobs.sort_by(|a, b| a.digest.cmp(&b.digest));
    let mut tar = TarWriter::new(out);
    tar.folder("blobs", 0o755)?;
    tar.folder("blobs/sha256", 0o755)?;
    for blob in blobs {
        tar.file(&blob.path(), 0o644, &blob.bytes)?;
    }
    tar.file("index.json", 0o644, &serde_json::to_vec(&index)?)?;
    tar.file("manifest.json", 0o644, &serde_json::to_vec(&docker)?)?;
    tar.file("oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    tar.end().map(drop)
}

/// A file of the layer.
struct LayerFile<'a> {
    path: &'a str,
    mode: u32,
    content: &'a [u8],
}

/// The layer's files, sorted, each path once.
fn files<'a>(image: &'a Image<'_>) -> io::Result<Vec<LayerFile<'a>>> {
    let file = |path, mode, content| LayerFile {
        path,
        mode,
        content,
    };
    // Who asks for the user's name or home finds them, and names are looked up in /etc/hosts first.
    let mut files = vec![
        file(EXECUTABLE, 0o755, image.executable),
        file(AUTHORITIES, 0o644, image.authorities),
        file("etc/passwd", 0o644, PASSWD.as_bytes()),
        file("etc/group", 0o644, GROUP.as_bytes()),
        file("etc/nsswitch.conf", 0o644, b"hosts: files dns\n"),
    ];
    let libraries = image.libraries.iter();
    files.extend(libraries.map(|(path, content)| file(path, 0o755, content)));
    files.sort_by(|a, b| a.path.cmp(b.path));
    let twice = files.windows(2).find(|pair| pair[0].path == pair[1].path);
    match twice {
        Some(pair) => {
            let why = format!("{} is in the image twice", pair[0].path);
            Err(io::Error::new(io::ErrorKind::InvalidInput, why))
        }
        None => Ok(files),
    }
}

const PASSWD: &str = "root:x:0:0:root:/:/none\nbatida:x:65532:65532:batida:/tmp:/none\n";
const GROUP: &str = "root:x:0:\nbatida:x:65532:\n";

fn pack<W: Write>(files: &[LayerFile<'_>], out: W) -> io::Result<W> {
    let mut tar = TarWriter::new(out);
    let parents = |path: &'_ str| -> Vec<String> {
        let slashes = path.match_indices('/').map(|(at, _)| path[..at].to_owned());
        slashes.collect()
    };
    let mut folders: BTreeSet<String> = files.iter().flat_map(|file| parents(file.path)).collect();
    folders.insert("tmp".to_owned());
    for folder in &folders {
        // As /tmp is everywhere: anyone writes there, and removes only their own files.
        let mode = if folder == "tmp" { 0o1777 } else { 0o755 };
        tar.folder(folder, mode)?;
    }
    for file in files {
        tar.file(file.path, file.mode, file.content)?;
    }
    tar.end()
}

fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read as _;

    use super::*;

    fn sample<'a>(libraries: &'a [(String, Vec<u8>)]) -> Image<'a> {
        Image {
            architecture: "amd64",
            version: "1.2.3",
            executable: b"\x7fELF and so on",
            authorities: b"-----BEGIN CERTIFICATE-----",
            libraries,
        }
    }

    /// Files and folders of an archive with their modes, as another reader of the format would find them.
    fn unpack(mut bytes: &[u8]) -> BTreeMap<String, (u32, Vec<u8>)> {
        let text = |field: &[u8]| {
            let end = field.iter().position(|byte| *byte == 0);
            String::from_utf8(field[..end.unwrap_or(field.len())].to_vec()).expect("text")
        };
        let octal = |field: &[u8]| u32::from_str_radix(text(field).trim(), 8).expect("octal");
        let mut entries = BTreeMap::new();
        while bytes[0] != 0 {
            let (head, rest) = bytes.split_at(512);
            let mut blank = head.to_vec();
            blank[148..156].fill(b' ');
            let sum: u32 = blank.iter().copied().map(u32::from).sum();
            assert_eq!(octal(&head[148..156]), sum);
            let size = octal(&head[124..136]) as usize;
            let old = entries.insert(
                text(&head[..100]),
                (octal(&head[100..108]), rest[..size].to_vec()),
            );
            assert!(old.is_none(), "twice");
            bytes = &rest[size.div_ceil(512) * 512..];
        }
        entries
    }

    #[test]
    fn every_blob_is_found_by_its_digest_from_the_index_on() {
        let libraries = [("lib64/ld.so".to_owned(), vec![7; 1000])];
        let mut bytes = Vec::new();
        let written = write(&sample(&libraries), &mut bytes).expect("memory");
        let files = unpack(&bytes);
        let json = |path: &str| -> Value { serde_json::from_slice(&files[path].1).expect("JSON") };
        let blob = |descriptor: &Value| {
            let digest = descriptor["digest"].as_str().expect("a digest");
            let path = format!("blobs/{}", digest.replace(':', "/"));
            let bytes = files[&path].1.clone();
            assert_eq!(descriptor["size"], json!(bytes.len()));
            assert_eq!(digest, format!("sha256:{}", sha256(&bytes)));
            bytes
        };
        let index = json("index.json");
        assert_eq!(index["manifests"][0]["digest"], json!(written.digest));
        let manifest: Value =
            serde_json::from_slice(&blob(&index["manifests"][0])).expect("a manifest");
        let config: Value = serde_json::from_slice(&blob(&manifest["config"])).expect("a config");
        let packed = blob(&manifest["layers"][0]);
        let mut layer = Vec::new();
        flate2::read::GzDecoder::new(&packed[..])
            .read_to_end(&mut layer)
            .expect("gzip");
        assert_eq!(
            config["rootfs"]["diff_ids"],
            json!([format!("sha256:{}", sha256(&layer))])
        );
        assert_eq!(config["config"]["User"], json!("65532:65532"));
        assert_eq!(config["config"]["Entrypoint"], json!(["/batida"]));

        let layer = unpack(&layer);
        assert_eq!(layer["batida"], (0o755, b"\x7fELF and so on".to_vec()));
        assert_eq!(layer["lib64/ld.so"].1, vec![7; 1000]);
        assert_eq!(layer["tmp/"].0, 0o1777);
        assert_eq!(layer["etc/ssl/certs/"].0, 0o755);
        assert!(layer.contains_key(AUTHORITIES));
        let docker = json("manifest.json");
        assert_eq!(
            files[docker[0]["Layers"][0].as_str().expect("a path")].1,
            packed
        );
    }

    #[test]
    fn the_same_contents_give_the_same_bytes_in_any_order() {
        let one = ("lib/a".to_owned(), vec![1]);
        let two = ("lib/b".to_owned(), vec![2]);
        let bytes = |libraries: &[(String, Vec<u8>)]| {
            let mut bytes = Vec::new();
            write(&sample(libraries), &mut bytes).expect("memory");
            bytes
        };
        assert_eq!(
            bytes(&[one.clone(), two.clone()]),
            bytes(&[two, one.clone()])
        );
        let twice = write(&sample(&[one.clone(), one]), &mut Vec::new());
        assert!(twice.is_err_and(|error| error.to_string().contains("twice")));
    }
}
