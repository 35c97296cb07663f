//! The columns of exported tables that the built-in trainer's specs fill.

use mup2_sweep::config::{ColumnKind, SpecColumn};

pub(super) fn columns() -> Vec<SpecColumn> {
    use ColumnKind::{Integer, Real, Text};
    let columns = [
        ("parameterization", Text, "scaling.parameterization"),
        ("perturbation", Text, "scaling.perturbation"),
        ("width", Integer, "model.width"),
        ("base_width", Integer, "model.base_width"),
        ("depth", Integer, "model.depth"),
        ("lr", Real, "optimizer.lr"),
        ("rho", Real, "sam.rho"),
        ("rule", Text, "sam.rule"),
        ("optimizer", Text, "optimizer.name"),
        ("seed", Integer, "seed"),
        ("dataset", Text, "data.dataset"),
        ("label_noise", Real, "data.label_noise"),
        ("batch_size", Integer, "train.batch_size"),
    ];
    columns
        .map(|(name, kind, at)| SpecColumn {
            name: name.to_owned(),
            kind,
            at: at.to_owned(),
        })
        .into()
}
