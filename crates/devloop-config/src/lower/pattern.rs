//! Regular expressions: compiled within bounds, and refused when no line can ever match.

use super::Lowering;
use crate::diagnostic::Diagnostic;
use crate::reader::Text;
use devloop_core::plan::output::Pattern;
use regex::RegexBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// The largest compiled pattern, in bytes.
const COMPILED_BYTES_MAX: usize = 4 * 1024 * 1024;

impl<'a> Lowering<'a> {
    /// A pattern that is searched for in one line.
    pub(super) fn pattern(&self, text: &Text<'a>) -> Option<Pattern> {
        if !self.may_compile(text) {
            return None;
        }
        let regex = match RegexBuilder::new(text.value).size_limit(COMPILED_BYTES_MAX).build() {
            Ok(regex) => regex,
            Err(error) => {
                self.bag.add(bad_pattern(text, &error));
                return None;
            }
        };
        if regex_syntax::parse(text.value).is_ok_and(|hir| !can_match_line(&hir)) {
            let message = format!("`{}`: no line can ever match this pattern", text.path);
            let dead = Diagnostic::error(text.span.clone(), message).saying("never matches");
            self.bag.add(dead.hint(
                "lines are matched one by one and without their line ends; check `^`, `$`, `\\n` and the classes",
            ));
        }
        Some(Pattern::new(regex))
    }
}

fn bad_pattern(text: &Text<'_>, error: &regex::Error) -> Diagnostic {
    let words = error.to_string();
    let (reason, hint) = if let regex::Error::CompiledTooBig(_) = error {
        let megabytes = COMPILED_BYTES_MAX / (1024 * 1024);
        (format!("it would take more than {megabytes} MiB"), "use smaller repetitions")
    } else {
        // The parser draws a frame of its own around the reason; ours points at the text.
        let reason = words.lines().rev().find_map(|line| line.strip_prefix("error: ")).unwrap_or(&words);
        let hint = if reason.starts_with("look-around") || reason.starts_with("backreferences") {
            "match more of the line and take the wanted part with `capture_group`"
        } else {
            "repair it; in quotes like '…' a backslash stays a backslash, and `\\(` is a literal `(`"
        };
        (reason.to_owned(), hint)
    };
    Diagnostic::error(text.span.clone(), format!("`{}`: the pattern cannot be compiled: {reason}", text.path))
        .saying("bad pattern")
        .hint(hint)
}

/// Whether some line without line ends can match. Says yes when in doubt.
fn can_match_line(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(literal) => !literal.0.iter().any(|byte| matches!(byte, b'\n' | b'\r')),
        HirKind::Class(class) => class_has_line_character(class),
        HirKind::Repetition(repetition) => repetition.min == 0 || can_match_line(&repetition.sub),
        HirKind::Capture(capture) => can_match_line(&capture.sub),
        HirKind::Alternation(branches) => branches.iter().any(can_match_line),
        HirKind::Concat(parts) => parts.iter().all(can_match_line) && is_in_order(parts),
    }
}

fn class_has_line_character(class: &Class) -> bool {
    let is_end = |from: u32, to: u32| from == to && (from == 10 || from == 13);
    match class {
        Class::Unicode(class) => class.ranges().iter().any(|range| !is_end(range.start().into(), range.end().into())),
        Class::Bytes(class) => class.ranges().iter().any(|range| !is_end(range.start().into(), range.end().into())),
    }
}

/// Whether nothing must stand before the start of the line, or after its end.
fn is_in_order(parts: &[Hir]) -> bool {
    let (mut consumed, mut ended) = (false, false);
    parts.iter().all(|part| {
        let takes = part.properties().minimum_len().is_some_and(|least| least > 0);
        let is_too_late = consumed && look(part) == Some(Look::Start) || ended && takes;
        consumed |= takes;
        ended |= look(part) == Some(Look::End);
        !is_too_late
    })
}

/// The assertion that a part is, if it is nothing else; those of the multi-line mode count as those of the text.
fn look(part: &Hir) -> Option<Look> {
    match part.kind() {
        HirKind::Look(Look::Start | Look::StartLF | Look::StartCRLF) => Some(Look::Start),
        HirKind::Look(Look::End | Look::EndLF | Look::EndCRLF) => Some(Look::End),
        HirKind::Capture(capture) => look(&capture.sub),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_no_line_can_match_are_known() {
        let can = |pattern: &str| regex_syntax::parse(pattern).is_ok_and(|hir| can_match_line(&hir));
        for dead in ["a^b", "a$b", "[a&&b]", "x\\n", "[\\r\\n]+y", "x[^\\s\\S]", "a(^)", "(a^|b^)"] {
            assert!(!can(dead), "{dead}");
        }
        for alive in ["", "^$", "a|b^", "^port ([0-9]+)$", "\\s*x", "a\\n?", "(?m)^a$", "b*^a", "$a*"] {
            assert!(can(alive), "{alive}");
        }
    }
}
