//! Instability: what trains at the narrowest width and breaks at a wider one.

use super::edges::{Direction, Edge, Move, against, compare};
use super::finding::{Evidence, Examination, Finding, Signature, Standing};
use super::remedy;
use super::subject::Subject;
use super::theory::{Growth, Theory, groups};
use super::words::{factor, octaves, percent, sentence};
use crate::report::{Cell, Status, Transfer};
use mup2_scaling::number::power;

/// Looks for training that breaks as the network widens.
pub(super) fn examine(subject: &Subject) -> Examination {
    let predictions = subject.theory.map(predictions).unwrap_or_default();
    if !subject.has_several_widths() && predictions.is_empty() {
        return Examination::Impossible;
    }
    let mut signs = Signs::default();
    if subject.has_several_widths() {
        transferred_signs(subject, &mut signs);
        edge_signs(subject, &mut signs, !predictions.is_empty());
        learning_rate_sign(
            subject,
            &mut signs,
            predictions.iter().any(|one| one.is_update),
        );
    }
    if signs.seen.is_empty() && predictions.is_empty() {
        return in_order(subject);
    }
    let theory = match (subject.theory, predictions.as_slice()) {
        (None, _) => String::new(),
        (Some(_), []) => " The theory does not predict this.".to_owned(),
        (Some(theory), _) => {
            let said: Vec<String> = predictions.iter().map(|one| one.sentence.clone()).collect();
            format!(" By the theory, {} {}.", theory.span(), said.join(", and "))
        }
    };
    let (standing, words) = if signs.seen.is_empty() {
        let data = if subject.has_several_widths() {
            " In this sweep it has not broken anything yet."
        } else {
            ""
        };
        (
            Standing::Predicted,
            format!("{}{data}", theory.trim_start()),
        )
    } else {
        (Standing::Seen, format!("{}{theory}", sentence(&signs.seen)))
    };
    let smaller = if predictions.iter().all(|one| one.is_update) && !predictions.is_empty() {
        "η"
    } else {
        "ρ"
    };
    let mut evidence: Vec<Evidence> = predictions
        .into_iter()
        .filter_map(|one| one.evidence)
        .collect();
    evidence.extend(signs.evidence);
    Examination::Finding(Finding {
        signature: Signature::Instability,
        standing,
        sentence: words,
        evidence,
        advice: format!(
            "Find the layer that grows: {}; {}, or a smaller {} the wider the network.",
            subject.check_command(),
            remedy::clause(subject),
            smaller
        ),
    })
}

fn in_order(subject: &Subject) -> Examination {
    let known = subject.transfers().any(|row| {
        matches!(
            row.status_transferred,
            Some(Status::Ok | Status::Unstable | Status::Diverged)
        )
    });
    if !known {
        return Examination::Impossible;
    }
    if !subject.report.sampling.is_grid() {
        // Without slices there is no edge to speak of.
        return Examination::InOrder(format!(
            "what is best at width {} still trains at width {}",
            subject.narrowest, subject.widest
        ));
    }
    let edge = compare(
        (subject, subject.narrowest),
        (subject, subject.widest),
        Edge::Instability,
    );
    let moved = match edge.and_then(|edge| edge.octaves) {
        Some((drift, bound)) => format!("its edge in ρ moves by {}", octaves(drift, bound)),
        None => "no ρ of the grid breaks it".to_owned(),
    };
    Examination::InOrder(format!(
        "training stays stable up to width {} ({moved})",
        subject.widest
    ))
}

/// Something that grows with the width by the theory.
struct Prediction {
    sentence: String,
    /// Whether it is an update, which η makes, and not a perturbation, which ρ makes.
    is_update: bool,
    evidence: Option<Evidence>,
}

fn predictions(theory: &Theory) -> Vec<Prediction> {
    let grown = |group: &Growth, what: &str, is_update| Prediction {
        is_update,
        sentence: format!(
            "the effect of the {what} of {} grows {} times",
            group.names(),
            factor(group.factor(theory))
        ),
        evidence: Some(group.evidence(theory, what)),
    };
    let perturbations = groups(theory, |tensor| {
        tensor.effect_exponent.filter(|exponent| *exponent > 0.0)
    });
    let updates = groups(theory, |tensor| {
        Some(tensor.update_exponent).filter(|exponent| *exponent > 0.0)
    });
    let mut all: Vec<Prediction> = Vec::new();
    all.extend(
        perturbations
            .iter()
            .map(|group| grown(group, "perturbation", false)),
    );
    all.extend(updates.iter().map(|group| grown(group, "updates", true)));
    if all.is_empty() && !theory.table.verdict.stable {
        all.push(Prediction {
            sentence: "the signal grows on its way through the network at initialization"
                .to_owned(),
            is_update: true,
            evidence: None,
        });
    }
    all
}

/// What the sweep shows, and all numbers looked at.
#[derive(Default)]
struct Signs {
    seen: Vec<String>,
    evidence: Vec<Evidence>,
}

