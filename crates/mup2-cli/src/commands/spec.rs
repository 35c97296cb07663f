//! `mup2 spec`: commented TOML files with every key and its default.

use crate::arguments::{SpecArguments, SpecKind};
use crate::terminal::print;
use std::process::ExitCode;

const COMMAND: &str = include_str!("../../templates/command.toml");

pub fn run(arguments: &SpecArguments) -> anyhow::Result<ExitCode> {
    print(match arguments.kind {
        #[cfg(feature = "train")]
        SpecKind::Run => crate::built_in::RUN,
        #[cfg(feature = "train")]
        SpecKind::Sweep => crate::built_in::SWEEP,
        SpecKind::Command => COMMAND,
    })?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::built_in::KINDS;
    use mup2_sweep::command::command_of;
    use mup2_sweep::config::parse_sweep;

    #[test]
    fn the_template_of_a_command_is_a_valid_sweep_that_names_every_key() {
        let sweep = parse_sweep(COMMAND, "sweep.toml", &[], KINDS).unwrap();
        let command = command_of(&sweep).unwrap();
        let value = serde_json::to_value(command).unwrap();
        for key in value.as_object().unwrap().keys() {
            assert!(COMMAND.contains(&format!("\n{key} =")), "`{key}`");
        }
        assert!(COMMAND.contains("\n# epochs ="));
    }
}
