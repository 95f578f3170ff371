//! Messages and the conversation. A message moves on by one guarded change at a time, in the transaction in which what it says is
//! said: whatever ends an engine, nothing is said twice and nothing is forgotten.

use super::events::Event;
use super::row::{self, to_json};
use super::{Store, StoreError, Tx};
use crate::domain::{
    DecisionId, Entry, EntryId, JobId, LONGEST_MESSAGE, Message, MessageId, MessageStage, OPERATOR, Page, PlanId, ProjectId, Says,
    Timestamp, Triage, one_line,
};
use rusqlite::{Row, params};

/// The engine's own name in the conversation.
pub const ORC: &str = "orc";

/// Something to be said.
#[derive(Clone, Debug)]
pub struct NewEntry<'a> {
    pub message: Option<MessageId>,
    pub says: Says,
    pub author: &'a str,
    /// Somebody else's words, or what rests on them.
    pub external: bool,
    pub text: &'a str,
    pub job: Option<JobId>,
    pub plan: Option<PlanId>,
    pub decision: Option<DecisionId>,
}

impl<'a> NewEntry<'a> {
    /// What is said to a message.
    pub fn to(message: &Message, says: Says, text: &'a str) -> NewEntry<'a> {
        NewEntry {
            message: Some(message.id),
            says,
            author: ORC,
            external: message.is_external(),
            text,
            job: None,
            plan: None,
            decision: None,
        }
    }
}

/// What a message goes on to wait for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goes {
    Work(JobId),
    Plan(PlanId),
    Ask(DecisionId),
    Wait(Timestamp),
    /// To be classified once more.
    Triage,
    Over,
}

impl Goes {
    fn stage(self) -> MessageStage {
        match self {
            Goes::Work(_) => MessageStage::Work,
            Goes::Plan(_) => MessageStage::Plan,
            Goes::Ask(_) => MessageStage::Ask,
            Goes::Wait(_) => MessageStage::Wait,
            Goes::Triage => MessageStage::Triage,
            Goes::Over => MessageStage::Over,
        }
    }
}

