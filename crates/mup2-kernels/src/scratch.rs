//! Memory for packing, kept by each thread for its next call: fresh memory has to be zeroed first.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut, Range};

/// Bytes of a line of the cache, which a vector of AVX-512 fills: one that lies across two is read as slowly
/// as two.
const LINE: usize = 64;

/// As many as one kernel holds at once.
const KEPT: usize = 4;

thread_local! {
    static FREE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Values that are to be written before they are read: what they hold is left over from earlier calls.
pub(super) struct Scratch {
    values: Vec<f32>,
    range: Range<usize>,
}

/// `len` values of any content, from the beginning of a line.
pub(super) fn scratch(len: usize) -> Scratch {
    let kept = FREE.with_borrow_mut(Vec::pop);
    let mut values = kept.unwrap_or_default();
    let most = len + LINE / size_of::<f32>();
    if values.len() < most {
        values.resize(most, 0.0);
    }
    let first = values.as_ptr().align_offset(LINE).min(most - len);
    let range = first..first + len;
    Scratch { values, range }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let values = std::mem::take(&mut self.values);
        // A thread that ends has no place for it any more.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            if free.len() < KEPT {
                free.push(values);
            }
        });
    }
}

impl Deref for Scratch {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values[self.range.clone()]
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.range.clone()]
    }
}
