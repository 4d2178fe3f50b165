//! Frames around the lines of a config that are wrong: `file:line:column`, the line, a marker, and what to do.

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use devloop_config::{Diagnostic, Severity};

/// All diagnostics of one file, ready to be shown; ends with a line feed unless there are none.
pub fn render(diagnostics: &[Diagnostic], path: &str, text: &str, colors: bool) -> String {
    let renderer = if colors { Renderer::styled() } else { Renderer::plain() };
    let mut shown = String::new();
    for diagnostic in diagnostics {
        shown.push_str(&renderer.render(&[group(diagnostic, path, text)]));
        shown.push_str("\n\n");
    }
    shown
}

fn group<'a>(diagnostic: &'a Diagnostic, path: &'a str, text: &'a str) -> annotate_snippets::Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(diagnostic.message.as_str());
    let group = if diagnostic.labels.is_empty() {
        title.element(Origin::path(path))
    } else {
        let annotations = diagnostic.labels.iter().enumerate().map(|(index, label)| {
            let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
            let annotation = kind.span(label.span.clone());
            if label.text.is_empty() { annotation } else { annotation.label(label.text.as_str()) }
        });
        title.element(Snippet::source(text).path(path).annotations(annotations))
    };
    match &diagnostic.hint {
        Some(hint) => group.element(Level::HELP.message(hint.as_str())),
        None => group,
    }
}
