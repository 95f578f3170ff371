//! `orc message TEXT`, `orc message ls|show|log`

use super::ages;
use super::args;
use super::context::{Context, Engine};
use super::error::{CliError, Kind as Failure, Result};
use super::follow::Changes;
use super::job;
use super::output::{Cell, Table, Tone};
use super::project;
use super::wake::{no_engine, wake};
use crate::domain::{
    Applied, Command, Decision, DecisionId, Entry, EntryId, Message as Row, MessageId, MessageStage, Page, ProjectId, Says,
};
use crate::engine::{Channel, ChannelError, Incoming, deliver, show as show_what_was_said};
use crate::store::Store;
use clap::{Args, Subcommand};
use serde_json::json;
use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};

/// Says something, or looks at what was said.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Message {
    /// What you want to say; `-` reads it from standard input
    #[arg(value_name = "TEXT", required = true)]
    text: Option<String>,
    /// Who wrote it, where that was not you: it is then material, and starts no work without your yes
    #[arg(long, value_name = "NAME")]
    from: Option<String>,
    /// The project that work on it belongs to
    #[arg(long, value_name = "N", value_parser = args::id::<ProjectId>)]
    project_id: Option<ProjectId>,
    /// Stay and print what is said to it, until it is over or waits for you
    #[arg(long)]
    wait: bool,
    /// With --wait: for how long, such as 5m
    #[arg(long, value_name = "DUR", value_parser = args::duration, requires = "wait")]
    timeout: Option<Duration>,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// List the messages that are not over
    Ls(Ls),
    /// Show one, with all that was said to it
    Show(Show),
    /// Print the conversation
    Log(Log),
}

#[derive(Args)]
struct Ls {
    /// Those that are over too
    #[arg(long)]
    all: bool,
}

#[derive(Args)]
struct Show {
    /// The message's number
    #[arg(value_parser = args::id::<MessageId>)]
    id: MessageId,
}

#[derive(Args)]
struct Log {
    /// How much of it
    #[arg(short = 'n', long = "lines", value_name = "N", default_value_t = 30)]
    lines: usize,
    /// Count it as seen
    #[arg(long)]
    read: bool,
}

/// Runs it.
///
/// # Errors
/// As each verb says.
pub fn run(cx: &mut Context, m: Message) -> Result {
    match m.verb {
        None => send(cx, m),
        Some(Verb::Ls(l)) => ls(cx, l.all),
        Some(Verb::Show(s)) => show(cx, s.id),
        Some(Verb::Log(l)) => log(cx, &l),
    }
}

/// The command line as a channel: what is said to one message is printed as it comes.
struct Terminal<'a> {
    cx: &'a mut Context,
    message: MessageId,
    shown: BTreeSet<DecisionId>,
    /// Cards of this message.
    cards: BTreeSet<DecisionId>,
}

impl Channel for Terminal<'_> {
    fn name(&self) -> &'static str {
        COMMAND_LINE
    }

    fn says(&mut self, entry: &Entry) -> io::Result<()> {
        if entry.message != Some(self.message) || entry.says == Says::Message {
            return Ok(());
        }
        self.cards.extend(entry.decision.filter(|_| entry.says == Says::Question));
        let said = if self.cx.out.json { self.cx.out.event(entry) } else { self.cx.out.block(&format!("{}\n", entry.text.trim_end())) };
        said.and_then(|()| self.cx.out.flush()).map_err(io::Error::other)
    }

    fn asks(&mut self, card: &Decision) -> io::Result<()> {
        if !self.cards.contains(&card.id) || !self.shown.insert(card.id) || self.cx.out.json {
            return Ok(());
        }
        let options: Vec<String> = card.asked.choices.iter().map(|c| format!("  {}: {}", c.key, c.label)).collect();
        let text = format!("{}\n`orc decision answer {} KEY` answers it\n", options.join("\n"), card.id);
        self.cx.out.block(&text).and_then(|()| self.cx.out.flush()).map_err(io::Error::other)
    }
}

const COMMAND_LINE: &str = "command line";

fn send(cx: &mut Context, m: Message) -> Result {
    let text = match m.text.as_deref() {
        Some("-") => job::read(io::stdin().lock(), "standard input", "message")?,
        Some(text) => text.to_owned(),
        None => return Err(CliError::usage("say something: orc message TEXT")),
    };
    if m.wait && !wake(&cx.workspace()?.socket()) {
        // Said before it is sent, so that nobody sends it twice.
        return Err(no_engine());
    }
    cx.knock()?;
    let mut store = cx.writer()?;
    if let Some(id) = m.project_id {
        project::known(&store, id)?;
    }
    let (who, now) = (cx.who(&store)?, cx.now());
    let begun = store.conversation(Page { before: None, limit: 1 })?.first().map_or(EntryId(0), |e| e.id);
    let incoming = Incoming { text: &text, from: m.from.as_deref(), project: m.project_id };
    let mut terminal = Terminal { cx, message: MessageId(0), shown: BTreeSet::new(), cards: BTreeSet::new() };
    let id = match deliver(&mut store, &terminal, &incoming, &who, now)? {
        Applied::Sent { message } => message,
        Applied::Refused { message } | Applied::Stale { message } | Applied::Done { message, .. } => {
            return Err(CliError::refused(message));
        }
        Applied::Added { .. } | Applied::Planned { .. } => return Err(CliError::new(Failure::Failure, "the message was not taken")),
    };
    terminal.message = id;
    let met = terminal.cx.wake_or_tidy(&store)?;
    if m.wait {
        return follow(&mut terminal, &store, begun, m.timeout);
    }
    if cx.out.json {
        return cx.out.value(&json!({ "id": id }));
    }
    cx.out.line(&format!("message {id}"))?;
    if met == Engine::Absent { cx.out.aside("no engine runs: it is taken up when one does") } else { Ok(()) }
}

