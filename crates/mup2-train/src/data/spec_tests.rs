//! Keys, their defaults and the messages about wrong ones.

use super::{Corrupt, DataSpec, DatasetName, Storage};

fn problem(spec: DataSpec) -> String {
    spec.validate("data").unwrap_err().to_string()
}

#[test]
fn the_default_is_the_embedded_set_and_is_valid() {
    let spec = DataSpec::default();
    assert_eq!(spec.dataset, DatasetName::Embedded);
    spec.validate("data").unwrap();
    assert_eq!(toml::from_str::<DataSpec>("").unwrap(), spec);
}

#[test]
fn names_are_kebab_case_in_files_and_on_the_command_line() {
    for name in DatasetName::ALL {
        let text = format!("dataset = \"{name}\"");
        assert_eq!(toml::from_str::<DataSpec>(&text).unwrap().dataset, name);
        assert_eq!(name.as_str().parse::<DatasetName>().unwrap(), name);
    }
    let message = "imagenet".parse::<DatasetName>().unwrap_err().to_string();
    assert!(message.contains("fashion-mnist"), "{message}");
}

#[test]
fn an_unknown_key_is_an_error() {
    let message = toml::from_str::<DataSpec>("label_nois = 0.1").unwrap_err();
    assert!(message.to_string().contains("label_nois"), "{message}");
}

#[test]
fn a_spec_survives_a_round_trip_through_toml() {
    let spec = DataSpec {
        dataset: DatasetName::Cifar100,
        path: Some("somewhere".into()),
        label_noise: 0.2,
        train_limit: Some(500),
        validation_fraction: 0.05,
        average_pool: 2,
        resize: Some(256),
        crop: Some(224),
        storage: Storage::Disk,
        corrupt: Corrupt::Skip,
        decode_threads: Some(3),
    };
    let text = toml::to_string(&spec).unwrap();
    assert_eq!(toml::from_str::<DataSpec>(&text).unwrap(), spec);
}

#[test]
fn messages_name_the_key_and_what_is_allowed() {
    let base = DataSpec::default;
    for value in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        let message = problem(DataSpec {
            label_noise: value,
            ..base()
        });
        assert!(message.starts_with("data.label_noise: "), "{message}");
        assert!(message.contains("from 0 to 1"), "{message}");
        let message = problem(DataSpec {
            validation_fraction: value,
            ..base()
        });
        assert!(
            message.starts_with("data.validation_fraction: "),
            "{message}"
        );
    }
    let message = problem(DataSpec {
        train_limit: Some(0),
        ..base()
    });
    assert!(message.starts_with("data.train_limit: "), "{message}");
    let message = problem(DataSpec {
        average_pool: 0,
        ..base()
    });
    assert!(message.starts_with("data.average_pool: "), "{message}");
}

#[test]
fn a_path_is_required_by_folder_and_refused_by_embedded() {
    let folder = DataSpec {
        dataset: DatasetName::Folder,
        ..DataSpec::default()
    };
    assert!(problem(folder).starts_with("data.path: "));
    let embedded = DataSpec {
        path: Some("x".into()),
        ..DataSpec::default()
    };
    assert!(problem(embedded).contains("no files"));
}

fn folder() -> DataSpec {
    DataSpec {
        dataset: DatasetName::Folder,
        path: Some("x".into()),
        ..DataSpec::default()
    }
}

#[test]
fn only_a_folder_has_files_to_resize_to_skip_and_to_keep_on_disk() {
    type Change = fn(&mut DataSpec);
    let changes: [(&str, Change); 5] = [
        ("resize", |spec| spec.resize = Some(8)),
        ("crop", |spec| spec.crop = Some(8)),
        ("storage", |spec| spec.storage = Storage::Disk),
        ("corrupt", |spec| spec.corrupt = Corrupt::Skip),
        ("decode_threads", |spec| spec.decode_threads = Some(2)),
    ];
    for (key, change) in changes {
        let mut changed = folder();
        change(&mut changed);
        changed.validate("data").unwrap();
        changed.dataset = DatasetName::Cifar10;
        let message = problem(changed);
        assert!(message.starts_with(&format!("data.{key}: ")), "{message}");
    }
}

#[test]
fn sides_and_threads_have_bounds_and_a_crop_fits_into_the_resized_image() {
    for side in [0, 16_385] {
        let spec = DataSpec {
            crop: Some(side),
            ..folder()
        };
        assert!(problem(spec).starts_with("data.crop: "));
    }
    let spec = DataSpec {
        resize: Some(224),
        crop: Some(256),
        ..folder()
    };
    assert!(problem(spec).contains("at most `resize`"));
    let spec = DataSpec {
        decode_threads: Some(0),
        ..folder()
    };
    assert!(problem(spec).starts_with("data.decode_threads: "));
}
