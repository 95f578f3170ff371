//! Values that a console might be shown: an empty workspace, a busy one, one in trouble.

use orc::domain::{
    AttemptId, CapStanding, CapUnit, Category, Component, ComponentHealth, CostBy, CostRow, Decision, DecisionId, DecisionState, Finding,
    Fix, Found, Hang, JobId, JobState, Judgement, Kind, Lane, Limit, LimitKind, Liveness, Memory, MemoryId, MemorySource, Outcome,
    Overview, Priority, ProjectId, Question, Review, ReviewId, ReviewOutcome, Score, Spend, Stage, Timestamp, Upkeep, Usage, WaitReason,
    WorkerId, WorkerStatus, components,
};
use orc::wire::{
    Attention, BackendPause, BackendRow, BudgetView, EngineMode, HostView, JobRow, LaneView, LiveAttempt, LogLine, Severity, Slots,
    Snapshot, Today, WorkerRow,
};

/// 2025-11-24 14:32:05 UTC.
pub const NOW: Timestamp = Timestamp(1_763_994_725_000);

/// Before now, in seconds.
pub fn ago(seconds: i64) -> Timestamp {
    Timestamp(NOW.0 - seconds * 1000)
}

/// A queued P2 job that is ten seconds old.
pub fn job(id: i64, title: &str) -> JobRow {
    JobRow {
        id: JobId(id),
        title: title.to_owned(),
        state: JobState::Queued,
        wait_reason: None,
        priority: Priority::P2,
        lane: Lane::Normal,
        backend: "claude".to_owned(),
        kind: Kind::Code,
        model: None,
        worker: None,
        project_id: None,
        project: None,
        attempts: 0,
        max_attempts: 3,
        attempt: None,
        outcome: None,
        note: None,
        open_dependencies: 0,
        not_before: None,
        created_at: ago(10),
        queued_at: Some(ago(10)),
        ready_at: None,
        started_at: None,
        finished_at: None,
        tokens: 0,
        cost_usd: 0.0,
    }
}

fn queued(id: i64, level: u8, backend: &str, age: i64, title: &str) -> JobRow {
    let priority = Priority::new(level).unwrap();
    JobRow {
        priority,
        lane: priority.lane(),
        backend: backend.to_owned(),
        created_at: ago(age),
        queued_at: Some(ago(age)),
        ..job(id, title)
    }
}

/// A worker that works on a job.
pub fn working(id: i64, name: &str, backend: &str, model: &str, job: i64, title: &str, seconds: i64) -> WorkerRow {
    WorkerRow {
        id: WorkerId(id),
        name: name.to_owned(),
        backend: backend.to_owned(),
        model: Some(model.to_owned()),
        persona: None,
        persistent: true,
        status: WorkerStatus::Working,
        project_id: None,
        session: Some("8a51c1c8-2b9c-4a5e-9d0e-2f1c54b0a7aa".to_owned()),
        session_jobs: 7,
        total_jobs: 212,
        total_tokens: 9_412_000,
        live: Some(LiveAttempt {
            attempt: AttemptId(job * 10),
            job: JobId(job),
            title: title.to_owned(),
            priority: Priority::P2,
            started_at: ago(seconds),
            connected: true,
            last_heartbeat: Some(ago(9)),
            heartbeat_interval_ms: 30_000,
            liveness: Liveness::Fresh,
            hang: None,
            byte_age_ms: 1_200,
            progress_age_ms: 4_000,
            cpu_ms: 74_000,
            rss_bytes: 412 << 20,
            processes: 5,
            tokens: 48_213,
            cost_usd: 0.42,
            last: String::new(),
            kill_requested: false,
        }),
    }
}

fn idle(id: i64, name: &str, backend: &str, model: &str, status: WorkerStatus) -> WorkerRow {
    WorkerRow { status, live: None, ..working(id, name, backend, model, 0, "", 0) }
}

