//! The bottom line: the keys that do something on the screen as it is, in words for what they do there.

use super::keymap::Action;
use super::model::{Model, View};
use super::overlays::Overlay;
use super::screens::approvals::Item;
use super::screens::dashboard::{LaneItem, Pane};
use super::screens::job::Tab;
use super::text;
use super::update::{focused_job, focused_worker};
use super::widgets::{Jump, Pen};
use crate::domain::{JobState, WorkerStatus};
use crate::wire::EngineMode;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

type Keys = Vec<(Action, &'static str)>;

/// The keys that matter on the screen as it is, most useful first, with words that say what they do here.
pub(super) fn here(model: &Model) -> Keys {
    use Action::*;
    let mut keys = match (model.job(), model.view) {
        (Some(_), _) => job(model),
        (None, View::Dashboard) => dashboard(model),
        (None, View::Jobs) => jobs(model),
        (None, View::Workers) if model.workers.reading => {
            vec![(Open, "open job"), (NextPane, "list"), (Pause, hold_worker(model)), (Back, "list")]
        }
        (None, View::Workers) => {
            let mut keys = workers(model, "detail");
            keys.extend([(NextPane, "detail"), (Filter, "filter"), (Copy, "copy name")]);
            keys
        }
        (None, View::Approvals) => approvals(model),
        (None, View::Memory) => memories(model),
        (None, View::Cron) => schedules(model),
        (None, View::Logs) => log(model, model.logs.follow),
        (None, View::Skills) => skills(model),
        (None, View::Projects) => projects(model),
        (None, View::Costs) => costs(model),
        (None, View::Health) => vec![(Retry, "look again"), (Down, "next component")],
    };
    if model.snapshot.unread > 0 && !(model.open.is_empty() && model.view == View::Approvals) {
        keys.insert(0, (Conversation, "read what was said"));
    }
    if !model.undo.is_empty() {
        keys.push((Undo, "undo"));
    }
    keys
}

fn job(model: &Model) -> Keys {
    use Action::*;
    let Some(open) = model.job() else { return Vec::new() };
    let over = open.detail.as_ref().is_some_and(|d| d.job.state.is_final());
    let mut keys = match open.tab {
        Tab::Transcript => {
            vec![(Open, "unfold"), (Follow, if open.transcript.follow { "freeze" } else { "follow" }), (FoldAll, "unfold all")]
        }
        Tab::Overview => vec![(Open, "open")],
        Tab::Memory => match open.recalled() {
            Some(r) => vec![(Veto, if r.vetoed { "lift the veto" } else { "veto for this job" })],
            None => Vec::new(),
        },
        Tab::Files if open.files.text().is_some() => vec![(Back, "list"), (Editor, "in your editor")],
        Tab::Files if open.files.reading() => vec![(Back, "list")],
        Tab::Files if !open.files.is_empty() => vec![(Open, "open")],
        _ => Vec::new(),
    };
    keys.push((NextPane, "next part"));
    if over {
        keys.extend([(Retry, "retry"), (Step, "step into its session")]);
    } else {
        keys.extend([(Kill, "kill"), (Raise, "raise"), (Lower, "lower")]);
    }
    keys.push((Copy, "copy"));
    if !keys.iter().any(|(a, _)| *a == Back) {
        keys.push((Back, "back"));
    }
    keys
}

fn projects(model: &Model) -> Keys {
    use Action::*;
    let m = &model.projects;
    let mut keys = Vec::new();
    if !m.filter.is_empty() && !m.reading {
        keys.push((Back, "clear filter"));
    }
    let Some(row) = m.selected() else { return vec![(Message, "message"), (Dashboard, "dashboard")] };
    if row.state == crate::domain::ProjectState::PendingApproval {
        keys.extend([(Approve, "approve"), (Reject, "reject")]);
    }
    match (m.jump(), m.reading) {
        (Some(Jump::Job(_)), _) => keys.push((Open, "open job")),
        (Some(Jump::File(..)), _) => keys.push((Open, "open file")),
        (Some(Jump::Diff(_)), _) => keys.push((Open, "see the change")),
        (_, false) => keys.push((Open, "in full")),
        _ => {}
    }
    if m.reading {
        keys.push((Back, if m.from_approvals { "approvals" } else { "list" }));
    }
    match m.job().and_then(|id| m.row(id)) {
        Some(job) if job.state.is_final() => keys.push((Retry, "retry")),
        Some(_) => keys.push((Kill, "kill")),
        None => keys.push((Retry, "look again")),
    }
    if !m.reading {
        keys.push((Filter, "filter"));
    }
    keys
}

fn schedules(model: &Model) -> Keys {
    use Action::*;
    let c = &model.cron;
    let other = if c.reading { "list" } else { "detail" };
    let Some(row) = c.selected() else { return vec![(Filter, "filter"), (NextPane, other)] };
    let mut keys = Vec::new();
    if c.job().is_some() {
        keys.push((Open, if c.reading { "open job" } else { "last job" }));
    }
    keys.extend([(Mark, if row.enabled { "switch off" } else { "switch on" }), (RunNow, "run now"), (NextPane, other), (Filter, "filter")]);
    keys
}

fn dashboard(model: &Model) -> Keys {
    use Action::*;
    let s = &model.snapshot;
    let mut keys = match model.dash.pane {
        Pane::Lanes => {
            let on = model.dash.lanes.key();
            let paused = s.lanes.iter().any(|l| {
                l.paused && on.is_some_and(|on| *on == LaneItem::Lane(l.lane) || l.next.iter().any(|j| *on == LaneItem::Job(j.id)))
            });
            let hold = if paused { "resume lane" } else { "pause lane" };
            match on {
                Some(LaneItem::Job(_)) => {
                    vec![
                        (Open, "open"),
                        (Dispatch, "dispatch"),
                        (Projects, "projects"),
                        (Pause, hold),
                        (Kill, "kill"),
                        (Raise, "raise"),
                        (Lower, "lower"),
                    ]
                }
                _ => vec![(Open, "its jobs"), (Dispatch, "dispatch"), (Projects, "projects"), (Pause, hold)],
            }
        }
        Pane::Workers => workers(model, "open").into_iter().chain([(Projects, "projects")]).collect(),
        Pane::Budget => {
            let paused = model.dash.backends.key().is_some_and(|name| s.backends.iter().any(|b| b.name == *name && b.pause.is_some()));
            vec![(Dispatch, "dispatch"), (Projects, "projects"), (Pause, if paused { "resume backend" } else { "pause backend" })]
        }
        Pane::Recall => match model.dash.recall.selected() {
            Some(r) => vec![(Veto, if r.vetoed { "lift the veto" } else { "veto for this job" }), (Open, "its job")],
            None => vec![(Dispatch, "dispatch")],
        },
        Pane::Log => {
            let mut keys = log(model, model.dash.log.follow);
            keys.extend([(Dispatch, "dispatch"), (Projects, "projects")]);
            keys
        }
    };
    let all = if s.engine.mode == EngineMode::Paused { "resume all" } else { "pause all" };
    keys.extend([(NextPane, "next pane"), (PauseEngine, all)]);
    keys
}

fn jobs(model: &Model) -> Keys {
    use Action::*;
    let row = model.jobs.cursor.key().and_then(|id| model.jobs.row(*id));
    let mut keys = match row.map(|r| r.state) {
        None => vec![(Dispatch, "dispatch"), (Projects, "projects"), (Filter, "filter"), (Right, "next tab")],
        Some(state) if state.is_final() && model.jobs.marks.is_empty() => {
            vec![
                (Open, "open"),
                (Dispatch, "dispatch"),
                (Projects, "projects"),
                (Retry, "retry"),
                (Filter, "filter"),
                (Mark, "mark"),
                (Right, "next tab"),
            ]
        }
        Some(state) => {
            let mut keys =
                vec![(Open, "open"), (Dispatch, "dispatch"), (Projects, "projects"), (Kill, "kill"), (Filter, "filter"), (Mark, "mark")];
            keys.push((Right, "next tab"));
            if state != JobState::Running {
                keys.extend([(Raise, "raise"), (Lower, "lower")]);
            }
            if !model.jobs.marks.is_empty() {
                keys.push((Retry, "retry"));
            }
            keys
        }
    };
    if row.is_some() {
        keys.push((Copy, "copy id"));
    }
    if !model.jobs.filter.is_empty() || !model.jobs.marks.is_empty() {
        keys.insert(0, (Back, if model.jobs.filter.is_empty() { "clear marks" } else { "clear filter" }));
    }
    keys
}

fn log(model: &Model, follow: bool) -> Keys {
    use Action::*;
    let mut keys = Vec::new();
    if focused_job(model).is_some() {
        keys.push((Open, "open job"));
    }
    keys.extend([(Follow, if follow { "freeze" } else { "follow" }), (Filter, "filter"), (Top, "older"), (Bottom, "newest")]);
    keys.push((Copy, "copy line"));
    keys
}

fn approvals(model: &Model) -> Keys {
    use Action::*;
    let a = &model.approvals;
    let jump = a.doc.jump().filter(|_| a.reading);
    let mut keys = match (a.selected(), jump) {
        (_, Some(Jump::Job(_))) => vec![(Open, "open job")],
        (Some(Item::Plan(_)), Some(Jump::Task(_))) => vec![(Open, "unfold or fold"), (FoldAll, "all")],
        (Some(Item::Card(_)), _) => vec![(Open, "answer")],
        (Some(Item::Project(_)), _) => vec![(Open, "open")],
        (Some(Item::Plan(_)), _) if a.reading => Vec::new(),
        (Some(Item::Talk), _) if a.reading => Vec::new(),
        _ => vec![(Open, "read")],
    };
    match a.selected() {
        Some(Item::Plan(_)) => keys.extend([(Approve, "approve"), (Reject, "reject"), (Edit, "edit")]),
        Some(Item::Project(_)) => keys.extend([(Approve, "approve"), (Reject, "reject")]),
        _ => {}
    }
    keys.extend([(Projects, "projects"), (Message, "message"), (NextPane, if a.reading { "list" } else { "in full" })]);
    keys
}
fn costs(model: &Model) -> Keys {
    use Action::*;
    let c = &model.costs;
    let mut keys = Vec::new();
    if c.selected().is_some() {
        keys.push((Open, if c.by() == crate::domain::CostBy::Job { "open job" } else { "its jobs" }));
    }
    if c.within.is_some() {
        keys.push((Back, "back"));
    }
    keys.extend([(Right, "by something else"), (Retry, "add up again")]);
    keys
}

fn memories(model: &Model) -> Keys {
    use Action::*;
    let m = &model.memories;
    let mut keys = Vec::new();
    if !m.filter.is_empty() {
        keys.push((Back, "clear search"));
    }
    keys.push((Filter, "search"));
    if let Some(row) = m.selected() {
        keys.extend([(Edit, "edit"), (Kill, if row.memory.forgotten_at.is_some() { "restore" } else { "forget" })]);
        if row.memory.superseded_by.is_some() {
            keys.push((Settle, "settle"));
        }
        keys.push((Copy, "copy"));
    }
    keys.extend([(Right, "next kind"), (NextPane, if m.reading { "list" } else { "in full" })]);
    keys
}

fn skills(model: &Model) -> Keys {
    use Action::*;
    let m = &model.skills;
    let mut keys = Vec::new();
    if !m.filter.is_empty() {
        keys.push((Back, "clear filter"));
    }
    if m.job().is_some() {
        keys.push((Open, "open job"));
    } else if m.selected().is_some() && !m.reading {
        keys.push((Open, "read"));
    }
    if let Some(row) = m.selected() {
        keys.push((Pause, if row.hold.pin.is_some() { "unpin" } else { "pin" }));
    }
    if m.rollback().is_some() {
        keys.push((Retry, "roll back"));
    }
    keys.extend([(Right, "next part"), (Filter, "filter"), (NextPane, if m.reading { "list" } else { "in full" })]);
    keys
}

fn hold_worker(model: &Model) -> &'static str {
    match focused_worker(model) {
        Some(w) if w.status == WorkerStatus::Paused => "resume worker",
        _ => "pause worker",
    }
}

