//! Every environment variable that devloop reads or sets. Nowhere else in this package is one spelt out.

/// Begins the name of every variable that devloop sets. No child inherits one from outside, and no config sets one.
pub const PREFIX: &str = "DEVLOOP_";

/// Set for every child: the absolute root folder of the project.
pub const ROOT: &str = "DEVLOOP_ROOT";
/// Set for every child: the absolute path of the state file.
pub const STATE: &str = "DEVLOOP_STATE";
/// Set for every child: the workflow whose step it is, `observe` for a polled hook, `startup` for a process.
pub const WORKFLOW: &str = "DEVLOOP_WORKFLOW";
/// Set for every child: the changed files as a JSON array of strings, relative to the root, sorted; at most 32 KiB.
pub const CHANGED_FILES_JSON: &str = "DEVLOOP_CHANGED_FILES_JSON";
/// Set to `1` when the list of changed files did not fit into [`CHANGED_FILES_JSON`].
pub const CHANGED_FILES_TRUNCATED: &str = "DEVLOOP_CHANGED_FILES_TRUNCATED";
/// Set with [`CHANGED_FILES_TRUNCATED`]: a file with all of the list, there until the child has ended.
pub const CHANGED_FILES_PATH: &str = "DEVLOOP_CHANGED_FILES_PATH";

/// Set for every process whose whole tree is contained: which life of which process of which devloop it belongs to. By it devloop finds what a tree
/// has left behind.
pub const LIFE: &str = "DEVLOOP_LIFE";

/// Set for every child that may post events: where they are posted, without a path.
pub const EVENTS_BASE_URL: &str = "DEVLOOP_EVENTS_BASE_URL";
/// Set for every child that may post events: its own token, which dies with it.
pub const EVENTS_TOKEN: &str = "DEVLOOP_EVENTS_TOKEN";
/// Begins the name of the variable that holds the address of one event, set for every child that may post it; the words
/// of the core have the whole name (`plan::event::url_variable`).
pub const EVENT: &str = "DEVLOOP_EVENT";
/// Set for every child when some workflow has a `notify_reload` step: where browsers listen.
pub const BROWSER_EVENTS_URL: &str = "DEVLOOP_BROWSER_EVENTS_URL";

/// Set for the hook that builds an artifact: the artifact's name.
pub const ARTIFACT: &str = "DEVLOOP_ARTIFACT";
/// Set with [`ARTIFACT`]: the generation that the hook builds.
pub const ARTIFACT_GENERATION: &str = "DEVLOOP_ARTIFACT_GENERATION";
/// Set with [`ARTIFACT`]: the empty folder that the hook fills.
pub const ARTIFACT_CANDIDATE: &str = "DEVLOOP_ARTIFACT_CANDIDATE";
/// Begins the names of the two variables of each artifact that has a generation, set for every child:
/// `DEVLOOP_ARTIFACT_<NAME>_DIR`, the folder that is served, and `DEVLOOP_ARTIFACT_<NAME>_GENERATION`. For the hook that
/// builds it they are those of [`ARTIFACT_CANDIDATE`]. The words of the core have the whole names
/// (`plan::artifact::folder_variable`, `plan::artifact::generation_variable`).
pub const ARTIFACT_OF: &str = "DEVLOOP_ARTIFACT_";

/// Added to for every child with a token: hosts that clients reach without a proxy.
pub const NO_PROXY: &str = "NO_PROXY";
/// The spelling that some clients read instead.
pub const NO_PROXY_LOWER: &str = "no_proxy";

/// All that devloop sets for its children.
pub const SET: &[&str] = &[
    ROOT,
    STATE,
    WORKFLOW,
    CHANGED_FILES_JSON,
    CHANGED_FILES_TRUNCATED,
    CHANGED_FILES_PATH,
    LIFE,
    EVENTS_BASE_URL,
    EVENTS_TOKEN,
    EVENT,
    BROWSER_EVENTS_URL,
    ARTIFACT,
    ARTIFACT_GENERATION,
    ARTIFACT_CANDIDATE,
    ARTIFACT_OF,
];

/// Read for every child: the folders in which a program without a slash is looked up.
pub const PATH: &str = "PATH";

/// Read once at start: which of devloop's own lines are shown.
pub const RUST_LOG: &str = "RUST_LOG";
/// Read once at start: not empty: no colours (<https://no-color.org>).
pub const NO_COLOR: &str = "NO_COLOR";
/// Read once at start: `0`: no colours.
pub const CLICOLOR: &str = "CLICOLOR";
/// Read once at start: neither empty nor `0`: colours also where no terminal is.
pub const CLICOLOR_FORCE: &str = "CLICOLOR_FORCE";
/// Read once at start: as `CLICOLOR_FORCE`; `0`: no colours (<https://force-color.org>).
pub const FORCE_COLOR: &str = "FORCE_COLOR";
/// Read once at start: `dumb`: no colours, and nothing that moves a cursor.
pub const TERM: &str = "TERM";
/// Read where local times are shown or meant: the user's time zone (tzset(3)).
pub const TZ: &str = "TZ";
/// Read at start: set by the script of `devloop completions`, to the name of the shell that asks for completions.
pub const COMPLETE: &str = "DEVLOOP_COMPLETE";
