//! Weights alone, by name, as safetensors files: what other programs read and write.

use super::Weights;
use super::safetensors_file::{self, ADVICE, Numbers, OutTensor, check_shapes, read_header};
use crate::error::{Error, Result};
use crate::publish::{read_regular, write_atomically_with};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::BTreeMap;
use std::path::Path;

/// How many batches a normalization of PyTorch has seen: a counter that no result depends on.
const COUNTER: &str = "num_batches_tracked";

/// Reads a safetensors file of floats of 16, 32 or 64 bits, which become 32 bits; PyTorch's batch
/// counters are left out.
///
/// # Errors
/// When the file cannot be read, is not a safetensors file, holds another type of number, or a
/// number that is not finite.
pub fn read_weights(path: &Path) -> Result<BTreeMap<String, Weights>> {
    let bytes = read_regular(path)?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| {
        let problem = format!("is not a safetensors file ({error})");
        Error::corrupt(path, problem, ADVICE)
    })?;
    let mut weights = BTreeMap::new();
    for (name, tensor) in file.tensors() {
        if name.ends_with(COUNTER) {
            continue;
        }
        let refuse = |problem: String, allowed: &str| {
            Error::invalid(
                format!("{}: weight `{name}`", path.display()),
                problem,
                allowed,
            )
        };
        let Some(values) = floats(&tensor) else {
            let problem = format!("has type {:?}", tensor.dtype());
            return Err(refuse(problem, "floats of 16, 32 or 64 bits"));
        };
        if let Some(place) = values.iter().position(|value| !value.is_finite()) {
            let not_finite = values.iter().filter(|value| !value.is_finite()).count();
            let problem = format!(
                "has {not_finite} of {} values that are not finite (the first is value {place}, {})",
                values.len(),
                values[place]
            );
            return Err(refuse(
                problem,
                "finite numbers in the range of 32-bit floats",
            ));
        }
        let shape = tensor.shape().to_vec();
        weights.insert(name, Weights { shape, values });
    }
    Ok(weights)
}

/// A tensor's numbers; none if they are not floats.
fn floats(tensor: &TensorView) -> Option<Vec<f32>> {
    let data = tensor.data();
    let two = |bytes: &[u8]| u16::from_le_bytes([bytes[0], bytes[1]]);
    Some(match tensor.dtype() {
        Dtype::F16 => data.chunks_exact(2).map(|b| from_half(two(b))).collect(),
        Dtype::BF16 => data
            .chunks_exact(2)
            .map(|b| f32::from_bits(u32::from(two(b)) << 16))
            .collect(),
        Dtype::F32 => data
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect(),
        Dtype::F64 => data
            .chunks_exact(8)
            .map(|b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]))
            .map(|value| value as f32)
            .collect(),
        _ => return None,
    })
}

/// The value of an IEEE 754 binary16 number: 1 bit of sign, 5 of exponent, 10 of fraction.
fn from_half(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let (exponent, fraction) = (u32::from(bits >> 10 & 0x1f), u32::from(bits & 0x3ff));
    match exponent {
        // Zero and subnormal numbers: multiples of 2⁻²⁴.
        0 => {
            let size = fraction as f32 * f32::powi(2.0, -24);
            f32::from_bits(size.to_bits() | sign)
        }
        0x1f => f32::from_bits(sign | 0xff << 23 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 127 - 15) << 23 | fraction << 13),
    }
}

/// Writes a safetensors file of 32-bit floats, whole or not at all, with `metadata`. Equal weights
/// and metadata give equal bytes.
///
/// # Errors
/// When a tensor's values do not fill its shape, or the file cannot be written.
pub fn write_weights(
    path: &Path,
    weights: &BTreeMap<String, Weights>,
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    let tensors: Vec<OutTensor> = weights
        .iter()
        .map(|(name, weights)| OutTensor {
            name: name.clone(),
            shape: &weights.shape,
            numbers: Numbers::Floats(&weights.values),
        })
        .collect();
    check_shapes(&tensors)?;
    write_atomically_with(
        path,
        &mut |out| safetensors_file::write(out, metadata, &tensors),
        &mut || Ok(()),
    )
}

/// The metadata of a safetensors file, of which no tensor is read.
///
/// # Errors
/// When the file cannot be read or is not a safetensors file.
pub fn read_metadata(path: &Path) -> Result<BTreeMap<String, String>> {
    Ok(read_header(path)?.metadata)
}

