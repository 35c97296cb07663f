//! The whole way from a [`DataSpec`] to a [`Dataset`].

use super::*;

fn default_with(change: impl FnOnce(&mut DataSpec)) -> DataSpec {
    let mut spec = DataSpec::default();
    change(&mut spec);
    spec
}

/// 40 images of 2×2 pixels, three quarters of class 0, every image different.
fn raw() -> RawSplits {
    let shape = ImageShape {
        channels: 1,
        height: 2,
        width: 2,
    };
    let images = |count: u8, first: u8| {
        let pixels = (first..first + count)
            .flat_map(|value| [value; 4])
            .collect();
        let labels = (0..u16::from(count)).map(|index| u16::from(index % 4 == 0));
        Images::new(pixels, labels.collect(), shape).unwrap()
    };
    RawSplits {
        train: images(40, 0),
        validation: None,
        test: images(8, 100),
        classes: 2,
        class_names: Vec::new(),
    }
}

#[test]
fn the_default_is_the_embedded_set_with_its_own_validation_images() {
    let data = load(&DataSpec::default()).unwrap();
    let sizes = [data.train.len(), data.validation.len(), data.test.len()];
    assert_eq!(sizes, [5_000, 2_000, 2_000]);
    assert_eq!((data.name, data.classes), (DatasetName::Embedded, 10));
    // The mean and deviation of all 60,000 images are 0.2860 and 0.3530.
    assert!((data.normalization.mean[0] - 0.2860).abs() < 0.01);
    assert!((data.normalization.std[0] - 0.3530).abs() < 0.01);
    let ignored = default_with(|spec| spec.validation_fraction = 0.5);
    assert_eq!(load(&ignored).unwrap(), data);
}

#[test]
fn pooling_the_embedded_set_makes_14_by_14_and_another_digest() {
    let pooled = load(&default_with(|spec| spec.average_pool = 2)).unwrap();
    let shape = pooled.train.shape;
    assert_eq!((shape.height, shape.width), (14, 14));
    assert_eq!(pooled.test.shape, shape);
    assert_ne!(pooled.digest, load(&DataSpec::default()).unwrap().digest);
    let refused = load(&default_with(|spec| spec.average_pool = 3)).unwrap_err();
    assert!(refused.to_string().contains("data.average_pool"));
}

#[test]
fn a_training_limit_keeps_the_classes_in_proportion() {
    let data = load(&default_with(|spec| spec.train_limit = Some(1_000))).unwrap();
    for class in 0..10 {
        let count = data
            .train
            .labels
            .iter()
            .filter(|&&label| label == class)
            .count();
        assert_eq!(count, 100);
    }
    let refused = load(&default_with(|spec| spec.train_limit = Some(5_001))).unwrap_err();
    assert!(refused.to_string().contains("1 to 5000"), "{refused}");
}

#[test]
fn validation_images_are_stratified_and_no_training_images() {
    let spec = default_with(|spec| spec.validation_fraction = 0.2);
    let data = prepare(raw(), &spec).unwrap();
    assert_eq!((data.train.len(), data.validation.len()), (32, 8));
    assert_eq!(
        data.validation
            .labels
            .iter()
            .filter(|&&label| label == 1)
            .count(),
        2
    );
    // Every image of `raw` is known by its first pixel.
    let mut seen: Vec<u8> = [&data.train, &data.validation]
        .iter()
        .flat_map(|images| images.in_memory().unwrap().iter().step_by(4).copied())
        .collect();
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..40));
}

#[test]
fn a_validation_fraction_of_zero_makes_none_and_a_tiny_one_makes_one() {
    let of = |fraction| {
        let spec = default_with(|spec| spec.validation_fraction = fraction);
        prepare(raw(), &spec).map(|data| data.validation.len())
    };
    assert_eq!(of(0.0).unwrap(), 0);
    assert_eq!(of(1e-9).unwrap(), 1);
    let message = of(0.999).unwrap_err().to_string();
    assert!(message.contains("data.validation_fraction"), "{message}");
}