/// What can be done with the worker that has the focus.
fn workers(model: &Model, idle: &'static str) -> Keys {
    use Action::*;
    let Some(w) = focused_worker(model) else { return vec![(Dispatch, "dispatch")] };
    let hold = hold_worker(model);
    match (&w.live, &w.session) {
        (Some(_), _) => vec![(Open, "open job"), (Pause, hold), (Kill, "kill job"), (Dispatch, "dispatch")],
        (None, Some(_)) => vec![(Open, idle), (Step, "step into its session"), (Pause, hold), (Dispatch, "dispatch")],
        (None, None) => vec![(Open, idle), (Pause, hold), (Dispatch, "dispatch")],
    }
}

/// The bottom line: the keys that matter, or the field that is being typed into.
pub(super) fn key_line(model: &Model, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let t = model.theme();
    let keys = &model.options.keymap;
    let mut pen = Pen::new(buf, area, 0);
    pen.gap(1);
    let fixed: &[(&str, &str)] = match model.overlays.last() {
        Some(Overlay::Filter { input, .. }) => {
            pen.put("/", t.accent);
            let hint = "enter keeps · esc undoes · ↑↓ move ";
            let wide = area.width >= 70;
            let room = pen.left().saturating_sub(if wide { text::width(hint) as u16 + 2 } else { 1 });
            let x = input.draw(&mut pen, room, t.text);
            if wide {
                pen.skip_to_right(text::width(hint) as u16).put(hint, t.dim);
            }
            return Some(Position { x, y: area.y });
        }
        Some(Overlay::Help(_)) => &[("↑↓", "scroll"), ("esc", "close")],
        Some(Overlay::Palette(_)) => &[("enter", "run"), ("tab", "complete"), ("↑↓", "choose"), ("esc", "close")],
        Some(Overlay::Confirm(_)) => &[("enter", "yes"), ("esc", "no")],
        Some(Overlay::Form(_)) => {
            &[("ctrl-s", "dispatch"), ("tab", "next field"), ("↑↓", "choose"), ("ctrl-o", "editor"), ("esc", "close, keep the draft")]
        }
        Some(Overlay::Remember(_)) => &[("ctrl-s", "save"), ("tab", "next field"), ("esc", "leave it as it was")],
        Some(Overlay::Card(_)) => &[("1", "the newer"), ("2", "the older"), ("3", "both"), ("esc", "later")],
        Some(Overlay::Question(q)) if q.is_written() => &[("enter", "keep it"), ("ctrl-o", "editor"), ("esc", "no remark")],
        Some(Overlay::Question(_)) => &[("1-9", "answer"), ("r", "add a remark"), ("↑↓", "scroll"), ("esc", "later")],
        Some(Overlay::Line(_)) => {
            &[("enter", "send"), ("alt-enter", "new line"), ("ctrl-o", "editor"), ("↑", "earlier"), ("esc", "drop it")]
        }
        Some(Overlay::Leave(_)) => &[("enter", "hand over"), ("e", "end the engine"), ("esc", "stay")],
        None => &[],
    };
    let mut hint = |key: &str, label: &str, reserve: u16| {
        let width = (text::width(key) + text::width(label)) as u16 + 1;
        if key.is_empty() || pen.left() < width + reserve {
            return;
        }
        pen.put(key, t.accent).put(" ", t.dim).put(label, t.dim).gap(2);
    };
    for (key, label) in fixed {
        hint(key, label, 0);
    }
    if fixed.is_empty() {
        let last = [(Action::Palette, "commands"), (Action::Help, "help"), (Action::Quit, "leave")];
        let width = |a: Action, label: &str| (text::width(&keys.key(a)) + text::width(label)) as u16 + 3;
        let reserve: u16 = last.iter().map(|(a, l)| width(*a, l)).sum();
        for (action, label) in here(model) {
            hint(&keys.key(action), label, reserve);
        }
        for (action, label) in last {
            hint(&keys.key(action), label, 0);
        }
    }
    None
}
