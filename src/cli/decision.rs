//! `orc decision ls|show|ask|answer|cancel`, and the asking behind `orc task ask`

use super::ages;
use super::args;
use super::context::Context;
use super::error::{CliError, Result};
use super::output::Table;
use crate::domain::{Act, Actor, Choice, Command, Decision, DecisionId, DecisionState, Question, TaskId, Timestamp};
use crate::store::Store;
use clap::{Args, Subcommand};
use serde_json::json;

#[derive(Subcommand)]
pub enum Verb {
    /// List the questions that wait for an answer
    Ls(Ls),
    /// Show one with its options
    Show(One),
    /// Ask the operator from inside a job; the job waits, and goes on with the answer
    Ask(Card),
    /// Answer one; whoever asked goes on by itself
    Answer(Answer),
    /// Take one back; whoever asked goes on without an answer
    Cancel(One),
}

#[derive(Args)]
pub struct Ls {
    /// Those that are over too, newest first
    #[arg(long)]
    all: bool,
}

#[derive(Args)]
pub struct One {
    /// The decision's number
    #[arg(value_parser = args::id::<DecisionId>)]
    id: DecisionId,
}

#[derive(Args)]
pub struct Answer {
    /// The decision's number
    #[arg(value_parser = args::id::<DecisionId>)]
    id: DecisionId,
    /// The key of the option
    key: String,
    /// A word more for whoever asked
    #[arg(long, value_name = "TEXT")]
    remark: Option<String>,
}

/// What a card says.
#[derive(Args)]
pub struct Card {
    /// What is to be decided, in one sentence
    #[arg(long, value_name = "Q")]
    question: String,
    /// An option, as key:Label or key:Label:Detail; two to nine of them
    #[arg(long = "option", value_name = "KEY:LABEL:DETAIL", required = true, value_parser = |text: &str| text.parse::<Choice>())]
    options: Vec<Choice>,
    /// When the default is taken: RFC 3339, "2026-03-01 09:00" or 09:00 (local time), or a time from now such as 2h
    #[arg(long, value_name = "TIME", value_parser = args::instant)]
    deadline: Option<Timestamp>,
    /// The key of the option that holds when nobody answers in time
    #[arg(long, value_name = "KEY", requires = "deadline")]
    default: Option<String>,
}

/// Runs a verb.
///
/// # Errors
/// As each verb says.
pub fn run(cx: &mut Context, verb: Verb) -> Result {
    match verb {
        Verb::Ls(l) => ls(cx, l.all),
        Verb::Show(o) => show(cx, o.id),
        Verb::Ask(card) => ask(cx, card, None),
        Verb::Answer(a) => settle(cx, Command::Answer { decision: a.id, key: a.key, remark: a.remark }, a.id),
        Verb::Cancel(o) => settle(cx, Command::CancelDecision { decision: o.id }, o.id),
    }
}

/// Puts a card before the operator. Inside a job, the job waits for it; else the task does.
///
/// # Errors
/// A card that nobody could answer; a task that is not there or another project's; nobody who would wait; the database.
pub fn ask(cx: &mut Context, card: Card, task: Option<TaskId>) -> Result {
    let mut store = cx.writer()?;
    let project = match task {
        None => None,
        Some(id) => {
            let found = store.task(id)?;
            let found = found.ok_or_else(|| CliError::not_found(format!("there is no task {id}")).hint("`orc task ls` lists them"))?;
            Some((id, found.project_id))
        }
    };
    let who = cx.permit(&mut store, &Act::Ask(project))?;
    let mut question = Question {
        question: card.question,
        choices: card.options,
        deadline: card.deadline,
        default: card.default,
        task,
        project: project.map(|(_, p)| p),
        job: None,
        attempt: None,
    };
    match &who {
        Actor::Worker(inside) => {
            question.job = Some(inside.job);
            question.attempt = Some(inside.attempt);
        }
        _ if task.is_none() => {
            return Err(CliError::usage("nobody would wait for the answer")
                .hint("`orc task ask ID …` asks for a task; `decision ask` is for a process inside a job"));
        }
        _ => {}
    }
    let now = cx.now();
    let id = store.write(|tx| tx.ask(&question, &who.to_string(), now))?;
    cx.wake()?;
    if cx.out.json { cx.out.value(&json!({ "id": id })) } else { cx.out.line(&format!("decision {id}")) }
}

