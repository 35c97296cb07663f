//! Images of the user's own: `train/CLASS/*.png` and `test/CLASS/*.png` (or `.jpg`, `.jpeg`).
//!
//! Classes are the directories of `train`, sorted by name. All images must have one size. If every
//! image is grey there is one channel, otherwise three; transparency is dropped and 16-bit images
//! are reduced to 8. Names that begin with a dot and files with other endings are left alone.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use image::{ImageDecoder, ImageReader};

use super::RawSplits;
use super::images::{ImageShape, Images};
use crate::error::{Error, Result};

const LAYOUT: &str = "lay the images out as train/CLASS/*.png and test/CLASS/*.png (or .jpg)";

/// A labelled image file.
type Entry = (PathBuf, u16);

/// Reads all images under `directory`.
pub(super) fn load(directory: &Path) -> Result<RawSplits> {
    let classes = class_names(&directory.join("train"))?;
    let train = entries(&directory.join("train"), &classes)?;
    let test = entries(&directory.join("test"), &classes)?;
    let shape = common_shape(train.iter().chain(&test))?;
    Ok(RawSplits {
        train: decode_all(&train, shape)?,
        validation: None,
        test: decode_all(&test, shape)?,
        classes: classes.len(),
    })
}

fn class_names(train: &Path) -> Result<Vec<OsString>> {
    let mut names: Vec<OsString> = visible(train)?
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
fn entries(split: &Path, classes: &[OsString]) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for directory in visible(split)?.into_iter().filter(|path| path.is_dir()) {
        let name = directory.file_name().unwrap_or_default();
        let Ok(class) = classes.binary_search_by(|class| class.as_os_str().cmp(name)) else {
            let problem = "this class has no training images";
            return Err(Error::corrupt(&directory, problem, LAYOUT));
        };
        let images: Vec<PathBuf> = visible(&directory)?
            .into_iter()
            .filter(|path| is_image(path))
            .collect();
        if images.is_empty() {
            let problem = "this class has no .png, .jpg or .jpeg file";
            return Err(Error::corrupt(&directory, problem, LAYOUT));
        }
        // `class_names` sees to it that there are fewer than 65,536.
        entries.extend(images.into_iter().map(|path| (path, class as u16)));
    }
    if entries.is_empty() {
        return Err(Error::corrupt(split, "it holds no images", LAYOUT));
    }
    Ok(entries)
}

/// The paths in a directory, sorted by name, without those that begin with a dot.
fn visible(directory: &Path) -> Result<Vec<PathBuf>> {
    if !directory.is_dir() {
        let problem = "there is no such directory";
        return Err(Error::corrupt(directory, problem, LAYOUT));
    }
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(Error::io("list", directory))? {
        let entry = entry.map_err(Error::io("list", directory))?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
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
    (is("png") || is("jpg") || is("jpeg")) && path.is_file()
}

/// Looks at the headers alone, so that a set of unequal images is refused before hours of decoding.
fn common_shape<'a>(entries: impl Iterator<Item = &'a Entry>) -> Result<ImageShape> {
    let mut first: Option<(&Path, (u32, u32))> = None;
    let mut colour = false;
    for (path, _) in entries {
        let decoder = open(path)?.into_decoder().map_err(unreadable(path))?;
        let size = decoder.dimensions();
        colour |= decoder.color_type().has_color();
        match first {
            None => first = Some((path, size)),
            Some((first, expected)) if size != expected => {
                let problem = format!(
                    "it is {}×{} pixels, but {} is {}×{} (height × width)",
                    size.1,
                    size.0,
                    first.display(),
                    expected.1,
                    expected.0
                );
                let advice = "bring all images, training and test, to one size";
                return Err(Error::corrupt(path, problem, advice));
            }
            Some(_) => {}
        }
    }
    let (width, height) = first.map_or((0, 0), |(_, size)| size);
    Ok(ImageShape {
        channels: if colour { 3 } else { 1 },
        height: height as usize,
        width: width as usize,
    })
}

fn decode_all(entries: &[Entry], shape: ImageShape) -> Result<Images> {
    let (mut pixels, mut labels) = (Vec::new(), Vec::with_capacity(entries.len()));
    for (path, label) in entries {
        let image = open(path)?.decode().map_err(unreadable(path))?;
        if (image.height() as usize, image.width() as usize) != (shape.height, shape.width) {
            let problem = "it changed while it was read";
            return Err(Error::corrupt(path, problem, "leave the images alone"));
        }
        if shape.channels == 1 {
            pixels.extend_from_slice(&image.into_luma8());
        } else {
            let interleaved = image.into_rgb8();
            for channel in 0..shape.channels {
                pixels.extend(interleaved.iter().skip(channel).step_by(shape.channels));
            }
        }
        labels.push(*label);
    }
    Images::new(pixels, labels, shape)
}

/// Opens a file as what its first bytes say it is: names are often wrong.
fn open(path: &Path) -> Result<ImageReader<std::io::BufReader<std::fs::File>>> {
    ImageReader::open(path)
        .and_then(ImageReader::with_guessed_format)
        .map_err(Error::io("read", path))
}