fn event(id: i64, seconds: i64, severity: Severity, what: &str, job: Option<i64>, actor: &str, text: &str) -> LogLine {
    LogLine {
        id,
        at: ago(seconds),
        severity,
        actor: actor.to_owned(),
        what: what.to_owned(),
        job: job.map(JobId),
        title: job.filter(|_| what != "queued").map(|id| format!("Title of {id}")),
        attempt: None,
        text: text.to_owned(),
    }
}

fn backend(name: &str, running: u32, max_running: u32) -> BackendRow {
    BackendRow { name: name.to_owned(), running, max_running, pause: None }
}

/// An engine that runs, and nothing else.
pub fn empty() -> Snapshot {
    let mut s = Snapshot::starting(NOW, "/home/ops/acme".to_owned());
    s.engine.mode = EngineMode::Running;
    s.engine.pid = 4242;
    s.engine.epoch = 3;
    s.slots = Slots { max_running: 8, reserved: 1, running: 0 };
    s.budget = BudgetView { budget: 400_000, window_ms: 300_000, used: 0, reserved: 0, high: 0.8, low: 0.7, history: vec![0; 30] };
    s.backends = ["claude", "codex", "gemini", "opencode", "shell"].into_iter().map(|b| backend(b, 0, 0)).collect();
    s.host =
        HostView { memory_available: 6 << 30, memory_low_water: 1 << 30, disk_available: 41 << 30, disk_low_water: 2 << 30, held: None };
    s
}

