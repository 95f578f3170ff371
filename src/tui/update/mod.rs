//! What happens to the model: pure, no lock, no await, no SQL, no clock.

mod answers;
mod batches;
mod commands;
mod keys;
mod places;

pub(super) use commands::{focused_job, focused_worker};

use super::model::{Model, View};
use super::msg::{Effect, Msg};
use super::overlays::Overlay;
use super::screens::job::overview::Page;
use super::screens::{approvals, costs, cron, dashboard, health, job, jobs, memory, projects, skills, workers};
use super::view::body;
use crate::domain::{Says, Timestamp, one_line};
use crate::wire::{EngineMode, Query, Severity, Snapshot};
use crossterm::event::KeyEventKind;
use std::sync::Arc;

/// Takes one message in, and says what is to be done.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    let mut effects = match msg {
        Msg::Tick { now, utc_offset } => {
            if !tick(model, now, utc_offset) {
                return Vec::new();
            }
            Vec::new()
        }
        Msg::Key(key) if key.kind == KeyEventKind::Release => return Vec::new(),
        Msg::Key(key) => keys::press(model, key),
        Msg::Paste(pasted) => {
            keys::paste(model, &pasted);
            Vec::new()
        }
        Msg::Resize(width, height) => {
            model.size = (width, height);
            Vec::new()
        }
        Msg::Snapshot(snapshot) => take_snapshot(model, snapshot),
        Msg::Answer(answer) => answers::take(model, *answer),
        Msg::EditorDone(Ok(text)) => match (model.approvals.editing.take(), model.overlays.last_mut()) {
            (Some(editing), _) => commands::edited(model, editing, &text),
            (None, overlay) => {
                match overlay {
                    Some(Overlay::Form(form)) => form.set_prompt(&text),
                    Some(Overlay::Line(line)) => line.take(&text),
                    Some(Overlay::Question(question)) => question.take(&text),
                    Some(_) => {}
                    None => {
                        if let Some(file) = model.job().and_then(|j| j.files.text())
                            && keys::for_editor(file) != text
                        {
                            let says = format!("that was a copy: {} is as it was", file.name);
                            model.say(Severity::Warn, says);
                        }
                    }
                }
                Vec::new()
            }
        },
        Msg::EditorDone(Err(why)) => {
            model.approvals.editing = None;
            model.say(Severity::Fail, why);
            Vec::new()
        }
        Msg::SteppedOut { name, release, outcome } => {
            match outcome {
                Ok(()) => model.say(Severity::Info, format!("back from the session of {name}")),
                Err(why) => model.say(Severity::Warn, format!("{name}: {why}")),
            }
            // no step for undo: the lease was not the operator's wish
            release.map(|command| Effect::Ask(Query::Command(command))).into_iter().collect()
        }
        Msg::Say(severity, text) => {
            model.say(severity, text);
            Vec::new()
        }
    };
    settle(model);
    effects.extend(wants(model));
    model.touch();
    effects
}

/// The clock went on; true if that changes what is on the screen.
fn tick(model: &mut Model, now: Timestamp, utc_offset: i32) -> bool {
    let step = if model.needs_clock() { 1_000 } else { 60_000 };
    let before = model.now;
    let zone = std::mem::replace(&mut model.utc_offset, utc_offset);
    model.now = now;
    if let Some(toast) = &mut model.toast {
        toast.since.get_or_insert(now);
    }
    let gone = model.toast.as_ref().is_some_and(|t| t.over(now));
    if gone {
        model.toast = None;
    }
    gone || zone != utc_offset || before.millis().div_euclid(step) != now.millis().div_euclid(step)
}

