//! What an agent said and did: fetched in stretches, kept within bounds, read like a page that does not jump.

use super::blocks::Block;
use crate::domain::AttemptId;
use crate::tui::keymap::Action;
use crate::tui::theme::Theme;
use crate::tui::widgets::Cursor;
use crate::wire::{From, Query, SpooledEvent};
use std::collections::VecDeque;

/// Events that are fetched at once.
const STRETCH: usize = 400;
/// Blocks that are kept.
const MAX_BLOCKS: usize = 3_000;
/// Bytes of text that are kept.
const MAX_BYTES: usize = 8 << 20;

/// A line: the block's first event, and the line in the block.
pub type LineKey = (u64, u32);

/// A reader of one attempt's stream.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    attempt: Option<AttemptId>,
    pub blocks: VecDeque<Block>,
    first: u64,
    last: u64,
    pub more_before: bool,
    more_after: bool,
    pub loaded: bool,
    pub failed: Option<String>,
    /// The newest line stays in sight.
    pub follow: bool,
    /// The attempt may have said more since.
    poked: bool,
    plain: bool,
    all_open: bool,
    bytes: usize,
    width: usize,
    pub keys: Vec<LineKey>,
    pub cursor: Cursor<LineKey>,
    /// The last event when the reader stopped following.
    seen: u64,
}

impl Transcript {
    /// Reads another attempt. `plain`: its text is no Markdown (shell).
    pub fn open(&mut self, attempt: Option<AttemptId>, plain: bool) {
        if self.attempt != attempt || self.plain != plain {
            *self = Transcript { attempt, plain, follow: true, ..Transcript::default() };
        }
    }

    /// The attempt that is read.
    pub fn attempt(&self) -> Option<AttemptId> {
        self.attempt
    }

    /// The attempt is live, or has just ended: there may be more.
    pub fn poke(&mut self) {
        self.poked = true;
        self.failed = None;
    }

    /// What to ask for.
    pub fn wants(&self) -> Option<Query> {
        let attempt = self.attempt?;
        let ask = |from| Some(Query::Transcript { attempt, from, limit: STRETCH });
        if self.failed.is_some() {
            return None;
        }
        if !self.loaded {
            return ask(From::End);
        }
        if self.more_before && !self.follow && self.cursor.top < self.cursor.height {
            return ask(From::Before(self.first));
        }
        let room = self.follow || self.cursor.at_end() || !self.full();
        if room && (self.more_after || self.poked) {
            return ask(From::After(self.last));
        }
        None
    }

    /// A question has gone out.
    pub fn asked(&mut self) {
        self.poked = false;
    }

    fn full(&self) -> bool {
        self.blocks.len() >= MAX_BLOCKS || self.bytes >= MAX_BYTES
    }

    /// Takes a stretch, if it joins what is there.
    pub fn take(&mut self, from: From, events: &[SpooledEvent], more_before: bool, more_after: bool) {
        match from {
            From::End => {
                self.blocks.clear();
                self.bytes = 0;
                self.first = events.first().map_or(0, |e| e.seq);
                self.last = self.first.saturating_sub(1);
                self.more_before = more_before;
                self.append(events);
                self.more_after = more_after;
                self.loaded = true;
            }
            From::After(seq) if seq == self.last && self.loaded => {
                self.append(events);
                self.more_after = more_after && !events.is_empty();
                if self.follow {
                    self.trim_front();
                }
            }
            From::Before(seq) if seq == self.first && self.loaded => {
                self.prepend(events);
                self.more_before = more_before && !events.is_empty();
                self.trim_back();
            }
            _ => {}
        }
        if self.follow {
            self.seen = self.last;
        }
    }

    fn append(&mut self, events: &[SpooledEvent]) {
        for e in events {
            if e.seq <= self.last {
                continue;
            }
            self.last = e.seq;
            self.bytes += Block::absorb(&mut self.blocks, e, self.plain);
        }
    }

    fn prepend(&mut self, events: &[SpooledEvent]) {
        let mut older = VecDeque::new();
        for e in events.iter().filter(|e| e.seq < self.first) {
            self.bytes += Block::absorb(&mut older, e, self.plain);
        }
        if let Some(e) = events.first() {
            self.first = self.first.min(e.seq);
        }
        Block::join(&mut older, &mut self.blocks);
        for block in older.into_iter().rev() {
            self.blocks.push_front(block);
        }
    }

