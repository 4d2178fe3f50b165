//! The project that suffers, its running session, and the story so far.

use crate::census::{self, Member, Usage};
use crate::ears::Ears;
use crate::load::Load;
use e2e::{Project, tree, tree::Tree, wait};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What a fault or a check came to; the words say what should not be.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// How long anything may take on a machine that is busy with other things. What takes longer does not come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// The processes that always run, each with what it leaves below itself.
pub(crate) const ALWAYS: &[(&str, &[&str])] = &[
    ("client", &[]),
    ("db", &[]),
    ("deaf", &[]),
    ("printer", &[]),
    ("tool", &[]),
    ("tree", &["tree-child", "tree-daemon", "tree-forked", "tree-own"]),
    ("web", &[]),
];

const FOLDERS: &[&str] = &["bin", "control", "orders", "page", "pids", "printed", "src"];

pub(crate) struct World {
    pub(crate) project: Project,
    pub(crate) ears: Ears,
    pub(crate) load: Arc<Load>,
    pub(crate) figures: Figures,
    pub(crate) session: Option<Running>,
    pub(crate) ports: BTreeMap<&'static str, u16>,
    pub(crate) began: Instant,
    /// All that watched over the processes of a session was killed at once: what they left is there until a session comes
    /// far enough to look for it.
    pub(crate) has_leftovers: bool,
    history: Vec<String>,
    touched: AtomicU64,
}

/// A running devloop. Dropping it kills it.
pub(crate) struct Running {
    child: Child,
    readers: Vec<JoinHandle<()>>,
    pub(crate) began: Instant,
    /// What it used at its first rest.
    pub(crate) first: Option<Usage>,
    /// Answers with 204 and without an answer when it began, and lines of the audit log.
    pub(crate) posts_before: (u64, u64, u64),
    /// Its own files were taken away since the last rest: the audit log is not to be compared.
    pub(crate) has_lost_files: bool,
    /// A hook was killed since the last rest: what its run was told is not written down.
    pub(crate) has_lost_records: bool,
    /// Its own memory in KiB at each rest, by seconds since it began.
    pub(crate) memory: Vec<(f64, u64)>,
    /// Runs that were recorded before the faults since the last rest, and the trees of then.
    pub(crate) runs_before: usize,
    pub(crate) trees_before: [Tree; 2],
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }
}

/// What is told at the end.
#[derive(Default)]
pub(crate) struct Figures {
    pub(crate) faults: BTreeMap<&'static str, usize>,
    pub(crate) sessions: usize,
    pub(crate) rests: usize,
    /// Until nothing was left after the end of a session.
    pub(crate) cleanups: Vec<Duration>,
    /// Until a session had ended that was asked to.
    pub(crate) exits: Vec<Duration>,
    pub(crate) numbered_lines: u64,
    /// Rests of each session, seconds that it lived, its memory at the first and last rest, the slope.
    pub(crate) memory: Vec<String>,
}

impl World {
    pub(crate) fn new(mut project: Project) -> Self {
        let root = project.root();
        project.variable(census::MARK, root.to_str().unwrap());
        let ports = ["db", "web"].map(|name| (name, wait::free_port())).into();
        let load = Load::start(&project.root());
        let mut world = Self {
            project,
            ears: Ears::default(),
            load,
            figures: Figures::default(),
            session: None,
            ports,
            began: Instant::now(),
            has_leftovers: false,
            history: Vec::new(),
            touched: AtomicU64::new(0),
        };
        world.furnish();
        world
    }

    fn furnish(&mut self) {
        for folder in FOLDERS {
            std::fs::create_dir_all(self.project.path(folder)).unwrap();
        }
        for fifo in ["client", "db", "printer", "tool", "web"] {
            let path = self.project.path(&format!("orders/{fifo}"));
            rustix::fs::mknodat(
                rustix::fs::CWD,
                &path,
                rustix::fs::FileType::Fifo,
                rustix::fs::Mode::from_raw_mode(0o600),
                0,
            )
            .unwrap();
        }
        for number in 0..20 {
            self.project.file(&format!("src/d{}/f{number}", number % 4), "first");
            self.project.file(&format!("page/p{number}.html"), "first");
        }
        self.project.file("polled", "first");
        self.install_tool();
        let config = self.config();
        self.project.config(&config);
    }