/// The narrowest width's optimum, carried over to wider networks.
fn transferred_signs(subject: &Subject, signs: &mut Signs) {
    let Some((lr, rho)) = subject.transferred() else {
        return;
    };
    let Some(narrow) = subject.cell(subject.narrowest, lr, rho) else {
        return;
    };
    let broken: Vec<(&Transfer, String)> = subject
        .transfers()
        .filter_map(|row| {
            let cell = subject.cell(row.to, lr, rho)?;
            Some((row, breakage(subject, narrow, cell)?))
        })
        .collect();
    let Some((first, words)) = broken.first() else {
        return;
    };
    signs.seen.push(format!(
        "the best (η, ρ) of width {} (η = {}, ρ = {}) breaks training at width {}: {words}",
        subject.narrowest,
        power(lr),
        power(rho),
        first.to
    ));
    for (row, words) in &broken {
        signs.evidence.push(Evidence::text(
            format!("width {}'s optimum at width {}", row.from, row.to),
            words.clone(),
        ));
    }
}

/// How a cell broke that trains at the narrowest width, if it surely did.
fn breakage(subject: &Subject, narrow: &Cell, cell: &Cell) -> Option<String> {
    match cell.status {
        Status::Diverged => Some("every run diverges".to_owned()),
        Status::Unstable if cell.diverged > 0 => {
            Some(format!("{} of {} runs diverge", cell.diverged, cell.seeds))
        }
        Status::Unstable => {
            let accuracy = cell.accuracy?;
            let fall = narrow.accuracy? - accuracy;
            let margin = subject.noise.cell_margin(cell, narrow.stderr);
            (fall > margin).then(|| format!("accuracy falls to {}", percent(accuracy, cell.stderr)))
        }
        _ => None,
    }
}

fn edge_signs(subject: &Subject, signs: &mut Signs, is_predicted: bool) {
    let (narrowest, widest) = (subject.narrowest, subject.widest);
    let own = compare((subject, narrowest), (subject, widest), Edge::Instability);
    if let Some((drift, bound)) = own.and_then(|own| own.octaves) {
        signs.evidence.push(Evidence::number(
            format!("instability edge of ρ, width {narrowest} → {widest}"),
            drift,
            octaves(drift, bound),
        ));
    }
    if let Some(rho) = own.and_then(|own| left_at(&own)) {
        signs.seen.push(format!(
            "the radius that training stands shrinks: ρ = {} is stable at width {narrowest} and unstable \
             at width {widest}",
            power(rho)
        ));
    }
    let Some(reference) = subject.reference().filter(|_| is_predicted) else {
        return;
    };
    let other = against(&reference, subject, Edge::Instability);
    if let Some((drift, bound)) = other.and_then(|other| other.octaves) {
        signs.evidence.push(Evidence::number(
            format!(
                "instability edge of ρ at width {widest}, against {}",
                reference.scheme
            ),
            drift,
            octaves(drift, bound),
        ));
    }
    if let Some(rho) = other.and_then(|other| left_at(&other)) {
        signs.seen.push(format!(
            "at width {widest} it is unstable at ρ = {}, where {} is stable",
            power(rho),
            reference.scheme
        ));
    }
}

fn left_at(shift: &Move) -> Option<f64> {
    shift.shown_at.filter(|_| shift.is(Direction::Left))
}

/// A learning rate that trains at the narrowest width and with no ρ at the widest.
fn learning_rate_sign(subject: &Subject, signs: &mut Signs, shows_updates: bool) {
    if subject.report.halving.is_some() {
        // The largest η of those that were not pruned is not the largest that trains.
        return;
    }
    let trains = |width| {
        let stable = subject
            .cells(width)
            .filter(|cell| cell.status == Status::Ok);
        stable.map(|cell| cell.lr).max_by(f64::total_cmp)
    };
    let (narrow, wide) = (trains(subject.narrowest), trains(subject.widest));
    for (width, lr) in [(subject.narrowest, narrow), (subject.widest, wide)] {
        if let Some(lr) = lr.filter(|_| shows_updates || narrow != wide) {
            signs.evidence.push(Evidence::number(
                format!("largest η that trains at width {width}"),
                lr,
                power(lr),
            ));
        }
    }
    let Some(lr) = narrow.filter(|lr| wide.is_none_or(|wide| wide < *lr)) else {
        return;
    };
    let surely = |width| {
        subject
            .cells(width)
            .filter(move |cell| cell.lr == lr)
            .filter(|cell| cell.seeds > 0)
    };
    let threshold = subject.report.unstable_below;
    let is_inside = |cell: &Cell| {
        let margin = subject.noise.cell_margin(cell, None);
        cell.diverged == 0
            && cell
                .accuracy
                .is_some_and(|accuracy| accuracy >= threshold + margin)
    };
    let is_outside = |cell: &Cell| {
        let margin = subject.noise.cell_margin(cell, None);
        cell.diverged > 0
            || cell
                .accuracy
                .is_none_or(|accuracy| accuracy <= threshold - margin)
    };
    let lost = surely(subject.narrowest).any(|narrow| {
        is_inside(narrow)
            && surely(subject.widest).any(|wide| wide.rho == narrow.rho && is_outside(wide))
    });
    if lost {
        let every = if subject.report.sampling.is_grid() {
            "every ρ"
        } else {
            "the ρ that were run"
        };
        signs.seen.push(format!(
            "η = {} trains at width {} and is unstable at width {} with {every}",
            power(lr),
            subject.narrowest,
            subject.widest
        ));
    }
}
