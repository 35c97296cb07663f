//! A coordinate check shown: the table in the terminal and the page.

mod display;
mod lines;
mod page;
mod panels;
mod points;
mod table;

pub use page::html;
pub use points::{ForeignPoints, read_points};
pub use table::terminal_table;

#[cfg(test)]
mod rendering_tests;
