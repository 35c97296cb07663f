//! Images of the user's own: `train/CLASS/*.png` and `test/CLASS/*.png` (or `.jpg`, `.jpeg`), also in
//! directories within those of the classes. With `train` and `val` alone, as ImageNet is laid out,
//! `val` is the test set; with all three it is the validation set.
//!
//! Classes are the directories of `train`, sorted by name. If every image is grey there is one
//! channel, otherwise three; transparency is dropped and 16-bit images are reduced to 8. What is not
//! used is counted and named: files with other endings, images outside of classes, hidden images.
//! All images must have one size, once they are resized and cropped.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};

use super::decode::{self, Geometry, Header, Recipe};
use super::decode_pool::DecodePool;
use super::files::ImageFiles;
use super::images::Images;
use super::records::Records;
use super::spec::{Corrupt, DataSpec};
use super::{LoadProgress, LoadStage, RawSplits};
use crate::error::{Error, Result};

const LAYOUT: &str = "lay the images out as train/CLASS/*.png and test/CLASS/*.png (or .jpg)";

/// A folder whose headers were read; its images are on disk.
#[derive(Debug)]
pub(super) struct Folder {
    pub splits: RawSplits,
    /// A hash of every file's name, label, length and time of change, and of what was skipped.
    pub stamp: Vec<u8>,
    /// One sentence for each file that was skipped.
    pub notes: Vec<String>,
}

/// A labelled image file.
#[derive(Clone, Debug)]
struct Entry {
    path: Arc<Path>,
    label: u16,
}

/// What is known of a file without decoding it.
#[derive(Debug)]
struct Look {
    header: Result<Header>,
    length: u64,
    /// Nanoseconds since 1970.
    modified: u128,
}

/// A file that holds no whole image: its place among all entries, and why.
type Fault = (usize, String);

/// Finds all images under `directory` and reads their headers; under [`Corrupt::Skip`] also decodes
/// every image once, unless `records` know what came of it.
pub(super) fn open(
    directory: &Path,
    spec: &DataSpec,
    records: &mut Records,
    progress: &mut dyn FnMut(LoadProgress),
) -> Result<Folder> {
    let classes = class_names(&directory.join("train"))?;
    let mut unused = Unused::default();
    let parts = Parts::of(directory);
    let mut entries = Vec::new();
    let mut ends = Vec::new();
    for part in [
        Some(directory.join("train")),
        parts.validation,
        Some(parts.test),
    ] {
        if let Some(part) = part {
            entries.extend(entries_of(&part, &classes, &mut unused)?);
        }
        ends.push(entries.len());
    }
    let (training, validating) = (ends[0], ends[1]);
    let pool = Arc::new(DecodePool::start(spec.decode_threads)?);
    let (looks, mut faults) = look_at_all(&entries, &pool, spec.corrupt, progress)?;
    let mut stamp = stamp(directory, &entries, &looks);
    if spec.corrupt == Corrupt::Skip {
        let key = stamp.clone();
        faults = records.get_or_make("verified", &key, || {
            verify(&entries, faults, &pool, progress)
        })?;
        stamp.extend(serde_json::to_vec(&faults).unwrap_or_default());
    }
    let bad: BTreeSet<usize> = faults.iter().map(|(place, _)| *place).collect();
    let kept = |range: std::ops::Range<usize>| -> Vec<usize> {
        range.filter(|place| !bad.contains(place)).collect()
    };
    let train = kept(0..training);
    let validation = kept(training..validating);
    let test = kept(validating..entries.len());
    for (all, kept) in [
        (&entries[..training], &train),
        (&entries[training..validating], &validation),
        (&entries[validating..], &test),
    ] {
        check_classes(all, kept.iter().map(|&place| &entries[place]))?;
    }
    let all = train.iter().chain(&validation).chain(&test);
    let recipe = recipe(
        spec,
        all.map(|&place| (&*entries[place].path, &looks[place])),
    )?;
    let images = |places: &[usize]| {
        let paths = places.iter().map(|&place| entries[place].path.clone());
        let files = ImageFiles::new(paths.collect(), recipe, pool.clone());
        let labels = places.iter().map(|&place| entries[place].label);
        Images::on_disk(files, labels.collect())
    };
    let note = |(place, problem): &Fault| {
        Error::corrupt(&entries[*place].path, problem.as_str(), "it is skipped").to_string()
    };
    let mut notes: Vec<String> = parts.note.into_iter().collect();
    notes.extend(unused.notes());
    notes.extend(DecodePool::note(spec.decode_threads));
    notes.extend(faults.iter().map(note));
    let name = |class: &OsString| class.to_string_lossy().into_owned();
    Ok(Folder {
        splits: RawSplits {
            train: images(&train),
            validation: (validating > training).then(|| images(&validation)),
            test: images(&test),
            classes: classes.len(),
            class_names: classes.iter().map(name).collect(),
        },
        notes,
        stamp,
    })
}

