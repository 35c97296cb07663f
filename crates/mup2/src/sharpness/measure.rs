//! All measures of a model at once, as a whole and tensor by tensor.

use super::ball::SamSharpness;
use super::eigenvalue::{PowerIteration, TopEigenvalues};
use super::landscape::{Landscape, Part};
use super::trace::TraceEstimate;
use crate::error::Result;
use crate::step::Geometry;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Power iteration; absent for no eigenvalues.
    pub power: Option<PowerIteration>,
    /// Random vectors of the trace; 0 for none.
    pub trace_vectors: usize,
    /// ρ at the base width; absent for no SAM-sharpness.
    pub radius: Option<f64>,
    /// Steps of projected ascent after SAM's.
    pub ascent_steps: usize,
    /// Measures each parameter by itself as well.
    pub per_layer: bool,
    /// Seed of the trace's vectors.
    pub seed: u64,
}

/// The measures of one part of a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measures {
    /// Top eigenvalues of the Hessian, or of its block.
    pub eigenvalues: Option<TopEigenvalues>,
    /// Its trace.
    pub trace: Option<TraceEstimate>,
    /// Rise of the loss in the ball.
    pub sam: Option<SamSharpness>,
}

/// The measures of one parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorSharpness {
    /// Path of the parameter.
    pub name: String,
    /// Those of its block of the Hessian, and of the ball in which it alone moves.
    pub measures: Measures,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Sharpness {
    /// Loss at the weights.
    pub loss: f64,
    /// All parameters together.
    pub whole: Measures,
    /// Each by itself, in the module's order; empty unless asked for.
    pub tensors: Vec<TensorSharpness>,
    /// Gradients taken.
    pub gradient_evaluations: usize,
}

/// Measures `model` through `gradient`, a function of the model that returns the mean loss
/// (shape `[1]`) and its gradients.
///
/// Eigenvalues and trace are those of `S H S` with the S of `hessian`, so of H itself in the Euclidean
/// geometry; the ball is that of `ball`.
///
/// # Errors
/// When a weight is not finite, or the radius is not a finite number above 0, and those of `gradient`. Where the loss is not
/// finite, the measures are not either.
pub fn measure<M: Module>(
    model: &M,
    gradient: impl FnMut(&M) -> Result<(Tensor<1>, GradientsParams)>,
    hessian: &Geometry,
    ball: &Geometry,
    options: &Options,
) -> Result<Sharpness> {
    let mut landscape = Landscape::new(model, gradient)?;
    let part = |landscape: &mut Landscape<_, _>, part| -> Result<Measures> {
        let power = options.power.as_ref();
        let eigenvalues = power.map(|power| landscape.top_eigenvalues(hessian, part, power));
        let eigenvalues = eigenvalues.transpose()?;
        let trace = landscape.trace(hessian, part, options.trace_vectors, options.seed)?;
        let rise = |radius| {
            landscape.sam_sharpness(ball, part, radius, options.ascent_steps, options.seed)
        };
        let sam = options.radius.map(rise).transpose()?;
        Ok(Measures {
            eigenvalues,
            trace,
            sam,
        })
    };
    let whole = part(&mut landscape, Part::Whole)?;
    let mut tensors = Vec::new();
    if options.per_layer {
        for index in 0..landscape.parameters().len() {
            tensors.push(TensorSharpness {
                name: landscape.parameters()[index].name.clone(),
                measures: part(&mut landscape, Part::Tensor(index))?,
            });
        }
    }
    Ok(Sharpness {
        loss: landscape.loss(),
        whole,
        tensors,
        gradient_evaluations: landscape.evaluations(),
    })
}
