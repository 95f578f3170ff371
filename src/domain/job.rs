//! A job: what is asked for, and where it stands.

use super::attempt::Outcome;
use super::ids::{AttemptId, JobId, ProjectId, ReviewId, TaskId};
use super::time::Timestamp;
use super::words::words;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

words!(
    /// Where a job stands. `Done`, `Failed` and `Killed` are final: only the operator's retry leaves them.
    JobState {
        /// Not ready yet; the job carries why (`WaitReason`).
        Waiting = "waiting",
        /// Ready; it waits for capacity.
        Queued = "queued",
        /// An attempt is open.
        Running = "running",
        /// The attempt is over; its result is under review.
        Reviewing = "reviewing",
        /// Ended well.
        Done = "done",
        /// Ended badly, with no attempt left.
        Failed = "failed",
        /// Ended by the operator.
        Killed = "killed",
    }
);

impl JobState {
    /// True for the states that only the operator's retry leaves.
    pub fn is_final(self) -> bool {
        matches!(self, JobState::Done | JobState::Failed | JobState::Killed)
    }
}

words!(
    /// Why a waiting job waits.
    WaitReason {
        /// Another job has to be done first.
        Dependency = "dependency",
        /// Its time has not come.
        Date = "date",
        /// It asked the operator something.
        Decision = "decision",
        /// A spending hold.
        Cap = "cap",
        /// Its reviewer and its author do not agree.
        Deadlock = "deadlock",
    }
);

words!(
    /// What sort of work a job is: it decides estimate, time limit, model tier and whether the result is reviewed.
    Kind {
        Code = "code",
        Writing = "writing",
        Research = "research",
        Review = "review",
        Plan = "plan",
        Triage = "triage",
        Capture = "capture",
        Consolidate = "consolidate",
        Maintenance = "maintenance",
        Other = "other",
    }
);

words!(
    /// Where a job came from.
    Origin {
        Message = "message",
        Cron = "cron",
        Plan = "plan",
        Cli = "cli",
        Review = "review",
        Engine = "engine",
    }
);

/// P0 (a human waits) to P5 (whenever).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(u8);

impl Priority {
    /// The most urgent.
    pub const P0: Priority = Priority(0);
    /// The default: normal scheduled work.
    pub const P2: Priority = Priority(2);
    /// The least urgent.
    pub const P5: Priority = Priority(5);

    /// `level` 0 to 5; `None` outside.
    pub fn new(level: u8) -> Option<Priority> {
        (level <= 5).then_some(Priority(level))
    }

    /// 0 to 5.
    pub fn level(self) -> u8 {
        self.0
    }

    /// The lane that this priority travels in.
    pub fn lane(self) -> Lane {
        match self.0 {
            0 | 1 => Lane::Urgent,
            2 => Lane::Normal,
            _ => Lane::Background,
        }
    }

    /// One step more urgent; itself at P0.
    pub fn raised(self) -> Priority {
        Priority(self.0.saturating_sub(1))
    }

    /// One step less urgent; itself at P5.
    pub fn lowered(self) -> Priority {
        Priority((self.0 + 1).min(5))
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(["P0", "P1", "P2", "P3", "P4", "P5"][self.0 as usize])
    }
}

/// A priority that is not one of P0 to P5.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a priority: P0 (urgent) to P5 (whenever)")]
pub struct NotAPriority(pub String);

impl FromStr for Priority {
    type Err = NotAPriority;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let digits = s.strip_prefix(['P', 'p']).unwrap_or(s);
        digits.parse().ok().and_then(Priority::new).ok_or_else(|| NotAPriority(s.to_owned()))
    }
}

impl Serialize for Priority {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Priority {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The three lanes, in claim order. In JSON and flags a lane is its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum Lane {
    /// P0 and P1: user-facing.
    Urgent,
    /// P2: normal scheduled work.
    Normal,
    /// P3 to P5: background and maintenance.
    Background,
}

impl Lane {
    /// In claim order.
    pub const ALL: [Lane; 3] = [Lane::Urgent, Lane::Normal, Lane::Background];

