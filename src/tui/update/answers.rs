//! Answers from the desk find who asked for them.

use super::{batches, commands};
use crate::domain::{Applied, Command, JobId};
use crate::tui::model::Model;
use crate::tui::msg::Effect;
use crate::tui::overlays::{Confirm, Overlay};
use crate::wire::{Answer, Query, Severity};

/// Takes an answer in.
pub fn take(model: &mut Model, answer: Answer) -> Vec<Effect> {
    model.asked.retain(|q| !answers(q, &answer));
    match answer {
        Answer::Jobs { filter, page, rows, counts, more } => model.jobs.take(&filter, &page, rows, counts, more),
        Answer::Job(detail) => {
            model.jobs.refresh_row(&detail.job);
            model.approvals.take_job(&detail);
            for overlay in &mut model.overlays {
                if let Overlay::Confirm(confirm) = overlay {
                    confirm.take(&detail);
                }
            }
            if let Some(open) = model.open.iter_mut().rev().find(|j| j.id == detail.job.id) {
                open.take(*detail);
            }
        }
        Answer::Transcript { attempt, from, events, more_before, more_after } => {
            for open in model.open.iter_mut().filter(|j| j.transcript.attempt() == Some(attempt)) {
                open.transcript.take(from, &events, more_before, more_after);
            }
        }
        Answer::Log { filter, page, lines, more } => {
            model.dash.log.take(&model.book, &filter, &page, lines.clone(), more);
            model.logs.take(&model.book, &filter, &page, lines, more);
        }
        Answer::Worker(detail) => model.workers.take(detail),
        Answer::MemorySearch { text, category, found } => model.memories.take_found(&text, category, found),
        Answer::Memories { filter, page, rows, more } => model.memories.take(&filter, &page, rows, more),
        Answer::Memory(memory) => {
            for overlay in &mut model.overlays {
                if let Overlay::Card(card) = overlay {
                    card.take(&memory);
                }
            }
        }
        Answer::Recalls { job, recalls } => {
            model.dash.recall.take(job, &recalls);
            for open in model.open.iter_mut().filter(|j| j.id == job) {
                open.take_recalls(recalls.clone());
            }
        }
        Answer::Plan(plan) => {
            let wanted = model.approvals.approves.take_if(|id| *id == plan.plan.id);
            model.approvals.take_plan(plan);
            if wanted.is_some() {
                return commands::approve(model);
            }
        }
        Answer::Conversation { page, entries, more } => model.approvals.take_said(&page, entries, more),
        Answer::Plans { .. } => {}
        Answer::File(content) => {
            for open in model.open.iter_mut().filter(|j| j.id == content.job) {
                open.files.take((*content).clone());
            }
        }
        Answer::Projects(rows) => model.projects.take(rows),
        Answer::Project(detail) => model.projects.take_detail(detail),
        Answer::Disk(disk) => model.projects.take_disk(disk.project, Ok(disk)),
        Answer::Skills(rows) => model.skills.take(rows),
        Answer::Skill(detail) => model.skills.take_detail(detail),
        Answer::Costs { by, within, overview, rows } => model.costs.take(by, within.as_ref(), *overview, rows),
        Answer::Health(components) => model.health.take(components),
        Answer::Step(step) => {
            model.say(Severity::Info, format!("stepping into the session of {} …", step.name));
            return vec![Effect::StepInto(step)];
        }
        Answer::Cron { view, past, fires } => model.cron.take(*view, past.as_deref(), fires, model.now),
        Answer::Applied { command, applied } => return applied_(model, &command, applied),
        Answer::Failed { query, message } => return failed(model, query, message),
    }
    Vec::new()
}

/// True if this answers that.
fn answers(query: &Query, answer: &Answer) -> bool {
    match (query, answer) {
        (q, Answer::Failed { query, .. }) => q == query,
        (Query::Jobs { filter, page }, Answer::Jobs { filter: f, page: p, .. }) => filter == f && page == p,
        (Query::Job { job }, Answer::Job(d)) => *job == d.job.id,
        (Query::Transcript { attempt, from, .. }, Answer::Transcript { attempt: a, from: f, .. }) => attempt == a && from == f,
        (Query::Log { filter, page }, Answer::Log { filter: f, page: p, .. }) => filter == f && page == p,
        (Query::Worker { worker }, Answer::Worker(d)) => *worker == d.worker.id,
        (Query::Step { worker }, Answer::Step(s)) => *worker == s.worker,
        (Query::MemorySearch { text, category, .. }, Answer::MemorySearch { text: t, category: c, .. }) => text == t && category == c,
        (Query::Memories { filter, page }, Answer::Memories { filter: f, page: p, .. }) => filter == f && page == p,
        (Query::Memory { memory }, Answer::Memory(m)) => *memory == m.id,
        (Query::Cron { past }, Answer::Cron { past: p, .. }) => past == p,
        (Query::Costs { by, within }, Answer::Costs { by: b, within: w, .. }) => by == b && within == w,
        (Query::Health, Answer::Health(_)) => true,
        (Query::Recalls { job }, Answer::Recalls { job: j, .. }) => job == j,
        (Query::Plans { page }, Answer::Plans { page: p, .. }) => page == p,
        (Query::Plan { plan }, Answer::Plan(d)) => *plan == d.plan.id,
        (Query::Conversation { page }, Answer::Conversation { page: p, .. }) => page == p,
        (Query::File { job, name }, Answer::File(c)) => *job == c.job && *name == c.name,
        (Query::Projects, Answer::Projects(_)) => true,
        (Query::Project { project }, Answer::Project(d)) => *project == d.row.id,
        (Query::Disk { project }, Answer::Disk(d)) => *project == d.project,
        (Query::Skills, Answer::Skills(_)) => true,
        (Query::Skill { name }, Answer::Skill(d)) => *name == d.row.name,
        _ => false,
    }
}

