//! A little Markdown into HTML: headings, bullets, paragraphs, code, links. Enough for an example.

/// The page with its head.
pub fn around(body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>quickstart</title>\n\
         <link rel=\"stylesheet\" href=\"/style.css\">\n{body}\n</html>\n"
    )
}

/// Each block of lines between blank lines becomes a heading, a list or a paragraph.
pub fn from_markdown(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let blocks = text
        .split("\n\n")
        .map(str::trim)
        .filter(|block| !block.is_empty());
    blocks.map(block).collect::<Vec<_>>().join("\n")
}

fn block(text: &str) -> String {
    let level = text.chars().take_while(|letter| *letter == '#').count();
    if (1..=6).contains(&level) {
        return format!("<h{level}>{}</h{level}>", inline(text[level..].trim()));
    }
    if text.lines().all(|line| line.starts_with("- ")) {
        let items = text
            .lines()
            .map(|line| format!("<li>{}</li>", inline(&line[2..])));
        return format!("<ul>{}</ul>", items.collect::<String>());
    }
    format!("<p>{}</p>", inline(text))
}

/// Code between backticks, and links; everything else is text.
fn inline(text: &str) -> String {
    let mut html = String::new();
    for (at, part) in text.split('`').enumerate() {
        if at % 2 == 1 {
            html.push_str(&format!("<code>{}</code>", escape(part)));
        } else {
            html.push_str(&links(&escape(part)));
        }
    }
    html
}

fn links(text: &str) -> String {
    let Some((before, rest)) = text.split_once('[') else {
        return text.to_owned();
    };
    match rest
        .split_once("](")
        .map(|(label, rest)| (label, rest.split_once(')')))
    {
        Some((label, Some((address, rest)))) => {
            format!("{before}<a href=\"{address}\">{label}</a>{}", links(rest))
        }
        _ => format!("{before}[{}", links(rest)),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
