//! The graph in the language of Graphviz (<https://graphviz.org/doc/info/lang.html>).

use super::{Graph, Node, caption, title};
use std::fmt::Write as _;

/// The graph as a `digraph`; ends with a line end.
pub fn dot(graph: &Graph) -> String {
    let mut out = String::from("digraph devloop {\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n");
    // Writing into a string cannot fail.
    for node in graph.nodes() {
        let (kind, name) = title(node);
        let _ = writeln!(out, "  {} [label={}, shape={}];", id(node), quoted(&format!("{kind}\n{name}")), shape(node));
    }
    for edge in &graph.edges {
        let label = quoted(&caption(&edge.bond));
        let _ = writeln!(out, "  {} -> {} [label={label}];", id(&edge.from), id(&edge.to));
    }
    for conflict in &graph.conflicts {
        let [one, other] = [&conflict.between.0, &conflict.between.1].map(|name| id(&Node::Workflow(name.clone())));
        let label = quoted(&conflict.over.join("\n"));
        let _ = writeln!(out, "  {one} -> {other} [dir=none, style=dashed, constraint=false, label={label}];");
    }
    out.push_str("}\n");
    out
}

fn id(node: &Node) -> String {
    let (kind, name) = title(node);
    quoted(&format!("{kind} {name}"))
}

fn shape(node: &Node) -> &'static str {
    match node {
        Node::Startup | Node::Watch(_) | Node::Event(_) | Node::Observer(_) => "ellipse",
        Node::Workflow(_) => "box",
        Node::Hook(_) => "note",
        Node::Process(_) => "component",
    }
}

/// A quoted string: only the quote must be escaped, and a backslash would escape what follows it.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}