    fn trim_front(&mut self) {
        while self.full() && self.blocks.len() > 1 {
            if let Some(gone) = self.blocks.pop_front() {
                self.bytes = self.bytes.saturating_sub(gone.bytes());
                self.more_before = true;
            }
            self.first = self.blocks.front().map_or(self.first, |b| b.seq);
        }
    }

    fn trim_back(&mut self) {
        while self.full() && self.blocks.len() > 1 {
            if let Some(gone) = self.blocks.pop_back() {
                self.bytes = self.bytes.saturating_sub(gone.bytes());
                self.more_after = true;
            }
            self.last = self.blocks.back().map_or(self.last, |b| b.last);
        }
    }

    /// Lays out what is not laid out for this width yet, and brings the place up to date.
    pub fn sync(&mut self, width: usize, height: usize, theme: &Theme) {
        let width = width.max(8);
        let anew = self.width != width;
        self.width = width;
        self.keys.clear();
        for block in &mut self.blocks {
            if anew || block.lines.is_empty() {
                block.layout(width, self.plain, theme);
            }
            let seq = block.seq;
            self.keys.extend((0..block.lines.len() as u32).map(|line| (seq, line)));
        }
        if self.follow {
            self.cursor.end(&self.keys);
        } else if let Some(&(seq, line)) = self.cursor.key() {
            // a block that was folded or laid out anew keeps the reader at its nearest line
            if self.keys.binary_search(&(seq, line)).is_err() {
                let at = self.keys.partition_point(|k| *k <= (seq, line)).saturating_sub(1);
                if let Some(&key) = self.keys.get(at) {
                    self.cursor.select(key);
                }
            }
        }
        self.cursor.sync(&self.keys, height);
        if self.follow {
            self.cursor.end(&self.keys);
        }
    }

    /// The block of a line.
    pub fn block(&self, seq: u64) -> Option<&Block> {
        let i = self.blocks.partition_point(|b| b.seq < seq);
        self.blocks.get(i).filter(|b| b.seq == seq)
    }

    /// The block under the cursor.
    pub fn selected(&self) -> Option<&Block> {
        self.block(self.cursor.key()?.0)
    }

    /// Folds or unfolds the block under the cursor; false if it is not one that folds.
    pub fn fold(&mut self) -> bool {
        let Some(&(seq, _)) = self.cursor.key() else { return false };
        let i = self.blocks.partition_point(|b| b.seq < seq);
        let Some(block) = self.blocks.get_mut(i).filter(|b| b.seq == seq && b.folds()) else { return false };
        block.open = !block.open;
        block.lines.clear();
        self.follow = false;
        self.cursor.select((seq, 0));
        true
    }

    /// Folds or unfolds every block.
    pub fn fold_all(&mut self) {
        self.all_open = !self.all_open;
        for block in self.blocks.iter_mut().filter(|b| b.folds()) {
            block.open = self.all_open;
            block.lines.clear();
        }
        if let Some(&(seq, _)) = self.cursor.key() {
            self.cursor.select((seq, 0));
        }
    }

    /// Follows or freezes.
    pub fn toggle_follow(&mut self) {
        self.follow = !self.follow;
        self.seen = self.last;
        self.poked |= self.follow;
    }

    /// True when something came after the reader stopped following.
    pub fn newer(&self) -> bool {
        !self.follow && (self.last > self.seen || self.more_after)
    }

