//! Putting finished jobs back into the queue.

use super::targets::{Target, by_id, targets};
use super::{confirm, list, read_first, stays};
use crate::domain::{Command, JobId, JobState};
use crate::tui::model::Model;
use crate::tui::msg::Effect;
use crate::tui::overlays::Confirm;
use crate::tui::update::batches::send;
use crate::wire::Severity;

/// Puts finished jobs back into the queue. Asks for several, and for one that was done.
pub fn retry(model: &mut Model) -> Vec<Effect> {
    let all = targets(model);
    let over: Vec<Target> = all.iter().filter(|t| t.state.is_final()).cloned().collect();
    let commands: Vec<Command> = over.iter().map(|t| Command::Retry { job: t.id, seen: t.seen() }).collect();
    match (over.as_slice(), all.first()) {
        ([], Some(t)) => {
            model.say(Severity::Info, format!("job {} is {}: only a finished job is retried", t.id, t.state));
            Vec::new()
        }
        ([], None) => Vec::new(),
        ([one], _) if one.state != JobState::Done => send(model, "retry", commands),
        ([one], _) => {
            let body = vec![one.title.clone(), "It ended well; it will run again from its beginning.".to_owned()];
            confirm(
                model,
                Confirm {
                    title: format!("Run job {} again?", one.id),
                    body,
                    verb: "retry".to_owned(),
                    commands,
                    awaits: None,
                    enrich: None,
                },
            );
            Vec::new()
        }
        (many, _) => {
            let mut body = Vec::new();
            list(&many.iter().collect::<Vec<_>>(), &mut body);
            if all.len() > many.len() {
                body.push(stays(all.len() - many.len(), "not over"));
            }
            let title = format!("Retry {} jobs?", many.len());
            confirm(model, Confirm { title, body, verb: "retry".to_owned(), commands, awaits: None, enrich: None });
            Vec::new()
        }
    }
}

/// Retries a job that was named.
pub fn retry_id(model: &mut Model, id: JobId) -> Vec<Effect> {
    match by_id(model, id) {
        Some(t) if t.state.is_final() => send(model, "retry", vec![Command::Retry { job: id, seen: t.seen() }]),
        Some(t) => {
            model.say(Severity::Info, format!("job {id} is {}: only a finished job is retried", t.state));
            Vec::new()
        }
        None => read_first(model, id, Command::Retry { job: id, seen: None }, "retry"),
    }
}
