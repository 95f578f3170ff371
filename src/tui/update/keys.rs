//! Keys: to the topmost layer, else to the screen.

use super::{batches, commands};
use crate::domain::JobId;
use crate::tui::keymap::Action;
use crate::tui::model::{Model, View};
use crate::tui::msg::Effect;
use crate::tui::overlays::{Form, Help, Leave, Outcome, Overlay, Palette, Run};
use crate::tui::screens::dashboard::{self, LaneItem, Pane};
use crate::tui::screens::job::{JobScreen, Tab};
use crate::tui::view::body;
use crate::tui::widgets::{Cursor, Input, Jump};
use crate::wire::{EngineMode, Severity};
use crossterm::event::{KeyCode, KeyEvent};

/// Takes a key.
pub fn press(model: &mut Model, key: KeyEvent) -> Vec<Effect> {
    let action = model.options.keymap.action(key);
    match model.overlays.pop() {
        Some(overlay) => layer(model, overlay, key, action),
        None => action.map(|a| act(model, a)).unwrap_or_default(),
    }
}

/// Takes pasted text.
pub fn paste(model: &mut Model, pasted: &str) {
    match model.overlays.last_mut() {
        Some(Overlay::Form(form)) => form.paste(pasted),
        Some(Overlay::Palette(palette)) => palette.paste(pasted),
        Some(Overlay::Remember(form)) => form.paste(pasted),
        Some(Overlay::Filter { input, .. }) => {
            input.insert(pasted);
            let text = input.text().to_owned();
            set_filter(model, &text);
        }
        _ => {}
    }
}

fn layer(model: &mut Model, mut overlay: Overlay, key: KeyEvent, action: Option<Action>) -> Vec<Effect> {
    // these work everywhere, whatever is open
    match action {
        Some(Action::Redraw) => {
            model.overlays.push(overlay);
            return vec![Effect::Redraw];
        }
        Some(Action::Suspend) if !matches!(key.code, KeyCode::Char(_)) || !key.modifiers.is_empty() => {
            model.overlays.push(overlay);
            return vec![Effect::Suspend];
        }
        _ => {}
    }
    let outcome = match &mut overlay {
        Overlay::Help(help) => help.key(action),
        Overlay::Palette(palette) => palette.key(key),
        Overlay::Confirm(confirm) => confirm.key(action),
        Overlay::Form(form) => form.key(key),
        Overlay::Leave(leave) => leave.key(key, action),
        Overlay::Remember(form) => form.key(key),
        Overlay::Card(card) => card.key(key),
        Overlay::Filter { input, before } => filter_key(model, input, before, key, action),
    };
    match outcome {
        Outcome::Stay => model.overlays.push(overlay),
        Outcome::Say(text) => {
            model.overlays.push(overlay);
            model.say(Severity::Warn, text);
        }
        Outcome::Editor(text) => {
            model.overlays.push(overlay);
            return vec![Effect::OpenEditor { text }];
        }
        Outcome::Close => {
            if let Overlay::Form(form) = overlay {
                if !form.prompt().trim().is_empty() {
                    let key = model.options.keymap.key(Action::Dispatch);
                    model.say(Severity::Info, format!("the draft is kept ({key} opens it again)"));
                }
                model.draft = Some(form);
            }
        }
        Outcome::Run(run) => {
            if let Overlay::Form(form) = overlay {
                if model.options.read_only {
                    model.overlays.push(Overlay::Form(form));
                    return do_(model, run);
                }
                // until the engine has taken it, nothing that was written is lost
                model.draft = Some(form);
            }
            return do_(model, run);
        }
    }
    Vec::new()
}

fn filter_key(model: &mut Model, input: &mut Input, before: &str, key: KeyEvent, action: Option<Action>) -> Outcome {
    match key.code {
        KeyCode::Enter => return Outcome::Close,
        KeyCode::Esc => {
            set_filter(model, before);
            return Outcome::Close;
        }
        // the list can be walked while the filter is typed
        KeyCode::Up | KeyCode::Down | KeyCode::PageUp | KeyCode::PageDown => {
            if let Some(action) = action {
                moved(model, action);
            }
        }
        KeyCode::Backspace if input.text().is_empty() => return Outcome::Close,
        _ if action == Some(Action::Quit) && !key.modifiers.is_empty() => {
            set_filter(model, before);
            return Outcome::Close;
        }
        _ => {
            if input.key(key) {
                set_filter(model, input.text());
            }
        }
    }
    Outcome::Stay
}

