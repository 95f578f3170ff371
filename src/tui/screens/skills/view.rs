//! The skills, drawn.

use super::PARTS;
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::screens::job::overview::Page as Sheet;
use crate::tui::screens::look::Look;
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::tui::widgets::{DocLine, Frame, Jump, Pen, empty, pane, position};
use crate::wire::{SkillDetail, SkillRow};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// List and one in full: beside each other where there is room for both, else one over the other.
pub fn areas(body: Rect) -> (Rect, Rect) {
    if body.width >= 110 {
        let left = (body.width / 2).clamp(56, 96);
        return (Rect { width: left, ..body }, Rect { x: body.x + left, width: body.width - left, ..body });
    }
    let low = body.height / 2;
    if body.height < 14 {
        return (body, Rect { y: body.bottom(), height: 0, ..body });
    }
    (Rect { height: body.height - low, ..body }, Rect { y: body.bottom() - low, height: low, ..body })
}

/// Draws the screen.
pub fn draw(model: &Model, body: Rect, buf: &mut Buffer) {
    let t = model.theme();
    let m = &model.skills;
    let (list, detail) = areas(body);
    let mut facts = Vec::new();
    if !m.filter.is_empty() {
        facts.push((format!("/{}", m.filter), t.accent));
    }
    let broken = m.rows.iter().filter(|r| !r.usable()).count();
    if broken > 0 {
        facts.push((format!("✗ {broken} broken"), t.fail));
    }
    let held = m.rows.iter().filter(|r| r.hold.pin.is_some() || r.hold.base.is_some()).count();
    if held > 0 {
        facts.push((format!("{held} held"), t.warn));
    }
    let foot = position(&m.cursor.visible(), m.rows.len(), false);
    let inner = pane(list, buf, &Frame { title: "Skills", facts, foot, focused: !m.reading }, t);
    titles(Pen::new(buf, Rect { height: inner.height.min(1), ..inner }, 0), t);
    let rows = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    if m.rows.is_empty() {
        let lines: [&str; 2] = match (&m.failed, m.loaded, m.filter.is_empty()) {
            (Some(why), ..) => [why, ""],
            (None, false, _) => ["Reading skills …", ""],
            (None, true, false) => ["No skill matches the filter.", "esc clears it."],
            (None, true, true) => ["There are no skills.", "`orc skill new NAME` in a shell makes one."],
        };
        empty(rows, buf, &lines, t);
    }
    for (row, index) in m.cursor.visible().enumerate() {
        let Some(item) = m.rows.get(index) else { continue };
        let current = index == m.cursor.index;
        draw_row(item, Pen::new(buf, rows, row as u16), &model.look(current));
        if current {
            buf.set_style(Rect { y: rows.y + row as u16, height: 1, ..rows }.intersection(buf.area), t.selected);
        }
    }
    if detail.height > 0 {
        full(model, detail, buf);
    }
}

fn full(model: &Model, area: Rect, buf: &mut Buffer) {
    let t = model.theme();
    let m = &model.skills;
    let title = m.selected().map_or_else(|| "Skill".to_owned(), |r| text::clean_line(&r.name).into_owned());
    let foot = position(&m.doc.cursor.visible(), m.doc.lines.len(), false);
    let inner = pane(area, buf, &Frame { title: &title, facts: Vec::new(), foot, focused: m.reading }, t);
    let mut pen = Pen::new(buf, inner, 0);
    pen.gap(1);
    for (i, part) in PARTS.iter().enumerate() {
        pen.put(&format!(" {part} "), if i == m.part { t.badge } else { t.dim });
    }
    let key = |a: Action| model.options.keymap.key(a);
    let hint = format!("{} {} other part ", key(Action::Left), key(Action::Right));
    if usize::from(pen.left()) > text::width(&hint) + 2 {
        pen.skip_to_right(text::width(&hint) as u16).put(&hint, t.dim);
    }
    let rest = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    m.doc.draw(rest, buf, m.reading, t);
}

fn titles(mut pen: Pen<'_>, t: &Theme) {
    let s = t.dim;
    let wide = pen.left() >= 70;
    pen.gap(2).cell("skill", if wide { 24 } else { 20 }, s).gap(1).cell("version", 13, s).gap(1);
    if wide {
        pen.cell("source", 10, s);
    }
    pen.right_cell("uses", 5, s).right_cell("ok", 6, s).right_cell("cost", 8, s).gap(1).put("!", s);
}

fn draw_row(row: &SkillRow, mut pen: Pen<'_>, look: &Look<'_>) {
    let t = look.theme;
    let wide = pen.left() >= 70;
    pen.put(if look.current { "▌" } else { " " }, t.accent);
    pen.put(if row.usable() { " " } else { "✗" }, t.fail);
    pen.cell(&text::clean_line(&row.name), if wide { 24 } else { 20 }, if row.usable() { t.text } else { t.fail }).gap(1);
    let version = match (&row.hold.pin, &row.hash) {
        (Some(pin), _) => format!("{} pin", short(pin, 8)),
        (None, Some(hash)) if row.hold.base.is_some() => format!("{} {} %", short(hash, 8), row.hold.percent),
        (None, Some(hash)) => short(hash, 8).to_owned(),
        (None, None) => "broken".to_owned(),
    };
    let held = row.hold.pin.is_some() || row.hold.base.is_some() || !row.usable();
    pen.cell(&version, 13, if held { t.warn } else { t.dim }).gap(1);
    if wide {
        pen.cell(row.source.as_str(), 10, t.dim);
    }
    let u = &row.use_;
    pen.right_cell(&text::count(u.uses), 5, if u.uses > 0 { t.text } else { t.dim });
    let style = row.success.map_or(t.dim, |s| if s < 0.8 { t.warn } else { t.ok });
    pen.right_cell(&row.success.map_or_else(|| "-".to_owned(), |s| format!("{:.0} %", s * 100.0)), 6, style);
    pen.right_cell(&if u.uses > 0 { text::money(u.cost_usd) } else { "-".to_owned() }, 8, if u.uses > 0 { t.text } else { t.dim }).gap(1);
    if !row.problems.is_empty() {
        pen.put(&row.problems.len().to_string(), if row.usable() { t.warn } else { t.fail });
    }
}

