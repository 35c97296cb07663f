//! From the parameters of a model at two widths to roles and multipliers.
//!
//! The caller says what the sides of each parameter count, because it sees the types of the
//! layers; which of them grow is seen from the shapes. All that does not fit is said at once.

use crate::scheme::SchemeRequest;
use mup2_scaling::error::{Error, Result};
use mup2_scaling::shapes::{
    Comparison, Evidence, Layout, ModelScaling, Parameter, Shapes, check_growing, growths,
    one_ratio, sides_differ, without_kind,
};
use mup2_scaling::{Perturbation, Role, Rule, ScalingTable, Scheme, TensorKind, TensorScaling};
use serde::{Deserialize, Serialize};

/// One parameter, as the caller knows it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterRequest {
    name: String,
    shape: Vec<usize>,
    base_shape: Vec<usize>,
    /// The shape at any other width than the base's, to see what grows; the target's if absent.
    other_shape: Option<Vec<usize>>,
    /// One word a side: `out`, `in`, `kernel` or `stack`.
    layout: String,
    kind: Option<TensorKind>,
    /// Initialization std at the base width, times √fan_in.
    gain: f64,
    /// A readout that is an embedding table too: logits take the multiplier that the tensor cannot.
    #[serde(default)]
    tied: bool,
}

/// A model at two widths, and a scheme for it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScaleRequest {
    /// How messages name the two widths.
    pub base: String,
    pub target: String,
    pub scheme: SchemeRequest,
    pub parameters: Vec<ParameterRequest>,
}

/// A scheme worked out.
#[derive(Serialize)]
pub struct ScaleAnswer {
    #[serde(flatten)]
    scaling: ModelScaling,
    /// What the logits of a tied readout are multiplied by: base over width.
    logits_mult: f64,
    /// In the order of `tensors`: multipliers of the gradients in a norm to which every layer
    /// contributes alike at every width.
    clip_mults: Vec<f64>,
    /// Names of tied parameters.
    tied: Vec<String>,
}

/// Works out the request's scheme.
///
/// # Errors
/// Every parameter that does not fit, in one message; and what [`Comparison::scale`] refuses.
pub fn scale(request: ScaleRequest) -> Result<ScaleAnswer> {
    let scheme = request.scheme.scheme()?;
    let comparison = comparison(&request, scheme.rule)?;
    let scaling = comparison.scale(&scheme)?;
    let plain = Scheme::new(scheme.parameterization, Perturbation::Mup2);
    let clip = comparison.scale(&plain)?;
    let tied = request.parameters.iter().filter(|one| one.tied);
    Ok(ScaleAnswer {
        logits_mult: 1.0 / scaling.width_ratio,
        clip_mults: clip.tensors.iter().map(|row| row.norm_mult).collect(),
        tied: tied.map(|one| one.name.clone()).collect(),
        scaling,
    })
}

/// The judged table of a request, for the coordinate check.
///
/// # Errors
/// As [`scale`].
pub fn table(request: &ScaleRequest) -> Result<ScalingTable> {
    let scheme = request.scheme.scheme()?;
    let scaling = comparison(request, scheme.rule)?.scale(&scheme)?;
    let rows = scaling.tensors.into_iter().map(|row| TensorScaling {
        name: row.name,
        role: row.role,
        kind: row.kind.unwrap_or(TensorKind::Weight),
        shape: row.shape,
        init_std: row.init_std,
        lr_mult: row.lr_mult,
        rho_mult: row.rho_mult,
        norm_mult: row.norm_mult,
        wd_mult: row.wd_mult,
        weight_mult: 1.0,
        asam_eta_mult: row.asam_eta_mult,
        effect_exponent: row.effect_exponent,
        update_exponent: row.update_exponent,
    });
    Ok(ScalingTable {
        c_nabla: scaling.c_nabla,
        d: scaling.d,
        tensors: rows.collect(),
        verdict: scaling.verdict,
    })
}

