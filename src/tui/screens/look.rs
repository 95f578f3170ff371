//! Marks, words and styles that screens share. Each state has a mark of its own, so that colour is never needed.

use crate::domain::{Hang, JobState, LimitKind, Outcome, Priority, ProjectId, Timestamp, WaitReason, WorkerStatus};
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::wire::{BackendRow, JobRow, LiveAttempt, Snapshot};
use ratatui::style::Style;

/// How one row is drawn.
pub struct Look<'a> {
    pub marked: bool,
    pub current: bool,
    pub now: Timestamp,
    pub utc_offset: i32,
    pub theme: &'a Theme,
    pub snapshot: &'a Snapshot,
    pub projects: &'a [(ProjectId, String)],
}

impl Look<'_> {
    /// A project by its title, as far as that is known.
    pub fn project(&self, id: Option<ProjectId>) -> String {
        project(self.projects, id)
    }
}

/// A project by its title, as far as that is known; `–` for none.
pub fn project(known: &[(ProjectId, String)], id: Option<ProjectId>) -> String {
    let Some(id) = id else { return "–".to_owned() };
    known.iter().find(|(known, _)| *known == id).map_or_else(|| format!("#{id}"), |(_, title)| title.clone())
}

/// A mark and a style for a job's state.
pub fn state(state: JobState, t: &Theme) -> (&'static str, Style) {
    match state {
        JobState::Waiting => ("◌", t.dim),
        JobState::Queued => ("○", t.text),
        JobState::Running => ("▶", t.accent),
        JobState::Reviewing => ("◎", t.info),
        JobState::Done => ("✓", t.ok),
        JobState::Failed => ("✗", t.fail),
        JobState::Killed => ("■", t.warn),
    }
}

/// The style of a priority: the urgent ones stand out.
pub fn priority(priority: Priority, t: &Theme) -> Style {
    match priority.level() {
        0 => t.fail,
        1 => t.warn,
        2 => t.text,
        _ => t.dim,
    }
}

/// A mark, a word and a style for a worker.
pub fn worker(status: WorkerStatus, live: Option<&LiveAttempt>, t: &Theme) -> (&'static str, &'static str, Style) {
    if let Some(a) = live {
        if a.kill_requested {
            return ("■", "ending", t.warn);
        }
        if let Some(hang) = a.hang {
            return ("▲", hang_short(hang), t.warn);
        }
    }
    match status {
        WorkerStatus::Idle => ("○", "idle", t.dim),
        WorkerStatus::Working => ("▶", "working", t.accent),
        WorkerStatus::Paused => ("‖", "paused", t.warn),
        WorkerStatus::Unhealthy => ("✗", "unhealthy", t.fail),
        WorkerStatus::Retired => ("×", "retired", t.dim),
    }
}

/// A hang verdict in one column's width.
pub fn hang_short(hang: Hang) -> &'static str {
    match hang {
        Hang::NoOutput => "no output",
        Hang::SilentBusy => "silent",
        Hang::SilentIdle => "stuck",
        Hang::NoProgress => "no gain",
        Hang::NoExit => "no exit",
    }
}

/// An outcome in words.
pub fn outcome(outcome: Outcome, t: &Theme) -> (&'static str, Style) {
    match outcome {
        Outcome::Ok => ("ok", t.ok),
        Outcome::Error => ("error", t.fail),
        Outcome::Timeout => ("timeout", t.fail),
        Outcome::Stalled => ("stalled", t.fail),
        Outcome::RateLimited => ("rate limited", t.warn),
        Outcome::Interrupted => ("interrupted", t.warn),
        Outcome::Lost => ("lost", t.fail),
        Outcome::Killed => ("killed", t.warn),
    }
}

