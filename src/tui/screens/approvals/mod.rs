//! What waits for the operator: questions, plans, projects; and the conversation. A list, and the selected one in full.

mod pages;
mod plan;
mod talk;
mod view;

pub use pages::{deadline, judged, kind_of};
pub use plan::{Draft, Editing, begins};
pub use talk::Talk;
pub use view::{areas, draw};

use super::dashboard::movement;
use super::job::overview::Page as Sheet;
use crate::domain::{CardKind, Decision, DecisionId, Entry, JobId, Page, PlanId, ProjectId, Review};
use crate::tui::keymap::Action;
use crate::tui::widgets::{Cursor, Doc, Jump};
use crate::wire::{JobDetail, PlanDetail, Query, Snapshot};
use std::collections::{BTreeMap, BTreeSet};

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
    pub talk: Talk,
    /// Rounds of review of the job that the selected card is about.
    rounds: Option<(JobId, Vec<Review>)>,
    /// What could not be read, and why: it is not asked for again before something changes.
    failed: Option<(Query, String)>,
    /// Tasks of the plan that are shown in full.
    unfolded: BTreeSet<usize>,
    /// Changed plans that were not taken, so that nothing that was typed is lost.
    pub drafts: BTreeMap<PlanId, Draft>,
    /// The plan that is in the external editor.
    pub editing: Option<Editing>,
    /// A plan that is to be approved once it has been read.
    pub approves: Option<PlanId>,
    /// An open card that was just answered: the engine has not taken it off yet.
    answered: Vec<DecisionId>,
    pub doc: Doc,
    /// The one in full has the focus.
    pub reading: bool,
    /// What `doc` shows.
    shown: Option<Item>,
    /// The conversation as it was laid out: version, columns, minute.
    laid: Option<(u64, usize, i64)>,
    /// Older pages have come since it was laid out.
    grew: bool,
    stale: bool,
}

/// How many wait: what the badge says.
pub fn waiting(s: &Snapshot) -> usize {
    s.cards.len() + s.plans.len() + s.pending.len()
}

/// What waits that did not wait before, in a line each.
pub fn newly(old: &Snapshot, new: &Snapshot) -> Vec<String> {
    let cards = new.cards.iter().filter(|c| !old.cards.iter().any(|o| o.id == c.id));
    let plans = new.plans.iter().filter(|p| !old.plans.iter().any(|o| o.id == p.id));
    let pending = new.pending.iter().filter(|p| !old.pending.iter().any(|o| o.id == p.id));
    cards
        .map(|c| format!("{}: {}", kind_of(c.kind()).2, c.asked.question))
        .chain(plans.map(|p| format!("plan {} waits for a yes or no: {}", p.id, p.title)))
        .chain(pending.map(|p| format!("project {} says it is done: {}", p.id, p.title)))
        .collect()
}

impl Approvals {
    /// What the cursor is on.
    pub fn selected(&self) -> Option<Item> {
        self.cursor.key().copied()
    }

    /// True while the conversation is read.
    pub fn talks(&self) -> bool {
        self.reading && self.selected() == Some(Item::Talk)
    }

