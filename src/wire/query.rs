//! What a console asks for on demand, and the answers: pages of long lists, one job in full, a stretch of a transcript.

use super::frame::SpooledEvent;
use super::project::{ProjectDetail, ProjectDisk, ProjectRow};
use super::snapshot::WorkerRow;
use crate::domain::{
    Applied, Attempt, AttemptId, Category, Command, ComponentHealth, CostBy, CostRow, CronView, Deliverable, Entry, FileForm, Fire,
    Injected, Job, JobFilter, JobId, JobPage, JobRow, LogFilter, LogLine, Memory, MemoryFilter, MemoryId, Overview, Page, Picture, Plan,
    PlanId, PlanJob, PlanRow, Preview, Progress, ProjectId, PromptPart, Recalled, Review, SkillFile, SkillFrom, SkillGiven, SkillHold,
    SkillOutput, SkillUse, SkillVersion, StateCounts, Verdict, WorkerId,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A question to the desk (`engine::desk`).
#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    /// A page of jobs, in the list's order.
    Jobs { filter: JobFilter, page: JobPage },
    /// One job in full.
    Job { job: JobId },
    /// A stretch of an attempt's transcript.
    Transcript { attempt: AttemptId, from: From, limit: usize },
    /// A page of the audit log.
    Log { filter: LogFilter, page: Page },
    /// One worker with its newest attempts.
    Worker { worker: WorkerId },
    /// Lease a worker for its operator: it is paused, and the answer says how its session is gone on with by hand.
    Step { worker: WorkerId },
    /// Memories that a text finds, with their scores; counts as no recall.
    MemorySearch { text: String, category: Option<Category>, limit: usize },
    /// Memories by filter, newest first.
    Memories { filter: MemoryFilter, page: Page },
    /// One memory.
    Memory { memory: MemoryId },
    /// What a job was given from memory, by attempt, best first.
    Recalls { job: JobId },
    /// A page of plans, newest first.
    Plans { page: Page },
    /// One plan in full, with what it would come to.
    Plan { plan: PlanId },
    /// A page of the conversation, newest first.
    Conversation { page: Page },
    /// Something that a job delivers, by its name in the job's list.
    File { job: JobId, name: String },
    /// All projects with how far they have come, the newest first.
    Projects,
    /// One project in full.
    Project { project: ProjectId },
    /// What a project's work trees take on the disk. Measured beside the other questions: it may take long.
    Disk { project: ProjectId },
    /// The schedules, the next 24 hours, and the past of one of them.
    Cron { past: Option<String> },
    /// All skills, with what came of each.
    Skills,
    /// One skill in full.
    Skill { name: String },
    /// What was spent: the headline figures and a rollup, of one line of another rollup only where that is named.
    Costs { by: CostBy, within: Option<(CostBy, String)> },
    /// The nine components.
    Health,
    /// Not a question: a command to apply.
    Command(Command),
}

/// An answer. It repeats what was asked, so that a late one is known as such.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Jobs {
        filter: JobFilter,
        page: JobPage,
        rows: Vec<JobRow>,
        counts: StateCounts,
        /// There are further ones in the direction of reading.
        more: bool,
    },
    Job(Box<JobDetail>),
    Transcript {
        attempt: AttemptId,
        from: From,
        events: Vec<SpooledEvent>,
        more_before: bool,
        more_after: bool,
    },
    Log {
        filter: LogFilter,
        page: Page,
        lines: Vec<LogLine>,
        more: bool,
    },
    Worker(Box<WorkerDetail>),
    Step(Box<Step>),
    /// Best first.
    MemorySearch {
        text: String,
        category: Option<Category>,
        found: Vec<Recalled>,
    },
    Memories {
        filter: MemoryFilter,
        page: Page,
        rows: Vec<Memory>,
        more: bool,
    },
    Memory(Box<Memory>),
    Recalls {
        job: JobId,
        recalls: Vec<Injected>,
    },
    Plans {
        page: Page,
        rows: Vec<PlanRow>,
        more: bool,
    },
    Plan(Box<PlanDetail>),
    Conversation {
        page: Page,
        /// Newest first.
        entries: Vec<Entry>,
        more: bool,
    },
    File(Box<FileContent>),
    Projects(Vec<ProjectRow>),
    Project(Box<ProjectDetail>),
    Disk(ProjectDisk),
    Cron {
        view: Box<CronView>,
        past: Option<String>,
        /// Newest first.
        fires: Vec<Fire>,
    },
    Skills(Vec<SkillRow>),
    Skill(Box<SkillDetail>),
    Costs {
        by: CostBy,
        within: Option<(CostBy, String)>,
        overview: Box<Overview>,
        rows: Vec<CostRow>,
    },
    Health(Vec<ComponentHealth>),
    Applied {
        command: Command,
        applied: Applied,
    },
    /// The question could not be answered; one line that says what, where and what to do.
    Failed {
        query: Query,
        message: String,
    },
}

