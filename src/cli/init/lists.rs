//! Files that already list what runs: a Procfile, a process-compose file, a compose file, a Makefile.

use super::draft::{Draft, Process, Step, Watch, name_of};
use super::project::Project;
use yaml_rust2::{Yaml, YamlLoader};

/// The port of the first process of a Procfile; each further one has a hundred more, as the tools of that file do it.
const PORT: u32 = 5000;

/// A command line as an argument vector: its words, or a shell where one is needed.
pub(super) fn argv(line: &str) -> Vec<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./- ".contains(c);
    let first = line.split(' ').find(|word| !word.is_empty()).unwrap_or_default();
    // A word with `=` at the beginning is an assignment of the shell's.
    if line.chars().all(is_plain) && !first.is_empty() && !first.contains('=') {
        return line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    }
    // What is a variable to the shell must not be one to devloop.
    vec!["sh".to_owned(), "-c".to_owned(), line.replace('$', "$$")]
}

/// The line of a Procfile that is run once before the others are started, and ends.
const RELEASE: &str = "release";

/// `Procfile`: lines of `NAME: COMMAND`.
pub(super) fn procfile(project: &Project, draft: &mut Draft) {
    let Some(file) = project.first(&["Procfile.dev", "Procfile"]) else { return };
    let text = project.text(file).unwrap_or_default();
    let mut names = Vec::new();
    let mut release = None;
    for line in text.lines() {
        let Some((name, command)) = line.split_once(':') else { continue };
        let (name, command) = (name.trim(), command.trim());
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if name.is_empty() || command.is_empty() || !name.chars().all(is_name) {
            continue;
        }
        let words = argv(command);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if name == RELEASE {
            release = Some(words.into_iter().map(str::to_owned).collect::<Vec<_>>());
            continue;
        }
        let mut process = Process::new(name, &words, &format!("From {file}."));
        if command.contains("$PORT") || command.contains("${PORT") || name == "web" {
            let port = PORT + 100 * u32::try_from(names.len()).unwrap_or(0);
            process.env.insert("PORT".to_owned(), port.to_string());
        }
        names.push(draft.process(process));
    }
    if names.is_empty() {
        return;
    }
    let release = release.map(|words| draft.hook(RELEASE, &words.iter().map(String::as_str).collect::<Vec<_>>()));
    draft.found.push(format!("{file}: {}", names.iter().chain(&release).cloned().collect::<Vec<_>>().join(", ")));
    restart_all(draft, file, &names);
    if let (Some(release), Some(watch)) = (release, draft.watches.last_mut()) {
        watch.steps.insert(0, Step::RunHook(release));
        watch.at_startup = true;
        "What is released first starts the rest; add what your processes read once.".clone_into(&mut watch.why);
        for process in &mut draft.processes {
            process.autostart = false;
        }
    }
}

/// `process-compose.yaml`: its processes, and who depends on whom.
pub(super) fn process_compose(project: &Project, draft: &mut Draft) {
    let Some(file) = project.first(&["process-compose.yaml", "process-compose.yml"]) else { return };
    let documents = project.text(file).and_then(|text| YamlLoader::load_from_str(&text).ok()).unwrap_or_default();
    let listed = documents.first().and_then(|document| document["processes"].as_hash());
    let mut names = Vec::new();
    for (name, process) in listed.into_iter().flatten() {
        let (Some(name), Some(command)) = (name.as_str(), process["command"].as_str()) else { continue };
        let words = argv(command.trim());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut drawn = Process::new(name, &words, &format!("From {file}."));
        let depends = process["depends_on"].as_hash().into_iter().flatten();
        drawn.depends_on = depends.filter_map(|(name, _)| name.as_str()).map(name_of).collect();
        for pair in process["environment"].as_vec().into_iter().flatten().filter_map(Yaml::as_str) {
            if let Some((name, value)) = pair.split_once('=') {
                drawn.env.insert(name.to_owned(), value.replace('$', "$$"));
            }
        }
        names.push(draft.process(drawn));
    }
    for process in &mut draft.processes {
        process.depends_on.retain(|needed| names.contains(needed) && *needed != process.name);
    }
    if !names.is_empty() {
        draft.found.push(format!("{file}: {}", names.join(", ")));
        restart_all(draft, file, &names);
    }
}

