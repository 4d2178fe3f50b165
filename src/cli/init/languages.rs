//! What the manifest of a language says: `Cargo.toml`, `package.json`, `pyproject.toml`, `go.mod`, `Gemfile`.

use super::draft::{Draft, Process, Step, Watch, name_of};
use super::project::{Project, at, text_at};
use devloop_core::value::Value;

/// `Cargo.toml`: a binary is built and restarted, a library is tested.
pub(super) fn rust(project: &Project, draft: &mut Draft) {
    let Some(manifest) = project.toml("Cargo.toml") else { return };
    let mut paths = project.those(&["src/", "crates/", "Cargo.toml", "build.rs"]);
    if let Some(Value::Array(members)) = at(&manifest, &["workspace", "members"]) {
        let folders = members.iter().filter_map(|member| match member {
            Value::String(folder) if !folder.starts_with('/') && !folder.contains("..") => Some(folder),
            _ => None,
        });
        for folder in folders.map(|folder| format!("{}/**/*.rs", folder.trim_end_matches('/'))) {
            if !folder.starts_with("crates/") {
                paths.push(folder);
            }
        }
    }
    let package = text_at(&manifest, &["package", "name"]);
    let named = match at(&manifest, &["bin"]) {
        Some(Value::Array(bins)) => bins.iter().find_map(|bin| match bin {
            Value::Object(fields) => text_at(fields, &["name"]),
            _ => None,
        }),
        _ => None,
    };
    let binary = named.or_else(|| package.filter(|_| project.has("src/main.rs")));
    if let Some(binary) = binary {
        draft.found.push(format!("Cargo.toml: a Rust program '{binary}'"));
        let mut process =
            Process::new(binary, &[&format!("target/debug/{binary}")], "Started when its first build is there.");
        process.autostart = false;
        let build = draft.hook("build", &["cargo", "build"]);
        let process = draft.process(process);
        let steps = vec![Step::RunHook(build), Step::RestartProcess(process)];
        let why = "A save builds; a build that fails leaves the old program running.".to_owned();
        draft.watch(Watch { name: "rust".to_owned(), paths, steps, at_startup: true, why });
    } else {
        draft.found.push("Cargo.toml: Rust without a program of its own".to_owned());
        let test = draft.hook("test", &["cargo", "test"]);
        let why = "A save runs the tests.".to_owned();
        draft.watch(Watch { name: "rust".to_owned(), paths, steps: vec![Step::RunHook(test)], at_startup: true, why });
    }
}

/// `package.json`: its scripts, by the program whose lock file is there.
pub(super) fn node(project: &Project, draft: &mut Draft) {
    let Some(package) = project.json("package.json") else { return };
    let locks = [
        ("pnpm-lock.yaml", "pnpm"),
        ("yarn.lock", "yarn"),
        ("bun.lockb", "bun"),
        ("bun.lock", "bun"),
        ("package-lock.json", "npm"),
    ];
    let lock = locks.iter().find(|(lock, _)| project.has(lock));
    let runner = lock.map_or("npm", |(_, runner)| runner);
    let has = |script: &str| text_at(&package, &["scripts", script]).is_some();
    let scripts: Vec<&str> = ["dev", "start", "serve", "build", "test"].into_iter().filter(|name| has(name)).collect();
    let told = if scripts.is_empty() { "no scripts that are known".to_owned() } else { scripts.join(", ") };
    let by = lock.map_or(String::new(), |(lock, _)| format!(", {lock}"));
    draft.found.push(format!("package.json: scripts {told} ({runner}{by})"));
    let sources = project.those(&["src/", "app/", "pages/", "lib/", "server/", "index.js", "server.js", "index.ts"]);
    let config =
        ["package.json", "tsconfig.json", "vite.config.ts", "vite.config.js", "next.config.js", "next.config.mjs"];
    if let Some(script) = ["dev", "serve"].into_iter().find(|script| has(script)) {
        let why = "It watches its own sources; devloop restarts it when its configuration changes.";
        let process = draft.process(Process::new(script, &[runner, "run", script], why));
        let why = "What the dev server reads once, when it starts.".to_owned();
        let steps = vec![Step::RestartProcess(process)];
        draft.watch(Watch { name: "node".to_owned(), paths: project.those(&config), steps, at_startup: false, why });
    } else if has("start") {
        let process = draft.process(Process::new("server", &[runner, "run", "start"], "The script 'start'."));
        let mut steps = vec![Step::RestartProcess(process)];
        if has("build") {
            steps.insert(0, Step::RunHook(draft.hook("build", &[runner, "run", "build"])));
        }
        let mut paths = sources;
        paths.push("package.json".to_owned());
        let why = "A save restarts the server.".to_owned();
        draft.watch(Watch { name: "node".to_owned(), paths, steps, at_startup: false, why });
    } else if let Some(script) = ["build", "test"].into_iter().find(|script| has(script)) {
        let hook = draft.hook(script, &[runner, "run", script]);
        let mut paths = sources;
        paths.push("package.json".to_owned());
        let why = format!("A save runs the script '{script}'.");
        draft.watch(Watch { name: "node".to_owned(), paths, steps: vec![Step::RunHook(hook)], at_startup: true, why });
    }
}

