//! Numbers and lists as words: points, octaves, factors, widths.

use crate::report::{Bound, Report};
use mup2_scaling::number::{count, plain, signed, trimmed, two_decimals};

/// A difference of accuracies in percentage points: `0.17 ± 0.10`.
pub(super) fn points(difference: f64, stderr: Option<f64>) -> String {
    let number = two_decimals(difference * 100.0);
    match stderr {
        Some(stderr) => format!("{number} ± {}", two_decimals(stderr * 100.0)),
        None => number,
    }
}

/// The same with its sign: `+0.57 ± 0.40`.
pub(super) fn signed_points(difference: f64, stderr: Option<f64>) -> String {
    let sign = if difference * 100.0 >= 0.005 { "+" } else { "" };
    format!("{sign}{}", points(difference, stderr))
}

/// A loss with its verb: `loses 0.17 ± 0.10 points`; a loss below 0 is a gain, as noise makes some.
pub(super) fn loses(difference: f64, stderr: Option<f64>) -> String {
    if difference * 100.0 <= -0.005 {
        format!("gains {} points", points(-difference, stderr))
    } else {
        format!("loses {} points", points(difference, stderr))
    }
}

/// What the points (η, ρ) of a sweep form, as its edge is spoken of.
pub(super) fn field(report: &Report) -> &'static str {
    if report.sampling.is_grid() {
        "grid"
    } else {
        "search"
    }
}

/// How to look beyond an edge: `on_grid` on a grid; a search cannot be extended to one side.
pub(super) fn beyond_edge(report: &Report, on_grid: &str) -> String {
    if report.sampling.is_grid() {
        on_grid.to_owned()
    } else {
        "Search a wider range (`search.lr`, `search.rho`; its points are new runs).".to_owned()
    }
}

/// A threshold in percentage points, without trailing zeros: `0.5`.
pub(super) fn plain_points(difference: f64) -> String {
    trimmed(difference * 100.0)
}

/// An accuracy in per cent: `75.07 ± 0.58 %`.
pub(super) fn percent(accuracy: f64, stderr: Option<f64>) -> String {
    format!("{} %", points(accuracy, stderr))
}

/// A drift: `+1.71 octaves`, `at least +1.37 octaves`, `−1 octave`.
pub(super) fn octaves(drift: f64, bound: Bound) -> String {
    let bound = match bound {
        Bound::Exact => "",
        Bound::AtLeast => "at least ",
        Bound::AtMost => "at most ",
    };
    let number = trimmed(drift);
    let unit = if matches!(number.as_str(), "1" | "−1") {
        "octave"
    } else {
        "octaves"
    };
    format!("{bound}{} {unit}", signed(drift, &number))
}

/// A factor below 1 as a fraction: `1/64`, `1/5.7`; above 1 as it is: `4`.
pub(super) fn factor(factor: f64) -> String {
    let short = |value: f64| {
        if value < 100.0 {
            trimmed((value * 10.0).round() / 10.0)
        } else {
            plain(value.round())
        }
    };
    if factor < 1.0 {
        format!("1/{}", short(1.0 / factor))
    } else {
        short(factor)
    }
}

/// `1 seed`, `3 seeds`.
pub(super) fn seeds(number: usize) -> String {
    count(number, "seed")
}

/// Items as in running text: `a`, `a and b`, `a, b and c`.
pub(super) fn list<T: ToString>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(T::to_string).collect();
    match items.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// Clauses as one sentence: `A; b; c.`; empty for none.
pub(super) fn sentence(clauses: &[String]) -> String {
    let text = clauses.join("; ");
    let mut characters = text.chars();
    characters.next().map_or(String::new(), |first| {
        // η and ρ are names and stay as they are.
        let capital = first.to_ascii_uppercase();
        std::iter::once(capital)
            .chain(characters)
            .chain(['.'])
            .collect()
    })
}

/// The first items as in running text, the others as their number: `a, b and 3 more`.
pub(super) fn shortened<T: ToString>(items: &[T], most: usize) -> String {
    if items.len() <= most {
        return list(items);
    }
    let mut shown: Vec<String> = items.iter().take(most).map(T::to_string).collect();
    shown.push(format!("{} more", items.len() - most));
    list(&shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_a_person_would_write_them() {
        assert_eq!(points(0.0017, Some(0.001)), "0.17 ± 0.10");
        assert_eq!(signed_points(0.0057, None), "+0.57");
        assert_eq!(signed_points(-0.0057, None), "−0.57");
        assert_eq!(signed_points(0.00001, None), "0.00");
        assert_eq!(loses(0.0017, None), "loses 0.17 points");
        assert_eq!(loses(-0.0017, None), "gains 0.17 points");
        assert_eq!(octaves(1.71, Bound::Exact), "+1.71 octaves");
        assert_eq!(octaves(-1.0, Bound::AtMost), "at most −1 octave");
        assert_eq!(factor(1.0 / 256.0), "1/256");
        assert_eq!(factor(1.0 / 32_f64.sqrt()), "1/5.7");
        assert_eq!(factor(4.0), "4");
    }

    #[test]
    fn lists_read_as_running_text() {
        assert_eq!(list::<usize>(&[]), "");
        assert_eq!(list(&[24]), "24");
        assert_eq!(list(&[24, 48, 96]), "24, 48 and 96");
        assert_eq!(sentence(&[]), "");
        assert_eq!(sentence(&["it holds".into(), "so".into()]), "It holds; so.");
        assert_eq!(sentence(&["η breaks".into()]), "η breaks.");
        assert_eq!(shortened(&["a", "b", "c", "d"], 2), "a, b and 2 more");
    }
}