/// A believable afternoon.
pub fn busy() -> Snapshot {
    let mut s = empty();
    s.today = Today { created: 143, done: 118, failed: 3, tokens: 4_213_000, cost_usd: 31.4 };
    s.slots.running = 6;
    s.budget.used = 212_400;
    s.budget.reserved = 61_000;
    s.budget.history =
        vec![0, 4, 9, 22, 31, 40, 38, 20, 11, 3, 0, 0, 8, 31, 44, 52, 61, 55, 40, 33, 21, 18, 24, 37, 48, 60, 52, 41, 38, 44]
            .into_iter()
            .map(|k| k * 1000)
            .collect();
    s.backends =
        vec![backend("claude", 3, 4), backend("codex", 1, 2), backend("gemini", 0, 0), backend("opencode", 0, 0), backend("shell", 2, 0)];
    s.backends[2].pause = Some(BackendPause {
        limit: Limit { kind: LimitKind::Window, resets_at: Some(ago(-1960)), message: "quota exceeded for gemini-2.5-pro".to_owned() },
        since: ago(300),
        until: Some(ago(-1960)),
        guessed: false,
    });
    let mut blocked = queued(1481, 2, "claude", 640, "Write the release notes once the migration is done");
    blocked.state = JobState::Waiting;
    blocked.wait_reason = Some(WaitReason::Dependency);
    blocked.open_dependencies = 2;
    let mut again = queued(1466, 2, "codex", 1800, "Port the import tool to the new API");
    again.attempts = 1;
    again.ready_at = Some(ago(-42));
    again.note = Some("timeout after 60m".to_owned());
    s.lanes = vec![
        LaneView {
            lane: Lane::Urgent,
            paused: false,
            running: 1,
            queued: 2,
            waiting: 0,
            next: vec![
                queued(1492, 0, "claude", 4, "Answer the customer about the failed refund"),
                queued(1488, 1, "claude", 95, "Why did the nightly backup take four hours?"),
            ],
        },
        LaneView {
            lane: Lane::Normal,
            paused: false,
            running: 4,
            queued: 12,
            waiting: 3,
            next: vec![
                again,
                queued(1479, 2, "claude", 702, "Add pagination to the orders endpoint"),
                blocked,
                queued(1483, 2, "gemini", 300, "Compare the three vector stores for our load"),
                queued(1485, 2, "claude", 210, "Review the access rules of the staging bucket"),
            ],
        },
        LaneView {
            lane: Lane::Background,
            paused: true,
            running: 1,
            queued: 17,
            waiting: 0,
            next: vec![
                queued(1402, 3, "shell", 5400, "Rotate and compress last week's logs"),
                queued(1404, 4, "claude", 5100, "Tag photos 日本語の説明を付ける"),
                queued(1409, 5, "claude", 4000, "Collect new papers on retrieval"),
            ],
        },
    ];
    let mut w = vec![
        working(1, "claude-main", "claude", "claude-opus-4-5", 1471, "Migrate the billing tables to the new schema", 845),
        working(2, "claude-docs", "claude", "claude-sonnet-4-5", 1490, "Draft the incident report for Tuesday's outage", 127),
        working(3, "claude-ops", "claude", "claude-haiku-4-5", 1493, "Is the disk alert on db-3 real?", 21),
        working(4, "codex-api", "codex", "gpt-5-codex", 1468, "Make the rate limiter configurable per tenant", 1312),
        working(5, "shell-1", "shell", "", 1400, "Nightly vacuum of the warehouse", 3725),
        working(6, "shell-2", "shell", "", 1494, "Refresh the TLS certificates", 6),
        idle(7, "gemini-scout", "gemini", "gemini-2.5-pro", WorkerStatus::Idle),
        idle(8, "claude-review", "claude", "claude-opus-4-5", WorkerStatus::Paused),
    ];
    for shell in &mut w[4..6] {
        shell.model = None;
        shell.persistent = false;
    }
    let says = [
        "Bash cargo test -p billing --features migrate",
        "Writing the timeline: at 09:12 the primary lost its lease",
        "Reading /var/log/syslog",
        "Edit src/limits/tenant.rs",
        "INFO: vacuuming \"public.events\"",
        "",
    ];
    for (worker, last) in w.iter_mut().zip(says) {
        if let Some(l) = &mut worker.live {
            l.last = last.to_owned();
        }
    }
    if let Some(l) = &mut w[0].live {
        l.priority = Priority::new(1).unwrap();
    }
    if let Some(l) = &mut w[3].live {
        l.liveness = Liveness::Late;
        l.last_heartbeat = Some(ago(52));
        l.hang = Some(Hang::SilentIdle);
        l.tokens = 132_900;
    }
    if let Some(l) = &mut w[5].live {
        l.last_heartbeat = None;
        l.tokens = 0;
    }
    s.workers = w;
    s.attention = vec![
        Attention {
            severity: Severity::Warn,
            says: "codex-api is stuck: no output for 17m".to_owned(),
            remedy: "x kills it, R retries".to_owned(),
            job: Some(JobId(1468)),
        },
        Attention {
            severity: Severity::Info,
            says: "gemini is out of quota until 15:04".to_owned(),
            remedy: "it resumes by itself".to_owned(),
            job: None,
        },
    ];
    s.log = vec![
        event(9001, 420, Severity::Info, "queued", Some(1479), "cron", "Add pagination to the orders endpoint"),
        event(9002, 300, Severity::Warn, "backend", None, "engine", "gemini paused: quota used up, resets at 15:04"),
        event(9003, 211, Severity::Info, "done", Some(1487), "claude-main", "ok in 6m12s, 31.2k tokens, $0.28"),
        event(9004, 127, Severity::Info, "running", Some(1490), "engine", "attempt 1 on claude-docs"),
        event(9005, 95, Severity::Info, "queued", Some(1488), "message", "Why did the nightly backup take four hours?"),
        event(9006, 61, Severity::Fail, "failed", Some(1484), "codex-api", "error: the working tree has conflicts; 3 of 3 attempts used"),
        event(9007, 50, Severity::Warn, "hanging", Some(1468), "codex-api", "output stopped and its processes are idle"),
        event(9008, 21, Severity::Info, "running", Some(1493), "engine", "attempt 1 on claude-ops"),
        event(9009, 6, Severity::Info, "running", Some(1494), "engine", "attempt 1 on shell-2"),
        event(9010, 4, Severity::Info, "queued", Some(1492), "message", "Answer the customer about the failed refund"),
    ];
    s
}

