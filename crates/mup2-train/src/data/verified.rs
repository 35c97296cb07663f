//! Reading files whose length and SHA-256 are published, whatever they say of themselves.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::archives::KnownFile;
use crate::error::{Error, Result};
use crate::publish::open_regular;

/// The SHA-256 of `bytes` in lower-case hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// The SHA-256 of a whole file.
pub(super) fn sha256_of_file(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hexadecimal(&hash.finalize())),
            Ok(count) => hash.update(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::io("read", path)(error)),
        }
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Finds `file` in `directory`, as it is or with `.gz` behind its name.
pub(super) fn find(directory: &Path, file: &KnownFile, advice: &str) -> Result<PathBuf> {
    if !directory.is_dir() {
        let problem = "there is no such directory";
        return Err(Error::corrupt(directory, problem, advice));
    }
    let plain = directory.join(file.name);
    let gzipped = directory.join(format!("{}.gz", file.name));
    [&plain, &gzipped]
        .into_iter()
        .find(|path| path.is_file())
        .cloned()
        .ok_or_else(|| Error::corrupt(&plain, "there is no such file", advice))
}

/// Reads a whole file, decompressing it if its name ends in `.gz`, and checks its length.
///
/// No more than the expected length is ever held, so a file that unpacks to terabytes is refused
/// without harm.
pub(super) fn read(path: &Path, file: &KnownFile, advice: &str) -> Result<Vec<u8>> {
    let bytes = read_at_most_of(path, file.bytes, advice)?;
    let (found, expected) = (bytes.len() as u64, file.bytes);
    if found != expected {
        let problem = if found < expected {
            format!("it is truncated: {found} of {expected} bytes")
        } else {
            format!("it is longer than the {expected} bytes it should have")
        };
        return Err(Error::corrupt(path, problem, advice));
    }
    Ok(bytes)
}

/// As [`read`], for a file of any length up to `most` bytes.
pub(super) fn read_any(path: &Path, most: u64, advice: &str) -> Result<Vec<u8>> {
    let bytes = read_at_most_of(path, most, advice)?;
    if bytes.len() as u64 > most {
        let problem = format!("it has more than {most} bytes");
        return Err(Error::corrupt(path, problem, advice));
    }
    Ok(bytes)
}

/// The first `most` bytes of a file and one more, decompressed if its name ends in `.gz`.
fn read_at_most_of(path: &Path, most: u64, advice: &str) -> Result<Vec<u8>> {
    let opened = open_regular(path)?;
    let compressed = path.extension().is_some_and(|extension| extension == "gz");
    let bytes = if compressed {
        read_at_most(MultiGzDecoder::new(BufReader::new(opened)), most)
    } else {
        read_at_most(opened, most)
    };
    bytes.map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => Error::corrupt(path, "its gzip data ends too early", advice),
        ErrorKind::InvalidInput | ErrorKind::InvalidData if compressed => {
            Error::corrupt(path, "it is not valid gzip data", advice)
        }
        _ => Error::io("read", path)(error),
    })
}

/// Checks the SHA-256 of a file's (decompressed) bytes where it is known.
pub(super) fn check(path: &Path, bytes: &[u8], file: &KnownFile, advice: &str) -> Result<()> {
    match file.sha256 {
        Some(expected) if sha256(bytes) != expected => Err(Error::corrupt(
            path,
            format!("its content is not that of the published {}", file.name),
            advice,
        )),
        _ => Ok(()),
    }
}

fn read_at_most(reader: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than allowed tells a longer file from one of the right length.
    reader
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::{KnownFile, check, find, read, sha256};
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    use std::path::Path;

    fn gzipped(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn write(directory: &Path, name: &str, bytes: &[u8]) {
        std::fs::write(directory.join(name), bytes).unwrap();
    }

    const FILE: KnownFile = KnownFile {
        name: "letters",
        bytes: 1000,
        sha256: None,
    };

    fn message(directory: &Path) -> String {
        find(directory, &FILE, "advice")
            .and_then(|path| read(&path, &FILE, "advice"))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_file_is_found_plain_or_gzipped() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), "letters.gz", &gzipped(&[7; 1000]));
        let path = find(directory.path(), &FILE, "").unwrap();
        assert_eq!(read(&path, &FILE, "").unwrap(), [7; 1000]);
        write(directory.path(), "letters", &[8; 1000]);
        let path = find(directory.path(), &FILE, "").unwrap();
        assert_eq!(read(&path, &FILE, "").unwrap(), [8; 1000]);
    }

    #[test]
    fn an_absent_file_or_directory_is_an_error_with_advice() {
        let directory = tempfile::tempdir().unwrap();
        let found = message(directory.path());
        assert!(
            found.contains("letters: there is no such file; advice"),
            "{found}"
        );
        let found = message(&directory.path().join("nowhere"));
        assert!(found.contains("no such directory; advice"), "{found}");
    }

    #[test]
    fn a_file_truncated_at_any_place_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        for length in [0, 1, 500, 999] {
            write(directory.path(), "letters", &vec![7; length]);
            let found = message(directory.path());
            assert!(
                found.contains(&format!("truncated: {length} of 1000")),
                "{found}"
            );
        }
        std::fs::remove_file(directory.path().join("letters")).unwrap();
        let whole = gzipped(
            &(0..1000)
                .map(|index| (index % 251) as u8)
                .collect::<Vec<u8>>(),
        );
        for length in 0..whole.len() {
            write(directory.path(), "letters.gz", &whole[..length]);
            message(directory.path());
        }
    }

    #[test]
    fn a_file_that_is_too_long_or_not_gzip_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), "letters.gz", b"<html>not found</html>");
        assert!(message(directory.path()).contains("not valid gzip data"));
        write(
            directory.path(),
            "letters.gz",
            &gzipped(&vec![0; 10_000_000]),
        );
        assert!(message(directory.path()).contains("longer than the 1000 bytes"));
    }

    #[test]
    fn other_content_than_the_published_is_an_error() {
        let sum = sha256(&[7; 1000]);
        let file = KnownFile {
            sha256: Some(&sum),
            ..FILE
        };
        check(Path::new("x"), &[7; 1000], &file, "").unwrap();
        assert!(check(Path::new("x"), &[8; 1000], &file, "").is_err());
    }
}
