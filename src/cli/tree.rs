//! The trees of verbs of `orc` and `pm`, and what runs each.

use super::args::Globals;
use super::context::Context;
use super::error::Result;
use super::{
    backend, complain, completions, cost, cron, decision, doctor, engine, help, init, job, lane, lint, log, memory, message, plan, project,
    rule, skill, task, tidy, tui, why, worker,
};
use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;

pub use engine::EngineOptions;
pub use tui::TuiOptions;

/// What `orc` can host and `pm` cannot. Each returns when the console or the engine has ended.
pub struct Host {
    pub engine: engine::HostEngine,
    pub tui: fn(TuiOptions) -> Result<ExitCode>,
}

#[derive(Parser)]
#[command(
    name = "orc",
    version,
    about = "A full-screen console that runs coding agents as a standing workforce",
    disable_help_subcommand = true
)]
pub(super) struct Orc {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    verb: OrcVerb,
}

#[derive(Subcommand)]
enum OrcVerb {
    /// Make a workspace, or complete one
    Init(init::Init),
    /// Open the console; it hosts the engine, or attaches to the one that runs
    Tui(tui::Tui),
    /// What the workspace remembers: look, add, correct, forget
    #[command(subcommand)]
    Memory(memory::Verb),
    #[command(flatten)]
    Shared(Verb),
}

#[derive(Parser)]
#[command(name = "pm", version, about = "The quick command line of an orc workspace: submit, look, steer", disable_help_subcommand = true)]
pub(super) struct Pm {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    verb: Verb,
}

/// The verbs of both programs.
#[derive(Subcommand)]
enum Verb {
    /// Submit jobs, look at them, steer them
    #[command(subcommand)]
    Job(job::Verb),
    /// Say why a job does not run, and what would unblock it
    Why(why::Why),
    /// The agents: sessions with a state of their own
    #[command(subcommand)]
    Worker(worker::Verb),
    /// Projects: jobs that belong together
    #[command(subcommand)]
    Project(project::Verb),
    /// Tasks of a project
    #[command(subcommand)]
    Task(task::Verb),
    /// Plans: proposed work, which runs when you have approved it
    #[command(subcommand)]
    Plan(plan::Verb),
    /// Say something to the workforce, and read what it says
    Message(message::Message),
    /// Questions that wait for your answer
    #[command(subcommand)]
    Decision(decision::Verb),
    /// Schedules: what the clock starts, and what became of it
    #[command(subcommand)]
    Cron(cron::Verb),
    /// What agents are given to know: texts with versions, and what each version made
    #[command(subcommand)]
    Skill(skill::Verb),
    /// The critical rules of the operating file, each with its incident
    #[command(subcommand)]
    Rule(rule::Verb),
    /// Check the workspace's own texts and folders: core memory, rules, skills, files out of place
    Lint(lint::Lint),
    /// The coding agents that jobs may run on
    #[command(subcommand)]
    Backend(backend::Verb),
    /// Hold or release a lane
    #[command(subcommand)]
    Lane(lane::Verb),
    /// The audit log: every change, who made it and why
    #[command(subcommand)]
    Log(log::Verb),
    /// Run the engine without a console, or steer the one that runs
    Engine(engine::Engine),
    /// What was spent, on what, and how near the caps are
    Cost(cost::Cost),
    /// Check the installation: each part is ok, warns or fails, with the fix
    Doctor(doctor::Doctor),
    /// Copy and check the database, and put away what has had its time
    Tidy(tidy::Tidy),
    /// Print shell completions
    Completions(completions::Completions),
    /// Print the manual page, or write one for each command
    Man(help::Man),
    /// Print help for a command, or on `exit-codes`
    Help(help::Help),
}

/// `orc`: parses the command line and runs it.
pub fn orc(host: Host) -> ExitCode {
    start::<Orc>(|orc| {
        let mut cx = Context::new(orc.globals);
        let done = match orc.verb {
            OrcVerb::Init(verb) => init::run(&mut cx, &verb),
            // Its exit code may be that of a signal.
            OrcVerb::Tui(verb) => match tui::run(&mut cx, &verb, host.tui) {
                Ok(code) => return code,
                Err(e) => Err(e),
            },
            OrcVerb::Memory(verb) => memory::run(&mut cx, verb),
            OrcVerb::Shared(Verb::Doctor(verb)) => doctor::run(&mut cx, &verb, Some(memory::doctor)),
            OrcVerb::Shared(verb) => run::<Orc>(&mut cx, verb, Some(host.engine)),
        };
        finish(&mut cx, done)
    })
}

/// `pm`: parses the command line and runs it.
pub fn pm() -> ExitCode {
    start::<Pm>(|pm| {
        let mut cx = Context::new(pm.globals);
        let done = run::<Pm>(&mut cx, pm.verb, None);
        finish(&mut cx, done)
    })
}

