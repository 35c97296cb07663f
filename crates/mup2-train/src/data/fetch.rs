//! Fetching a published dataset: download, verify, unpack aside, publish by renaming.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::archives::{Contents, Source};
use super::download::{FetchProgress, download, sync_directory};
use super::spec::DatasetName;
use super::unpack::unpack;
use super::verified;
use crate::error::{Error, Result};

/// An address that takes the place of the publishers': files are then asked for at
/// `$MUP2_DATA_URL/NAME/FILE`. For machines that reach only a mirror; the checksums stay the same.
const MIRROR_VARIABLE: &str = "MUP2_DATA_URL";

/// Downloads a dataset into `directory`, where [`super::load`] then finds it.
///
/// Nothing is done, and `progress` not called, if the genuine files are there already. Until all
/// files are verified they stay in a directory `.NAME.download` beside `directory`; what a broken
/// connection left there is taken up by the next call. A second process that fetches the same
/// dataset waits for the first.
///
/// # Errors
/// [`Error::Network`] if a server cannot be reached or breaks off, [`Error::Corrupt`] if what it
/// sent is not what was published, [`Error::Io`] if a file cannot be written, and
/// [`Error::Invalid`] for `embedded` and `folder`, which nobody publishes.
pub fn fetch(
    name: DatasetName,
    directory: &Path,
    progress: &mut dyn FnMut(FetchProgress),
) -> Result<()> {
    let Some(source) = Source::of(name) else {
        let published: Vec<&str> = DatasetName::ALL
            .into_iter()
            .filter_map(Source::of)
            .map(|source| source.name)
            .collect();
        return Err(Error::invalid(
            "dataset",
            format!("`{name}` is not downloaded"),
            published.join(", "),
        ));
    };
    match std::env::var(MIRROR_VARIABLE) {
        Ok(mirror) if !mirror.is_empty() => {
            let base = format!("{}/{name}", mirror.trim_end_matches('/'));
            let bases = [base.as_str()];
            fetch_source(
                &Source {
                    bases: &bases,
                    ..source
                },
                directory,
                progress,
            )
        }
        _ => fetch_source(&source, directory, progress),
    }
}

fn fetch_source(
    source: &Source,
    directory: &Path,
    progress: &mut dyn FnMut(FetchProgress),
) -> Result<()> {
    if is_complete(source, directory) {
        return Ok(());
    }
    let workshop = workshop(directory)?;
    fs::create_dir_all(&workshop).map_err(Error::io("create", &workshop))?;
    let lock_path = workshop.join("lock");
    let lock = File::create(&lock_path).map_err(Error::io("create", &lock_path))?;
    // Some network file systems have no locks. Two downloads at once would then spoil each other's
    // part, which the checksum notices: no reason to refuse to download at all.
    let _ = lock.lock();
    if is_complete(source, directory) {
        return Ok(());
    }

    let part = |file: &str| workshop.join(format!("{file}.part"));
    for archive in source.archives {
        download(source.bases, archive, &part(archive.file), progress)?;
    }

    let unpacked = workshop.join("unpacked");
    if unpacked.exists() {
        fs::remove_dir_all(&unpacked).map_err(Error::io("remove", &unpacked))?;
    }
    fs::create_dir(&unpacked).map_err(Error::io("create", &unpacked))?;
    for archive in source.archives {
        match archive.contents {
            Contents::Gzip(_) => {
                let target = unpacked.join(archive.file);
                fs::rename(part(archive.file), &target).map_err(Error::io("create", &target))?;
            }
            Contents::TarGz(files) => unpack(&part(archive.file), files, &unpacked)?,
        }
    }
    publish(&unpacked, directory)?;
    drop(lock);
    fs::remove_dir_all(&workshop).map_err(Error::io("remove", &workshop))
}

/// The directory beside `directory` where files are made, on the same file system so that they can
/// be renamed.
fn workshop(directory: &Path) -> Result<PathBuf> {
    let name = directory.file_name().ok_or_else(|| {
        Error::invalid(
            "directory",
            format!("`{}` has no name of its own", directory.display()),
            "a path that ends in a name",
        )
    })?;
    Ok(directory.with_file_name(format!(".{}.download", name.display())))
}

/// Whether the readers would accept every file of the source.
fn is_complete(source: &Source, directory: &Path) -> bool {
    let accepts = |file: &_| {
        verified::find(directory, file, "")
            .and_then(|path| {
                let bytes = verified::read(&path, file, "")?;
                verified::check(&path, &bytes, file, "")
            })
            .is_ok()
    };
    source
        .archives
        .iter()
        .all(|archive| match &archive.contents {
            Contents::Gzip(file) => accepts(file),
            Contents::TarGz(files) => files.iter().all(accepts),
        })
}

/// Renames the directory of new files into place; where there is one with files in it already,
/// renames the files into it one by one.
fn publish(unpacked: &Path, directory: &Path) -> Result<()> {
    sync_directory(unpacked)?;
    let occupied = fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some());
    if occupied {
        for entry in fs::read_dir(unpacked).map_err(Error::io("list", unpacked))? {
            let name = entry.map_err(Error::io("list", unpacked))?.file_name();
            let target = directory.join(&name);
            fs::rename(unpacked.join(&name), &target).map_err(Error::io("create", &target))?;
        }
        sync_directory(directory)
    } else {
        fs::rename(unpacked, directory).map_err(Error::io("create", directory))?;
        match directory.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => sync_directory(parent),
            _ => sync_directory(Path::new(".")),
        }
    }
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