    /// Puts a program that works in the place of `bin/tool`.
    pub(crate) fn install_tool(&self) {
        let (part, tool) = (self.project.path("bin/tool.part"), self.project.path("bin/tool"));
        std::fs::copy(env!("CARGO_BIN_EXE_puppet"), &part).unwrap();
        if tool.is_dir() {
            std::fs::remove_dir(&tool).unwrap();
        }
        std::fs::rename(&part, &tool).unwrap();
    }

    fn config(&self) -> String {
        let mut config = include_str!("world.toml").to_owned();
        for (name, port) in &self.ports {
            config = config.replace(&format!("{}_ADDRESS", name.to_uppercase()), &format!("127.0.0.1:{port}"));
        }
        let mut control = |verb: &str, name: &str| {
            writeln!(
                config,
                "[watch.{verb}-{name}]\npaths = [\"control/{verb}-{name}\"]\n[workflow.{verb}-{name}]\n\
                 steps = [{{ action = \"{verb}_process\", process = \"{name}\" }}]"
            )
            .unwrap();
        };
        for (name, _) in ALWAYS {
            control("restart", name);
        }
        for name in ["crasher", "forker", "web"] {
            control("start", name);
            control("stop", name);
        }
        for key in 0..crate::load::KEYS {
            // The third takes its time.
            let pause = if key == 2 { "{ action = \"sleep_ms\", duration_ms = 30 }, " } else { "" };
            writeln!(
                config,
                "[event.e{key}]\nstate_key = \"e{key}\"\nworkflow = \"e{key}\"\npattern = \"^v[0-9]{{1,20}}$\"\n\
                 [workflow.e{key}]\nsteps = [{pause}{{ action = \"write_state\", key = \"saw_e{key}\", value = \"{{{{e{key}}}}}\" }}]"
            )
            .unwrap();
        }
        config
    }

