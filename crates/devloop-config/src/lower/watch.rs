//! `[watch.NAME]`.

use super::{Lowering, warn_of_shell_words};
use crate::diagnostic::Diagnostic;
use crate::reader::{Reader, Text};
use crate::resolve::{Sort, as_key};
use crate::words::quoted;
use devloop_core::names::WorkflowName;
use devloop_core::plan::STATE_FOLDERS;
use devloop_core::plan::watch::{PathPattern, WatchPlan};
use std::path::Path;

impl<'a> Lowering<'a> {
    pub(super) fn watch(&self, name: &'a str, mut reader: Reader<'a>) -> Option<WatchPlan> {
        let patterns = match reader.texts("paths") {
            Some((item, texts)) => {
                if item.value.as_array().is_some_and(|array| array.is_empty()) {
                    let message = format!("`{}` is empty, so the group watches nothing", item.path);
                    let empty = Diagnostic::error(item.span, message).saying("empty");
                    self.bag.add(empty.hint("name what to watch, as in [\"src/\", \"**/*.css\"]"));
                }
                for text in &texts {
                    self.warn_of_own_files(text);
                }
                self.path_patterns(&texts)
            }
            None => Vec::new(),
        };
        let ignore = reader.texts("ignore").map(|(_, texts)| self.path_patterns(&texts)).unwrap_or_default();
        let workflow = self.watched_workflow(name, &mut reader);
        let leading = reader.switch("leading");
        reader.finish();
        Some(WatchPlan { patterns, ignore, workflow: WorkflowName::from(workflow?), leading })
    }

    /// The workflow of a group: the one it names, else the one that has the group's own name.
    fn watched_workflow(&self, name: &'a str, reader: &mut Reader<'a>) -> Option<&'a str> {
        if reader.place("workflow").is_some() {
            return reader.text("workflow").and_then(|workflow| self.resolve(Sort::Workflow, &workflow));
        }
        // The reader is told all the same that the key is known.
        reader.take("workflow");
        if self.names.has(Sort::Workflow, name) {
            return Some(name);
        }
        let shown = quoted(name);
        let message = format!("watch group '{shown}' names no `workflow`, and no workflow is named '{shown}' either");
        let missing = Diagnostic::error(reader.span(), message).saying("runs what?");
        self.bag.add_missing(missing.hint(format!("add `workflow = \"…\"`, or `[workflow.{}]`", as_key(&shown))));
        None
    }

    fn path_patterns(&self, texts: &[Text<'a>]) -> Vec<PathPattern> {
        texts.iter().filter_map(|text| self.path_pattern(text)).collect()
    }

    fn warn_of_own_files(&self, text: &Text<'a>) {
        let Ok(normal) = relative(&self.root, text.value) else { return };
        let folder = if normal.split('/').any(|segment| segment == OWN_FOLDER) {
            format!("a folder named '{OWN_FOLDER}'")
        } else if let Some(folder) = self.own_folder(&normal) {
            format!("'{}', where devloop keeps its own beside the state file,", quoted(&folder))
        } else {
            return;
        };
        let message = format!("`{}`: files below {folder} never count", text.path);
        let dead = Diagnostic::warning(text.span.clone(), message).saying("never changes");
        self.bag.add(dead.hint("watch another folder"));
    }

    /// The folder beside the state file in which a pattern lies.
    fn own_folder(&self, normal: &str) -> Option<String> {
        let beside = self.state_folder.borrow();
        let beside = beside.strip_prefix(&self.root).ok()?;
        let own = STATE_FOLDERS.iter().map(|name| beside.join(name));
        own.filter(|own| Path::new(normal).starts_with(own)).map(|own| own.display().to_string()).next()
    }

    fn path_pattern(&self, text: &Text<'a>) -> Option<PathPattern> {
        if !self.may_compile(text) {
            return None;
        }
        warn_of_shell_words(self.bag, text);
        let problem = match relative(&self.root, text.value) {
            Ok(normal) => match PathPattern::new(text.value, &normal) {
                Ok(pattern) => return Some(pattern),
                Err(error) => {
                    let message = format!("`{}`: bad glob: {}", text.path, error.kind());
                    let hint = "write a literal `[`, `{`, `*` or `?` with a backslash before it";
                    Diagnostic::error(text.span.clone(), message).saying("bad glob").hint(hint)
                }
            },
            Err(Outside::Empty) => Diagnostic::error(text.span.clone(), format!("`{}` has an empty path", text.path))
                .saying("empty")
                .hint("write `./` for everything below root"),
            Err(Outside::Root) => {
                let message = format!("`{}`: '{}' lies outside root", text.path, quoted(text.value));
                let hint = format!("watch what is below {}, or choose a `root` that holds it", self.root.display());
                Diagnostic::error(text.span.clone(), message).saying("outside root").hint(hint)
            }
            Err(Outside::Unclear) => {
                let message = format!("`{}`: `..` after a wildcard names no folder", text.path);
                Diagnostic::error(text.span.clone(), message)
                    .saying("`..` after a wildcard")
                    .hint("write the path without `..`")
            }
        };
        self.bag.add(problem);
        None
    }
}

