//! What the operator decides: questions, plans, projects; and what they have read.

use super::super::batches;
use crate::domain::{Command, DecisionId, ProjectState};
use crate::tui::model::{Model, View};
use crate::tui::msg::Effect;
use crate::tui::overlays::{About, Confirm, Overlay, Question, Written};
use crate::tui::screens::approvals::Item;
use crate::wire::Severity;

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

/// Opens a card: 1 to 9 answer it.
pub fn open_card(model: &mut Model, id: DecisionId) {
    let cards = &model.snapshot.cards;
    if let Some(card) = cards.iter().find(|c| c.id == id) {
        let question = Question { card: card.clone(), behind: model.approvals.behind(cards, id) };
        model.overlays.push(Overlay::Question(Box::new(question)));
    }
}

/// Approves what is selected. A plan is approved as it was seen; a project is closed, which is asked first.
pub fn approve(model: &mut Model) -> Vec<Effect> {
    match selected(model) {
        Some(Item::Plan(plan)) => {
            let Some(seen) = model.approvals.plan.as_ref().filter(|d| d.plan.id == plan).map(|d| d.plan.revision) else {
                model.say(Severity::Info, "one moment: the plan is being read");
                return Vec::new();
            };
            batches::send(model, "approve the plan", vec![Command::ApprovePlan { plan, revision: Some(seen) }])
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
            model.overlays.push(Overlay::Confirm(Confirm { title, body, verb: "approve".into(), commands, awaits: None, enrich: None }));
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
            let key = model.options.keymap.key(crate::tui::keymap::Action::Approvals);
            model.say(Severity::Info, format!("approving is for plans and projects: {key} shows what waits"));
            Vec::new()
        }
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
    model.overlays.push(Overlay::Line(Written::new(about)));
}

/// The conversation is being read: what is shown counts as seen.
pub fn read_talk(model: &mut Model) -> Vec<Effect> {
    model.approvals.reading = true;
    match model.approvals.said.last() {
        Some(last) if model.snapshot.unread > 0 && !model.options.read_only => {
            batches::send(model, "read", vec![Command::ReadConversation { up_to: last.id }])
        }
        _ => Vec::new(),
    }
}
