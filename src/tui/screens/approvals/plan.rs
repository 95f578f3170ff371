//! A plan in full: its graph with what each task is expected to use, each task unfolded where the operator wants to read it.

use super::super::job::overview::Page as Sheet;
use super::pages::{field, heading, project_name};
use crate::domain::{Basis, PlanDocument, PlanId, PlanTask, ProjectId};
use crate::tui::text;
use crate::tui::widgets::{DocLine, Jump};
use crate::wire::PlanDetail;
use ratatui::text::{Line, Span};
use std::collections::BTreeSet;

/// A changed plan that was not taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// As it left the editor.
    pub text: String,
    /// What is wrong with it; empty while it is on its way.
    pub why: String,
}

/// A plan in the external editor.
#[derive(Clone, Debug, PartialEq)]
pub struct Editing {
    pub plan: PlanId,
    /// What was on the screen when the editor was opened.
    pub revision: u32,
    /// The plan as it stood.
    pub before: String,
}

/// How a plan is shown.
pub struct Shown<'a> {
    pub unfolded: &'a BTreeSet<usize>,
    pub draft: Option<&'a Draft>,
    /// Why it cannot be read.
    pub failed: Option<&'a str>,
}

/// What starts at once when a plan is approved, and what it comes to, a line each.
pub fn begins(d: &PlanDetail, projects: &[(ProjectId, String)]) -> Vec<String> {
    let mut body = Vec::new();
    let Some(document) = &d.plan.document else { return body };
    body.push(text::clean_line(&document.goal).into_owned());
    let free: Vec<&str> = document.tasks.iter().filter(|t| t.depends_on.is_empty()).map(|t| t.title.as_str()).collect();
    let jobs = text::plural(document.tasks.len() as u64, "job");
    let (first, more) = (free.first().copied().unwrap_or_default(), free.len().saturating_sub(1));
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    body.push(format!("{jobs} will be made; ready at once: {first}{more}."));
    if let Some(preview) = &d.preview {
        body.push(format!("Expected in all: {}.", total(preview)));
    }
    body.push(match d.plan.project {
        Some(id) => {
            let name = projects.iter().find(|(project, _)| *project == id).map(|(_, name)| format!(" ({name})")).unwrap_or_default();
            format!("They belong to project {id}{name}, at {}.", d.plan.priority)
        }
        None => format!("They get a project of their own, at {}.", d.plan.priority),
    });
    if let Some(note) = &d.plan.note {
        body.push(format!("Mind: {note}"));
    }
    body
}

fn total(preview: &crate::domain::Preview) -> String {
    let total = &preview.total;
    let cost = total.cost_usd.map_or_else(|| "cost not known yet".to_owned(), |c| format!("about {}", text::money(c)));
    format!("{} tokens ({} to {}), {cost}", text::count(total.tokens), text::count(total.low), text::count(total.high))
}

/// The whole page.
pub fn page(id: PlanId, detail: Option<&PlanDetail>, shown: &Shown<'_>, p: &Sheet<'_>) -> Vec<DocLine> {
    let t = p.theme;
    let Some(d) = detail else {
        return match shown.failed {
            Some(why) => DocLine::wrapped(&format!("It cannot be read: {why}"), p.width, t.fail),
            None => vec![DocLine::of(Line::styled("Reading the plan …", t.dim))],
        };
    };
    let document = d.plan.document.as_ref();
    let mut all = heading(document.map_or(d.plan.request.as_str(), |doc| doc.goal.as_str()), p);
    if let Some(draft) = shown.draft.filter(|draft| !draft.why.is_empty()) {
        all.extend(field("not taken", &format!("{} · your text is kept: edit goes on with it", draft.why), p, t.fail));
    }
    if let Some(note) = &d.plan.note {
        all.extend(field("note", note, p, t.warn));
    }
    if let Some(remark) = &d.plan.remark {
        all.extend(field("you said", remark, p, t.warn));
    }
    if all.last().is_some_and(|l| l.line.width() > 0) {
        all.push(DocLine::default());
    }
    graph(d, document, shown, p, &mut all);
    if let Some(doc) = document {
        let policy =
            d.plan.on_failure.or(doc.on_failure).map_or_else(|| "as set (plan_on_failure)".to_owned(), |policy| policy.to_string());
        all.extend(field("on failure", &policy, p, t.text));
        if !doc.check.is_empty() {
            all.extend(field("done when", &doc.check, p, t.text));
        }
        for (name, list) in [("assumes", &doc.assumptions), ("risks", &doc.risks)] {
            for one in list {
                all.extend(field(name, one, p, t.text));
            }
        }
    }
    all.extend(field("asked for", &d.plan.request, p, t.dim));
    if let Some(project) = d.plan.project {
        all.extend(field("project", &project_name(project, p), p, t.text));
    }
    if let Some(job) = d.plan.job {
        let mut lines = field("planner", &format!("#{job}"), p, t.text);
        lines.iter_mut().for_each(|l| l.jump = Some(Jump::Job(job)));
        all.extend(lines);
    }
    all.extend(field("command", &format!("orc plan approve {id} · orc plan reject {id} --reason … · orc plan edit {id}"), p, t.dim));
    all
}

