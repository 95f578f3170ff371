//! One project in full: how far it has come, its plans, what failed, what is to be merged, what it delivers.

use super::super::job::{form, overview::Page as Sheet};
use super::Measure;
use super::view::{bar, standing};
use crate::domain::{JobRow, PlanState, ProjectState};
use crate::tui::screens::look;
use crate::tui::text;
use crate::tui::widgets::{DocLine, Jump};
use crate::wire::{PlanDetail, ProjectDetail};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// Columns of the names of facts.
const NAME: usize = 11;

/// While it is not here.
pub fn waits(failed: Option<&str>, p: &Sheet<'_>) -> Vec<DocLine> {
    match failed {
        Some(why) => DocLine::wrapped(why, p.width, p.theme.fail),
        None => DocLine::wrapped("Reading the project …", p.width, p.theme.dim),
    }
}

fn styled(spans: Vec<Span<'static>>, indent: usize, jump: Option<Jump>, p: &Sheet<'_>) -> Vec<DocLine> {
    text::wrap(Line::from(spans), p.width, indent).into_iter().map(|line| DocLine { line, jump }).collect()
}

fn fact(name: &'static str, value: &str, style: Style, p: &Sheet<'_>) -> Vec<DocLine> {
    let name = Span::styled(format!("{name:<NAME$}"), p.theme.dim);
    styled(vec![name, Span::styled(text::clean_line(value).into_owned(), style)], NAME, None, p)
}

fn heading(out: &mut Vec<DocLine>, words: String, p: &Sheet<'_>) {
    out.push(DocLine::default());
    out.extend(DocLine::wrapped(&words, p.width, p.theme.accent));
}

/// The whole page.
pub fn lines(d: &ProjectDetail, disk: Option<&Measure>, p: &Sheet<'_>) -> Vec<DocLine> {
    let t = p.theme;
    let mut out = facts(d, disk, p);
    if !d.failed.is_empty() {
        heading(&mut out, "Failed (enter opens one, R retries it)".to_owned(), p);
        d.failed.iter().for_each(|j| out.extend(job(j, p)));
    }
    for plan in &d.plans {
        planned(plan, &mut out, p);
    }
    if !d.branches.is_empty() {
        heading(&mut out, "Branches to merge (enter shows the change)".to_owned(), p);
        for b in &d.branches {
            let (mark, style) = look::state(b.state, t);
            let spans = vec![
                Span::styled(format!("{mark} {:<9} ", b.state.as_str()), style),
                Span::styled(text::clean_line(&b.name).into_owned(), t.text),
                Span::styled(format!("  {}", text::clean_line(&b.title)), t.dim),
            ];
            out.extend(styled(spans, 12, Some(Jump::Diff(b.job)), p));
        }
        let command = format!("orc project merge {}", d.branches[0].job);
        out.extend(fact("command", &command, t.dim, p));
    }
    if !d.files.is_empty() {
        heading(&mut out, "Deliverables (enter opens one)".to_owned(), p);
        for (job, files) in &d.files {
            for (at, file) in files.iter().enumerate() {
                let (mark, style) = form(file.form, t);
                let size = file.bytes.map(text::bytes).unwrap_or_default();
                let mut spans = vec![
                    Span::styled(format!("{mark} {:<9} ", file.form.as_str()), style),
                    Span::styled(text::clean_line(&file.name).into_owned(), t.text),
                ];
                for says in [size.as_str(), file.note.as_str()].into_iter().filter(|s| !s.is_empty()) {
                    spans.push(Span::styled(format!("  {}", text::clean_line(says)), t.dim));
                }
                spans.push(Span::styled(format!("  #{job}"), t.dim));
                out.extend(styled(spans, 12, Some(Jump::File(*job, at)), p));
            }
        }
    }
    if !d.tasks.is_empty() {
        heading(&mut out, "Tasks".to_owned(), p);
        for task in &d.tasks {
            let (mark, style) = match task.state.as_str() {
                "done" => ("✓", t.ok),
                "waiting" => ("?", t.warn),
                _ => ("○", t.text),
            };
            let mut says = format!("  {} of {} jobs done", task.done, task.jobs);
            if task.failed > 0 {
                says += &format!(", {} failed", task.failed);
            }
            let spans = vec![
                Span::styled(format!("{mark} {:<9} ", text::clean_line(&task.state)), style),
                Span::styled(text::clean_line(&task.title).into_owned(), t.text),
                Span::styled(if task.jobs == 0 { "  no jobs".to_owned() } else { says }, t.dim),
            ];
            out.extend(styled(spans, 12, None, p));
        }
    }
    if !d.open.is_empty() {
        heading(&mut out, "Open jobs beside the plans".to_owned(), p);
        d.open.iter().for_each(|j| out.extend(job(j, p)));
    }
    out
}

