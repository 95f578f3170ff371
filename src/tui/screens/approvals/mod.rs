//! What waits for the operator: questions, plans, projects; and the conversation. A list, and the selected one in full.

mod pages;
mod view;

pub use view::{areas, draw};

use super::dashboard::movement;
use super::job::overview::Page as Sheet;
use crate::domain::{Decision, DecisionId, Entry, Page, PlanId, ProjectId};
use crate::tui::keymap::Action;
use crate::tui::widgets::{Cursor, Doc};
use crate::wire::{PlanDetail, Query, Snapshot};

/// How much of the conversation is shown.
const SAID: usize = 100;

/// Something in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    Card(DecisionId),
    Plan(PlanId),
    Project(ProjectId),
    /// What was said and answered; it is always there, last.
    Talk,
}

/// Where the operator is among what waits.
#[derive(Default)]
pub struct Approvals {
    pub items: Vec<Item>,
    pub cursor: Cursor<Item>,
    pub plan: Option<Box<PlanDetail>>,
    /// The newest of the conversation, oldest first.
    pub said: Vec<Entry>,
    said_loaded: bool,
    /// An open card that was just answered: the engine has not taken it off yet.
    answered: Vec<DecisionId>,
    pub doc: Doc,
    /// The one in full has the focus.
    pub reading: bool,
    stale: bool,
}

/// How many wait: what the badge says.
pub fn waiting(s: &Snapshot) -> usize {
    s.cards.len() + s.plans.len() + s.pending.len()
}

/// True where something waits that did not wait before.
pub fn newly(old: &Snapshot, new: &Snapshot) -> bool {
    new.cards.iter().any(|c| !old.cards.iter().any(|o| o.id == c.id))
        || new.plans.iter().any(|p| !old.plans.iter().any(|o| o.id == p.id))
        || new.pending.iter().any(|p| !old.pending.iter().any(|o| o.id == p.id))
}

impl Approvals {
    /// What the cursor is on.
    pub fn selected(&self) -> Option<Item> {
        self.cursor.key().copied()
    }

    /// Takes a snapshot: what is shown in full may be old.
    pub fn take_snapshot(&mut self, old: &Snapshot, new: &Snapshot) {
        if old.plans != new.plans {
            self.stale = true;
        }
        if old.said != new.said || old.unread != new.unread {
            self.said_loaded = false;
        }
        self.answered.retain(|id| new.cards.iter().any(|c| c.id == *id));
    }

    /// Brings rows and place up to date.
    pub fn sync(&mut self, s: &Snapshot, height: usize) {
        let cards = s.cards.iter().map(|c| c.id).filter(|id| !self.answered.contains(id)).map(Item::Card);
        let plans = s.plans.iter().map(|p| Item::Plan(p.id));
        let projects = s.pending.iter().map(|p| Item::Project(p.id));
        self.items = cards.chain(plans).chain(projects).chain([Item::Talk]).collect();
        self.cursor.sync(&self.items, height);
    }

    /// What to ask for.
    pub fn wants(&self) -> Option<Query> {
        match self.selected()? {
            Item::Plan(plan) => {
                let have = self.plan.as_ref().is_some_and(|d| d.plan.id == plan);
                (!have || self.stale).then_some(Query::Plan { plan })
            }
            Item::Talk => (!self.said_loaded).then_some(Query::Conversation { page: Page { before: None, limit: SAID } }),
            Item::Card(_) | Item::Project(_) => None,
        }
    }

    /// A question has gone out.
    pub fn asked(&mut self, query: &Query) {
        match query {
            Query::Plan { .. } => self.stale = false,
            _ => self.said_loaded = true,
        }
    }

    /// The engine is another one: everything is asked for again.
    pub fn touch(&mut self) {
        (self.stale, self.said_loaded) = (true, false);
    }

    /// Takes a plan in full.
    pub fn take_plan(&mut self, plan: Box<PlanDetail>) {
        self.plan = Some(plan);
    }

    /// Takes the newest of the conversation.
    pub fn take_said(&mut self, mut said: Vec<Entry>) {
        said.sort_by_key(|e| e.id);
        self.said = said;
    }

    /// A card is answered: the next one that waits.
    pub fn next_card(&mut self, s: &Snapshot, answered: DecisionId) -> Option<DecisionId> {
        self.answered.push(answered);
        let next = s.cards.iter().map(|c| c.id).find(|id| !self.answered.contains(id));
        if let Some(id) = next {
            self.cursor.select(Item::Card(id));
        }
        next
    }

    /// How many cards wait besides this one.
    pub fn behind(&self, cards: &[Decision], id: DecisionId) -> usize {
        cards.iter().filter(|c| c.id != id && !self.answered.contains(&c.id)).count()
    }

    /// Moves, if the action is a movement.
    pub fn moved(&mut self, action: Action) -> bool {
        if matches!(action, Action::NextPane | Action::PreviousPane | Action::Left | Action::Right) {
            self.reading = !self.reading;
            return true;
        }
        if !self.reading {
            return movement(&mut self.cursor, &self.items, action);
        }
        let page = self.doc.cursor.height.saturating_sub(1).max(1) as isize;
        match action {
            Action::Up => self.doc.step(-1),
            Action::Down => self.doc.step(1),
            Action::PageUp => self.doc.step(-page),
            Action::PageDown => self.doc.step(page),
            Action::Top => self.doc.go(0),
            Action::Bottom => self.doc.go(usize::MAX),
            _ => return false,
        }
        true
    }

    /// Lays the selected one out.
    pub fn lay_out(&mut self, sheet: &Sheet<'_>, height: usize) {
        let (lines, flows) = match self.selected() {
            Some(Item::Card(id)) => (pages::card(id, sheet), false),
            Some(Item::Plan(id)) => (pages::plan(id, self.plan.as_deref().filter(|d| d.plan.id == id), sheet), false),
            Some(Item::Project(id)) => (pages::project(id, sheet), false),
            Some(Item::Talk) => (pages::talk(&self.said, sheet), !self.reading),
            None => (Vec::new(), false),
        };
        self.doc.set(lines, height);
        if flows {
            self.doc.go(usize::MAX);
        }
    }
}