/// The tree of tasks, a line each, and below it each one that is unfolded.
fn graph(d: &PlanDetail, document: Option<&PlanDocument>, shown: &Shown<'_>, p: &Sheet<'_>, all: &mut Vec<DocLine>) {
    let t = p.theme;
    let Some(preview) = &d.preview else { return };
    for branch in preview.tree(t.ascii) {
        let task = branch.task;
        let at = document.and_then(|doc| doc.tasks.iter().position(|one| one.key == task.key));
        let open = at.is_some_and(|at| shown.unfolded.contains(&at));
        let mark = match (open, t.ascii) {
            (true, true) => "- ",
            (false, true) => "+ ",
            (true, false) => "▾ ",
            (false, false) => "▸ ",
        };
        let uses = format!("{}{}", text::count(task.tokens), task.cost_usd.map(|c| format!(" {}", text::money(c))).unwrap_or_default());
        let room = p.width.saturating_sub(text::width(&branch.rails) + text::width(&uses) + 4).max(8);
        let title = text::clean_line(&task.title).into_owned();
        let also = if branch.also.is_empty() { String::new() } else { format!(" (also after {})", branch.also.join(", ")) };
        let says = text::fit(&format!("{title} · {}{also}", task.kind), room).into_owned();
        let gap = room.saturating_sub(text::width(&says)) + 2;
        let line = Line::from(vec![
            Span::styled(branch.rails, t.dim),
            Span::styled(mark, t.dim),
            Span::styled(says, t.text),
            Span::styled(format!("{:gap$}{uses}", ""), t.dim),
        ]);
        let jump = at.map(Jump::Task);
        all.push(DocLine { line, jump });
        if let Some(task) = at.filter(|_| open).and_then(|at| document?.tasks.get(at)) {
            let narrow = Sheet { width: p.width.saturating_sub(4).max(20), ..*p };
            all.extend(task_lines(task, &narrow).into_iter().map(|mut l| {
                l.line.spans.insert(0, Span::raw("    "));
                DocLine { jump, ..l }
            }));
        }
    }
    all.push(DocLine::default());
    let known = preview.tasks.iter().filter(|task| task.basis == Basis::History).count();
    let says = format!("{}; {known} of {} from experience", total(preview), preview.tasks.len());
    all.extend(field("in all", &says, p, t.text));
}

/// One task in full: all that its agent is told, and what it runs on.
fn task_lines(task: &PlanTask, p: &Sheet<'_>) -> Vec<DocLine> {
    let t = p.theme;
    let mut all = field("key", &task.key, p, t.text);
    let backend = task.backend.as_deref().unwrap_or("as set (work_backend)");
    let model = task.model.as_ref().map(|m| format!(", model {m}")).unwrap_or_default();
    let persona = task.persona.as_ref().map(|n| format!(", persona {n}")).unwrap_or_default();
    all.extend(field("runs on", &format!("{backend}{model}{persona}"), p, t.text));
    for (name, says) in [
        ("after", task.depends_on.join(", ")),
        ("skills", task.skills.join(", ")),
        ("delivers", task.deliverable.clone()),
        ("files", task.artefacts.join(", ")),
    ] {
        if !says.is_empty() {
            all.extend(field(name, &says, p, t.text));
        }
    }
    all.push(DocLine::of(Line::styled("It is told:", t.dim)));
    all.extend(DocLine::wrapped(task.prompt.trim(), p.width, t.text));
    all.push(DocLine::default());
    all
}
