//! What the palette offers for memories.

use super::palette::{Entry, Run, entry};
use crate::domain::{Category, Command, JobId, Kind, MemoryId, Settle};
use crate::tui::keymap::Action;
use crate::tui::model::{Model, View};
use crate::tui::text;

fn send(command: Command, label: &str) -> Run {
    Run::Send { commands: vec![command], label: label.to_owned() }
}

/// What can be done by name: to the selected memory, or with an argument that is still to be typed.
pub fn entries(model: &Model) -> Vec<Entry> {
    let mut all = Vec::new();
    let keyed = |words: String, help: &str, action: Action| Entry {
        words,
        help: help.to_owned(),
        key: model.options.keymap.key(action),
        run: Run::Action(action),
    };
    let selected = model.memories.selected().filter(|_| model.view == View::Memory && model.open.is_empty());
    if let Some(m) = selected.map(|r| &r.memory) {
        all.push(keyed(format!("memory edit {}", m.id), "the selected one, in a form", Action::Edit));
        if m.superseded_by.is_some() {
            all.push(keyed(format!("memory settle {}", m.id), "which of the two holds", Action::Settle));
        }
        all.extend(jobs(model).into_iter().map(|(job, title)| veto(job, m.id, &title)));
    }
    let review = model.cron.view.rows.iter().find(|r| r.kind == Kind::Consolidate);
    if let Some(command) = review.and_then(|r| model.cron.run(&r.name)) {
        all.push(entry("memory consolidate", "review what happened since the last review", send(command, "memory consolidate")));
    }
    for (words, help) in [
        ("memory add <text>", "remember a fact"),
        ("memory forget <id>", "take it out of what is recalled"),
        ("memory restore <id>", "bring a forgotten one back"),
        ("memory settle <id> <which>", "newer, older or both of the two holds"),
        ("memory veto <job> <id>", "keep a memory away from a job's next attempts"),
    ] {
        // never run: Enter asks for the argument
        all.push(entry(words, help, Run::Action(Action::Palette)));
    }
    all
}

/// Jobs that a memory can be kept away from: those that run, then those that are next.
fn jobs(model: &Model) -> Vec<(JobId, String)> {
    let s = &model.snapshot;
    let running = s.workers.iter().filter_map(|w| w.live.as_ref()).map(|l| (l.job, l.title.clone()));
    running.chain(s.lanes.iter().flat_map(|l| &l.next).map(|j| (j.id, j.title.clone()))).collect()
}

fn veto(job: JobId, memory: MemoryId, title: &str) -> Entry {
    let words = format!("memory veto {job} {memory}");
    let command = Command::VetoMemory { job, memory, on: true };
    entry(words.clone(), text::clean_line(title).into_owned(), send(command, &words))
}

/// A command on memories that was spelled out: the words after `memory`.
pub fn spelled(rest: &str) -> Vec<Entry> {
    let (verb, argument) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let argument = argument.trim();
    if verb == "add" && !argument.is_empty() {
        let command = Command::AddMemory { text: argument.to_owned(), category: Category::Fact, importance: 0.5 };
        return vec![entry(format!("memory add {argument}"), "remember it as a fact", send(command, "memory add"))];
    }
    let mut words = argument.split_whitespace();
    let number = |word: Option<&str>| word.and_then(|w| w.trim_start_matches(['m', '#']).parse::<i64>().ok());
    let (first, second) = (number(words.next()), words.next());
    let Some(first) = first else { return Vec::new() };
    let memory = MemoryId(first);
    let one = |command: Command, help: &str| {
        let words = format!("memory {verb} {argument}");
        vec![entry(words.clone(), help, send(command, &words))]
    };
    match (verb, second) {
        ("forget", None) => one(Command::ForgetMemory { memory }, "it can be restored"),
        ("restore", None) => one(Command::RestoreMemory { memory }, "bring it back"),
        ("settle", Some(which)) => match which.parse::<Settle>() {
            Ok(keep) => one(Command::SettleMemory { memory, keep }, "that is what holds"),
            Err(_) => Vec::new(),
        },
        ("veto", Some(id)) => match number(Some(id)) {
            Some(id) => vec![veto(JobId(first), MemoryId(id), "keep it away from its next attempts")],
            None => Vec::new(),
        },
        _ => Vec::new(),
    }
}
