//! What the operator decides: questions, plans, projects.

use super::super::batches;
use super::super::places::go;
use super::confirm;
use crate::domain::{Command, DecisionId, MOST_TASKS, PlanId, ProjectState, plan_of};
use crate::tui::keymap::Action;
use crate::tui::model::{Model, View};
use crate::tui::msg::Effect;
use crate::tui::overlays::{About, Confirm, Overlay, Question, Written};
use crate::tui::screens::approvals::{Draft, Editing, Item, begins};
use crate::wire::{PlanDetail, Severity};

fn selected(model: &Model) -> Option<Item> {
    match model.view {
        _ if !model.open.is_empty() => None,
        View::Approvals => model.approvals.selected(),
        View::Projects => {
            let row = model.projects.selected().filter(|r| r.state == ProjectState::PendingApproval)?;
            Some(Item::Project(row.id))
        }
        _ => None,
    }
}

/// The selected plan, where it has been read.
fn plan(model: &Model, id: PlanId) -> Option<&PlanDetail> {
    model.approvals.plan.as_deref().filter(|d| d.plan.id == id)
}

fn say(model: &mut Model, severity: Severity, text: impl Into<String>) -> Vec<Effect> {
    model.say(severity, text);
    Vec::new()
}

/// Opens a card: 1 to 9 answer it.
pub fn open_card(model: &mut Model, id: DecisionId) {
    let cards = &model.snapshot.cards;
    if let Some(card) = cards.iter().find(|c| c.id == id) {
        let question = Question::new(card.clone(), model.approvals.behind(cards, id));
        model.overlays.push(Overlay::Question(Box::new(question)));
    }
}

/// Approves what is selected, as it was seen. It is asked first, with what follows: jobs start at once, and a project is closed.
pub fn approve(model: &mut Model) -> Vec<Effect> {
    match selected(model) {
        Some(Item::Plan(id)) => {
            let Some(d) = plan(model, id) else { return say(model, Severity::Info, "one moment: the plan is being read") };
            let commands = vec![Command::ApprovePlan { plan: id, revision: Some(d.plan.revision) }];
            let (title, body) = (format!("Approve plan {id}?"), begins(d, &model.options.choices.projects));
            confirm(model, Confirm { title, body, verb: "approve".into(), commands, awaits: None, enrich: None });
            Vec::new()
        }
        Some(Item::Project(project)) => {
            let Some(p) = model.snapshot.pending.iter().find(|p| p.id == project) else { return Vec::new() };
            let open = p.jobs - p.done - p.failed;
            let mut body = vec![format!("{} is closed: {} of {} jobs done.", p.title, p.done, p.jobs)];
            if open > 0 {
                body.push(format!("{open} of its jobs are not over yet; they go on."));
            }
            let commands = vec![Command::ApproveProject { project, remark: None }];
            let title = format!("Approve project {project}?");
            confirm(model, Confirm { title, body, verb: "approve".into(), commands, awaits: None, enrich: None });
            Vec::new()
        }
        Some(Item::Card(id)) => {
            open_card(model, id);
            Vec::new()
        }
        None if model.view == View::Projects && model.open.is_empty() => {
            model.say(Severity::Info, not_asked(model));
            Vec::new()
        }
        Some(Item::Talk) | None => {
            let key = model.options.keymap.key(Action::Approvals);
            say(model, Severity::Info, format!("approving is for plans and projects: {key} shows what waits"))
        }
    }
}

/// Goes to something that waits, wherever the operator is; false, and said, where it does not wait.
pub fn show(model: &mut Model, item: Item) -> bool {
    let s = &model.snapshot;
    let waits = match item {
        Item::Card(id) => s.cards.iter().any(|c| c.id == id),
        Item::Plan(id) => s.plans.iter().any(|p| p.id == id),
        Item::Project(id) => s.pending.iter().any(|p| p.id == id),
        Item::Talk => true,
    };
    if !waits {
        model.say(Severity::Warn, "it does not wait for you any more");
        return false;
    }
    go(model, View::Approvals);
    model.approvals.cursor.select(item);
    model.approvals.reading = false;
    true
}

