//! Ctrl-C and SIGTERM: the first ends the work cleanly, the second at once.

use mup2::cancel::Cancel;
use std::sync::Arc;

/// A flag that the first signal raises.
pub fn cancel_on_signal() -> anyhow::Result<Arc<Cancel>> {
    let cancel = Arc::new(Cancel::default());
    let raised = Arc::clone(&cancel);
    ctrlc::set_handler(move || {
        if raised.is_cancelled() {
            // Nothing is lost: results are published whole or not at all.
            std::process::exit(130);
        }
        raised.cancel();
    })?;
    Ok(cancel)
}
