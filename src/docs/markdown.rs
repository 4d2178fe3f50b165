//! Markdown into a tree of blocks: what a page says, without a thought about how it is drawn.
//!
//! Raw HTML is dropped whole: in our pages it is only the comments that mark generated parts.

use pulldown_cmark::{Alignment, Event, HeadingLevel, Options, Parser, Tag};

/// How a stretch of text is set apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the four are independent: a link may be bold code")]
pub(super) struct Style {
    pub(super) bold: bool,
    pub(super) italic: bool,
    pub(super) code: bool,
    pub(super) link: bool,
}

/// Text of one style. A line feed in it is a forced line break.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) text: String,
    pub(super) style: Style,
}

/// One cell of a table.
pub(super) type Cell = Vec<Span>;

/// A part of a page that begins on a line of its own.
#[derive(Debug)]
pub(super) enum Block {
    /// A title; 1 is the page's own.
    Heading(usize, Vec<Span>),
    Paragraph(Vec<Span>),
    /// Code, verbatim, without the last line end.
    Code(String),
    /// `first` is the number of the first item, `None` for bullets; `loose` asks for blank lines between items.
    List {
        first: Option<u64>,
        loose: bool,
        items: Vec<Vec<Block>>,
    },
    Quote(Vec<Block>),
    Table {
        alignments: Vec<Alignment>,
        head: Vec<Cell>,
        rows: Vec<Vec<Cell>>,
    },
    Rule,
}

/// The blocks of a page.
pub(super) fn blocks(markdown: &str) -> Vec<Block> {
    children(&mut Parser::new_ext(markdown, Options::ENABLE_TABLES))
}

/// Everything up to the end of the surrounding block.
fn children(events: &mut Parser<'_>) -> Vec<Block> {
    let mut blocks = Vec::new();
    // A tight list item holds its text directly, without a paragraph around it.
    let mut bare = Vec::new();
    while let Some(event) = events.next() {
        match event {
            Event::End(_) => break,
            Event::Rule => {
                close(&mut bare, &mut blocks);
                blocks.push(Block::Rule);
            }
            Event::Start(tag) if !is_inline(&tag) => {
                close(&mut bare, &mut blocks);
                blocks.extend(block(tag, events));
            }
            inline => span(inline, events, Style::default(), &mut bare),
        }
    }
    close(&mut bare, &mut blocks);
    blocks
}

fn close(bare: &mut Vec<Span>, blocks: &mut Vec<Block>) {
    if !bare.is_empty() {
        blocks.push(Block::Paragraph(std::mem::take(bare)));
    }
}

fn is_inline(tag: &Tag<'_>) -> bool {
    matches!(tag, Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Link { .. } | Tag::Image { .. })
}

/// The block that `tag` began, read to its end.
fn block<'a>(tag: Tag<'a>, events: &mut Parser<'a>) -> Option<Block> {
    Some(match tag {
        Tag::Heading { level, .. } => Block::Heading(depth(level), spans(events)),
        Tag::CodeBlock(_) => Block::Code(code(events)),
        Tag::BlockQuote(_) => Block::Quote(children(events)),
        Tag::List(first) => list(first, events),
        Tag::Table(alignments) => table(alignments, events),
        Tag::HtmlBlock | Tag::MetadataBlock(_) => {
            drop(children(events));
            return None;
        }
        _ => Block::Paragraph(spans(events)),
    })
}

fn depth(level: HeadingLevel) -> usize {
    level as usize
}

fn code(events: &mut Parser<'_>) -> String {
    let mut text = String::new();
    for event in events.by_ref() {
        match event {
            Event::Text(part) => text.push_str(&part),
            Event::End(_) => break,
            _ => {}
        }
    }
    text.truncate(text.trim_end_matches('\n').len());
    text
}

fn list(first: Option<u64>, events: &mut Parser<'_>) -> Block {
    let mut items = Vec::new();
    let mut loose = false;
    while let Some(Event::Start(Tag::Item)) = events.next() {
        let item = children(events);
        // Only a loose list gives an item two paragraphs or a block after a blank line; text alone is tight.
        loose |= item.iter().filter(|block| !matches!(block, Block::List { .. })).count() > 1;
        items.push(item);
    }
    Block::List { first, loose, items }
}

fn table(alignments: Vec<Alignment>, events: &mut Parser<'_>) -> Block {
    let mut head = Vec::new();
    let mut rows = Vec::new();
    while let Some(Event::Start(tag)) = events.next() {
        let cells = cells(events);
        if matches!(tag, Tag::TableHead) {
            head = cells;
        } else {
            rows.push(cells);
        }
    }
    Block::Table { alignments, head, rows }
}

fn cells(events: &mut Parser<'_>) -> Vec<Cell> {
    let mut cells = Vec::new();
    while let Some(Event::Start(_)) = events.next() {
        cells.push(spans(events));
    }
    cells
}

/// The text up to the end of the surrounding block.
fn spans(events: &mut Parser<'_>) -> Vec<Span> {
    let mut out = Vec::new();
    while let Some(event) = events.next() {
        if matches!(event, Event::End(_)) {
            break;
        }
        span(event, events, Style::default(), &mut out);
    }
    out
}

fn span<'a>(event: Event<'a>, events: &mut Parser<'a>, style: Style, out: &mut Vec<Span>) {
    let mut push = |text: &str, style| {
        out.push(Span { text: text.to_owned(), style });
    };
    match event {
        Event::Text(text) => push(&text, style),
        Event::Code(text) => push(&text, Style { code: true, ..style }),
        Event::SoftBreak => push(" ", style),
        Event::HardBreak => push("\n", style),
        Event::Start(tag) => set_apart(&tag, events, style, out),
        _ => {}
    }
}

/// Emphasis or a link, to its end. The address of a link out of the reference follows its text.
fn set_apart<'a>(tag: &Tag<'a>, events: &mut Parser<'a>, style: Style, out: &mut Vec<Span>) {
    let inner = match tag {
        Tag::Emphasis => Style { italic: true, ..style },
        Tag::Strong => Style { bold: true, ..style },
        Tag::Link { .. } => Style { link: true, ..style },
        _ => style,
    };
    let begin = out.len();
    while let Some(event) = events.next() {
        if matches!(event, Event::End(_)) {
            break;
        }
        span(event, events, inner, out);
    }
    if let Tag::Link { dest_url, .. } = tag {
        let shown: String = out[begin..].iter().map(|span| span.text.as_str()).collect();
        if dest_url.contains("://") && shown != dest_url.as_ref() {
            out.push(Span { text: format!(" ({dest_url})"), style });
        }
    }
}