/// Prints what is said to a message until it is over, or nothing comes of it without the operator.
fn follow(terminal: &mut Terminal<'_>, store: &Store, begun: EntryId, timeout: Option<Duration>) -> Result {
    let deadline = timeout.map(|t| Instant::now() + t);
    let mut changes = Changes::of(terminal.cx.workspace()?)?;
    let mut after = begun;
    loop {
        let row = known(store, terminal.message)?;
        after = show_what_was_said(store, terminal, after).map_err(|e| match e {
            ChannelError::Store(e) => e.into(),
            ChannelError::Show { source, .. } => CliError::from(source),
        })?;
        // A plan that is ready, a question and a date are the operator's; its job may be, too.
        let theirs = match row.stage {
            MessageStage::Over | MessageStage::Ask | MessageStage::Wait => true,
            MessageStage::Plan => row.note.is_some(),
            MessageStage::Triage | MessageStage::Work => false,
        };
        if theirs {
            return Ok(());
        }
        if deadline.is_some_and(|d| Instant::now() >= d) {
            let text = format!("message {} is not over yet: it is at {}", row.id, row.stage);
            return Err(CliError::new(Failure::TimedOut, text).hint(format!("`orc message show {}` tells how it stands", row.id)));
        }
        changes.wait(deadline)?;
    }
}

fn ls(cx: &mut Context, all: bool) -> Result {
    let rows = cx.reader()?.messages(all, Page { before: None, limit: usize::MAX >> 1 })?;
    if cx.out.json {
        return cx.out.value(&rows);
    }
    let now = cx.now();
    let mut table = Table::new(&[">ID", "MESSAGE", "FROM", "CLASS", "WAITS FOR", ">AGE"], "MESSAGE");
    for m in &rows {
        table.row(vec![
            m.id.into(),
            m.title().into(),
            if m.is_external() { Cell::toned(Tone::Warn, &m.sender) } else { (&m.sender).into() },
            m.triage.as_ref().map_or("-", |t| t.class.as_str()).into(),
            waits(m).into(),
            ages::ago(m.received_at, now).into(),
        ]);
    }
    cx.out.table(
        &table,
        if all { "no messages yet: `orc message TEXT`" } else { "no message is open: `orc message TEXT`, or `orc message ls --all`" },
    )
}

/// What a message waits for.
fn waits(m: &Row) -> String {
    let of = |what: &str, id: Option<String>| format!("{what} {}", id.unwrap_or_default());
    match m.stage {
        MessageStage::Triage => m.note.clone().unwrap_or_else(|| "its triage".into()),
        MessageStage::Work => of("job", m.job.map(|j| j.to_string())),
        MessageStage::Plan => of("plan", m.plan.map(|p| p.to_string())),
        MessageStage::Ask => of("decision", m.decision.map(|d| d.to_string())),
        MessageStage::Wait => m.due_at.map_or_else(String::new, |t| t.to_string()),
        MessageStage::Over => "over".into(),
    }
}

fn show(cx: &mut Context, id: MessageId) -> Result {
    let store = cx.reader()?;
    let m = known(&store, id)?;
    let said = store.said_to(id)?;
    if cx.out.json {
        let mut value = serde_json::to_value(&m).map_err(io::Error::other)?;
        value["said"] = json!(said);
        return cx.out.value(&value);
    }
    let class = m.triage.as_ref().map_or_else(|| "not sorted yet".to_owned(), |t| t.class.to_string());
    let by = m.triaged_by.as_ref().map(|by| format!(" (by {by})")).unwrap_or_default();
    cx.out.fields(&[
        ("message", format!("{id}, by {}", m.channel)),
        ("from", if m.is_external() { format!("{} (from outside)", m.sender) } else { m.sender.clone() }),
        ("received", m.received_at.to_string()),
        ("class", format!("{class}{by}")),
        ("waits for", waits(&m)),
    ])?;
    for entry in &said {
        cx.out.line("")?;
        entry_block(cx, entry)?;
    }
    Ok(())
}

fn log(cx: &mut Context, l: &Log) -> Result {
    let mut store = if l.read { cx.writer()? } else { cx.reader()? };
    let mut entries = store.conversation(Page { before: None, limit: l.lines })?;
    entries.reverse();
    if cx.out.json {
        cx.out.value(&entries)?;
    } else if entries.is_empty() {
        cx.out.done("nothing was said yet: `orc message TEXT`")?;
    }
    for (i, entry) in entries.iter().enumerate().filter(|_| !cx.out.json).collect::<Vec<_>>() {
        if i > 0 {
            cx.out.line("")?;
        }
        entry_block(cx, entry)?;
    }
    match entries.last().filter(|_| l.read) {
        Some(newest) => {
            cx.apply(&mut store, &Command::ReadConversation { up_to: newest.id })?;
            cx.wake().map(drop)
        }
        None => Ok(()),
    }
}

/// An entry as people read it: who and when, then what.
fn entry_block(cx: &mut Context, e: &Entry) -> Result {
    let mark = if e.external && e.says == Says::Message { ", from outside" } else { "" };
    let new = if e.read { "" } else { ", new" };
    let head = format!("{} {}{mark} ({}{new})", e.at, e.author, e.says);
    cx.out.toned(if e.external { Tone::Warn } else { Tone::Dim }, &head)?;
    cx.out.block(&format!("{}\n", e.text.trim_end()))
}

fn known(store: &Store, id: MessageId) -> Result<Row> {
    store.message(id)?.ok_or_else(|| CliError::not_found(format!("there is no message {id}")).hint("`orc message ls --all` lists them"))
}