/// Everything at once goes wrong.
pub fn trouble() -> Snapshot {
    let mut s = busy();
    s.engine.backpressure = Some("95 % of the budget with 31 queued; ends below 70 %".to_owned());
    s.budget.used = 331_000;
    s.budget.reserved = 81_000;
    s.host.memory_available = 700 << 20;
    s.host.held = Some("700 MiB memory free, 1.0 GiB wanted".to_owned());
    s.backends[0].pause = Some(BackendPause {
        limit: Limit { kind: LimitKind::Auth, resets_at: None, message: "OAuth token has expired".to_owned() },
        since: ago(30),
        until: None,
        guessed: false,
    });
    s.backends[1].pause = Some(BackendPause {
        limit: Limit { kind: LimitKind::Throttle, resets_at: None, message: "429".to_owned() },
        since: ago(30),
        until: Some(ago(-45)),
        guessed: true,
    });
    for (i, w) in s.workers.iter_mut().enumerate() {
        if let Some(l) = &mut w.live {
            match i {
                0 => {
                    l.liveness = Liveness::Silent;
                    l.last_heartbeat = Some(ago(190));
                }
                1 => l.connected = false,
                2 => l.hang = Some(Hang::NoExit),
                4 => l.kill_requested = true,
                _ => {}
            }
        }
    }
    s.workers[7].status = WorkerStatus::Unhealthy;
    s.attention.insert(
        0,
        Attention {
            severity: Severity::Fail,
            says: "claude: login refused".to_owned(),
            remedy: "run `claude login`, then resume the backend".to_owned(),
            job: None,
        },
    );
    s
}

/// What is remembered: the ids count down with age; the last but one is disputed.
pub fn memories() -> Vec<Memory> {
    let memory = |id: i64, category, text: &str| Memory {
        id: MemoryId(id),
        text: text.to_owned(),
        category,
        importance: 0.6,
        source: MemorySource::Job { job: JobId(1400 + id), attempt: None },
        external: false,
        created_at: ago(90_000 * (10 - id)),
        last_recalled_at: Some(ago(400)),
        access_count: 3,
        superseded_by: None,
        superseded_at: None,
        disputed: false,
        forgotten_at: None,
    };
    let mut all = vec![
        memory(9, Category::Decision, "Invoices keep their old table until the totals agree for a month."),
        memory(8, Category::Preference, "Commit messages in the imperative, at most 60 characters."),
        memory(7, Category::Lesson, "The staging database is restored every night at 02:00; what is written there by day is gone. 日本語"),
        memory(6, Category::Fact, "The rate limiter lives in src/limits, one file a tenant."),
        memory(5, Category::Decision, "Invoices move to the new table at once."),
        memory(4, Category::Event, "A mail says that the printer is to be trusted."),
    ];
    all[4].superseded_by = Some(MemoryId(9));
    all[4].superseded_at = Some(ago(600));
    all[4].disputed = true;
    all[5].external = true;
    all
}

/// A question that waits for an answer.
pub fn card(id: i64) -> Decision {
    let choice = |text: &str| text.parse().unwrap();
    Decision {
        id: DecisionId(id),
        asked: Question {
            question: "Which host?".to_owned(),
            choices: vec![choice("fly:Fly.io:5 $ a month"), choice("own:Own server")],
            deadline: None,
            default: None,
            task: None,
            project: None,
            job: Some(JobId(1481)),
            attempt: None,
        },
        asked_by: "worker:claude-main".to_owned(),
        state: DecisionState::Open,
        answer: None,
        remark: None,
        created_at: ago(60),
        answered_at: None,
    }
}

/// A finished job.
pub fn over(id: i64, state: JobState, outcome: Outcome, title: &str) -> JobRow {
    JobRow {
        state,
        outcome: Some(outcome),
        attempts: if state == JobState::Done { 0 } else { 3 },
        note: (state != JobState::Done).then(|| "the working tree has conflicts".to_owned()),
        attempt: Some(AttemptId(id * 10)),
        worker: Some("claude-main".to_owned()),
        started_at: Some(ago(2000)),
        finished_at: Some(ago(if id % 5 == 0 { 90_000 } else { 1500 })),
        tokens: 31_200,
        cost_usd: 0.28,
        ..job(id, title)
    }
}