impl Tx<'_> {
    /// Takes a message. The engine classifies it.
    ///
    /// # Errors
    /// It is empty or too long; no such project; the database.
    pub fn add_message(
        &self,
        text: &str,
        channel: &str,
        from: Option<&str>,
        project: Option<ProjectId>,
        actor: &str,
        now: Timestamp,
    ) -> Result<MessageId, StoreError> {
        if text.trim().is_empty() {
            return Err(StoreError::Invalid("the message is empty".into()));
        }
        if text.len() > LONGEST_MESSAGE {
            return Err(StoreError::Invalid("the message is longer than 256 KiB: put the material in a file and name it".into()));
        }
        if let Some(id) = project
            && self.project(id)?.is_none()
        {
            return Err(StoreError::Unknown { what: "project", name: id.to_string() });
        }
        // Nobody else passes for the operator.
        let sender = match from.map(|f| one_line(f, 80)).filter(|f| !f.is_empty()) {
            Some(other) if other.eq_ignore_ascii_case(OPERATOR) || other.eq_ignore_ascii_case(ORC) => format!("\"{other}\""),
            Some(other) => other,
            None => OPERATOR.to_owned(),
        };
        self.run(
            "INSERT INTO messages (channel, sender, text, project_id, received_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![channel, sender, text, project.map(|p| p.0), now.0],
        )?;
        let id = MessageId(self.last_id());
        let external = sender != OPERATOR;
        let entry =
            NewEntry { message: Some(id), says: Says::Message, author: &sender, external, text, job: None, plan: None, decision: None };
        let said = self.say(&entry, now)?;
        if !external {
            self.read_entry(said, now)?;
        }
        let text = format!("message {id} from {sender} by {channel}: {}", one_line(text, 80));
        self.event(&Event::new(now, actor, "message", &text))?;
        Ok(id)
    }

    /// Says something in the conversation.
    ///
    /// # Errors
    /// The database.
    pub fn say(&self, e: &NewEntry<'_>, now: Timestamp) -> Result<EntryId, StoreError> {
        self.run(
            "INSERT INTO conversation (at, message_id, says, author, external, text, job_id, plan_id, decision_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                now.0,
                e.message.map(|m| m.0),
                e.says.as_str(),
                e.author,
                e.external,
                e.text,
                e.job.map(|j| j.0),
                e.plan.map(|p| p.0),
                e.decision.map(|d| d.0)
            ],
        )?;
        Ok(EntryId(self.last_id()))
    }

    /// The operator has seen the conversation up to an entry; how many were new to them.
    ///
    /// # Errors
    /// The database.
    pub fn read_up_to(&self, up_to: EntryId, now: Timestamp) -> Result<usize, StoreError> {
        self.run("UPDATE conversation SET read_at = ?1 WHERE read_at IS NULL AND id <= ?2", params![now.0, up_to.0])
    }

    /// The operator has seen one entry, or said it.
    ///
    /// # Errors
    /// The database.
    pub fn read_entry(&self, id: EntryId, now: Timestamp) -> Result<(), StoreError> {
        self.run("UPDATE conversation SET read_at = ?1 WHERE id = ?2", params![now.0, id.0]).map(drop)
    }

    /// Why a message stands where it stands.
    ///
    /// # Errors
    /// The database.
    pub fn note_message(&self, id: MessageId, note: &str, now: Timestamp) -> Result<(), StoreError> {
        self.run("UPDATE messages SET note = ?1 WHERE id = ?2", params![note, id.0])?;
        let text = format!("message {id} waits: {note}");
        self.event(&Event { severity: "warn", ..Event::new(now, "engine", "message", &text) }).map(drop)
    }

    /// The job that classifies a message.
    ///
    /// # Errors
    /// The database.
    pub fn set_triage_job(&self, id: MessageId, job: JobId, now: Timestamp) -> Result<bool, StoreError> {
        let n = self.run(
            "UPDATE messages SET triage_job_id = ?1, triage_at = ?2 WHERE id = ?3 AND stage = 'triage' AND triage_job_id IS NULL",
            params![job.0, now.0, id.0],
        )?;
        Ok(n > 0)
    }

    /// A message is classified. False if it was.
    ///
    /// # Errors
    /// The database.
    pub fn triaged(&self, id: MessageId, triage: &Triage, by: &str, now: Timestamp) -> Result<bool, StoreError> {
        let n = self.run(
            "UPDATE messages SET triage = ?1, triaged_by = ?2, triaged_at = ?3 WHERE id = ?4 AND stage = 'triage' AND triaged_at IS NULL",
            params![to_json(triage), by, now.0, id.0],
        )?;
        if n > 0 {
            let text = format!("message {id}: {}, by {by}", triage.class);
            self.event(&Event::new(now, "engine", "message", &text))?;
        }
        Ok(n > 0)
    }

    /// A message goes on from a stage, and `note` says why. False, and nothing written, if it stands elsewhere by now.
    ///
    /// # Errors
    /// The database.
    pub fn message_goes(&self, m: &Message, to: Goes, note: Option<&str>, now: Timestamp) -> Result<bool, StoreError> {
        let (mut job, mut plan, mut decision, mut due) = (m.job, m.plan, m.decision, m.due_at);
        match to {
            Goes::Work(id) => job = Some(id),
            Goes::Plan(id) => plan = Some(id),
            Goes::Ask(id) => decision = Some(id),
            Goes::Wait(at) => due = Some(at),
            Goes::Triage | Goes::Over => {}
        }
        let n = self.run(
            "UPDATE messages SET stage = ?1, job_id = ?2, plan_id = ?3, decision_id = ?4, due_at = ?5, note = ?6,
                    ended_at = CASE WHEN ?1 = 'over' THEN ?7 END,
                    triage_job_id = CASE WHEN ?1 = 'triage' THEN NULL ELSE triage_job_id END,
                    triage_at = CASE WHEN ?1 = 'triage' THEN NULL ELSE triage_at END,
                    triaged_at = CASE WHEN ?1 = 'triage' THEN NULL ELSE triaged_at END
             WHERE id = ?8 AND stage = ?9",
            params![
                to.stage().as_str(),
                job.map(|j| j.0),
                plan.map(|p| p.0),
                decision.map(|d| d.0),
                due.map(|t| t.0),
                note,
                now.0,
                m.id.0,
                m.stage.as_str()
            ],
        )?;
        if n > 0 {
            let said = note.map(|n| format!(": {n}")).unwrap_or_default();
            let text = format!("message {} {} -> {}{said}", m.id, m.stage, to.stage());
            self.event(&Event::new(now, "engine", "message", &text))?;
        }
        Ok(n > 0)
    }

    /// What a message was asked, and what the answer was.
    ///
    /// # Errors
    /// The database.
    pub fn clarified(&self, id: MessageId, text: &str) -> Result<(), StoreError> {
        self.run("UPDATE messages SET clarified = ?1 WHERE id = ?2", params![text, id.0]).map(drop)
    }
}

