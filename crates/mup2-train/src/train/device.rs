//! Opening the device that a training computes on.

use crate::config::TrainingDevice;
use crate::error::{Error, Result};
use burn::tensor::Device;

/// The device of that name, without gradients; for GPUs the first one that their interface prefers.
///
/// # Errors
/// When the program was built without the device's feature, or finds no such device on this machine.
pub fn open_device(device: TrainingDevice) -> Result<Device> {
    match device {
        TrainingDevice::Flex => Ok(Device::flex()),
        #[cfg(feature = "wgpu")]
        TrainingDevice::Wgpu => wgpu::open(device),
        #[cfg(feature = "vulkan")]
        TrainingDevice::Vulkan => wgpu::open(device),
        #[cfg(feature = "cuda")]
        TrainingDevice::Cuda => cuda(),
        // Reached by what this build is without; a build with all features is without nothing.
        #[allow(unreachable_patterns)]
        _ => Err(Error::invalid(
            format!("device `{device}`"),
            "is not in this build of mup2",
            format!(
                "`flex`, or a build by `cargo install --path crates/mup2-cli --features {device}`"
            ),
        )),
    }
}

/// What a device calls itself, such as the model of a card; none for the processor. Opens the device.
///
/// # Errors
/// As [`open_device`]'s.
pub fn device_model(device: TrainingDevice) -> Result<Option<String>> {
    Ok(name(&open_device(device)?))
}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
fn name(device: &Device) -> Option<String> {
    device.identity().map(|identity| identity.name)
}

#[cfg(not(any(feature = "wgpu", feature = "cuda")))]
fn name(_processor: &Device) -> Option<String> {
    None
}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
fn absent(device: TrainingDevice, problem: String) -> Error {
    Error::invalid(
        format!("device `{device}`"),
        problem,
        "a machine with a GPU and its driver, or `flex`",
    )
}

#[cfg(feature = "wgpu")]
mod wgpu {
    //! GPUs through wgpu, which are opened once a process.

    use super::absent;
    use crate::config::TrainingDevice;
    use crate::error::Result;
    use burn::tensor::wgpu::{WgpuBackend, WgpuInitError};
    use burn::tensor::{Device, DeviceKind};
    use std::sync::OnceLock;

    /// An opened device, or why there is none.
    type Opened = std::result::Result<Device, String>;

    pub fn open(device: TrainingDevice) -> Result<Device> {
        static ANY: OnceLock<Opened> = OnceLock::new();
        #[cfg(feature = "vulkan")]
        static VULKAN: OnceLock<Opened> = OnceLock::new();
        let opened = match device {
            #[cfg(feature = "vulkan")]
            TrainingDevice::Vulkan => VULKAN.get_or_init(|| {
                first(
                    WgpuBackend::Vulkan,
                    Device::vulkan(DeviceKind::DefaultDevice),
                )
            }),
            _ => ANY
                .get_or_init(|| first(WgpuBackend::Auto, Device::wgpu(DeviceKind::DefaultDevice))),
        };
        opened.clone().map_err(|problem| absent(device, problem))
    }

    /// Initialized here and not by the first tensor, which would panic where there is no device.
    fn first(interface: WgpuBackend, device: Device) -> Opened {
        let options = Device::wgpu_options().graphics_api(interface);
        match options.init() {
            Ok(device) => Ok(device),
            // The program that uses this library has it open.
            Err(WgpuInitError::Registration { .. }) => Ok(device),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[cfg(feature = "cuda")]
fn cuda() -> Result<Device> {
    use burn::tensor::{DeviceIndex, DeviceType};
    let found = Device::enumerate(DeviceType::Cuda);
    if found.is_empty() {
        let problem = "no NVIDIA GPU with a CUDA driver was found".to_owned();
        return Err(absent(TrainingDevice::Cuda, problem));
    }
    Ok(Device::cuda(DeviceIndex::Default))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_in_every_build() {
        assert_eq!(open_device(TrainingDevice::Flex).unwrap(), Device::flex());
        assert_eq!(device_model(TrainingDevice::Flex).unwrap(), None);
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_device_that_is_not_built_in_is_refused_with_the_command_that_builds_it() {
        let error = open_device(TrainingDevice::Cuda).unwrap_err().to_string();
        assert!(
            error.starts_with("device `cuda`: is not in this build"),
            "{error}"
        );
        assert!(
            error.ends_with("`cargo install --path crates/mup2-cli --features cuda`"),
            "{error}"
        );
    }
}
