//! One thing that waits, in full: with all that a decision needs.

use super::super::job::overview::Page as Sheet;
use super::super::job::rounds;
use crate::domain::{CardKind, Decision, DecisionId, Entry, ProjectId, Review, Says};
use crate::tui::text;
use crate::tui::widgets::{DocLine, Jump};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

pub(super) fn field(name: &'static str, value: &str, p: &Sheet<'_>, style: Style) -> Vec<DocLine> {
    let line =
        Line::from(vec![Span::styled(format!("{name:<11}"), p.theme.dim), Span::styled(text::clean_line(value).into_owned(), style)]);
    text::wrap(line, p.width, 11).into_iter().map(DocLine::of).collect()
}

pub(super) fn heading(says: &str, p: &Sheet<'_>) -> Vec<DocLine> {
    let mut all: Vec<DocLine> = text::paragraphs(says, p.width, p.theme.title, p.theme.text).into_iter().map(DocLine::of).collect();
    all.push(DocLine::default());
    all
}

/// A kind of card: its mark, its word in the list, its name.
pub fn kind_of(kind: CardKind) -> (&'static str, &'static str, &'static str) {
    match kind {
        CardKind::Question => ("?", "question", "Question"),
        CardKind::Clarification => ("?", "unclear", "Unclear message"),
        CardKind::Review => ("▲", "review", "Review deadlock"),
        CardKind::Spending => ("$", "spending", "Spending hold"),
    }
}

/// What the rounds of a review came to, in a line; `None` before there is one.
pub fn judged(reviews: &[Review]) -> Option<String> {
    let last = reviews.last()?;
    let scores: Vec<String> = reviews.iter().map(|r| r.score.map_or_else(|| "none".to_owned(), |s| format!("{s:.2}"))).collect();
    let tests = match last.tests_passed {
        Some(true) => "; tests pass",
        Some(false) => "; tests fail",
        None => "",
    };
    Some(format!("Scores by round: {}, of {:.2} needed{tests}", scores.join(", "), last.threshold))
}

/// How long a card still waits, and what happens then.
pub fn deadline(card: &Decision, p: &Sheet<'_>) -> Option<(String, Style)> {
    let at = card.asked.deadline?;
    let then = match card.asked.default.as_deref().and_then(|key| card.asked.choice(key)) {
        Some(choice) => format!("then `{}` holds", choice.label),
        None => "then it is overdue, and still waits".to_owned(),
    };
    let left = at.0 - p.now.0;
    Some(if left > 0 {
        (format!("in {}: {then}", text::duration(left as u64)), if left < 600_000 { p.theme.warn } else { p.theme.text })
    } else {
        (format!("overdue since {}", text::duration(left.unsigned_abs())), p.theme.warn)
    })
}

/// A question with its options.
pub fn card(id: DecisionId, reviews: &[Review], p: &Sheet<'_>) -> Vec<DocLine> {
    let Some(card) = p.snapshot.cards.iter().find(|c| c.id == id) else { return Vec::new() };
    let t = p.theme;
    // of a deadlock, what it came to and the options come before the list of fixes, which may be long
    let (first, fixes) = match judged(reviews).and(card.asked.question.split_once('\n')) {
        Some((first, fixes)) => (first, fixes),
        None => (card.asked.question.as_str(), ""),
    };
    let mut all = heading(first, p);
    if let Some(says) = judged(reviews) {
        all.pop();
        all.extend(text::wrap(Line::styled(says, t.info), p.width, 0).into_iter().map(DocLine::of));
        all.push(DocLine::default());
    }
    for (n, choice) in card.asked.choices.iter().enumerate() {
        let default = if card.asked.default.as_ref().is_some_and(|d| d.eq_ignore_ascii_case(&choice.key)) { "  (default)" } else { "" };
        let line = Line::from(vec![
            Span::styled(format!(" {} ", n + 1), t.badge),
            Span::styled(format!("  {}", text::clean_line(&choice.label)), t.text),
            Span::styled(default, t.dim),
        ]);
        all.extend(text::wrap(line, p.width, 5).into_iter().map(DocLine::of));
        if !choice.detail.is_empty() {
            let detail = Line::styled(format!("     {}", text::clean_line(&choice.detail)), t.dim);
            all.extend(text::wrap(detail, p.width, 5).into_iter().map(DocLine::of));
        }
    }
    all.push(DocLine::default());
    if !fixes.is_empty() {
        all.extend(text::paragraphs(fixes, p.width, t.text, t.text).into_iter().map(DocLine::of));
        all.push(DocLine::default());
    }
    if let Some((says, style)) = deadline(card, p) {
        all.extend(field("deadline", &says, p, style));
    }
    if let Some(job) = card.asked.job {
        let title =
            p.snapshot.lanes.iter().flat_map(|l| &l.next).find(|j| j.id == job).map(|j| format!(" {}", j.title)).unwrap_or_default();
        let mut lines = field("asked by", &format!("#{job}{title}: it waits, and goes on with your answer"), p, t.text);
        lines.iter_mut().for_each(|l| l.jump = Some(Jump::Job(job)));
        all.extend(lines);
    } else {
        all.extend(field("asked by", &card.asked_by, p, t.text));
    }
    if let Some(project) = card.asked.project {
        all.extend(field("project", &project_name(project, p), p, t.text));
    }
    all.extend(field(
        "command",
        &format!("orc decision answer {id} {}", card.asked.choices.iter().map(|c| c.key.as_str()).collect::<Vec<_>>().join("|")),
        p,
        t.dim,
    ));
    if !reviews.is_empty() {
        all.push(DocLine::default());
        all.push(DocLine::of(Line::styled("Rounds of review", t.title)));
        rounds::lines(reviews, p, &mut all);
    }
    all
}

