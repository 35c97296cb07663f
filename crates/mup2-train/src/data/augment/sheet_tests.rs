use super::{AugmentSpec, ImageShape, Normalization, SheetLayout, contact_sheet};
use crate::data::Images;

fn images() -> Images {
    let shape = ImageShape {
        channels: 3,
        height: 2,
        width: 3,
    };
    let pixels = (0..3 * 18).map(|value| value * 4).collect();
    Images::new(pixels, vec![0; 3], shape).unwrap()
}

fn layout() -> SheetLayout {
    SheetLayout {
        samples: vec![2, 0],
        draws: 4,
        zoom: 2,
        gap: 1,
    }
}

fn sheet(spec: &AugmentSpec, layout: &SheetLayout) -> Result<super::ContactSheet, String> {
    let images = images();
    let normalization = Normalization::of(&images).unwrap();
    contact_sheet(&images, &normalization, spec, 0, layout).map_err(|error| error.to_string())
}

#[test]
fn a_sheet_has_a_row_a_sample_and_shows_the_image_first() {
    let sheet = sheet(&AugmentSpec::default(), &layout()).unwrap();
    // Two rows of 2 · 2 pixels and three gaps; five columns of 2 · 3 pixels and six gaps.
    assert_eq!((sheet.shape.height, sheet.shape.width), (11, 36));
    assert_eq!(sheet.pixels.len(), sheet.shape.values());
    let pixel = |row: usize, column: usize| {
        let at = (row * 36 + column) * 3;
        [sheet.pixels[at], sheet.pixels[at + 1], sheet.pixels[at + 2]]
    };
    let white = [255; 3];
    assert_eq!([pixel(0, 0), pixel(5, 7), pixel(10, 35)], [white; 3]);
    // Image 2 starts at 36 · 4; its green and blue planes follow 6 · 4 later each.
    assert_eq!(pixel(1, 1), [144, 168, 192]);
    assert_eq!([pixel(2, 2), pixel(1, 8)], [pixel(1, 1); 2]);
    assert_eq!(pixel(1, 3), [148, 172, 196]);
    assert_eq!(pixel(6, 1), [0, 24, 48]);
}

#[test]
fn draws_differ_where_something_is_augmented_or_mixed() {
    for text in ["flip = true", "mixup = 1.0", "cutmix = 1.0"] {
        let spec: AugmentSpec = toml::from_str(text).unwrap();
        let with = sheet(&spec, &layout()).unwrap();
        let without = sheet(&AugmentSpec::default(), &layout()).unwrap();
        assert_ne!(with, without, "{text}");
        let first_column = |sheet: &super::ContactSheet| -> Vec<u8> {
            let rows = sheet.pixels.chunks_exact(36 * 3);
            rows.flat_map(|row| row[..7 * 3].to_vec()).collect()
        };
        assert_eq!(first_column(&with), first_column(&without), "{text}");
    }
}

#[test]
fn the_png_holds_the_same_pixels() {
    let sheet = sheet(&AugmentSpec::default(), &layout()).unwrap();
    let decoded = image::load_from_memory(&sheet.png().unwrap()).unwrap();
    assert_eq!(decoded.color(), image::ColorType::Rgb8);
    assert_eq!((decoded.width(), decoded.height()), (36, 11));
    assert_eq!(decoded.into_bytes(), sheet.pixels);
}

#[test]
fn a_layout_without_a_sheet_is_an_error() {
    let nothing = AugmentSpec::default();
    for (layout, word) in [
        (
            SheetLayout {
                samples: vec![3],
                ..layout()
            },
            "no image 3",
        ),
        (
            SheetLayout {
                samples: vec![],
                ..layout()
            },
            "at least one",
        ),
        (
            SheetLayout {
                zoom: 0,
                ..layout()
            },
            "zoom 0",
        ),
        (
            SheetLayout {
                zoom: usize::MAX,
                ..layout()
            },
            "at most",
        ),
        (
            SheetLayout {
                draws: usize::MAX,
                ..layout()
            },
            "at most",
        ),
        (
            SheetLayout {
                gap: 1 << 20,
                ..layout()
            },
            "at most",
        ),
    ] {
        let message = sheet(&nothing, &layout).unwrap_err();
        assert!(message.contains(word), "{message}");
    }
    let too_large = AugmentSpec {
        cutout: 3,
        ..nothing
    };
    let message = sheet(&too_large, &layout()).unwrap_err();
    assert!(message.starts_with("augment.cutout: "), "{message}");
}
