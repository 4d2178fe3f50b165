//! `devloop man [COMMAND]`: a manual page, for `man -l -` or a packager.

use super::print;
use crate::failure::Failure;
use clap_mangen::Man;

pub(super) fn main(command: Option<&str>) -> Result<(), Failure> {
    let mut whole = super::command();
    // Gives each command its whole name: the page of `devloop run` is `devloop-run(1)`.
    whole.build();
    let page = match command {
        None => whole,
        Some(name) => match whole.find_subcommand(name) {
            Some(found) => found.clone(),
            None => return Err(Failure::UnknownCommand { command: name.to_owned() }),
        },
    };
    let mut roff = Vec::new();
    Man::new(page).render(&mut roff).map_err(Failure::CannotWrite)?;
    print(&String::from_utf8_lossy(&roff))
}
