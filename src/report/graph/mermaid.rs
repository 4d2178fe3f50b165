//! The graph as a Mermaid flowchart (<https://mermaid.js.org/syntax/flowchart.html>), for Markdown that draws it.

use super::{Graph, Node, caption, title};
use std::fmt::Write as _;

/// The graph as a `flowchart`; ends with a line end.
pub fn mermaid(graph: &Graph) -> String {
    let mut out = String::from("flowchart LR\n");
    let nodes: Vec<&Node> = graph.nodes().into_iter().collect();
    // Names of the config could be words of the language, so nodes are numbered.
    let id = |node: &Node| format!("n{}", nodes.iter().position(|it| *it == node).unwrap_or(nodes.len()));
    // Writing into a string cannot fail.
    for node in &nodes {
        let (kind, name) = title(node);
        let label = quoted(&format!("{kind}\n{name}"));
        let (open, close) = brackets(node);
        let _ = writeln!(out, "  {}{open}{label}{close}", id(node));
    }
    for edge in &graph.edges {
        let label = caption(&edge.bond);
        let label = if label.is_empty() { label } else { format!("|{}|", quoted(&label)) };
        let _ = writeln!(out, "  {} -->{label} {}", id(&edge.from), id(&edge.to));
    }
    for conflict in &graph.conflicts {
        let [one, other] = [&conflict.between.0, &conflict.between.1].map(|name| id(&Node::Workflow(name.clone())));
        let _ = writeln!(out, "  {one} -.-|{}| {other}", quoted(&conflict.over.join("\n")));
    }
    out
}

fn brackets(node: &Node) -> (&'static str, &'static str) {
    match node {
        Node::Startup | Node::Watch(_) | Node::Event(_) | Node::Observer(_) => ("([", "])"),
        Node::Workflow(_) => ("[", "]"),
        Node::Hook(_) => ("[/", "/]"),
        Node::Process(_) => ("[[", "]]"),
    }
}

/// A quoted label: entities stand for what the language or HTML would read.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("#quot;"),
            '#' => out.push_str("#35;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '&' => out.push_str("#amp;"),
            '`' => out.push_str("#96;"),
            '\n' => out.push_str("<br>"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