/// Goes to something that was named, and approves it; a question is opened.
pub fn approve_it(model: &mut Model, item: Item) -> Vec<Effect> {
    if !show(model, item) {
        return Vec::new();
    }
    match item {
        // asked when it has come: nobody approves what was not on the screen
        Item::Plan(id) if plan(model, id).is_none() => {
            model.approvals.approves = Some(id);
            Vec::new()
        }
        _ => approve(model),
    }
}

/// Goes to something that was named, and asks why it goes back.
pub fn reject_it(model: &mut Model, item: Item) {
    if show(model, item) {
        reject(model);
    }
}

/// Why there is nothing to say yes or no to in the selected project.
fn not_asked(model: &Model) -> String {
    match model.projects.selected() {
        Some(r) => {
            let verb = if r.state == ProjectState::Approved { "reopen" } else { "submit" };
            format!("project {} does not wait for your word: `:{verb} project {}` {verb}s it", r.id, r.id)
        }
        None => "no project is selected".to_owned(),
    }
}

/// Asks why what is selected goes back.
pub fn reject(model: &mut Model) {
    let about = match selected(model) {
        Some(Item::Plan(plan)) => About::RejectPlan(plan),
        Some(Item::Project(project)) => About::RejectProject(project),
        Some(Item::Card(_)) => return model.say(Severity::Info, "a question is answered with one of its options: enter opens it"),
        None if model.view == View::Projects && model.open.is_empty() => return model.say(Severity::Info, not_asked(model)),
        Some(Item::Talk) | None => return model.say(Severity::Info, "rejecting is for plans and projects"),
    };
    model.overlays.push(Overlay::Line(Box::new(Written::new(about, Vec::new()))));
}

/// Goes to a plan that was named, and opens it in the external editor.
pub fn edit_it(model: &mut Model, id: PlanId) -> Vec<Effect> {
    if show(model, Item::Plan(id)) { edit_plan(model) } else { Vec::new() }
}

/// Opens the selected plan in the external editor, as JSON; or what was made of it there and not taken.
pub fn edit_plan(model: &mut Model) -> Vec<Effect> {
    let Some(Item::Plan(id)) = selected(model) else {
        return say(model, Severity::Info, "e changes a plan: none is selected here");
    };
    if model.options.read_only {
        return say(model, Severity::Warn, "this console only watches: start it without `--watch` to act");
    }
    let Some(d) = plan(model, id) else { return say(model, Severity::Info, "one moment: the plan is being read") };
    let (revision, document) = (d.plan.revision, d.plan.document.clone());
    let Some(before) = document.and_then(|document| serde_json::to_string_pretty(&document).ok()) else {
        return say(model, Severity::Info, format!("plan {id} has no tasks yet"));
    };
    let text = model.approvals.drafts.get(&id).map_or_else(|| before.clone(), |draft| draft.text.clone());
    model.approvals.editing = Some(Editing { plan: id, revision, before });
    vec![Effect::OpenEditor { text }]
}

/// What the editor left of a plan: sent if it is one, else kept with what is wrong.
pub fn edited(model: &mut Model, editing: Editing, text: &str) -> Vec<Effect> {
    let Editing { plan, revision, before } = editing;
    if text.trim() == before.trim() {
        model.approvals.drafts.remove(&plan);
        return say(model, Severity::Info, format!("plan {plan} is as it was"));
    }
    model.approvals.drafts.insert(plan, Draft { text: text.to_owned(), why: String::new() });
    match plan_of(text, MOST_TASKS) {
        Ok(document) => {
            let command = Command::EditPlan { plan, document: Box::new(document), revision: Some(revision) };
            batches::send(model, "change the plan", vec![command])
        }
        Err(e) => {
            let why = format!("that is no plan: {e}");
            let key = model.options.keymap.key(Action::Edit);
            model.say(Severity::Fail, format!("{why} · your text is kept, {key} goes on with it"));
            keep_plan(model, plan, &why)
        }
    }
}

/// A changed plan was not taken: what was typed stays, here and in a file.
pub fn keep_plan(model: &mut Model, plan: PlanId, why: &str) -> Vec<Effect> {
    let Some(draft) = model.approvals.drafts.get_mut(&plan) else { return Vec::new() };
    why.clone_into(&mut draft.why);
    vec![Effect::Keep { name: format!("plan-{plan}.json"), text: draft.text.clone() }]
}
