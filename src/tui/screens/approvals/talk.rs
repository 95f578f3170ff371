//! The conversation as far as it has been read here: the newest of it, and older pages as the reader goes back.

use crate::domain::{Entry, EntryId, OPERATOR, Page, Says};
use crate::wire::{Query, Snapshot};

/// How much is asked for at once.
const PIECE: usize = 100;

/// What was said, oldest first.
#[derive(Default)]
pub struct Talk {
    pub said: Vec<Entry>,
    /// Counts up with each change of `said`.
    pub version: u64,
    /// There are older ones than the first.
    more: bool,
    /// The newest page was asked for, and has come.
    asked: bool,
    fresh: bool,
    /// The operator is here: a key was pressed while it was read.
    looked: bool,
    /// How far it was reported as seen.
    seen: i64,
    /// The newest that the operator was told of, wherever they were.
    told: i64,
}

impl Talk {
    /// The newest may be old.
    pub fn touch(&mut self) {
        (self.asked, self.fresh) = (false, false);
    }

    /// What to ask for; `at_top`: the reader has reached the oldest that is here.
    pub fn wants(&self, at_top: bool) -> Option<Query> {
        let page = |before| Query::Conversation { page: Page { before, limit: PIECE } };
        match self.said.first() {
            _ if !self.asked => Some(page(None)),
            Some(first) if at_top && self.more && self.fresh => Some(page(Some(first.id.0))),
            _ => None,
        }
    }

    /// A question has gone out.
    pub fn asked(&mut self, page: &Page) {
        self.asked |= page.before.is_none();
    }

    /// Takes a page, newest first as it comes; true where it is older than what was here.
    pub fn take(&mut self, page: &Page, mut entries: Vec<Entry>, more: bool) -> bool {
        entries.sort_by_key(|e| e.id);
        if let Some(before) = page.before {
            if self.said.first().is_none_or(|first| first.id.0 != before) {
                return false;
            }
            self.version += 1;
            self.more = more;
            entries.append(&mut self.said);
            self.said = entries;
            return true;
        }
        self.version += 1;
        self.fresh = true;
        let oldest = entries.first().map_or(EntryId(i64::MAX), |e| e.id);
        // between what was here and this page there may be some that never came
        if more && self.said.last().is_some_and(|last| last.id < oldest) {
            self.said.clear();
        }
        self.said.retain(|e| e.id < oldest && !entries.is_empty());
        if self.said.is_empty() {
            self.more = more;
        }
        self.said.extend(entries);
        false
    }

    /// The operator pressed a key while reading.
    pub fn look(&mut self) {
        self.looked = true;
    }

    /// How far it is to be reported as seen now: what is unread, is here, and has a reader.
    pub fn report(&mut self, unread: u64) -> Option<EntryId> {
        let last = self.said.last().filter(|_| self.fresh && self.looked)?.id;
        self.looked = false;
        if unread == 0 || last.0 <= self.seen {
            return None;
        }
        self.seen = last.0;
        Some(last)
    }

    /// What has been said to the operator since they were last told, oldest first: what they do not find on a card.
    pub fn news<'a>(&mut self, old: &Snapshot, new: &'a Snapshot) -> Vec<&'a Entry> {
        let known = old.said.iter().map(|e| e.id.0).max().unwrap_or(0).max(self.told);
        self.told = new.said.iter().map(|e| e.id.0).max().unwrap_or(0).max(known);
        let says = |s| matches!(s, Says::Reply | Says::Reminder | Says::Notice | Says::Acknowledgement);
        new.said.iter().filter(|e| e.id.0 > known && !e.read && says(e.says)).collect()
    }

    /// What the operator wrote, oldest first, as far as it is here.
    pub fn written(&self) -> impl Iterator<Item = &str> {
        self.said.iter().filter(|e| e.says == Says::Message && e.author == OPERATOR && !e.external).map(|e| e.text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    fn page(ids: std::ops::RangeInclusive<i64>) -> Vec<Entry> {
        let one = |id| Entry {
            id: EntryId(id),
            at: Timestamp(id),
            message: None,
            says: Says::Reply,
            author: "orc".to_owned(),
            external: false,
            text: String::new(),
            job: None,
            plan: None,
            decision: None,
            read: false,
        };
        ids.rev().map(one).collect()
    }

    #[test]
    fn pages_join_and_a_gap_drops_what_is_older() {
        let newest = Page { before: None, limit: PIECE };
        let ids = |t: &Talk| (t.said.first().map(|e| e.id.0), t.said.last().map(|e| e.id.0), t.said.len());
        let mut talk = Talk::default();
        talk.asked(&newest);
        assert!(!talk.take(&newest, page(11..=20), true));
        assert!(talk.take(&Page { before: Some(11), limit: PIECE }, page(1..=10), false));
        assert!(!talk.take(&Page { before: Some(11), limit: PIECE }, page(1..=10), false), "the same page twice");
        assert_eq!(ids(&talk), (Some(1), Some(20), 20));
        talk.take(&newest, page(15..=24), true);
        assert_eq!((ids(&talk), talk.wants(true)), ((Some(1), Some(24), 24), None));
        talk.take(&newest, page(91..=99), true);
        assert_eq!(ids(&talk), (Some(91), Some(99), 9), "between 24 and 91 some never came");
        assert!(talk.wants(true).is_some() && talk.wants(false).is_none());
    }

    #[test]
    fn only_what_has_a_reader_is_reported_and_once() {
        let newest = Page { before: None, limit: PIECE };
        let mut talk = Talk::default();
        talk.look();
        assert_eq!(talk.report(3), None, "nothing has come");
        talk.asked(&newest);
        talk.take(&newest, page(1..=3), false);
        assert_eq!((talk.report(3), talk.report(3)), (Some(EntryId(3)), None));
        talk.take(&newest, page(1..=4), false);
        assert_eq!(talk.report(1), None, "nobody is there");
        talk.look();
        assert_eq!(talk.report(1), Some(EntryId(4)));
    }
}
