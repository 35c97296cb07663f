//! `mup2 spec`: commented TOML files with every key and its default.

use crate::arguments::{SpecArguments, SpecKind};
use crate::terminal::print;
use std::process::ExitCode;

const RUN: &str = include_str!("../../templates/run.toml");
const SWEEP: &str = include_str!("../../templates/sweep.toml");
const COMMAND: &str = include_str!("../../templates/command.toml");

pub fn run(arguments: &SpecArguments) -> anyhow::Result<ExitCode> {
    print(match arguments.kind {
        SpecKind::Run => RUN,
        SpecKind::Sweep => SWEEP,
        SpecKind::Command => COMMAND,
    })?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mup2_sweep::command::command_of;
    use mup2_sweep::config::parse_sweep;
    use mup2_train::built_in::KINDS;
    use mup2_train::config::{RunSpec, parse_run};

    #[test]
    fn the_run_template_is_the_default_run() {
        assert_eq!(parse_run(RUN, "run.toml", &[]).unwrap(), RunSpec::default());
    }

    #[test]
    fn the_run_template_names_every_key() {
        let spec = serde_json::to_value(RunSpec::default()).unwrap();
        let mut tables = vec![&spec];
        while let Some(table) = tables.pop() {
            for (key, value) in table.as_object().unwrap() {
                let named = RUN.contains(&format!("{key} =")) || RUN.contains(&format!("{key}]"));
                assert!(named, "`{key}` is not in templates/run.toml");
                if value.is_object() {
                    tables.push(value);
                }
            }
        }
    }

    #[test]
    fn the_sweep_template_is_a_valid_sweep() {
        parse_sweep(SWEEP, "sweep.toml", &[], KINDS).unwrap();
    }

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