fn settle(cx: &mut Context, command: Command, id: DecisionId) -> Result {
    let mut store = cx.writer()?;
    known(&store, id)?;
    let message = cx.apply(&mut store, &command)?;
    cx.wake()?;
    if cx.out.json { cx.out.value(&known(&store, id)?) } else { cx.out.done(&message) }
}

fn ls(cx: &mut Context, all: bool) -> Result {
    let cards = cx.reader()?.decisions(all)?;
    if cx.out.json {
        return cx.out.value(&cards);
    }
    let now = cx.now();
    let mut table = Table::new(&[">ID", "QUESTION", "OPTIONS", "BY", ">AGE", "STATE"], "QUESTION");
    for card in &cards {
        table.row(vec![
            card.id.into(),
            (&card.asked.question).into(),
            card.asked.keys().into(),
            asker(card).into(),
            ages::ago(card.created_at, now).into(),
            standing(card, now).into(),
        ]);
    }
    cx.out.table(&table, if all { "nothing has been asked yet" } else { "nothing waits for an answer" })
}

fn show(cx: &mut Context, id: DecisionId) -> Result {
    let store = cx.reader()?;
    let card = known(&store, id)?;
    if cx.out.json {
        return cx.out.value(&card);
    }
    let now = cx.now();
    cx.out.fields(&[
        ("decision", id.to_string()),
        ("question", card.asked.question.clone()),
        ("asked by", asker(&card)),
        ("asked", card.created_at.to_string()),
        ("state", standing(&card, now)),
    ])?;
    cx.out.line("")?;
    let mut table = Table::new(&["KEY", "OPTION", "DETAIL"], "DETAIL");
    for c in &card.asked.choices {
        let default = card.asked.default.as_deref().is_some_and(|d| d.eq_ignore_ascii_case(&c.key));
        let chosen = card.answer.as_deref() == Some(c.key.as_str());
        let mark = if chosen {
            " (holds)"
        } else if default {
            " (default)"
        } else {
            ""
        };
        table.row(vec![(&c.key).into(), format!("{}{mark}", c.label).into(), (&c.detail).into()]);
    }
    cx.out.table(&table, "")?;
    if let Some(remark) = &card.remark {
        cx.out.line(&format!("\nthe operator adds: {remark}"))?;
    }
    if card.state == DecisionState::Open {
        cx.out.line(&format!("\n`orc decision answer {id} KEY` settles it"))?;
    }
    Ok(())
}

fn asker(card: &Decision) -> String {
    match (card.asked.job, card.asked.task) {
        (Some(job), _) => format!("{} in job {job}", card.asked_by),
        (None, Some(task)) => format!("{} for task {task}", card.asked_by),
        (None, None) => card.asked_by.clone(),
    }
}

fn standing(card: &Decision, now: Timestamp) -> String {
    match (card.state, card.asked.deadline) {
        (DecisionState::Open, Some(_)) if card.overdue(now) => "overdue".into(),
        (DecisionState::Open, Some(t)) => format!("open, until {t}"),
        (DecisionState::Answered | DecisionState::Expired, _) => {
            format!("{}: {}", card.state, card.answer.as_deref().unwrap_or("-"))
        }
        (state, _) => state.to_string(),
    }
}

fn known(store: &Store, id: DecisionId) -> Result<Decision> {
    store.decision(id)?.ok_or_else(|| CliError::not_found(format!("there is no decision {id}")).hint("`orc decision ls` lists them"))
}
