//! Which pane goes where at which size. What there is no room for collapses by priority; nothing overlaps.

use super::Pane;
use crate::wire::Snapshot;
use ratatui::layout::Rect;

/// Where the panes are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Areas {
    pub lanes: Rect,
    /// The budget as one line, where there is no room for the pane.
    pub strip: Option<Rect>,
    pub budget: Option<Rect>,
    pub needs: Option<Rect>,
    pub workers: Rect,
    pub log: Option<Rect>,
    /// What the selected job was given from memory, beside the log.
    pub recall: Option<Rect>,
}

impl Areas {
    /// The panes that are there, in the order of Tab.
    pub fn panes(&self) -> Vec<Pane> {
        let mut panes = vec![Pane::Lanes];
        if self.budget.is_some() {
            panes.push(Pane::Budget);
        }
        if self.workers.height > 2 {
            panes.push(Pane::Workers);
        }
        if self.log.is_some() {
            panes.push(Pane::Log);
        }
        if self.recall.is_some() {
            panes.push(Pane::Recall);
        }
        panes
    }
}

/// Divides the body of the screen.
pub fn areas(body: Rect, snapshot: &Snapshot) -> Areas {
    let mut areas = if body.width >= 160 && body.height >= 30 {
        wide(body, snapshot)
    } else if body.width >= 100 && body.height >= 27 {
        standard(body, snapshot)
    } else {
        narrow(body, snapshot)
    };
    if let Some(log) = areas.log.filter(|log| log.width >= 112) {
        let right = (log.width * 2 / 5).clamp(46, 90);
        areas.log = Some(Rect { width: log.width - right, ..log });
        areas.recall = Some(Rect { x: log.right() - right, width: right, ..log });
    }
    areas
}

/// Rows from `at` on, `height` of them, in columns `x` to `x + width`.
fn rect(body: Rect, x: u16, width: u16, at: u16, height: u16) -> Rect {
    Rect { x: body.x + x, y: body.y + at, width, height }.intersection(body)
}

/// Lanes, budget and what needs the operator side by side; workers and log below in full width.
fn wide(body: Rect, s: &Snapshot) -> Areas {
    let third = (body.width / 4).clamp(46, 64);
    let left = body.width - 2 * third;
    let next: u16 = s.lanes.iter().map(|l| l.next.len() as u16).sum();
    let top = (next + 5).max(s.backends.len() as u16 + 9).clamp(15, (body.height * 2 / 5).max(15));
    let rest = body.height - top;
    let workers = (s.workers.len() as u16 + 3).clamp(rest / 3, rest * 3 / 5);
    Areas {
        lanes: rect(body, 0, left, 0, top),
        budget: Some(rect(body, left, third, 0, top)),
        needs: Some(rect(body, left + third, third, 0, top)),
        workers: rect(body, 0, body.width, top, workers),
        log: Some(rect(body, 0, body.width, top + workers, rest - workers)),
        strip: None,
        recall: None,
    }
}

/// Lanes beside the budget, then workers, then the log.
fn standard(body: Rect, s: &Snapshot) -> Areas {
    let right = (body.width * 2 / 5).clamp(44, 56);
    let left = body.width - right;
    let top = (body.height * 2 / 5).clamp(11, 16);
    let rest = body.height - top;
    let workers = (s.workers.len() as u16 + 3).clamp(rest * 2 / 5, rest * 3 / 5);
    Areas {
        lanes: rect(body, 0, left, 0, top),
        strip: None,
        budget: Some(rect(body, left, right, 0, top)),
        needs: None,
        workers: rect(body, 0, body.width, top, workers),
        log: Some(rect(body, 0, body.width, top + workers, rest - workers)),
        recall: None,
    }
}

/// One column; the budget is one line, and on a low screen the log goes, then the workers.
fn narrow(body: Rect, s: &Snapshot) -> Areas {
    let strip = Some(rect(body, 0, body.width, 0, 1));
    let rest = body.height.saturating_sub(1);
    let tall = body.height >= 40 && body.width >= 44;
    let (strip, budget, at) = if tall { (None, Some(rect(body, 0, body.width, 0, 13)), 13) } else { (strip, None, 1) };
    let rest = if tall { body.height - 13 } else { rest };
    if rest < 9 {
        return Areas { lanes: rect(body, 0, body.width, at, rest), strip, budget, ..Areas::default() };
    }
    if rest < 14 {
        let workers = rest / 2;
        return Areas {
            lanes: rect(body, 0, body.width, at, rest - workers),
            workers: rect(body, 0, body.width, at + rest - workers, workers),
            strip,
            budget,
            ..Areas::default()
        };
    }
    let third = rest / 3;
    let workers = (s.workers.len() as u16 + 3).clamp(5, third.max(5));
    let lanes = third.max(7).min(rest - workers - 5);
    let log = rest - workers - lanes;
    Areas {
        lanes: rect(body, 0, body.width, at, lanes),
        workers: rect(body, 0, body.width, at + lanes, workers),
        log: Some(rect(body, 0, body.width, at + lanes + workers, log)),
        strip,
        budget,
        needs: None,
        recall: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    #[test]
    fn panes_never_overlap_nor_leave_the_body_and_fill_it() {
        let s = Snapshot::starting(Timestamp(0), String::new());
        for w in 1..260 {
            for h in 1..90 {
                let body = Rect::new(0, 2, w, h);
                let a = areas(body, &s);
                let all: Vec<Rect> = [Some(a.lanes), a.strip, a.budget, a.needs, Some(a.workers), a.log, a.recall]
                    .into_iter()
                    .flatten()
                    .filter(|r| r.area() > 0)
                    .collect();
                for (i, r) in all.iter().enumerate() {
                    assert_eq!(r.intersection(body), *r, "{w}x{h}");
                    for other in &all[i + 1..] {
                        assert!(r.intersection(*other).area() == 0, "{w}x{h}: {r:?} {other:?}");
                    }
                }
                assert_eq!(all.iter().map(|r| r.area()).sum::<u32>(), body.area(), "{w}x{h}");
            }
        }
    }
}