    /// Moves, if the action is a movement.
    pub fn moved(&mut self, action: Action) -> bool {
        let page = self.cursor.height.saturating_sub(1).max(1) as isize;
        let by = match action {
            Action::Up => -1,
            Action::Down => 1,
            Action::PageUp => -page,
            Action::PageDown => page,
            Action::Top => {
                self.follow = false;
                self.cursor.go(0, &self.keys);
                return true;
            }
            Action::Bottom => {
                self.follow = true;
                self.poked = true;
                self.cursor.end(&self.keys);
                return true;
            }
            _ => return false,
        };
        if by < 0 && self.follow {
            self.follow = false;
            self.seen = self.last;
        }
        self.cursor.step(by, &self.keys);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::blocks::Kind;
    use super::*;
    use crate::domain::{AgentEvent, Timestamp};

    fn say(seq: u64, event: AgentEvent) -> SpooledEvent {
        SpooledEvent { seq, at: Timestamp(seq as i64 * 1000), event }
    }

    fn text(seq: u64) -> SpooledEvent {
        say(seq, AgentEvent::Text { text: format!("words {seq}") })
    }

    fn reader(events: &[SpooledEvent], more_before: bool) -> Transcript {
        let mut t = Transcript::default();
        t.open(Some(AttemptId(1)), false);
        assert!(matches!(t.wants(), Some(Query::Transcript { from: From::End, .. })));
        t.take(From::End, events, more_before, false);
        t.sync(40, 5, &Theme::default());
        t
    }

    #[test]
    fn it_follows_and_a_repeat_changes_nothing() {
        let mut t = reader(&(1..=10).map(text).collect::<Vec<_>>(), false);
        assert!(t.wants().is_none(), "nothing to ask while nothing happens");
        t.poke();
        let Some(Query::Transcript { from, .. }) = t.wants() else { panic!() };
        assert_eq!(from, From::After(10));
        t.asked();
        t.take(from, &(9..=12).map(text).collect::<Vec<_>>(), false, false);
        t.sync(40, 5, &Theme::default());
        assert_eq!(t.blocks.iter().map(|b| b.seq).collect::<Vec<_>>(), (1..=12).collect::<Vec<_>>());
        assert_eq!(t.cursor.key().unwrap().0, 12);
        t.take(From::After(10), &[text(13)], false, false);
        assert_eq!(t.last, 12, "an answer to an old question is ignored");
    }

    #[test]
    fn a_reader_further_up_stays_where_they_are() {
        let mut t = reader(&(101..=140).map(text).collect::<Vec<_>>(), true);
        t.moved(Action::PageUp);
        t.moved(Action::PageUp);
        t.sync(40, 5, &Theme::default());
        let top = t.keys[t.cursor.top];
        t.poke();
        t.take(From::After(140), &(141..=180).map(text).collect::<Vec<_>>(), false, false);
        t.sync(40, 5, &Theme::default());
        assert_eq!(t.keys[t.cursor.top], top);
        assert!(t.newer());
        t.moved(Action::Top);
        let Some(Query::Transcript { from: From::Before(101), .. }) = t.wants() else { panic!("{:?}", t.wants()) };
        t.take(From::Before(101), &(61..=100).map(text).collect::<Vec<_>>(), true, false);
        t.sync(40, 5, &Theme::default());
        assert_eq!(t.keys[t.cursor.top].0, 101);
    }

    #[test]
    fn memory_is_bounded_and_what_went_can_be_fetched_again() {
        let mut t = reader(&(1..=10).map(text).collect::<Vec<_>>(), false);
        for start in (11..10_000).step_by(400) {
            t.take(From::After(start - 1), &(start..start + 400).map(text).collect::<Vec<_>>(), false, false);
        }
        assert!(t.blocks.len() <= MAX_BLOCKS);
        assert!(t.more_before);
        assert_eq!(t.first, t.blocks[0].seq);
    }

    #[test]
    fn calls_and_answers_find_each_other_across_pages() {
        let call = say(1, AgentEvent::ToolCall { id: "a".into(), name: "Bash".into(), input: "ls".into() });
        let answer = say(2, AgentEvent::ToolResult { id: "a".into(), output: "x\ny".into(), is_error: false });
        let mut t = reader(&[answer, text(3)], true);
        assert_eq!(t.blocks.len(), 2);
        t.take(From::Before(2), &[call], false, false);
        t.sync(40, 5, &Theme::default());
        assert_eq!(t.blocks.len(), 2);
        assert!(matches!(&t.blocks[0].kind, Kind::Tool { name, result: Some(_), .. } if name == "Bash"));
        t.follow = false;
        t.moved(Action::Top);
        let folded = t.blocks[0].lines.len();
        assert!(t.fold());
        t.sync(40, 5, &Theme::default());
        assert!(t.blocks[0].lines.len() > folded);
    }
}
