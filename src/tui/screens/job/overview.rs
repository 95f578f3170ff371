//! A job's facts, why it waits, what it depends on, its attempts and events, as a page of lines.

use crate::domain::{Attempt, CostSource, JobState, ProjectId, Timestamp, Verdict};
use crate::tui::screens::{logs, look};
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::tui::widgets::{DocLine, Jump};
use crate::wire::{JobDetail, JobRow, LiveAttempt, Snapshot};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// What the page is made for.
#[derive(Clone, Copy)]
pub struct Page<'a> {
    pub width: usize,
    pub now: Timestamp,
    pub utc_offset: i32,
    pub theme: &'a Theme,
    pub snapshot: &'a Snapshot,
    pub projects: &'a [(ProjectId, String)],
}

/// The live state of a job's attempt, with the worker's name.
pub fn live(snapshot: &Snapshot, job: crate::domain::JobId) -> Option<(&str, &LiveAttempt)> {
    snapshot.workers.iter().find_map(|w| w.live.as_ref().filter(|l| l.job == job).map(|l| (w.name.as_str(), l)))
}

/// The whole page.
pub fn lines(d: &JobDetail, p: &Page<'_>) -> Vec<DocLine> {
    let t = p.theme;
    let mut out = Vec::new();
    out.push(DocLine::of(standing(d, p)));
    if let Some(note) = d.job.note.as_deref().filter(|n| !n.is_empty()) {
        out.extend(DocLine::wrapped(&shown(note, p), p.width, t.dim));
    }
    facts(d, p, &mut out);
    if !d.why.is_empty() {
        heading(&mut out, "Why it does not run", t);
        for verdict in &d.why {
            why(verdict, p, &mut out);
        }
    }
    if !d.files.is_empty() {
        heading(&mut out, "Delivers (enter opens it)", t);
        for (at, file) in d.files.iter().enumerate() {
            let (mark, style) = super::form(file.form, t);
            let mut spans = vec![
                Span::styled(format!("{mark} {:<9} ", file.form.as_str()), style),
                Span::styled(text::clean_line(&file.name).into_owned(), t.text),
            ];
            let size = file.bytes.map(text::bytes).unwrap_or_default();
            for says in [size.as_str(), &file.note].into_iter().filter(|s| !s.is_empty()) {
                spans.push(Span::styled(format!("  {}", text::clean_line(says)), t.dim));
            }
            let jump = Some(Jump::File(d.job.id, at));
            out.extend(text::wrap(Line::from(spans), p.width, 12).into_iter().map(|line| DocLine { line, jump }));
        }
    }
    if !d.reviews.is_empty() {
        heading(&mut out, "Reviews, the newest first (enter opens the reviewer's job)", t);
        super::rounds::lines(&d.reviews, p, &mut out);
    }
    rows(&mut out, "Depends on", &d.dependencies, p);
    rows(&mut out, "Others wait for it", &d.dependents, p);
    if !d.attempts.is_empty() {
        heading(&mut out, "Attempts (enter opens the transcript)", t);
        for a in d.attempts.iter().rev() {
            attempt(a, p, &mut out);
        }
    }
    if !d.events.is_empty() {
        heading(&mut out, "Events", t);
        for e in d.events.iter().rev() {
            let (mark, style) = logs::severity(e.severity, t);
            let line = Line::from(vec![
                Span::styled(format!("{} ", text::clock(e.at, p.utc_offset, true)), t.dim),
                Span::styled(format!("{mark} {:<10} ", text::clean_line(&e.what)), style),
                Span::styled(shown(&e.text, p), t.text),
                Span::styled(format!("  {}", text::clean_line(&e.actor)), t.dim),
            ]);
            out.extend(text::wrap(line, p.width, 9).into_iter().map(DocLine::of));
        }
    }
    out
}

fn heading(out: &mut Vec<DocLine>, words: &'static str, t: &Theme) {
    out.push(DocLine::default());
    out.push(DocLine::of(Line::styled(words, t.accent)));
}

