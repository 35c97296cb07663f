//! A batch in parts: one after the other to save memory, or each on a device of its own.

use super::clip::scale_gradients;
use crate::error::{Error, Result};
use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor};

/// How the closure of [`Sam::step`](super::Sam::step) computes a batch that is divided in parts of
/// equal size: the perturbation is that of the whole batch. For one perturbation a part, see
/// [`Sam::gradients_in_parts`](super::Sam::gradients_in_parts).
#[derive(Debug, Clone)]
pub struct BatchParts {
    places: Places,
}

#[derive(Debug, Clone)]
enum Places {
    InTurn(usize),
    On(Vec<Device>),
}

impl BatchParts {
    /// `count` parts, one after the other where the model is: gradient accumulation.
    ///
    /// # Errors
    /// For no parts.
    pub fn in_turn(count: usize) -> Result<Self> {
        let places = Places::InTurn(count);
        Self { places }.checked()
    }

    /// One part a device, all at once in threads of their own: data parallelism. A device may be
    /// named more than once, such as the processor for several threads.
    ///
    /// # Errors
    /// For no devices.
    pub fn on(devices: Vec<Device>) -> Result<Self> {
        let places = Places::On(devices);
        Self { places }.checked()
    }

    fn checked(self) -> Result<Self> {
        match self.count() {
            0 => Err(Error::invalid(
                "parts of a batch",
                "there are none",
                "at least one",
            )),
            _ => Ok(self),
        }
    }

    /// Number of parts.
    pub fn count(&self) -> usize {
        match &self.places {
            Places::InTurn(count) => *count,
            Places::On(devices) => devices.len(),
        }
    }

    /// Mean loss (shape `[1]`) and mean gradients over the parts, where `model` is: what one pass
    /// over the whole batch gives, but for rounding.
    ///
    /// `gradient` returns mean loss and gradients of one part, at the model that it is given: on
    /// another device, that is a copy there, with the same parameter ids. Its inputs should be made
    /// on `model.devices()`. A panic in one of the threads goes on in the caller's.
    ///
    /// # Errors
    /// Those of `gradient`, of the first part that has one.
    pub fn gradient<M: Module>(
        &self,
        model: &M,
        gradient: impl Fn(&M, usize) -> Result<(Tensor<1>, GradientsParams)> + Sync,
    ) -> Result<(Tensor<1>, GradientsParams)> {
        let factor = 1.0 / self.count() as f64;
        let mut sum = GradientsAccumulator::new();
        let mut losses: Vec<Tensor<1>> = Vec::new();
        let mut add = |(loss, gradients): (Tensor<1>, GradientsParams)| {
            losses.push(loss.without_autodiff());
            sum.accumulate(model, gradients);
        };
        match &self.places {
            Places::InTurn(count) => {
                for part in 0..*count {
                    add(gradient(model, part)?);
                }
            }
            Places::On(devices) => {
                let home = model.devices().into_iter().next();
                for computed in on_devices(model, devices, &gradient) {
                    let (loss, gradients) = computed?;
                    add(match &home {
                        Some(home) => (loss.to_device(home), gradients.to_device(home, model)),
                        None => (loss, gradients),
                    });
                }
                // What the threads saw of running statistics is kept apart, by thread, until
                // somebody asks for their mean, as a validation module does; the next step has
                // other threads.
                drop(model.valid());
            }
        }
        let mean = scale_gradients(model, sum.grads(), factor);
        let loss = Tensor::cat(losses, 0).sum().mul_scalar(factor);
        Ok((loss, mean))
    }
}

/// The parts in their order, whichever thread is done first.
fn on_devices<M: Module>(
    model: &M,
    devices: &[Device],
    gradient: &(impl Fn(&M, usize) -> Result<(Tensor<1>, GradientsParams)> + Sync),
) -> Vec<Result<(Tensor<1>, GradientsParams)>> {
    std::thread::scope(|scope| {
        let replicas = devices.iter().map(|device| model.clone().fork(device));
        let threads: Vec<_> = replicas
            .enumerate()
            .map(|(part, replica)| scope.spawn(move || gradient(&replica, part)))
            .collect();
        threads
            .into_iter()
            .map(|thread| match thread.join() {
                Ok(computed) => computed,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    })
}
