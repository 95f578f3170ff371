//! Memories: forgotten, changed, settled, kept away from a job.

use crate::domain::Command;
use crate::tui::model::{Model, View};
use crate::tui::msg::Effect;
use crate::tui::overlays::{Card, Overlay, Palette, Remember};
use crate::tui::screens::dashboard::Pane;
use crate::tui::update::batches::send;
use crate::wire::{Query, Severity};

/// Forgets the selected memory, or brings it back. It is not asked about: undo takes it back.
pub fn forget(model: &mut Model) -> Vec<Effect> {
    match model.memories.forget() {
        Some(command) => {
            let label = if matches!(command, Command::ForgetMemory { .. }) { "forget" } else { "restore" };
            send(model, label, vec![command])
        }
        None => nothing(model, "no memory is selected here"),
    }
}

/// Opens the form for the selected memory.
pub fn edit(model: &mut Model) -> Vec<Effect> {
    if let Some(refused) = watching(model) {
        return refused;
    }
    match here(model).and_then(|m| m.memories.selected()) {
        Some(row) => {
            let form = Remember::new(&row.memory);
            model.overlays.push(Overlay::Remember(Box::new(form)));
            Vec::new()
        }
        None => nothing(model, "no memory is selected here"),
    }
}

/// Opens the card of a memory that a newer one has superseded.
pub fn settle(model: &mut Model) -> Vec<Effect> {
    if let Some(refused) = watching(model) {
        return refused;
    }
    let older = here(model).and_then(|m| m.memories.selected()).map(|r| r.memory.clone());
    match older.and_then(|m| Some((m.superseded_by?, m))) {
        Some((by, older)) => {
            model.overlays.push(Overlay::Card(Box::new(Card { older, newer: None })));
            let query = Query::Memory { memory: by };
            model.asked.retain(|q| *q != query);
            model.asked.push(query.clone());
            vec![Effect::Ask(query)]
        }
        None => nothing(model, "no newer memory contradicts this one"),
    }
}

/// Keeps the recalled memory under the cursor away from its job's next attempts, or lets it come again. Of a memory in the list, the
/// palette asks which job is meant.
pub fn veto(model: &mut Model) -> Vec<Effect> {
    if let Some(m) = here(model).and_then(|m| m.memories.selected()).map(|r| r.memory.id) {
        if let Some(refused) = watching(model) {
            return refused;
        }
        let palette = Palette::typed(model, "memory veto");
        if palette.offers(&format!(" {m}")) {
            model.overlays.push(Overlay::Palette(palette));
            return Vec::new();
        }
        return nothing(model, "no job runs or is next that it could be kept away from");
    }
    let found = match model.job() {
        Some(open) => open.recalled(),
        None => model.dash.recall.selected().filter(|_| model.focus(Pane::Recall)),
    };
    let found = found.map(|r| (r.job, r.memory, !r.vetoed));
    match found {
        Some((job, memory, on)) => send(model, if on { "veto" } else { "lift veto" }, vec![Command::VetoMemory { job, memory, on }]),
        None => nothing(model, "v vetoes a memory: one that a job was given, or one of the list of memories"),
    }
}

fn here(model: &Model) -> Option<&Model> {
    (model.open.is_empty() && model.view == View::Memory).then_some(model)
}

fn watching(model: &mut Model) -> Option<Vec<Effect>> {
    model.options.read_only.then(|| nothing(model, "this console only watches: start it without `--watch` to act"))
}

fn nothing(model: &mut Model, says: &str) -> Vec<Effect> {
    model.say(Severity::Warn, says);
    Vec::new()
}