/// One skill in full.
pub fn lines(row: &SkillRow, detail: Option<&SkillDetail>, part: usize, p: &Sheet<'_>) -> Vec<DocLine> {
    let t = p.theme;
    let Some(d) = detail else { return DocLine::wrapped("Reading …", p.width, t.dim) };
    match part {
        0 => whole(row, d, p),
        1 => versions(d, p),
        2 if d.diff.is_empty() => DocLine::wrapped("There is only one version: nothing has changed yet.", p.width, t.dim),
        2 => d
            .diff
            .lines()
            .flat_map(|line| {
                let style = match line.as_bytes().first() {
                    Some(b'+') => t.ok,
                    Some(b'-') => t.fail,
                    Some(b'@') => t.accent,
                    _ => t.text,
                };
                DocLine::wrapped(line, p.width, style)
            })
            .collect(),
        _ => outputs(d, p),
    }
}

fn whole(row: &SkillRow, d: &SkillDetail, p: &Sheet<'_>) -> Vec<DocLine> {
    let t = p.theme;
    let mut out = DocLine::wrapped(&row.description, p.width, t.title);
    for problem in &row.problems {
        out.extend(DocLine::wrapped(problem, p.width, if row.usable() { t.warn } else { t.fail }));
    }
    if !row.usable() {
        let says = if d.text.is_empty() {
            "no good version of it is known: jobs that ask for it fail"
        } else {
            "its last good version stays in use:"
        };
        out.extend(DocLine::wrapped(says, p.width, t.warn));
    }
    if !row.triggers.is_empty() {
        out.extend(DocLine::wrapped(&format!("triggers: {}", row.triggers.join(", ")), p.width, t.dim));
    }
    out.extend(DocLine::wrapped(&row.file, p.width, t.dim));
    for file in d.files.iter().skip(1) {
        out.extend(DocLine::wrapped(&format!("{} {}", file.path, text::bytes(file.bytes)), p.width, t.dim));
    }
    out.push(DocLine::of(""));
    for line in d.text.lines() {
        let style = if line.starts_with('#') { t.title } else { t.text };
        out.extend(DocLine::wrapped(line, p.width, style));
    }
    out
}

fn versions(d: &SkillDetail, p: &Sheet<'_>) -> Vec<DocLine> {
    let t = p.theme;
    let hold = &d.row.hold;
    let mut out = Vec::new();
    for (i, v) in d.versions.iter().enumerate() {
        let mark = match (i, &hold.pin, &hold.base) {
            (_, Some(pin), _) if *pin == v.hash => "pinned".to_owned(),
            (0, _, Some(_)) => format!("{} % of the jobs", hold.percent),
            (_, _, Some(base)) if *base == v.hash => "the other jobs".to_owned(),
            (0, None, None) => "in use".to_owned(),
            _ => String::new(),
        };
        let u = &v.use_;
        let ok = u.success().map_or_else(String::new, |s| format!(", {:.0} % ok", s * 100.0));
        let used =
            if u.uses == 0 { "never used".to_owned() } else { format!("{}{ok}, {}", text::plural(u.uses, "use"), text::money(u.cost_usd)) };
        let line = vec![
            Span::styled(short(&v.hash, 12).to_owned(), t.title),
            Span::styled(format!("  {}  {}  ", v.from, text::moment(v.first_seen, p.now, p.utc_offset)), t.dim),
            Span::styled(used, t.text),
            Span::styled(if mark.is_empty() { mark } else { format!("  {mark}") }, t.ok),
        ];
        out.extend(text::wrap(Line::from(line), p.width, 2).into_iter().map(DocLine::of));
    }
    if out.is_empty() {
        out = DocLine::wrapped("No version was seen yet.", p.width, t.dim);
    }
    out
}

fn outputs(d: &SkillDetail, p: &Sheet<'_>) -> Vec<DocLine> {
    let t = p.theme;
    if d.outputs.is_empty() {
        return DocLine::wrapped("No job was given it yet.", p.width, t.dim);
    }
    let line = |o: &crate::domain::SkillOutput| {
        let (word, style) = match o.outcome {
            None => ("running".to_owned(), t.accent),
            Some(crate::domain::Outcome::Ok) => ("ok".to_owned(), t.ok),
            Some(other) => (other.to_string(), t.fail),
        };
        let spans = vec![
            Span::styled(format!("#{} ", o.job), t.accent),
            Span::styled(format!("{} ", short(&o.hash, 8)), t.dim),
            Span::styled(format!("{word} "), style),
            Span::styled(o.cost_usd.map_or_else(String::new, |c| format!("{} ", text::money(c))), t.text),
            Span::styled(format!("{} ", text::moment(o.started_at, p.now, p.utc_offset)), t.dim),
            Span::styled(text::clean_line(&o.title).into_owned(), t.text),
        ];
        let width = p.width;
        text::wrap(Line::from(spans), width, 2)
            .into_iter()
            .map(|l| DocLine { jump: Some(Jump::Job(o.job)), ..DocLine::of(l) })
            .collect::<Vec<_>>()
    };
    d.outputs.iter().flat_map(line).collect()
}

/// The start of a version's hash.
fn short(hash: &str, len: usize) -> &str {
    hash.get(..len).unwrap_or(hash)
}
