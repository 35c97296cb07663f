//! Names of tensors: which are accepted, in which order people read them, and patterns for them.

use std::cmp::Ordering;

/// Longer than any path in a model, and short enough for a message.
const LONGEST_NAME: usize = 1000;

/// Refuses what no program should print or put into a source file.
///
/// # Errors
/// A clause for a message whose subject is the file.
pub fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("has a tensor with an empty name".to_owned());
    }
    if name.len() > LONGEST_NAME {
        let start: String = name.chars().take(40).collect();
        return Err(format!(
            "has a tensor with a name of {} bytes (`{start}…`); {LONGEST_NAME} are allowed",
            name.len()
        ));
    }
    if name.chars().any(char::is_control) {
        return Err(format!(
            "has a tensor with a control character in its name, `{name}`"
        ));
    }
    Ok(())
}

/// Alphabetical, but with numbers by their value: `layers.2` stands before `layers.10`.
pub(super) fn reading_order(one: &str, other: &str) -> Ordering {
    let key = |name: &str| -> Vec<(u8, String, usize)> {
        let mut parts: Vec<(u8, String, usize)> = Vec::new();
        for character in name.chars() {
            let kind = u8::from(!character.is_ascii_digit());
            match parts.last_mut() {
                Some((last, text, _)) if *last == kind => text.push(character),
                _ => parts.push((kind, character.to_string(), 0)),
            }
        }
        for (kind, text, digits) in &mut parts {
            if *kind == 0 {
                // By length and then by digits is by value, however large the number.
                let value = text.trim_start_matches('0').to_owned();
                *digits = value.len();
                *text = value;
            }
        }
        parts
    };
    let by_parts = key(one)
        .into_iter()
        .map(|(kind, text, digits)| (kind, digits, text))
        .cmp(
            key(other)
                .into_iter()
                .map(|(kind, text, digits)| (kind, digits, text)),
        );
    by_parts.then_with(|| one.cmp(other))
}

/// A name, or a name with `*` in place of any part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// The pattern that `text` is.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it has no `*`, and so means one tensor only.
    pub fn is_exact(&self) -> bool {
        !self.0.contains('*')
    }

    /// Whether it means `name`.
    pub fn matches(&self, name: &str) -> bool {
        let Some((prefix, rest)) = self.0.split_once('*') else {
            return self.0 == name;
        };
        let (middle, suffix) = rest.rsplit_once('*').unwrap_or(("", rest));
        let Some(mut inner) = name
            .strip_prefix(prefix)
            .and_then(|name| name.strip_suffix(suffix))
        else {
            return false;
        };
        // The first place at which a part occurs leaves the most for the parts behind it.
        for part in middle.split('*') {
            match inner.find(part) {
                Some(at) => inner = &inner[at + part.len()..],
                None => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_part_and_nothing_else_does() {
        for (pattern, name, expected) in [
            ("a.weight", "a.weight", true),
            ("a.weight", "a_weight", false),
            ("*.weight", "a.b.weight", true),
            ("*.weight", "weight", false),
            ("a*", "a", true),
            ("*", "anything", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("h.*.attn.*.bias", "h.1.attn.c.bias", true),
            ("h.*.attn.*.bias", "h.1.mlp.c.bias", false),
            ("*x*y*z", "1x2x3y4z", true),
            ("*x*y*z", "1y2x3z", false),
            ("a?c", "abc", false),
            ("**", "é", true),
        ] {
            assert_eq!(
                Pattern::new(pattern).matches(name),
                expected,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn numbers_in_names_are_ordered_by_value() {
        let mut names = vec!["h.10.b", "h.2.b", "h.02.b", "h.b", "h.2.a", "a", "h.1.b"];
        names.sort_by(|one, other| reading_order(one, other));
        assert_eq!(
            names,
            ["a", "h.1.b", "h.2.a", "h.02.b", "h.2.b", "h.10.b", "h.b"]
        );
    }
}