fn unreadable(path: &Path) -> impl FnOnce(image::ImageError) -> Error {
    move |error| {
        // Some of the decoders' messages have several lines.
        let reason = error.to_string().replace('\n', " ");
        let problem = format!("it cannot be read as an image ({reason})");
        Error::corrupt(path, problem, "replace or remove this file")
    }
}

#[cfg(test)]
mod tests {
    use super::load;
    use image::{GrayImage, Luma, Rgb, RgbImage};
    use std::fs;
    use std::path::Path;

    fn grey(directory: &Path, name: &str, value: u8) {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        GrayImage::from_pixel(4, 2, Luma([value]))
            .save(path)
            .unwrap();
    }

    /// Two classes, three training images and one test image, all 2 high and 4 wide.
    fn small_folder() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        grey(directory.path(), "train/dog/2.png", 30);
        grey(directory.path(), "train/dog/1.PNG", 20);
        grey(directory.path(), "train/cat/1.png", 10);
        grey(directory.path(), "test/dog/1.png", 40);
        directory
    }

    fn message(directory: &Path) -> String {
        load(directory).unwrap_err().to_string()
    }

    #[test]
    fn classes_are_the_sorted_directory_names_and_grey_images_have_one_channel() {
        let directory = small_folder();
        fs::write(directory.path().join("train/dog/readme.txt"), "x").unwrap();
        fs::create_dir(directory.path().join("train/.hidden")).unwrap();
        let splits = load(directory.path()).unwrap();
        let shape = splits.train.shape;
        assert_eq!((shape.channels, shape.height, shape.width), (1, 2, 4));
        assert_eq!(splits.train.labels, [0, 1, 1]);
        assert_eq!(splits.train.pixels, [[10; 8], [20; 8], [30; 8]].concat());
        assert_eq!((splits.test.labels, splits.classes), (vec![1], 2));
    }

    #[test]
    fn one_colour_image_makes_three_planes_of_every_image() {
        let directory = small_folder();
        let path = directory.path().join("train/cat/2.png");
        RgbImage::from_pixel(4, 2, Rgb([1, 2, 3]))
            .save(path)
            .unwrap();
        let splits = load(directory.path()).unwrap();
        assert_eq!(splits.train.shape.channels, 3);
        assert_eq!(splits.train.pixels[..24], [10; 24]);
        assert_eq!(
            splits.train.pixels[24..48],
            [[1; 8], [2; 8], [3; 8]].concat()
        );
    }

    #[test]
    fn a_jpeg_is_read() {
        let directory = small_folder();
        grey(directory.path(), "test/cat/1.jpg", 128);
        let splits = load(directory.path()).unwrap();
        assert_eq!(splits.test.labels, [0, 1]);
        assert!(
            splits.test.pixels[..8]
                .iter()
                .all(|pixel| pixel.abs_diff(128) <= 2)
        );
    }

    #[test]
    fn an_image_of_another_size_is_an_error_naming_it_and_both_sizes() {
        let directory = small_folder();
        let path = directory.path().join("test/dog/2.png");
        GrayImage::new(5, 3).save(path).unwrap();
        let message = message(directory.path());
        assert!(message.contains("test/dog/2.png"), "{message}");
        assert!(
            message.contains("3×5") && message.contains("2×4"),
            "{message}"
        );
    }

    #[test]
    fn an_image_cut_at_several_offsets_is_an_error_naming_it() {
        let directory = small_folder();
        let path = directory.path().join("train/dog/2.png");
        let whole = fs::read(&path).unwrap();
        for length in (0..whole.len() - 12).step_by(7) {
            fs::write(&path, &whole[..length]).unwrap();
            let message = message(directory.path());
            assert!(message.contains("train/dog/2.png"), "{length}: {message}");
            assert!(!message.contains('\n'), "{message}");
        }
    }

    #[test]
    fn a_header_that_claims_a_huge_image_is_refused() {
        let directory = small_folder();
        let path = directory.path().join("train/cat/1.png");
        let mut bytes = fs::read(&path).unwrap();
        bytes[16..24].fill(0x7f);
        fs::write(&path, bytes).unwrap();
        assert!(message(directory.path()).contains("cat/1.png"));
    }

    #[test]
    fn missing_parts_of_the_layout_are_named() {
        let directory = tempfile::tempdir().unwrap();
        assert!(message(directory.path()).contains("train: there is no such directory"));
        fs::create_dir(directory.path().join("train")).unwrap();
        assert!(message(directory.path()).contains("0 class directories"));
        grey(directory.path(), "train/cat/1.png", 1);
        assert!(message(directory.path()).contains("test: there is no such directory"));
        grey(directory.path(), "test/cow/1.png", 1);
        assert!(message(directory.path()).contains("no training images"));
        fs::create_dir(directory.path().join("train/cow")).unwrap();
        assert!(message(directory.path()).contains("no .png, .jpg or .jpeg"));
    }
}
