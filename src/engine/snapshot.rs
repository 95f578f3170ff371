//! The view: what every console sees, made from the state. Queries here are few and indexed.

use super::live::Live;
use super::state::State;
use crate::domain::{AttemptId, JobId, JobRow, Lane, ProjectState, Severity, Timestamp, Worker, WorkerStatus, liveness};
use crate::store::{ProjectSums, Store, StoreError};
use crate::wire::{
    Attention, BackendRow, BudgetView, EngineMode, EngineView, HostView, LaneView, LiveAttempt, PendingProject, Slots, Snapshot, Today,
    WorkerRow,
};
use std::time::Duration;

/// How many of a lane's next jobs a snapshot carries.
const NEXT: usize = 24;
/// How often the day's figures are counted anew while nothing happens, and how soon when something has: counting looks at every
/// job of the day.
const DAY_EVERY: Duration = Duration::from_secs(60);
const DAY_SOON: Duration = Duration::from_secs(1);

/// The next jobs of a lane as they stood at an event.
#[derive(Clone, Debug, Default)]
pub(super) struct LaneRows {
    event: i64,
    rows: Vec<JobRow>,
}

/// Jobs of a waiting project that are named.
const NAMED: usize = 8;

/// The projects that wait for the operator's word.
pub(super) fn pending(store: &Store) -> Result<Vec<PendingProject>, StoreError> {
    let waiting = store.projects_in(ProjectState::PendingApproval)?.into_iter();
    waiting
        .map(|p| {
            let ProjectSums { jobs, done, failed, tasks, tasks_done, tokens, cost_usd, .. } =
                store.project_sums(Some(p.id))?.remove(&p.id).unwrap_or_default();
            let newest = store.job_rows(&store.project_jobs(p.id, NAMED)?)?;
            let (title, submitted_at, remark) = (p.title, p.submitted_at, p.remark);
            Ok(PendingProject { id: p.id, title, submitted_at, remark, jobs, done, failed, tasks, tasks_done, tokens, cost_usd, newest })
        })
        .collect()
}

impl State {
    pub(super) fn snapshot(&mut self, store: &Store, now: Timestamp) -> Result<Snapshot, StoreError> {
        if self.day_due() <= now {
            self.today = store.day(self.settings.midnight(now))?;
            self.today_at = Some(now);
            self.today_old = false;
        }
        let lanes = Lane::ALL.iter().map(|&lane| self.lane(store, lane, now)).collect::<Result<_, _>>()?;
        let limits = &self.capacity.limits;
        Ok(Snapshot {
            at: now,
            engine: EngineView {
                mode: match (self.switches.draining, self.switches.paused) {
                    (true, _) => EngineMode::Draining,
                    (_, true) => EngineMode::Paused,
                    _ => EngineMode::Running,
                },
                pid: std::process::id() as i32,
                epoch: self.epoch,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                started_at: self.began,
                backpressure: self.backpressure(now),
            },
            workspace: self.workspace.name(),
            demo: self.demo,
            today: Today {
                created: self.today.created,
                done: self.today.done,
                failed: self.today.failed,
                tokens: self.today.tokens,
                cost_usd: self.today.cost_usd,
            },
            slots: Slots { max_running: limits.max_running, reserved: limits.reserved_slots, running: self.lives.len() as u32 },
            lanes,
            workers: self.worker_rows(now),
            budget: BudgetView {
                budget: limits.budget.tokens,
                window_ms: limits.budget.window.as_millis() as u64,
                used: self.capacity.budget.used(&limits.budget, now),
                reserved: self.capacity.budget.reserved(),
                high: limits.budget.high,
                low: limits.budget.low,
                history: self.capacity.budget.history(30, now),
            },
            backends: self
                .capacity
                .backends
                .iter()
                .map(|(name, b)| BackendRow { name: name.clone(), running: b.running, max_running: b.max_running, pause: b.pause.clone() })
                .collect(),
            host: self.host(),
            reembedding: self.reembedding,
            caps: self.cap_standings(),
            attention: self.attention(now),
            cards: self.feed.cards.clone(),
            plans: self.proposed.clone(),
            pending: self.pending.clone(),
            unread: self.unseen,
            said: self.feed.said.iter().cloned().collect(),
            log: self.log.iter().cloned().collect(),
        })
    }