fn facts(d: &ProjectDetail, disk: Option<&Measure>, p: &Sheet<'_>) -> Vec<DocLine> {
    let t = p.theme;
    let r = &d.row;
    let mut out = DocLine::wrapped(&r.title, p.width, t.title);
    let (word, style) = standing(r, t);
    let at = |time: Option<crate::domain::Timestamp>| time.map(|at| text::moment(at, p.now, p.utc_offset)).unwrap_or_default();
    let more = match r.state {
        ProjectState::Active => format!(", made {}", at(Some(r.created_at))),
        ProjectState::PendingApproval => format!(" since {}: it says that it is done", at(r.submitted_at)),
        ProjectState::Approved => format!(" {}", at(r.closed_at)),
        ProjectState::Rejected => ": work goes on".to_owned(),
    };
    out.extend(fact("state", &format!("{word}{more}"), style, p));
    let mut spans = vec![Span::styled(format!("{:<NAME$}", "jobs"), t.dim)];
    spans.extend(bar(r, 20.min(p.width.saturating_sub(40)).max(8), t));
    let mut says = format!(" {} of {} done", r.done, r.jobs);
    for (n, what) in [(r.running, "running"), (r.failed, "failed or killed"), (r.open().saturating_sub(r.running), "to come")] {
        if n > 0 {
            says += &format!(", {n} {what}");
        }
    }
    spans.push(Span::styled(says, if r.failed > 0 { t.warn } else { t.text }));
    out.extend(styled(spans, NAME, None, p));
    out.extend(fact("tasks", &format!("{} of {} done", r.tasks_done, r.tasks), t.text, p));
    out.extend(fact("used", &format!("{} tokens, {}", text::count(r.tokens), text::money(r.cost_usd)), t.text, p));
    let (says, style) = match disk {
        None | Some(Measure::Running) => ("measuring …".to_owned(), t.dim),
        Some(Measure::Failed(why)) => (why.clone(), t.warn),
        Some(Measure::Known(m)) if m.trees == 0 => ("no work trees".to_owned(), t.dim),
        Some(Measure::Known(m)) => {
            let trees = text::plural(u64::from(m.trees), "work tree");
            let frees = if m.frees > 0 {
                format!("`orc project clean {}` frees {}", r.id, text::bytes(m.frees))
            } else {
                "a clean-up frees nothing".to_owned()
            };
            let stays = if m.stays.is_empty() { String::new() } else { format!(" ({})", m.stays.join("; ")) };
            (format!("{trees}, {}; {frees}{stays}", text::bytes(m.bytes)), t.text)
        }
    };
    out.extend(fact("disk", &says, style, p));
    if let Some(folder) = &d.folder {
        out.extend(fact("folder", folder, t.dim, p));
    }
    if let Some(test) = &d.test_command {
        out.extend(fact("tests", test, t.dim, p));
    }
    if let Some(remark) = &r.remark {
        out.extend(fact("last word", remark, t.text, p));
    }
    out
}

/// A plan as a tree, each task with the state of its job.
fn planned(d: &PlanDetail, out: &mut Vec<DocLine>, p: &Sheet<'_>) {
    let t = p.theme;
    let says = match d.plan.state {
        PlanState::Dispatched => d.progress.says(),
        PlanState::Proposed => format!("waits for your yes: {} tasks, in Approvals", d.progress.tasks),
        PlanState::Draft => "is being made".to_owned(),
        PlanState::Approved => "approved: its jobs are about to be made".to_owned(),
        PlanState::Rejected => "rejected".to_owned(),
    };
    heading(out, format!("Plan {}: {says}", d.plan.id), p);
    out.extend(DocLine::wrapped(&d.plan.title(), p.width, t.text));
    if let Some(note) = &d.plan.note {
        out.extend(DocLine::wrapped(note, p.width, t.warn));
    }
    let Some(preview) = &d.preview else { return };
    for branch in preview.tree(t.ascii) {
        let job = d.jobs.iter().find(|j| j.key == branch.task.key);
        let (mark, style) = job.map_or((if t.ascii { "." } else { "◇" }, t.dim), |j| look::state(j.state, t));
        let right = job.map_or_else(String::new, |j| format!("{} #{}", j.state, j.job));
        let also = if branch.also.is_empty() { String::new() } else { format!(" (also after {})", branch.also.join(", ")) };
        let title = text::clean_line(&format!("{}{also}", branch.task.title)).into_owned();
        let room = p.width.saturating_sub(text::width(&branch.rails) + text::width(&right) + 4).max(8);
        let title = text::fit(&title, room).into_owned();
        let gap = room.saturating_sub(text::width(&title)) + 1;
        let line = Line::from(vec![
            Span::styled(branch.rails, t.dim),
            Span::styled(format!("{mark} "), style),
            Span::styled(title, t.text),
            Span::styled(format!("{:gap$}{right}", ""), style),
        ]);
        out.push(DocLine { line, jump: job.map(|j| Jump::Job(j.job)) });
    }
}

fn job(j: &JobRow, p: &Sheet<'_>) -> Vec<DocLine> {
    let t = p.theme;
    let (mark, style) = look::state(j.state, t);
    let mut spans = vec![
        Span::styled(format!("{mark} {:<9} ", j.state.as_str()), style),
        Span::styled(format!("#{} {}", j.id, text::clean_line(&j.title)), t.text),
    ];
    if let Some(note) = j.note.as_deref().filter(|n| !n.is_empty()) {
        spans.push(Span::styled(format!("  {}", text::clean_line(&text::local_times(note, p.now, p.utc_offset))), t.dim));
    }
    styled(spans, 12, Some(Jump::Job(j.id)), p)
}