    /// Starts a session and does not wait for anything.
    pub(crate) fn launch(&mut self) {
        self.ears.heard().own.clear();
        let mut child = self.project.command(&["run"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let readers =
            vec![self.ears.listen(child.stdout.take().unwrap()), self.ears.listen(child.stderr.take().unwrap())];
        self.figures.sessions += 1;
        self.session = Some(Running {
            child,
            readers,
            began: Instant::now(),
            first: None,
            posts_before: self.posts(),
            has_lost_files: false,
            has_lost_records: false,
            memory: Vec::new(),
            runs_before: self.runs().len(),
            trees_before: self.trees(),
        });
    }

    /// The audit log is compared with what was answered from now on.
    pub(crate) fn count_posts_from_here(&mut self) {
        let counted = self.posts();
        self.session().posts_before = counted;
    }

    /// Answers with 204, posts without an answer, and accepted posts in the audit log.
    fn posts(&self) -> (u64, u64, u64) {
        let load = &self.load;
        (load.accepted.load(Ordering::SeqCst), load.unanswered.load(Ordering::SeqCst), self.audited())
    }

    /// Asserts that the session goes on.
    pub(crate) fn is_up(&mut self) -> Outcome {
        match self.session.as_mut().and_then(Running::has_ended) {
            None => Ok(()),
            Some(status) => Err(format!("the session has ended by itself: {status}")),
        }
    }

    pub(crate) fn session(&mut self) -> &mut Running {
        self.session.as_mut().unwrap()
    }

    /// Waits for the end of the session and of what it says; when it ended, and how.
    pub(crate) fn ended(&mut self) -> Outcome<(Instant, ExitStatus)> {
        let asked = Instant::now();
        let status = self.until("devloop ends", |world| world.session().has_ended())?;
        let at = Instant::now();
        self.figures.exits.push(at - asked);
        self.ears.stall(false);
        self.until("the streams of devloop end", |world| {
            world.session().readers.iter().all(JoinHandle::is_finished).then_some(())
        })?;
        Ok((at, status))
    }

    /// Waits until a question has an answer.
    pub(crate) fn until<T>(&mut self, what: &str, mut question: impl FnMut(&mut Self) -> Option<T>) -> Outcome<T> {
        let began = Instant::now();
        loop {
            if let Some(answer) = question(self) {
                return Ok(answer);
            }
            if began.elapsed() > PATIENCE {
                return Err(format!("this does not come: {what}"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits like `until` while the session is to go on.
    pub(crate) fn until_up<T>(&mut self, what: &str, mut question: impl FnMut(&mut Self) -> Option<T>) -> Outcome<T> {
        self.until(what, |world| match world.is_up() {
            Ok(()) => question(world).map(Ok),
            Err(words) => Some(Err(words)),
        })?
        .map_err(|words| format!("{words} (while waiting: {what})"))
    }

    /// Writes down what is done.
    pub(crate) fn tell(&mut self, words: impl AsRef<str>) {
        let line = format!("{:8.3} s  {}", self.began.elapsed().as_secs_f64(), words.as_ref());
        if std::env::var_os("CHAOS_LOUD").is_some() {
            eprintln!("{line}");
        }
        self.history.push(line);
    }

    pub(crate) fn history(&self) -> &[String] {
        &self.history
    }

    /// Starts the workflow of a control file.
    pub(crate) fn control(&self, name: &str) {
        let touched = self.touched.fetch_add(1, Ordering::Relaxed);
        self.project.file(&format!("control/{name}"), &touched.to_string());
    }

    /// Tells a child what to do, if it listens.
    pub(crate) fn order(&self, name: &str, words: &str) {
        use std::io::Write as _;
        let path = self.project.path(&format!("orders/{name}"));
        let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap();
        if let Ok(mut fifo) = std::fs::OpenOptions::new().write(true).custom_flags(nonblocking).open(path) {
            let _ = fifo.write_all(format!("{words}\n").as_bytes());
        }
    }

    pub(crate) fn census(&self) -> Vec<Member> {
        census::of(&self.project.root())
    }

    /// The first process of a role.
    pub(crate) fn pid_of(&self, role: &str) -> Option<u32> {
        self.census().iter().find(|member| member.role == role).map(|member| member.pid)
    }

    /// devloop's keepers of children, and the guardian that is their parent.
    pub(crate) fn keepers(&mut self) -> (Option<u32>, Vec<u32>) {
        let devloop = self.session().pid();
        let members = self.census();
        let below = |parent: u32| {
            let ours = members.iter().filter(move |member| member.parent == parent && member.role == "devloop");
            ours.map(|member| member.pid)
        };
        let guardian = below(devloop).next();
        (guardian, guardian.map_or_else(Vec::new, |guardian| below(guardian).collect()))
    }

    /// Sends a signal to a process, if there is one and it still is.
    #[expect(clippy::unused_self, reason = "it reads like what it is: something is done to the world")]
    pub(crate) fn signal(&self, pid: impl Into<Option<u32>>, signal: Signal) {
        if let Some(pid) = pid.into() {
            let _ = e2e::stray::signal(pid, signal);
        }
    }

    /// Runs that hooks have recorded.
    pub(crate) fn runs(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.project.path("runs")).unwrap_or_default();
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        whole.filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// What `src` and `page` hold.
    pub(crate) fn trees(&self) -> [Tree; 2] {
        ["src", "page"].map(|folder| tree::of(&self.project.path(folder)))
    }

    /// Accepted posts in the audit log.
    pub(crate) fn audited(&self) -> u64 {
        let text = |name: &str| std::fs::read_to_string(self.project.path(name)).unwrap_or_default();
        let count = |text: &str| text.lines().filter(|line| line.contains("\"verdict\":\"accepted\"")).count() as u64;
        count(&text(".devloop/events.jsonl")) + count(&text(".devloop/events.jsonl.1"))
    }

    /// How many numbered lines each life says were taken from it.
    pub(crate) fn printed(&self) -> BTreeMap<String, u64> {
        let files = std::fs::read_dir(self.project.path("printed")).unwrap().flatten();
        files
            .filter_map(|file| {
                let count = std::fs::read_to_string(file.path()).ok()?.parse().ok()?;
                Some((file.file_name().into_string().unwrap(), count))
            })
            .collect()
    }

    /// The records of lives that are over are not needed any more.
    pub(crate) fn forget_printed(&mut self) {
        for life in self.printed().keys() {
            let _ = std::fs::remove_file(self.project.path(&format!("printed/{life}")));
        }
        let lives = std::mem::take(&mut self.ears.heard().lives);
        self.figures.numbered_lines += lives.values().sum::<u64>();
    }
}