    /// When the day's figures are to be counted anew.
    pub(super) fn day_due(&self) -> Timestamp {
        let wait = if self.today_old { DAY_SOON } else { DAY_EVERY };
        self.today_at.map_or(Timestamp(0), |at| at + wait)
    }

    fn backpressure(&self, now: Timestamp) -> Option<String> {
        let b = &self.capacity.limits.budget;
        self.capacity.budget.pressed().then(|| {
            let share = (self.capacity.budget.used(b, now) + self.capacity.budget.reserved()) as f64 / b.tokens.max(1) as f64;
            format!("{:.0} % of the token window in use; P0 only until it falls below {:.0} %", share * 100.0, b.low * 100.0)
        })
    }

    fn lane(&mut self, store: &Store, lane: Lane, now: Timestamp) -> Result<LaneView, StoreError> {
        let next: Vec<JobId> = self.queue.lane_order(lane, now, self.capacity.limits.starvation_after).take(NEXT).map(|j| j.id).collect();
        // Heartbeats change no row: while nothing else happens, the rows of the last snapshot are good.
        let shown = &mut self.lane_rows[lane as usize];
        if shown.event != self.last_event || !shown.rows.iter().map(|r| r.id).eq(next.iter().copied()) {
            *shown = LaneRows { event: self.last_event, rows: store.job_rows(&next)? };
        }
        let rows = shown.rows.clone();
        Ok(LaneView {
            lane,
            paused: self.capacity.paused_lanes.contains(&lane.number()),
            running: self.lives.values().filter(|l| l.priority.lane() == lane).count() as u32,
            queued: self.queue.lane_len(lane) as u32,
            waiting: self.waiting[lane as usize],
            next: rows,
        })
    }

    fn worker_rows(&self, now: Timestamp) -> Vec<WorkerRow> {
        let interval = self.settings.heartbeat.as_millis() as u64;
        let mut rows: Vec<WorkerRow> = self
            .workers
            .iter()
            .map(|w| worker_row(w, w.attempt.and_then(|a| self.lives.get(&a).map(|l| live_attempt(a, l, interval, now)))))
            .collect();
        rows.sort_by(|a, b| (a.live.is_none(), &a.name).cmp(&(b.live.is_none(), &b.name)));
        rows
    }

    fn host(&self) -> HostView {
        if !self.watch_host {
            return HostView::default();
        }
        HostView {
            memory_available: crate::os::host::memory().map(|m| m.available).unwrap_or(0),
            memory_low_water: self.settings.memory_low_water,
            disk_available: crate::os::host::disk_free(self.workspace.root()).unwrap_or(0),
            disk_low_water: self.settings.disk_low_water,
            held: self.capacity.host.clone(),
        }
    }

