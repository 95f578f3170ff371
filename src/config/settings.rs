//! The settings: one table of name, type, default, range and meaning. Everything else (the struct, the loader, the checks of
//! `config/orc.toml`) is made from it.

use super::keys::{Key, Slot};
use super::load::Origin;
use super::shape::{Field, Shape, Value};
use crate::domain::Kind;
use std::collections::BTreeMap;
use std::ops::Index;
use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// As humantime counts: 365.25 days.
const YEAR: u64 = 31_557_600;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

/// Declares the settings.
macro_rules! settings {
    (
        $($(#[doc = $doc:literal])+ $field:ident: $ty:ty = $default:literal, $shape:expr;)+
        per kind
        $($(#[doc = $kdoc:literal])+ $kfield:ident: $kty:ty = $kdefault:expr, $kshape:expr;)+
    ) => {
        /// Every setting, checked. Made by `load`; `Default` is what holds where nothing is set.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Settings {
            $($(#[doc = $doc])+ pub $field: $ty,)+
            $($(#[doc = $kdoc])+ pub $kfield: PerKind<$kty>,)+
            /// Key bindings of the console that differ from its own: action to keys, several with a space between them.
            pub keys: BTreeMap<String, String>,
            /// What differs from the backends' own descriptions, by backend.
            pub backend: BTreeMap<String, BackendOverrides>,
            /// Who set what is not at its default.
            pub(super) origins: BTreeMap<String, Origin>,
            /// What the command line set, for reading the file again and for a process that takes over.
            pub(super) command_line: Vec<String>,
        }

        /// The table of plain and per-kind keys, in the order of `config/orc.toml`.
        pub(super) fn table() -> Vec<Key> {
            let mut keys = vec![
                $(Key {
                    name: stringify!($field).to_owned(),
                    shape: $shape,
                    default: Some($default),
                    doc: concat!($($doc, "\n"),+),
                    slot: Slot::Plain(|s, v| s.$field = Field::take(v), |s| s.$field.show()),
                },)+
            ];
            $(for &kind in Kind::ALL {
                let default: fn(Kind) -> &'static str = $kdefault;
                keys.push(Key {
                    name: format!("{}.{kind}", stringify!($kfield)),
                    shape: $kshape,
                    default: Some(default(kind)),
                    doc: concat!($($kdoc, "\n"),+),
                    slot: Slot::Kind(|s, k, v| { s.$kfield.0.insert(k, Field::take(v)); }, |s, k| s.$kfield[k].show(), kind),
                });
            })+
            keys
        }

        impl Settings {
            /// Fields with any value of their type: `Default` fills in the table's.
            fn blank() -> Settings {
                Settings {
                    $($field: Default::default(),)+
                    $($kfield: PerKind(BTreeMap::new()),)+
                    keys: BTreeMap::new(),
                    backend: BTreeMap::new(),
                    origins: BTreeMap::new(),
                    command_line: Vec::new(),
                }
            }
        }
    };
}

settings! {
    /// Jobs that run at the same time.
    max_running: u32 = "8", Shape::Count { min: 1, max: 2000, unit: "jobs" };
    /// Slots on top of `max_running` that only P0 jobs may use, even under backpressure.
    reserved_slots: u32 = "1", Shape::Count { min: 0, max: 100, unit: "jobs" };
    /// A queued background job that has waited longer than this is claimed ahead of lane 1's newest. Never ahead of lane 0.
    starvation_after: Duration = "30m", Shape::Time { min: MINUTE, max: 7 * DAY };
    /// The safety net of the event-driven engine: how often it looks even when nothing woke it.
    tick: Duration = "10s", Shape::Time { min: 1, max: 5 * MINUTE };

    /// Tokens that may be used per window (input, output and cache writes).
    token_budget: u64 = "400000", Shape::Count { min: 1000, max: 1_000_000_000_000, unit: "tokens" };
    /// Length of the rolling window of the token budget.
    token_window: Duration = "5m", Shape::Time { min: 10, max: 30 * MINUTE };
    /// What a token read from a cache counts. Above 0, resumed sessions weigh on the budget with their whole context.
    cache_read_weight: f64 = "0", Shape::Share { min: 0.0, max: 1.0 };
    /// Backpressure (nothing starts but P0) begins above this share of the budget, when the queue is deep.
    backpressure_high: f64 = "0.8", Shape::Share { min: 0.05, max: 1.0 };
    /// Backpressure ends below this share. Has to be below `backpressure_high`.
    backpressure_low: f64 = "0.7", Shape::Share { min: 0.0, max: 1.0 };
    /// Queued jobs that make the queue deep.
    backpressure_queue_depth: u32 = "5", Shape::Count { min: 0, max: 1_000_000, unit: "jobs" };

    /// What may be spent in the operator's day, in tokens (input, output, cache writes). Nothing that uses a model starts past it, P0
    /// neither, until the operator answers the card that asks for more, or the day ends. 0 = no cap.
    cap_day_tokens: u64 = "0", Shape::Count { min: 0, max: 1_000_000_000_000, unit: "tokens" };
    /// The same in US dollars. What has no price (`models.toml`) counts at the dearest one of the table.
    cap_day_usd: f64 = "0", Shape::Share { min: 0.0, max: 1_000_000.0 };
    /// From here on the day's tokens are warned of; nothing is held. 0 = no warning.
    warn_day_tokens: u64 = "0", Shape::Count { min: 0, max: 1_000_000_000_000, unit: "tokens" };
    /// The same in US dollars.
    warn_day_usd: f64 = "0", Shape::Share { min: 0.0, max: 1_000_000.0 };
    /// What may be spent on each project in its whole life, in tokens. Past it its jobs are held, as with `cap_day_tokens`. 0 = no cap.
    cap_project_tokens: u64 = "0", Shape::Count { min: 0, max: 1_000_000_000_000, unit: "tokens" };
    /// The same in US dollars.
    cap_project_usd: f64 = "0", Shape::Share { min: 0.0, max: 1_000_000.0 };
    /// From here on a project's tokens are warned of. 0 = no warning.
    warn_project_tokens: u64 = "0", Shape::Count { min: 0, max: 1_000_000_000_000, unit: "tokens" };
    /// The same in US dollars.
    warn_project_usd: f64 = "0", Shape::Share { min: 0.0, max: 1_000_000.0 };

    /// Nothing new starts while less memory than this is available on the host. "0B" switches the check off.
    memory_low_water: u64 = "1GiB", Shape::Bytes { min: 0, max: TIB };
    /// Nothing new starts while the workspace's disk has less room than this. "0B" switches the check off.
    disk_low_water: u64 = "2GiB", Shape::Bytes { min: 0, max: 1024 * TIB };
    /// Ceiling of the memory of one agent and everything it starts, where the engine runs in a delegated cgroup (the systemd
    /// unit). "0B" = none.
    memory_max: u64 = "0B", Shape::Bytes { min: 0, max: 1024 * TIB };

    /// How often a job process reports its pulse. Late after 1.5 of these, silent after 3.
    heartbeat: Duration = "30s", Shape::Time { min: 1, max: 10 * MINUTE };
    /// An agent that lives but makes no progress for this long is shown as stalled. Has to be longer than `heartbeat`.
    stall_after: Duration = "15m", Shape::Time { min: 10, max: DAY };
    /// Whether a stalled agent is also ended, and its job retried.
    stall_kill: bool = "false", Shape::Switch;
    /// Time that a backend's CLI has to exit once it has given its result; then it is ended and the result kept.
    exit_grace: Duration = "30s", Shape::Time { min: 1, max: HOUR };
    /// Time between SIGTERM and SIGKILL when an agent is ended.
    kill_grace: Duration = "10s", Shape::Time { min: 0, max: 10 * MINUTE };
    /// An agent that writes more raw output than this is ended.
    max_output: u64 = "256MiB", Shape::Bytes { min: MIB, max: 64 * GIB };
    /// An agent that takes this many steps in a row without a reason to stop counts as running away, and is ended.
    max_unknown_steps: u32 = "20", Shape::Count { min: 1, max: 10_000, unit: "steps" };

    /// Attempts of a job that may end badly before it fails, where the job does not say. Interruptions and rate limits do not
    /// count.
    max_attempts: u32 = "3", Shape::Count { min: 1, max: 100, unit: "attempts" };
    /// How often a job may lose its process (gone without a report) before it fails as poisonous.
    max_losses: u32 = "3", Shape::Count { min: 1, max: 100, unit: "losses" };
    /// Delay before the second attempt; it doubles with each further one, with jitter.
    retry_base: Duration = "5s", Shape::Time { min: 0, max: DAY };
    /// The longest delay between two attempts. Not less than `retry_base`.
    retry_max: Duration = "10m", Shape::Time { min: 0, max: 7 * DAY };

    /// A persistent worker's session is replaced by a fresh one, with a handover, after this many jobs.
    max_session_jobs: u32 = "50", Shape::Count { min: 1, max: 100_000, unit: "jobs" };
    /// ... or after this many tokens.
    max_session_tokens: u64 = "150000", Shape::Count { min: 1000, max: 1_000_000_000, unit: "tokens" };

    /// Whether jobs get memories at all. Off: nothing is recalled, captured or consolidated; `orc memory` still works.
    memory: bool = "true", Shape::Switch;
    /// Memories that a job gets at most.
    recall_count: u32 = "6", Shape::Count { min: 1, max: 50, unit: "memories" };
    /// How long a start waits for its memories; then it goes on without them, and the log says so.
    recall_wait: Duration = "2s", Shape::Time { min: 0, max: MINUTE };
    /// A memory that shares no word with the prompt is recalled only if their vectors are at least this alike (cosine). 0.3 fits
    /// the embedding that ships; models behind endpoints each have a scale of their own, mostly a higher one.
    recall_floor: f64 = "0.3", Shape::Share { min: 0.0, max: 1.0 };
    /// Score of a memory = the weighted sum of four terms, each 0 to 1. This one: how alike it is to the prompt.
    weight_similarity: f64 = "0.45", Shape::Share { min: 0.0, max: 1.0 };
    /// How new it is.
    weight_recency: f64 = "0.25", Shape::Share { min: 0.0, max: 1.0 };
    /// How important it was said to be.
    weight_importance: f64 = "0.2", Shape::Share { min: 0.0, max: 1.0 };
    /// How often it was recalled.
    weight_access: f64 = "0.1", Shape::Share { min: 0.0, max: 1.0 };
    /// Age at which an event or a context is half as recent.
    half_life_passing: Duration = "30days", Shape::Time { min: HOUR, max: 100 * YEAR };
    /// Age at which everything else (preferences, decisions, lessons, facts, persons) is half as recent.
    half_life_lasting: Duration = "180days", Shape::Time { min: HOUR, max: 100 * YEAR };
    /// The score of a memory that a job got within the last `recall_penalty_window` is multiplied by this.
    recall_penalty: f64 = "0.5", Shape::Share { min: 0.0, max: 1.0 };
    /// See `recall_penalty`. "0s" switches the penalty off.
    recall_penalty_window: Duration = "1h", Shape::Time { min: 0, max: 30 * DAY };
    /// Of memories whose vectors are at least this alike (cosine) and whose figures are the same, a job gets only the best one.
    merge_threshold: f64 = "0.95", Shape::Share { min: 0.5, max: 1.0 };
    /// What makes vectors of memories: the embedding that ships with the program and works offline, or an endpoint. After a
    /// change all are made anew in the background; until then recall goes by the old ones where what made them still
    /// answers, else by words.
    embedder: String = "shipped", Shape::Word(&["shipped", "http"]);
    /// With `embedder = "http"`: the OpenAI-compatible endpoint, without the final `/embeddings`.
    embedder_url: String = "http://127.0.0.1:11434/v1", Shape::Text;
    /// With `embedder = "http"`: the model, as the endpoint spells it.
    embedder_model: String = "nomic-embed-text", Shape::Text;
    /// With `embedder = "http"`: the environment variable that holds the endpoint's key. Unset: it is asked without one.
    embedder_key_env: String = "OPENAI_API_KEY", Shape::Text;
    /// With `embedder = "http"`: dimensions that are asked of the model, where it has several; 0 = its own number.
    embedder_dimensions: u32 = "0", Shape::Count { min: 0, max: 65_536, unit: "dimensions" };
    /// With `embedder = "http"`: how long a request may take in the background. One that a recall needs has half of
    /// `recall_wait`.
    embedder_timeout: Duration = "30s", Shape::Time { min: 1, max: HOUR };
    /// The backend that judges after each job what is worth keeping, and reviews each day: ordinary jobs, whose cost shows. `auto`: the
    /// first agent that is installed, signed in and has a cheap model (`classification` in its models; claude has one). A name: that
    /// one. `none`: nothing is captured or consolidated by itself.
    memory_backend: String = "auto", Shape::Text;
    /// Local time at which what happened since the last review is reviewed, unless a schedule does that (`end-of-day`): what matters is kept, what was superseded is told, what is stale forgotten.
    consolidate_at: String = "21:30", Shape::TimeOfDay;
    /// An event or a context that no job got for this long, and whose importance is below `forget_below`, is forgotten at the
    /// day's review. It can be restored.
    forget_after: Duration = "90days", Shape::Time { min: DAY, max: 100 * YEAR };
    /// See `forget_after`.
    forget_below: f64 = "0.3", Shape::Share { min: 0.0, max: 1.0 };
    /// Entries of a day's raw log that stand as they are; older ones of that day become summaries, with the raw lines compressed
    /// beside them.
    log_entries: u32 = "100", Shape::Count { min: 10, max: 1_000_000, unit: "entries" };
    /// Days of the raw log that are kept.
    log_window: Duration = "30days", Shape::Time { min: DAY, max: 100 * YEAR };

    /// A fire of a schedule that comes later than this was missed, and its `catch_up` says what becomes of it. Room for restarts.
    cron_late: Duration = "2m", Shape::Time { min: 1, max: DAY };
    /// Missed fires that a schedule with `catch_up = "all"` makes up for at most: the newest.
    cron_catch_up: u32 = "24", Shape::Count { min: 1, max: 1000, unit: "fires" };
    /// While a schedule with `back_off` finds nothing to do, only every 2nd, 4th, ... of its fires makes a job, up to every one of
    /// this many. 1 switches it off.
    cron_back_off: u32 = "8", Shape::Count { min: 1, max: 1000, unit: "fires" };
    /// A Redis server, such as "redis://127.0.0.1:6379/0", that is asked first whether a schedule's job is open already. The
    /// database decides in any case; `none`: the engine's own memory is asked instead. Holds from the engine's next start on.
    redis_url: String = "none", Shape::Text;

    /// Who reviews what other agents did before it counts as done: `auto` (whoever is installed, signed in and of another model family;
    /// else another backend; else another model), backends in the order of preference with blanks between them, or `none`.
    reviewer: String = "auto", Shape::Text;
    /// The score from which on a result passes, where its rubric (`rubrics/KIND.toml`) names none.
    review_threshold: f64 = "0.8", Shape::Share { min: 0.0, max: 1.0 };
    /// Rounds of review after which the operator is asked.
    review_rounds: u32 = "3", Shape::Count { min: 1, max: 20, unit: "rounds" };
    /// How long one git command may take, before it and what it started are ended. One that hangs (a filter, a network file system)
    /// would hold up every review and every start in a work tree.
    git_timeout: Duration = "5m", Shape::Time { min: 1, max: HOUR };

    /// The backend of work that names none: planning, planned tasks, quick work. `auto`: the first agent that is installed and signed
    /// in. `none`: such work waits, and says so.
    work_backend: String = "auto", Shape::Text;
    /// Tasks that a plan may have at most.
    plan_max_tasks: u32 = "30", Shape::Count { min: 1, max: 200, unit: "tasks" };
    /// What becomes of the tasks that need one that failed, where the plan does not say: `hold` (they wait until it is done after
    /// all), `skip` (they go on without it, and are told so), `cancel` (they are cancelled, and what needs them).
    plan_on_failure: String = "hold", Shape::Word(&["hold", "skip", "cancel"]);
    /// The backend that sorts messages and answers them, in a session of its own. `auto`: as `work_backend`. `none`: rules sort
    /// them, and an answer is made as quick work is.
    message_backend: String = "auto", Shape::Text;
    /// What a skill's triggers do with a prompt that has one of their phrases: the job shows that the skill would fit (`suggest`), its
    /// agent is given the skill (`inject`), or nothing (`off`).
    skill_triggers: String = "suggest", Shape::Word(&["suggest", "inject", "off"]);
    /// Share of the jobs, in percent, that get a changed skill's new version until `orc skill canary NAME 100%` gives it to all; the
    /// others get the version before. 100: all get it at once.
    skill_canary: u32 = "100", Shape::Count { min: 0, max: 100, unit: "percent" };
    /// Local time at which the engine tidies up each night: the database is copied and checked, what has had its time is put away.
    tidy_at: String = "03:30", Shape::TimeOfDay;
    /// Results of jobs are put into the trash so long after the job was over.
    keep_results: Duration = "30days", Shape::Time { min: DAY, max: 100 * YEAR };
    /// What stands behind each attempt (prompt, transcript, raw output) is put into the trash so long after its job was over.
    keep_spools: Duration = "30days", Shape::Time { min: DAY, max: 100 * YEAR };
    /// Lines of the audit log are dropped at this age, but for those of jobs that are not over so long.
    keep_events: Duration = "365days", Shape::Time { min: DAY, max: 100 * YEAR };
    /// Fires of schedules are forgotten at this age, but for the newest of each.
    keep_fires: Duration = "90days", Shape::Time { min: DAY, max: 100 * YEAR };
    /// A temporary file (`x.tmp`, `x~`, `x.bak` and the like) in a zone of the workspace is put into the trash at this age; `orc lint`
    /// names it from then on. Repositories are left alone.
    keep_temporary: Duration = "7days", Shape::Time { min: DAY, max: 100 * YEAR };
    /// What is in the trash is removed for good after this.
    keep_trash: Duration = "7days", Shape::Time { min: DAY, max: 100 * YEAR };
    /// Nightly copies of the database that are kept. 0 = none is made.
    keep_backups: u32 = "7", Shape::Count { min: 0, max: 1000, unit: "copies" };

    /// Where the engine answers Prometheus with its figures (`/metrics`): `off`, or an address that only this machine reaches, such as
    /// `127.0.0.1:9477`. From the engine's next start on.
    metrics_listen: String = "off", Shape::Text;

    /// Time zone of the console's clock and of what is due "today". `system` is the machine's own.
    timezone: String = "system", Shape::Zone;
    /// Colours of the console for a dark or a light terminal; `auto` asks the terminal.
    theme: String = "auto", Shape::Word(&["auto", "dark", "light"]);
    /// The terminal's own notifications (OSC 9) beside its bell when something starts to wait for you; `auto` sends them to terminals
    /// that are known to have them, and through tmux, which hands them on if its `allow-passthrough` is on.
    notices: String = "auto", Shape::Word(&["auto", "on", "off"]);

    per kind

    /// Wall-clock limit of one attempt, by the job's kind, where the job does not say.
    timeout: Duration = |kind| match kind {
        Kind::Triage => "30s",
        Kind::Review => "15m",
        _ => "60m",
    }, Shape::Time { min: 1, max: 7 * DAY };
    /// Tokens that a job is expected to use beyond its prompt and context, by its kind, until there is history to learn it
    /// from. Part of the reservation.
    expected_output: u64 = |kind| match kind {
        Kind::Code => "6000",
        Kind::Writing | Kind::Research => "4000",
        Kind::Plan => "3000",
        Kind::Review | Kind::Other => "2000",
        Kind::Triage | Kind::Capture | Kind::Consolidate => "500",
        Kind::Maintenance => "0",
    }, Shape::Count { min: 0, max: 10_000_000, unit: "tokens" };
    /// Which tier of model a kind of job deserves, where the job names no model. The models: `[backend.NAME.models]`.
    tier: Tier = |kind| match kind {
        Kind::Triage | Kind::Capture => "classification",
        Kind::Maintenance | Kind::Other => "routine",
        _ => "deep",
    }, Shape::Word(Tier::WORDS);
    /// Which kinds of job get memories.
    recall: bool = |kind| match kind {
        Kind::Capture | Kind::Consolidate | Kind::Maintenance => "false",
        _ => "true",
    }, Shape::Switch;
    /// Which kinds of job are done only when their result has been reviewed. What uses no model never is.
    review: bool = |kind| match kind {
        Kind::Code | Kind::Writing | Kind::Research | Kind::Plan | Kind::Other => "true",
        _ => "false",
    }, Shape::Switch;
    /// After which kinds of job something may be worth keeping. What uses no model is never looked at.
    capture: bool = |kind| match kind {
        Kind::Code | Kind::Writing | Kind::Research | Kind::Plan | Kind::Other => "true",
        _ => "false",
    }, Shape::Switch;
}

/// One value for each kind of job.
#[derive(Clone, Debug, PartialEq)]
pub struct PerKind<T>(BTreeMap<Kind, T>);

impl<T> Index<Kind> for PerKind<T> {
    type Output = T;
    fn index(&self, kind: Kind) -> &T {
        &self.0[&kind]
    }
}

/// How much model a job deserves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Work that a strong model does better.
    Deep,
    /// Everyday work.
    Routine,
    /// Sorting and judging in a word or two.
    Classification,
}

impl Tier {
    /// The spellings, in order.
    pub const WORDS: &'static [&'static str] = &["deep", "routine", "classification"];

    /// The one spelling.
    pub fn as_str(self) -> &'static str {
        Tier::WORDS[self as usize]
    }
}

impl Field for Tier {
    fn take(value: Value) -> Tier {
        match String::take(value).as_str() {
            "deep" => Tier::Deep,
            "classification" => Tier::Classification,
            _ => Tier::Routine,
        }
    }
    fn show(&self) -> String {
        self.as_str().to_owned()
    }
}

/// What `[backend.NAME]` sets on top of the backend's description.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BackendOverrides {
    /// False: the backend takes no jobs.
    pub enabled: Option<bool>,
    /// Jobs of this backend that run at the same time; 0 = no limit.
    pub concurrent: Option<u32>,
    /// Starts in a minute; 0 = no limit.
    pub per_minute: Option<u32>,
    /// The backend that takes this one's jobs while it is paused by a limit.
    pub failover: Option<String>,
    /// The program, by path or by a name on PATH.
    pub program: Option<String>,
    /// Environment of its agents. Never secrets: those come with the engine's own environment.
    pub env: BTreeMap<String, String>,
    /// The model of each tier.
    pub models: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        let mut settings = Settings::blank();
        for key in super::keys::keys() {
            key.set_default(&mut settings);
        }
        settings
    }
}

impl Settings {
    /// Who set a key (`max_running`, `timeout.code`, `backend.claude.concurrent`).
    pub fn origin(&self, key: &str) -> &Origin {
        self.origins.get(key).unwrap_or(&Origin::Default)
    }

    /// The `--set key=value` that these settings were read with.
    pub fn command_line(&self) -> &[String] {
        &self.command_line
    }

    /// What is not at its default: the key, and who set it.
    pub fn changed(&self) -> impl Iterator<Item = (&str, &Origin)> {
        self.origins.iter().map(|(key, origin)| (key.as_str(), origin))
    }

    /// The model that a job of this kind gets from this backend, where `orc.toml` names one; else the backend's own choice.
    pub fn model(&self, backend: &str, kind: Kind) -> Option<&str> {
        self.backend.get(backend)?.models.get(self.tier[kind].as_str()).map(String::as_str)
    }
}
