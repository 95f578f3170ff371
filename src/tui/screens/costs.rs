//! What was spent: today against the caps, the share of upkeep, and bars by whatever the operator chooses.

use super::dashboard::movement;
use crate::domain::{CostBy, CostRow, JobId, Overview, UPKEEP_LEAST, UPKEEP_USUAL, Upkeep};
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::text;
use crate::tui::widgets::{Cursor, Frame, Pen, empty, gauge, pane, position, share};
use crate::wire::Query;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// What the bars may be about, in the order of the tabs.
pub const TABS: [CostBy; 11] = [
    CostBy::Project,
    CostBy::Kind,
    CostBy::Model,
    CostBy::Backend,
    CostBy::Worker,
    CostBy::Cron,
    CostBy::Skill,
    CostBy::Version,
    CostBy::Task,
    CostBy::Job,
    CostBy::Day,
];

/// Where the operator is among the costs.
#[derive(Default)]
pub struct Costs {
    pub tab: usize,
    /// The line whose jobs are shown: what it is about, its key and its label.
    pub within: Option<(CostBy, String, String)>,
    pub rows: Vec<CostRow>,
    pub overview: Option<Overview>,
    keys: Vec<String>,
    pub cursor: Cursor<String>,
    pub loaded: bool,
    pub failed: Option<String>,
    /// Tokens that were spent when this was read: more since then make it old.
    seen: u64,
    stale: bool,
}

impl Costs {
    /// What the bars are about now.
    pub fn by(&self) -> CostBy {
        if self.within.is_some() { CostBy::Job } else { TABS[self.tab] }
    }

    fn query(&self) -> Query {
        let within = self.within.as_ref().map(|(by, key, _)| (*by, key.clone()));
        Query::Costs { by: self.by(), within }
    }

    /// Something was spent, or the view is opened again.
    pub fn touch(&mut self) {
        self.stale = true;
    }

    /// The day's tokens as of now.
    pub fn take_spent(&mut self, tokens: u64) {
        if std::mem::replace(&mut self.seen, tokens) != tokens {
            self.stale = true;
        }
    }

    /// What to ask for.
    pub fn wants(&self) -> Option<Query> {
        (!self.loaded && self.failed.is_none() || self.stale).then(|| self.query())
    }

    /// A question has gone out.
    pub fn asked(&mut self) {
        self.stale = false;
    }

    /// Takes an answer, unless it is to an older question.
    pub fn take(&mut self, by: CostBy, within: Option<&(CostBy, String)>, overview: Overview, rows: Vec<CostRow>) {
        if by != self.by() || within.map(|w| &w.1) != self.within.as_ref().map(|w| &w.1) {
            return;
        }
        self.rows = rows;
        if by == CostBy::Day {
            // The newest day is what one looks for.
            self.rows.reverse();
        }
        self.overview = Some(overview);
        self.loaded = true;
        self.failed = None;
    }

    /// There is no answer.
    pub fn give_up(&mut self, message: &str) {
        self.failed = Some(message.to_owned());
    }

    /// Brings rows and place up to date.
    pub fn sync(&mut self, height: usize) {
        self.keys = self.rows.iter().map(|r| r.key.clone()).collect();
        self.cursor.sync(&self.keys, height);
    }

    /// Moves, if the action is a movement; tabs choose what the bars are about.
    pub fn moved(&mut self, action: Action) -> bool {
        let turn = match action {
            Action::Right | Action::NextPane => 1,
            Action::Left | Action::PreviousPane => TABS.len() - 1,
            _ => return movement(&mut self.cursor, &self.keys, action),
        };
        self.tab = (self.tab + turn) % TABS.len();
        self.show(None);
        true
    }

    fn show(&mut self, within: Option<(CostBy, String, String)>) {
        self.within = within;
        self.rows.clear();
        self.cursor = Cursor::default();
        self.loaded = false;
        self.failed = None;
    }

    /// The line under the cursor.
    pub fn selected(&self) -> Option<&CostRow> {
        self.rows.get(self.cursor.index)
    }

    /// Into the line: its jobs, or the job itself.
    pub fn open(&mut self) -> Option<JobId> {
        let row = self.selected()?.clone();
        if self.by() == CostBy::Job {
            return row.key.parse().ok();
        }
        let by = self.by();
        self.show(Some((by, row.key, row.label)));
        None
    }

    /// Out of the line again; false where there is nothing to leave.
    pub fn back(&mut self) -> bool {
        let inside = self.within.is_some();
        if inside {
            self.show(None);
        }
        inside
    }
}

