//! Draws parameters from our own streams, so that they are the same on every device.

use crate::error::{Error, Result};
use crate::random;
use crate::scaling::{ScalingTable, TensorScaling};
use burn::module::Param;
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand_distr::{Distribution, Normal};

/// Makes the parameters of one model, by name.
#[derive(Debug, Clone)]
pub struct Initializer<'a> {
    table: &'a ScalingTable,
    seed: u64,
    device: Device,
    dtype: DType,
}

impl<'a> Initializer<'a> {
    /// Parameters of precision `dtype` on `device`; the device decides whether they are trained.
    pub fn new(table: &'a ScalingTable, seed: u64, device: &Device, dtype: DType) -> Self {
        Self {
            table,
            seed,
            device: device.clone(),
            dtype,
        }
    }

    /// The table's row of a parameter.
    ///
    /// # Errors
    /// When the table has no such row.
    pub fn row(&self, name: &str) -> Result<&'a TensorScaling> {
        let row = self.table.tensors.iter().find(|row| row.name == name);
        row.ok_or_else(|| {
            Error::invalid(
                format!("parameter `{name}`"),
                "is not in the scaling table",
                "a table made from the model's own shapes",
            )
        })
    }

    /// A Gaussian parameter with mean 0 and the table's `init_std`; zeros if that is 0.
    ///
    /// # Errors
    /// When the table has no such row.
    pub fn gaussian<const D: usize>(&self, name: &str) -> Result<Param<Tensor<D>>> {
        let row = self.row(name)?;
        let count: usize = row.shape.iter().product();
        let mut stream = random::stream(self.seed, &format!("init/{name}"));
        let normal = Normal::new(0.0, row.init_std).map_err(|error| {
            Error::invalid(
                format!("parameter `{name}`"),
                format!("initialization std {}: {error}", row.init_std),
                "a finite standard deviation",
            )
        })?;
        let values: Vec<f64> = (0..count).map(|_| normal.sample(&mut stream)).collect();
        let data = TensorData::new(values, row.shape.clone()).convert_dtype(self.dtype);
        let tensor = Tensor::from_data(data, (&self.device, self.dtype));
        Ok(Param::from_tensor(tensor))
    }
}
