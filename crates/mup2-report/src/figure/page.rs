//! One self-contained HTML page: no script, no network, light and dark; and the tables on it.

use super::svg::escape;

const STYLE: &str = include_str!("style.css");

/// The whole page around `body`, which is HTML; `title` and `footer` are plain text.
pub(crate) fn page(title: &str, body: &str, footer: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\
         <footer>{footer}</footer>\n</main>\n</body>\n</html>\n",
        title = escape(title),
        footer = escape(footer),
    )
}

/// A heading and whether its column holds text.
pub(crate) type Heading<'text> = (&'text str, bool);

/// A table; every cell is HTML already. A line is drawn where the first column changes.
pub(crate) fn table(headings: &[Heading], rows: &[Vec<String>]) -> String {
    let class = |is_text: bool| if is_text { " class=\"text\"" } else { "" };
    let mut html = "<div class=\"scroll\"><table>\n<thead><tr>".to_owned();
    for (heading, is_text) in headings {
        html.push_str(&format!("<th{}>{heading}</th>", class(*is_text)));
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    let mut previous: Option<&String> = None;
    for row in rows {
        let is_new = previous.is_some_and(|name| Some(name) != row.first());
        let row_class = if is_new { " class=\"first\"" } else { "" };
        html.push_str(&format!("<tr{row_class}>"));
        for (cell, (_, is_text)) in row.iter().zip(headings) {
            html.push_str(&format!("<td{}>{cell}</td>", class(*is_text)));
        }
        html.push_str("</tr>\n");
        previous = row.first();
    }
    html.push_str("</tbody>\n</table></div>\n");
    html
}

/// A short warning inside a table.
pub(crate) fn flag(text: &str) -> String {
    format!("<span class=\"flag\">{}</span>", escape(text))
}

/// Names and values as a table of two columns; nothing for none.
pub(crate) fn settings(rows: &[(String, String)]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let rows = rows.iter().map(|(name, value)| {
        format!(
            "<tr><td class=\"text\">{}</td><td class=\"wrap\">{}</td></tr>\n",
            escape(name),
            escape(value)
        )
    });
    format!(
        "<div class=\"scroll\"><table>\n{}</table></div>\n",
        rows.collect::<String>()
    )
}