/// The folder of devloop's own files.
const OWN_FOLDER: &str = ".devloop";

/// Why a pattern has no form relative to root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outside {
    Empty,
    Root,
    Unclear,
}

/// A pattern relative to root, `/`-joined, without `.` and `..`; it ends with `/` when it names a folder, and is empty
/// when it names root itself.
fn relative(root: &Path, pattern: &str) -> Result<String, Outside> {
    if pattern.is_empty() {
        return Err(Outside::Empty);
    }
    // Alternatives are left as they are, so a way out of root must not hide in one.
    if pattern.starts_with("{/") || pattern.contains("{../") || pattern.contains(",../") {
        return Err(Outside::Root);
    }
    let below_root = if pattern.starts_with('/') {
        let root = root.to_string_lossy();
        let rest = pattern.strip_prefix(root.trim_end_matches('/')).ok_or(Outside::Root)?;
        if !rest.is_empty() && !rest.starts_with('/') {
            return Err(Outside::Root);
        }
        rest
    } else {
        pattern
    };
    let mut segments: Vec<&str> = Vec::new();
    for segment in below_root.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                let gone = segments.pop().ok_or(Outside::Root)?;
                if gone.contains(['*', '?', '[', '{']) {
                    return Err(Outside::Unclear);
                }
            }
            _ => segments.push(segment),
        }
    }
    let is_folder = ["/", "/.", "/.."].iter().any(|end| below_root.ends_with(end)) || segments.is_empty();
    let slash = if is_folder && !segments.is_empty() { "/" } else { "" };
    Ok(segments.join("/") + slash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pattern: &str) -> Result<String, Outside> {
        relative(Path::new("/p/r"), pattern)
    }

    #[test]
    fn patterns_mean_what_they_say() {
        for (pattern, normal) in [
            ("src/", "src/"),
            ("./src//a.rs", "src/a.rs"),
            ("/p/r/src/**/*.rs", "src/**/*.rs"),
            ("/p/r", ""),
            ("/p/r/", ""),
            (".", ""),
            ("./", ""),
            ("a/../b/.", "b/"),
            ("**/", "**/"),
        ] {
            assert_eq!(of(pattern).as_deref(), Ok(normal), "{pattern}");
        }
    }

    #[test]
    fn what_lies_outside_root_is_known() {
        for pattern in ["../x", "a/../../x", "/p", "/p/rx/a", "/etc/passwd", "/p/r/../x", "{../x,y}/", "a{b,../../x}"] {
            assert_eq!(of(pattern), Err(Outside::Root), "{pattern}");
        }
        assert_eq!(of("*/../x"), Err(Outside::Unclear));
        assert_eq!(of(""), Err(Outside::Empty));
    }

    #[test]
    fn a_root_at_the_top_of_the_file_system_holds_everything() {
        assert_eq!(relative(Path::new("/"), "/etc/x").as_deref(), Ok("etc/x"));
    }
}