/// Which directories the splits beside `train` are.
struct Parts {
    validation: Option<PathBuf>,
    test: PathBuf,
    /// What the user should know of it.
    note: Option<String>,
}

impl Parts {
    fn of(directory: &Path) -> Self {
        let test = directory.join("test");
        let validation = ["val", "valid", "validation"]
            .map(|name| directory.join(name))
            .into_iter()
            .find(|path| path.is_dir());
        let Some(validation) = validation else {
            return Self {
                validation: None,
                test,
                note: None,
            };
        };
        if test.is_dir() {
            let note = format!(
                "{} is the validation set; data.validation_fraction is not used",
                validation.display()
            );
            return Self {
                validation: Some(validation),
                test,
                note: Some(note),
            };
        }
        let note = format!(
            "there is no {}: {} is the test set",
            test.display(),
            validation.display()
        );
        Self {
            validation: None,
            test: validation,
            note: Some(note),
        }
    }
}

/// Files that are not used, by why: how many, and the first one.
#[derive(Debug, Default)]
struct Unused(BTreeMap<&'static str, (usize, PathBuf)>);

impl Unused {
    fn add(&mut self, why: &'static str, path: &Path) {
        let entry = self.0.entry(why).or_insert_with(|| (0, path.to_path_buf()));
        entry.0 += 1;
    }

    fn notes(&self) -> Vec<String> {
        let note = |(why, (count, first)): (&&str, &(usize, PathBuf))| {
            let first = first.display();
            match count {
                1 => format!("1 file is not used, {why}: {first}"),
                _ => format!("{count} files are not used, {why}: {first} and others"),
            }
        };
        self.0.iter().map(note).collect()
    }
}

fn class_names(train: &Path) -> Result<Vec<OsString>> {
    let mut names: Vec<OsString> = visible(train, &mut Unused::default())?
        .into_iter()
        .filter(|path| path.is_dir())
        .filter_map(|path| path.file_name().map(OsString::from))
        .collect();
    names.sort();
    if names.is_empty() || names.len() > usize::from(u16::MAX) {
        let problem = format!("it has {} class directories", names.len());
        return Err(Error::corrupt(train, problem, LAYOUT));
    }
    Ok(names)
}

/// The images of one split, ordered by class and then by name.
fn entries_of(split: &Path, classes: &[OsString], unused: &mut Unused) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for directory in visible(split, unused)? {
        if !directory.is_dir() {
            if is_image(&directory) {
                unused.add(
                    "because they lie outside of the classes' directories",
                    &directory,
                );
            }
            continue;
        }
        let name = directory.file_name().unwrap_or_default();
        let Ok(class) = classes.binary_search_by(|class| class.as_os_str().cmp(name)) else {
            let problem = "this class has no training images";
            return Err(Error::corrupt(&directory, problem, LAYOUT));
        };
        let mut images = Vec::new();
        images_within(&directory, &mut BTreeSet::new(), &mut images, unused)?;
        images.sort();
        if images.is_empty() {
            let problem = "this class has no .png, .jpg or .jpeg file";
            return Err(Error::corrupt(&directory, problem, LAYOUT));
        }
        // `class_names` sees to it that there are fewer than 65,536.
        entries.extend(images.into_iter().map(|path| Entry {
            path: path.into(),
            label: class as u16,
        }));
    }
    if entries.is_empty() {
        return Err(Error::corrupt(split, "it holds no images", LAYOUT));
    }
    Ok(entries)
}

