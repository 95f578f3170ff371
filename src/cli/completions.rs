//! `orc completions SHELL`

use super::context::Context;
use super::error::Result;
use clap::{Args, Command};
use clap_complete::Shell;

/// `completions`
#[derive(Args)]
pub struct Completions {
    /// The shell that they are for; e.g. `orc completions bash > ~/.local/share/bash-completion/completions/orc`
    shell: Shell,
}

/// Prints the script.
///
/// # Errors
/// The output cannot be written.
pub fn run(cx: &mut Context, verb: &Completions, mut command: Command) -> Result {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(verb.shell, &mut command, name, &mut script);
    cx.out.bytes(&script)
}