/// `pyproject.toml`, `manage.py`, `requirements.txt`: Django, an ASGI or WSGI app, or the tests.
pub(super) fn python(project: &Project, draft: &mut Draft) {
    let Some(manifest) = project.first(&["pyproject.toml", "requirements.txt", "manage.py"]) else { return };
    let tool = [("uv.lock", "uv"), ("poetry.lock", "poetry"), ("pdm.lock", "pdm")];
    let tool = tool.iter().find(|(lock, _)| project.has(lock)).map(|(_, tool)| *tool);
    let with = |words: &[&str]| -> Vec<String> {
        let run = tool.into_iter().flat_map(|tool| [tool, "run"]);
        run.chain(words.iter().copied()).map(str::to_owned).collect()
    };
    let named = ["pyproject.toml", "requirements.txt"].iter().filter_map(|file| project.text(file)).collect::<String>();
    let app = ["app/main.py", "main.py", "app.py", "src/main.py", "src/app.py"];
    let module = project.first(&app).map(|file| file.trim_end_matches(".py").replace('/', "."));
    let command = if project.has("manage.py") {
        Some((with(&["python", "manage.py", "runserver", "--noreload"]), "Django"))
    } else if let Some(module) = module.as_ref().filter(|_| named.contains("fastapi") || named.contains("uvicorn")) {
        Some((with(&["uvicorn", &format!("{module}:app")]), "an ASGI app"))
    } else {
        let module = module.as_ref().filter(|_| named.to_lowercase().contains("flask"));
        module.map(|module| (with(&["flask", "--app", module, "run", "--no-reload"]), "a Flask app"))
    };
    let paths = vec!["**/*.py".to_owned(), manifest.to_owned()];
    let by = tool.map_or(String::new(), |tool| format!(", run by {tool}"));
    let Some((command, kind)) = command else {
        draft.found.push(format!("{manifest}: Python{by}"));
        let test = with(&["python", "-m", "pytest", "-q"]);
        let test = draft.hook("test", &test.iter().map(String::as_str).collect::<Vec<_>>());
        let why = "A save runs the tests.".to_owned();
        return draft.watch(Watch {
            name: "python".to_owned(),
            paths,
            steps: vec![Step::RunHook(test)],
            at_startup: true,
            why,
        });
    };
    draft.found.push(format!("{manifest}: Python, {kind}{by}"));
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let process = draft.process(Process::new("server", &words, "Its own reloader is off: devloop restarts it."));
    let why = "A save restarts the server.".to_owned();
    let steps = vec![Step::RestartProcess(process)];
    draft.watch(Watch { name: "python".to_owned(), paths, steps, at_startup: false, why });
}

/// `go.mod`: the program in the top folder, or the first one below `cmd`.
pub(super) fn go(project: &Project, draft: &mut Draft) {
    if !project.has("go.mod") {
        return;
    }
    let commands = project.folders("cmd");
    let main = if project.has("main.go") {
        Some((project.name(), ".".to_owned()))
    } else {
        commands.first().map(|name| (name.clone(), format!("./cmd/{name}")))
    };
    let paths = vec!["**/*.go".to_owned(), "go.mod".to_owned()];
    let name = "go".to_owned();
    let Some((program, package)) = main else {
        draft.found.push("go.mod: Go without a program of its own".to_owned());
        let test = draft.hook("test", &["go", "test", "./..."]);
        let why = "A save runs the tests.".to_owned();
        return draft.watch(Watch { name, paths, steps: vec![Step::RunHook(test)], at_startup: true, why });
    };
    let program = name_of(&program);
    draft.found.push(format!("go.mod: a Go program in {package}"));
    // Below `.devloop`: git ignores the folder, and devloop never watches it.
    let binary = format!(".devloop/bin/{program}");
    let build = draft.hook("build", &["go", "build", "-o", &binary, &package]);
    let mut process = Process::new(&program, &[&binary], "Started when its first build is there.");
    process.autostart = false;
    let process = draft.process(process);
    let steps = vec![Step::RunHook(build), Step::RestartProcess(process)];
    let why = "A save builds; a build that fails leaves the old program running.".to_owned();
    draft.watch(Watch { name, paths, steps, at_startup: true, why });
}

/// `Gemfile`: Rails, Rack, or the tests.
pub(super) fn ruby(project: &Project, draft: &mut Draft) {
    if !project.has("Gemfile") {
        return;
    }
    let server: Option<(&[&str], &str)> = if project.has("bin/rails") {
        Some((&["bin/rails", "server"], "Rails, which loads its code again by itself"))
    } else if project.has("config.ru") {
        Some((&["bundle", "exec", "rackup"], "a Rack app"))
    } else {
        None
    };
    let name = "ruby".to_owned();
    let Some((command, kind)) = server else {
        draft.found.push("Gemfile: Ruby".to_owned());
        let test = draft.hook("test", &["bundle", "exec", "rake"]);
        let why = "A save runs the default task.".to_owned();
        let paths = vec!["**/*.rb".to_owned(), "Gemfile".to_owned()];
        return draft.watch(Watch { name, paths, steps: vec![Step::RunHook(test)], at_startup: true, why });
    };
    draft.found.push(format!("Gemfile: {kind}"));
    let process = draft.process(Process::new("web", command, "The web server."));
    let is_rails = project.has("bin/rails");
    let paths = if is_rails { project.those(&["config/", "lib/", "Gemfile.lock"]) } else { vec!["**/*.rb".to_owned()] };
    let paths = if paths.is_empty() { vec!["Gemfile".to_owned()] } else { paths };
    let why = "What the server reads once, when it starts.".to_owned();
    draft.watch(Watch { name, paths, steps: vec![Step::RestartProcess(process)], at_startup: false, why });
}
