//! Skills: pinned to a version, taken back by one.

use crate::domain::Command;
use crate::tui::model::Model;
use crate::tui::msg::Effect;
use crate::tui::update::batches::send;
use crate::wire::Severity;

/// Pins the selected skill to the version in place, or takes its pin away. It is not asked about: undo takes it back.
pub fn pin(model: &mut Model) -> Vec<Effect> {
    match model.skills.pin() {
        Some(command) => {
            let label = if matches!(command, Command::PinSkill { hash: None, .. }) { "unpin" } else { "pin" };
            send(model, label, vec![command])
        }
        None => nothing(model, "no skill with a version is selected"),
    }
}

/// Pins the selected skill to the version before the one in use.
pub fn roll_back(model: &mut Model) -> Vec<Effect> {
    match model.skills.rollback() {
        Some(command) => send(model, "roll back", vec![command]),
        None => nothing(model, "there is no version before the one in use"),
    }
}

fn nothing(model: &mut Model, says: &str) -> Vec<Effect> {
    model.say(Severity::Warn, says);
    Vec::new()
}