/// Does what a layer asked for.
fn do_(model: &mut Model, run: Run) -> Vec<Effect> {
    match run {
        Run::Action(action) => act(model, action),
        Run::Effect(effect) => vec![effect],
        Run::OpenJob(id) => {
            open_job(model, id, None);
            Vec::new()
        }
        Run::Why(id) => {
            open_job(model, id, Some(Tab::Overview));
            Vec::new()
        }
        Run::Kill(id) => commands::kill_id(model, id),
        Run::Retry(id) => commands::retry_id(model, id),
        Run::SetPriority(Some(id), p) => commands::priority_id(model, id, p),
        Run::SetPriority(None, p) => commands::reprioritise(model, |_| p),
        Run::Filter(text) => {
            set_filter(model, &text);
            Vec::new()
        }
        Run::Step(worker) => commands::step_id(model, worker),
        Run::Drain => commands::drain(model),
        Run::Send { commands, label } => {
            model.jobs.marks.clear();
            batches::send(model, label, commands)
        }
    }
}

/// Does what a key means on the screen.
fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    match action {
        Action::Dashboard => go(model, View::Dashboard),
        Action::Jobs => go(model, View::Jobs),
        Action::Workers => go(model, View::Workers),
        Action::Memory => {
            go(model, View::Memory);
            model.memories.touch();
        }
        Action::Logs => go(model, View::Logs),
        Action::Open => return open(model),
        Action::Back => back(model),
        Action::Dispatch => {
            let choices = &model.options.choices;
            let form = match model.draft.take() {
                Some(mut form) => {
                    form.refresh(choices, &model.snapshot);
                    form
                }
                None => Box::new(Form::new(choices, &model.snapshot)),
            };
            model.overlays.push(Overlay::Form(form));
        }
        Action::Raise => return commands::reprioritise(model, crate::domain::Priority::raised),
        Action::Lower => return commands::reprioritise(model, crate::domain::Priority::lowered),
        Action::Kill if model.open.is_empty() && model.view == View::Memory => return commands::forget(model),
        Action::Kill => return commands::kill(model),
        Action::Veto => return commands::veto(model),
        Action::Edit => return commands::edit(model),
        Action::Settle => return commands::settle(model),
        Action::Retry => return commands::retry(model),
        Action::Pause => return commands::pause(model),
        Action::PauseEngine => return commands::pause_engine(model),
        Action::Step => return commands::step(model),
        Action::Undo => return batches::undo(model),
        Action::Mark => {
            if model.open.is_empty() && model.view == View::Jobs {
                model.jobs.mark();
            } else {
                model.say(Severity::Info, "marks are for the list of jobs");
            }
        }
        Action::Filter => match filter(model) {
            Some(before) => model.overlays.push(Overlay::Filter { input: Input::new(before.clone()), before }),
            None => model.say(Severity::Info, "nothing to filter here"),
        },
        Action::Palette => {
            let palette = Palette::new(model);
            model.overlays.push(Overlay::Palette(palette));
        }
        Action::Copy => return copy(model),
        Action::Help => model.overlays.push(Overlay::Help(Help::default())),
        Action::Redraw => return vec![Effect::Redraw],
        Action::Suspend => return vec![Effect::Suspend],
        Action::Quit => return quit(model),
        Action::Follow if model.open.is_empty() => match log_in_focus(model) {
            Some(log) => log.toggle_follow(),
            None => model.say(Severity::Info, "f follows or freezes a log or a transcript"),
        },
        _ => {
            moved(model, action);
        }
    }
    Vec::new()
}

/// Moves within the focused place.
fn moved(model: &mut Model, action: Action) -> bool {
    if let Some(open) = model.open.last_mut() {
        return open.moved(action);
    }
    match model.view {
        View::Dashboard => {
            let snapshot = model.snapshot.clone();
            let areas = dashboard::areas(body(model.size), &snapshot);
            model.dash.moved(action, &snapshot, &areas)
        }
        View::Jobs => {
            let action = match action {
                Action::NextPane => Action::Right,
                Action::PreviousPane => Action::Left,
                other => other,
            };
            model.jobs.moved(action)
        }
        View::Workers => model.workers.moved(action),
        View::Memory => model.memories.moved(action),
        View::Logs => model.logs.moved(action),
    }
}

fn go(model: &mut Model, view: View) {
    if model.view == View::Jobs && view != View::Jobs {
        model.jobs.left();
    }
    if view == View::Workers && model.view != View::Workers {
        // what matters is at the top
        model.workers.cursor = Cursor::default();
    }
    model.open.clear();
    model.view = view;
}

