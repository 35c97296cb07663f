//! Scaling is arithmetic: from shapes and a scheme to multipliers and the theory's verdict.
//!
//! Nothing here knows of tensors or of an engine. Initialization, optimizer, SAM and `mup2 scale` all
//! ask [`scale`] and nothing else, so a rule that is right here is right everywhere. [`shapes`] finds
//! the roles of a checkpoint's tensors, [`check`] judges measured points of a coordinate check.
//!
//! Notation (the paper's bcd-parameterization, METHOD section 1): for width ratio `r`
//! = width / base width, a weight tensor `l` has initialization std `σ_l r^(-b_l)`, learning
//! rate `η r^(-c_l)`, and perturbation `ε_l = ρ r^(-d-d_l) T²∇_l / ‖(r^(-e_k) T∇_k)_k‖`.

pub mod check;
pub mod error;
mod exponents;
mod names;
pub mod number;
mod phases;
pub mod publish;
mod radius;
pub mod random;
mod role;
mod scheme_name;
pub mod shapes;
mod table;
pub mod workers;

pub use exponents::{CustomExponents, RoleExponents, SchemeExponents};
pub use names::{
    AsamBias, BaseOptimizer, Denominator, Parameterization, Perturbation, Rule, Scheme,
};
pub use phases::{LayerPlane, LayerPoint, PhaseDiagram, Regime, SchemePoint, phases};
pub use radius::{
    ConvertedRadius, LayerSizes, RadiusConvention, RadiusLayer, RadiusRule, RadiusScaling,
    RadiusSetting, convert_radius,
};
pub use role::{Role, TensorKind, TensorShape};
pub use scheme_name::SchemeName;
pub use table::{ScalingTable, TensorScaling, Verdict, scale};

#[cfg(test)]
mod radius_tests;
#[cfg(test)]
mod tests;
