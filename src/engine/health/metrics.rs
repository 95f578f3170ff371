//! The figures in Prometheus' text format (version 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/).

use crate::domain::{CapUnit, ComponentHealth, Health};
use crate::wire::Snapshot;
use std::fmt::Write;

/// A label's value: backslash, quote and line feed are escaped.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The live view and the health of each component.
pub fn text(s: &Snapshot, health: &[ComponentHealth]) -> String {
    let mut out = String::new();
    let mut family = |name: &str, kind: &str, help: &str, samples: Vec<(String, f64)>| {
        if samples.is_empty() {
            return;
        }
        let _ = writeln!(out, "# HELP orc_{name} {help}\n# TYPE orc_{name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(out, "orc_{name}{labels} {value}");
        }
    };
    let one = |value: f64| vec![(String::new(), value)];
    let by = |key: &str, value: &str| format!("{{{key}=\"{}\"}}", label(value));
    family("up", "gauge", "1 while the engine runs.", one(1.0));
    let info = format!("{{version=\"{}\",workspace=\"{}\"}}", label(&s.engine.version), label(&s.workspace));
    family("build_info", "gauge", "The engine that answers.", vec![(info, 1.0)]);
    family("engine_start_time_seconds", "gauge", "When this engine began.", one(s.engine.started_at.0 as f64 / 1000.0));
    family(
        "jobs_running",
        "gauge",
        "Running jobs, by lane.",
        s.lanes.iter().map(|l| (by("lane", l.lane.name()), l.running.into())).collect(),
    );
    family("jobs_queued", "gauge", "Queued jobs, by lane.", s.lanes.iter().map(|l| (by("lane", l.lane.name()), l.queued.into())).collect());
    family(
        "jobs_waiting",
        "gauge",
        "Waiting jobs, by lane.",
        s.lanes.iter().map(|l| (by("lane", l.lane.name()), l.waiting.into())).collect(),
    );
    family("slots", "gauge", "Jobs that may run at the same time.", one(f64::from(s.slots.max_running + s.slots.reserved)));
    family(
        "today_jobs",
        "gauge",
        "Jobs of the operator's day.",
        vec![
            (by("what", "created"), s.today.created as f64),
            (by("what", "done"), s.today.done as f64),
            (by("what", "failed"), s.today.failed as f64),
        ],
    );
    family("today_tokens", "gauge", "Tokens spent in the operator's day, without those read from a cache.", one(s.today.tokens as f64));
    family("today_cost_usd", "gauge", "US dollars spent in the operator's day.", one(s.today.cost_usd));
    family("token_window_used", "gauge", "Tokens in the rolling window.", one(s.budget.used as f64));
    family("token_window_reserved", "gauge", "Tokens reserved by running jobs.", one(s.budget.reserved as f64));
    family("token_window_budget", "gauge", "Tokens that the rolling window may hold.", one(s.budget.budget as f64));
    family(
        "backend_running",
        "gauge",
        "Running jobs, by backend.",
        s.backends.iter().map(|b| (by("backend", &b.name), b.running.into())).collect(),
    );
    let paused = |b: &crate::wire::BackendRow| (by("backend", &b.name), f64::from(u8::from(b.pause.is_some())));
    family("backend_paused", "gauge", "1 while a backend takes no jobs.", s.backends.iter().map(paused).collect());
    let standing = |hard: bool| {
        let of = move |c: &&crate::domain::CapStanding| !hard || c.hard > 0.0;
        let sample = move |c: &crate::domain::CapStanding| {
            let scope = c.project.map_or_else(|| "day".to_owned(), |p| format!("project {p}"));
            let unit = if c.unit == CapUnit::Usd { "usd" } else { "tokens" };
            (format!("{{scope=\"{scope}\",unit=\"{unit}\"}}"), if hard { c.hard } else { c.spent })
        };
        s.caps.iter().filter(of).map(sample).collect::<Vec<_>>()
    };
    family("cap_spent", "gauge", "What was spent and is reserved, by spending cap.", standing(false));
    family("cap_limit", "gauge", "Hard spending caps.", standing(true));
    family("disk_available_bytes", "gauge", "Room on the workspace's disk.", one(s.host.disk_available as f64));
    family("memory_available_bytes", "gauge", "Memory that is available on the host.", one(s.host.memory_available as f64));
    family("attention", "gauge", "Things that need the operator.", one(s.attention.len() as f64));
    let value = |h: Health| match h {
        Health::Ok => 0.0,
        Health::Warn => 1.0,
        Health::Fail => 2.0,
    };
    let health = health.iter().map(|c| (by("component", c.component.as_str()), value(c.status))).collect();
    family("component_status", "gauge", "Health of each component: 0 ok, 1 warn, 2 fail.", health);
    out
}
