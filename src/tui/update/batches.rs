//! Commands on their way: sent together, answered one by one, taken back as one.

use crate::domain::Command;
use crate::tui::keymap::Action;
use crate::tui::model::{Batch, Model, Undo};
use crate::tui::msg::Effect;
use crate::tui::text;
use crate::wire::{Query, Severity};

/// Undo steps that are kept.
const UNDO: usize = 50;

/// Sends commands, as one step for undo.
pub fn send(model: &mut Model, label: impl Into<String>, commands: Vec<Command>) -> Vec<Effect> {
    send_(model, label.into(), commands, false)
}

fn send_(model: &mut Model, label: String, commands: Vec<Command>, undoing: bool) -> Vec<Effect> {
    if model.options.read_only {
        model.say(Severity::Warn, "this console only watches: start it without `--watch` to act");
        return Vec::new();
    }
    if commands.is_empty() {
        return Vec::new();
    }
    model.batches.push(Batch {
        label,
        open: commands.clone(),
        done: 0,
        message: String::new(),
        undo: Vec::new(),
        problems: Vec::new(),
        undoing,
    });
    commands.into_iter().map(|c| Effect::Ask(Query::Command(c))).collect()
}

/// A command came back: with a message and what undoes it, or with why not.
pub fn finished(model: &mut Model, command: &Command, result: Result<(String, Option<Command>), String>) {
    let Some(i) = model.batches.iter().position(|b| b.open.contains(command)) else { return };
    let batch = &mut model.batches[i];
    if let Some(at) = batch.open.iter().position(|c| c == command) {
        batch.open.remove(at);
    }
    match result {
        Ok((message, undo)) => {
            batch.done += 1;
            batch.message = message;
            batch.undo.extend(undo);
        }
        Err(problem) => batch.problems.push(problem),
    }
    close(model, i);
}

/// A command is not to be answered any more (it is asked again).
pub fn forget(model: &mut Model, command: &Command) {
    if let Some(i) = model.batches.iter().position(|b| b.open.contains(command)) {
        model.batches[i].open.retain(|c| c != command);
        close(model, i);
    }
}

/// Ends a batch whose last command is answered: says what became of it, and remembers how to undo it.
fn close(model: &mut Model, i: usize) {
    if !model.batches[i].open.is_empty() {
        return;
    }
    let batch = model.batches.remove(i);
    if matches!(batch.label.as_str(), "dispatch") && batch.done > 0 {
        model.draft = None;
    }
    let undoable = !batch.undo.is_empty() && !batch.undoing;
    let key = model.options.keymap.key(Action::Undo);
    let hint = if undoable { format!(" ({key} undoes it)") } else { String::new() };
    match (batch.done, batch.problems.as_slice()) {
        (0, []) => {}
        (1, []) => model.say(Severity::Info, format!("{}{hint}", batch.message)),
        (n, []) => model.say(Severity::Info, format!("{}: {}{hint}", batch.label, text::plural(n as u64, "job"))),
        (0, [problem]) => model.say(Severity::Fail, problem.clone()),
        (n, problems) => {
            let first = problems[0].clone();
            model.say(Severity::Fail, format!("{}: {n} done, {} refused: {first}", batch.label, problems.len()));
        }
    }
    if undoable {
        model.undo.push(Undo { label: batch.label, commands: batch.undo });
        if model.undo.len() > UNDO {
            model.undo.remove(0);
        }
    }
}

/// Takes the last step back.
pub fn undo(model: &mut Model) -> Vec<Effect> {
    match model.undo.pop() {
        Some(step) => send_(model, format!("undid {}", step.label), step.commands, true),
        None => {
            model.say(Severity::Info, "nothing to undo");
            Vec::new()
        }
    }
}