    /// 0, 1 or 2.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// A word for people.
    pub fn name(self) -> &'static str {
        match self {
            Lane::Urgent => "urgent",
            Lane::Normal => "normal",
            Lane::Background => "background",
        }
    }
}

impl From<Lane> for u8 {
    fn from(lane: Lane) -> u8 {
        lane.number()
    }
}

impl TryFrom<u8> for Lane {
    type Error = String;
    fn try_from(n: u8) -> Result<Lane, String> {
        Lane::ALL.get(n as usize).copied().ok_or_else(|| format!("`{n}` is not a lane: 0 urgent, 1 normal, 2 background"))
    }
}

/// What is asked for: everything that a submission carries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobSpec {
    /// One line for people.
    pub title: String,
    /// What the agent is told (for `shell`: the script).
    pub prompt: String,
    /// The backend's name: `claude`, `codex`, `gemini`, `opencode`, `shell`, `http`, `replay`, or one that the config adds.
    pub backend: String,
    pub kind: Kind,
    pub priority: Priority,
    #[serde(default)]
    pub project_id: Option<ProjectId>,
    #[serde(default)]
    pub task_id: Option<TaskId>,
    /// Names of skills to inject, in order.
    #[serde(default)]
    pub skills: Vec<String>,
    #[serde(default)]
    pub persona: Option<String>,
    /// The model's name as the backend spells it; `None` = routed by kind.
    #[serde(default)]
    pub model: Option<String>,
    /// An explicit worker, by name.
    #[serde(default)]
    pub worker: Option<String>,
    /// Jobs that have to be `done` first.
    #[serde(default)]
    pub depends_on: Vec<JobId>,
    /// Not to start before this instant.
    #[serde(default)]
    pub not_before: Option<Timestamp>,
    /// Wall-clock limit of one attempt; `None` = by kind.
    #[serde(default, with = "opt_millis")]
    pub timeout: Option<Duration>,
    /// How many attempts may end badly before the job fails.
    pub max_attempts: u32,
    /// While a job with this key is open, a second submission returns that job.
    #[serde(default)]
    pub dedup_key: Option<String>,
    pub origin: Origin,
    #[serde(default)]
    pub tags: Vec<String>,
    /// Files that it has to deliver, each absolute or below the folder that it runs in.
    #[serde(default)]
    pub artefacts: Vec<String>,
}

impl JobSpec {
    /// A spec with every default: P2, kind by backend (`maintenance` for shell, else `other`), three attempts.
    pub fn new(title: impl Into<String>, backend: impl Into<String>, prompt: impl Into<String>) -> JobSpec {
        let backend = backend.into();
        JobSpec {
            title: title.into(),
            prompt: prompt.into(),
            kind: default_kind(&backend),
            backend,
            priority: Priority::P2,
            project_id: None,
            task_id: None,
            skills: Vec::new(),
            persona: None,
            model: None,
            worker: None,
            depends_on: Vec::new(),
            not_before: None,
            timeout: None,
            max_attempts: 3,
            dedup_key: None,
            origin: Origin::Cli,
            tags: Vec::new(),
            artefacts: Vec::new(),
        }
    }
}

/// The kind of a job for which none was given.
pub fn default_kind(backend: &str) -> Kind {
    if backend == "shell" { Kind::Maintenance } else { Kind::Other }
}

/// A job as the database holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    pub id: JobId,
    #[serde(flatten)]
    pub spec: JobSpec,
    pub state: JobState,
    /// Set exactly while `state` is `waiting`.
    pub wait_reason: Option<WaitReason>,
    /// Attempts that counted against `max_attempts`.
    pub attempts: u32,
    /// Attempts lost (their process gone without a report). A separate counter, so that a crash uses up no attempt and a
    /// poison job still stops.
    pub losses: u32,
    /// The open attempt, or the newest one.
    pub attempt: Option<AttemptId>,
    /// How the newest attempt ended.
    pub outcome: Option<Outcome>,
    /// Why it stands where it stands, in one line for people.
    pub note: Option<String>,
    /// While queued: not to be claimed before this instant (retry delay, backend pause).
    pub ready_at: Option<Timestamp>,
    pub created_at: Timestamp,
    /// When it last became queued.
    pub queued_at: Option<Timestamp>,
    /// When its newest attempt began.
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    /// The operator asked for its end while it ran; the engine acts on it.
    pub kill_requested: bool,
    /// Rounds of review that it has had since it was submitted or retried.
    pub rounds: u32,
    /// The review whose fixes its next attempt is to close, in the session of the last one.
    pub guide: Option<ReviewId>,
}

impl Job {
    /// The lane that it travels in.
    pub fn lane(&self) -> Lane {
        self.spec.priority.lane()
    }
}

mod opt_millis {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::time::Duration;

    pub fn serialize<S: Serializer>(d: &Option<Duration>, s: S) -> Result<S::Ok, S::Error> {
        d.map(|d| d.as_millis() as u64).serialize(s)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(d)?.map(Duration::from_millis))
    }
}
