//! What the operator says, and what of the conversation they have read.

use super::super::places::go;
use crate::domain::Command;
use crate::tui::keymap::Action;
use crate::tui::model::{Model, View};
use crate::tui::msg::Effect;
use crate::tui::overlays::{About, Overlay, Written};
use crate::tui::screens::approvals::Item;
use crate::wire::{Query, Severity};

/// How many messages ↑ brings back.
const KEPT: usize = 50;

/// Opens the field for a message, with what was written before at hand.
pub fn write(model: &mut Model) {
    let said = model.approvals.talk.written().map(str::to_owned);
    let mut before: Vec<String> = said.chain(model.written.iter().cloned()).collect();
    // the newest of what is there twice
    let all = before.clone();
    let mut at = 0;
    before.retain(|text| {
        at += 1;
        !all[at..].contains(text)
    });
    before.drain(..before.len().saturating_sub(KEPT));
    model.overlays.push(Overlay::Line(Box::new(Written::new(About::Message, before))));
}

/// What was sent can be brought back.
pub fn remember(model: &mut Model, line: &Written) {
    let text = line.text();
    if line.about == About::Message && !text.is_empty() {
        model.written.retain(|w| *w != text);
        model.written.push(text);
        model.written.drain(..model.written.len().saturating_sub(KEPT));
    }
}

/// So can what was dropped.
pub fn dropped(model: &mut Model, line: &Written) {
    if line.about == About::Message && !line.text().is_empty() {
        remember(model, line);
        let key = model.options.keymap.key(Action::Message);
        model.say(Severity::Info, format!("not sent; {key}, then ↑, brings it back"));
    }
}

/// Goes to the conversation, to read it.
pub fn talk(model: &mut Model) {
    go(model, View::Approvals);
    model.approvals.cursor.select(Item::Talk);
    model.approvals.reading = true;
    model.approvals.talk.look();
    // what it told of is on the screen now
    model.toast = None;
}

/// What is read on the screen, by somebody who is there, counts as seen.
pub fn seen(model: &mut Model) -> Option<Effect> {
    if model.options.read_only || !model.approvals.talks() {
        return None;
    }
    let up_to = model.approvals.talk.report(model.snapshot.unread)?;
    Some(Effect::Ask(Query::Command(Command::ReadConversation { up_to })))
}
