//! `devloop man [COMMAND]`: a manual page, for `man -l -` or a packager.

use super::print;
use crate::failure::Failure;
use crate::report::escape::one_line;
use clap_mangen::Man;
use devloop_config::nearest;

pub(super) fn main(command: Option<&str>) -> Result<(), Failure> {
    let mut whole = super::command();
    // Gives each command its whole name: the page of `devloop run` is `devloop-run(1)`.
    whole.build();
    let page = match command {
        None => whole,
        Some(name) => {
            let Some(found) = whole.find_subcommand(name) else {
                let names = whole.get_subcommands().map(clap::Command::get_name);
                let nearest = nearest(name, names).map(str::to_owned);
                return Err(Failure::UnknownCommand { command: one_line(name), nearest });
            };
            found.clone()
        }
    };
    let mut roff = Vec::new();
    Man::new(page).render(&mut roff).map_err(Failure::CannotWrite)?;
    print(&String::from_utf8_lossy(&roff))
}
