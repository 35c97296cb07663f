//! The published datasets: where they are, how long their files are and what their checksums are.
//!
//! Where the numbers come from:
//! - Fashion-MNIST: SHA-256 of the decompressed files computed from Debian's package
//!   `dataset-fashion-mnist`; that of the `.gz` files belongs to the MD5 sums in the README of
//!   zalandoresearch/fashion-mnist, as several public repositories that verify both agree.
//! - MNIST and the CIFAR archives: SHA-256 and length on which many independent public
//!   repositories agree. (The publisher of CIFAR gives MD5 sums only.)
//! - The files inside the CIFAR archives: a sum stands here only where two independent sources
//!   agree; the others are checked by their length, and by their archive's sum when fetched.

use super::spec::DatasetName;

/// A file of a dataset as the readers see it: unpacked, decompressed.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownFile<'a> {
    pub name: &'a str,
    pub bytes: u64,
    pub sha256: Option<&'a str>,
}

/// A file on a server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Archive<'a> {
    pub file: &'a str,
    pub bytes: u64,
    pub sha256: &'a str,
    pub contents: Contents<'a>,
}

/// What a downloaded file holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Contents<'a> {
    /// One gzipped file, kept as it is: the readers decompress it.
    Gzip(KnownFile<'a>),
    /// A `.tar.gz`, of which only these files are unpacked, without their directories.
    TarGz(&'a [KnownFile<'a>]),
}

/// A published dataset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub name: &'a str,
    /// Addresses that each hold all archives, in order of preference.
    pub bases: &'a [&'a str],
    pub archives: &'a [Archive<'a>],
}

impl Source<'static> {
    /// The source of a dataset; `None` for those that are not downloaded.
    pub fn of(name: DatasetName) -> Option<Self> {
        match name {
            DatasetName::Embedded
            | DatasetName::Random
            | DatasetName::Folder
            | DatasetName::Idx => None,
            DatasetName::Mnist => Some(MNIST),
            DatasetName::FashionMnist => Some(FASHION_MNIST),
            DatasetName::Cifar10 => Some(CIFAR10),
            DatasetName::Cifar100 => Some(CIFAR100),
        }
    }
}

/// What to do about a missing or damaged file of this dataset.
pub(super) fn advice(name: DatasetName) -> String {
    let of_other_sets = match name {
        DatasetName::Mnist | DatasetName::FashionMnist => {
            "; another set in this format is read with `dataset = \"idx\"`"
        }
        _ => "",
    };
    format!(
        "fetch it with `mup2 data fetch {name}`, or set `path` to a directory that holds it\
         {of_other_sets}"
    )
}

const fn gzip<'a>(
    file: &'a str,
    bytes: u64,
    sha256: &'a str,
    content: KnownFile<'a>,
) -> Archive<'a> {
    Archive {
        file,
        bytes,
        sha256,
        contents: Contents::Gzip(content),
    }
}

/// The four files of an IDX dataset.
#[derive(Clone, Copy, Debug)]
pub(super) struct IdxFiles<'a> {
    pub train_images: KnownFile<'a>,
    pub train_labels: KnownFile<'a>,
    pub test_images: KnownFile<'a>,
    pub test_labels: KnownFile<'a>,
}

/// All sets of MNIST's family have the same names and lengths.
const fn idx_files(sums: [&str; 4]) -> IdxFiles<'_> {
    const fn file<'a>(name: &'a str, bytes: u64, sum: &'a str) -> KnownFile<'a> {
        KnownFile {
            name,
            bytes,
            sha256: Some(sum),
        }
    }
    IdxFiles {
        train_images: file("train-images-idx3-ubyte", 47_040_016, sums[0]),
        train_labels: file("train-labels-idx1-ubyte", 60_008, sums[1]),
        test_images: file("t10k-images-idx3-ubyte", 7_840_016, sums[2]),
        test_labels: file("t10k-labels-idx1-ubyte", 10_008, sums[3]),
    }
}

pub(super) const MNIST_FILES: IdxFiles<'static> = idx_files([
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
]);

pub(super) const FASHION_MNIST_FILES: IdxFiles<'static> = idx_files([
    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
]);

