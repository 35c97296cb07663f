//! Roles of Burn modules, from shapes, files and declarations.
