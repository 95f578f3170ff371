//! `orc job …`: one file per verb.

mod add;
mod files;
mod kill;
pub mod list;
mod priority;
mod prompt;
mod result;
mod retry;
mod show;
mod tail;
mod unstick;
mod wait;

pub use add::read;

use super::args::Jobs;
use super::context::Context;
use super::error::Result;
use clap::Subcommand;

#[derive(Subcommand)]
pub enum Verb {
    /// Submit a job; prints its number
    Add(Box<add::Add>),
    /// List jobs; without --all those that have not ended
    Ls(list::Ls),
    /// Show jobs in full: what was asked, attempts, events
    Show(Jobs),
    /// Print a job's result
    Result(result::ResultOf),
    /// List what a job delivers, or print one of its files
    Files(files::Files),
    /// Print the prompt of a job's newest attempt in full, part by part
    Prompt(prompt::Prompt),
    /// Print what a job's agent says and does
    Tail(tail::Tail),
    /// Wait until jobs have ended
    Wait(wait::Wait),
    /// End jobs, whatever their state
    Kill(Jobs),
    /// Put ended jobs back in the queue, with their attempts reset
    Retry(Jobs),
    /// Change a job's priority; a queued job moves at once
    Priority(priority::Priority),
    /// End what is left of a job that hangs, and queue it again
    Unstick(unstick::Unstick),
}

/// Runs a verb.
///
/// # Errors
/// As each verb says.
pub fn run(cx: &mut Context, verb: Verb) -> Result {
    match verb {
        Verb::Add(v) => add::run(cx, *v),
        Verb::Ls(v) => list::run(cx, &v),
        Verb::Show(v) => show::run(cx, &v.ids),
        Verb::Result(v) => result::run(cx, &v),
        Verb::Files(v) => files::run(cx, &v),
        Verb::Prompt(v) => prompt::run(cx, &v),
        Verb::Tail(v) => tail::run(cx, &v),
        Verb::Wait(v) => wait::run(cx, &v),
        Verb::Kill(v) => kill::run(cx, &v.ids),
        Verb::Retry(v) => retry::run(cx, &v.ids),
        Verb::Priority(v) => priority::run(cx, &v),
        Verb::Unstick(v) => unstick::run(cx, &v),
    }
}
