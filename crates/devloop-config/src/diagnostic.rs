//! What is wrong with a config, as plain data; whoever shows it draws the frames.

use crate::span::{self, Span};
use std::cell::{Cell, RefCell};

/// How many diagnostics of one text are told apart; the rest is counted.
pub const SHOWN_MAX: usize = 50;

/// How many are kept while a text is read: enough to choose the first of each kind by place.
const KEPT_MAX: usize = 200;

/// Whether the text can be used all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can.
    Warning,
}

/// A marked place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Bytes of the config's text, on character boundaries.
    pub span: Span,
    /// What is said about the place; may be empty.
    pub text: String,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A lowercase fragment without a full stop.
    pub message: String,
    /// The marked places, the main one first; never empty.
    pub labels: Vec<Label>,
    /// An imperative sentence: what to do.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub(crate) fn error(span: Span, message: impl Into<String>) -> Self {
        let labels = vec![Label { span, text: String::new() }];
        Self { severity: Severity::Error, message: message.into(), labels, hint: None }
    }

    /// A warning at a place.
    pub(crate) fn warning(span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(span, message) }
    }

    /// Says something about the main place.
    pub(crate) fn saying(mut self, text: impl Into<String>) -> Self {
        if let Some(label) = self.labels.first_mut() {
            label.text = text.into();
        }
        self
    }

    /// Marks one more place.
    pub(crate) fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Says what to do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn start(&self) -> usize {
        self.labels.first().map_or(0, |label| label.span.start)
    }
}

/// How far a problem can be trusted when the syntax is broken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// The parser found it.
    Syntax,
    /// It holds whatever the rest of the text says.
    Local,
    /// Something is missing, which a syntax error elsewhere may have caused.
    Whole,
}

/// Collects diagnostics. Shared by all who read one text, hence the cells.
pub(crate) struct Bag<'t> {
    text: &'t str,
    kept: RefCell<Vec<(Scope, Diagnostic)>>,
    errors: Cell<usize>,
    warnings: Cell<usize>,
}

impl<'t> Bag<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, kept: RefCell::new(Vec::new()), errors: Cell::new(0), warnings: Cell::new(0) }
    }

    /// The text that is read.
    pub(crate) fn text(&self) -> &'t str {
        self.text
    }

    /// Takes an error of the parser.
    pub(crate) fn add_syntax(&self, diagnostic: Diagnostic) {
        self.keep(Scope::Syntax, diagnostic);
    }

    /// Takes a problem that holds whatever the rest of the text says.
    pub(crate) fn add(&self, diagnostic: Diagnostic) {
        self.keep(Scope::Local, diagnostic);
    }

    /// Takes a problem that a syntax error elsewhere may have caused: something is missing.
    pub(crate) fn add_missing(&self, diagnostic: Diagnostic) {
        self.keep(Scope::Whole, diagnostic);
    }

    /// Whether more errors are only counted, so that nothing costly need be done to word them.
    pub(crate) fn is_full(&self) -> bool {
        self.errors.get() >= KEPT_MAX
    }

    /// Counts an error that nobody will read.
    pub(crate) fn count_error(&self) {
        self.errors.set(self.errors.get() + 1);
    }

    fn keep(&self, scope: Scope, mut diagnostic: Diagnostic) {
        let count = match diagnostic.severity {
            Severity::Error => &self.errors,
            Severity::Warning => &self.warnings,
        };
        count.set(count.get() + 1);
        if count.get() <= KEPT_MAX {
            for label in &mut diagnostic.labels {
                label.span = span::clamped(self.text, &label.span);
            }
            self.kept.borrow_mut().push((scope, diagnostic));
        }
    }

    /// All that was found, in the order of places. When the syntax is broken, only its errors are sure, and what
    /// begins before `sure_until`.
    pub(crate) fn empty(self, sure_until: Option<usize>) -> Vec<Diagnostic> {
        let dropped = self.errors.get() + self.warnings.get() - self.kept.borrow().len();
        let has_errors = self.errors.get() > 0;
        let sure = self.kept.into_inner().into_iter().filter(|(scope, diagnostic)| match (scope, sure_until) {
            (Scope::Syntax, _) | (_, None) => true,
            (Scope::Local, Some(until)) => diagnostic.start() < until,
            (Scope::Whole, Some(_)) => false,
        });
        let mut found: Vec<Diagnostic> = sure.map(|(_, diagnostic)| diagnostic).collect();
        // Errors decide whether there is a plan: they are the last to go.
        found.sort_by_key(|diagnostic| (diagnostic.severity, diagnostic.start()));
        // The parser may say the same of one place twice.
        found.dedup();
        let more = found.len().saturating_sub(SHOWN_MAX) + dropped;
        found.truncate(SHOWN_MAX);
        found.sort_by_key(Diagnostic::start);
        if more > 0 {
            let end = self.text.len()..self.text.len();
            let rest = Diagnostic::error(end, format!("and {more} more problems")).hint("repair these first");
            found.push(Diagnostic { severity: if has_errors { Severity::Error } else { Severity::Warning }, ..rest });
        }
        found
    }
}
