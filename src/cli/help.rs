//! Help that reads well: verbs in groups, examples, exit codes; and the manual pages made from it.

use super::context::Context;
use super::error::{CliError, EXIT_CODES, Result};
use clap::{Args, Command, ValueHint};
use std::fmt::Write;
use std::path::PathBuf;

/// `help`
#[derive(Args)]
pub struct Help {
    /// A command, such as `job add`, or `exit-codes`
    #[arg(value_name = "COMMAND")]
    topic: Vec<String>,
}

/// `man`
#[derive(Args)]
pub struct Man {
    /// Write a page for each command into this folder instead
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: Option<PathBuf>,
}

const GROUPS: &[(&str, &[&str])] = &[
    ("Work", &["message", "job", "why", "plan", "decision", "project", "task", "cron"]),
    ("Run", &["tui", "engine", "worker", "lane", "backend", "tidy"]),
    ("Look", &["memory", "skill", "rule", "log", "cost", "lint", "doctor"]),
    ("Set up", &["init", "completions", "man", "help"]),
];

const EXAMPLES: &[(&str, &str, &str)] = &[
    ("orc", "tui --demo", "see it at work, in a throw-away workspace"),
    ("orc", "init", "make a workspace where you are"),
    ("", "job add --title \"Fix the flaky test\" --type claude --prompt-file fix.md", "submit a job"),
    ("", "job tail -f 12", "watch its agent work"),
    ("", "why 13", "what a job waits for, and what would unblock it"),
    ("", "job wait 12 13 && echo both done", "in a script"),
];

/// Gives the program's own help its groups and examples.
pub fn dress(command: Command) -> Command {
    let name = command.get_name().to_owned();
    let mut text = String::new();
    for (group, verbs) in GROUPS {
        let _ = writeln!(text, "\x1b[1;4m{group}:\x1b[0m");
        for verb in *verbs {
            if let Some(about) = command.find_subcommand(verb).and_then(Command::get_about) {
                let _ = writeln!(text, "  \x1b[1m{verb:<12}\x1b[0m {about}");
            }
        }
        text.push('\n');
    }
    let mut examples = String::from("\x1b[1;4mExamples:\x1b[0m\n");
    for (only, line, what) in EXAMPLES {
        if only.is_empty() || *only == name {
            let _ = writeln!(examples, "  {name} {line}\n      {what}");
        }
    }
    let _ = write!(
        examples,
        "\nJobs are submitted to the workspace's database, whether or not an engine runs. Exit codes: `{name} help exit-codes`."
    );
    command
        .help_template(format!(
            "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{text}\x1b[1;4mGlobal options:\x1b[0m\n{{options}}{{after-help}}"
        ))
        .after_help(examples)
}

/// Prints help on a topic.
///
/// # Errors
/// There is no such command.
pub fn run(cx: &mut Context, verb: &Help, mut command: Command) -> Result {
    if verb.topic.len() == 1 && verb.topic[0] == "exit-codes" {
        return cx.out.block(&exit_codes());
    }
    command.build();
    let mut at = &mut command;
    for word in &verb.topic {
        let names: Vec<String> = at.get_subcommands().map(|c| c.get_name().to_owned()).collect();
        at = at.find_subcommand_mut(word).ok_or_else(|| {
            CliError::usage(format!("there is no command `{}`", verb.topic.join(" ")))
                .hint(format!("known here: {}, and the topic exit-codes", names.join(", ")))
        })?;
    }
    at.print_long_help()?;
    Ok(())
}

/// Prints the manual page, or writes one for each command.
///
/// # Errors
/// The folder cannot be written.
pub fn man(cx: &mut Context, verb: &Man, command: Command) -> Result {
    let command = command.after_help(exit_codes()).help_template("{about}");
    let Some(dir) = &verb.dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        return cx.out.bytes(&page);
    };
    let cannot = |e: std::io::Error| CliError::new(super::Kind::Failure, format!("cannot write manual pages to {}: {e}", dir.display()));
    std::fs::create_dir_all(dir).map_err(cannot)?;
    clap_mangen::generate_to(command, dir).map_err(cannot)?;
    cx.out.done(&format!("manual pages are in {}", dir.display()))
}

fn exit_codes() -> String {
    let mut text = String::from("Exit codes:\n");
    for (code, meaning) in EXIT_CODES {
        let _ = writeln!(text, "  {code:>3}  {meaning}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tree::{Orc, Pm};
    use clap::CommandFactory;

    #[test]
    fn every_verb_is_in_exactly_one_group() {
        for command in [Orc::command(), Pm::command()] {
            for verb in command.get_subcommands().map(Command::get_name) {
                let times = GROUPS.iter().flat_map(|g| g.1).filter(|v| **v == verb).count();
                assert_eq!(times, 1, "`{verb}` is in {times} groups of the help");
            }
        }
    }
}
