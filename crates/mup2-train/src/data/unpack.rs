//! Taking the wanted files out of a `.tar.gz`, trusting none of its paths.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Component, Path};

use flate2::read::GzDecoder;
use tar::EntryType;

use super::archives::KnownFile;
use super::verified::sha256_of_file;
use crate::error::{Error, Result};

const ADVICE: &str = "run the same command again to download it anew";

/// Writes `files` from the archive into the directory `into`, under their bare names.
///
/// # Errors
/// [`Error::Corrupt`] if an entry's path leads out of the archive, if an entry is neither a file
/// nor a directory (a link could lead out), or if a wanted file is absent, twice there or not as
/// published.
pub(super) fn unpack(archive: &Path, files: &[KnownFile], into: &Path) -> Result<()> {
    let opened = File::open(archive).map_err(Error::io("open", archive))?;
    let mut tar = tar::Archive::new(GzDecoder::new(BufReader::new(opened)));
    let corrupt = |problem: String| Error::corrupt(archive, problem, ADVICE);
    let unreadable = |error: io::Error| corrupt(format!("it cannot be unpacked ({error})"));

    for entry in tar.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        let path = entry.path().map_err(unreadable)?.into_owned();
        let stays_inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if !path.components().all(stays_inside) {
            let problem = format!("its entry `{}` leads out of it", path.display());
            return Err(corrupt(problem));
        }
        match entry.header().entry_type() {
            EntryType::Regular => {}
            EntryType::Directory | EntryType::XGlobalHeader => continue,
            _ => {
                let problem = format!("its entry `{}` is no file", path.display());
                return Err(corrupt(problem));
            }
        }
        let wanted = files
            .iter()
            .find(|file| path.file_name().is_some_and(|name| name == file.name));
        if let Some(file) = wanted {
            let target = into.join(file.name);
            if target.exists() {
                return Err(corrupt(format!("it has {} twice", file.name)));
            }
            let mut written = File::create_new(&target).map_err(Error::io("create", &target))?;
            // One byte more than allowed tells a longer file from one of the right length.
            let limited = &mut entry.by_ref().take(file.bytes + 1);
            let count = copy(limited, &mut written).map_err(|error| match error {
                CopyError::Read(error) => unreadable(error),
                CopyError::Write(error) => Error::io("write", &target)(error),
            })?;
            written.sync_all().map_err(Error::io("write", &target))?;
            if count != file.bytes {
                let problem = format!("its {} has not {} bytes", file.name, file.bytes);
                return Err(corrupt(problem));
            }
            if let Some(expected) = file.sha256
                && sha256_of_file(&target)? != expected
            {
                return Err(corrupt(format!("its {} is not as published", file.name)));
            }
        }
    }
    match files.iter().find(|file| !into.join(file.name).is_file()) {
        Some(file) => Err(corrupt(format!("it has no {}", file.name))),
        None => Ok(()),
    }
}

/// Which side of a copy failed: a broken archive and a full disk call for different advice.
enum CopyError {
    Read(io::Error),
    Write(io::Error),
}

fn copy(from: &mut impl Read, to: &mut impl io::Write) -> std::result::Result<u64, CopyError> {
    let mut buffer = vec![0; 1 << 16];
    let mut total = 0;
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(total),
            Ok(count) => {
                to.write_all(&buffer[..count]).map_err(CopyError::Write)?;
                total += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(CopyError::Read(error)),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{KnownFile, unpack};
    use flate2::{Compression, write::GzEncoder};
    use std::fs;
    use tar::{Builder, EntryType, Header};

    /// A `.tar.gz` of these (path, content) files. The path goes into the header unchecked, since
    /// the `tar` crate refuses to write a bad one.
    pub fn tar_gz(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
        for (path, content) in entries {
            builder
                .append(&header(path, EntryType::Regular, content.len()), *content)
                .unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    fn header(path: &str, kind: EntryType, size: usize) -> Header {
        let mut header = Header::new_ustar();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(size as u64);
        header.set_cksum();
        header
    }

    const FILES: [KnownFile; 1] = [KnownFile {
        name: "one.bin",
        bytes: 3,
        sha256: None,
    }];

    /// Unpacks into an inner directory; returns the outcome and the names in the outer one and in
    /// it.
    fn outcome(archive: &[u8]) -> (Result<(), String>, Vec<String>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("archive.tar.gz");
        fs::write(&path, archive).unwrap();
        let into = directory.path().join("into");
        fs::create_dir(&into).unwrap();
        let outcome = unpack(&path, &FILES, &into).map_err(|error| error.to_string());
        let names = |directory| {
            let entries = fs::read_dir(directory).unwrap();
            entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect::<Vec<_>>()
        };
        let mut all = names(directory.path());
        all.extend(names(&into));
        all.retain(|name| name != "into" && name != "archive.tar.gz");
        (outcome, all)
    }

    #[test]
    fn only_wanted_files_are_unpacked_and_without_their_directories() {
        let (outcome, names) = outcome(&tar_gz(&[("set/readme", b"x"), ("set/one.bin", b"abc")]));
        assert_eq!((outcome, names), (Ok(()), vec!["one.bin".to_owned()]));
    }

    #[test]
    fn entries_that_lead_out_of_the_archive_are_refused() {
        for path in [
            "../one.bin",
            "set/../../one.bin",
            "/tmp/one.bin",
            "../../../etc/one.bin",
        ] {
            let (outcome, names) = outcome(&tar_gz(&[(path, b"abc")]));
            let message = outcome.unwrap_err();
            assert!(message.contains("leads out of it"), "{message}");
            assert!(names.is_empty(), "{names:?}");
        }
    }

    #[test]
    fn links_are_refused() {
        for kind in [EntryType::Symlink, EntryType::Link] {
            let mut link = header("one.bin", kind, 0);
            link.set_link_name("/etc/passwd").unwrap();
            link.set_cksum();
            let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
            builder.append(&link, &[][..]).unwrap();
            let archive = builder.into_inner().unwrap().finish().unwrap();
            let (outcome, names) = outcome(&archive);
            assert!(outcome.unwrap_err().contains("is no file"));
            assert!(names.is_empty());
        }
    }

    #[test]
    fn files_of_another_length_and_absent_or_double_files_are_errors() {
        for content in ["ab", "abcd"] {
            let (outcome, _) = outcome(&tar_gz(&[("one.bin", content.as_bytes())]));
            assert!(outcome.unwrap_err().contains("has not 3 bytes"));
        }
        assert!(
            outcome(&tar_gz(&[("x", b"abc")]))
                .0
                .unwrap_err()
                .contains("has no one.bin")
        );
        assert!(
            outcome(&tar_gz(&[("one.bin", b"abc"), ("x/one.bin", b"abc")]))
                .0
                .is_err()
        );
    }

    #[test]
    fn an_archive_cut_at_any_offset_is_an_error_not_a_panic() {
        let whole = tar_gz(&[("set/one.bin", b"abc")]);
        // The last bytes are tar's own padding and gzip's trailer, after all files.
        for length in 0..whole.len() / 2 {
            assert!(outcome(&whole[..length]).0.is_err(), "{length}");
        }
    }
}
