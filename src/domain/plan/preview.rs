//! What a plan would come to: its graph in layers, and what each task is expected to cost. Pure.

use super::{PlanDocument, PlanTask};
use crate::domain::job::Kind;
use crate::domain::words::words;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Jobs of a kind that have to be over before their figures are better than a guess.
const ENOUGH: usize = 3;

words!(
    /// What an estimate rests on.
    Basis {
        /// Finished jobs of the same kind.
        History = "history",
        /// What the planner said.
        Planner = "planner",
        /// The setting `expected_output`: a guess.
        Guess = "guess",
    }
);

/// What finished jobs of a kind used, each with all its attempts: tokens, and money where it is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KindHistory {
    pub jobs: Vec<(u64, Option<f64>)>,
}

/// A task with what is expected of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PreviewTask {
    pub key: String,
    pub title: String,
    pub kind: Kind,
    pub depends_on: Vec<String>,
    pub low: u64,
    /// What is expected; half of the jobs used less.
    pub tokens: u64,
    pub high: u64,
    pub basis: Basis,
    /// Finished jobs that the estimate rests on.
    pub jobs: usize,
    /// In US dollars; `None` where no job of any kind tells what a token costs.
    pub cost_usd: Option<f64>,
}

/// All tasks together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    pub low: u64,
    pub tokens: u64,
    pub high: u64,
    pub cost_usd: Option<f64>,
}

/// A plan as the operator sees it before they decide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preview {
    /// Keys by layer: each task needs only tasks of earlier layers.
    pub layers: Vec<Vec<String>>,
    /// In the order of the layers.
    pub tasks: Vec<PreviewTask>,
    pub total: Totals,
}

/// Works out a preview. `expected` is what the settings say of a kind without history; an estimate of the planner's own counts
/// before that guess, and history before both: planners do not know what their colleagues need.
pub fn preview(plan: &PlanDocument, history: &BTreeMap<Kind, KindHistory>, expected: &BTreeMap<Kind, u64>) -> Preview {
    let layers = plan.layers().unwrap_or_default();
    let price = price(history.values());
    let tasks: Vec<PreviewTask> = layers.iter().flatten().map(|&i| estimate(&plan.tasks[i], history, expected, price)).collect();
    let sum = |f: fn(&PreviewTask) -> u64| tasks.iter().map(f).sum();
    let total =
        Totals { low: sum(|t| t.low), tokens: sum(|t| t.tokens), high: sum(|t| t.high), cost_usd: tasks.iter().map(|t| t.cost_usd).sum() };
    let key = |i: &usize| plan.tasks[*i].key.clone();
    Preview { layers: layers.iter().map(|l| l.iter().map(key).collect()).collect(), tasks, total }
}

/// A line of a plan's graph, drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch<'a> {
    /// What stands before the task: `├─ `.
    pub rails: String,
    pub task: &'a PreviewTask,
    /// Tasks that it needs besides the one under which it stands.
    pub also: Vec<&'a str>,
}

impl Preview {
    /// The graph as a tree: each task stands under the one of its needs that comes last, and names the others.
    pub fn tree(&self, ascii: bool) -> Vec<Branch<'_>> {
        let layer = |key: &str| self.layers.iter().position(|l| l.iter().any(|k| k == key)).unwrap_or(0);
        let parent = |t: &PreviewTask| t.depends_on.iter().max_by_key(|on| layer(on)).cloned();
        let parents: Vec<Option<String>> = self.tasks.iter().map(parent).collect();
        let mut out = Vec::with_capacity(self.tasks.len());
        self.grow(None, "", &parents, ascii, &mut out);
        out
    }

    fn grow<'a>(&'a self, under: Option<&str>, rails: &str, parents: &[Option<String>], ascii: bool, out: &mut Vec<Branch<'a>>) {
        let (fork, last, through) = if ascii { ("|- ", "`- ", "|  ") } else { ("├─ ", "└─ ", "│  ") };
        let children: Vec<usize> = (0..self.tasks.len()).filter(|&i| parents[i].as_deref() == under).collect();
        for (n, &i) in children.iter().enumerate() {
            let (task, ends) = (&self.tasks[i], n + 1 == children.len());
            let (mark, below) = match (under, ends) {
                (None, _) => ("", ""),
                (Some(_), true) => (last, "   "),
                (Some(_), false) => (fork, through),
            };
            let also = task.depends_on.iter().map(String::as_str).filter(|on| Some(*on) != under).collect();
            out.push(Branch { rails: format!("{rails}{mark}"), task, also });
            self.grow(Some(&task.key), &format!("{rails}{below}"), parents, ascii, out);
        }
    }
}