/// yann.lecun.com, the first address of MNIST, no longer serves the files; these are the copies of
/// PyTorch and of the CVDF.
const MNIST: Source<'static> = Source {
    name: "mnist",
    bases: &[
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        "https://storage.googleapis.com/cvdf-datasets/mnist",
    ],
    archives: &[
        gzip(
            "train-images-idx3-ubyte.gz",
            9_912_422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            MNIST_FILES.train_images,
        ),
        gzip(
            "train-labels-idx1-ubyte.gz",
            28_881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            MNIST_FILES.train_labels,
        ),
        gzip(
            "t10k-images-idx3-ubyte.gz",
            1_648_877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            MNIST_FILES.test_images,
        ),
        gzip(
            "t10k-labels-idx1-ubyte.gz",
            4_542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            MNIST_FILES.test_labels,
        ),
    ],
};

/// Both addresses are the publisher's; the second, which his README names, has no TLS, which the
/// checksums make up for.
const FASHION_MNIST: Source<'static> = Source {
    name: "fashion-mnist",
    bases: &[
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    ],
    archives: &[
        gzip(
            "train-images-idx3-ubyte.gz",
            26_421_880,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            FASHION_MNIST_FILES.train_images,
        ),
        gzip(
            "train-labels-idx1-ubyte.gz",
            29_515,
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            FASHION_MNIST_FILES.train_labels,
        ),
        gzip(
            "t10k-images-idx3-ubyte.gz",
            4_422_102,
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            FASHION_MNIST_FILES.test_images,
        ),
        gzip(
            "t10k-labels-idx1-ubyte.gz",
            5_148,
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            FASHION_MNIST_FILES.test_labels,
        ),
    ],
};

const fn cifar_file<'a>(name: &'a str, bytes: u64, sha256: Option<&'a str>) -> KnownFile<'a> {
    KnownFile {
        name,
        bytes,
        sha256,
    }
}

/// 10,000 records of 1 label and 3,072 pixels each. The sums of the training files could not be
/// confirmed by two independent sources, so none stands here.
pub(super) const CIFAR10_FILES: [KnownFile<'static>; 6] = [
    cifar_file("data_batch_1.bin", 30_730_000, None),
    cifar_file("data_batch_2.bin", 30_730_000, None),
    cifar_file("data_batch_3.bin", 30_730_000, None),
    cifar_file("data_batch_4.bin", 30_730_000, None),
    cifar_file("data_batch_5.bin", 30_730_000, None),
    cifar_file(
        "test_batch.bin",
        30_730_000,
        Some("8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
    ),
];

/// Records of 2 labels (coarse, fine) and 3,072 pixels each. No sum of these files could be
/// confirmed by two independent sources.
pub(super) const CIFAR100_FILES: [KnownFile<'static>; 2] = [
    cifar_file("train.bin", 153_700_000, None),
    cifar_file("test.bin", 30_740_000, None),
];

const CIFAR10: Source<'static> = Source {
    name: "cifar10",
    bases: &["https://www.cs.toronto.edu/~kriz"],
    archives: &[Archive {
        file: "cifar-10-binary.tar.gz",
        bytes: 170_052_171,
        sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        contents: Contents::TarGz(&CIFAR10_FILES),
    }],
};

const CIFAR100: Source<'static> = Source {
    name: "cifar100",
    bases: &["https://www.cs.toronto.edu/~kriz"],
    archives: &[Archive {
        file: "cifar-100-binary.tar.gz",
        bytes: 168_513_733,
        sha256: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        contents: Contents::TarGz(&CIFAR100_FILES),
    }],
};

#[cfg(test)]
mod tests {
    use super::{Contents, DatasetName, Source};

    #[test]
    fn every_checksum_is_64_lower_case_hexadecimal_digits() {
        let well_formed = |sum: &str| {
            let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            sum.len() == 64 && sum.bytes().all(digit)
        };
        for source in DatasetName::ALL.into_iter().filter_map(Source::of) {
            for archive in source.archives {
                assert!(well_formed(archive.sha256), "{}", archive.file);
                let files = match &archive.contents {
                    Contents::Gzip(file) => std::slice::from_ref(file),
                    Contents::TarGz(files) => files,
                };
                for file in files {
                    assert!(file.sha256.is_none_or(well_formed), "{}", file.name);
                }
            }
        }
    }

    #[test]
    fn sources_are_named_as_their_datasets() {
        for name in DatasetName::ALL {
            assert!(Source::of(name).is_none_or(|source| source.name == name.as_str()));
        }
    }
}