/// Figures over bars.
pub fn areas(body: Rect, c: &Costs) -> (Rect, Rect) {
    let top = (5 + categories(c, body) + caps(c, body)).min(body.height / 2);
    (Rect { height: top, ..body }, Rect { y: body.y + top, height: body.height - top, ..body })
}

/// True where there is room for words and a line each.
fn is_large(body: Rect) -> bool {
    body.width >= 110 && body.height >= 30
}

/// Lines for the categories of upkeep: one each, or one for all.
fn categories(c: &Costs, body: Rect) -> u16 {
    let all = c.overview.as_ref().map_or(0, |o| o.upkeep.len() as u16);
    if is_large(body) { all } else { all.min(1) }
}

/// Lines for the caps.
fn caps(c: &Costs, body: Rect) -> u16 {
    let most = if body.height >= 30 { 6 } else { 3 };
    c.overview.as_ref().map_or(0, |o| o.caps.len() as u16).clamp(1, most)
}

/// Draws the screen.
pub fn draw(model: &Model, body: Rect, buf: &mut Buffer) {
    let t = model.theme();
    let c = &model.costs;
    let (top, bottom) = areas(body, c);
    headline(model, top, is_large(body), buf);
    let title = match &c.within {
        Some((by, _, label)) => format!("Jobs of {by} {}", text::clean_line(label)),
        None => format!("By {}", c.by()),
    };
    let foot = position(&c.cursor.visible(), c.rows.len(), false);
    let total: f64 = c.rows.iter().map(|r| r.spend.usd()).sum();
    let facts = if c.rows.is_empty() { Vec::new() } else { vec![(format!("{} in all", text::money(total)), t.text)] };
    let inner = pane(bottom, buf, &Frame { title: &title, facts, foot, focused: true }, t);
    let mut pen = Pen::new(buf, inner, 0);
    for (i, by) in TABS.iter().enumerate() {
        let style = if i == c.tab { t.accent } else { t.dim };
        pen.gap(1).put(by.as_str(), style).gap(1);
    }
    let rows = Rect { y: inner.y + 2, height: inner.height.saturating_sub(2), ..inner };
    if c.rows.is_empty() {
        let lines: [&str; 2] = match (&c.failed, c.loaded) {
            (Some(why), _) => ["The costs cannot be read.", why],
            (None, false) => ["Adding up …", ""],
            (None, true) => ["Nothing was spent yet.", "Each attempt of a job adds its tokens here when it ends; n dispatches one."],
        };
        empty(rows, buf, &lines, t);
        return;
    }
    let wide = inner.width >= 110;
    let label = if wide { 40 } else { 26 };
    let mut pen = Pen::new(buf, inner, 1);
    pen.gap(1)
        .cell(c.by().as_str(), label, t.dim)
        .right_cell("jobs", 6, t.dim)
        .right_cell("tokens", 8, t.dim)
        .right_cell("cost", 10, t.dim);
    if c.by() == CostBy::Cron {
        pen.right_cell("changed", if wide { 18 } else { 9 }, t.dim);
    }
    if wide {
        pen.gap(2).put("said by", t.dim);
    }
    let money = c.rows.iter().any(|r| r.spend.usd() > 0.0);
    let weight = |r: &CostRow| if money { r.spend.usd() } else { r.spend.tokens() as f64 };
    let most = c.rows.iter().map(weight).fold(0.0, f64::max);
    for (line, index) in c.cursor.visible().enumerate() {
        let Some(row) = c.rows.get(index) else { continue };
        let current = index == c.cursor.index;
        let mut pen = Pen::new(buf, rows, line as u16);
        let name = if c.by() == CostBy::Job { format!("#{} {}", row.key, row.label) } else { row.label.clone() };
        let s = &row.spend;
        pen.put(if current { "▌" } else { " " }, t.accent).cell(&name, label, t.text);
        pen.right_cell(&text::thousands(s.jobs), 6, t.dim).right_cell(&text::count(s.tokens()), 8, t.text);
        let cost = if s.usd() == 0.0 && s.unpriced > 0 { "unpriced".to_owned() } else { text::money(s.usd()) };
        pen.right_cell(&cost, 10, if s.unpriced > 0 { t.warn } else { t.title });
        if let Some(found) = row.found.filter(|_| c.by() == CostBy::Cron) {
            let brief = if found.judged > 0 { format!("{}/{}", found.changed, found.judged) } else { "–".to_owned() };
            let (text, room) = if wide { (found.says(), 18) } else { (brief, 9) };
            pen.right_cell(&text, room, t.text);
        } else if c.by() == CostBy::Cron {
            pen.right_cell("", if wide { 18 } else { 9 }, t.dim);
        }
        if wide {
            pen.gap(2).cell(&said(row), 20, t.dim);
        }
        pen.gap(2);
        let room = pen.left().saturating_sub(1).min(60);
        let (full, rest) = share(if most > 0.0 { weight(row) / most } else { 0.0 }, usize::from(room));
        pen.put(&full, t.gauge).put(&rest, t.gauge_empty);
        if current {
            buf.set_style(Rect { y: rows.y + line as u16, height: 1, ..rows }.intersection(buf.area), t.selected);
        }
    }
}