/// The images in a directory and in those below it, each directory once: links may form a circle.
fn images_within(
    directory: &Path,
    seen: &mut BTreeSet<PathBuf>,
    images: &mut Vec<PathBuf>,
    unused: &mut Unused,
) -> Result<()> {
    let real = directory
        .canonicalize()
        .map_err(Error::io("list", directory))?;
    if !seen.insert(real) {
        unused.add(
            "because they are links to directories that were read",
            directory,
        );
        return Ok(());
    }
    for path in visible(directory, unused)? {
        if path.is_dir() {
            images_within(&path, seen, images, unused)?;
        } else if is_image(&path) {
            images.push(path);
        } else {
            unused.add("because they are no .png, .jpg or .jpeg", &path);
        }
    }
    Ok(())
}

/// The paths in a directory, sorted by name, without those that begin with a dot.
fn visible(directory: &Path, unused: &mut Unused) -> Result<Vec<PathBuf>> {
    if !directory.is_dir() {
        let problem = "there is no such directory";
        return Err(Error::corrupt(directory, problem, LAYOUT));
    }
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(Error::io("list", directory))? {
        let entry = entry.map_err(Error::io("list", directory))?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        } else if is_image(&entry.path()) {
            unused.add("because their names begin with a dot", &entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

fn is_image(path: &Path) -> bool {
    let is = |ending: &str| {
        path.extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case(ending))
    };
    // A link that leads nowhere counts: reading it is an error that names it.
    (is("png") || is("jpg") || is("jpeg")) && !path.is_dir()
}

/// Reads all headers. Without an order to skip, the first that is none is an error.
fn look_at_all(
    entries: &[Entry],
    pool: &DecodePool,
    corrupt: Corrupt,
    progress: &mut dyn FnMut(LoadProgress),
) -> Result<(Vec<Look>, Vec<Fault>)> {
    let paths: Vec<Arc<Path>> = entries.iter().map(|entry| entry.path.clone()).collect();
    let (mut looks, mut faults) = (Vec::with_capacity(entries.len()), Vec::new());
    pool.each(&paths, look_at, |place, look| {
        let look = look?;
        match (&look.header, corrupt) {
            (Err(Error::Corrupt { problem, .. }), Corrupt::Skip) => {
                faults.push((place, problem.clone()));
            }
            (Err(_), _) => return look.header.map(|_| ()),
            (Ok(_), _) => {}
        }
        looks.push(look);
        progress(LoadProgress {
            stage: LoadStage::Headers,
            done: place + 1,
            total: entries.len(),
        });
        Ok(())
    })?;
    Ok((looks, faults))
}

fn look_at(path: &Path) -> Result<Look> {
    let data = std::fs::metadata(path).map_err(Error::io("read", path))?;
    let modified = data.modified().map_err(Error::io("read", path))?;
    let header = match data.is_file() {
        true => decode::header(path),
        // Opening a pipe may wait for ever, and a device may have no end.
        false => Err(Error::corrupt(
            path,
            "it is a pipe or a device",
            "replace or remove this file",
        )),
    };
    let header = match header {
        Err(error @ Error::Io { .. }) => return Err(error),
        header => header,
    };
    Ok(Look {
        header,
        length: data.len(),
        modified: modified
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_nanos()),
    })
}

/// Adds to the `faults` found in headers those that only decoding finds, in the order of `entries`.
fn verify(
    entries: &[Entry],
    mut faults: Vec<Fault>,
    pool: &DecodePool,
    progress: &mut dyn FnMut(LoadProgress),
) -> Result<Vec<Fault>> {
    let known: BTreeSet<usize> = faults.iter().map(|(place, _)| *place).collect();
    let places: Vec<usize> = (0..entries.len())
        .filter(|place| !known.contains(place))
        .collect();
    let paths: Vec<Arc<Path>> = places
        .iter()
        .map(|&place| entries[place].path.clone())
        .collect();
    let decode = |path: &Path| decode::whole(path).map(|_| ());
    pool.each(&paths, decode, |done, outcome| {
        match outcome {
            Err(Error::Corrupt { problem, .. }) => faults.push((places[done], problem)),
            outcome => outcome?,
        }
        progress(LoadProgress {
            stage: LoadStage::Verification,
            done: done + 1,
            total: paths.len(),
        });
        Ok(())
    })?;
    faults.sort();
    Ok(faults)
}

/// Files that were not changed since have the same stamp, wherever the directory lies now.
fn stamp(directory: &Path, entries: &[Entry], looks: &[Look]) -> Vec<u8> {
    let mut hash = Sha256::new();
    for (entry, look) in entries.iter().zip(looks) {
        let path = entry.path.strip_prefix(directory).unwrap_or(&entry.path);
        let path = path.as_os_str().as_encoded_bytes();
        hash.update((path.len() as u64).to_le_bytes());
        hash.update(path);
        hash.update(entry.label.to_le_bytes());
        hash.update(look.length.to_le_bytes());
        hash.update(look.modified.to_le_bytes());
    }
    hash.finalize().to_vec()
}

/// A class must not vanish from a split because all its images are skipped.
fn check_classes<'a>(all: &[Entry], kept: impl Iterator<Item = &'a Entry>) -> Result<()> {
    let kept: BTreeSet<u16> = kept.map(|entry| entry.label).collect();
    match all.iter().find(|entry| !kept.contains(&entry.label)) {
        None => Ok(()),
        Some(lost) => {
            let directory = lost.path.parent().unwrap_or(&lost.path);
            let problem = "every image of this class would be skipped";
            Err(Error::corrupt(directory, problem, LAYOUT))
        }
    }
}

