//! Two widths of one model side by side: every parameter's role, from what grows.

use super::declarations::{Declarations, Meaning, Sides, Topic};
use super::entries::{Entries, LeftOut, check_same_model, shapes_of};
use super::file::{ModelShapes, StoredTensor};
use super::growth::{check_growing, growths, one_ratio, sides_differ};
use super::layout::Layout;
use super::names::reading_order;
use crate::error::{Error, Result};
use crate::{Role, TensorKind};
use serde::Serialize;

/// Initialization std of the rows of an embedding, timm's and that of our Vision Transformer.
pub const EMBEDDING_STD: f64 = 0.02;

/// The widths of one model.
#[derive(Debug, Clone, Copy)]
pub struct Widths<'a> {
    /// The width at which every multiplier is 1.
    pub base: &'a ModelShapes,
    /// The width to scale to.
    pub target: &'a ModelShapes,
    /// Any other width than the base's, to see what grows; the target if absent.
    pub other: Option<&'a ModelShapes>,
}

/// How a role is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, strum::Display)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Evidence {
    /// From what grows, in PyTorch's layout.
    Shapes,
    /// From what grows, in a declared layout.
    Declared,
    /// The one undeclared tensor that is either a readout or an embedding: taken as the readout.
    OnlyCandidate,
}

/// One parameter at both widths.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Name in the state dictionary.
    pub name: String,
    /// Role that follows from `layout` and what grows.
    pub role: Role,
    /// How the role is known.
    pub evidence: Evidence,
    /// What its sides count.
    pub layout: Layout,
    /// What it is within its layer; absent for a vector of which nobody said it.
    pub kind: Option<TensorKind>,
    /// Shape at the target width.
    pub shape: Vec<usize>,
    /// Shape at the base width.
    pub base_shape: Vec<usize>,
    /// Fan-in and fan-out at the target width.
    pub fan: (usize, usize),
    /// Fan-in and fan-out at the base width.
    pub base_fan: (usize, usize),
    /// Initialization std at the base width; 0 for what starts at a constant.
    pub base_init_std: f64,
    /// Only its second side grows: by its shape a readout or an embedding.
    pub ambiguous: bool,
}

/// What two widths of one model show.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Where the base's shapes come from.
    pub base: String,
    /// Where the target's shapes come from.
    pub target: String,
    /// Target width over base width.
    pub width_ratio: f64,
    /// Every parameter: those that could be readout or embedding first, then by name.
    pub parameters: Vec<Parameter>,
    /// Entries of the target's file that are no parameters.
    pub left_out: Vec<LeftOut>,
}

/// Finds every parameter's role by comparing `widths`; `declarations` say what shapes do not show.
///
/// # Errors
/// When the files are not one model at two widths (a tensor in one only, another number of sides, sides
/// that grow by different ratios or nothing that grows), when shapes leave open what a tensor is,
/// or when a declaration contradicts the shapes, another one, or means no tensor.
pub fn compare(widths: &Widths, declarations: &Declarations) -> Result<Comparison> {
    let (base, target) = (widths.base, widths.target);
    let wide = widths.other.unwrap_or(target);
    let base_entries = Entries::divide(base, declarations)?;
    let target_entries = Entries::divide(target, declarations)?;
    let wide_entries = Entries::divide(wide, declarations)?;
    let (base_parameters, wide_parameters) = (&base_entries.parameters, &wide_entries.parameters);
    for (other, entries) in [(target, &target_entries), (wide, &wide_entries)] {
        check_same_model(
            (&base.place, base_parameters),
            (&other.place, &entries.parameters),
        )?;
    }
    let shapes = [base, target, wide].into_iter();
    let names = shapes.flat_map(|shapes| shapes.tensors.iter().map(|tensor| tensor.name.as_str()));
    declarations.check_used(names)?;
    let base_shapes = shapes_of(base_parameters);
    let wide_shapes = shapes_of(wide_parameters);
    let target_shapes = shapes_of(&target_entries.parameters);
    let all = growths(&base_shapes, &wide_shapes);
    if one_ratio(&all)?.is_none() {
        return Err(Error::invalid(
            format!("{} and {}", base.place, wide.place),
            "have the same shapes, so that nothing shows what grows with the width",
            "two widths of one model; for multipliers at the base width itself, a third file of another width",
        ));
    }
    let target_growths = growths(&base_shapes, &target_shapes);
    let ratio = one_ratio(&target_growths)?.map_or(1.0, |growth| growth.ratio());
    let mut found = Vec::new();
    for (name, tensor) in base_parameters {
        let (Some(target), Some(wide)) = (
            target_entries.parameters.get(name),
            wide_parameters.get(name),
        ) else {
            continue;
        };
        let growing = sides_differ(&tensor.shape, &wide.shape);
        let both = (&tensor.shape[..], &target.shape[..]);
        check_growing(name, both, &growing, ratio, "three widths of one model")?;
        let mut parameter = parameter(tensor, target, &growing, declarations)?;
        if base_entries.is_batch_norm(name, &tensor.shape) {
            parameter.kind = Some(TensorKind::Norm);
            parameter.base_init_std = 0.0;
        }
        found.push(parameter);
    }
    let place = format!("{} and {}", base.place, wide.place);
    resolve_ambiguity(&mut found, &place)?;
    found.sort_by(|one, other| {
        let first = other.ambiguous.cmp(&one.ambiguous);
        first.then_with(|| reading_order(&one.name, &other.name))
    });
    Ok(Comparison {
        base: base.place.clone(),
        target: target.place.clone(),
        width_ratio: ratio,
        parameters: found,
        left_out: target_entries.left_out,
    })
}

