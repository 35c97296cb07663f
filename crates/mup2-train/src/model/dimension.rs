//! A dimension of a layer: fixed, or growing with the network's width. Roles follow from it.

use crate::scaling::Role;

/// One dimension of a layer, at the target and the base width.
///
/// Whether it grows is said by the model, not found by comparing numbers: at the base width itself
/// the two are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// The same at every width.
    Fixed(usize),
    /// Proportional to the width.
    Growing {
        /// At the target width.
        target: usize,
        /// At the base width.
        base: usize,
    },
}

impl Dimension {
    /// The size at the target width.
    pub fn target(self) -> usize {
        match self {
            Self::Fixed(size) | Self::Growing { target: size, .. } => size,
        }
    }

    /// The size at the base width.
    pub fn base(self) -> usize {
        match self {
            Self::Fixed(size) | Self::Growing { base: size, .. } => size,
        }
    }

    /// `factor` times as large at every width.
    pub fn times(self, factor: usize) -> Self {
        match self {
            Self::Fixed(size) => Self::Fixed(size * factor),
            Self::Growing { target, base } => Self::Growing {
                target: target * factor,
                base: base * factor,
            },
        }
    }

    /// One of `parts` equal parts at every width; all of it for 0 parts.
    pub fn divided_by(self, parts: usize) -> Self {
        let parts = parts.max(1);
        match self {
            Self::Fixed(size) => Self::Fixed(size / parts),
            Self::Growing { target, base } => Self::Growing {
                target: target / parts,
                base: base / parts,
            },
        }
    }

    /// Whether it is proportional to the width.
    pub fn grows(self) -> bool {
        matches!(self, Self::Growing { .. })
    }

    /// The role of a tensor that maps `self` to `outputs` (METHOD section 1).
    pub fn role_towards(self, outputs: Self) -> Role {
        match (self.grows(), outputs.grows()) {
            (false, true) => Role::Input,
            (true, true) => Role::Hidden,
            (true, false) => Role::Output,
            (false, false) => Role::Fixed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_follow_from_what_grows_also_at_the_base_width() {
        let fixed = Dimension::Fixed(3);
        let grows = Dimension::Growing { target: 8, base: 8 };
        assert_eq!(fixed.role_towards(grows), Role::Input);
        assert_eq!(grows.role_towards(grows.times(4)), Role::Hidden);
        assert_eq!(grows.role_towards(fixed), Role::Output);
        assert_eq!(fixed.role_towards(fixed), Role::Fixed);
    }
}
