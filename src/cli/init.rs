//! `devloop init`: looks at the project in the working folder and writes a `devloop.toml` for it. Runs nothing.

mod draft;
mod draw;
mod languages;
mod lists;
mod project;

#[cfg(test)]
mod tests;

use super::config_file::{self, FILE_NAME};
use super::{complain, print, schema};
use crate::failure::Failure;
use crate::report::escape::one_line;
use devloop_config::Place;
use draft::Draft;
use project::Project;
use std::fmt::Write as _;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

pub(super) fn main(only_print: bool) -> Result<(), Failure> {
    let here = config_file::working_folder()?;
    let (draft, text) = look(&here);
    let loaded = devloop_config::load(&text, &Place { folder: here.clone() });
    if loaded.plan.is_none() {
        let why = loaded.diagnostics.iter().map(|found| found.message.as_str()).collect::<Vec<_>>().join("; ");
        return Err(Failure::cannot_begin(format!("what was found makes no right config: {why}")));
    }
    if only_print {
        complain(&found(&draft));
        return print(&text);
    }
    write_new(&here.join(FILE_NAME), text.as_bytes()).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::ConfigIsHere,
        _ => Failure::cannot_begin(format!("cannot write {}: {error}", here.join(FILE_NAME).display())),
    })?;
    let mut told = found(&draft);
    // Writing into a string cannot fail.
    let _ = writeln!(told, "wrote {FILE_NAME}: {}", contents(&draft));
    if let Err(error) = write_schema(&here) {
        let _ = writeln!(told, "no schema for editors was written to .devloop: {error}");
    }
    told.push_str("\nnext:\n");
    let file = draft.watches.first().and_then(|watch| watch.paths.first()).map_or("src/", String::as_str);
    let example = file.replace("**/", "").replace('*', "a");
    let example = if example.ends_with('/') { format!("{example}a") } else { example };
    for (command, what) in [
        ("devloop validate".to_owned(), "checks it after your edits"),
        (format!("devloop plan {example}"), "shows what a save of this file would run"),
        ("devloop run".to_owned(), "starts the loop; Ctrl-C ends it"),
    ] {
        let _ = writeln!(told, "  {command:<32} {what}");
    }
    print(&told)
}

/// What is found in a folder, and the config that is made of it.
fn look(folder: &Path) -> (Draft, String) {
    let project = Project::new(folder.to_owned());
    let mut draft = Draft::default();
    // Who lists processes decides what runs; then a manifest adds only what such a list cannot say.
    lists::process_compose(&project, &mut draft);
    if draft.is_empty() {
        lists::procfile(&project, &mut draft);
    }
    if draft.is_empty() {
        for find in [languages::rust, languages::node, languages::python, languages::go, languages::ruby] {
            find(&project, &mut draft);
        }
    } else {
        let manifests = ["Cargo.toml", "package.json", "pyproject.toml", "go.mod", "Gemfile"];
        for manifest in manifests.into_iter().filter(|manifest| project.has(manifest)) {
            draft.found.push(format!("{manifest}: left alone, since the list above says what runs"));
        }
    }
    lists::compose(&project, &mut draft);
    lists::makefile(&project, &mut draft);
    let text = if draft.is_empty() { draw::draw_empty() } else { draw::draw(&draft) };
    (draft, text)
}

fn found(draft: &Draft) -> String {
    if draft.found.is_empty() {
        return "found nothing that says how this project is built or run; the config is a sketch to change\n"
            .to_owned();
    }
    draft.found.iter().fold(String::new(), |told, found| told + "found " + &one_line(found) + "\n")
}

fn contents(draft: &Draft) -> String {
    if draft.is_empty() {
        return "1 watch group, 1 hook".to_owned();
    }
    let all = [
        (draft.watches.len(), "watch group", "watch groups"),
        (draft.processes.len(), "process", "processes"),
        (draft.hooks.len(), "hook", "hooks"),
    ];
    let counted = all.iter().filter(|(count, ..)| *count > 0);
    let told: Vec<String> =
        counted.map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many })).collect();
    told.join(", ")
}

/// Writes a file that is not there yet: never over one that is, also when it is made at this moment.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(bytes)
}

/// The schema that the config's first line names, in the folder that git is told to ignore.
fn write_schema(root: &Path) -> io::Result<()> {
    let folder = root.join(".devloop");
    match DirBuilder::new().mode(0o700).create(&folder) {
        Ok(()) => write_new(&folder.join(".gitignore"), b"*\n")?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let path = folder.join("devloop.schema.json");
    // The folder is devloop's own; what stands there from an earlier version is replaced, and a link is not followed.
    if let Err(error) = std::fs::remove_file(&path)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(schema::text().as_bytes())
}
