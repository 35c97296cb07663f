//! `SWEEP.toml` with `--set` overrides: refused in one sentence, or a sweep of valid runs.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mup2_fuzz::config::parse_sweep;
use mup2_fuzz::{keeps_sweep_promises, sentence, text_and_overrides};

fuzz_target!(|input: &str| {
    let (text, overrides) = text_and_overrides(input);
    match parse_sweep(text, "SWEEP.toml", &overrides) {
        Ok(sweep) => keeps_sweep_promises(&sweep, &overrides),
        Err(error) => sentence(&error, "; allowed: "),
    }
});