/// Whether a command line could be run: its verbs, flags and values. The words come without the program's name.
///
/// # Errors
/// What is wrong with it.
pub fn check(program: &str, words: &[String]) -> std::result::Result<(), String> {
    let whole = if program == "pm" { command::<Pm>() } else { command::<Orc>() };
    let line = std::iter::once(program.to_owned()).chain(words.iter().cloned());
    match whole.try_get_matches_from(line) {
        Err(e) if e.use_stderr() => Err(e.to_string().lines().next().unwrap_or_default().to_owned()),
        _ => Ok(()),
    }
}

/// Every verb of `orc` that does something, as it is typed after the program's name.
pub fn verbs() -> Vec<String> {
    fn walk(command: &clap::Command, path: &str, found: &mut Vec<String>) {
        if !path.is_empty() && !command.is_subcommand_required_set() {
            found.push(path.trim_start().to_owned());
        }
        for verb in command.get_subcommands().filter(|v| !v.is_hide_set()) {
            walk(verb, &format!("{path} {}", verb.get_name()), found);
        }
    }
    let mut found = Vec::new();
    walk(&command::<Orc>(), "", &mut found);
    found
}

/// The whole command of a program, with its help as it is shown.
pub(super) fn command<P: CommandFactory>() -> clap::Command {
    help::dress(P::command())
}

fn start<P: Parser>(run: impl FnOnce(P) -> ExitCode) -> ExitCode {
    let parsed = command::<P>().try_get_matches().and_then(|m| P::from_arg_matches(&m));
    match parsed {
        Ok(parsed) => run(parsed),
        Err(e) => {
            // A closed pipe is no reason to complain.
            let _ = e.print();
            ExitCode::from(u8::try_from(e.exit_code()).unwrap_or(2))
        }
    }
}

fn run<P: CommandFactory>(cx: &mut Context, verb: Verb, host: Option<engine::HostEngine>) -> Result {
    match verb {
        Verb::Job(verb) => job::run(cx, verb),
        Verb::Why(verb) => why::run(cx, &verb),
        Verb::Worker(verb) => worker::run(cx, verb),
        Verb::Project(verb) => project::run(cx, verb),
        Verb::Task(verb) => task::run(cx, verb),
        Verb::Plan(verb) => plan::run(cx, verb),
        Verb::Message(verb) => message::run(cx, verb),
        Verb::Decision(verb) => decision::run(cx, verb),
        Verb::Cron(verb) => cron::run(cx, verb),
        Verb::Skill(verb) => skill::run(cx, verb),
        Verb::Rule(verb) => rule::run(cx, verb),
        Verb::Lint(verb) => lint::run(cx, &verb),
        Verb::Backend(verb) => backend::run(cx, verb),
        Verb::Lane(verb) => lane::run(cx, &verb),
        Verb::Log(verb) => log::run(cx, verb),
        Verb::Engine(verb) => engine::run(cx, verb, host),
        Verb::Cost(verb) => cost::run(cx, &verb),
        Verb::Doctor(verb) => doctor::run(cx, &verb, None),
        Verb::Tidy(verb) => tidy::run(cx, &verb),
        Verb::Completions(verb) => completions::run(cx, &verb, command::<P>()),
        Verb::Man(verb) => help::man(cx, &verb, command::<P>()),
        Verb::Help(verb) => help::run(cx, &verb, command::<P>()),
    }
}

fn finish(cx: &mut Context, done: Result) -> ExitCode {
    match done.and_then(|()| cx.out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            // What was printed before the failure belongs before it.
            let _ = cx.out.flush();
            complain(&e);
            e.exit_code()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// clap's own assertions are off in every profile, since they cost each start a millisecond.
    #[test]
    fn no_command_has_two_flags_or_verbs_of_one_name() {
        fn walk(command: &clap::Command, path: &str) {
            let mut seen = std::collections::BTreeSet::new();
            for arg in command.get_arguments() {
                for name in arg.get_long_and_visible_aliases().unwrap_or_default() {
                    assert!(seen.insert(format!("--{name}")), "{path}: --{name} twice");
                }
                for name in arg.get_short_and_visible_aliases().unwrap_or_default() {
                    assert!(seen.insert(format!("-{name}")), "{path}: -{name} twice");
                }
                assert!(arg.get_help().is_some() || arg.is_hide_set(), "{path}: {} says nothing", arg.get_id());
            }
            for verb in command.get_subcommands() {
                assert!(seen.insert(verb.get_name().to_owned()), "{path}: {} twice", verb.get_name());
                assert!(verb.get_about().is_some(), "{path}: {} says nothing", verb.get_name());
                walk(verb, &format!("{path} {}", verb.get_name()));
            }
        }
        for (mut command, name) in [(command::<Orc>(), "orc"), (command::<Pm>(), "pm")] {
            command.build();
            walk(&command, name);
        }
    }
}
