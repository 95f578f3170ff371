//! The verbs of the command line, one a line, and how the palette does each; and those of its own that take a number.

use super::Run;
use crate::domain::{Command, DecisionId, PlanId, ProjectId};
use crate::tui::screens::approvals::Item;

/// How the palette does a verb of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By the command that begins with these words; or by the screen that they lead to, where a key does it.
    Words(&'static str),
    /// Not at all, since.
    Not(&'static str),
}

use Way::{Not, Words};

const SHELL: &str = "it is for the shell";
const FILES: &str = "it reads and writes files of the operator's";
const WORKERS: &str = "it is for whoever works, from inside a job";
const FORM: &str = "it takes more than a line: the command line has it";

/// Every verb of `orc`, in the order of its help.
pub const VERBS: &[(&str, Way)] = &[
    ("init", Not(SHELL)),
    ("tui", Not(SHELL)),
    ("memory add", Words("memory add <text>")),
    ("memory search", Words("goto memory")),
    ("memory ls", Words("goto memory")),
    ("memory show", Words("goto memory")),
    ("memory edit", Words("goto memory")),
    ("memory forget", Words("memory forget <id>")),
    ("memory restore", Words("memory restore <id>")),
    ("memory export", Not(FILES)),
    ("memory import", Not(FILES)),
    ("memory stats", Words("goto health")),
    ("memory why", Words("job <id>")),
    ("memory veto", Words("memory veto <job> <id>")),
    ("memory conflicts", Words("goto memory")),
    ("memory settle", Words("memory settle <id> <which>")),
    ("memory consolidate", Words("goto cron")),
    ("memory core show", Not(FILES)),
    ("memory core edit", Not(FILES)),
    ("memory core check", Not(FILES)),
    ("job add", Words("dispatch")),
    ("job ls", Words("goto jobs")),
    ("job show", Words("job <id>")),
    ("job result", Words("job <id>")),
    ("job prompt", Words("job <id>")),
    ("job files", Words("job <id>")),
    ("job tail", Words("job <id>")),
    ("job wait", Not(SHELL)),
    ("job kill", Words("kill <id>")),
    ("job retry", Words("retry <id>")),
    ("job priority", Words("priority <id>")),
    ("job unstick", Not(SHELL)),
    ("why", Words("why <id>")),
    ("worker ls", Words("goto workers")),
    ("worker show", Words("goto workers")),
    ("worker add", Not(FORM)),
    ("worker pause", Words("pause worker")),
    ("worker resume", Words("resume worker")),
    ("worker retire", Words("retire worker")),
    ("worker step", Words("step into")),
    ("project add", Not(FORM)),
    ("project ls", Words("goto projects")),
    ("project show", Words("project <id>")),
    ("project set", Not(FORM)),
    ("project diff", Not(SHELL)),
    ("project merge", Not(SHELL)),
    ("project disk", Words("goto projects")),
    ("project clean", Not(SHELL)),
    ("project submit", Words("submit project <id>")),
    ("project approve", Words("approve project <id>")),
    ("project reject", Words("reject project <id>")),
    ("project reopen", Words("reopen project <id>")),
    ("task add", Not(FORM)),
    ("task ls", Not(SHELL)),
    ("task show", Not(SHELL)),
    ("task ask", Not(WORKERS)),
    ("plan new", Words("new plan")),
    ("plan ls", Words("goto approvals")),
    ("plan show", Words("plan <id>")),
    ("plan edit", Words("edit plan <id>")),
    ("plan approve", Words("approve plan <id>")),
    ("plan reject", Words("reject plan <id>")),
    ("message", Words("message")),
    ("message ls", Words("conversation")),
    ("message show", Words("conversation")),
    ("message log", Words("conversation")),
    ("decision ls", Words("goto approvals")),
    ("decision show", Words("question <id>")),
    ("decision ask", Not(WORKERS)),
    ("decision answer", Words("answer <id>")),
    ("decision cancel", Words("cancel question <id>")),
    ("cron ls", Words("goto cron")),
    ("cron next", Words("goto cron")),
    ("cron run", Words("goto cron")),
    ("cron enable", Words("goto cron")),
    ("cron disable", Words("goto cron")),
    ("cron reset", Words("goto cron")),
    ("cron history", Words("goto cron")),
    ("skill ls", Words("goto skills")),
    ("skill show", Words("goto skills")),
    ("skill new", Not(FILES)),
    ("skill lint", Words("goto skills")),
    ("skill log", Words("goto skills")),
    ("skill diff", Words("goto skills")),
    ("skill outputs", Words("goto skills")),
    ("skill pin", Words("goto skills")),
    ("skill rollback", Words("goto skills")),
    ("skill canary", Not(FORM)),
    ("rule add", Not(FORM)),
    ("rule ls", Not(FILES)),
    ("rule rm", Not(FILES)),
    ("rule from-job", Not(FORM)),
    ("lint", Not(SHELL)),
    ("backend ls", Words("goto health")),
    ("backend check", Words("goto health")),
    ("backend pause", Words("pause backend")),
    ("backend resume", Words("resume backend")),
    ("lane pause", Words("pause lane")),
    ("lane resume", Words("resume lane")),
    ("log tail", Words("goto log")),
    ("log show", Words("goto log")),
    ("log grep", Words("goto log")),
    ("engine", Not(SHELL)),
    ("engine stop", Words("quit")),
    ("engine drain", Words("drain engine")),
    ("engine pause", Words("pause engine")),
    ("engine resume", Words("pause engine")),
    ("engine status", Words("goto dashboard")),
    ("cost", Words("goto costs")),
    ("doctor", Words("goto health")),
    ("tidy", Not(SHELL)),
    ("completions", Not(SHELL)),
    ("man", Not(SHELL)),
    ("help", Words("help")),
];

type Numbered = (&'static str, &'static str, fn(i64) -> Run);

/// Commands of the palette that end in a number: their words, what they do, and what is done.
pub(super) const NUMBERED: &[Numbered] = &[
    ("plan", "look at a plan that waits", |n| Run::Show(Item::Plan(PlanId(n)))),
    ("approve plan", "say yes to a plan (asks first)", |n| Run::Approve(Item::Plan(PlanId(n)))),
    ("reject plan", "send a plan back, with a reason", |n| Run::Reject(Item::Plan(PlanId(n)))),
    ("edit plan", "change a plan in your editor", |n| Run::EditPlan(PlanId(n))),
    ("project", "look at a project that waits", |n| Run::Show(Item::Project(ProjectId(n)))),
    ("approve project", "close a project (asks first)", |n| Run::Approve(Item::Project(ProjectId(n)))),
    ("reject project", "send a project back, with a reason", |n| Run::Reject(Item::Project(ProjectId(n)))),
    ("submit project", "put a project before yourself as done", |n| send(Command::SubmitProject { project: ProjectId(n) }, "submit")),
    ("reopen project", "take a closed project up again", |n| send(Command::ReopenProject { project: ProjectId(n) }, "reopen")),
    ("question", "look at a question", |n| Run::Show(Item::Card(DecisionId(n)))),
    ("answer", "open a question, to answer it", |n| Run::Approve(Item::Card(DecisionId(n)))),
    ("cancel question", "take a question back", |n| send(Command::CancelDecision { decision: DecisionId(n) }, "cancel")),
];

fn send(command: Command, label: &str) -> Run {
    Run::Send { commands: vec![command], label: label.to_owned() }
}

/// The command that was typed with its number.
pub(super) fn numbered(typed: &str) -> Option<(&'static str, &'static str, i64, Run)> {
    let (words, number) = typed.rsplit_once(' ')?;
    let number: i64 = number.trim_start_matches('#').parse().ok()?;
    let (words, help, run) = NUMBERED.iter().find(|(w, ..)| w.split(' ').eq(words.split_whitespace()))?;
    Some((words, help, number, run(number)))
}
