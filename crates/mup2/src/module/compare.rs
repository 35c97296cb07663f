//! Two instances of one module at two widths: every parameter's layout, and what grows.

use super::base_shapes::{BaseParameter, BaseShapes};
use super::layers::Known;
use super::outline::{Outlined, outline};
use super::start::{Start, WeightGain};
use crate::error::{Error, Result};
use crate::scaling::{Role, TensorKind};
use crate::shapes::{
    Declarations, EMBEDDING_STD, Layout, Meaning, Shapes, Side, Sides, Topic, growths, one_ratio,
    sides_differ,
};
use burn::module::Module;

impl Outlined {
    /// Whether an optimizer changes it, as far as the module itself shows.
    pub(super) fn is_parameter(&self) -> bool {
        self.trained && self.known != Some(Known::Buffer)
    }
}

impl BaseShapes {
    /// Finds every parameter's role by comparing `base` with `wide`, another width of the same model.
    ///
    /// Layouts are those of Burn's layers (`burn::nn`), told by the type of the struct that holds the
    /// parameter; a vector outside of them counts what its layer gives. For any other tensor, and to
    /// overrule these, `declarations` say what a parameter is; a field's name decides nothing. Frozen
    /// parameters and running statistics have no role and are left out.
    ///
    /// Only shapes are compared, but lazy parameters are made: only then do they show whether they are
    /// frozen.
    ///
    /// # Errors
    /// With the tensor's name: a parameter that one of the two lacks or has with another number of
    /// sides, sides that grow by different ratios, a layout that nothing tells, and a declaration that
    /// contradicts what grows, another one, or means no tensor. And when nothing grows.
    pub fn compare<M: Module>(base: &M, wide: &M, declarations: &Declarations) -> Result<Self> {
        let (base, wide) = (outline(base), outline(wide));
        declarations.check_used(base.iter().map(|tensor| tensor.name.as_str()))?;
        let mut buffers = Vec::new();
        for tensor in &base {
            if declarations.of(&tensor.name, Topic::Buffer)?.is_some() {
                buffers.push(tensor.name.clone());
            }
        }
        let base = parameters(base, declarations)?;
        let wide = parameters(wide, declarations)?;
        check_same_model(&base, &wide)?;
        let shapes = |of: &'_ [Outlined]| -> Vec<(String, Vec<usize>)> {
            of.iter()
                .map(|tensor| (tensor.name.clone(), tensor.shape.clone()))
                .collect()
        };
        let (base_shapes, wide_shapes) = (shapes(&base), shapes(&wide));
        let growths = growths(&by_name(&base_shapes), &by_name(&wide_shapes));
        if one_ratio(&growths)?.is_none() {
            return Err(Error::invalid(
                "the base and the wide model",
                "have the same shapes, so that nothing shows what grows with the width",
                "two widths of one model",
            ));
        }
        let parameters = base.iter().map(|tensor| {
            let other = wide.iter().find(|other| other.name == tensor.name);
            let wide = other.map_or(&tensor.shape, |other| &other.shape);
            if declarations.of(&tensor.name, Topic::Sides)?.is_none() {
                check_bias(tensor, &base)?;
            }
            parameter(tensor, wide, declarations)
        });
        Ok(Self {
            gain: WeightGain::default(),
            parameters: parameters.collect::<Result<_>>()?,
            buffers,
        })
    }
}

fn by_name(shapes: &[(String, Vec<usize>)]) -> Shapes<'_> {
    shapes
        .iter()
        .map(|(name, shape)| (name.as_str(), &shape[..]))
        .collect()
}

/// What is trained; every side of it is at least 1.
fn parameters(outlined: Vec<Outlined>, declarations: &Declarations) -> Result<Vec<Outlined>> {
    let mut found = Vec::new();
    for tensor in outlined {
        if !tensor.is_parameter() || declarations.of(&tensor.name, Topic::Buffer)?.is_some() {
            continue;
        }
        if tensor.shape.contains(&0) {
            return Err(invalid(
                &tensor,
                format!("has shape {:?}", tensor.shape),
                "sides of at least 1",
            ));
        }
        found.push(tensor);
    }
    Ok(found)
}

fn check_same_model(base: &[Outlined], wide: &[Outlined]) -> Result<()> {
    let sides = [("base", base, "wide", wide), ("wide", wide, "base", base)];
    for (place, tensors, other_place, others) in sides {
        for tensor in tensors {
            let Some(other) = others.iter().find(|other| other.name == tensor.name) else {
                return Err(invalid(
                    tensor,
                    format!("is trained in the {place} model and not in the {other_place} one"),
                    "one model at two widths",
                ));
            };
            if other.shape.len() != tensor.shape.len() {
                return Err(invalid(
                    tensor,
                    format!(
                        "has shape {:?} in the {place} model and {:?} in the {other_place} one",
                        tensor.shape, other.shape
                    ),
                    "as many sides at both widths",
                ));
            }
        }
    }
    Ok(())
}

/// A struct of the user's may have the name of Burn's `Linear` and store its matrix the other way
/// round: its bias then has the length of another side.
fn check_bias(weight: &Outlined, all: &[Outlined]) -> Result<()> {
    let Some(Known::Parameter { layout, .. }) = &weight.known else {
        return Ok(());
    };
    let Some(layer) = weight.name.strip_suffix("weight") else {
        return Ok(());
    };
    let name = format!("{layer}bias");
    let bias = all.iter().find(|tensor| tensor.name == name);
    let outputs = layout.fans(&weight.shape).map(|(_, outputs)| outputs);
    match (bias, outputs) {
        // A transposed convolution in groups has more outputs than its weight has columns.
        (Some(bias), Some(outputs))
            if weight.layer == "Linear" && bias.shape.iter().product::<usize>() != outputs =>
        {
            Err(invalid(
                weight,
                format!(
                    "has shape {:?} beside a bias of shape {:?}, and so is not Burn's `Linear`, which is `{layout}`",
                    weight.shape, bias.shape
                ),
                "a declaration of its layout, such as \"out in\"",
            ))
        }
        _ => Ok(()),
    }
}