fn failed(model: &mut Model, query: Query, message: String) -> Vec<Effect> {
    match query.clone() {
        Query::Command(command) => {
            let effects = not_taken(model, &command, &message);
            batches::finished(model, &command, Err(message));
            return effects;
        }
        Query::Jobs { .. } => model.jobs.give_up(),
        Query::Log { .. } => {
            model.dash.log.give_up();
            model.logs.give_up();
        }
        Query::Worker { worker } => model.workers.give_up(worker),
        Query::Cron { .. } => {
            model.cron.give_up(&message);
            return Vec::new();
        }
        Query::Costs { .. } => {
            model.costs.give_up(&message);
            return Vec::new();
        }
        Query::Health => {
            model.health.give_up(&message);
            return Vec::new();
        }
        Query::Plan { .. } | Query::Conversation { .. } => model.approvals.give_up(query, &message),
        Query::Step { .. } | Query::Recalls { .. } | Query::Plans { .. } => {}
        Query::Memory { .. } => model.overlays.retain(|o| !matches!(o, Overlay::Card(_))),
        Query::MemorySearch { .. } | Query::Memories { .. } => {
            // said in the pane: a toast for each letter that is typed says no more
            model.memories.give_up(&message);
            return Vec::new();
        }
        Query::File { job, name } => {
            for open in model.open.iter_mut().filter(|j| j.id == job) {
                open.files.give_up(&name, &message);
            }
            return Vec::new();
        }
        Query::Projects | Query::Project { .. } => {
            model.projects.give_up(&message);
            return Vec::new();
        }
        Query::Disk { project } => {
            model.projects.take_disk(project, Err(message));
            return Vec::new();
        }
        Query::Skills | Query::Skill { .. } => {
            model.skills.give_up(&message);
            return Vec::new();
        }
        Query::Job { job } => {
            let waits = |o: &Overlay| matches!(o, Overlay::Confirm(c) if c.awaits == Some(job));
            model.overlays.retain(|o| !waits(o));
            if let Some(open) = model.open.iter_mut().find(|j| j.id == job) {
                open.error = Some(message.clone());
            }
            model.approvals.give_up(query, &message);
        }
        Query::Transcript { attempt, .. } => {
            for open in model.open.iter_mut().filter(|j| j.transcript.attempt() == Some(attempt)) {
                open.transcript.failed = Some(message.clone());
            }
        }
    }
    model.say(Severity::Fail, message);
    Vec::new()
}

fn applied_(model: &mut Model, command: &Command, applied: Applied) -> Vec<Effect> {
    // whatever it was, lists on screen may be old now
    model.jobs.touch();
    model.memories.touch();
    model.cron.touch();
    model.skills.touch();
    model.approvals.touch();
    model.projects.touch();
    model.dash.recall.touch();
    for open in &mut model.open {
        open.touch();
    }
    match applied {
        Applied::Done { message, undo } => {
            if let Command::EditPlan { plan, .. } = command {
                model.approvals.drafts.remove(plan);
            }
            batches::finished(model, command, Ok((message, undo)));
        }
        Applied::Added { job, existing } => {
            let says = if existing { format!("job {job} is open already with the same dedup key") } else { format!("job {job} queued") };
            batches::finished(model, command, Ok((says, None)));
        }
        Applied::Planned { plan } => batches::finished(model, command, Ok((format!("plan {plan} is being made"), None))),
        Applied::Sent { .. } => batches::finished(model, command, Ok(("message sent".to_owned(), None))),
        Applied::Refused { message } => {
            let effects = not_taken(model, command, &message);
            batches::finished(model, command, Err(message));
            return effects;
        }
        Applied::Stale { message } => {
            batches::forget(model, command);
            let mut effects = not_taken(model, command, &message);
            effects.extend(ask_again(model, command.clone(), message));
            return effects;
        }
    }
    Vec::new()
}

/// A command was not done: what stood for it being done is taken back, and what was written for it is kept.
fn not_taken(model: &mut Model, command: &Command, why: &str) -> Vec<Effect> {
    match command {
        Command::Answer { decision, .. } => {
            let others = model.overlays.iter().any(|o| matches!(o, Overlay::Question(_)));
            model.approvals.not_answered(*decision, !others);
        }
        Command::EditPlan { plan, .. } => return commands::keep_plan(model, *plan, why),
        _ => {}
    }
    Vec::new()
}

/// What the operator saw no longer held: say what changed, and ask again on what is true now.
fn ask_again(model: &mut Model, command: Command, message: String) -> Vec<Effect> {
    let Some(job) = job_of(&command) else {
        model.say(Severity::Warn, message);
        return Vec::new();
    };
    let verb = commands::verb(&command);
    model.overlays.push(Overlay::Confirm(Confirm {
        title: format!("Job {job} has changed"),
        body: vec![message, format!("Still {verb}?")],
        verb: verb.to_owned(),
        commands: vec![command],
        awaits: Some(job),
        enrich: None,
    }));
    let query = Query::Job { job };
    model.asked.retain(|q| *q != query);
    model.asked.push(query.clone());
    vec![Effect::Ask(query)]
}

fn job_of(command: &Command) -> Option<JobId> {
    match command {
        Command::Kill { job, .. } | Command::Retry { job, .. } | Command::SetPriority { job, .. } => Some(*job),
        _ => None,
    }
}
