//! Priorities.

use super::targets::{Target, by_id, targets};
use super::{confirm, read_first};
use crate::domain::{Command, JobId, Priority};
use crate::tui::model::Model;
use crate::tui::msg::Effect;
use crate::tui::overlays::Confirm;
use crate::tui::update::batches::send;
use crate::wire::Severity;

/// Changes the priority of what is focused or marked.
pub fn reprioritise(model: &mut Model, change: impl Fn(Priority) -> Priority) -> Vec<Effect> {
    let all = targets(model);
    set(model, &all, change)
}

/// Sets the priority of a job that was named.
pub fn priority_id(model: &mut Model, id: JobId, priority: Priority) -> Vec<Effect> {
    match by_id(model, id) {
        Some(target) => set(model, &[target], |_| priority),
        None => read_first(model, id, Command::SetPriority { job: id, priority, seen: None }, "reprioritise"),
    }
}

fn set(model: &mut Model, all: &[Target], change: impl Fn(Priority) -> Priority) -> Vec<Effect> {
    let mut commands = Vec::new();
    let mut says = Vec::new();
    for t in all.iter().filter(|t| !t.state.is_final()) {
        // a command that is on its way counts as done: pressing twice means two steps
        let current = model.batches.iter().rev().flat_map(|b| &b.open).find_map(|c| match c {
            Command::SetPriority { job, priority, .. } if *job == t.id => Some(*priority),
            _ => None,
        });
        let from = current.unwrap_or(t.priority);
        let to = change(from);
        if to != from {
            commands.push(Command::SetPriority { job: t.id, priority: to, seen: t.seen() });
            says.push(format!("#{} {from} → {to}  {}", t.id, t.title));
        }
    }
    match (commands.len(), all) {
        (_, []) => Vec::new(),
        (0, [t]) if t.state.is_final() => {
            model.say(Severity::Info, format!("job {} is {}: its priority no longer matters", t.id, t.state));
            Vec::new()
        }
        (0, _) => {
            model.say(Severity::Info, "nothing to change: already there");
            Vec::new()
        }
        (1, _) => send(model, "reprioritise", commands),
        (n, _) => {
            let hidden = says.len().saturating_sub(8);
            says.truncate(8);
            if hidden > 0 {
                says.push(format!("… and {hidden} more"));
            }
            let title = format!("Reprioritise {n} jobs?");
            confirm(model, Confirm { title, body: says, verb: "reprioritise".to_owned(), commands, awaits: None, enrich: None });
            Vec::new()
        }
    }
}