#[test]
fn normalized_training_images_have_mean_zero_and_deviation_one() {
    let data = load(&default_with(|spec| spec.train_limit = Some(500))).unwrap();
    let mut values = vec![];
    let all: Vec<usize> = (0..data.train.len()).collect();
    data.train
        .gather(&all, &data.normalization, &mut values)
        .unwrap();
    let count = values.len() as f64;
    let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
    let square = |&value: &f32| (f64::from(value) - mean).powi(2);
    let variance = values.iter().map(square).sum::<f64>() / count;
    assert!(mean.abs() < 1e-5, "{mean}");
    assert!((variance - 1.0).abs() < 1e-5, "{variance}");
}

fn flip_a_bit(images: &mut Images, at: usize) {
    let mut pixels = images.in_memory().unwrap().to_vec();
    pixels[at] ^= 1;
    *images = Images::new(pixels, images.labels.clone(), images.shape).unwrap();
}

#[test]
fn the_digest_changes_with_a_pixel_a_label_or_a_shape_of_any_split() {
    let spec = DataSpec::default();
    let original = prepare(raw(), &spec).unwrap().digest;
    assert_eq!(original.len(), 64);
    assert_eq!(prepare(raw(), &spec).unwrap().digest, original);
    let changes: [fn(&mut RawSplits); 5] = [
        |raw| flip_a_bit(&mut raw.train, 17),
        |raw| flip_a_bit(&mut raw.test, 0),
        |raw| raw.test.labels[3] ^= 1,
        |raw| {
            raw.test.shape = ImageShape {
                height: 1,
                width: 4,
                ..raw.test.shape
            }
        },
        |raw| raw.classes = 3,
    ];
    for change in changes {
        let mut changed = raw();
        change(&mut changed);
        assert_ne!(prepare(changed, &spec).unwrap().digest, original);
    }
}

#[test]
fn the_embedded_digest_is_what_it_has_always_been() {
    // Results carry it, so it must not change. Python's hashlib gives the same for the same bytes.
    let expected = "805a2d744c13bfeafcec753ca27dcd0f2960ce3b490da6ede4db3060a49d05fb";
    assert_eq!(load(&DataSpec::default()).unwrap().digest, expected);
}

#[test]
fn an_absent_dataset_is_an_error_that_says_how_to_get_it() {
    let directory = tempfile::tempdir().unwrap();
    for name in [
        DatasetName::Mnist,
        DatasetName::FashionMnist,
        DatasetName::Cifar10,
        DatasetName::Cifar100,
    ] {
        let spec = DataSpec {
            dataset: name,
            path: Some(directory.path().to_path_buf()),
            ..DataSpec::default()
        };
        let message = load(&spec).unwrap_err().to_string();
        assert!(
            message.contains(&format!("`mup2 data fetch {name}`")),
            "{message}"
        );
    }
}

#[test]
fn the_data_directory_follows_the_environment() {
    let of = |data: Option<&str>, home: Option<&str>| {
        directory_from(
            data.map(Into::into),
            home.map(Into::into),
            DatasetName::Cifar10,
        )
    };
    assert_eq!(of(Some("/d"), Some("/h")).unwrap(), Path::new("/d/cifar10"));
    assert_eq!(
        of(None, Some("/h")).unwrap(),
        Path::new("/h/.cache/mup2/cifar10")
    );
    assert!(
        of(None, None)
            .unwrap_err()
            .to_string()
            .contains("MUP2_DATA")
    );
}

#[test]
fn sharing_a_dataset_between_threads_is_allowed() {
    fn shareable<T: Send + Sync>() {}
    shareable::<Dataset>();
}

#[test]
fn a_tilde_is_the_home_directory() {
    let home = std::env::var_os("HOME").unwrap();
    let expanded = at_home(Path::new("~/data/x")).unwrap();
    assert_eq!(expanded, Path::new(&home).join("data/x"));
    assert_eq!(at_home(Path::new("a/~/b")).unwrap(), Path::new("a/~/b"));
}
