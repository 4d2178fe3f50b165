//! `devloop validate`: silent and 0 when the config has no errors. Starts nothing, creates nothing.

use super::config_file;
use crate::failure::Failure;
use std::path::PathBuf;

pub(super) fn main(config: Option<&PathBuf>) -> Result<(), Failure> {
    config_file::check(config).map(drop)
}
