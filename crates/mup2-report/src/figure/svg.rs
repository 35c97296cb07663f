//! Pieces of SVG that all figures share: escaping, the frame, text, ticks and legends.

/// Fonts of the figures; the last one exists everywhere.
const FONTS: &str = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif";

/// Escapes text for XML and HTML, in elements and in quoted attributes. Control characters that
/// XML forbids become the replacement character.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(character),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other if other.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Where a text is anchored.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A figure under construction. Colours are explicit, so that it stands alone; classes let the HTML
/// page replace them in dark mode.
#[derive(Debug, Default)]
pub(crate) struct Canvas {
    body: String,
}

impl Canvas {
    /// Appends raw SVG.
    pub fn push(&mut self, fragment: &str) {
        self.body.push_str(fragment);
        self.body.push('\n');
    }

    /// Appends one line of text; the text is escaped here.
    pub fn text(&mut self, x: f64, y: f64, anchor: Anchor, style: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        self.push(&format!(
            r##"<text class="ink" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" fill="#1d2329" {style}>{}</text>"##,
            escape(text)
        ));
    }

    /// Appends a straight line in the colour of axes.
    pub fn axis_line(&mut self, from: (f64, f64), to: (f64, f64)) {
        self.push(&format!(
            r##"<line class="axis" x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}" stroke="#8a939c" stroke-width="1"/>"##,
            from.0, from.1, to.0, to.1
        ));
    }

    /// Closes the figure.
    pub fn finish(self, width: f64, height: f64, label: &str) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"figure\" width=\"{width:.0}\" \
             height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" \
             aria-label=\"{label}\" font-family=\"{FONTS}\" font-size=\"11\">\n\
             <rect class=\"background\" width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{}</svg>\n",
            self.body,
            label = escape(label),
        )
    }
}

/// Size and weight of the figure's title.
pub(crate) const TITLE: &str = r#"font-size="15" font-weight="600""#;
/// Size and weight of a panel's title.
pub(crate) const HEADING: &str = r#"font-size="12.5" font-weight="600""#;
/// Ordinary text.
pub(crate) const LABEL: &str = r#"font-size="11""#;

/// About how wide a text is at a font size; generous, since the reader's font is unknown.
pub(crate) fn text_width(text: &str, font_size: f64) -> f64 {
    text.chars().count() as f64 * font_size * 0.6
}

/// Cuts a text that would be wider than the room it has.
pub(crate) fn fit(text: &str, font_size: f64, room: f64) -> String {
    if text_width(text, font_size) <= room {
        return text.to_owned();
    }
    let kept = (room / (font_size * 0.6)).max(2.0) as usize - 1;
    text.chars().take(kept).chain(['…']).collect()
}

/// Round values between two ends, at most about `most` of them.
pub(crate) fn ticks(low: f64, high: f64, most: usize) -> Vec<f64> {
    let span = high - low;
    if !span.is_finite() || span <= 0.0 {
        return vec![low];
    }
    let raw = span / most.max(1) as f64;
    let magnitude = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * magnitude)
        .find(|step| *step >= raw * 0.999)
        .unwrap_or(raw);
    multiples(low, high, step)
}

/// Whole numbers between two ends, every second, fourth, … one where they would be too dense.
pub(crate) fn whole_ticks(low: f64, high: f64, most: usize) -> Vec<f64> {
    let mut step = 1.0;
    while (high - low) / step > most.max(1) as f64 {
        step *= 2.0;
    }
    multiples(low, high, step)
}

fn multiples(low: f64, high: f64, step: f64) -> Vec<f64> {
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|index| index as f64 * step).collect()
}

/// Draws symbols with their labels from left to right, in as many rows as they need between `left` and
/// `right`; returns the height below the last row.
pub(crate) fn legend_rows(
    canvas: &mut Canvas,
    items: Vec<(String, String)>,
    [left, right]: [f64; 2],
    top: f64,
) -> f64 {
    let (mut x, mut y) = (left, top);
    for (symbol, label) in items {
        let room = 28.0 + text_width(&label, 11.0) + 10.0;
        if x + room > right && x > left {
            (x, y) = (left, y + 20.0);
        }
        canvas.push(&format!(
            r#"<g transform="translate({:.1} {y:.1})">{symbol}</g>"#,
            x + 9.0
        ));
        canvas.text(x + 26.0, y + 4.0, Anchor::Start, LABEL, &label);
        x += room;
    }
    y + 24.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_a_text_is_escaped() {
        assert_eq!(
            escape("<script>\"a\" & 'b'</script>\u{1}"),
            "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/script&gt;\u{fffd}"
        );
    }

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(0.3, 0.9, 3), vec![0.4, 0.6000000000000001, 0.8]);
        assert_eq!(whole_ticks(-6.5, 3.5, 5), vec![-6.0, -4.0, -2.0, 0.0, 2.0]);
        assert_eq!(ticks(1.0, 1.0, 3), vec![1.0]);
    }

    #[test]
    fn a_long_text_is_cut_to_its_room() {
        assert_eq!(fit("short", 10.0, 60.0), "short");
        assert_eq!(fit("a very long name", 10.0, 60.0), "a very lo…");
    }
}
