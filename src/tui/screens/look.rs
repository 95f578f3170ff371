//! Marks, words and styles that screens share. Each state has a mark of its own, so that colour is never needed.

use crate::domain::{Hang, JobState, LimitKind, Outcome, Priority, Timestamp, WaitReason, WorkerStatus};
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::wire::{JobRow, LiveAttempt};
use ratatui::style::Style;

/// How one row is drawn.
pub struct Look<'a> {
    pub marked: bool,
    pub current: bool,
    pub now: Timestamp,
    pub utc_offset: i32,
    pub theme: &'a Theme,
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

/// A hang verdict in a sentence.
pub fn hang_says(hang: Hang) -> &'static str {
    match hang {
        Hang::NoOutput => "no byte of output since it started",
        Hang::SilentBusy => "output stopped while its processes use CPU: probably a long tool run",
        Hang::SilentIdle => "output stopped and its processes are idle: probably stuck",
        Hang::NoProgress => "output comes, but no event that means progress: probably retrying",
        Hang::NoExit => "gave its result, but does not exit",
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
        WaitReason::Date => "its time has not come".to_owned(),
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

/// What is to be said of a job beside its title.
pub fn remark(row: &JobRow, now: Timestamp) -> String {
    match row.state {
        JobState::Waiting => row.wait_reason.map(|r| wait(r, row.open_dependencies)).unwrap_or_default(),
        JobState::Queued => match row.ready_at.filter(|&t| t > now) {
            Some(t) => format!("again in {}", text::duration(t.since(now).as_millis() as u64)),
            None => row.note.clone().unwrap_or_default(),
        },
        JobState::Running | JobState::Done => String::new(),
        _ => row.note.clone().unwrap_or_else(|| row.outcome.map(|o| o.to_string()).unwrap_or_default()),
    }
}