fn parameter(
    tensor: &Outlined,
    wide: &[usize],
    declarations: &Declarations,
) -> Result<BaseParameter> {
    let name = &tensor.name;
    let grows = sides_differ(&tensor.shape, wide);
    let role = match declarations.of(name, Topic::Role)? {
        Some(Meaning::Role(role)) => Some(*role),
        _ => None,
    };
    let sides = match declarations.of(name, Topic::Sides)? {
        Some(Meaning::Sides(sides)) => Some(sides),
        _ => None,
    };
    let (known_layout, known_kind, known_start) = match &tensor.known {
        Some(Known::Parameter {
            layout,
            kind,
            start,
        }) => (Some(layout), Some(*kind), Some(*start)),
        _ => (None, None, None),
    };
    let layout = match (sides, known_layout) {
        (Some(sides), _) => declared_layout(tensor, sides)?,
        (None, Some(layout)) => layout.clone(),
        (None, None) => layout_outside_of_layers(tensor, &grows, role)?,
    };
    if let Some((side, counted)) = layout.forbidden_growth(&grows) {
        return Err(invalid(
            tensor,
            format!(
                "has shapes {:?} and {wide:?}: its side {side}, a `{counted}` side of the layout `{layout}`, grows",
                tensor.shape
            ),
            "a declared layout in which the sides that grow are `in` or `out`",
        ));
    }
    let found = layout.role(&grows);
    let readout_elsewhere = sides == Some(&Sides::Readout) && found != Role::Output;
    if let Some(declared) = role
        .filter(|role| *role != found)
        .or(readout_elsewhere.then_some(Role::Output))
    {
        return Err(invalid(
            tensor,
            format!(
                "is declared `{declared}`, and with shapes {:?} and {wide:?} in the layout `{layout}` is `{found}`",
                tensor.shape
            ),
            "a role that fits what grows, or another layout",
        ));
    }
    if layout.fans(&tensor.shape).is_none() {
        return Err(invalid(
            tensor,
            format!("has shape {:?}, which no memory could hold", tensor.shape),
            "the shape of a real tensor",
        ));
    }
    let is_vector = !layout.sides().contains(&Side::In);
    let is_embedding = sides == Some(&Sides::Embedding);
    let kind = match declarations.of(name, Topic::Kind)? {
        Some(Meaning::Kind(kind)) => Some(*kind),
        _ => known_kind.or((!is_vector || is_embedding).then_some(TensorKind::Weight)),
    };
    let start = match (declarations.of(name, Topic::Gain)?, known_start) {
        (Some(Meaning::Gain(gain)), _) => Start::Drawn { gain: Some(*gain) },
        (_, Some(start)) => start,
        _ if is_embedding => Start::Drawn {
            gain: Some(EMBEDDING_STD),
        },
        _ if is_vector => Start::Kept,
        _ => Start::Drawn { gain: None },
    };
    Ok(BaseParameter {
        name: name.clone(),
        shape: tensor.shape.clone(),
        layout,
        grows,
        kind,
        start,
    })
}

fn declared_layout(tensor: &Outlined, sides: &Sides) -> Result<Layout> {
    let rank = tensor.shape.len();
    let layout = match sides {
        Sides::Embedding => Layout::embedding(rank),
        Sides::Spelled(layout) => layout.clone(),
        Sides::Readout => Layout::transposed(rank),
        Sides::Transposed => {
            return Err(invalid(
                tensor,
                "is declared `transposed`, which is said of PyTorch's layout".to_owned(),
                "a layout that is spelled, such as \"in out\"",
            ));
        }
    };
    if layout.sides().len() != rank {
        return Err(invalid(
            tensor,
            format!(
                "has shape {:?}, and is declared as `{layout}`",
                tensor.shape
            ),
            "a layout with one word for each side",
        ));
    }
    Ok(layout)
}

/// A vector counts outputs (METHOD section 1), and what does not grow needs no layout. A matrix that is
/// applied from the left or from the right has its fan-in on one side or the other, which shows only
/// where its role is declared, or where it makes no difference.
fn layout_outside_of_layers(
    tensor: &Outlined,
    grows: &[bool],
    role: Option<Role>,
) -> Result<Layout> {
    use Side::{In, Out, Stack};
    let sides = match (&tensor.shape[..], grows, role) {
        ([] | [_], _, _) => vec![Out; tensor.shape.len()],
        (shape, _, _) if !grows.contains(&true) => vec![Stack; shape.len()],
        ([one, other], [true, true], _) if one == other => vec![In, Out],
        (_, [true, false], Some(Role::Output)) | (_, [false, true], Some(Role::Input)) => {
            vec![In, Out]
        }
        (_, [false, true], Some(Role::Output)) | (_, [true, false], Some(Role::Input)) => {
            vec![Out, In]
        }
        _ => {
            let growing: Vec<usize> = (0..grows.len()).filter(|side| grows[*side]).collect();
            return Err(invalid(
                tensor,
                format!(
                    "has shape {:?}, of which the sides {growing:?} grow, and stands in none of Burn's layers: nothing says which side is its fan-in",
                    tensor.shape
                ),
                "a declaration of its layout, such as \"in out\" of a matrix W in x W, or `embedding`",
            ));
        }
    };
    Ok(Layout::new(sides))
}

fn invalid(tensor: &Outlined, problem: String, allowed: &str) -> Error {
    Error::invalid(format!("parameter `{}`", tensor.name), problem, allowed)
}