/// What the database holds behind the busy snapshot: 300 jobs.
pub fn history(s: &Snapshot) -> Vec<JobRow> {
    let mut rows: Vec<JobRow> = s.lanes.iter().flat_map(|l| l.next.clone()).collect();
    for w in &s.workers {
        if let Some(l) = &w.live {
            let mut row = job(l.job.0, &l.title);
            row.state = JobState::Running;
            row.priority = l.priority;
            row.lane = l.priority.lane();
            row.backend = w.backend.clone();
            row.worker = Some(w.name.clone());
            row.attempt = Some(l.attempt);
            row.started_at = Some(l.started_at);
            row.tokens = l.tokens;
            row.cost_usd = l.cost_usd;
            rows.push(row);
        }
    }
    let titles =
        ["Fix the flaky login test", "Summarise yesterday's tickets", "Update the pricing page", "Check the backups", "Triage the inbox"];
    for id in 1195..=1495 {
        if rows.iter().any(|r| r.id.0 == id) {
            continue;
        }
        let title = titles[id as usize % titles.len()];
        rows.push(match id % 23 {
            7 => over(id, JobState::Failed, Outcome::Error, title),
            11 => over(id, JobState::Killed, Outcome::Killed, title),
            _ => over(id, JobState::Done, Outcome::Ok, title),
        });
    }
    rows.sort_by_key(|r| std::cmp::Reverse(r.id));
    rows
}

/// Three rounds: sent back for failing tests, sent back by the reviewer, and one that is judged now.
pub fn rounds(job: JobId) -> Vec<Review> {
    let fix = |number, text: &str, evidence: Option<&str>| Fix {
        number,
        text: text.to_owned(),
        criterion: None,
        closed: evidence.is_some(),
        evidence: evidence.map(str::to_owned),
    };
    let judged = |id: &str, score, evidence: &str| Score { id: id.to_owned(), score, evidence: evidence.to_owned() };
    let first = Review {
        id: ReviewId(1),
        job,
        attempt: AttemptId(job.0 * 10),
        round: 1,
        stage: Stage::Over,
        hash: Some("tree:5be1c3f09ad0c0ffee".to_owned()),
        copy: None,
        rubric: None,
        test_job: Some(JobId(1501)),
        tests_passed: Some(false),
        review_job: None,
        reviewer: None,
        judgement: None,
        score: None,
        threshold: 0.8,
        fixes: vec![fix(
            1,
            "The project's test command fails. Make it pass. The end of its output:\n1 failed: rounding",
            Some("the tests pass now"),
        )],
        decision: None,
        outcome: Some(ReviewOutcome::Fixes),
        note: None,
        voids: 0,
        began_at: ago(900),
        ended_at: Some(ago(800)),
    };
    let second = Review {
        id: ReviewId(2),
        round: 2,
        hash: Some("tree:77aa0191b2".to_owned()),
        tests_passed: Some(true),
        review_job: Some(JobId(1502)),
        reviewer: Some("codex gpt-5-codex, another model family".to_owned()),
        score: Some(0.62),
        judgement: Some(Judgement {
            criteria: vec![
                judged("does-it", 0.9, "limits.rs:40 takes the tenant's own figure, as the job asks"),
                judged(
                    "correct",
                    0.3,
                    "limits.rs:52 divides by the window without looking whether it is zero; a tenant without a plan gets there, as \u{1b}[31mseeds/plans.sql shows",
                ),
                judged("tested", 0.75, "tests/limits.rs covers two tenants, none without a plan"),
            ],
            fixes: Vec::new(),
            earlier: Vec::new(),
        }),
        fixes: vec![
            fix(
                1,
                "Refuse a window of zero where the plan is read, with a message that names the tenant.",
                Some("plans.rs:31 refuses it now"),
            ),
            fix(2, "Add a test for a tenant without a plan.", None),
        ],
        ..first.clone()
    };
    let third = Review {
        id: ReviewId(3),
        round: 3,
        stage: Stage::Judge,
        score: None,
        judgement: None,
        review_job: Some(JobId(1503)),
        fixes: Vec::new(),
        outcome: None,
        ended_at: None,
        hash: Some("tree:90ab12cd34".to_owned()),
        ..second.clone()
    };
    vec![first, second, third]
}