/// What makes all images one shape, told from their headers.
fn recipe<'a>(
    spec: &DataSpec,
    looks: impl Iterator<Item = (&'a Path, &'a Look)>,
) -> Result<Recipe> {
    let geometry = Geometry {
        resize: spec.resize,
        crop: spec.crop,
    };
    let mut first: Option<(&Path, (usize, usize))> = None;
    let mut colour = false;
    for (path, look) in looks {
        let Ok(header) = &look.header else {
            continue;
        };
        let size = geometry.applied(header).map_err(|problem| {
            let advice = "remove this file or change data.crop and data.resize";
            Error::corrupt(path, problem, advice)
        })?;
        colour |= header.colour;
        match first {
            None => first = Some((path, size)),
            Some((first, expected)) if size != expected => {
                let resized = if spec.resize.is_some() {
                    "resized, "
                } else {
                    ""
                };
                let problem = format!(
                    "{resized}it is {}×{} pixels, but {} is {}×{} (height × width)",
                    size.0,
                    size.1,
                    first.display(),
                    expected.0,
                    expected.1
                );
                let advice = "bring all images, training and test, to one size, or set data.crop";
                return Err(Error::corrupt(path, problem, advice));
            }
            Some(_) => {}
        }
    }
    let (height, width) = first.map_or((0, 0), |(_, size)| size);
    Ok(Recipe {
        geometry,
        channels: if colour { 3 } else { 1 },
        height,
        width,
        pool: 1,
    })
}

#[cfg(test)]
#[path = "folder_tests.rs"]
pub(super) mod tests;
