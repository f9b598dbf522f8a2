//! Pages that open anywhere and need nothing from elsewhere: the frame, its style, and the tables and charts in it.
//!
//! What belongs here: what every page of the program shares. What does not: what a page says (`attack::page`,
//! `report::page`), and how a chart looks (`chart`). No scripts, no fonts, nothing to fetch: a page is one file that can be
//! kept, sent and opened without a network. Text is escaped by the library that writes it.

use maud::{DOCTYPE, Markup, PreEscaped, html};

/// Colours of light and of dark ground, and what is the same on every page.
const STYLE: &str = "
:root{color-scheme:light dark;--ink:#1f2328;--faint:#59636e;--ground:#fff;--raised:#f6f8fa;--line:#e4e7eb;
--gain:#1a7f37;--loss:#cf222e;--mark:#2680d9}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--faint:#9198a1;--ground:#0d1117;--raised:#151b23;--line:#2a313a;
--gain:#3fb950;--loss:#f85149;--mark:#58a6ff}}
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground);max-width:76rem;margin:2rem auto;
padding:0 1rem;overflow-wrap:break-word}
h1{line-height:1.2}h2{margin-top:3rem}h3{margin:1.5rem 0 .5rem}
table{border-collapse:collapse;font-size:.9rem}
th,td{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.faint{color:var(--faint)}.gain{color:var(--gain)}.loss{color:var(--loss)}
svg{max-width:100%;height:auto}div.wide{overflow-x:auto}
";

/// A whole page: its title, what it adds to the style, and what stands in it.
pub fn page(title: &str, style: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) (PreEscaped(style)) }
            }
            body { (body) }
        }
    };
    page.into_string()
}

/// A table that scrolls by itself where it is wider than the page; the given columns are numbers.
pub fn table(header: &[&str], rows: &[Vec<Markup>], numbers: &[usize]) -> Markup {
    let class = |column: usize| numbers.contains(&column).then_some("number");
    html! {
        div.wide {
            table {
                @if !header.is_empty() {
                    thead { tr {
                        @for (column, name) in header.iter().enumerate() {
                            th class=[class(column)] { (name) }
                        }
                    } }
                }
                tbody {
                    @for row in rows {
                        tr {
                            @for (column, cell) in row.iter().enumerate() {
                                td class=[class(column)] { (cell) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A cell or paragraph of plain text.
pub fn text(text: impl AsRef<str>) -> Markup {
    html! { (text.as_ref()) }
}

/// A drawing that was made elsewhere in this program.
pub fn drawing(svg: &str) -> Markup {
    html! { (PreEscaped(svg)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_nothing_comes_from_elsewhere() {
        let rows = [vec![text("a<b>&\"c\""), text("1")]];
        let page = page("A & B", "p{margin:0}", &table(&["what", "how many"], &rows, &[1]));
        assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\">"), "{page}");
        assert!(page.contains("<title>A &amp; B</title>"), "{page}");
        assert!(page.contains("<td>a&lt;b&gt;&amp;&quot;c&quot;</td>"), "{page}");
        assert!(page.contains("<td class=\"number\">1</td>"), "{page}");
        assert!(page.contains("p{margin:0}</style>"), "a style is no text");
        for outside in ["src=", "href=", "url(", "@import", "<script"] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn a_table_without_names_has_no_head() {
        assert!(!table(&[], &[vec![text("x")]], &[]).into_string().contains("thead"));
    }
}
