//! Workflows whose hook writes down each run, so that a test can count runs and see what they saw.

use crate::project::Project;
use crate::wait;
use std::fmt::Write as _;

/// The workflow whose runs tell that everything before them was heard.
const BEACON: &str = "zzz";

/// What a recording hook wrote down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The workflow that the hook ran for.
    pub workflow: String,
    /// The changed files that the hook was told.
    pub files: Vec<String>,
    /// What `src/file` held when the hook looked, without line ends.
    pub content: String,
}

impl Project {
    /// Writes a config whose workflows of these names record their runs, and which has a beacon.
    pub fn record(&self, workflows: &[&str], config: &str) -> &Self {
        let mut text = config.to_owned();
        text.push_str(
            "\n[hook.record]\ncommand = [\"sh\", \"-c\", '''exec printf \"%s\\t%s\\t%s\\n\" \
             \"$DEVLOOP_WORKFLOW\" \"$DEVLOOP_CHANGED_FILES_JSON\" \"$(cat src/file 2>/dev/null)\" >> runs''']\n",
        );
        writeln!(text, "[watch.{BEACON}]\npaths = [\"{BEACON}\"]\nleading = false").unwrap();
        for workflow in workflows.iter().chain(&[BEACON]) {
            writeln!(text, "[workflow.{workflow}]\nsteps = [{{ action = \"run_hook\", hook = \"record\" }}]").unwrap();
        }
        self.config(&text)
    }

    /// The runs so far, beacons among them.
    fn all_runs(&self) -> Vec<Run> {
        let text = std::fs::read(self.path("runs")).unwrap_or_default();
        // A long line comes in several writes: what has no end yet is no run yet.
        String::from_utf8_lossy(&text)
            .split_inclusive('\n')
            .filter_map(|line| line.strip_suffix('\n'))
            .map(Run::read)
            .collect()
    }

    /// The runs so far.
    pub fn runs(&self) -> Vec<Run> {
        let mut runs = self.all_runs();
        runs.retain(|run| run.workflow != BEACON);
        runs
    }

    /// Waits until there are this many runs, and gives them back.
    pub fn wait_for_runs(&self, count: usize) -> Vec<Run> {
        wait::until(&format!("{count} runs"), || {
            let runs = self.runs();
            (runs.len() >= count).then_some(runs)
        })
    }

    /// All runs of what was changed so far: waits for the run of a change that comes after it.
    pub fn runs_of_all(&self) -> Vec<Run> {
        let before = self.all_runs().iter().filter(|run| run.workflow == BEACON).count();
        self.file(BEACON, &format!("{before}"));
        wait::until("the beacon's run", || {
            (self.all_runs().iter().filter(|run| run.workflow == BEACON).count() > before).then_some(())
        });
        self.runs()
    }
}

impl Run {
    fn read(line: &str) -> Self {
        let mut parts = line.splitn(3, '\t');
        let mut next = || parts.next().unwrap_or_default().to_owned();
        let (workflow, files, content) = (next(), next(), next());
        let files = serde_json::from_str(&files).unwrap_or_else(|error| panic!("{files:?} is no list: {error}"));
        Self { workflow, files, content }
    }
}

/// All files that runs were told, sorted, each once.
pub fn files_of(runs: &[Run]) -> Vec<String> {
    let mut files: Vec<String> = runs.iter().flat_map(|run| run.files.clone()).collect();
    files.sort();
    files.dedup();
    files
}
