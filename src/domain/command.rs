//! What an operator may ask for. The console, the command line and the engine apply the same commands to the database.

use super::ids::{AttemptId, DecisionId, EntryId, JobId, MemoryId, MessageId, PlanId, ProjectId, WorkerId};
use super::job::{JobSpec, JobState, Lane, Priority};
use super::memory::Category;
use super::plan::{OnFailure, PlanDocument};
use super::recall::Settle;
use serde::{Deserialize, Serialize};

/// What the operator saw of a job when they asked. If it no longer holds, the command is refused and the console asks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub state: JobState,
    pub attempt: Option<AttemptId>,
}

/// One wish of the operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    AddJob {
        spec: Box<JobSpec>,
    },
    /// Ends a job in any state that is not final; a running one by way of its shim.
    Kill {
        job: JobId,
        seen: Option<Seen>,
    },
    /// Puts a finished job back in the queue, with its attempts reset.
    Retry {
        job: JobId,
        seen: Option<Seen>,
    },
    SetPriority {
        job: JobId,
        priority: Priority,
        seen: Option<Seen>,
    },
    PauseLane {
        lane: Lane,
        paused: bool,
    },
    /// A paused worker takes no job; the one that it runs goes on.
    PauseWorker {
        worker: WorkerId,
        paused: bool,
    },
    RetireWorker {
        worker: WorkerId,
    },
    /// Stops or resumes all dispatching.
    PauseEngine {
        paused: bool,
    },
    /// No new dispatches; the engine ends when the last running job has.
    Drain {
        on: bool,
    },
    /// Answers a card with one of its options, and perhaps a word more.
    Answer {
        decision: DecisionId,
        key: String,
        remark: Option<String>,
    },
    /// Takes a card back: whoever asked goes on without an answer.
    CancelDecision {
        decision: DecisionId,
    },
    /// Puts a project before the operator: its work is done.
    SubmitProject {
        project: ProjectId,
    },
    /// Closes a project.
    ApproveProject {
        project: ProjectId,
        remark: Option<String>,
    },
    /// Sends a project back with what is missing.
    RejectProject {
        project: ProjectId,
        reason: String,
    },
    /// Takes up an approved or rejected project again.
    ReopenProject {
        project: ProjectId,
    },
    /// Has a plan made; it is then proposed.
    NewPlan {
        request: String,
        project: Option<ProjectId>,
        /// Of its jobs.
        priority: Priority,
        /// `None`: as the plan itself says, else the setting.
        on_failure: Option<OnFailure>,
    },
    /// Says yes to a plan: its jobs are made. `revision`: what was seen of it.
    ApprovePlan {
        plan: PlanId,
        revision: Option<u32>,
    },
    /// Says no to a plan. One that is being made is given up.
    RejectPlan {
        plan: PlanId,
        reason: String,
    },
    /// Puts another document in a plan's place; one that is not approved yet is then proposed. `revision`: what was edited.
    EditPlan {
        plan: PlanId,
        document: Box<PlanDocument>,
        revision: Option<u32>,
    },
    /// Says something to the workforce. Stored at once, triaged by the engine.
    SendMessage {
        text: String,
        /// How it came: `console`, `command line`, …
        channel: String,
        /// Whoever wrote it, where that was not the operator.
        from: Option<String>,
        project: Option<ProjectId>,
    },
    /// The operator has seen the conversation up to here.
    ReadConversation {
        up_to: EntryId,
    },
    /// Lifts a pause that a limit put on a backend, or holds the backend by hand.
    PauseBackend {
        backend: String,
        paused: bool,
    },
    /// Switches a schedule on or off; `None` leaves that to `cron.toml` again.
    SetCron {
        name: String,
        enabled: Option<bool>,
    },
    /// Fires a schedule now.
    RunCron {
        name: String,
        spec: Box<JobSpec>,
        /// A job for each project that is stalled, as `CronEntry` has it.
        each_project: bool,
    },
    /// Keeps a memory away from a job's next attempts, or lets it come again.
    VetoMemory {
        job: JobId,
        memory: MemoryId,
        on: bool,
    },
    /// Remembers something.
    AddMemory {
        text: String,
        category: Category,
        /// 0 to 1.
        importance: f64,
    },
    /// Takes a memory out of what is recalled.
    ForgetMemory {
        memory: MemoryId,
    },
    /// Brings a forgotten memory back.
    RestoreMemory {
        memory: MemoryId,
    },
    /// Changes a memory; what is `None` stays.
    EditMemory {
        memory: MemoryId,
        text: Option<String>,
        category: Option<Category>,
        /// 0 to 1.
        importance: Option<f64>,
        /// Whether it rests on text from outside.
        #[serde(default)]
        external: Option<bool>,
        /// The text that was seen; where another one stands there now, nothing is changed.
        #[serde(default)]
        seen: Option<String>,
    },
    /// Says what holds of a memory that a newer one has superseded.
    SettleMemory {
        memory: MemoryId,
        keep: Settle,
    },
    /// Always gives this version of a skill, by its hash; `None`: the one that is in place.
    PinSkill {
        skill: String,
        hash: Option<String>,
    },
    /// Gives the newest version of a skill to this share of the jobs, in percent, and `base` to the others; 100 ends it.
    CanarySkill {
        skill: String,
        base: String,
        percent: u8,
    },
}

impl Command {
    /// True for what is about the memory store, not the database.
    pub fn is_of_memory(&self) -> bool {
        use Command::{AddMemory, EditMemory, ForgetMemory, RestoreMemory, SettleMemory};
        matches!(self, AddMemory { .. } | ForgetMemory { .. } | RestoreMemory { .. } | EditMemory { .. } | SettleMemory { .. })
    }
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Applied {
    /// Done. `undo` takes it back, where that can be.
    Done { message: String, undo: Option<Command> },
    /// A job was made, or an open one with the same dedup key exists.
    Added { job: JobId, existing: bool },
    /// A plan is asked for.
    Planned { plan: PlanId },
    /// A message is stored.
    Sent { message: MessageId },
    /// What the operator saw no longer holds.
    Stale { message: String },
    /// It cannot be done; the message says why and what to do.
    Refused { message: String },
}