pub(super) fn project_name(id: ProjectId, p: &Sheet<'_>) -> String {
    let name = p.projects.iter().find(|(project, _)| *project == id).map(|(_, name)| format!(" {name}")).unwrap_or_default();
    format!("{id}{name}")
}

/// A project that says it is done.
pub fn project(id: ProjectId, p: &Sheet<'_>) -> Vec<DocLine> {
    let t = p.theme;
    let Some(project) = p.snapshot.pending.iter().find(|project| project.id == id) else { return Vec::new() };
    let mut all = heading(&format!("{} says it is done", project.title), p);
    let bar = 20usize.min(p.width.saturating_sub(30));
    let full = if project.jobs == 0 { 0 } else { bar * project.done as usize / project.jobs as usize };
    let gauge = if t.ascii {
        format!("{}{}", "#".repeat(full), ".".repeat(bar - full))
    } else {
        format!("{}{}", "█".repeat(full), "░".repeat(bar - full))
    };
    let open = project.jobs - project.done - project.failed;
    let mut says = format!("{gauge} {} of {} done", project.done, project.jobs);
    if project.failed > 0 {
        says += &format!(", {} failed or killed", project.failed);
    }
    if open > 0 {
        says += &format!(", {open} not over yet");
    }
    all.extend(field("jobs", &says, p, if project.failed + open > 0 { t.warn } else { t.text }));
    all.extend(field("tasks", &format!("{} of {} done", project.tasks_done, project.tasks), p, t.text));
    all.extend(field("used", &format!("{} tokens, {}", text::count(project.tokens), text::money(project.cost_usd)), p, t.text));
    if let Some(at) = project.submitted_at {
        all.extend(field("submitted", &text::moment(at, p.now, p.utc_offset), p, t.text));
    }
    if let Some(remark) = &project.remark {
        all.extend(field("last word", remark, p, t.text));
    }
    for job in &project.newest {
        let line = Line::from(vec![
            Span::styled(format!("{:<11}", format!("#{}", job.id)), t.dim),
            Span::styled(format!("{} ", job.state), t.accent),
            Span::styled(text::clean_line(&job.title).into_owned(), t.text),
        ]);
        all.push(DocLine { line: text::wrap(line, p.width, 11).swap_remove(0), jump: Some(Jump::Job(job.id)) });
    }
    all.push(DocLine::default());
    all.extend(field("command", &format!("orc project approve {id} · orc project reject {id} --reason …"), p, t.dim));
    all
}

/// What was said, oldest first.
pub fn talk(said: &[Entry], p: &Sheet<'_>) -> Vec<DocLine> {
    let t = p.theme;
    let mut all = Vec::new();
    for e in said {
        let (mark, style) = match e.says {
            Says::Message => (if t.ascii { ">" } else { "›" }, t.accent),
            Says::Reminder => (if t.ascii { "!" } else { "◷" }, t.warn),
            Says::Question => ("?", t.warn),
            _ => (if t.ascii { "*" } else { "●" }, t.ok),
        };
        let who = if e.external { format!("{} (from outside)", e.author) } else { e.author.clone() };
        let mut head = vec![
            Span::styled(format!("{mark} "), style),
            Span::styled(text::clean_line(&who).into_owned(), if e.read { t.text } else { t.title }),
            Span::styled(format!("  {} · {}", text::moment(e.at, p.now, p.utc_offset), e.says), t.dim),
        ];
        if let Some(job) = e.job {
            head.push(Span::styled(format!(" · #{job}"), t.dim));
        }
        all.push(DocLine { line: text::wrap(Line::from(head), p.width, 2).swap_remove(0), jump: e.job.map(Jump::Job) });
        let indented = DocLine::wrapped(&e.text, p.width.saturating_sub(2), t.text);
        all.extend(indented.into_iter().map(|mut l| {
            l.line.spans.insert(0, Span::raw("  "));
            l
        }));
        all.push(DocLine::default());
    }
    all.pop();
    all
}
