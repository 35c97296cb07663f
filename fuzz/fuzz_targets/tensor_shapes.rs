//! Headers of safetensors files, and files of shapes and roles: refused in one sentence, or tensors that
//! fill their file without overlap, and multipliers for all of them.
//!
//! Input: one byte modulo 3. 0: a whole safetensors file. 1: the length of the weights in eight bytes, the
//! lowest first, and a header. 2: `shapes.toml` at two widths and a `roles.toml`, with lines `---` between
//! them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mup2_fuzz::error::Error;
use mup2_fuzz::scaling::{Parameterization, Perturbation, Rule, Scheme};
use mup2_fuzz::shapes::{
    Declarations, HeaderTensor, ModelShapes, StoredTensor, Widths, compare, python_file,
    read_header, read_shapes, write_shapes,
};
use mup2_fuzz::{scratch, sentence};
use std::collections::HashSet;
use std::fs;
use std::path::Path;

const RULES: [Rule; 5] = [
    Rule::Sam,
    Rule::Asam,
    Rule::AsamLayer,
    Rule::SamOn,
    Rule::Random,
];

fuzz_target!(|input: &[u8]| {
    let Some((kind, bytes)) = input.split_first() else {
        return;
    };
    match kind % 3 {
        0 => whole_file(bytes),
        1 => header_of_a_large_file(bytes),
        _ => {
            if let Ok(text) = std::str::from_utf8(bytes) {
                two_widths(text);
            }
        }
    }
});

fn whole_file(bytes: &[u8]) {
    let path = Path::new("m.safetensors");
    match read_header(bytes, bytes.len() as u64, path) {
        Err(error) => sentence(&error, "m.safetensors"),
        Ok(tensors) => {
            let header = u64::from_le_bytes(*bytes.first_chunk().expect("a header has a length"));
            keeps_promises(&tensors, bytes.len() as u64 - 8 - header);
            // What is accepted here is what PyTorch's reader accepts.
            let reference = safetensors::SafeTensors::deserialize(bytes).expect("a valid file");
            assert_eq!(reference.len(), tensors.len());
            for tensor in tensors {
                let found = reference.tensor(&tensor.name).expect("the same tensors");
                assert_eq!(found.dtype(), tensor.dtype);
                assert_eq!(found.shape(), tensor.shape);
            }
        }
    }
}

fn header_of_a_large_file(bytes: &[u8]) {
    let Some((weights, header)) = bytes.split_first_chunk() else {
        return;
    };
    let weights = u64::from_le_bytes(*weights);
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    let Some(length) = weights.checked_add(file.len() as u64) else {
        return;
    };
    match read_header(&file[..], length, Path::new("m.safetensors")) {
        Err(error) => sentence(&error, "m.safetensors"),
        Ok(tensors) => keeps_promises(&tensors, weights),
    }
}

/// Every tensor lies inside the file, none on another, and a file of shapes keeps them.
fn keeps_promises(tensors: &[HeaderTensor], weights: u64) {
    let mut end = 0;
    let mut names = HashSet::new();
    for tensor in tensors {
        assert!(tensor.bytes.0 >= end && tensor.bytes.1 >= tensor.bytes.0);
        end = tensor.bytes.1;
        assert!(names.insert(&tensor.name));
        let bits: usize = tensor.shape.iter().product::<usize>() * tensor.dtype.bitsize();
        assert_eq!(bits, 8 * (tensor.bytes.1 - tensor.bytes.0));
    }
    assert_eq!(end as u64, weights);
    let stored = tensors.iter().map(|tensor| StoredTensor {
        name: tensor.name.clone(),
        dtype: tensor.dtype,
        shape: tensor.shape.clone(),
    });
    let shapes = ModelShapes::new("m.safetensors", stored.collect());
    let path = scratch().join("kept.toml");
    write_shapes(&path, &shapes).expect("accepted shapes can be written");
    let read = read_shapes(&path).expect("and read");
    assert_eq!(read.tensors, shapes.tensors);
}

fn two_widths(text: &str) {
    let mut parts = text.split("\n---\n");
    let mut next = || parts.next().unwrap_or_default();
    let (base, target, roles) = (next(), next(), next());
    let read = |name: &str, text: &str| -> Result<ModelShapes, Error> {
        let path = scratch().join(name);
        fs::write(&path, text).expect("the file can be written");
        read_shapes(&path)
    };
    let compared = || -> Result<_, Error> {
        let (base, target) = (read("base.toml", base)?, read("target.toml", target)?);
        let widths = Widths {
            base: &base,
            target: &target,
            other: None,
        };
        compare(&widths, &Declarations::parse(roles, "roles.toml")?)
    };
    let comparison = match compared() {
        Err(error) => return sentence(&error, "; allowed: "),
        Ok(comparison) => comparison,
    };
    for rule in RULES {
        let scheme = Scheme {
            rule,
            ..Scheme::new(Parameterization::Mup, Perturbation::Mup2)
        };
        match comparison.scale(&scheme) {
            Err(error) => sentence(&error, "; allowed: "),
            Ok(scaling) => {
                assert_eq!(scaling.tensors.len(), comparison.parameters.len());
                for row in &scaling.tensors {
                    assert!(row.lr_mult.is_finite() && row.lr_mult > 0.0);
                    assert!(row.rho_mult.is_finite() && row.norm_mult.is_finite());
                    assert!(row.init_std.is_finite() && row.init_mult > 0.0);
                }
                match python_file(&scaling) {
                    Err(error) => sentence(&error, "rule `random`"),
                    // A name that left its string would begin a line of its own, or leave ASCII.
                    Ok(python) => assert_eq!(
                        python
                            .lines()
                            .filter(|line| line.contains(": Entry(("))
                            .count(),
                        scaling.tensors.len()
                    ),
                }
            }
        }
    }
}