/// `▶ running on claude-2 for 14m05s, attempt 2 of 3`
fn standing(d: &JobDetail, p: &Page<'_>) -> Line<'static> {
    let t = p.theme;
    let job = &d.job;
    let (mark, style) = look::state(job.state, t);
    let mut spans = vec![Span::styled(format!("{mark} {}", job.state), style.add_modifier(ratatui::style::Modifier::BOLD))];
    let mut say = |words: String, style: Style| spans.push(Span::styled(words, style));
    match job.state {
        JobState::Running => {
            if let Some((worker, live)) = live(p.snapshot, job.id) {
                let time = text::duration(p.now.since(live.started_at).as_millis() as u64);
                say(format!(" on {} for {time}", text::clean_line(worker)), t.text);
                if live.kill_requested {
                    say(" · being ended".to_owned(), t.warn);
                }
                if let Some(hang) = live.hang {
                    say(format!(" · ▲ {}", hang.says()), t.warn);
                }
            }
        }
        JobState::Reviewing => {
            if let Some(at) = job.started_at {
                say(format!(" since it began {} ago", text::duration(p.now.since(at).as_millis() as u64)), t.text);
            }
        }
        JobState::Waiting => {
            if let Some(reason) = job.wait_reason {
                say(format!(" · {}", look::wait(reason, 0)), t.text);
            }
        }
        JobState::Queued => {
            let since = job.queued_at.unwrap_or(job.created_at);
            say(format!(" for {}", text::duration(p.now.since(since).as_millis() as u64)), t.text);
        }
        _ => {
            if let Some(at) = job.finished_at {
                say(format!(" at {}", text::moment(at, p.now, p.utc_offset)), t.text);
            }
            if let Some(o) = job.outcome {
                let (word, style) = look::outcome(o, t);
                say(" · ".to_owned(), t.dim);
                say(word.to_owned(), style);
            }
        }
    }
    Line::from(spans)
}

fn facts(d: &JobDetail, p: &Page<'_>, out: &mut Vec<DocLine>) {
    let job = &d.job;
    let spec = &job.spec;
    let or_dash = |s: Option<String>| s.unwrap_or_else(|| "–".to_owned());
    let at = |t: Option<Timestamp>| or_dash(t.map(|t| text::moment(t, p.now, p.utc_offset)));
    let newest = d.attempts.iter().max_by_key(|a| a.number);
    let live = live(p.snapshot, job.id).map(|(_, l)| l);
    let mut facts: Vec<(&str, String)> = vec![
        ("priority", format!("{}, {} lane", spec.priority, spec.priority.lane().name())),
        ("kind", spec.kind.to_string()),
        ("backend", spec.backend.clone()),
        ("model", or_dash(newest.and_then(|a| a.model.clone()).or_else(|| spec.model.clone()))),
        ("worker", or_dash(newest.map(|a| a.worker.clone()).or_else(|| spec.worker.clone()))),
        (
            "attempts",
            format!(
                "{} of {}{}",
                job.attempts,
                spec.max_attempts,
                if job.losses > 0 { format!(", {} lost", job.losses) } else { String::new() }
            ),
        ),
        ("created", format!("{} by {}", at(Some(job.created_at)), spec.origin)),
        ("started", at(job.started_at)),
    ];
    if let Some(a) = newest {
        let tokens = live.map_or_else(|| a.usage.budgeted(0.0), |l| l.tokens);
        let cost = live.map_or_else(|| a.cost_usd.unwrap_or(0.0), |l| l.cost_usd);
        let told = if a.usage_known || live.is_some() { "" } else { " (not told)" };
        // a script has neither
        if tokens + a.estimate > 0 {
            facts.push(("tokens", format!("{}{told} of {} estimated", text::count(tokens), text::count(a.estimate))));
            facts.push(("cost", if cost > 0.0 { text::money(cost) } else { "not told".to_owned() }));
        }
        let before = d.attempts.iter().filter(|b| b.id != a.id);
        if d.attempts.len() > 1 && tokens + a.estimate > 0 {
            let all: u64 = before.clone().map(|b| b.usage.budgeted(0.0)).sum::<u64>() + tokens;
            let money: f64 = before.filter_map(|b| b.cost_usd).sum::<f64>() + cost;
            facts.push(("in all", format!("{}, {}", text::count(all), text::money(money))));
        }
    }
    if spec.project_id.is_some() {
        facts.push(("project", look::project(p.projects, spec.project_id)));
    }
    let last = d.skills.first().and_then(|s| s.attempt);
    let given = d.skills.iter().filter(|s| s.attempt == last).map(|s| {
        let version = s.hash.as_deref().and_then(|h| h.get(..8)).unwrap_or_default();
        let by = s.trigger.as_ref().map(|phrase| format!(" by \"{phrase}\"")).unwrap_or_default();
        format!("{} {version}{by}", s.skill)
    });
    let given: Vec<String> = if last.is_some() { given.collect() } else { spec.skills.clone() };
    if !given.is_empty() {
        facts.push(("skills", given.join(", ")));
    }
    if !d.suggested.is_empty() {
        let fit = d.suggested.iter().map(|(skill, phrase)| format!("{skill} by \"{phrase}\""));
        facts.push(("would fit", fit.collect::<Vec<_>>().join(", ")));
    }
    if let Some(persona) = &spec.persona {
        facts.push(("persona", persona.clone()));
    }
    if let Some(t) = spec.not_before.filter(|t| *t > p.now) {
        facts.push(("not before", at(Some(t))));
    }
    if let Some(timeout) = spec.timeout {
        facts.push(("time limit", text::duration(timeout.as_millis() as u64)));
    }
    if let Some(key) = &spec.dedup_key {
        facts.push(("dedup key", key.clone()));
    }
    if !spec.tags.is_empty() {
        facts.push(("tags", spec.tags.join(", ")));
    }
    if let Some(session) = newest.and_then(|a| a.session.clone()) {
        facts.push(("session", session));
    }
    if let Some(l) = live {
        facts.push(("last byte", format!("{} ago", text::duration(l.byte_age_ms))));
        facts.push(("progress", format!("{} ago", text::duration(l.progress_age_ms))));
        facts.push(("processes", format!("{}, {}", l.processes, text::bytes(l.rss_bytes))));
        facts.push(("CPU time", text::duration(l.cpu_ms)));
    }
    out.push(DocLine::default());
    columns(&facts, p, out);
}

/// Facts in one column or two.
pub fn columns(facts: &[(&str, String)], p: &Page<'_>, out: &mut Vec<DocLine>) {
    let t = p.theme;
    let per_row = if p.width >= 64 { 2 } else { 1 };
    let half = p.width / per_row;
    for pair in facts.chunks(per_row) {
        let mut spans = Vec::new();
        for (name, value) in pair {
            let value = text::clean_line(value);
            let value = text::fit(&value, half.saturating_sub(13)).into_owned();
            let pad = half.saturating_sub(12 + text::width(&value));
            spans.push(Span::styled(format!("{name:<12}"), t.dim));
            spans.push(Span::styled(value, t.text));
            spans.push(Span::raw(" ".repeat(pad)));
        }
        out.push(DocLine::of(Line::from(spans)));
    }
}

/// What others wrote, harmless and with local times.
fn shown(source: &str, p: &Page<'_>) -> String {
    text::local_times(&text::clean_line(source), p.now, p.utc_offset).into_owned()
}

fn why(v: &Verdict, p: &Page<'_>, out: &mut Vec<DocLine>) {
    let t = p.theme;
    let (mark, style) = if v.open { ("✓", t.ok) } else { ("✗", t.fail) };
    let says = if v.open { t.dim } else { t.text };
    let line = Line::from(vec![Span::styled(format!("{mark} {:<11}", v.gate.as_str()), style), Span::styled(shown(&v.says, p), says)]);
    out.extend(text::wrap(line, p.width, 13).into_iter().map(DocLine::of));
    if !v.unblock.is_empty() {
        let line = Line::from(vec![Span::styled("             → ", t.accent), Span::styled(shown(&v.unblock, p), t.accent)]);
        out.extend(text::wrap(line, p.width, 15).into_iter().map(DocLine::of));
    }
}

fn rows(out: &mut Vec<DocLine>, words: &'static str, jobs: &[JobRow], p: &Page<'_>) {
    if jobs.is_empty() {
        return;
    }
    let t = p.theme;
    heading(out, words, t);
    for job in jobs {
        let (mark, style) = look::state(job.state, t);
        let line = Line::from(vec![
            Span::styled(format!("{mark} {:<9} ", job.state), style),
            Span::styled(format!("{:>6} ", format!("#{}", job.id)), t.dim),
            Span::styled(text::clean_line(&job.title).into_owned(), t.text),
        ]);
        out.push(DocLine { line, jump: Some(Jump::Job(job.id)) });
    }
}

/// One attempt in a line, its message in the next.
pub fn attempt(a: &Attempt, p: &Page<'_>, out: &mut Vec<DocLine>) {
    let t = p.theme;
    let jump = Some(Jump::Attempt(a.id));
    let (mark, word, style) = match a.outcome {
        None => ("▶", "running", t.accent),
        Some(o) => {
            let (word, style) = look::outcome(o, t);
            (if o == crate::domain::Outcome::Ok { "✓" } else { "✗" }, word, style)
        }
    };
    let end = a.ended_at.unwrap_or(p.now);
    let mut spans = vec![
        Span::styled(format!("{:>2} ", a.number), t.dim),
        Span::styled(format!("{mark} {word:<12} "), style),
        Span::styled(format!("{:<12} ", text::fit(&text::clean_line(&a.worker), 12)), t.text),
        Span::styled(
            format!(
                "{:>6} {:>6}",
                text::moment(a.started_at, p.now, p.utc_offset),
                text::duration(end.since(a.started_at).as_millis() as u64)
            ),
            t.text,
        ),
    ];
    let tokens = a.usage.budgeted(0.0);
    if tokens > 0 {
        spans.push(Span::styled(format!(" {:>6} tok", text::count(tokens)), t.dim));
    }
    let cost = match (a.cost_source, a.cost_usd) {
        (Some(CostSource::Unpriced), _) => Some("unpriced".to_owned()),
        (Some(CostSource::Computed | CostSource::Estimated), Some(cost)) => Some(format!("~{}", text::money(cost))),
        (Some(CostSource::Free), _) => None,
        (_, cost) => cost.map(text::money),
    };
    if let Some(cost) = cost {
        spans.push(Span::styled(format!(" {cost:>7}"), t.dim));
    }
    if let Some(code) = a.exit_code.filter(|c| *c != 0) {
        spans.push(Span::styled(format!(" exit {code}"), t.dim));
    }
    out.push(DocLine { line: Line::from(spans), jump });
    if let Some(message) = a.message.as_deref().filter(|m| !m.is_empty()) {
        let line = Line::styled(format!("   {}", shown(message, p)), t.dim);
        out.extend(text::wrap(line, p.width, 3).into_iter().map(|line| DocLine { line, jump }));
    }
}
