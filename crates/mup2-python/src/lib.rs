//! `mup2._native`: the numbers of µP² for Python.
//!
//! Every function takes one JSON text and returns one: the package's Python gives and takes plain
//! dictionaries, and no class crosses the border. Nothing is computed here; roles, multipliers and
//! judgements are those of `mup2-scaling`, tables and pages those of `mup2-report`.

use mup2_scaling::error::Error;
use pyo3::create_exception;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

mod judgement;
mod roles;
mod runs;
mod scheme;

create_exception!(
    _native,
    InvalidInput,
    PyValueError,
    "What was given is not allowed; the sentence names the place, the problem and what is allowed."
);

/// Reads a request, answers it without the interpreter's lock, and writes the answer.
fn answer<Q: DeserializeOwned + Send, A: Serialize + Send>(
    py: Python<'_>,
    request: &str,
    compute: impl FnOnce(Q) -> Result<A, Error> + Send,
) -> PyResult<String> {
    let request: Q = serde_json::from_str(request)
        .map_err(|error| InvalidInput::new_err(format!("request: {error}")))?;
    let answer = py
        .detach(|| compute(request))
        .map_err(|error| InvalidInput::new_err(error.to_string()))?;
    serde_json::to_string(&answer).map_err(|error| InvalidInput::new_err(error.to_string()))
}

/// Roles, multipliers and the theory's verdict for the parameters of one model at two widths.
#[pyfunction]
fn scale(py: Python<'_>, request: &str) -> PyResult<String> {
    answer(py, request, roles::scale)
}

/// The judgement of the measured points of a coordinate check, as a value, a table and a page.
#[pyfunction]
fn check(py: Python<'_>, request: &str) -> PyResult<String> {
    answer(py, request, judgement::check)
}

/// The report of runs that any program made; written where the request says so.
#[pyfunction]
fn report(py: Python<'_>, request: &str) -> PyResult<String> {
    answer(py, request, runs::report)
}

/// A TOML text as JSON.
#[pyfunction]
fn parse_toml(text: &str) -> PyResult<String> {
    let value: toml::Value = toml::from_str(text)
        .map_err(|error| InvalidInput::new_err(error.to_string().trim().to_owned()))?;
    serde_json::to_string(&value).map_err(|error| InvalidInput::new_err(error.to_string()))
}

/// Version of the package.
#[pyfunction]
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("InvalidInput", module.py().get_type::<InvalidInput>())?;
    module.add_function(wrap_pyfunction!(scale, module)?)?;
    module.add_function(wrap_pyfunction!(check, module)?)?;
    module.add_function(wrap_pyfunction!(report, module)?)?;
    module.add_function(wrap_pyfunction!(parse_toml, module)?)?;
    module.add_function(wrap_pyfunction!(version, module)?)?;
    Ok(())
}