fn take_snapshot(model: &mut Model, snapshot: Arc<Snapshot>) -> Vec<Effect> {
    let old = std::mem::replace(&mut model.snapshot, snapshot);
    let new = model.snapshot.clone();
    // a snapshot is a little older than the last tick: figures by the second must not step back for that
    if new.at > model.now || model.now.since(new.at) > std::time::Duration::from_secs(5) {
        model.now = new.at;
    }
    let held = !model.dash.log.follow || !model.logs.follow;
    model.book.take(&new.log, held);
    model.jobs.take_snapshot(&new);
    model.workers.take_snapshot(&old, &new);
    if old.log.last().map(|l| l.id) != new.log.last().map(|l| l.id) {
        model.cron.touch();
        model.projects.touch();
    }
    model.approvals.take_snapshot(&old, &new);
    for job in &mut model.open {
        job.take_snapshot(&new);
    }
    let last = old.log.last().map_or(0, |l| l.id);
    if new.log.iter().rev().take_while(|l| l.id > last).any(|l| l.what == "skill") {
        model.skills.touch();
    }
    let (was, is) = (old.engine.mode, new.engine.mode);
    let away = |mode| matches!(mode, EngineMode::Disconnected | EngineMode::Starting);
    if away(was) && !away(is) {
        // what was asked of the engine that is gone gets no answer any more
        model.asked.clear();
        model.jobs.touch();
        model.memories.touch();
        model.cron.touch();
        model.approvals.touch();
        model.skills.touch();
        model.projects.start_over();
        model.dash.recall.touch();
        for job in &mut model.open {
            job.touch();
        }
        model.dash.log.retry();
        model.logs.retry();
        if was == EngineMode::Disconnected {
            model.say(Severity::Info, "connected again");
        }
    }
    let reminder = told(model, &old, &new);
    if old.engine.mode == EngineMode::Starting {
        return Vec::new();
    }
    let urgent = |s: &Snapshot| s.attention.iter().filter(|a| a.severity > Severity::Info).count();
    // the newest trouble: what the last snapshot did not say
    let trouble = || {
        let known = |says: &str| old.attention.iter().any(|o| o.says == says);
        let new = new.attention.iter().filter(|a| a.severity > Severity::Info).find(|a| !known(&a.says));
        new.map_or_else(|| "something needs you".to_owned(), |a| a.says.clone())
    };
    let says = approvals::newly(&old, &new).into_iter().next().or(reminder);
    let says = says.or_else(|| (urgent(&new) > urgent(&old)).then(trouble));
    says.map(|says| Effect::Bell { says }).into_iter().collect()
}

/// Tells the operator what has been said to them, wherever they are; what of it is a reminder.
fn told(model: &mut Model, old: &Snapshot, new: &Snapshot) -> Option<String> {
    let news = model.approvals.talk.news(old, new);
    let last = news.last()?;
    let reminder = news.iter().rev().find(|e| e.says == Says::Reminder).map(|e| one_line(&e.text, 200));
    // at a start all of it is old, and who reads the conversation sees it there
    let there = model.open.is_empty() && model.view == View::Approvals && model.approvals.talks();
    if old.engine.mode != EngineMode::Starting && !there {
        let key = model.options.keymap.key(super::keymap::Action::Conversation);
        let more = if news.len() > 1 { format!(" (and {} more)", news.len() - 1) } else { String::new() };
        let severity = if reminder.is_some() { Severity::Warn } else { Severity::Info };
        let text = format!("{}: {}{more} · {key} reads it", last.says, one_line(&last.text, 160));
        model.say(severity, text);
    }
    reminder
}

