//! The text of a `devloop.toml`, read into a [`Plan`] or into diagnostics with places.
//!
//! Everything that is wrong is found in one pass, each problem with its span and a hint.
//! Absent on purpose: files, clocks, the environment (the caller asks with [`Loaded::unset_variables`]), drawing
//! (a [`Diagnostic`] is plain data), and serde, which would lose the places.

pub mod diagnostic;
mod graph;
pub mod json_schema;
pub mod keys;
pub mod place;
mod reader;
pub mod reference;
mod resolve;
mod span;
mod suggest;
mod words;

mod lower;

pub use diagnostic::{Diagnostic, Label, Severity};
pub use place::Place;
pub use suggest::nearest;

use devloop_core::plan::Plan;
use diagnostic::Bag;
use span::Span;
use std::path::Path;

/// The longest config that is read, in bytes.
pub const CONFIG_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What became of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The plan; there if and only if no diagnostic is an error.
    pub plan: Option<Plan>,
    /// Errors and warnings in the order of their places: at most [`diagnostic::SHOWN_MAX`], and one that counts the
    /// rest.
    pub diagnostics: Vec<Diagnostic>,
    /// Where variables of devloop's own environment are used.
    pub variables: Vec<VariableUse>,
}

/// A place that uses a variable of devloop's own environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariableUse {
    /// The key, as a path: `process.server.command`.
    pub key: String,
    /// The variable.
    pub name: String,
    /// Where in the text.
    pub span: Span,
}

impl Loaded {
    /// Warnings for variables that the environment lacks: the item that uses one cannot be started.
    pub fn unset_variables(&self, is_set: impl Fn(&str) -> bool) -> Vec<Diagnostic> {
        let unset = self.variables.iter().filter(|used| !is_set(&used.name));
        unset.take(diagnostic::SHOWN_MAX).map(words::unset_variable).collect()
    }
}

/// Reads a config.
pub fn load(text: &str, place: &Place) -> Loaded {
    load_at(text, place, None)
}

/// Reads a config as if it named this root, an absolute folder: that of a session cannot change while it lasts.
pub fn load_below(text: &str, place: &Place, root: &Path) -> Loaded {
    load_at(text, place, Some(root))
}

fn load_at(text: &str, place: &Place, root: Option<&Path>) -> Loaded {
    if text.len() > CONFIG_BYTES_MAX {
        return Loaded { plan: None, diagnostics: vec![words::too_long(text.len())], variables: Vec::new() };
    }
    let (table, errors) = toml::de::DeTable::parse_recoverable(text);
    let bag = Bag::new(text);
    for error in &errors {
        bag.add_syntax(words::syntax(text, error));
    }
    let (plan, variables) = lower::lower(table.get_ref(), (place, root), &bag);
    // After a key that is there twice the parser goes on undisturbed; after any other error it guesses.
    let breaks = errors.iter().filter(|error| error.message() != "duplicate key");
    let sure_until = breaks.map(|error| span::line_start(text, error.span().map_or(0, |span| span.start))).min();
    let diagnostics = bag.empty((!errors.is_empty()).then(|| sure_until.unwrap_or(text.len())));
    let is_sound = diagnostics.iter().all(|diagnostic| diagnostic.severity == Severity::Warning);
    Loaded { plan: plan.filter(|_| is_sound), diagnostics, variables }
}
