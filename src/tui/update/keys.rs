//! Keys: to the topmost layer, else to the screen.

use super::places::{back, go, open, open_job};
use super::{batches, commands};
use crate::tui::keymap::Action;
use crate::tui::model::{Model, View};
use crate::tui::msg::Effect;
use crate::tui::overlays::{About, Form, Help, Leave, Outcome, Overlay, Palette, Run, Written};
use crate::tui::screens::dashboard::{self, Pane};
use crate::tui::screens::job::Tab;
use crate::tui::view::body;
use crate::tui::widgets::Input;
use crate::wire::{EngineMode, Severity};
use crossterm::event::{KeyCode, KeyEvent};

/// Takes a key.
pub fn press(model: &mut Model, key: KeyEvent) -> Vec<Effect> {
    let action = model.options.keymap.action(key);
    if model.open.is_empty() && model.view == View::Approvals && model.approvals.talks() {
        model.approvals.talk.look();
    }
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
        Some(Overlay::Line(line)) => line.paste(pasted),
        Some(Overlay::Question(question)) => question.paste(pasted),
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
        Overlay::Question(question) => question.key(key, action, model),
        Overlay::Line(line) => line.key(key),
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
            if let Overlay::Line(line) = &overlay {
                commands::dropped(model, line);
            }
            if let Overlay::Form(form) = overlay {
                if !form.prompt().trim().is_empty() {
                    let key = model.options.keymap.key(Action::Dispatch);
                    model.say(Severity::Info, format!("the draft is kept ({key} opens it again)"));
                }
                model.draft = Some(form);
            }
        }
        Outcome::Run(run) => {
            if let Overlay::Line(line) = &overlay {
                commands::remember(model, line);
            }
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
        Run::Show(item) => {
            commands::show(model, item);
            Vec::new()
        }
        Run::Approve(item) => commands::approve_it(model, item),
        Run::Reject(item) => {
            commands::reject_it(model, item);
            Vec::new()
        }
        Run::EditPlan(plan) => commands::edit_it(model, plan),
        Run::NewPlan => {
            model.overlays.push(Overlay::Line(Box::new(Written::new(About::NewPlan, Vec::new()))));
            Vec::new()
        }
        Run::Drain => commands::drain(model),
        Run::Answer { decision, command } => {
            let effects = batches::send(model, "answer", vec![command]);
            // Several are answered in a row.
            let snapshot = model.snapshot.clone();
            if !effects.is_empty()
                && let Some(next) = model.approvals.next_card(&snapshot, decision)
            {
                commands::open_card(model, next);
            }
            effects
        }
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
        Action::Approvals => {
            go(model, View::Approvals);
            model.approvals.reading = false;
        }
        Action::Message => commands::write(model),
        Action::Conversation => commands::talk(model),
        Action::Approve => return commands::approve(model),
        Action::Reject => commands::reject(model),
        Action::Logs => go(model, View::Logs),
        Action::Cron => {
            go(model, View::Cron);
            model.cron.touch();
        }
        Action::Skills => {
            go(model, View::Skills);
            model.skills.touch();
        }
        Action::Costs => {
            go(model, View::Costs);
            model.costs.touch();
        }
        Action::Health => {
            go(model, View::Health);
            model.health.touch();
        }
        Action::Projects => {
            go(model, View::Projects);
            model.projects.reading = false;
            model.projects.touch();
        }
        Action::Editor => return read_in_editor(model),
        Action::Retry if model.open.is_empty() && model.view == View::Projects && model.projects.job().is_none() => {
            model.projects.measure();
            model.projects.touch();
        }
        Action::Retry if model.open.is_empty() && model.view == View::Costs => model.costs.touch(),
        Action::Retry if model.open.is_empty() && model.view == View::Health => model.health.touch(),
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
        Action::Mark | Action::Edit if model.open.is_empty() && model.view == View::Cron => return commands::switch_schedule(model),
        Action::RunNow => return commands::run_schedule(model),
        Action::Kill if model.open.is_empty() && model.view == View::Memory => return commands::forget(model),
        Action::Kill => return commands::kill(model),
        Action::Veto => return commands::veto(model),
        Action::Edit if model.open.is_empty() && model.view == View::Approvals => return commands::edit_plan(model),
        Action::Edit => return commands::edit(model),
        Action::Fold if model.open.is_empty() && model.view == View::Approvals => _ = model.approvals.fold(),
        Action::FoldAll if model.open.is_empty() && model.view == View::Approvals => model.approvals.fold_all(),
        Action::Settle => return commands::settle(model),
        Action::Retry if model.open.is_empty() && model.view == View::Skills => return commands::roll_back(model),
        Action::Pause if model.open.is_empty() && model.view == View::Skills => return commands::pin(model),
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
        View::Approvals => model.approvals.moved(action),
        View::Memory => model.memories.moved(action),
        View::Cron => model.cron.moved(action),
        View::Logs => model.logs.moved(action),
        View::Skills => model.skills.moved(action),
        View::Projects => model.projects.moved(action),
        View::Costs => model.costs.moved(action),
        View::Health => model.health.moved(action),
    }
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
        View::Approvals => None,
        View::Jobs => Some(model.jobs.filter.clone()),
        View::Workers => Some(model.workers.filter.clone()),
        View::Memory => Some(model.memories.filter.clone()),
        View::Cron => Some(model.cron.filter.clone()),
        View::Logs => Some(model.logs.filter.clone()),
        View::Skills => Some(model.skills.filter.clone()),
        View::Projects => Some(model.projects.filter.clone()),
        View::Costs | View::Health => None,
        View::Dashboard => {
            model.dash.pane = Pane::Log;
            Some(model.dash.log.filter.clone())
        }
    }
}

pub(super) fn set_filter(model: &mut Model, text: &str) {
    match model.view {
        View::Jobs => {
            let tab = model.jobs.tab;
            model.jobs.narrow(tab, text);
        }
        View::Approvals => {}
        View::Workers => model.workers.filter = text.to_owned(),
        View::Memory => {
            let tab = model.memories.tab;
            model.memories.narrow(tab, text);
        }
        View::Cron => model.cron.filter = text.to_owned(),
        View::Logs => model.logs.set_filter(text),
        View::Skills => model.skills.set_filter(text),
        View::Projects => model.projects.set_filter(text),
        View::Costs | View::Health => {}
        View::Dashboard => model.dash.log.set_filter(text),
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

/// The text that an editor is given: what agents wrote must not drive the terminal there either.
pub(super) fn for_editor(file: &crate::wire::FileContent) -> String {
    crate::tui::text::clean(&file.text).trim_end_matches('\n').to_owned()
}

/// Shows what is open in the operator's editor, as a copy.
fn read_in_editor(model: &mut Model) -> Vec<Effect> {
    match model.job().filter(|j| j.tab == Tab::Files).and_then(|j| j.files.text()) {
        Some(file) => vec![Effect::OpenEditor { text: for_editor(file) }],
        None => {
            model.say(Severity::Info, "the editor is for a file that is open as text: a job's part Files has them");
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