/// Brings every place on the screen up to date with rows and room.
pub(super) fn settle(model: &mut Model) {
    let area = body(model.size);
    let snapshot = model.snapshot.clone();
    let areas = dashboard::areas(area, &snapshot);
    let inside = |rows: u16, around: u16| usize::from(rows.saturating_sub(around));
    match model.view {
        View::Dashboard => {
            model.dash.sync(&snapshot, &areas);
            model.dash.log.sync(&model.book, areas.log.map_or(1, dashboard::inside));
            let about = areas.recall.and_then(|_| dashboard::about(model));
            let event = snapshot.log.iter().rev().find(|l| l.job == about && about.is_some()).map_or(0, |l| l.id);
            model.dash.recall.sync(about, event);
        }
        View::Jobs => model.jobs.sync(inside(area.height, jobs::AROUND)),
        View::Workers => {
            let (list, detail) = workers::areas(area);
            model.workers.sync(&snapshot, inside(list.height, 3));
            let row = model.workers.cursor.key().and_then(|id| snapshot.workers.iter().find(|w| w.id == *id));
            let page = Page {
                width: inside(detail.width, 4),
                now: model.now,
                utc_offset: model.utc_offset,
                theme: &model.options.theme,
                snapshot: &snapshot,
                projects: &model.options.choices.projects,
            };
            model.workers.lay_out(row, &page, inside(detail.height, 2));
        }
        View::Approvals => {
            let (list, detail) = approvals::areas(area);
            model.approvals.sync(&snapshot, inside(list.height, 2));
            let page = Page {
                width: inside(detail.width, 4),
                now: model.now,
                utc_offset: model.utc_offset,
                theme: &model.options.theme,
                snapshot: &snapshot,
                projects: &model.options.choices.projects,
            };
            model.approvals.lay_out(&page, inside(detail.height, 2));
        }
        View::Memory => {
            let (list, detail) = memory::areas(area);
            let bar = u16::from(model.snapshot.reembedding.is_some());
            model.memories.sync(inside(list.height, 4 + bar));
            let page = Page {
                width: inside(detail.width, 4),
                now: model.now,
                utc_offset: model.utc_offset,
                theme: &model.options.theme,
                snapshot: &snapshot,
                projects: &model.options.choices.projects,
            };
            model.memories.lay_out(&page, inside(detail.height, 2));
        }
        View::Cron => {
            let (list, detail) = cron::areas(area);
            model.cron.sync(inside(list.height, 3));
            let page = Page {
                width: inside(detail.width, 4),
                now: model.now,
                utc_offset: model.utc_offset,
                theme: &model.options.theme,
                snapshot: &snapshot,
                projects: &model.options.choices.projects,
            };
            model.cron.lay_out(&page, inside(detail.height, 2));
        }
        View::Logs => model.logs.sync(&model.book, inside(area.height, 2)),
        View::Skills => {
            let (list, detail) = skills::areas(area);
            model.skills.sync(inside(list.height, 3));
            let page = Page {
                width: inside(detail.width, 4),
                now: model.now,
                utc_offset: model.utc_offset,
                theme: &model.options.theme,
                snapshot: &snapshot,
                projects: &model.options.choices.projects,
            };
            model.skills.lay_out(&page, inside(detail.height, 3));
        }
        View::Projects => {
            let (list, detail) = projects::areas(area, model.projects.reading);
            model.projects.sync(inside(list.height, 3));
            let page = Page {
                width: inside(detail.width, 4),
                now: model.now,
                utc_offset: model.utc_offset,
                theme: &model.options.theme,
                snapshot: &snapshot,
                projects: &model.options.choices.projects,
            };
            model.projects.lay_out(&page, inside(detail.height, 2));
        }
        View::Costs => {
            model.costs.take_spent(snapshot.today.tokens);
            let (_, bars) = costs::areas(area, &model.costs);
            model.costs.sync(inside(bars.height, 4));
        }
        View::Health => {
            let (list, detail) = health::areas(area);
            model.health.sync(inside(list.height, 2), inside(detail.width, 4), inside(detail.height, 2), &model.options.theme);
        }
    }
    if let Some(open) = model.open.last_mut() {
        let (overview, reading) = job::reading_area(area);
        let page = Page {
            width: 0,
            now: model.now,
            utc_offset: model.utc_offset,
            theme: &model.options.theme,
            snapshot: &snapshot,
            projects: &model.options.choices.projects,
        };
        open.sync(page, overview, reading);
    }
}

