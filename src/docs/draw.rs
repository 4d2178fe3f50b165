//! Blocks into lines. Every block is drawn on its own and then moved to its place, so nesting needs no memory.

use super::line::{Line, wrap};
use super::markdown::{Block, Cell, Span, Style};
use super::table;
use unicode_width::UnicodeWidthStr;

/// How far the text of a page stands in from its headings.
const BODY: &str = "  ";
/// How far code stands in from the text around it.
const CODE: &str = "    ";
/// The narrowest column that is still laid out, however deep the nesting.
const NARROWEST: usize = 8;

/// A whole page: headings at the left, everything else a little in.
pub(super) fn page(blocks: &[Block], width: usize, colors: bool) -> Vec<Line> {
    let mut lines = Vec::new();
    for block in blocks {
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        if let Block::Heading(level, title) = block {
            lines.append(&mut heading(*level, &marked(title, colors), width));
        } else {
            let body = one(block, width - BODY.len(), colors);
            lines.extend(body.iter().map(|line| line.after(BODY)));
        }
    }
    lines
}

/// Blocks below each other, with a blank line between them unless they belong to a tight list.
fn stack(blocks: &[Block], width: usize, colors: bool, tight: bool) -> Vec<Line> {
    let mut lines = Vec::new();
    for block in blocks {
        if !lines.is_empty() && !tight {
            lines.push(Line::default());
        }
        lines.append(&mut one(block, width, colors));
    }
    lines
}

fn one(block: &Block, width: usize, colors: bool) -> Vec<Line> {
    match block {
        Block::Heading(level, title) => heading(*level, &marked(title, colors), width),
        Block::Paragraph(spans) => wrap(&marked(spans, colors), width),
        Block::Code(text) => code(text),
        Block::List { first, loose, items } => {
            let mut number = *first;
            let mut lines = Vec::new();
            for item in items {
                if *loose && !lines.is_empty() {
                    lines.push(Line::default());
                }
                let marker = number.map_or_else(|| "- ".to_owned(), |at| format!("{at}. "));
                number = number.map(|at| at + 1);
                let room = width.saturating_sub(marker.len()).max(NARROWEST);
                let body = stack(item, room, colors, !*loose);
                lines.append(&mut hang(&marker, &body));
            }
            lines
        }
        Block::Quote(blocks) => {
            let body = stack(blocks, width.saturating_sub(2).max(NARROWEST), colors, false);
            body.iter().map(|line| line.after("│ ")).collect()
        }
        Block::Table { alignments, head, rows } => {
            let head: Vec<Cell> = head.iter().map(|cell| marked(cell, colors)).collect();
            let rows: Vec<Vec<Cell>> =
                rows.iter().map(|row| row.iter().map(|cell| marked(cell, colors)).collect()).collect();
            table::lines(alignments, &head, &rows, width)
        }
        Block::Rule => vec![Line::plain(&"─".repeat(width))],
    }
}

/// The first line after the marker, the others below the first.
fn hang(marker: &str, body: &[Line]) -> Vec<Line> {
    let blank = " ".repeat(marker.len());
    body.iter().enumerate().map(|(at, line)| line.after(if at == 0 { marker } else { &blank })).collect()
}

fn code(text: &str) -> Vec<Line> {
    let style = Style { code: true, ..Style::default() };
    text.lines()
        .map(|text| {
            let mut line = Line::default();
            line.push(text, style);
            line.after(CODE)
        })
        .collect()
}

/// The page's title in capitals, a section's title underlined, so that they show without colours too.
fn heading(level: usize, title: &[Span], width: usize) -> Vec<Line> {
    let strong: Vec<Span> = title
        .iter()
        .map(|span| Span {
            text: if level == 1 && !span.style.code { span.text.to_uppercase() } else { span.text.clone() },
            style: Style { bold: true, ..span.style },
        })
        .collect();
    let mut lines = wrap(&strong, width);
    if level == 2 {
        let columns = lines.iter().map(Line::width).max().unwrap_or(0);
        lines.push(Line::plain(&"─".repeat(columns)));
    }
    lines
}

/// Without colours, code in a sentence keeps its backticks: nothing else would set it apart.
fn marked(spans: &[Span], colors: bool) -> Vec<Span> {
    let mark = |span: &Span| {
        let bare = colors || !span.style.code || span.text.width() == 0;
        Span { text: if bare { span.text.clone() } else { format!("`{}`", span.text) }, style: span.style }
    };
    spans.iter().map(mark).collect()
}
