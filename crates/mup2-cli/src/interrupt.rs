//! Ctrl-C, SIGTERM and SIGHUP: the first ends the work cleanly, the second at once.

use mup2_scaling::workers::Cancel;
use std::sync::Arc;

/// A flag that the first signal raises.
///
/// A signal that the process was told to ignore stays ignored, as `nohup` asks for SIGHUP. Only
/// SIGINT is taken in any case: shells without job control have every job in the background ignore
/// it, and a script must still be able to ask such a training for its end.
pub fn cancel_on_signal() -> anyhow::Result<Arc<Cancel>> {
    let cancel = Arc::new(Cancel::default());
    let raised = Arc::clone(&cancel);
    let ignored = ignored();
    ctrlc::set_handler(move || {
        if raised.is_cancelled() {
            // Nothing is lost: results are published whole or not at all.
            std::process::exit(130);
        }
        raised.cancel();
    })?;
    ignore(&ignored);
    Ok(cancel)
}

/// The signals among those with a handler that the process was started to ignore.
#[cfg(unix)]
fn ignored() -> Vec<libc::c_int> {
    let is_ignored = |signal: &libc::c_int| {
        // SAFETY: with a null action sigaction only writes the present one to `present`, which is
        // plain data for which zeros are valid.
        #[allow(unsafe_code)]
        unsafe {
            let mut present: libc::sigaction = std::mem::zeroed();
            libc::sigaction(*signal, std::ptr::null(), &mut present) == 0
                && present.sa_sigaction == libc::SIG_IGN
        }
    };
    let signals = [libc::SIGHUP, libc::SIGTERM];
    signals.into_iter().filter(is_ignored).collect()
}

#[cfg(unix)]
fn ignore(signals: &[libc::c_int]) {
    for signal in signals {
        // SAFETY: ignoring a signal runs no code of ours.
        #[allow(unsafe_code)]
        unsafe {
            libc::signal(*signal, libc::SIG_IGN);
        }
    }
}

#[cfg(not(unix))]
fn ignored() -> Vec<()> {
    Vec::new()
}

#[cfg(not(unix))]
fn ignore(_signals: &[()]) {}