fn parameter(
    base: &StoredTensor,
    target: &StoredTensor,
    growing: &[bool],
    declarations: &Declarations,
) -> Result<Parameter> {
    let (name, sides) = (&base.name, base.shape.len());
    let invalid = |problem: String, allowed: &str| {
        Error::invalid(format!("tensor `{name}`"), problem, allowed)
    };
    let declared = match declarations.of(name, Topic::Sides)? {
        Some(Meaning::Sides(declared)) => Some(declared),
        _ => None,
    };
    let layout = match declared {
        None | Some(Sides::Readout) => Layout::of_pytorch(sides),
        Some(Sides::Embedding) => Layout::embedding(sides),
        Some(Sides::Transposed) => Layout::transposed(sides),
        Some(Sides::Spelled(layout)) => layout.clone(),
    };
    if layout.sides().len() != sides {
        return Err(invalid(
            format!("has shape {:?}, and is declared as `{layout}`", base.shape),
            "a layout with one word for each side",
        ));
    }
    if let Some((side, counted)) = layout.forbidden_growth(growing) {
        return Err(invalid(
            format!(
                "has shapes {:?} and {:?}: its side {side}, a `{counted}` side of the layout `{layout}`, grows",
                base.shape, target.shape
            ),
            "a roles.toml that says what it is: `embedding`, `transposed`, or its sides in `[layout]`",
        ));
    }
    let role = layout.role(growing);
    if declared == Some(&Sides::Readout) && role != Role::Output {
        return Err(invalid(
            format!("is declared a readout, and by its shapes is `{role}`"),
            "a readout of shape [classes, width], of which the second side grows",
        ));
    }
    if let Some(Meaning::Role(declared)) = declarations.of(name, Topic::Role)?
        && *declared != role
    {
        return Err(invalid(
            format!("is declared `{declared}`, and by its shapes is `{role}`"),
            "a role that fits what grows, or another layout",
        ));
    }
    let fans = |shape: &[usize]| {
        layout.fans(shape).ok_or_else(|| {
            let problem = format!("has shape {shape:?}, which no memory could hold");
            invalid(problem, "the shape of a real tensor")
        })
    };
    let (fan, base_fan) = (fans(&target.shape)?, fans(&base.shape)?);
    let is_embedding = declared == Some(&Sides::Embedding);
    let kind = match declarations.of(name, Topic::Kind)? {
        Some(Meaning::Kind(kind)) => Some(*kind),
        _ => (is_embedding || sides > 1).then_some(TensorKind::Weight),
    };
    let gain = match declarations.of(name, Topic::Gain)? {
        Some(Meaning::Gain(gain)) => *gain,
        _ if is_embedding => EMBEDDING_STD,
        _ if kind == Some(TensorKind::Weight) && sides > 1 => 1.0,
        _ => 0.0,
    };
    Ok(Parameter {
        name: name.clone(),
        role,
        evidence: match declared {
            Some(_) => Evidence::Declared,
            None => Evidence::Shapes,
        },
        layout,
        kind,
        shape: target.shape.clone(),
        base_shape: base.shape.clone(),
        fan,
        base_fan,
        base_init_std: gain / (base_fan.0 as f64).sqrt(),
        ambiguous: sides > 1
            && growing
                .iter()
                .enumerate()
                .all(|(side, grows)| *grows == (side == 1)),
    })
}

/// The one undeclared candidate is the readout; of several, any could be an embedding.
fn resolve_ambiguity(parameters: &mut [Parameter], place: &str) -> Result<()> {
    let has_declared_readout = parameters.iter().any(|parameter| {
        parameter.role == Role::Output && parameter.evidence == Evidence::Declared
    });
    let mut open: Vec<&mut Parameter> = parameters
        .iter_mut()
        .filter(|parameter| parameter.ambiguous && parameter.evidence == Evidence::Shapes)
        .collect();
    match &mut open[..] {
        [] => Ok(()),
        [only] if !has_declared_readout => {
            only.evidence = Evidence::OnlyCandidate;
            Ok(())
        }
        _ => {
            let names: Vec<&str> = open
                .iter()
                .map(|parameter| parameter.name.as_str())
                .collect();
            Err(Error::invalid(
                place,
                format!(
                    "of {} only the second side grows: each is a readout or an embedding table",
                    listed(&names)
                ),
                format!(
                    "a roles.toml with `readout = [{0}]` or `embedding = [{0}]`, each name in one of the lists",
                    quoted(&names)
                ),
            ))
        }
    }
}

/// Names in a message; of many, the first.
pub(super) fn listed(names: &[&str]) -> String {
    abridged(names, |name| format!("`{name}`"))
}

/// Names as TOML has them in a list; of many, the first.
pub fn quoted(names: &[&str]) -> String {
    abridged(names, |name| {
        toml::Value::String(name.to_owned()).to_string()
    })
}

fn abridged(names: &[&str], show: impl Fn(&str) -> String) -> String {
    const SHOWN: usize = 12;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| show(name)).collect();
    let shown = shown.join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}, … ({more} more)"),
    }
}