/// Asks for what the screen shows and does not have, each thing once.
fn wants(model: &mut Model) -> Vec<Effect> {
    // nobody is there to answer yet, or any more
    if matches!(model.snapshot.engine.mode, EngineMode::Disconnected | EngineMode::Starting) {
        return Vec::new();
    }
    let mut effects = Vec::new();
    if let Some(open) = model.open.last_mut() {
        if let Some(query) = open.wants()
            && ask(&mut model.asked, &query, &mut effects)
        {
            open.asked(&query);
        }
    } else {
        match model.view {
            View::Dashboard => {
                if let Some(query) = model.dash.log.wants(&model.book) {
                    ask(&mut model.asked, &query, &mut effects);
                }
                if let Some(query) = model.dash.recall.wants()
                    && ask(&mut model.asked, &query, &mut effects)
                {
                    model.dash.recall.asked();
                }
            }
            View::Approvals => {
                if let Some(query) = model.approvals.wants(&model.snapshot)
                    && ask(&mut model.asked, &query, &mut effects)
                {
                    model.approvals.asked(&query);
                }
                effects.extend(commands::seen(model));
            }
            View::Memory => {
                let busy = model.asked.iter().any(|q| matches!(q, Query::Memories { .. } | Query::MemorySearch { .. }));
                if let Some(query) = model.memories.wants().filter(|_| !busy)
                    && ask(&mut model.asked, &query, &mut effects)
                {
                    model.memories.asked();
                }
            }
            View::Cron => {
                let busy = model.asked.iter().any(|q| matches!(q, Query::Cron { .. }));
                if let Some(query) = model.cron.wants(model.now).filter(|_| !busy)
                    && ask(&mut model.asked, &query, &mut effects)
                {
                    model.cron.asked();
                }
            }
            View::Skills => {
                let busy = model.asked.iter().any(|q| matches!(q, Query::Skills | Query::Skill { .. }));
                if let Some(query) = model.skills.wants().filter(|_| !busy)
                    && ask(&mut model.asked, &query, &mut effects)
                {
                    model.skills.asked(&query);
                }
            }
            View::Projects => {
                let busy = model.asked.iter().any(|q| matches!(q, Query::Projects | Query::Project { .. }));
                let wanted = [model.projects.wants().filter(|_| !busy), model.projects.wants_disk()];
                for query in wanted.into_iter().flatten() {
                    if ask(&mut model.asked, &query, &mut effects) {
                        model.projects.asked(&query);
                    }
                }
            }
            View::Costs => {
                let busy = model.asked.iter().any(|q| matches!(q, Query::Costs { .. }));
                if let Some(query) = model.costs.wants().filter(|_| !busy)
                    && ask(&mut model.asked, &query, &mut effects)
                {
                    model.costs.asked();
                }
            }
            View::Health => {
                if let Some(query) = model.health.wants()
                    && ask(&mut model.asked, &query, &mut effects)
                {
                    model.health.asked();
                }
            }
            View::Logs => {
                if let Some(query) = model.logs.wants(&model.book) {
                    ask(&mut model.asked, &query, &mut effects);
                }
            }
            View::Jobs => {
                // one page at a time: what changes or is typed meanwhile is asked for when it has come
                let busy = model.asked.iter().any(|q| matches!(q, Query::Jobs { .. }));
                if let Some(query) = model.jobs.wants().filter(|_| !busy)
                    && ask(&mut model.asked, &query, &mut effects)
                {
                    model.jobs.asked();
                }
            }
            View::Workers => {
                if let Some(query) = model.workers.wants()
                    && ask(&mut model.asked, &query, &mut effects)
                {
                    model.workers.asked();
                }
            }
        }
    }
    effects
}

/// Asks, unless the same question is still open.
fn ask(asked: &mut Vec<Query>, query: &Query, effects: &mut Vec<Effect>) -> bool {
    if asked.contains(query) {
        return false;
    }
    asked.push(query.clone());
    effects.push(Effect::Ask(query.clone()));
    true
}