/// What a waiting job waits for.
pub fn wait(reason: WaitReason, open_dependencies: u32) -> String {
    match reason {
        WaitReason::Dependency if open_dependencies > 0 => format!("after {}", text::plural(u64::from(open_dependencies), "job")),
        WaitReason::Dependency => "after another job".to_owned(),
        WaitReason::Date => "for its time".to_owned(),
        WaitReason::Decision => "asks you something".to_owned(),
        WaitReason::Cap => "spending hold".to_owned(),
        WaitReason::Deadlock => "review deadlock".to_owned(),
    }
}

/// Why a backend takes no work.
pub fn limit(kind: LimitKind) -> &'static str {
    match kind {
        LimitKind::Throttle => "throttled",
        LimitKind::Window => "quota used up",
        LimitKind::Auth => "login refused",
        LimitKind::Overload => "overloaded",
        LimitKind::Operator => "held by you",
    }
}

/// The same in a word, for narrow panes.
pub fn limit_short(kind: LimitKind) -> &'static str {
    match kind {
        LimitKind::Throttle => "throttled",
        LimitKind::Window => "quota",
        LimitKind::Auth => "login refused",
        LimitKind::Overload => "overload",
        LimitKind::Operator => "held",
    }
}

/// The one time that matters for a job in its state: how long it runs or waits, or when it ended.
pub fn when(row: &JobRow, now: Timestamp, utc_offset: i32) -> String {
    let since = |t: Option<Timestamp>| t.map(|t| text::duration(now.since(t).as_millis() as u64)).unwrap_or_default();
    match row.state {
        JobState::Running | JobState::Reviewing => since(row.started_at),
        JobState::Queued => text::age(now.since(row.queued_at.unwrap_or(row.created_at)).as_millis() as u64),
        JobState::Waiting => text::age(now.since(row.created_at).as_millis() as u64),
        JobState::Done | JobState::Failed | JobState::Killed => {
            let moment = row.finished_at.map(|t| text::moment(t, now, utc_offset)).unwrap_or_default();
            // the day is enough for what is not of today
            moment.rsplit_once(' ').map_or(moment.clone(), |(day, _)| day.to_owned())
        }
    }
}

/// Why a paused backend takes no work, and until when, in a few words: `paused until 14:20`.
pub fn paused(backend: &BackendRow, now: Timestamp, utc_offset: i32) -> Option<String> {
    let pause = backend.pause.as_ref()?;
    Some(match (pause.until, pause.guessed) {
        (Some(until), false) => format!("paused until {}", text::moment(until, now, utc_offset)),
        (Some(until), true) => format!("paused, tried again {}", text::moment(until, now, utc_offset)),
        (None, _) => limit(pause.limit.kind).to_owned(),
    })
}

/// What is to be said of a job beside its title: what holds it in a few words, and what happened to it where there is more room.
/// `named`: its backend stands nowhere else in the row.
pub fn remark(row: &JobRow, look: &Look<'_>, named: bool) -> (String, String) {
    let now = look.now;
    let note = text::local_times(row.note.as_deref().unwrap_or_default(), now, look.utc_offset).into_owned();
    match row.state {
        JobState::Waiting => {
            let says = match (row.wait_reason, row.not_before) {
                (Some(WaitReason::Date), Some(t)) if t > now => format!("at {}", text::moment(t, now, look.utc_offset)),
                (Some(reason), _) => wait(reason, row.open_dependencies),
                (None, _) => String::new(),
            };
            (says, String::new())
        }
        JobState::Queued => {
            let again = row.ready_at.filter(|&t| t > now).map(|t| format!("again in {}", text::duration(t.since(now).as_millis() as u64)));
            let backend = || {
                let b = look.snapshot.backends.iter().find(|b| b.name == row.backend)?;
                let says = paused(b, now, look.utc_offset)?;
                Some(if named { format!("{} {says}", b.name) } else { says })
            };
            (again.or_else(backend).unwrap_or_default(), note)
        }
        JobState::Running | JobState::Done => Default::default(),
        _ if note.is_empty() => (row.outcome.map(|o| outcome(o, look.theme).0.to_owned()).unwrap_or_default(), note),
        _ => (note, String::new()),
    }
}
