//! Tables: as wide as they need, never wider than the page while their columns can still be narrower.

use super::line::{Line, widest_word, wrap};
use super::markdown::{Cell, Span, Style};
use pulldown_cmark::Alignment;

/// Blanks between two columns.
const GAP: &str = "  ";

/// The table as lines of at most `width` columns.
pub(super) fn lines(alignments: &[Alignment], head: &[Cell], rows: &[Vec<Cell>], width: usize) -> Vec<Line> {
    let mut all = vec![head];
    all.extend(rows.iter().map(Vec::as_slice));
    let columns = widths(&all, width);
    let title: Vec<Cell> = head.iter().map(|cell| bold(cell)).collect();
    let mut lines = row(&title, &columns, alignments);
    lines.push(ruler(&columns));
    for cells in rows {
        lines.append(&mut row(cells, &columns, alignments));
    }
    lines
}

fn bold(cell: &[Span]) -> Cell {
    let strong = |span: &Span| Span { text: span.text.clone(), style: Style { bold: true, ..span.style } };
    cell.iter().map(strong).collect()
}

fn ruler(columns: &[usize]) -> Line {
    let strokes: Vec<String> = columns.iter().map(|width| "─".repeat(*width)).collect();
    Line::plain(&strokes.join(GAP))
}

/// How wide each column becomes: its longest word at least where that fits, and then a share of what is left, a
/// column at a time to the one that is furthest from what it wants.
fn widths(rows: &[&[Cell]], width: usize) -> Vec<usize> {
    let count = rows.iter().map(|row| row.len()).max().unwrap_or(0).max(1);
    let room = width.saturating_sub(GAP.len() * (count - 1)).max(count);
    let widest = |column: usize, measure: &dyn Fn(&Cell) -> usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(measure).max().unwrap_or(0).max(1)
    };
    let wanted: Vec<usize> = (0..count).map(|column| widest(column, &natural)).collect();
    let mut given: Vec<usize> =
        (0..count).map(|column| widest(column, &|cell| widest_word(cell)).min((room / count).max(1))).collect();
    for _ in given.iter().sum::<usize>()..room {
        let hungriest = (0..count)
            .filter(|column| given[*column] < wanted[*column])
            // Cross-multiplied shares: no floating point, so the same page everywhere.
            .max_by(|a, b| (wanted[*a] * given[*b]).cmp(&(wanted[*b] * given[*a])));
        let Some(column) = hungriest else { break };
        given[column] += 1;
    }
    given
}

/// The columns of a cell that is not wrapped.
fn natural(cell: &Cell) -> usize {
    wrap(cell, usize::MAX).iter().map(Line::width).max().unwrap_or(0)
}

fn row(cells: &[Cell], columns: &[usize], alignments: &[Alignment]) -> Vec<Line> {
    let wrapped: Vec<Vec<Line>> = columns
        .iter()
        .enumerate()
        .map(|(at, width)| wrap(cells.get(at).map_or(&[][..], Vec::as_slice), *width))
        .collect();
    let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
    (0..height)
        .map(|level| {
            let mut line = Line::default();
            for (at, width) in columns.iter().enumerate() {
                if at > 0 {
                    line.push(GAP, Style::default());
                }
                let empty = Line::default();
                let text = wrapped[at].get(level).unwrap_or(&empty);
                let alignment = alignments.get(at).copied().unwrap_or(Alignment::None);
                place(&mut line, text, *width, alignment);
            }
            line
        })
        .collect()
}

fn place(line: &mut Line, text: &Line, width: usize, alignment: Alignment) {
    let free = width.saturating_sub(text.width());
    let before = match alignment {
        Alignment::Right => free,
        Alignment::Center => free / 2,
        Alignment::Left | Alignment::None => 0,
    };
    line.push(&" ".repeat(before), Style::default());
    line.append(text);
    line.push(&" ".repeat(free - before), Style::default());
}
