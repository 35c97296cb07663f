//! The shapes of any PyTorch checkpoint at two widths, and what follows: roles, multipliers, and a
//! Python file with both.
//!
//! Only headers are read, so a file of 70 GB takes milliseconds. Roles come from what grows between the
//! two widths (METHOD section 6), never from a name; what shapes leave open is declared in a
//! `roles.toml`. Numbers come from [`scale`](crate::scale).

mod compare;
mod declarations;
mod entries;
mod file;
mod groups;
mod growth;
mod header;
mod layout;
mod names;
mod python;
mod shapes_toml;

pub use compare::{EMBEDDING_STD, quoted};
pub use declarations::{Meaning, Sides, Topic};
pub use groups::without_kind;
pub use growth::{Shapes, check_growing, growths, one_ratio, sides_differ};
pub use names::check_name;
pub use shapes_toml::read_text;

pub use compare::{Comparison, Evidence, Parameter, Widths, compare};
pub use declarations::Declarations;
pub use entries::{LeftOut, Reason};
pub use file::{ModelShapes, StoredTensor, read_shapes};
pub use groups::{ModelScaling, ParameterScaling};
pub use header::{HeaderTensor, read_header};
pub use layout::{Layout, Side};
pub use python::python_file;
pub use shapes_toml::write_shapes;

#[cfg(test)]
mod tests;
