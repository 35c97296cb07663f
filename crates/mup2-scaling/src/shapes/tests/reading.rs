//! Headers, indices and `shapes.toml`: what is read, and what is refused in which words.

use crate::shapes::{ModelShapes, read_header, read_shapes, write_shapes};
use safetensors::Dtype;
use std::fs;
use std::path::Path;

/// A file with this header, and `data` bytes behind it.
fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

fn tensor(name: &str, dtype: &str, shape: &str, first: usize, last: usize) -> String {
    format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{first},{last}]}}"#)
}

fn read(bytes: &[u8]) -> Result<Vec<(String, Dtype, Vec<usize>)>, String> {
    match read_header(bytes, bytes.len() as u64, Path::new("m.safetensors")) {
        Err(error) => Err(error.to_string()),
        Ok(tensors) => Ok(tensors
            .into_iter()
            .map(|tensor| (tensor.name, tensor.dtype, tensor.shape))
            .collect()),
    }
}

#[test]
fn names_types_and_shapes_come_in_the_order_of_their_bytes() {
    let header = format!(
        r#"{{"__metadata__":{{"format":"pt"}},{},{},{},{}}}  "#,
        tensor("b", "BF16", "[2,3]", 4, 16),
        tensor("a", "F16", "[2]", 0, 4),
        tensor("scalar", "I64", "[]", 16, 24),
        tensor("empty", "F32", "[0,7]", 16, 16),
    );
    let expected = [
        ("a", Dtype::F16, vec![2]),
        ("b", Dtype::BF16, vec![2, 3]),
        ("empty", Dtype::F32, vec![0, 7]),
        ("scalar", Dtype::I64, vec![]),
    ];
    let expected = expected.map(|(name, dtype, shape)| (name.to_owned(), dtype, shape));
    assert_eq!(read(&file(&header, 24)).unwrap(), expected);
}

#[test]
fn what_the_crate_writes_is_read_as_the_crate_reads_it() {
    let data = [0u8; 96];
    let view = |dtype, shape: &[usize], bytes| {
        safetensors::tensor::TensorView::new(dtype, shape.to_vec(), &data[..bytes]).unwrap()
    };
    let views = [
        ("z.weight", view(Dtype::F32, &[4, 6], 96)),
        ("a.bias", view(Dtype::F16, &[5], 10)),
        ("count", view(Dtype::I64, &[], 8)),
    ];
    let bytes = safetensors::serialize(views, None).unwrap();
    let found = read(&bytes).unwrap();
    let reference = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(found.len(), reference.len());
    for (name, dtype, shape) in found {
        let tensor = reference.tensor(&name).unwrap();
        assert_eq!(
            (tensor.dtype(), tensor.shape()),
            (dtype, &shape[..]),
            "{name}"
        );
    }
}

#[test]
fn weights_are_not_read() {
    // A length that no disk holds; whoever asks for a byte behind the header gets an error.
    let header = format!(
        "{{{}}}",
        tensor("a", "F32", "[1000000000000]", 0, 4_000_000_000_000)
    );
    let bytes = file(&header, 0);
    let length = bytes.len() as u64 + 4_000_000_000_000;
    let tensors = read_header(&bytes[..], length, Path::new("huge")).unwrap();
    assert_eq!(tensors[0].shape, [1_000_000_000_000]);
}

