//! Tensors as one row of numbers, summed over processes, and back.

use crate::collective::Collective;
use crate::error::{Error, Result};
use crate::model::{BatchStatistics, Network};
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor, TensorData};

/// The gradients of a model in one row: one sum over all processes costs less than one a tensor.
#[derive(Default)]
pub(super) struct Flat {
    values: Vec<f32>,
    /// Where the gradient of each parameter belongs; none where it has none.
    homes: Vec<Option<(Device, DType)>>,
}

impl Flat {
    /// The sums of `gradients` over all processes, and those of `numbers` in their place.
    ///
    /// # Errors
    /// When a gradient cannot be read from its device, or a process is gone.
    pub fn sum(
        &mut self,
        collective: &dyn Collective,
        model: &Network,
        gradients: GradientsParams,
        numbers: &mut [f32],
    ) -> Result<GradientsParams> {
        self.values.clear();
        self.homes.clear();
        let mut gather = Gather {
            flat: self,
            gradients,
            outcome: Ok(()),
        };
        model.visit(&mut gather);
        gather.outcome?;
        let count = self.values.len();
        self.values.extend_from_slice(numbers);
        collective.all_reduce_sum(&mut self.values)?;
        numbers.copy_from_slice(&self.values[count..]);
        let mut scatter = Scatter {
            values: &self.values,
            homes: self.homes.drain(..),
            gradients: GradientsParams::new(),
        };
        model.visit(&mut scatter);
        Ok(scatter.gradients)
    }
}

struct Gather<'a> {
    flat: &'a mut Flat,
    gradients: GradientsParams,
    outcome: Result<()>,
}

impl ModuleVisitor for Gather<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(gradient) = self.gradients.remove::<D>(param.id) else {
            // Zeros keep the place, so that all rows are of one length.
            let end = self.flat.values.len() + param.lazy_shape().num_elements();
            self.flat.values.resize(end, 0.0);
            self.flat.homes.push(None);
            return;
        };
        let home = (gradient.device(), gradient.dtype());
        self.flat.homes.push(Some(home));
        let data = gradient.into_data().convert_dtype(DType::F32);
        match data.as_slice::<f32>() {
            Ok(values) => self.flat.values.extend_from_slice(values),
            Err(error) => {
                let problem = format!("cannot be read ({error:?})");
                self.outcome = Err(Error::invalid("gradients", problem, "a device that works"));
            }
        }
    }
}

struct Scatter<'a, Homes> {
    values: &'a [f32],
    homes: Homes,
    gradients: GradientsParams,
}

impl<Homes: Iterator<Item = Option<(Device, DType)>>> ModuleVisitor for Scatter<'_, Homes> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let shape = param.lazy_shape();
        let (values, rest) = self.values.split_at(shape.num_elements());
        self.values = rest;
        if let Some((device, dtype)) = self.homes.next().flatten() {
            let data = TensorData::new(values.to_vec(), shape).convert_dtype(dtype);
            let gradient = Tensor::<D>::from_data(data, (&device, dtype));
            self.gradients.register(param.id, gradient);
        }
    }
}

/// The batch statistics of all `of` parts of a batch, from those of this process's parts, the first of
/// which is the `first`.
///
/// # Errors
/// When a process is gone.
pub(super) fn statistics_of_all(
    collective: &dyn Collective,
    own: Vec<Vec<BatchStatistics>>,
    first: usize,
    of: usize,
) -> Result<Vec<Vec<BatchStatistics>>> {
    let layers: Vec<(String, usize)> = own
        .first()
        .into_iter()
        .flatten()
        .map(|seen| (seen.layer.clone(), seen.mean.len()))
        .collect();
    let length: usize = layers.iter().map(|(_, channels)| 2 * channels).sum();
    if length == 0 {
        return Ok(own);
    }
    // A number plus the others' zeros is that number: the sum gathers.
    let mut row = vec![0.0; of * length];
    for (part, seen) in own.iter().enumerate() {
        let values = seen
            .iter()
            .flat_map(|seen| seen.mean.iter().chain(&seen.variance));
        let place = &mut row[(first + part) * length..][..length];
        place
            .iter_mut()
            .zip(values)
            .for_each(|(to, from)| *to = *from);
    }
    collective.all_reduce_sum(&mut row)?;
    let statistics = row.chunks_exact(length).map(|mut part| {
        let mut take = |channels| {
            let (values, rest) = part.split_at(channels);
            part = rest;
            values.to_vec()
        };
        let layers = layers.iter().map(|(layer, channels)| BatchStatistics {
            layer: layer.clone(),
            mean: take(*channels),
            variance: take(*channels),
        });
        layers.collect()
    });
    Ok(statistics.collect())
}