fn comparison(request: &ScaleRequest, rule: Rule) -> Result<Comparison> {
    let parameters = &request.parameters;
    let mut problems = ranks(parameters);
    if !problems.is_empty() {
        return Err(all_at_once(request, problems));
    }
    let shapes = |of: fn(&ParameterRequest) -> &[usize]| -> Shapes {
        let named = parameters.iter().map(|one| (one.name.as_str(), of(one)));
        named.collect()
    };
    let base = shapes(|one| &one.base_shape);
    let wide = shapes(ParameterRequest::wide);
    let target = shapes(|one| &one.shape);
    if one_ratio(&growths(&base, &wide))?.is_none() {
        return Err(Error::invalid(
            format!("{} and {}", request.base, request.target),
            "have the same shapes, so that nothing shows what grows with the width",
            "two widths of one model; for the base width itself, base shapes that were compared with another width",
        ));
    }
    let ratio = one_ratio(&growths(&base, &target))?.map_or(1.0, |growth| growth.ratio());
    let mut found = Vec::new();
    for one in parameters {
        match parameter(one, ratio) {
            Ok(parameter) => found.push(parameter),
            Err(problem) => problems.push(problem),
        }
    }
    let kinds = found.iter().map(|one| (one.name.as_str(), one.kind));
    for name in without_kind(rule, kinds) {
        problems.push(format!(
            "`{name}` is neither known as a weight nor as a bias or norm, which rule `{rule}` treats apart"
        ));
    }
    if !problems.is_empty() {
        return Err(all_at_once(request, problems));
    }
    Ok(Comparison {
        base: request.base.clone(),
        target: request.target.clone(),
        width_ratio: ratio,
        parameters: found,
        left_out: Vec::new(),
    })
}

impl ParameterRequest {
    fn wide(&self) -> &[usize] {
        self.other_shape.as_deref().unwrap_or(&self.shape)
    }
}

/// Parameters with another number of sides at one of the widths, or a side of 0.
fn ranks(parameters: &[ParameterRequest]) -> Vec<String> {
    let mut problems = Vec::new();
    for one in parameters {
        let (base, target, wide) = (&one.base_shape, &one.shape, one.wide());
        if base.len() != target.len() || base.len() != wide.len() {
            problems.push(format!(
                "`{}` has shape {target:?}, and {base:?} at the base width",
                one.name
            ));
        } else if [base, target, wide].iter().any(|shape| shape.contains(&0)) {
            problems.push(format!("`{}` has a side of 0: {target:?}", one.name));
        }
    }
    problems
}

/// One parameter's role, or a clause that says what does not fit.
fn parameter(one: &ParameterRequest, ratio: f64) -> std::result::Result<Parameter, String> {
    let name = &one.name;
    let layout = Layout::parse(&one.layout)
        .map_err(|word| format!("`{name}` has a layout with the word `{word}`"))?;
    if layout.sides().len() != one.shape.len() {
        return Err(format!(
            "`{name}` has shape {:?}, and its layout is `{layout}`",
            one.shape
        ));
    }
    let growing = sides_differ(&one.base_shape, one.wide());
    let both = (&one.base_shape[..], &one.shape[..]);
    check_growing(name, both, &growing, ratio, "widths of one model")
        .map_err(|error| error.to_string())?;
    if let Some((side, counted)) = layout.forbidden_growth(&growing) {
        return Err(format!(
            "`{name}` has shapes {:?} and {:?}: its side {side}, a `{counted}` side of the layout `{layout}`, grows",
            one.base_shape,
            one.wide()
        ));
    }
    let fans = |shape: &[usize]| {
        layout
            .fans(shape)
            .ok_or_else(|| format!("`{name}` has shape {shape:?}, which no memory could hold"))
    };
    let (fan, base_fan) = (fans(&one.shape)?, fans(&one.base_shape)?);
    if !one.gain.is_finite() || one.gain < 0.0 {
        return Err(format!("`{name}` has the gain {}", one.gain));
    }
    let role = layout.role(&growing);
    if one.tied && role != Role::Input {
        return Err(format!(
            "`{name}` is embedding and readout in one, and by its shapes is `{role}`"
        ));
    }
    Ok(Parameter {
        name: name.clone(),
        role,
        evidence: Evidence::Declared,
        layout,
        kind: one.kind,
        shape: one.shape.clone(),
        base_shape: one.base_shape.clone(),
        fan,
        base_fan,
        base_init_std: one.gain / (base_fan.0 as f64).sqrt(),
        ambiguous: false,
    })
}

fn all_at_once(request: &ScaleRequest, problems: Vec<String>) -> Error {
    Error::invalid(
        format!("{} and {}", request.base, request.target),
        problems.join("; "),
        "two widths of one model; `declare` says what a parameter is that no layer's type tells",
    )
}
