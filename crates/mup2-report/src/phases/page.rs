//! The planes as one self-contained HTML page: the figure, the table and how to read them.

use super::findings::{exponent, findings, listed};
use super::planes::svg;
use super::subject;
use crate::figure::page::{Heading, page, table};
use crate::figure::svg::escape;
use mup2_scaling::number::trimmed;
use mup2_scaling::{LayerPlane, PhaseDiagram};

/// Returns the whole page; it needs no network and no script.
pub fn html(diagram: &PhaseDiagram) -> String {
    let title = format!("Regimes of the perturbation: {}", subject(diagram));
    let mut body = format!(
        "<h1>{}</h1>\n<p class=\"subtitle\">theory alone, no training · coupled denominator · \
         c∇ = {} · named scalings as in <code>mup2 scale</code></p>\n",
        escape(&title),
        trimmed(diagram.c_nabla)
    );
    body.push_str("<section class=\"findings\">\n<h2>What the planes show</h2>\n<ul>\n");
    for sentence in findings(diagram) {
        body.push_str(&format!("<li>{}</li>\n", with_subscripts(&sentence)));
    }
    body.push_str("</ul>\n</section>\n");
    body.push_str(&format!(
        "<h2>The planes</h2>\n<figure>\n{}<figcaption>The diamond is mup2. Thick lines and dots are \
         regimes of their own: effective is always a line or a point. Point at a marker for its \
         numbers.</figcaption>\n</figure>\n",
        svg(diagram)
    ));
    body.push_str(&schemes(diagram));
    body.push_str(&reading_guide(diagram));
    let footer = format!(
        "Made by mup2 {}. Theory: Haas et al. 2024, µP² (arXiv 2411.00075).",
        env!("CARGO_PKG_VERSION")
    );
    page(&title, &body, &footer)
}

/// One row a scaling, so that the layers stand side by side.
fn schemes(diagram: &PhaseDiagram) -> String {
    let mut headings = vec![("scaling".to_owned(), true), ("d".to_owned(), false)];
    for plane in &diagram.layers {
        headings.push((format!("{}<br>d<sub>l</sub>", plane.role), false));
        headings.extend(["y", "p"].map(|name| (name.to_owned(), false)));
        headings.push(("regime".to_owned(), true));
    }
    let headings: Vec<Heading> = headings
        .iter()
        .map(|(heading, is_text)| (heading.as_str(), *is_text))
        .collect();
    let mut rows = Vec::new();
    for scheme in &diagram.schemes {
        let mut row = vec![scheme.perturbation.to_string(), trimmed(scheme.d)];
        for layer in &scheme.layers {
            row.extend([
                trimmed(layer.d_layer),
                trimmed(layer.distance),
                exponent(layer.effect),
                layer.regime.to_string(),
            ]);
        }
        rows.push(row);
    }
    format!(
        "<h2>The named scalings</h2>\n{}<p class=\"note\">d<sub>l</sub> is normalised: the smallest y \
         is 0. Regimes with each scaling's own exponents in the other layers.</p>\n",
        table(&headings, &rows)
    )
}

/// Text as HTML, with the layer's index lowered.
fn with_subscripts(text: &str) -> String {
    escape(text).replace("d_l", "d<sub>l</sub>")
}

fn reading_guide(diagram: &PhaseDiagram) -> String {
    let of_each = |value: fn(&LayerPlane) -> f64| {
        let layers = diagram.layers.iter();
        let named = layers.map(|plane| format!("{} ({})", trimmed(value(plane)), plane.role));
        listed(&named.collect::<Vec<_>>())
    };
    format!(
        "<h2>How to read this</h2>\n\
         <p>Sharpness-aware minimization moves the weights by a perturbation before it takes the \
         gradient. At width n, layer l's perturbation is ρ n<sup>−d−d<sub>l</sub></sup> T²∇<sub>l</sub>, divided by the \
         norm of all n<sup>−d<sub>l</sub></sup> T∇<sub>l</sub> together (T = 1 for plain SAM). What counts is the \
         change of the layer's output that this causes: it grows like n<sup>p</sup>. At p &gt; 0 \
         wide networks blow up; at p &lt; 0 the layer's own perturbation is lost; only at p = 0 does \
         a radius ρ that was tuned on a narrow network mean the same for a wide one.</p>\n\
         <p>Adding one constant to all d<sub>l</sub> changes nothing, so only the distances y count: y is \
         d<sub>l</sub> less the exponent of ‖T∇<sub>l</sub>‖, which here is {}, shifted so that the smallest y is 0. \
         The layer with y = 0 dominates the norm. Raising d weakens all layers, raising y one \
         layer alone: p = q − d − y with q = {}, as each panel's title says.</p>\n\
         <p>Because some layer must have y = 0, a plane can be unstable also where its own layer's \
         p is below 0: then whichever other layer dominates the norm is perturbed too strongly. A \
         layer with p &lt; 0 is <em>propagated</em> if an earlier layer is effective: its output \
         changes, but its own weights are not effectively perturbed.</p>\n\
         <p>With the decoupled denominator, mup2's default, the norm is Θ(1) by its own \
         exponents, and no layer has to dominate it. Then p = q − d − y is all that decides: below \
         the line p = 0 unstable, on it effective, above it not; y may be negative. The \
         numerators of mup2 are the same in both forms.</p>\n\
         <p>The planes are those of an MLP with one input, one hidden and one output weight, and \
         speak of the perturbation alone. With more hidden layers, an effective hidden layer \
         reaches the later ones: they are propagated, not vanishing, up to the d at which their \
         line p = 0 ends.</p>\n",
        of_each(|plane| plane.norm_exponent),
        of_each(|plane| plane.dominant_effect),
    )
}
