//! Sweeps whose runs are calls of somebody's command: the `[command]` table, and the trainer that
//! runs it.
//!
//! A command gets its values by `{name}` in its arguments, and gives its result as one JSON object, in
//! the file `$MUP2_RESULT` or as the last line of its output. It has nothing to know of mup2.

mod arguments;
mod given;
mod group;
mod outcome;
mod output;
mod runs;
mod template;
mod trainer;

pub use arguments::{CommandSpec, Direction};
pub use runs::{COMMAND, command_of};
pub use trainer::Commands;

#[cfg(test)]
mod tests;
