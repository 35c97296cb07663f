//! The planes in a terminal: a table of the named scalings and a map of characters a layer.

use super::findings::{exponent, findings};
use super::window::Window;
use super::{REGIMES, formula, meaning, subject};
use mup2_scaling::number::trimmed;
use mup2_scaling::{LayerPlane, Perturbation, PhaseDiagram, Regime};

/// The maps' step in d and in y.
const STEP: f64 = 0.25;
/// Columns between two maps.
const BETWEEN: usize = 3;

const BOLD: &str = "1";
const DIM: &str = "2";

/// Returns the table of the named scalings, the maps, their legend and the findings as UTF-8 text,
/// at most 80 columns wide; with ANSI colours if `colour`.
pub fn text(diagram: &PhaseDiagram, colour: bool) -> String {
    let title = format!("Regimes of the perturbation: {}", subject(diagram));
    let mut text = format!("{}\n\n", paint(colour, BOLD, &title));
    text.push_str(&table(diagram, colour));
    text.push('\n');
    text.push_str(&maps(diagram, colour));
    text.push('\n');
    text.push_str(&legend(colour));
    text.push('\n');
    for sentence in findings(diagram) {
        text.push_str(&wrapped(&sentence));
    }
    text
}

fn paint(colour: bool, code: &str, text: &str) -> String {
    if colour {
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

fn code(regime: Regime) -> &'static str {
    match regime {
        Regime::Unstable => "31",
        Regime::Effective => "32",
        Regime::Propagated => "36",
        Regime::Vanishing => DIM,
    }
}

fn glyph(regime: Regime) -> char {
    match regime {
        Regime::Unstable => '×',
        Regime::Effective => '●',
        Regime::Propagated => '~',
        Regime::Vanishing => '·',
    }
}

/// The letter of a scaling in the maps.
fn letter(perturbation: Perturbation) -> char {
    match perturbation {
        Perturbation::Naive => 'n',
        Perturbation::Global => 'g',
        Perturbation::Balanced => 'b',
        Perturbation::FirstLayer => 'f',
        Perturbation::Mup2 => 'm',
    }
}

fn table(diagram: &PhaseDiagram, colour: bool) -> String {
    let heading = format!(
        "   {:<12}{:>5}  {:<7}{:>6}{:>6}{:>7}  {}",
        "scaling", "d", "layer", "d_l", "y", "p", "regime"
    );
    let mut text = paint(colour, DIM, &heading) + "\n";
    for scheme in &diagram.schemes {
        for (place, layer) in scheme.layers.iter().enumerate() {
            let name = scheme.perturbation.to_string();
            let (letter, name, d) = if place == 0 {
                (letter(scheme.perturbation), name, trimmed(scheme.d))
            } else {
                (' ', String::new(), String::new())
            };
            let regime = paint(colour, code(layer.regime), &layer.regime.to_string());
            text.push_str(&format!(
                "{letter}  {name:<12}{d:>5}  {:<7}{:>6}{:>6}{:>7}  {regime}\n",
                layer.role.to_string(),
                trimmed(layer.d_layer),
                trimmed(layer.distance),
                exponent(layer.effect),
            ));
        }
    }
    text
}

/// The grid that all maps share.
struct Grid {
    d: Vec<f64>,
    /// From the top of a map to its bottom.
    distance: Vec<f64>,
    /// Columns of one place: room for every scaling that lies there.
    cell: usize,
}

impl Grid {
    fn of(diagram: &PhaseDiagram) -> Self {
        let window = Window::of(diagram);
        let steps = |low: f64, high: f64| {
            let count = ((high - low) / STEP).round() as usize;
            (0..=count).map(move |step| low + step as f64 * STEP)
        };
        let mut grid = Self {
            d: steps(window.d.0, window.d.1).collect(),
            distance: steps(0.0, window.distance).collect(),
            cell: 2,
        };
        grid.distance.reverse();
        for plane in &diagram.layers {
            for d in &grid.d {
                for distance in &grid.distance {
                    let here = letters(diagram, plane, *d, *distance).chars().count();
                    grid.cell = grid.cell.max(here);
                }
            }
        }
        grid
    }

    /// Columns of a map without the labels of its rows.
    fn columns(&self) -> usize {
        self.d.len() * self.cell
    }
}

/// The letters of the scalings that lie nearest to a place of the grid.
fn letters(diagram: &PhaseDiagram, plane: &LayerPlane, d: f64, distance: f64) -> String {
    let is_near = |one: f64, other: f64| (one - other).abs() < STEP / 2.0;
    let mut letters = String::new();
    for scheme in &diagram.schemes {
        let layers = scheme.layers.iter();
        let mut here = layers.filter(|layer| layer.role == plane.role);
        if is_near(scheme.d, d) && here.any(|layer| is_near(layer.distance, distance)) {
            letters.push(letter(scheme.perturbation));
        }
    }
    letters
}

const ROW_LABEL: usize = 4;

fn maps(diagram: &PhaseDiagram, colour: bool) -> String {
    let grid = Grid::of(diagram);
    let between = " ".repeat(BETWEEN);
    let width = ROW_LABEL + grid.columns();
    let beside = |cells: Vec<String>| format!("{}\n", cells.join(&between).trim_end());
    let of_each = |cell: &dyn Fn(&LayerPlane) -> String| -> Vec<String> {
        diagram.layers.iter().map(cell).collect()
    };
    let role = |plane: &LayerPlane| {
        let title = plane.role.to_string();
        let gap = " ".repeat(width.saturating_sub(title.chars().count()));
        paint(colour, BOLD, &title) + &gap
    };
    let mut text = beside(of_each(&role));
    text.push_str(&beside(of_each(&|plane| {
        format!("{:<width$}", formula(plane))
    })));
    for distance in &grid.distance {
        text.push_str(&beside(of_each(&|plane| {
            row(diagram, plane, &grid, *distance, colour)
        })));
    }
    let axis = axis(&grid);
    text.push_str(&beside(of_each(&|_| format!("{axis:<width$}"))));
    text
}

/// One row of one map: its label if it is a multiple of ½, and a cell a step of d.
fn row(
    diagram: &PhaseDiagram,
    plane: &LayerPlane,
    grid: &Grid,
    distance: f64,
    colour: bool,
) -> String {
    let label = if (2.0 * distance).fract() == 0.0 {
        trimmed(distance)
    } else {
        String::new()
    };
    let mut row = format!("{label:>ROW_LABEL$}");
    for d in &grid.d {
        let letters = letters(diagram, plane, *d, distance);
        let Some(regime) = diagram.regime(plane.role, *d, distance) else {
            continue;
        };
        let (shown, style) = if letters.is_empty() {
            (glyph(regime).to_string(), code(regime).to_owned())
        } else {
            (letters, format!("{BOLD};{}", code(regime)))
        };
        let gap = " ".repeat(grid.cell.saturating_sub(shown.chars().count()));
        row.push_str(&gap);
        row.push_str(&paint(colour, &style, &shown));
    }
    row
}

/// The labels of d below a map, where d is whole.
fn axis(grid: &Grid) -> String {
    let mut axis = " ".repeat(ROW_LABEL);
    for (place, d) in grid.d.iter().enumerate() {
        if d.fract() == 0.0 {
            let end = ROW_LABEL + (place + 1) * grid.cell;
            let label = trimmed(*d);
            let start = end.saturating_sub(label.chars().count());
            let gap = start.saturating_sub(axis.chars().count());
            axis.push_str(&" ".repeat(gap));
            axis.push_str(&label);
        }
    }
    axis
}

fn legend(colour: bool) -> String {
    let mut text = "Across: d; up: y, in steps of 0.25. y ≥ 0 is how far d_l lies above the value at\n\
                    which the layer dominates the norm; some layer has y = 0. Letters: the scalings\n\
                    of the table. The other layers are perturbed as strongly as stability allows.\n"
        .to_owned();
    for regime in REGIMES {
        let glyph = paint(colour, code(regime), &glyph(regime).to_string());
        text.push_str(&format!(
            "  {glyph} {:<11}{}\n",
            regime.to_string(),
            meaning(regime)
        ));
    }
    text
}

/// A list item in lines of at most 80 columns.
fn wrapped(sentence: &str) -> String {
    let mut text = String::new();
    let mut line = "-".to_owned();
    for word in sentence.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > 80 {
            text.push_str(&line);
            text.push('\n');
            line = " ".to_owned();
        }
        line.push(' ');
        line.push_str(word);
    }
    text + &line + "\n"
}
