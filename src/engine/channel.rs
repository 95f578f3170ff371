//! How messages come and how the operator hears what is said: one small trait for the console, the command line, and whatever other
//! way there will be, such as a chat or mail.
//!
//! A channel has two sides. What comes in is handed to `deliver`, which has it on the disk when it returns; no engine need run. What
//! goes out is shown by `show`: everything that was said since the channel last looked, and the cards that are open. The conversation
//! and the cards are rows, so that a channel which was away misses nothing, and keeps nothing but how far it has come. Cards are
//! answered by the command `Answer`, plans by `ApprovePlan` and `RejectPlan`, whatever they were shown on.

use crate::domain::{Actor, Applied, Command, Decision, Entry, EntryId, ProjectId, Timestamp};
use crate::store::{Store, StoreError, apply};
use std::collections::VecDeque;
use std::io;

/// How much is shown at once.
const PIECE: usize = 1000;

/// A way to the operator.
pub trait Channel {
    /// Its name, which each message that comes by it keeps.
    fn name(&self) -> &'static str;

    /// Shows something that was said.
    ///
    /// # Errors
    /// It cannot be shown; it is shown the next time.
    fn says(&mut self, entry: &Entry) -> io::Result<()>;

    /// Shows a card that waits for an answer; also one that it has shown before.
    ///
    /// # Errors
    /// As `says`.
    fn asks(&mut self, card: &Decision) -> io::Result<()>;
}

/// Why a channel could not be served.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{channel} cannot show what was said: {source}")]
    Show { channel: &'static str, source: io::Error },
}

/// A message that came by a channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Incoming<'a> {
    pub text: &'a str,
    /// Who wrote it, where that was not the operator: their words are marked as material, and start no work without a yes.
    pub from: Option<&'a str>,
    pub project: Option<ProjectId>,
}

/// Takes a message: it is on the disk when this returns `Sent`.
///
/// # Errors
/// The database.
pub fn deliver(
    store: &mut Store,
    channel: &impl Channel,
    incoming: &Incoming<'_>,
    who: &Actor,
    now: Timestamp,
) -> Result<Applied, StoreError> {
    let command = Command::SendMessage {
        text: incoming.text.to_owned(),
        channel: channel.name().to_owned(),
        from: incoming.from.map(str::to_owned),
        project: incoming.project,
    };
    store.write(|tx| apply(tx, &command, who, now))
}

/// Shows a channel what was said after an entry, oldest first, and what is asked; how far it has come.
///
/// # Errors
/// The database, or the channel.
pub fn show(store: &Store, channel: &mut impl Channel, mut after: EntryId) -> Result<EntryId, ChannelError> {
    let name = channel.name();
    let cannot = |source| ChannelError::Show { channel: name, source };
    loop {
        let entries = store.said_after(after, PIECE)?;
        for entry in &entries {
            channel.says(entry).map_err(cannot)?;
            after = entry.id;
        }
        if entries.len() < PIECE {
            break;
        }
    }
    for card in store.decisions(false)? {
        channel.asks(&card).map_err(cannot)?;
    }
    Ok(after)
}

/// The console's name as a channel.
pub const CONSOLE: &str = "console";

/// The console: it has what each snapshot carries. What the operator has seen, or said themselves, is no news to it.
#[derive(Clone, Debug, Default)]
pub struct ConsoleFeed {
    /// The newest entries that the operator has not seen, oldest first.
    pub said: VecDeque<Entry>,
    /// The open cards.
    pub cards: Vec<Decision>,
    after: i64,
}

/// How much of what was said a snapshot carries.
const SAID: usize = 5;

impl ConsoleFeed {
    /// Brings it up to date; how much of the conversation is not seen yet.
    ///
    /// # Errors
    /// The database.
    pub fn refresh(&mut self, store: &Store) -> Result<u64, ChannelError> {
        let (unread, newest) = store.unread(SAID)?;
        // What was read meanwhile goes; a feed that begins starts with what is unread.
        self.said.clear();
        self.cards.clear();
        let after = newest.first().map_or(self.after, |e| e.id.0 - 1);
        self.after = show(store, &mut *self, EntryId(after))?.0;
        Ok(unread)
    }
}

impl Channel for ConsoleFeed {
    fn name(&self) -> &'static str {
        CONSOLE
    }

    fn says(&mut self, entry: &Entry) -> io::Result<()> {
        if !entry.read {
            self.said.push_back(entry.clone());
            while self.said.len() > SAID {
                self.said.pop_front();
            }
        }
        Ok(())
    }

    fn asks(&mut self, card: &Decision) -> io::Result<()> {
        self.cards.push(card.clone());
        Ok(())
    }
}