/// `compose.yaml`: all of it is one process, since its containers belong to their own daemon.
pub(super) fn compose(project: &Project, draft: &mut Draft) {
    let names = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];
    let Some(file) = project.first(&names) else { return };
    let documents = project.text(file).and_then(|text| YamlLoader::load_from_str(&text).ok()).unwrap_or_default();
    let services = documents.first().and_then(|document| document["services"].as_hash());
    let services: Vec<&str> = services.into_iter().flatten().filter_map(|(name, _)| name.as_str()).collect();
    draft
        .found
        .push(format!("{file}: {}", if services.is_empty() { "services".to_owned() } else { services.join(", ") }));
    let why = "Containers take their time to end: the daemon gives each of them ten seconds.";
    let mut process = Process::new("containers", &["docker", "compose", "up"], why);
    process.stop_timeout_ms = Some(15_000);
    let name = draft.process(process);
    restart_all(draft, file, &[name]);
}

/// `Makefile`: the targets that are usual, when nothing else says what runs.
pub(super) fn makefile(project: &Project, draft: &mut Draft) {
    let Some(file) = project.first(&["GNUmakefile", "makefile", "Makefile"]).filter(|_| draft.is_empty()) else {
        return;
    };
    let text = project.text(file).unwrap_or_default();
    let targets: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with(['\t', ' ', '#', '.']) && !line.contains(":="))
        .filter_map(|line| Some(line.split_once(':')?.0.trim()))
        .collect();
    let has = |wanted: &&&str| targets.contains(wanted);
    let runs = ["dev", "run", "serve", "start"].iter().find(has);
    let builds = ["build", "all", "test", "check"].iter().find(has);
    if runs.is_none() && builds.is_none() {
        return;
    }
    let told: Vec<&str> = runs.into_iter().chain(builds).copied().collect();
    draft.found.push(format!("{file}: targets {}", told.join(", ")));
    let mut steps = Vec::new();
    if let Some(target) = builds {
        steps.push(Step::RunHook(draft.hook(target, &["make", target])));
    }
    if let Some(target) = runs {
        let mut process = Process::new(target, &["make", target], &format!("The target '{target}'."));
        process.autostart = builds.is_none();
        steps.push(Step::RestartProcess(draft.process(process)));
    }
    let mut paths = project.those(&["src/", "lib/", "include/"]);
    paths.push(file.to_owned());
    let why = "A save makes what is wanted.".to_owned();
    draft.watch(Watch { name: "make".to_owned(), paths, steps, at_startup: builds.is_some(), why });
}

/// A change of the file that lists processes restarts them.
fn restart_all(draft: &mut Draft, file: &str, names: &[String]) {
    let steps = names.iter().map(|name| Step::RestartProcess(name.clone())).collect();
    let why =
        format!("Add what your processes read once, when they start; a change of {file} itself needs an edit here.");
    let name = file.split('.').next().unwrap_or(file).to_lowercase();
    draft.watch(Watch { name, paths: vec![file.to_owned()], steps, at_startup: false, why });
}

#[cfg(test)]
mod tests {
    use super::argv;

    #[test]
    fn simple_commands_need_no_shell_and_a_shells_variables_stay_its_own() {
        assert_eq!(argv("bin/rails server -p 3000"), ["bin/rails", "server", "-p", "3000"]);
        assert_eq!(argv("serve --port $PORT"), ["sh", "-c", "serve --port $$PORT"]);
        assert_eq!(argv("A=1 serve"), ["sh", "-c", "A=1 serve"]);
        assert_eq!(argv("a && b"), ["sh", "-c", "a && b"]);
    }
}