    /// What needs the operator, worst first.
    fn attention(&self, now: Timestamp) -> Vec<Attention> {
        let mut all = Vec::new();
        let mut say = |severity, says: String, remedy: &str, job| all.push(Attention { severity, says, remedy: remedy.to_owned(), job });
        if let Some(trouble) = &self.trouble {
            say(Severity::Fail, trouble.clone(), "nothing new starts until it can be written", None);
        }
        if let Some(unread) = &self.unread {
            let (first, more) = unread.split_once('\n').map_or((unread.as_str(), 0), |(first, rest)| (first, rest.lines().count()));
            let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
            say(Severity::Warn, format!("{first}{more}"), "mend it and save: the last good settings are in use", None);
        }
        if let Some(forgetful) = &self.forgetful {
            say(Severity::Warn, format!("jobs go without memories: {forgetful}"), "orc doctor says more; jobs go on", None);
        }
        if let Some(upkeep) = &self.upkeep {
            say(Severity::Warn, format!("memory needs a hand: {upkeep}"), "orc doctor says more; jobs go on", None);
        }
        if let Some(held) = &self.capacity.host {
            say(Severity::Fail, format!("no new starts: {held}"), "free some", None);
        }
        for cap in self.capacity.caps.standing() {
            if cap.hard > 0.0 && cap.share() >= 1.0 {
                say(Severity::Fail, format!("spending cap reached, {}", cap.says()), "answer its card, or raise it in orc.toml", None);
            } else if cap.warns() {
                say(Severity::Warn, format!("past a soft cap, {}", cap.says()), "8 Costs says on what", None);
            }
        }
        for (name, b) in &self.capacity.backends {
            if let Some(p) = &b.pause
                && p.until.is_none()
            {
                say(Severity::Fail, format!("{name} is held: {}", p.limit.message), "mend it, then: orc backend resume", None);
            }
        }
        for (attempt, l) in &self.lives {
            if let Some(hang) = l.hang {
                say(Severity::Warn, format!("{} {}", l.worker_name, hang.says()), "Enter to look, x to kill", Some(l.job));
            }
            if l.probing {
                say(Severity::Warn, format!("{}: its process is gone, leftovers are being ended", l.worker_name), "wait", Some(l.job));
            }
            let _ = attempt;
        }
        for card in &self.feed.cards {
            let remedy = format!("4 Approvals, or orc decision show {}", card.id);
            let late = if card.overdue(now) { " (overdue)" } else { "" };
            say(Severity::Warn, format!("asked: {}{late}", card.asked.question), &remedy, card.asked.job);
        }
        for plan in &self.proposed {
            let remedy = format!("4 Approvals, or orc plan show {}", plan.id);
            say(Severity::Warn, format!("plan {} waits for a yes or no: {}", plan.id, plan.title), &remedy, plan.job);
        }
        for project in &self.pending {
            let remedy = format!("4 Approvals, or orc project show {}", project.id);
            say(Severity::Warn, format!("project {} says it is done: {}", project.id, project.title), &remedy, None);
        }
        if let Some(age) = self.queue.oldest().map(|t| now.since(t))
            && age > self.capacity.limits.starvation_after
        {
            say(Severity::Warn, format!("a job has been queued for {} min", age.as_secs() / 60), "orc why ID says what holds it", None);
        }
        if self.today.failed > 0 {
            say(Severity::Info, format!("{} failed today", self.today.failed), "2 Jobs, R retries", None);
        }
        all.sort_by_key(|a| std::cmp::Reverse(a.severity));
        all
    }
}

/// A worker as a list shows it.
pub fn worker_row(w: &Worker, live: Option<LiveAttempt>) -> WorkerRow {
    // A worker that was paused while it works goes on with its job: both show.
    let status = if w.attempt.is_some() && w.status == WorkerStatus::Idle { WorkerStatus::Working } else { w.status };
    WorkerRow {
        id: w.id,
        name: w.name.clone(),
        backend: w.backend.clone(),
        model: w.model.clone(),
        persona: w.persona.clone(),
        persistent: w.persistent,
        status,
        project_id: w.project_id,
        session: w.session.clone(),
        session_jobs: w.session_jobs,
        total_jobs: w.total_jobs,
        total_tokens: w.total_tokens,
        live,
    }
}

fn live_attempt(attempt: AttemptId, l: &Live, interval: u64, now: Timestamp) -> LiveAttempt {
    let beat = l.heartbeat.as_ref();
    let last = beat.map_or(l.started_at, |b| b.at);
    LiveAttempt {
        attempt,
        job: l.job,
        title: l.title.clone(),
        priority: l.priority,
        started_at: l.started_at,
        connected: l.link.is_some(),
        last_heartbeat: beat.map(|b| b.at),
        heartbeat_interval_ms: interval,
        liveness: liveness(now.since(last).as_millis() as u64, interval),
        hang: l.hang,
        byte_age_ms: beat.map_or(0, |b| b.byte_age_ms),
        progress_age_ms: beat.map_or(0, |b| b.progress_age_ms),
        cpu_ms: beat.map_or(0, |b| b.cpu_ms),
        rss_bytes: beat.map_or(0, |b| b.rss_bytes),
        processes: beat.map_or(0, |b| b.processes),
        tokens: l.usage.total().max(beat.map_or(0, |b| b.usage.total())),
        cost_usd: l.cost_usd,
        last: l.last.clone(),
        kill_requested: l.kill_requested,
    }
}