/// The log that has the focus.
fn log_in_focus(model: &mut Model) -> Option<&mut crate::tui::screens::logs::LogView> {
    match model.view {
        View::Logs => Some(&mut model.logs),
        View::Dashboard => {
            // the tail is the only thing there that flows
            Some(&mut model.dash.log)
        }
        _ => None,
    }
}

/// The filter of what is on the screen, if it has one.
fn filter(model: &mut Model) -> Option<String> {
    if !model.open.is_empty() {
        return None;
    }
    match model.view {
        View::Jobs => Some(model.jobs.filter.clone()),
        View::Workers => Some(model.workers.filter.clone()),
        View::Memory => Some(model.memories.filter.clone()),
        View::Logs => Some(model.logs.filter.clone()),
        View::Dashboard => {
            model.dash.pane = Pane::Log;
            Some(model.dash.log.filter.clone())
        }
    }
}

fn set_filter(model: &mut Model, text: &str) {
    match model.view {
        View::Jobs => {
            let tab = model.jobs.tab;
            model.jobs.narrow(tab, text);
        }
        View::Workers => model.workers.filter = text.to_owned(),
        View::Memory => {
            let tab = model.memories.tab;
            model.memories.narrow(tab, text);
        }
        View::Logs => model.logs.set_filter(text),
        View::Dashboard => model.dash.log.set_filter(text),
    }
}

fn open_job(model: &mut Model, id: JobId, tab: Option<Tab>) {
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

fn open(model: &mut Model) -> Vec<Effect> {
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
    if model.view == View::Workers && model.workers.reading {
        if let Some(Jump::Job(id)) = model.workers.doc.jump() {
            open_job(model, id, None);
        }
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
        _ => model.say(Severity::Info, "this line belongs to no job"),
    }
    Vec::new()
}

/// One step out: a filter, marks, an opened job, then the dashboard.
fn back(model: &mut Model) {
    if model.open.pop().is_some() {
        return;
    }
    let filtered = match model.view {
        View::Jobs => !model.jobs.filter.is_empty(),
        View::Workers => !model.workers.filter.is_empty(),
        View::Memory => !model.memories.filter.is_empty() && !model.memories.reading,
        View::Logs => !model.logs.filter.is_empty(),
        View::Dashboard => !model.dash.log.filter.is_empty(),
    };
    if filtered {
        set_filter(model, "");
    } else if model.view == View::Jobs && !model.jobs.marks.is_empty() {
        model.jobs.marks.clear();
    } else if model.view == View::Memory && model.memories.reading {
        model.memories.reading = false;
    } else if model.view == View::Workers && model.workers.reading {
        model.workers.reading = false;
    } else if model.view == View::Dashboard {
        model.dash.log.follow = true;
    } else {
        go(model, View::Dashboard);
    }
}

fn copy(model: &mut Model) -> Vec<Effect> {
    let found = if let Some(open) = model.job() {
        open.copy()
    } else {
        let line = match (model.view, model.dash.pane) {
            (View::Logs, _) => model.logs.selected(&model.book),
            (View::Dashboard, Pane::Log) => model.dash.log.selected(&model.book),
            _ => None,
        };
        let memory = model.memories.selected().filter(|_| model.view == View::Memory).map(|r| r.memory.text.clone());
        match (line, commands::focused_job(model), commands::focused_worker(model)) {
            _ if memory.is_some() => memory.map(|text| (text, "the memory")),
            (Some(line), ..) => Some((format!("{} {} {} {}", line.at, line.actor, line.what, line.text), "the line")),
            (None, Some(id), _) => Some((id.to_string(), "the job's id")),
            (None, None, Some(worker)) => Some((worker.name.clone(), "the worker's name")),
            _ => None,
        }
    };
    match found {
        Some((text, what)) => {
            model.say(Severity::Info, format!("{what} was sent to your clipboard"));
            vec![Effect::Copy(crate::tui::text::clean(&text).into_owned())]
        }
        None => {
            model.say(Severity::Info, "nothing to copy here");
            Vec::new()
        }
    }
}

fn quit(model: &mut Model) -> Vec<Effect> {
    if !model.options.hosting {
        return vec![Effect::Quit];
    }
    let s = &model.snapshot;
    let work = s.slots.running > 0 || s.lanes.iter().any(|l| l.queued + l.running + l.waiting > 0);
    if !work || s.engine.mode == EngineMode::Disconnected {
        return vec![Effect::EndEngineAndQuit];
    }
    model.overlays.push(Overlay::Leave(Leave));
    Vec::new()
}