/// What was spent on a believable afternoon; or nothing.
pub fn costs(by: CostBy, nothing: bool) -> (Overview, Vec<CostRow>) {
    if nothing {
        return Default::default();
    }
    let spend = |jobs: u64, kilo: u64, usd: f64, unpriced: u64| Spend {
        jobs,
        attempts: jobs,
        usage: Usage { input: kilo * 800, output: kilo * 200, cache_read: kilo * 9000, cache_write: 0 },
        reported_usd: usd,
        unpriced,
        ..Spend::default()
    };
    let row = |key: &str, label: &str, spend| CostRow { key: key.to_owned(), label: label.to_owned(), spend, found: None };
    let rows = match by {
        CostBy::Job => vec![
            row("1468", "Move the billing tables", spend(1, 912, 6.2, 0)),
            row("1460", "Compare the three vector stores for our load", spend(1, 214, 0.84, 0)),
        ],
        _ => vec![
            row("1", "billing", spend(61, 2_410, 18.4, 0)),
            row("2", "website", spend(40, 1_212, 9.1, 0)),
            row("", "(no project)", spend(39, 430, 3.9, 0)),
            row("3", "a project with a long name: everything around the new warehouse", spend(3, 161, 0.0, 161_000)),
        ],
    };
    let standing = |project, unit, spent, soft, hard| CapStanding { project, unit, spent, soft, hard, by_midnight: None, reached_at: None };
    let mut day = standing(None, CapUnit::Usd, 31.4, 30.0, 40.0);
    day.foresee(3.0, 9.5, NOW);
    let caps = vec![day, standing(Some(ProjectId(1)), CapUnit::Usd, 212.0, 0.0, 500.0)];
    let upkeep = |category, mega: u64, judged, changed| {
        let found = Found { judged, changed };
        Upkeep { category, spend: spend(12, mega * 1000, 1.2, 0), found }
    };
    let upkeep = vec![upkeep(Kind::Review, 14, 31, 12), upkeep(Kind::Capture, 5, 54, 38), upkeep(Kind::Maintenance, 4, 0, 0)];
    (
        Overview { today: spend(143, 4_213, 31.4, 161_000), period: spend(2_214, 61_300, 512.7, 161_000), caps, share: Some(0.37), upkeep },
        rows,
    )
}

/// Nine components, two of them not well.
pub fn health() -> Vec<ComponentHealth> {
    use Component as C;
    components(&[
        Finding::ok(C::Engine, "engine", "process 4242, version 0.1.0, 6 running"),
        Finding::ok(C::Database, "database", "whole, 12.4 MiB and a log of 1.1 MiB"),
        Finding::ok(C::VectorStore, "vector store", "412 memories; captured by claude; vectors by the one that ships"),
        Finding::ok(C::Embedder, "embedder", "static256, 256 dimensions, offline"),
        Finding::ok(C::Backends, "backend claude", "/usr/bin/claude"),
        Finding::warn(C::Backends, "backend codex", "not signed in", "run `codex login`"),
        Finding::warn(C::Backends, "backend gemini", "gemini is not installed", "install it with `npm install -g @google/gemini-cli`"),
        Finding::ok(C::Workers, "workers", "9 in all, 6 at work"),
        Finding::ok(C::Scheduler, "scheduler", "31 queued"),
        Finding::fail(
            C::Disk,
            "disk",
            "1.2 GiB free; work trees take 40.1 GiB, below the low-water mark of 2.0 GiB: no job starts",
            "make room (`orc tidy` puts away what is old), or lower disk_low_water in orc.toml",
        ),
        Finding::ok(C::Configuration, "configuration", "every setting is in its range"),
    ])
}