/// The shapes of the tensors of a safetensors file, of which none is read; PyTorch's batch counters
/// are left out.
///
/// # Errors
/// When the file cannot be read or is not a safetensors file.
pub fn read_shapes(path: &Path) -> Result<BTreeMap<String, Vec<usize>>> {
    let tensors = read_header(path)?.tensors.into_iter();
    let weights = tensors.filter(|(name, _)| !name.ends_with(COUNTER));
    Ok(weights.map(|(name, info)| (name, info.shape)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::serialize;

    fn file(dtype: Dtype, bytes: &[u8], count: usize) -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("w.safetensors");
        let view = TensorView::new(dtype, vec![count], bytes).unwrap();
        std::fs::write(&path, serialize([("layer.weight", view)], None).unwrap()).unwrap();
        (directory, path)
    }

    #[test]
    fn sixteen_bit_floats_are_widened_to_their_values() {
        // 1, −2, 0.5, the largest, the smallest normal, the smallest subnormal, −0: from numpy.
        let bits: [u16; 7] = [0x3c00, 0xc000, 0x3800, 0x7bff, 0x0400, 0x0001, 0x8000];
        let bytes: Vec<u8> = bits.iter().flat_map(|bits| bits.to_le_bytes()).collect();
        let (_directory, path) = file(Dtype::F16, &bytes, 7);
        let found = &read_weights(&path).unwrap()["layer.weight"].values;
        let expected = [
            1.0,
            -2.0,
            0.5,
            65504.0,
            6.103_515_6e-5,
            5.960_464_5e-8,
            -0.0,
        ];
        assert_eq!(found, &expected);
        assert!(found[6].is_sign_negative());
        let bits: [u16; 3] = [0x3f80, 0xc049, 0x0080];
        let bytes: Vec<u8> = bits.iter().flat_map(|bits| bits.to_le_bytes()).collect();
        let (_directory, path) = file(Dtype::BF16, &bytes, 3);
        let found = &read_weights(&path).unwrap()["layer.weight"].values;
        assert_eq!(found, &[1.0, -3.140_625, f32::MIN_POSITIVE]);
    }

    #[test]
    fn a_tensor_that_is_not_finite_is_named_and_refused() {
        let cases: [(Dtype, Vec<u8>); 4] = [
            (Dtype::F16, 0x7c00_u16.to_le_bytes().to_vec()),
            (Dtype::BF16, 0x7fc0_u16.to_le_bytes().to_vec()),
            (Dtype::F32, f32::NAN.to_le_bytes().to_vec()),
            // Finite, but not in 32 bits.
            (Dtype::F64, 1e300_f64.to_le_bytes().to_vec()),
        ];
        for (dtype, bytes) in cases {
            let (_directory, path) = file(dtype, &bytes, 1);
            let error = read_weights(&path).unwrap_err().to_string();
            assert!(error.contains("layer.weight"), "{error}");
            assert!(error.contains("not finite"), "{error}");
        }
    }

    #[test]
    fn a_file_whose_metadata_is_null_has_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("w.safetensors");
        let header = r#"{"__metadata__":null}"#;
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        std::fs::write(&path, bytes).unwrap();
        assert!(read_weights(&path).unwrap().is_empty());
        assert!(read_metadata(&path).unwrap().is_empty());
        assert!(read_shapes(&path).unwrap().is_empty());
    }

    #[test]
    fn equal_weights_are_equal_bytes_and_other_programs_read_them() {
        let directory = tempfile::tempdir().unwrap();
        let weights = BTreeMap::from([
            (
                "b".to_owned(),
                Weights {
                    shape: vec![2],
                    values: vec![1.5, -0.0],
                },
            ),
            (
                "a".to_owned(),
                Weights {
                    shape: vec![1, 1],
                    values: vec![3.0],
                },
            ),
        ]);
        // A hash map of nine keys has one order in 362,880.
        let metadata: BTreeMap<String, String> = (0..9)
            .map(|n| (format!("key{n}"), format!("\"{n}\n")))
            .collect();
        let path = directory.path().join("w.safetensors");
        write_weights(&path, &weights, &metadata).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let header = String::from_utf8_lossy(&bytes[8..]).into_owned();
        let places: Vec<usize> = metadata
            .keys()
            .map(|key| header.find(key).unwrap())
            .collect();
        assert!(places.is_sorted(), "{header}");
        assert_eq!(read_weights(&path).unwrap(), weights);
        assert_eq!(read_metadata(&path).unwrap(), metadata);
        let (_, of_the_crate) = SafeTensors::read_metadata(&bytes).unwrap();
        let found: BTreeMap<_, _> = of_the_crate
            .metadata()
            .clone()
            .unwrap()
            .into_iter()
            .collect();
        assert_eq!(found, metadata);
    }
}