#[test]
fn a_hostile_header_is_refused_in_one_sentence() {
    let one = |dtype, shape, first, last| format!("{{{}}}", tensor("a", dtype, shape, first, last));
    let two = |first: (usize, usize), second: (usize, usize)| {
        format!(
            "{{{},{}}}",
            tensor(
                "a",
                "U8",
                &format!("[{}]", first.1 - first.0),
                first.0,
                first.1
            ),
            tensor(
                "b",
                "U8",
                &format!("[{}]", second.1 - second.0),
                second.0,
                second.1
            )
        )
    };
    let mut huge = u64::MAX.to_le_bytes().to_vec();
    huge.push(b'{');
    let mut not_utf8 = file(r#"{"a??":0}"#, 0);
    not_utf8[11] = 0xff;
    for (bytes, expected) in [
        (vec![1, 2, 3], "has 3 bytes and cannot be"),
        (huge, "announce a header of 18446744073709551615 bytes"),
        (
            100_000_001u64.to_le_bytes().to_vec(),
            "the format allows 100000000",
        ),
        (
            50u64.to_le_bytes().to_vec(),
            "a header of 50 bytes and has 8 bytes in all",
        ),
        (not_utf8, "not UTF-8 (at its byte 3)"),
        (file("[]", 0), "a header that cannot be read"),
        (file("{", 0), "a header that cannot be read"),
        (
            file(&"[".repeat(100_000), 0),
            "a header that cannot be read",
        ),
        (file("{} {}", 0), "a header that cannot be read"),
        (
            file(r#"{"a":{"dtype":"F32","shape":[1]}}"#, 4),
            "missing field `data_offsets`",
        ),
        (file(&one("F33", "[1]", 0, 4), 4), "unknown variant `F33`"),
        (
            file(&one("F32", "[-1]", 0, 4), 4),
            "invalid value: integer `-1`",
        ),
        (file(&one("F32", "[1.5]", 0, 4), 4), "invalid type"),
        (
            file(&one("F32", "[2]", 0, 4), 4),
            "the bytes 0 to 4, which should be 8",
        ),
        (
            file(&one("F32", "[1]", 8, 4), 8),
            "the bytes 8 to 4, which should be 4",
        ),
        (
            file(&one("F32", "[4294967296,4294967296]", 0, 4), 4),
            "no memory could hold",
        ),
        (file(&one("F4", "[3]", 0, 1), 1), "ends within a byte"),
        (
            file(&two((0, 4), (2, 6)), 6),
            "overlap: `b` begins at byte 2, and `a` ends at 4",
        ),
        (file(&two((0, 4), (0, 4)), 4), "overlap"),
        (
            file(&two((0, 4), (6, 8)), 8),
            "a gap: `b` begins at byte 6, and `a` ends at 4",
        ),
        (
            file(&two((1, 4), (4, 6)), 6),
            "a gap: `a` begins at byte 1, and `the header` ends at 0",
        ),
        (
            file(&two((0, 4), (4, 6)), 5),
            "has 5 bytes of weights where its header describes 6",
        ),
        (
            file(&two((0, 4), (4, 6)), 7),
            "has 7 bytes of weights where its header describes 6",
        ),
        (
            file(&format!("{{{0},{0}}}", tensor("a", "U8", "[1]", 0, 1)), 1),
            "`a` occurs twice",
        ),
        (
            file(&one("F32", "[0,18446744073709551615]", 0, 0), 0),
            "no memory could hold",
        ),
        (
            file(r#"{"__metadata__":{"a":1}}"#, 0),
            "invalid type: integer `1`, expected a string",
        ),
        (
            file(r#"{"__metadata__":{},"__metadata__":{}}"#, 0),
            "`__metadata__` occurs twice",
        ),
        (
            file(&format!("{{{}}}", tensor("", "U8", "[1]", 0, 1)), 1),
            "an empty name",
        ),
        (
            file(
                &format!("{{{}}}", tensor(r"a\u001b[2J", "U8", "[1]", 0, 1)),
                1,
            ),
            "a control character in its name, `a\\u{1b}[2J`",
        ),
        (
            file(
                &format!("{{{}}}", tensor(&"x".repeat(1001), "U8", "[1]", 0, 1)),
                1,
            ),
            "a name of 1001 bytes",
        ),
    ] {
        let error = read(&bytes).unwrap_err();
        assert!(error.contains(expected), "{expected:?} not in: {error}");
        assert!(error.starts_with("m.safetensors: "), "{error}");
        assert!(!error.contains('\n') && error.len() < 600, "{error}");
    }
}

/// A directory with an index and two shards.
fn sharded(index: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let one = format!("{{{}}}", tensor("a", "BF16", "[2]", 0, 4));
    let two = format!(
        "{{{},{}}}",
        tensor("b.10", "F32", "[1]", 0, 4),
        tensor("b.9", "F32", "[3]", 4, 16)
    );
    fs::write(directory.path().join("one.safetensors"), file(&one, 4)).unwrap();
    fs::write(directory.path().join("two.safetensors"), file(&two, 16)).unwrap();
    fs::write(directory.path().join("m.safetensors.index.json"), index).unwrap();
    directory
}

fn read_sharded(index: &str) -> Result<ModelShapes, String> {
    let directory = sharded(index);
    let path = directory.path().join("m.safetensors.index.json");
    read_shapes(&path).map_err(|error| error.to_string())
}

const INDEX: &str = r#"{"metadata":{"total_size":20},"weight_map":
    {"a":"one.safetensors","b.9":"two.safetensors","b.10":"two.safetensors"}}"#;

#[test]
fn shards_are_read_as_one_model_in_reading_order() {
    let shapes = read_sharded(INDEX).unwrap();
    let names: Vec<&str> = shapes.tensors.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["a", "b.9", "b.10"]);
    assert_eq!(shapes.get("b.9").unwrap().shape, [3]);
}

#[test]
fn an_index_that_disagrees_with_its_shards_is_refused() {
    for (index, expected) in [
        ("{}", "missing field `weight_map`"),
        (r#"{"weight_map":{}}"#, "lists no tensor"),
        (
            r#"{"weight_map":{"a":"one.safetensors","a":"two.safetensors"}}"#,
            "`a` occurs twice",
        ),
        (
            r#"{"weight_map":{"a":"../one.safetensors"}}"#,
            "`../one.safetensors`, which is not",
        ),
        (
            r#"{"weight_map":{"a":"/etc/passwd"}}"#,
            "`/etc/passwd`, which is not",
        ),
        (r#"{"weight_map":{"a":"three.safetensors"}}"#, "cannot open"),
        (
            r#"{"weight_map":{"a":"one.safetensors","c":"one.safetensors"}}"#,
            "places the tensor `c`",
        ),
        (
            &INDEX.replace(r#""b.9":"two"#, r#""b.8":"two"#),
            "does not list the tensor `b.9`",
        ),
        (
            &INDEX.replace(r#""b.9":"two"#, r#""b.9":"one"#),
            "places the tensor `b.9` in `one.safetensors`, and it is in `two.safetensors`",
        ),
    ] {
        let error = read_sharded(index).unwrap_err();
        assert!(error.contains(expected), "{expected:?} not in: {error}");
    }
}

#[test]
fn a_file_of_shapes_stands_in_for_the_weights() {
    let directory = sharded(INDEX);
    let shapes = read_shapes(&directory.path().join("m.safetensors.index.json")).unwrap();
    let path = directory.path().join("shapes.toml");
    write_shapes(&path, &shapes).unwrap();
    assert_eq!(
        fs::read_to_string(&path)
            .unwrap()
            .lines()
            .skip(2)
            .collect::<Vec<_>>(),
        [
            "[tensors]",
            r#""a" = { dtype = "BF16", shape = [2] }"#,
            r#""b.9" = { dtype = "F32", shape = [3] }"#,
            r#""b.10" = { dtype = "F32", shape = [1] }"#,
        ]
    );
    assert_eq!(read_shapes(&path).unwrap().tensors, shapes.tensors);
    assert!(write_shapes(&directory.path().join("shapes.json"), &shapes).is_err());
}

#[test]
fn a_file_of_shapes_with_a_mistake_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shapes.toml");
    for (text, expected) in [
        ("", "missing field `tensors`"),
        (
            "[tensors]\na = { dtype = \"F32\", shape = [-1] }",
            "invalid value",
        ),
        (
            "[tensors]\na = { dtype = \"F32\" }",
            "missing field `shape`",
        ),
        (
            "[tensors]\na = { dtype = \"F32\", shape = [1], side = 2 }",
            "unknown field `side`",
        ),
        (
            "[tensors]\na.b = { dtype = \"F32\", shape = [1] }",
            "unknown field `b`",
        ),
        (
            "[tensors]\n\"a\\n\" = { dtype = \"F32\", shape = [1] }",
            "control character",
        ),
        (
            "[tensors]\na = { dtype = \"F32\", shape = [1] }\na = 1",
            "duplicate key",
        ),
    ] {
        fs::write(&path, text).unwrap();
        let error = read_shapes(&path).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected:?} not in: {error}");
    }
    for name in ["m.bin", "m"] {
        let error = read_shapes(&directory.path().join(name)).unwrap_err();
        assert!(error.to_string().contains("another ending"), "{error}");
    }
}
