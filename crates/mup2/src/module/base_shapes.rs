//! Base shapes: the parameters of a module at the width where every multiplier is 1, and what grows.

use super::outline::{Outlined, outline};
use super::scaled::{ScaledModule, ScaledParameter};
use super::start::{Start, WeightGain};
use crate::error::{Error, Result};
use crate::scaling::{Role, Rule, Scheme, TensorKind, TensorShape, scale};
use crate::shapes::{Layout, Shapes, check_growing, growths, one_ratio, quoted, without_kind};
use burn::module::Module;
use std::collections::BTreeMap;

/// One parameter at the base width.
#[derive(Debug, Clone, PartialEq)]
pub struct BaseParameter {
    /// Path in the module, such as `blocks.0.linear.weight`.
    pub name: String,
    /// Shape at the base width.
    pub shape: Vec<usize>,
    /// What its sides count.
    pub layout: Layout,
    /// Which sides grow with the width, one entry a side.
    pub grows: Vec<bool>,
    /// What it is within its layer; absent for a vector of which nobody said it.
    pub kind: Option<TensorKind>,
    /// What it starts at.
    pub start: Start,
}

impl BaseParameter {
    /// The role that follows from the layout and what grows (METHOD section 1).
    pub fn role(&self) -> Role {
        self.layout.role(&self.grows)
    }
}

/// A model's parameters at the base width, and which of their sides grow: all that is needed to
/// scale the model to any width, as `mup`'s base shapes.
///
/// It comes from [`compare`](Self::compare) or [`read`](Self::read).
#[derive(Debug, Clone, PartialEq)]
pub struct BaseShapes {
    pub(super) gain: WeightGain,
    pub(super) parameters: Vec<BaseParameter>,
    /// Names that were declared buffers.
    pub(super) buffers: Vec<String>,
}

impl BaseShapes {
    /// One entry a parameter.
    pub fn parameters(&self) -> &[BaseParameter] {
        &self.parameters
    }

    /// Gain of the weights that have none of their own: He's unless this is called.
    #[must_use]
    pub fn with_gain(mut self, gain: WeightGain) -> Self {
        self.gain = gain;
        self
    }

    /// Works out `scheme` for `model`, an instance at any width, the base's included. Only the shapes
    /// of `model` are looked at.
    ///
    /// # Errors
    /// With the tensor's name: a parameter that the base shapes lack or have with another number of
    /// sides, one of theirs that `model` lacks, a side that grows and should not, or that grows by
    /// another ratio than the others; and a vector of unknown kind under a rule that treats biases and
    /// normalizations apart. Else as [`scale`].
    pub fn scale<M: Module>(&self, scheme: &Scheme, model: &M) -> Result<ScaledModule> {
        self.check_kinds(scheme.rule)?;
        let outlined = outline(model);
        let pairs = self.paired(&outlined)?;
        let base: Shapes = pairs
            .iter()
            .map(|(base, _)| (base.name.as_str(), &base.shape[..]))
            .collect();
        let target: Shapes = pairs
            .iter()
            .map(|(base, found)| (base.name.as_str(), &found.shape[..]))
            .collect();
        let ratio = one_ratio(&growths(&base, &target))?.map_or(1.0, |growth| growth.ratio());
        let mut parameters = Vec::new();
        let mut shapes = Vec::new();
        for (base, found) in pairs {
            check_growing(
                &base.name,
                (&base.shape, &found.shape),
                &base.grows,
                ratio,
                "the model of the base shapes at another width",
            )?;
            shapes.push(self.tensor_shape(base, found)?);
            parameters.push(ScaledParameter {
                layout: base.layout.clone(),
                start: base.start,
            });
        }
        let table = scale(scheme, &shapes)?;
        Ok(ScaledModule::new(
            scheme.clone(),
            ratio,
            table,
            shapes.into_iter().zip(parameters).collect(),
        ))
    }

    /// Each parameter of the model beside its base, in the model's order.
    fn paired<'a>(
        &'a self,
        outlined: &'a [Outlined],
    ) -> Result<Vec<(&'a BaseParameter, &'a Outlined)>> {
        let bases = self.parameters.iter();
        let mut bases: BTreeMap<&str, &BaseParameter> =
            bases.map(|base| (base.name.as_str(), base)).collect();
        let mut pairs = Vec::new();
        for found in outlined {
            let place = format!("parameter `{}`", found.name);
            match bases.remove(found.name.as_str()) {
                Some(base) if base.shape.len() == found.shape.len() => pairs.push((base, found)),
                Some(base) => {
                    return Err(Error::invalid(
                        place,
                        format!("has shape {:?}", found.shape),
                        format!(
                            "{} sides, as in the base shapes {:?}; make new ones if the model was changed",
                            base.shape.len(),
                            base.shape
                        ),
                    ));
                }
                None if found.is_parameter() && !self.buffers.contains(&found.name) => {
                    return Err(Error::invalid(
                        place,
                        "is not in the base shapes",
                        "the parameters that they were made with; make new ones if the model was changed",
                    ));
                }
                None => {}
            }
        }
        match bases.keys().next() {
            None => Ok(pairs),
            Some(name) => Err(Error::invalid(
                format!("parameter `{name}`"),
                "is in the base shapes and not in the model",
                "a model with all their parameters; make new ones if the model was changed",
            )),
        }
    }

    fn tensor_shape(&self, base: &BaseParameter, found: &Outlined) -> Result<TensorShape> {
        let fans = |shape: &[usize]| {
            base.layout.fans(shape).ok_or_else(|| {
                Error::invalid(
                    format!("parameter `{}`", base.name),
                    format!("has shape {shape:?}, which no memory could hold"),
                    "the shape of a real tensor",
                )
            })
        };
        let base_fan = fans(&base.shape)?;
        Ok(TensorShape {
            name: base.name.clone(),
            role: base.role(),
            // No rule that gets here asks what a vector of unknown kind is.
            kind: base.kind.unwrap_or(TensorKind::Weight),
            shape: found.shape.clone(),
            fan: fans(&found.shape)?,
            base_fan,
            base_init_std: base.start.std(self.gain, base.role(), base_fan.0),
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
            "treats biases and normalizations apart, and of some vectors nothing says which they are",
            format!("a declaration of the kind of each of {}", quoted(&names)),
        ))
    }
}
