//! `$NAME` and `${NAME}` in a text of the config, resolved from devloop's own environment when the item is started.

use std::fmt;

/// A text with places for environment variables.
#[derive(Clone, PartialEq, Eq)]
pub struct Words {
    source: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable { name: String, written: String },
}

/// A `$` that means nothing outside a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StrayDollar {
    /// Byte offset of the `$` in the text.
    pub at: usize,
}

/// A variable that devloop's environment lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsetVariable {
    /// The variable's name.
    pub name: String,
}

impl Words {
    /// Reads a word of a `command`. `$DEVLOOP_…` is the child's own and stays as it is, and so does any `$` that no
    /// name follows, so that scripts for `sh -c` work; `$$` is one `$`.
    pub fn command(source: &str) -> Self {
        let (mut parts, _) = split(source);
        for part in &mut parts {
            if let Part::Variable { name, written } = part
                && name.starts_with("DEVLOOP_")
            {
                *part = Part::Text(std::mem::take(written));
            }
        }
        Self { source: source.to_owned(), parts }
    }

    /// Reads a text outside a `command`: a `$` must begin a variable or be doubled.
    pub fn strict(source: &str) -> Result<Self, StrayDollar> {
        match split(source) {
            (_, Some(at)) => Err(StrayDollar { at }),
            (parts, None) => Ok(Self { source: source.to_owned(), parts }),
        }
    }

    /// The text as the user wrote it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The variables that are looked up in devloop's own environment.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable { name, .. } => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// Puts values in place of variables. A variable that `ambient` lacks but `kept` accepts stays as it was written
    /// (the item's own `env` sets it, so the child has it); any other is the error.
    pub fn resolve(
        &self,
        ambient: impl Fn(&str) -> Option<String>,
        kept: impl Fn(&str) -> bool,
    ) -> Result<String, UnsetVariable> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(piece) => text.push_str(piece),
                Part::Variable { name, written } => match ambient(name) {
                    Some(value) => text.push_str(&value),
                    None if kept(name) => text.push_str(written),
                    None => return Err(UnsetVariable { name: name.clone() }),
                },
            }
        }
        Ok(text)
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.source)
    }
}

/// Splits a text at its variables; the second part is the place of the first `$` that begins none.
fn split(source: &str) -> (Vec<Part>, Option<usize>) {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut stray = None;
    let mut at = 0;
    while let Some(dollar) = source[at..].find('$').map(|found| at + found) {
        text.push_str(&source[at..dollar]);
        let after = &source[dollar + 1..];
        let (name, length) = match after.strip_prefix('{') {
            Some(inner) => (name_of(inner).filter(|name| inner[name.len()..].starts_with('}')), 3),
            None => (name_of(after), 1),
        };
        if after.starts_with('$') {
            text.push('$');
            at = dollar + 2;
        } else if let Some(name) = name {
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            at = dollar + length + name.len();
            parts.push(Part::Variable { name: name.to_owned(), written: source[dollar..at].to_owned() });
        } else {
            stray = stray.or(Some(dollar));
            text.push('$');
            at = dollar + 1;
        }
    }
    text.push_str(&source[at..]);
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    (parts, stray)
}

/// The variable name that a text begins with: `[A-Za-z_][A-Za-z0-9_]*`.
fn name_of(text: &str) -> Option<&str> {
    let end = text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    (end > 0 && !text.as_bytes()[0].is_ascii_digit()).then(|| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(words: &Words) -> Result<String, UnsetVariable> {
        words.resolve(|name| (name == "HOME").then(|| "/h".to_owned()), |name| name == "OWN")
    }

    #[test]
    fn a_command_resolves_what_devloop_has_and_keeps_what_is_the_childs() {
        let words =
            Words::command("$HOME ${HOME}x $$f $OWN ${OWN} $DEVLOOP_ROOT ${DEVLOOP_STATE} $1 $? $(id) ${X:-y} $");
        assert_eq!(
            resolved(&words).as_deref(),
            Ok("/h /hx $f $OWN ${OWN} $DEVLOOP_ROOT ${DEVLOOP_STATE} $1 $? $(id) ${X:-y} $")
        );
    }

    #[test]
    fn an_unset_variable_is_named() {
        assert_eq!(resolved(&Words::command("a $NOPE")), Err(UnsetVariable { name: "NOPE".to_owned() }));
    }

    #[test]
    fn outside_a_command_a_stray_dollar_has_a_place() {
        assert_eq!(Words::strict("a$1"), Err(StrayDollar { at: 1 }));
        assert_eq!(resolved(&Words::strict("a$$1 $HOME").unwrap()).as_deref(), Ok("a$1 /h"));
    }

    #[test]
    fn values_are_not_scanned_again() {
        let words = Words::command("$A");
        assert_eq!(words.resolve(|_| Some("$A".to_owned()), |_| false).as_deref(), Ok("$A"));
    }
}
