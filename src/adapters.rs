//! What touches the world: each adapter one part of it. They do not think, and they do not import each other,
//! `own_files` (a tool) excepted.

pub mod environment;
pub mod own_files;
pub mod probe;
pub mod session_file;
pub mod session_log;
