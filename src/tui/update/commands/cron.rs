//! Schedules: switched on and off, fired now.

use crate::domain::Command;
use crate::tui::model::{Model, View};
use crate::tui::msg::Effect;
use crate::tui::update::batches::send;
use crate::wire::Severity;

/// Switches the selected schedule on or off. It is not asked about: undo takes it back.
pub fn switch_schedule(model: &mut Model) -> Vec<Effect> {
    match model.cron.selected().map(|r| (r.name.clone(), !r.enabled)) {
        Some((name, on)) => send(model, if on { "switch on" } else { "switch off" }, vec![Command::SetCron { name, enabled: Some(on) }]),
        None => nothing(model, "no schedule is selected here"),
    }
}

/// Fires the selected schedule now.
pub fn run_schedule(model: &mut Model) -> Vec<Effect> {
    if !model.open.is_empty() || model.view != View::Cron {
        return nothing(model, "this fires a schedule: go to the schedules first");
    }
    match model.cron.selected().map(|r| (r.name.clone(), r.problem.clone())) {
        Some((_, Some(problem))) => nothing(model, &problem),
        Some((name, None)) => match model.cron.run(&name) {
            Some(command) => send(model, "run now", vec![command]),
            None => nothing(model, "its job is not known yet: try again in a moment"),
        },
        None => nothing(model, "no schedule is selected here"),
    }
}

fn nothing(model: &mut Model, says: &str) -> Vec<Effect> {
    model.say(Severity::Warn, says);
    Vec::new()
}
