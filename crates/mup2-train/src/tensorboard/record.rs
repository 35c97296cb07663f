//! The frame around each event: its length and two checksums (TensorFlow's `TFRecord`).

/// Added to a rotated checksum, so that a checksum of data that hold checksums is not weak.
const MASK: u32 = 0xa282_ead8;

/// Frames `data`: length (u64), checksum of the length, data, checksum of the data; little-endian.
pub(super) fn frame(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(data.len() + 16);
    record.extend(length);
    record.extend(masked_checksum(&length).to_le_bytes());
    record.extend(data);
    record.extend(masked_checksum(data).to_le_bytes());
    record
}

/// CRC-32C (Castagnoli), rotated by 15 bits and masked.
fn masked_checksum(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(MASK)
}