fn estimate(task: &PlanTask, history: &BTreeMap<Kind, KindHistory>, expected: &BTreeMap<Kind, u64>, price: Option<f64>) -> PreviewTask {
    let known = history.get(&task.kind).filter(|h| h.jobs.len() >= ENOUGH);
    let (low, tokens, high, basis) = match (known, task.estimate_tokens) {
        (Some(h), _) => {
            let mut used: Vec<u64> = h.jobs.iter().map(|(tokens, _)| *tokens).collect();
            used.sort_unstable();
            let at = |share: usize| used[(used.len() - 1) * share / 4];
            (at(1), at(2), at(3), Basis::History)
        }
        (None, Some([low, high])) => (low, low.midpoint(high), high, Basis::Planner),
        (None, None) => {
            let guess = expected.get(&task.kind).copied().unwrap_or_default();
            (guess / 2, guess, guess * 2, Basis::Guess)
        }
    };
    // Kinds run on models of different prices: their own first.
    let price = known.and_then(|h| self::price([h].into_iter())).or(price);
    PreviewTask {
        key: task.key.clone(),
        title: task.title.clone(),
        kind: task.kind,
        depends_on: task.depends_on.clone(),
        low,
        tokens,
        high,
        basis,
        jobs: known.map_or(0, |h| h.jobs.len()),
        cost_usd: price.map(|p| p * tokens as f64),
    }
}

/// What a token cost, over all jobs whose cost is known.
fn price<'a>(history: impl Iterator<Item = &'a KindHistory>) -> Option<f64> {
    let (mut tokens, mut cost) = (0, 0.0);
    for (used, paid) in history.flat_map(|h| &h.jobs) {
        if let Some(paid) = paid {
            tokens += used;
            cost += paid;
        }
    }
    (tokens > 0).then(|| cost / tokens as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_counts_before_the_planner_and_the_planner_before_a_guess() {
        let task = |key: &str, kind: &str, on: &[&str], estimate: Option<[u64; 2]>| serde_json::json!({"key": key, "title": key, "kind": kind, "prompt": "p", "depends_on": on, "estimate_tokens": estimate});
        let tasks = [
            task("last", "other", &["a", "b"], None),
            task("a", "code", &[], Some([1, 2])),
            task("b", "writing", &["a"], Some([1000, 3000])),
        ];
        let plan: PlanDocument = serde_json::from_value(serde_json::json!({"goal": "g", "tasks": tasks})).unwrap();
        let code = KindHistory { jobs: vec![(100, Some(0.1)), (400, None), (200, Some(0.2)), (300, None), (9000, None)] };
        let history = BTreeMap::from([(Kind::Code, code), (Kind::Writing, KindHistory { jobs: vec![(7, None)] })]);
        let p = preview(&plan, &history, &BTreeMap::from([(Kind::Other, 2000)]));
        assert_eq!(p.layers, [["a"], ["b"], ["last"]]);
        let seen: Vec<_> = p.tasks.iter().map(|t| (t.key.as_str(), t.low, t.tokens, t.high, t.basis, t.jobs)).collect();
        assert_eq!(
            seen,
            [
                ("a", 200, 300, 400, Basis::History, 5),
                ("b", 1000, 2000, 3000, Basis::Planner, 0),
                ("last", 1000, 2000, 4000, Basis::Guess, 0)
            ]
        );
        // A token cost a thousandth where it is known.
        assert_eq!(p.tasks[0].cost_usd.map(|c| (c * 1000.0).round()), Some(300.0));
        assert_eq!((p.total.tokens, p.total.cost_usd.map(|c| (c * 1000.0).round())), (4300, Some(4300.0)));
        assert_eq!(preview(&plan, &BTreeMap::new(), &BTreeMap::new()).total.cost_usd, None, "unknown is not free");
    }

    #[test]
    fn a_graph_is_drawn_as_a_tree_that_names_what_else_is_needed() {
        let graph: &[(&str, &[&str])] = &[
            ("import", &[]),
            ("ui", &["import"]),
            ("deep", &["ui"]),
            ("docs", &["import"]),
            ("release", &["ui", "docs", "deep"]),
            ("alone", &[]),
        ];
        let task =
            |(key, on): &(&str, &[&str])| serde_json::json!({"key": key, "title": key, "kind": "code", "prompt": "p", "depends_on": on});
        let tasks: Vec<_> = graph.iter().map(task).collect();
        let plan: PlanDocument = serde_json::from_value(serde_json::json!({"goal": "g", "tasks": tasks})).unwrap();
        let p = preview(&plan, &BTreeMap::new(), &BTreeMap::new());
        let line = |b: &Branch<'_>| format!("{}{} {}", b.rails, b.task.key, b.also.join(",")).trim_end().to_owned();
        let drawn = |ascii| p.tree(ascii).iter().map(line).collect::<Vec<_>>();
        assert_eq!(drawn(false), ["import", "├─ ui", "│  └─ deep", "│     └─ release ui,docs", "└─ docs", "alone"]);
        assert_eq!(drawn(true)[1..4], ["|- ui", "|  `- deep", "|     `- release ui,docs"]);
    }
}
