//! Archives in the tar format of POSIX (ustar), the same bytes for the same entries: owned by root, at the time 0.

use std::io::{self, Write};

/// An archive is a sequence of blocks of that size.
const BLOCK: usize = 512;
/// The longest path that fits without its second field.
const MAX_PATH: usize = 100;
/// The largest size that eleven octal digits write.
const MAX_SIZE: u64 = (1 << 33) - 1;

/// What an entry is, as the format names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File = b'0' as isize,
    Folder = b'5' as isize,
}

/// Writes an archive.
#[derive(Debug)]
pub(super) struct TarWriter<W> {
    out: W,
}

impl<W: Write> TarWriter<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out }
    }

    /// Adds a folder. `path` has no `/` at its beginning.
    pub(super) fn folder(&mut self, path: &str, mode: u32) -> io::Result<()> {
        self.header(&format!("{path}/"), mode, 0, Kind::Folder)
    }

    /// Adds a file. `path` has no `/` at its beginning.
    pub(super) fn file(&mut self, path: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        self.header(path, mode, content.len() as u64, Kind::File)?;
        self.out.write_all(content)?;
        let rest = content.len() % BLOCK;
        if rest > 0 {
            self.out.write_all(&[0; BLOCK][rest..])?;
        }
        Ok(())
    }

    /// Writes the end, and gives the writer back.
    pub(super) fn end(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        Ok(self.out)
    }

    fn header(&mut self, path: &str, mode: u32, size: u64, kind: Kind) -> io::Result<()> {
        if path.len() > MAX_PATH || size > MAX_SIZE {
            let why = format!("{path} ({size} bytes) does not fit into a tar archive");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let mut block = [0; BLOCK];
        let mut put = |at: usize, field: &[u8]| block[at..at + field.len()].copy_from_slice(field);
        put(0, path.as_bytes());
        put(100, format!("{mode:07o}\0").as_bytes());
        put(108, b"0000000\0");
        put(116, b"0000000\0");
        put(124, format!("{size:011o}\0").as_bytes());
        put(136, b"00000000000\0");
        // The checksum is taken with blanks in its place.
        put(148, b"        ");
        put(156, &[kind as u8]);
        put(257, b"ustar\x0000");
        let sum: u32 = block.iter().copied().map(u32::from).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.out.write_all(&block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_whole_blocks_and_ends_with_two_empty_ones() {
        for size in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1] {
            let mut tar = TarWriter::new(Vec::new());
            tar.file("a", 0o644, &vec![b'x'; size]).expect("memory");
            let bytes = tar.end().expect("memory");
            assert_eq!(bytes.len() % BLOCK, 0, "{size}");
            let content = size.div_ceil(BLOCK);
            assert_eq!(bytes.len(), (1 + content + 2) * BLOCK, "{size}");
            assert!(bytes[(1 + content) * BLOCK..].iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut tar = TarWriter::new(Vec::new());
        assert!(tar.folder(&"a".repeat(MAX_PATH - 1), 0o755).is_ok());
        assert!(tar.folder(&"a".repeat(MAX_PATH), 0o755).is_err());
    }
}
