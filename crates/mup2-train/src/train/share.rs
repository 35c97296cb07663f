//! What one of several processes does of a training, and how it hears of the others.

use super::reduction::{Flat, statistics_of_all};
use crate::collective::Collective;
use crate::config::RunSpec;
use crate::error::{Error, Result};
use crate::model::{BatchStatistics, Network};
use crate::step::StepReport;
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::RefCell;
use std::ops::Range;

/// Whether `processes` can share the batches of `spec`: each takes as many of its parts.
///
/// # Errors
/// When `train.micro_batches` is no multiple of the number of processes.
pub fn check_processes(spec: &RunSpec, processes: usize) -> Result<()> {
    let parts = spec.train.micro_batches;
    if processes > 0 && parts.is_multiple_of(processes) {
        return Ok(());
    }
    let batch = spec.train.batch_size;
    Err(Error::invalid(
        "train.micro_batches",
        format!("is {parts}, which {processes} processes cannot share evenly"),
        format!("multiples of {processes} that divide the batch size {batch}"),
    ))
}

/// The share of one process: consecutive parts of every batch.
pub(super) struct Share<'a> {
    collective: &'a dyn Collective,
    parts: Range<usize>,
    of: usize,
    /// Gradients on their way, in memory that lasts for the training.
    flat: RefCell<Flat>,
}

impl<'a> Share<'a> {
    /// # Errors
    /// As [`check_processes`]'.
    pub fn new(spec: &RunSpec, collective: &'a dyn Collective) -> Result<Self> {
        check_processes(spec, collective.size())?;
        let of = spec.train.micro_batches;
        let each = of / collective.size();
        let first = collective.rank() * each;
        Ok(Self {
            collective,
            parts: first..first + each,
            of,
            flat: RefCell::default(),
        })
    }

    /// Whether this process is the only one: then nothing is exchanged.
    pub fn is_whole(&self) -> bool {
        self.collective.size() == 1
    }

    /// Whether this process is the one that writes.
    pub fn is_first(&self) -> bool {
        self.collective.rank() == 0
    }

    /// This process's parts of a batch.
    pub fn parts(&self) -> Range<usize> {
        self.parts.clone()
    }

    /// Parts of a batch.
    pub fn of(&self) -> usize {
        self.of
    }

    /// This process's share of `count` things, consecutive ones.
    pub fn range(&self, count: usize) -> Range<usize> {
        let (rank, size) = (self.collective.rank(), self.collective.size());
        rank * count / size..(rank + 1) * count / size
    }

    /// Whether `flag` is raised in any process.
    ///
    /// # Errors
    /// When a process is gone, here and below.
    pub fn any(&self, flag: bool) -> Result<bool> {
        Ok(self.total(usize::from(flag))? > 0)
    }

    /// The sum of `count` over all processes.
    pub fn total(&self, count: usize) -> Result<usize> {
        if self.is_whole() {
            return Ok(count);
        }
        // Whole numbers are exact up to 2⁵³.
        let mut total = [count as f64];
        self.collective.all_reduce_sum_f64(&mut total)?;
        Ok(total[0] as usize)
    }

    /// Sees to it that all processes have what rank 0 has; `problem` says of the others what it means
    /// if not.
    ///
    /// # Errors
    /// [`Error::Disagreement`], in all processes, if they do not.
    pub fn agree(
        &self,
        own: impl FnOnce() -> Vec<u8>,
        problem: impl FnOnce() -> String,
        advice: &str,
    ) -> Result<()> {
        if self.is_whole() {
            return Ok(());
        }
        let own = own();
        let first = self.broadcast(own.clone())?;
        let mut differ = vec![0.0; self.collective.size()];
        differ[self.collective.rank()] = f64::from(u8::from(first != own));
        self.collective.all_reduce_sum_f64(&mut differ)?;
        let ranks: Vec<usize> = (0..differ.len())
            .filter(|rank| differ[*rank] > 0.0)
            .collect();
        if ranks.is_empty() {
            return Ok(());
        }
        Err(Error::Disagreement {
            ranks,
            size: self.collective.size(),
            problem: problem(),
            advice: advice.to_owned(),
        })
    }

    /// The bytes of rank 0.
    pub fn broadcast(&self, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
        self.collective.broadcast(&mut bytes)?;
        Ok(bytes)
    }

    /// What rank 0 makes, in all processes.
    ///
    /// # Errors
    /// Those of `make`, in rank 0.
    pub fn made_by_first<T: Serialize + DeserializeOwned>(
        &self,
        make: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        if self.is_whole() {
            return make();
        }
        let unreadable = |error: serde_json::Error| {
            Error::invalid(
                "rank 0",
                format!("told {error}"),
                "the same version of mup2",
            )
        };
        if self.is_first() {
            let made = make()?;
            self.broadcast(serde_json::to_vec(&made).map_err(unreadable)?)?;
            return Ok(made);
        }
        serde_json::from_slice(&self.broadcast(Vec::new())?).map_err(unreadable)
    }

    /// Loss `[1]` and gradients summed over all processes.
    pub fn sum(
        &self,
        model: &Network,
        loss: Tensor<1>,
        gradients: GradientsParams,
    ) -> Result<(Tensor<1>, GradientsParams)> {
        if self.is_whole() {
            return Ok((loss, gradients));
        }
        let mut numbers = [loss.clone().into_scalar::<f32>()];
        let mut flat = self.flat.borrow_mut();
        let sum = flat.sum(self.collective, model, gradients, &mut numbers)?;
        let (device, dtype) = (loss.device(), loss.dtype());
        let data = TensorData::new(numbers.to_vec(), [1]).convert_dtype(dtype);
        Ok((Tensor::from_data(data, (&device, dtype)), sum))
    }

    /// Gradients summed over all processes, and the report of a step of which each has told its share.
    pub fn sum_reported(
        &self,
        model: &Network,
        gradients: GradientsParams,
        report: StepReport,
    ) -> Result<(GradientsParams, StepReport)> {
        if self.is_whole() {
            return Ok((gradients, report));
        }
        let is_last = self.collective.rank() + 1 == self.collective.size();
        let mut numbers = [
            report.loss,
            f64::from(u8::from(report.diverged)),
            if is_last {
                report.perturbation_norm
            } else {
                0.0
            },
        ];
        self.collective.all_reduce_sum_f64(&mut numbers)?;
        let report = StepReport {
            loss: numbers[0],
            perturbation_norm: numbers[2],
            diverged: numbers[1] > 0.0,
        };
        let mut flat = self.flat.borrow_mut();
        let sum = flat.sum(self.collective, model, gradients, &mut [])?;
        Ok((sum, report))
    }

    /// What batch normalization saw of all parts of a batch, in their order, from what it saw of this
    /// process's.
    pub fn statistics(&self, own: Vec<Vec<BatchStatistics>>) -> Result<Vec<Vec<BatchStatistics>>> {
        if self.is_whole() {
            return Ok(own);
        }
        statistics_of_all(self.collective, own, self.parts.start, self.of)
    }
}