impl Store {
    /// One message.
    ///
    /// # Errors
    /// The database.
    pub fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        row::optional(self, "SELECT * FROM messages WHERE id = ?1", [id.0], read)
    }

    /// A page of messages, newest first; only those that are not over, if that is asked.
    ///
    /// # Errors
    /// The database.
    pub fn messages(&self, all: bool, page: Page) -> Result<Vec<Message>, StoreError> {
        let open = if all { "" } else { "AND ended_at IS NULL" };
        row::all(
            self,
            &format!("SELECT * FROM messages WHERE (?1 IS NULL OR id < ?1) {open} ORDER BY id DESC LIMIT ?2"),
            params![page.before, page.limit as i64],
            read,
        )
    }

    /// The messages for which something may be to do: all that are not over, but for those whose time has not come. Oldest first.
    ///
    /// # Errors
    /// The database.
    pub fn messages_to_do(&self, now: Timestamp) -> Result<Vec<Message>, StoreError> {
        row::all(self, "SELECT * FROM messages WHERE ended_at IS NULL AND (stage <> 'wait' OR due_at <= ?1) ORDER BY id", [now.0], read)
    }

    /// When the next reminder fires.
    ///
    /// # Errors
    /// The database.
    pub fn next_reminder(&self) -> Result<Option<Timestamp>, StoreError> {
        row::one(self, "SELECT min(due_at) FROM messages WHERE stage = 'wait'", [], |r| Ok(r.get::<_, Option<i64>>(0)?.map(Timestamp)))
    }

    /// The message that a job classifies or answers.
    ///
    /// # Errors
    /// The database.
    pub fn message_by(&self, job: JobId) -> Result<Option<Message>, StoreError> {
        row::optional(self, "SELECT * FROM messages WHERE ended_at IS NULL AND (triage_job_id = ?1 OR job_id = ?1)", [job.0], read)
    }

    /// A page of the conversation, newest first.
    ///
    /// # Errors
    /// The database.
    pub fn conversation(&self, page: Page) -> Result<Vec<Entry>, StoreError> {
        row::all(
            self,
            "SELECT * FROM conversation WHERE ?1 IS NULL OR id < ?1 ORDER BY id DESC LIMIT ?2",
            params![page.before, page.limit as i64],
            read_entry,
        )
    }

    /// What was said after an entry, oldest first.
    ///
    /// # Errors
    /// The database.
    pub fn said_after(&self, after: EntryId, limit: usize) -> Result<Vec<Entry>, StoreError> {
        row::all(self, "SELECT * FROM conversation WHERE id > ?1 ORDER BY id LIMIT ?2", params![after.0, limit as i64], read_entry)
    }

    /// What was said to one message, oldest first.
    ///
    /// # Errors
    /// The database.
    pub fn said_to(&self, id: MessageId) -> Result<Vec<Entry>, StoreError> {
        row::all(self, "SELECT * FROM conversation WHERE message_id = ?1 ORDER BY id", [id.0], read_entry)
    }

    /// How much of the conversation the operator has not seen, and the newest of it, oldest first.
    ///
    /// # Errors
    /// The database.
    pub fn unread(&self, limit: usize) -> Result<(u64, Vec<Entry>), StoreError> {
        let count = row::one(self, "SELECT count(*) AS n FROM conversation WHERE read_at IS NULL", [], |r| row::count(r, "n"))?;
        let mut newest =
            row::all(self, "SELECT * FROM conversation WHERE read_at IS NULL ORDER BY id DESC LIMIT ?1", [limit as i64], read_entry)?;
        newest.reverse();
        Ok((count, newest))
    }
}

fn read(r: &Row<'_>) -> rusqlite::Result<Message> {
    let job = |column: &str| Ok::<_, rusqlite::Error>(r.get::<_, Option<i64>>(column)?.map(JobId));
    let triage = r.get::<_, Option<String>>("triage")?;
    Ok(Message {
        id: MessageId(r.get("id")?),
        channel: r.get("channel")?,
        sender: r.get("sender")?,
        text: r.get("text")?,
        project: r.get::<_, Option<i64>>("project_id")?.map(ProjectId),
        stage: row::word(r, "stage")?,
        triage: if triage.is_some() { Some(row::json(r, "triage")?) } else { None },
        triaged_by: r.get("triaged_by")?,
        triage_at: row::opt_time(r, "triage_at")?,
        triage_job: job("triage_job_id")?,
        job: job("job_id")?,
        plan: r.get::<_, Option<i64>>("plan_id")?.map(PlanId),
        decision: r.get::<_, Option<i64>>("decision_id")?.map(DecisionId),
        clarified: r.get("clarified")?,
        due_at: row::opt_time(r, "due_at")?,
        note: r.get("note")?,
        received_at: row::time(r, "received_at")?,
        triaged_at: row::opt_time(r, "triaged_at")?,
        ended_at: row::opt_time(r, "ended_at")?,
    })
}

fn read_entry(r: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        id: EntryId(r.get("id")?),
        at: row::time(r, "at")?,
        message: r.get::<_, Option<i64>>("message_id")?.map(MessageId),
        says: row::word(r, "says")?,
        author: r.get("author")?,
        external: r.get("external")?,
        text: r.get("text")?,
        job: r.get::<_, Option<i64>>("job_id")?.map(JobId),
        plan: r.get::<_, Option<i64>>("plan_id")?.map(PlanId),
        decision: r.get::<_, Option<i64>>("decision_id")?.map(DecisionId),
        read: r.get::<_, Option<i64>>("read_at")?.is_some(),
    })
}
