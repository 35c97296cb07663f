//! A diagnosis as text for the terminal: headings, sentences, numbers, advice.

use super::finding::{Diagnosis, Evidence, Finding, SchemeDiagnosis, Signature, Standing};

/// Columns of the text.
const COLUMNS: usize = 96;
const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

/// Returns the diagnosis as plain UTF-8 text in lines of at most 96 columns (words and commands
/// that are longer are not broken); with `colour`, ANSI colours are used.
pub fn text(diagnosis: &Diagnosis, colour: bool) -> String {
    let mut page = Page {
        text: String::new(),
        colour,
    };
    let heading = format!("Diagnosis of {}: {}", diagnosis.title, diagnosis.dataset);
    page.paragraph(0, &[(BOLD, &heading)]);
    for scheme in &diagnosis.schemes {
        page.blank();
        page.scheme(scheme);
    }
    if !diagnosis.sweep.is_empty() {
        page.blank();
        page.paragraph(0, &[(BOLD, "The sweep as a whole")]);
        for finding in &diagnosis.sweep {
            page.finding(finding, "");
        }
    }
    page.blank();
    for rule in &diagnosis.rules {
        page.paragraph(0, &[(DIM, rule)]);
    }
    page.text
}

struct Page {
    text: String,
    colour: bool,
}

impl Page {
    fn blank(&mut self) {
        self.text.push('\n');
    }

    fn scheme(&mut self, scheme: &SchemeDiagnosis) {
        let (code, state) = state(scheme);
        self.paragraph(0, &[(BOLD, &format!("{}:", scheme.scheme)), (code, state)]);
        if !scheme.in_order.is_empty() {
            self.paragraph(2, &[(GREEN, "In order."), ("", &scheme.in_order)]);
        }
        for finding in &scheme.findings {
            self.finding(finding, standing(finding.standing));
        }
        if !scheme.remedy.is_empty() {
            self.paragraph(2, &[(GREEN, "Remedy."), ("", &scheme.remedy)]);
        }
    }

    fn finding(&mut self, finding: &Finding, standing: &str) {
        let code = match finding.standing {
            Standing::Seen => RED,
            Standing::Predicted | Standing::CannotTell => YELLOW,
        };
        let heading = format!("{}{standing}.", finding.signature.words());
        self.paragraph(2, &[(code, &heading), ("", &finding.sentence)]);
        let width = finding.evidence.iter().map(|one| columns(&one.name)).max();
        for evidence in &finding.evidence {
            self.evidence(evidence, width.unwrap_or_default());
        }
        self.paragraph(4, &[(BOLD, "To do:"), ("", &finding.advice)]);
    }

    fn evidence(&mut self, evidence: &Evidence, width: usize) {
        let padding = " ".repeat(width.saturating_sub(columns(&evidence.name)));
        let line = format!(
            "{}{padding}  {}",
            clean(&evidence.name),
            clean(&evidence.text)
        );
        let line = self.paint(DIM, &line);
        self.text.push_str(&format!("      {line}\n"));
    }

    /// Pieces of one paragraph, each with its colour, broken into lines between words.
    fn paragraph(&mut self, indent: usize, pieces: &[(&str, &str)]) {
        let mut column = indent;
        let mut line = " ".repeat(indent);
        let mut is_first = true;
        for (code, piece) in pieces {
            for word in words(&clean(piece)) {
                let room = columns(&word) + usize::from(!is_first);
                if !is_first && column + room > COLUMNS {
                    self.text.push_str(&line);
                    self.text.push('\n');
                    // Following lines stand in by two, so that paragraphs show where they begin.
                    column = indent + 2;
                    line = " ".repeat(column);
                } else if !is_first {
                    line.push(' ');
                    column += 1;
                }
                column += columns(&word);
                line.push_str(&self.paint(code, &word));
                is_first = false;
            }
        }
        self.text.push_str(&line);
        self.text.push('\n');
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour && !code.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// The state of a scheme in a word or two, and its colour.
fn state(scheme: &SchemeDiagnosis) -> (&'static str, &'static str) {
    let seen = || {
        let findings = scheme.findings.iter();
        findings.filter(|one| one.standing == Standing::Seen)
    };
    if scheme.healthy {
        (GREEN, "healthy")
    } else if seen().any(|one| one.signature != Signature::NoGainOverSgd) {
        (RED, "not healthy")
    } else if seen().next().is_some() {
        (YELLOW, "no gain over SGD")
    } else if scheme.has(Standing::Predicted) {
        (YELLOW, "at risk in wider networks")
    } else {
        (
            YELLOW,
            "nothing wrong found, but not everything could be told",
        )
    }
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Seen => "",
        Standing::Predicted => ", predicted",
        Standing::CannotTell => "? Open",
    }
}

/// Splits at spaces; a command between backticks, a number with its error
/// and a name with its value stay together.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut is_code = false;
    for word in text.split(' ') {
        let joins = is_code || matches!(word, "±" | "=");
        let after_sign = words.last().is_some_and(|last| last.ends_with(['±', '=']));
        match words.last_mut() {
            Some(last) if joins || after_sign => {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
        if word.matches('`').count() % 2 == 1 {
            is_code = !is_code;
        }
    }
    words
}

fn columns(text: &str) -> usize {
    text.chars().filter(|one| !one.is_control()).count()
}

/// A scheme's name or an error's message may hold anything; control characters would break the
/// layout.
fn clean(text: &str) -> String {
    text.chars().filter(|one| !one.is_control()).collect()
}
