//! What the command line of `devloop run` asks for besides the config.

use crate::failure::Failure;
use crate::report::columns;
use crate::report::escape::one_line;
use clap::ArgMatches;
use devloop_core::names::ProcessName;
use devloop_core::plan::Plan;

/// The widest labels that `auto` makes room for, in columns: one long name must not push all lines to the right.
const AUTO_MAX: usize = 32;

/// The widest labels that can be asked for, in columns.
const WIDTH_MAX: usize = 200;

/// How wide labels are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) enum LabelWidth {
    /// Each as wide as it is.
    #[default]
    Own,
    /// As the widest of the config.
    Auto,
    /// So many columns.
    Columns(usize),
}

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Asked {
    pub(super) label_width: LabelWidth,
    pub(super) has_timestamps: bool,
    pub(super) is_quiet: bool,
    /// The processes of `--only`; none: all.
    pub(super) only: Vec<ProcessName>,
}

impl Asked {
    /// What was parsed.
    pub(in crate::cli) fn of(matches: &ArgMatches) -> Self {
        let only = matches.get_many::<String>("only").into_iter().flatten();
        Self {
            label_width: matches.get_one::<LabelWidth>("label-width").copied().unwrap_or_default(),
            has_timestamps: matches.get_flag("timestamps"),
            is_quiet: matches.get_flag("quiet"),
            only: only.map(|name| ProcessName::from(name.as_str())).collect(),
        }
    }

    /// The plan as far as it is asked for, and the processes that are left out.
    pub(super) fn plan(&self, whole: &Plan) -> Result<(Plan, Vec<String>), Failure> {
        if self.only.is_empty() {
            return Ok((whole.clone(), Vec::new()));
        }
        if let Some(unknown) = self.only.iter().find(|name| !whole.processes.contains_key(*name)) {
            let names = || whole.processes.keys().map(ProcessName::as_str);
            let hint = match devloop_config::nearest(unknown.as_str(), names()) {
                Some(nearest) => format!("did you mean '{nearest}'?"),
                None if whole.processes.is_empty() => "it has no process".to_owned(),
                None => format!("its processes are {}", names().collect::<Vec<_>>().join(", ")),
            };
            let unknown = one_line(unknown.as_str());
            let why = format!("`--only` names the process '{unknown}', which the config does not have");
            return Err(Failure::cannot_begin_but(why, hint));
        }
        let plan = whole.only(&self.only);
        let left_out = whole.processes.keys().filter(|name| !plan.processes.contains_key(*name));
        let left_out = left_out.map(ToString::to_string).collect();
        Ok((plan, left_out))
    }

    /// The columns that labels take at least.
    pub(super) fn columns(&self, plan: &Plan) -> usize {
        match self.label_width {
            LabelWidth::Own => 0,
            LabelWidth::Columns(columns) => columns,
            LabelWidth::Auto => widest(plan),
        }
    }
}

/// The widest label of a plan that is not too wide.
fn widest(plan: &Plan) -> usize {
    let processes = plan.processes.iter().map(|(name, item)| (item.command.program_name(), name.as_str()));
    let hooks = plan.hooks.iter().map(|(name, item)| (item.command.program_name(), name.as_str()));
    let widths = processes.chain(hooks).map(|(program, name)| columns::width_of(&format!("[{program} {name}]")));
    widths.filter(|&width| width <= AUTO_MAX).max().unwrap_or(0)
}

/// Reads `--label-width`.
pub(in crate::cli) fn label_width(text: &str) -> Result<LabelWidth, String> {
    if text == "auto" {
        return Ok(LabelWidth::Auto);
    }
    match text.parse() {
        Ok(columns) if columns <= WIDTH_MAX => Ok(LabelWidth::Columns(columns)),
        Ok(_) | Err(_) => Err(format!("it is `auto` or a number of columns up to {WIDTH_MAX}")),
    }
}