/// Who says what a line has cost.
fn said(row: &CostRow) -> String {
    let s = &row.spend;
    let by = [
        (s.reported_usd > 0.0, "backend"),
        (s.computed_usd > 0.0, "prices"),
        (s.estimated_usd > 0.0, "estimate"),
        (s.unpriced > 0, "unpriced"),
    ];
    by.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
}

/// Today, upkeep against its marks and by category, and the caps with their forecast.
fn headline(model: &Model, area: Rect, large: bool, buf: &mut Buffer) {
    let t = model.theme();
    let c = &model.costs;
    let inner = pane(area, buf, &Frame { title: "Spent", ..Frame::default() }, t);
    let Some(o) = &c.overview else { return };
    let mut pen = Pen::new(buf, inner, 0);
    pen.gap(1).cell("today", 10, t.dim).put(&text::money(o.today.usd()), t.title);
    pen.put(&format!(" · {} tokens · {}", text::count(o.today.tokens()), text::plural(o.today.jobs, "job")), t.text);
    if o.today.unpriced > 0 {
        pen.put(&format!(" · {} tokens unpriced: see models.toml", text::count(o.today.unpriced)), t.warn);
    }
    let mut pen = Pen::new(buf, inner, 1);
    pen.gap(1).cell("in all", 10, t.dim).put(&text::money(o.period.usd()), t.title);
    pen.put(&format!(" · {} tokens · {}", text::count(o.period.tokens()), text::plural(o.period.jobs, "job")), t.text);
    let mut pen = Pen::new(buf, inner, 2);
    pen.gap(1).cell("upkeep", 10, t.dim);
    match o.share {
        Some(share) => {
            gauge(&mut pen, if large { 20 } else { 10 }, share.min(1.0), 0.0, Some(UPKEEP_LEAST), t);
            let usual = UPKEEP_USUAL * 100.0;
            pen.put(&format!(" {:.0} % of the tokens; usual: a third at least, about {usual:.0} %", share * 100.0), t.text);
        }
        None => {
            pen.put("nothing was spent yet", t.dim);
        }
    }
    let mut line = 3;
    if large {
        for u in &o.upkeep {
            let mut pen = Pen::new(buf, inner, line);
            pen.gap(3).cell(u.category.as_str(), 12, t.text).right_cell(&format!("{:.1} %", o.percent(u)), 7, t.text);
            pen.put(&format!(" · {} tokens · {}", text::count(u.spend.tokens()), text::money(u.spend.usd())), t.dim);
            let style = if u.found.judged > 0 { t.text } else { t.dim };
            pen.put(&format!(" · changed something: {}", u.found.says()), style);
            line += 1;
        }
    } else if !o.upkeep.is_empty() {
        let brief = |u: &Upkeep| match u.found.judged {
            0 => format!("{} {:.0} %", u.category, o.percent(u)),
            n => format!("{} {:.0} % changed {}/{n}", u.category, o.percent(u), u.found.changed),
        };
        let all: Vec<String> = o.upkeep.iter().map(brief).collect();
        Pen::new(buf, inner, line).gap(3).put(&all.join(" · "), t.dim);
        line += 1;
    }
    if o.caps.is_empty() {
        let mut pen = Pen::new(buf, inner, line);
        pen.gap(1).cell("caps", 10, t.dim).put("none; `cap_day_usd` and its like in orc.toml set them", t.dim);
    }
    for (i, cap) in o.caps.iter().take(usize::from(inner.height.saturating_sub(line))).enumerate() {
        let mut pen = Pen::new(buf, inner, line + i as u16);
        pen.gap(1).cell("cap", 10, t.dim);
        let mark = (cap.soft > 0.0 && cap.hard > 0.0).then(|| cap.soft / cap.hard);
        gauge(&mut pen, if large { 20 } else { 10 }, cap.share(), 0.0, mark, t);
        let says = if inner.width >= 110 { cap.says() } else { cap.brief() };
        let says = text::local_times(&says, model.now, model.utc_offset).into_owned();
        let style = if cap.hard > 0.0 && cap.share() >= 1.0 {
            t.fail
        } else if cap.warns() || cap.reached_at.is_some() {
            t.warn
        } else {
            t.text
        };
        pen.gap(1).put(&says, style);
    }
}
