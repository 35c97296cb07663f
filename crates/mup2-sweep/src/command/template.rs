//! An argument with placeholders: `--lr={lr}`; `{{` and `}}` are braces.

use crate::error::{Error, Result};

/// An argument, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Value(String),
}

impl Template {
    /// Takes `text` apart; `place` names its file and key.
    ///
    /// # Errors
    /// When a brace has no other half.
    pub fn parse(text: &str, place: &str) -> Result<Self> {
        let wrong = |problem: &str| {
            let allowed = "`{name}` for the value of an axis, and `{{` and `}}` for braces";
            Err(Error::invalid(place, problem, allowed))
        };
        if text.contains('\0') {
            return Err(Error::invalid(place, "holds a NUL", "text without it"));
        }
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text.chars().peekable();
        while let Some(character) = rest.next() {
            match character {
                '{' | '}' if rest.peek() == Some(&character) => {
                    rest.next();
                    plain.push(character);
                }
                '}' => return wrong("has a `}` without its `{`"),
                '{' => {
                    let mut name = String::new();
                    loop {
                        match rest.next() {
                            Some('}') => break,
                            Some('{') | None => return wrong("has a `{` without its `}`"),
                            Some(character) => name.push(character),
                        }
                    }
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                    parts.push(Part::Value(name));
                }
                character => plain.push(character),
            }
        }
        parts.push(Part::Text(plain));
        Ok(Self { parts })
    }

    /// The names of its placeholders.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Value(name) => Some(name.as_str()),
        })
    }

    /// The argument with its placeholders replaced.
    pub fn filled(&self, value: &dyn Fn(&str) -> String) -> String {
        let parts = self.parts.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Value(name) => value(name),
        });
        parts.collect()
    }
}
