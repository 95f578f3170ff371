//! Where the operator is: going to a view, into what is focused, and out again.

use super::commands;
use super::keys::set_filter;
use crate::domain::JobId;
use crate::tui::model::{Model, View};
use crate::tui::msg::Effect;
use crate::tui::screens::approvals::Item;
use crate::tui::screens::dashboard::{LaneItem, Pane};
use crate::tui::screens::job::{JobScreen, Tab};
use crate::tui::widgets::{Cursor, Jump};
use crate::wire::Severity;

pub(super) fn go(model: &mut Model, view: View) {
    if model.view == View::Jobs && view != View::Jobs {
        model.jobs.left();
    }
    if view == View::Workers && model.view != View::Workers {
        // what matters is at the top
        model.workers.cursor = Cursor::default();
    }
    let came = view == View::Approvals && model.view != View::Approvals;
    if came && model.approvals.selected() == Some(Item::Talk) {
        // the talk is last: whoever comes for what waits begins with the first
        model.approvals.cursor = Cursor::default();
        model.approvals.reading = false;
    }
    model.open.clear();
    model.projects.from_approvals = false;
    model.view = view;
}

pub(super) fn open_job(model: &mut Model, id: JobId, tab: Option<Tab>) {
    if model.open.last().is_some_and(|j| j.id == id) {
        if let (Some(open), Some(tab)) = (model.open.last_mut(), tab) {
            open.show(tab);
        }
        return;
    }
    let running = model.snapshot.workers.iter().any(|w| w.live.as_ref().is_some_and(|l| l.job == id));
    let mut screen = JobScreen::new(id, running);
    if let Some(tab) = tab {
        screen.show(tab);
    }
    model.open.push(screen);
}

pub(super) fn open(model: &mut Model) -> Vec<Effect> {
    if let Some(screen) = model.open.last_mut() {
        let whole = screen.tab == Tab::Transcript && screen.transcript.selected().is_some_and(|b| !b.folds());
        if whole {
            model.say(Severity::Info, "this is shown in full: there is nothing to unfold");
            return Vec::new();
        }
        if let Some(id) = screen.open() {
            open_job(model, id, None);
        }
        return Vec::new();
    }
    if model.view == View::Projects {
        open_in_project(model);
        return Vec::new();
    }
    if model.view == View::Approvals {
        match (model.approvals.selected(), model.approvals.doc.jump().filter(|_| model.approvals.reading)) {
            (_, Some(Jump::Job(id))) => open_job(model, id, None),
            (_, Some(Jump::Task(_))) => _ = model.approvals.fold(),
            (Some(Item::Card(id)), _) => commands::open_card(model, id),
            (Some(Item::Talk), _) => commands::talk(model),
            (Some(Item::Project(id)), _) => {
                go(model, View::Projects);
                model.projects.open(id);
                model.projects.from_approvals = true;
            }
            _ => model.approvals.reading = true,
        }
        return Vec::new();
    }
    if model.view == View::Workers && model.workers.reading {
        if let Some(Jump::Job(id)) = model.workers.doc.jump() {
            open_job(model, id, None);
        }
        return Vec::new();
    }
    if model.view == View::Costs {
        if let Some(id) = model.costs.open() {
            open_job(model, id, None);
        }
        return Vec::new();
    }
    if model.view == View::Health {
        return Vec::new();
    }
    if let Some(id) = commands::focused_job(model) {
        open_job(model, id, None);
        return Vec::new();
    }
    match (model.view, model.dash.pane) {
        (View::Dashboard, Pane::Workers) => {
            if let Some(id) = model.dash.workers.key().copied() {
                go(model, View::Workers);
                model.workers.cursor.select(id);
            }
        }
        (View::Dashboard, Pane::Lanes) => {
            let lane = match model.dash.lanes.key() {
                Some(LaneItem::Lane(lane)) => format!("lane:{}", lane.number()),
                _ => String::new(),
            };
            go(model, View::Jobs);
            model.jobs.narrow(0, &lane);
        }
        (View::Workers, _) => model.workers.reading = true,
        (View::Memory, _) => model.memories.reading = true,
        (View::Cron, _) => model.say(Severity::Info, "it has made no job yet"),
        (View::Skills, _) => model.skills.reading = true,
        _ => model.say(Severity::Info, "this line belongs to no job"),
    }
    Vec::new()
}

/// Into the selected project, or where its line leads.
fn open_in_project(model: &mut Model) {
    let (job, file) = (model.projects.job(), model.projects.file());
    match (job, file) {
        (Some(id), Some(name)) => {
            open_job(model, id, Some(Tab::Files));
            if let Some(open) = model.open.last_mut() {
                open.files.open_named(&name);
            }
        }
        (Some(id), None) => open_job(model, id, None),
        (None, _) if model.projects.reading => model.say(Severity::Info, "this line leads nowhere: jobs, files and branches open"),
        (None, _) => model.projects.reading = model.projects.selected().is_some(),
    }
}

/// One step out: a filter, marks, an opened job, then the dashboard.
pub(super) fn back(model: &mut Model) {
    if model.open.last_mut().is_some_and(JobScreen::back) || model.open.pop().is_some() {
        return;
    }
    let filtered = match model.view {
        View::Jobs => !model.jobs.filter.is_empty(),
        View::Approvals => false,
        View::Workers => !model.workers.filter.is_empty(),
        View::Memory => !model.memories.filter.is_empty() && !model.memories.reading,
        View::Cron => !model.cron.filter.is_empty() && !model.cron.reading,
        View::Logs => !model.logs.filter.is_empty(),
        View::Skills => !model.skills.filter.is_empty() && !model.skills.reading,
        View::Projects if model.projects.reading && model.projects.from_approvals => {
            model.projects.reading = false;
            return go(model, View::Approvals);
        }
        View::Projects => !model.projects.filter.is_empty() && !model.projects.reading,
        View::Costs if model.costs.back() => return,
        View::Costs | View::Health => false,
        View::Dashboard => !model.dash.log.filter.is_empty(),
    };
    if filtered {
        set_filter(model, "");
    } else if model.view == View::Jobs && !model.jobs.marks.is_empty() {
        model.jobs.marks.clear();
    } else if model.view == View::Memory && model.memories.reading {
        model.memories.reading = false;
    } else if model.view == View::Cron && model.cron.reading {
        model.cron.reading = false;
    } else if model.view == View::Approvals && model.approvals.reading {
        model.approvals.reading = false;
    } else if model.view == View::Skills && model.skills.reading {
        model.skills.reading = false;
    } else if model.view == View::Projects && model.projects.reading {
        model.projects.reading = false;
    } else if model.view == View::Workers && model.workers.reading {
        model.workers.reading = false;
    } else if model.view == View::Dashboard {
        model.dash.log.follow = true;
    } else {
        go(model, View::Dashboard);
    }
}
