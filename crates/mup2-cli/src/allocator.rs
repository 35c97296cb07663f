//! mimalloc with purging off: tensors of a training step are freed and taken again at once, and
//! giving their pages back to the system in between costs up to a third of a step.

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// `mi_option_purge_delay` of mimalloc.h, the same in mimalloc 2 and 3; the binding does not name
/// it.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Turns purging off.
pub fn configure() {
    // SAFETY: sets one integer option of the allocator; valid at any time, from one thread.
    #[allow(unsafe_code)]
    unsafe {
        libmimalloc_sys::mi_option_set(PURGE_DELAY, -1);
    }
}
