//! `RUN.toml` with `--set` overrides: refused in one sentence, or a run that stays itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mup2_fuzz::config::parse_run;
use mup2_fuzz::{keeps_run_promises, sentence, text_and_overrides};

fuzz_target!(|input: &str| {
    let (text, overrides) = text_and_overrides(input);
    match parse_run(text, "RUN.toml", &overrides) {
        Ok(spec) => keeps_run_promises(&spec, &overrides),
        Err(error) => sentence(&error, "; allowed: "),
    }
});
