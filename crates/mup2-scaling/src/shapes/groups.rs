//! From roles to multipliers: the rows of a table, and the groups of tensors that share them.

use super::compare::{Comparison, Evidence, Parameter, quoted};
use super::entries::LeftOut;
use super::layout::Layout;
use crate::error::{Error, Result};
use crate::{
    BaseOptimizer, Denominator, Parameterization, Perturbation, Role, Rule, Scheme, TensorKind,
    TensorScaling, TensorShape, Verdict, scale,
};
use serde::Serialize;

/// One parameter's multipliers; at the base width every multiplier is exactly 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ParameterScaling {
    /// Name in the state dictionary.
    pub name: String,
    /// Role under width.
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
    /// Standard deviation of the initialization; 0 for what starts at a constant.
    pub init_std: f64,
    /// The same over that at the base width: for a base that is initialized otherwise than ours.
    pub init_mult: f64,
    /// Multiplier of the learning rate.
    pub lr_mult: f64,
    /// Multiplier of ρ in the numerator; 0 when the rule leaves the tensor alone.
    pub rho_mult: f64,
    /// Multiplier of the tensor in the denominator's norm; 0 when left alone.
    pub norm_mult: f64,
    /// Multiplier of a weight decay that the optimizer multiplies by the learning rate.
    pub wd_mult: f64,
    /// Multiplier of ASAM's small constant.
    pub asam_eta_mult: f64,
    /// Predicted exponent of the effect of the tensor's own perturbation.
    pub effect_exponent: Option<f64>,
    /// Predicted exponent of the effect of the tensor's update.
    pub update_exponent: f64,
}

/// A scheme worked out for the parameters of a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelScaling {
    /// Where the base's shapes come from.
    pub base: String,
    /// Where the target's shapes come from.
    pub target: String,
    /// Target width over base width.
    pub width_ratio: f64,
    /// Initialization and learning rate.
    pub parameterization: Parameterization,
    /// Perturbation radius.
    pub perturbation: Perturbation,
    /// Norm in the denominator.
    pub denominator: Denominator,
    /// Perturbation rule.
    pub rule: Rule,
    /// Base optimizer.
    pub optimizer: BaseOptimizer,
    /// ASAM's treatment of biases.
    pub asam_bias: crate::AsamBias,
    /// c∇ = min(b_output, c_output).
    pub c_nabla: f64,
    /// Global perturbation exponent d (already contained in every `rho_mult`).
    pub d: f64,
    /// One entry a parameter, in the comparison's order.
    pub tensors: Vec<ParameterScaling>,
    /// Entries of the file that are no parameters.
    pub left_out: Vec<LeftOut>,
    /// What the theory says of it.
    pub verdict: Verdict,
}

impl Comparison {
    /// Works out `scheme` for the parameters.
    ///
    /// # Errors
    /// As [`scale`]; when the rule treats biases or normalizations apart and nobody said of a vector
    /// what it is; and for weight multipliers, which a checkpoint's forward pass does not have.
    pub fn scale(&self, scheme: &Scheme) -> Result<ModelScaling> {
        if scheme.weight_multipliers {
            return Err(Error::invalid(
                "weight multipliers",
                "would change the forward pass of a model that is given by its shapes only",
                "multipliers of initialization and optimizer",
            ));
        }
        self.check_kinds(scheme.rule)?;
        let shapes: Vec<TensorShape> = self.parameters.iter().map(unit_shape).collect();
        let table = scale(scheme, &shapes)?;
        let rows = self.parameters.iter().zip(&table.tensors);
        Ok(ModelScaling {
            base: self.base.clone(),
            target: self.target.clone(),
            width_ratio: self.width_ratio,
            parameterization: scheme.parameterization,
            perturbation: scheme.perturbation,
            denominator: scheme.denominator(),
            rule: scheme.rule,
            optimizer: scheme.optimizer,
            asam_bias: scheme.asam_bias,
            c_nabla: table.c_nabla,
            d: table.d,
            tensors: rows
                .map(|(parameter, row)| scaled(parameter, row))
                .collect(),
            left_out: self.left_out.clone(),
            verdict: table.verdict,
        })
    }

    fn check_kinds(&self, rule: Rule) -> Result<()> {
        let kinds = self.parameters.iter();
        let names = without_kind(rule, kinds.map(|one| (one.name.as_str(), one.kind)));
        if names.is_empty() {
            return Ok(());
        }
        Err(Error::invalid(
            format!("rule `{rule}`"),
            format!(
                "treats biases and normalizations apart, and of {} tensors nothing says which they are",
                names.len()
            ),
            format!(
                "a roles.toml that has each of {} in `bias`, `norm` or `weight`, by name or by patterns such as \"*.bias\"",
                quoted(&names)
            ),
        ))
    }
}

/// The parameter with an initialization std of 1 at the base, so that what comes out is its multiplier.
fn unit_shape(parameter: &Parameter) -> TensorShape {
    TensorShape {
        name: parameter.name.clone(),
        role: parameter.role,
        // No rule that gets here asks what a vector of unknown kind is.
        kind: parameter.kind.unwrap_or(TensorKind::Weight),
        shape: parameter.shape.clone(),
        fan: parameter.fan,
        base_fan: parameter.base_fan,
        base_init_std: 1.0,
    }
}

fn scaled(parameter: &Parameter, row: &TensorScaling) -> ParameterScaling {
    ParameterScaling {
        name: parameter.name.clone(),
        role: parameter.role,
        evidence: parameter.evidence,
        layout: parameter.layout.clone(),
        kind: parameter.kind,
        shape: parameter.shape.clone(),
        base_shape: parameter.base_shape.clone(),
        init_std: parameter.base_init_std * row.init_std,
        init_mult: row.init_std,
        lr_mult: row.lr_mult,
        rho_mult: row.rho_mult,
        norm_mult: row.norm_mult,
        wd_mult: row.wd_mult,
        asam_eta_mult: row.asam_eta_mult,
        effect_exponent: row.effect_exponent,
        update_exponent: row.update_exponent,
    }
}

/// The tensors whose kind `rule` asks for and nobody knows: elementwise ASAM has T = 1 for biases, and SAM-ON
/// perturbs normalizations alone.
pub fn without_kind<'a>(
    rule: Rule,
    kinds: impl Iterator<Item = (&'a str, Option<TensorKind>)>,
) -> Vec<&'a str> {
    if !matches!(rule, Rule::Asam | Rule::SamOn) {
        return Vec::new();
    }
    let unknown = kinds.filter(|(_, kind)| kind.is_none());
    unknown.map(|(name, _)| name).collect()
}
