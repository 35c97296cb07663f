//! What every figure and page is made of: SVG pieces, colours, numbers as text, the HTML frame.

pub(crate) mod colour;
pub(crate) mod page;
pub(crate) mod svg;
