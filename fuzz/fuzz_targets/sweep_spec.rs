//! `SWEEP.toml` with `--set` overrides: refused in one sentence, or a sweep of valid runs, of
//! the built-in trainer or of a command.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mup2_fuzz::built_in::KINDS;
use mup2_fuzz::{keeps_sweep_promises, sentence, text_and_overrides};
use mup2_sweep::config::parse_sweep;

fuzz_target!(|input: &str| {
    let (text, overrides) = text_and_overrides(input);
    match parse_sweep(text, "SWEEP.toml", &overrides, KINDS) {
        Ok(sweep) => keeps_sweep_promises(&sweep, &overrides),
        Err(error) => sentence(&error, "; allowed: "),
    }
});