    /// Takes a snapshot: what is shown in full may be old.
    pub fn take_snapshot(&mut self, old: &Snapshot, new: &Snapshot) {
        if old.plans != new.plans {
            (self.stale, self.failed) = (true, None);
        }
        if old.said != new.said || old.unread != new.unread {
            self.talk.touch();
            self.failed = None;
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
        let selected = self.selected();
        if self.shown != selected {
            self.shown = selected;
            self.doc = Doc::default();
            self.unfolded.clear();
            (self.failed, self.laid) = (None, None);
        }
    }

    /// What to ask for.
    pub fn wants(&self, s: &Snapshot) -> Option<Query> {
        let query = match self.selected()? {
            Item::Plan(plan) => {
                let have = self.plan.as_ref().is_some_and(|d| d.plan.id == plan);
                (!have || self.stale).then_some(Query::Plan { plan })
            }
            Item::Talk => self.talk.wants(self.reading && self.doc.cursor.index == 0),
            Item::Card(id) => {
                let card = s.cards.iter().find(|c| c.id == id).filter(|c| c.kind() == CardKind::Review)?;
                card.asked.job.filter(|job| self.rounds_of(*job).is_none()).map(|job| Query::Job { job })
            }
            Item::Project(_) => None,
        }?;
        self.failed.as_ref().is_none_or(|(failed, _)| *failed != query).then_some(query)
    }

    /// A question has gone out.
    pub fn asked(&mut self, query: &Query) {
        match query {
            Query::Plan { .. } => self.stale = false,
            Query::Conversation { page } => self.talk.asked(page),
            _ => {}
        }
    }

    /// It cannot be answered; said in the pane, and not asked again before something changes.
    pub fn give_up(&mut self, query: Query, why: &str) {
        self.failed = Some((query, why.to_owned()));
    }

    /// Something was changed, or the engine is another one: everything is asked for again.
    pub fn touch(&mut self) {
        (self.stale, self.failed, self.rounds) = (true, None, None);
        self.talk.touch();
    }

    /// Takes a plan in full.
    pub fn take_plan(&mut self, plan: Box<PlanDetail>) {
        self.plan = Some(plan);
    }

    /// Takes a page of the conversation.
    pub fn take_said(&mut self, page: &Page, entries: Vec<Entry>, more: bool) {
        self.grew |= self.talk.take(page, entries, more);
    }

    /// Takes a job: its rounds of review, where a card is about it.
    pub fn take_job(&mut self, detail: &JobDetail) {
        self.rounds = Some((detail.job.id, detail.reviews.clone()));
    }

    /// The rounds of review of a job, where they were read.
    pub fn rounds_of(&self, job: JobId) -> Option<&[Review]> {
        self.rounds.as_ref().filter(|(of, _)| *of == job).map(|(_, rounds)| rounds.as_slice())
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

    /// The answer to a card was not taken: it waits as before, in front of an operator who does not look at another one.
    pub fn not_answered(&mut self, card: DecisionId, in_front: bool) {
        self.answered.retain(|id| *id != card);
        if in_front {
            self.cursor.select(Item::Card(card));
        }
    }

    /// How many cards wait besides this one.
    pub fn behind(&self, cards: &[Decision], id: DecisionId) -> usize {
        cards.iter().filter(|c| c.id != id && !self.answered.contains(&c.id)).count()
    }

    /// Unfolds or folds the task under the cursor; false where there is none.
    pub fn fold(&mut self) -> bool {
        let Some(Jump::Task(task)) = self.doc.jump().filter(|_| self.reading) else { return false };
        if !self.unfolded.remove(&task) {
            self.unfolded.insert(task);
        } else if let Some(head) = self.doc.lines.iter().position(|l| l.jump == Some(Jump::Task(task))) {
            self.doc.go(head);
        }
        true
    }

    /// Unfolds or folds all tasks of the plan.
    pub fn fold_all(&mut self) {
        let tasks = self.plan.as_ref().and_then(|d| d.plan.document.as_ref()).map_or(0, |d| d.tasks.len());
        self.unfolded = if self.unfolded.is_empty() { (0..tasks).collect() } else { BTreeSet::new() };
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
        let why = self.failed.as_ref().map(|(_, why)| why.as_str());
        let lines = match self.selected() {
            Some(Item::Card(id)) => pages::card(id, self.rounds_for(id, sheet.snapshot), sheet),
            Some(Item::Plan(id)) => {
                let detail = self.plan.as_deref().filter(|d| d.plan.id == id);
                let shown = plan::Shown { unfolded: &self.unfolded, draft: self.drafts.get(&id), failed: why };
                plan::page(id, detail, &shown, sheet)
            }
            Some(Item::Project(id)) => pages::project(id, sheet),
            Some(Item::Talk) => match why.filter(|_| self.talk.said.is_empty()) {
                Some(why) => crate::tui::widgets::DocLine::wrapped(&format!("It cannot be read: {why}"), sheet.width, sheet.theme.fail),
                None => return self.lay_out_talk(sheet, height),
            },
            None => Vec::new(),
        };
        self.doc.set(lines, height);
    }

    fn rounds_for(&self, card: DecisionId, s: &Snapshot) -> &[Review] {
        let job = s.cards.iter().find(|c| c.id == card && c.kind() == CardKind::Review).and_then(|c| c.asked.job);
        job.and_then(|job| self.rounds_of(job)).unwrap_or_default()
    }

    /// The newest shows, until the reader goes back in it; then what they read stays where it is.
    fn lay_out_talk(&mut self, sheet: &Sheet<'_>, height: usize) {
        let at_end = self.doc.cursor.at_end();
        let as_laid = (self.talk.version, sheet.width, sheet.now.0.div_euclid(60_000));
        if self.laid == Some(as_laid) {
            self.doc.sync(height);
        } else {
            let (index, top, len) = (self.doc.cursor.index, self.doc.cursor.top, self.doc.lines.len());
            let lines = pages::talk(&self.talk.said, sheet);
            let added = lines.len().saturating_sub(len);
            self.doc.set(lines, height);
            if std::mem::take(&mut self.grew) {
                self.doc.go(index + added);
                self.doc.cursor.top = top + added;
                self.doc.sync(height);
            }
            self.laid = Some(as_laid);
        }
        if !self.reading || at_end {
            self.doc.go(usize::MAX);
        }
    }
}