/// Which part of a transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The newest ones.
    End,
    /// Those after this sequence number.
    After(u64),
    /// Those before this sequence number.
    Before(u64),
}

/// How a worker's session is gone on with on the operator's terminal.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub worker: WorkerId,
    pub name: String,
    /// The backend's own interactive program with its arguments.
    pub argv: Vec<String>,
    pub env: BTreeMap<String, String>,
    /// Not inherited. A trailing `*` matches any ending.
    pub env_remove: Vec<String>,
    /// Where the session belongs.
    pub cwd: PathBuf,
    /// What gives the worker back afterwards; `None` where it had been paused before.
    pub release: Option<Command>,
}

/// One job in full.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobDetail {
    pub job: Job,
    pub attempts: Vec<Attempt>,
    /// The newest events, oldest first.
    pub events: Vec<LogLine>,
    /// What it depends on, and what depends on it.
    pub dependencies: Vec<JobRow>,
    pub dependents: Vec<JobRow>,
    /// The parts of the newest attempt's prompt, without their text.
    pub prompt_parts: Vec<PromptPart>,
    /// Why it does not run; empty when it does or is over.
    pub why: Vec<Verdict>,
    /// Its rounds of review, oldest first.
    #[serde(default)]
    pub reviews: Vec<Review>,
    /// What its attempts were given, the newest attempt first.
    #[serde(default)]
    pub skills: Vec<SkillGiven>,
    /// Skills that would have fitted its prompt, with the phrase.
    #[serde(default)]
    pub suggested: Vec<(String, String)>,
    /// What it delivers: its declared files in their order, then its branch.
    #[serde(default)]
    pub files: Vec<Deliverable>,
    /// The result's text, cut at 256 KiB.
    pub result: Option<String>,
}

/// A deliverable, read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileContent {
    pub job: JobId,
    pub name: String,
    pub form: FileForm,
    /// Of the whole.
    pub bytes: u64,
    /// Empty where it is no text.
    pub text: String,
    /// There is more than `text` holds.
    pub cut: bool,
    /// What sort of data a binary is.
    pub kind: String,
    pub picture: Option<Picture>,
    /// Where it lies.
    pub from: String,
}

/// A skill in the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SkillRow {
    pub name: String,
    pub description: String,
    /// The version that is in place; `None` where that is broken.
    pub hash: Option<String>,
    /// What its author calls it.
    pub version: Option<String>,
    pub source: SkillFrom,
    /// Its SKILL.md, or what stands for it.
    pub file: String,
    pub triggers: Vec<String>,
    pub license: Option<String>,
    #[serde(flatten)]
    pub hold: SkillHold,
    #[serde(flatten)]
    pub use_: SkillUse,
    /// Share of the attempts that ended well; `None` before one has ended.
    pub success: Option<f64>,
    /// File, line and words; the first is what breaks it, where it is broken.
    pub problems: Vec<String>,
}

impl SkillRow {
    /// It can be given to jobs as it is in place.
    pub fn usable(&self) -> bool {
        self.hash.is_some()
    }
}

/// One skill in full.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SkillDetail {
    pub row: SkillRow,
    /// What agents get, of the version in use.
    pub text: String,
    pub files: Vec<SkillFile>,
    /// The newest first.
    pub versions: Vec<SkillVersion>,
    /// What changed from the version before to the newest.
    pub diff: String,
    /// The newest first.
    pub outputs: Vec<SkillOutput>,
}

/// One worker in full.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerDetail {
    pub worker: WorkerRow,
    pub directory: String,
    pub skills: Vec<String>,
    pub session_tokens: u64,
    pub attempts: Vec<Attempt>,
}

/// One plan in full.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanDetail {
    pub plan: Plan,
    /// Its graph and what it would cost; `None` while there is no document.
    pub preview: Option<Preview>,
    /// What was made of its tasks, in the order in which the jobs were made; empty before it is dispatched.
    pub jobs: Vec<PlanJob>,
    pub progress: Progress,
}
