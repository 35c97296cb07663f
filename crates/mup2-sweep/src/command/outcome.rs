//! The result that a command gives: one JSON object.

use crate::config::{Json, Metric};
use crate::results::RunStatus;
use std::collections::BTreeMap;

/// What a command's result says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Given {
    pub status: RunStatus,
    /// Its finite numbers.
    pub metrics: BTreeMap<String, f64>,
    /// Its lists of numbers, in `curves`, up to the first that is not finite.
    pub curves: BTreeMap<String, Vec<f64>>,
    /// Its `steps`.
    pub steps: usize,
}

/// Reads a result.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn read(text: &str, metric: &Metric) -> Result<Given, String> {
    let value: Json = serde_json::from_str(&with_null(text))
        .map_err(|error| format!("its result is no JSON object ({error})"))?;
    let Json::Object(entries) = value else {
        return Err("its result is no JSON object".to_owned());
    };
    let mut given = Given {
        status: RunStatus::Completed,
        metrics: BTreeMap::new(),
        curves: BTreeMap::new(),
        steps: 0,
    };
    let mut not_finite = Vec::new();
    for (name, value) in entries {
        match (name.as_str(), value) {
            ("status", Json::Text(status)) => match status.as_str() {
                "completed" => {}
                "diverged" => given.status = RunStatus::Diverged,
                _ => {
                    return Err(format!(
                        "its result has the status `{status}`, which is neither `completed` nor \
                         `diverged`"
                    ));
                }
            },
            ("curves", Json::Object(curves)) => {
                for (name, curve) in curves {
                    if let Json::List(values) = curve {
                        let values = values.iter().map_while(Json::as_f64).collect();
                        given.curves.insert(name, values);
                    }
                }
            }
            (_, Json::Null) => not_finite.push(name),
            (_, value) => {
                if name == "steps"
                    && let Some(steps) = value.as_u64()
                {
                    given.steps = usize::try_from(steps).unwrap_or(usize::MAX);
                }
                if let Some(number) = value.as_f64() {
                    given.metrics.insert(name, number);
                }
            }
        }
    }
    if given.status == RunStatus::Diverged {
        return Ok(given);
    }
    for name in [Some(&metric.name), metric.test.as_ref()]
        .into_iter()
        .flatten()
    {
        if not_finite.contains(name) {
            given.status = RunStatus::Diverged;
        } else if !given.metrics.contains_key(name) {
            return Err(format!("its result has no number `{name}`"));
        }
    }
    Ok(given)
}

/// The text with `null` for the numbers that are not finite, as Python and JavaScript write them into
/// what is then no JSON.
fn with_null(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    let (mut in_string, mut is_escaped) = (false, false);
    while let Some(character) = rest.chars().next() {
        if !in_string {
            let found = ["NaN", "-Infinity", "Infinity"];
            if let Some(after) = found.iter().find_map(|name| rest.strip_prefix(name)) {
                mended += "null";
                rest = after;
                continue;
            }
        }
        match character {
            '"' if !is_escaped => in_string = !in_string,
            _ => {}
        }
        is_escaped = in_string && character == '\\' && !is_escaped;
        mended.push(character);
        rest = &rest[character.len_utf8()..];
    }
    mended
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric() -> Metric {
        Metric {
            name: "acc".to_owned(),
            test: Some("test".to_owned()),
            minimize: false,
        }
    }

    fn given(text: &str) -> Result<Given, String> {
        read(text, &metric())
    }

    #[test]
    fn numbers_are_kept_and_the_metric_has_to_be_one() {
        let result =
            given(r#"{"acc": 0.9, "test": 1, "name": "x", "steps": 7, "ok": true}"#).unwrap();
        assert_eq!(result.status, RunStatus::Completed);
        let names: Vec<&str> = result.metrics.keys().map(String::as_str).collect();
        assert_eq!((names, result.steps), (vec!["acc", "steps", "test"], 7));
        for (text, problem) in [
            (r#"{"acc": 0.9}"#, "its result has no number `test`"),
            (
                r#"{"acc": "0.9", "test": 1}"#,
                "its result has no number `acc`",
            ),
            ("0.9", "its result is no JSON object"),
            (
                r#"{"acc": 0.9, "test": 1, "status": "fine"}"#,
                "its result has the status `fine`, which is neither `completed` nor `diverged`",
            ),
        ] {
            assert_eq!(given(text).unwrap_err(), problem);
        }
        assert!(
            given("epoch 3: done")
                .unwrap_err()
                .contains("no JSON object (")
        );
    }

    #[test]
    fn what_is_not_finite_has_diverged() {
        for text in [
            r#"{"acc": NaN, "test": 0.5}"#,
            r#"{"acc": 0.5, "test": -Infinity}"#,
            r#"{"acc": null, "test": 0.5}"#,
            r#"{"status": "diverged"}"#,
        ] {
            assert_eq!(given(text).unwrap().status, RunStatus::Diverged, "{text}");
        }
        let fine = given(r#"{"acc": 0.5, "test": 0.5, "loss": Infinity, "note": "NaN \" NaN"}"#);
        assert_eq!(fine.unwrap().status, RunStatus::Completed);
    }

    #[test]
    fn curves_end_where_they_stop_being_finite() {
        let text = r#"{"acc": 1, "test": 1, "curves": {"loss": [3, 2.5, NaN, 1], "x": 3}}"#;
        let curves = given(text).unwrap().curves;
        assert_eq!(
            curves,
            BTreeMap::from([("loss".to_owned(), vec![3.0, 2.5])])
        );
    }
}
