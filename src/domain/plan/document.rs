//! What a planner delivers: JSON, read strictly, and checked before anybody is asked about it.

use super::OnFailure;
use crate::domain::job::Kind;
use crate::domain::{NoName, name_below};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The most tasks that any plan may have; the setting `plan_max_tasks` is below it.
pub const MOST_TASKS: usize = 200;
/// The longest prompt of a task, the longest other text, and the longest key, in bytes.
const LONGEST_PROMPT: usize = 64 << 10;
const LONGEST_TEXT: usize = 4 << 10;
const LONGEST_KEY: usize = 40;
/// Tokens that nobody estimates in earnest.
const MOST_TOKENS: u64 = 1_000_000_000;

/// A plan as it is proposed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanDocument {
    /// What is true when every task is done, in one sentence that could be false.
    pub goal: String,
    /// What shows that it is reached.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub check: String,
    /// What was taken for granted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumptions: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub risks: Vec<String>,
    /// `None`: as the setting `plan_on_failure` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    pub tasks: Vec<PlanTask>,
}

/// One task of a plan: one job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanTask {
    /// A short word, by which other tasks name it.
    pub key: String,
    pub title: String,
    pub kind: Kind,
    /// Keys of the tasks that have to be done first.
    #[serde(default)]
    pub depends_on: Vec<String>,
    /// All that the agent is told; it knows nothing else.
    pub prompt: String,
    /// What the operator will be able to look at.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub deliverable: String,
    /// Files that have to be there at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artefacts: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skills: Vec<String>,
    /// `None`: as the setting `work_backend` says.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona: Option<String>,
    /// The planner's own estimate, low to high.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate_tokens: Option<[u64; 2]>,
}

/// Why a plan is none. Each says what is wrong so that whoever wrote it can put it right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPlan {
    #[error("it holds no JSON object")]
    NoJson,
    #[error("its JSON is not of the asked form: {0}")]
    Form(String),
    #[error("it has no tasks")]
    Empty,
    #[error("it has {tasks} tasks, and {most} is the most: plan the first stage, and make \"plan the rest\" its last task")]
    TooLarge { tasks: usize, most: usize },
    #[error("{0} is empty")]
    Blank(String),
    #[error("{what} has {bytes} bytes, and {most} is the most")]
    TooLong { what: String, bytes: usize, most: usize },
    #[error("the key {0:?} is not one word of letters, digits, `-` and `_`, at most {LONGEST_KEY} long")]
    Key(String),
    #[error("the key `{0}` is there twice")]
    Twice(String),
    #[error("task `{task}` depends on `{on}`, which is no task of the plan: {known}")]
    Unknown { task: String, on: String, known: String },
    #[error("task `{task}` names `{on}` twice in depends_on")]
    Doubled { task: String, on: String },
    #[error("the tasks wait for one another in a circle: {0}")]
    Cycle(String),
    #[error("task `{0}` is of the kind `{1}`, which is not for planned work: code, writing, research, maintenance, other, or plan")]
    Kind(String, Kind),
    #[error("task `{task}`: of its artefacts, {why}")]
    Artefact { task: String, why: NoName },
    #[error("the estimate of task `{task}` is {low} to {high}: give the low figure first, at most {MOST_TOKENS} tokens")]
    Estimate { task: String, low: u64, high: u64 },
}

/// Reads what a planner has answered: the first JSON object in it with tasks, whatever stands around.
///
/// # Errors
/// What is wrong with it.
pub fn plan_of(answer: &str, most: usize) -> Result<PlanDocument, BadPlan> {
    let mut wrong = None;
    for (at, _) in answer.match_indices('{') {
        let mut values = serde_json::Deserializer::from_str(&answer[at..]).into_iter::<serde_json::Value>();
        match values.next() {
            Some(Ok(value)) if value.get("tasks").is_some() || value.get("goal").is_some() => {
                // From the text, not from the value: the error then tells the line.
                let text = &answer[at..at + values.byte_offset()];
                let document: PlanDocument = serde_json::from_str(text).map_err(|e| BadPlan::Form(e.to_string()))?;
                document.check(most)?;
                return Ok(document);
            }
            // An object inside one that is broken says nothing of the plan.
            Some(Err(e)) if wrong.is_none() => wrong = Some(BadPlan::Form(e.to_string())),
            Some(Ok(_)) if wrong.is_none() => wrong = Some(BadPlan::Form("its object has neither `goal` nor `tasks`".into())),
            _ => {}
        }
    }
    Err(wrong.unwrap_or(BadPlan::NoJson))
}

impl PlanDocument {
    /// Finds what makes it no plan.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, most: usize) -> Result<(), BadPlan> {
        told(&self.goal, "the goal", LONGEST_TEXT)?;
        if self.tasks.is_empty() {
            return Err(BadPlan::Empty);
        }
        let most = most.min(MOST_TASKS);
        if self.tasks.len() > most {
            return Err(BadPlan::TooLarge { tasks: self.tasks.len(), most });
        }
        let mut keys = BTreeSet::new();
        for t in &self.tasks {
            let word = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
            if t.key.is_empty() || t.key.len() > LONGEST_KEY || !t.key.chars().all(word) {
                return Err(BadPlan::Key(t.key.chars().take(LONGEST_KEY).collect()));
            }
            if !keys.insert(t.key.as_str()) {
                return Err(BadPlan::Twice(t.key.clone()));
            }
            told(&t.title, &format!("the title of task `{}`", t.key), LONGEST_TEXT)?;
            told(&t.prompt, &format!("the prompt of task `{}`", t.key), LONGEST_PROMPT)?;
            if matches!(t.kind, Kind::Review | Kind::Triage | Kind::Capture | Kind::Consolidate) {
                return Err(BadPlan::Kind(t.key.clone(), t.kind));
            }
            if let Some(why) = t.artefacts.iter().find_map(|name| name_below(name).err()) {
                return Err(BadPlan::Artefact { task: t.key.clone(), why });
            }
            if let Some([low, high]) = t.estimate_tokens
                && (low > high || high > MOST_TOKENS)
            {
                return Err(BadPlan::Estimate { task: t.key.clone(), low, high });
            }
        }
        for t in &self.tasks {
            let mut seen = BTreeSet::new();
            for on in &t.depends_on {
                if !keys.contains(on.as_str()) {
                    let known = keys.iter().copied().collect::<Vec<_>>().join(", ");
                    return Err(BadPlan::Unknown { task: t.key.clone(), on: on.clone(), known });
                }
                if !seen.insert(on) {
                    return Err(BadPlan::Doubled { task: t.key.clone(), on: on.clone() });
                }
            }
        }
        self.layers().map(drop)
    }

    /// The tasks in layers: each needs only tasks of earlier layers. Indices into `tasks`, in their order.
    ///
    /// # Errors
    /// They wait for one another in a circle.
    pub fn layers(&self) -> Result<Vec<Vec<usize>>, BadPlan> {
        let index: BTreeMap<&str, usize> = self.tasks.iter().enumerate().map(|(i, t)| (t.key.as_str(), i)).collect();
        let needs: Vec<Vec<usize>> =
            self.tasks.iter().map(|t| t.depends_on.iter().filter_map(|on| index.get(on.as_str()).copied()).collect()).collect();
        let mut placed = vec![false; self.tasks.len()];
        let mut layers = Vec::new();
        while placed.iter().any(|p| !p) {
            let layer: Vec<usize> = (0..self.tasks.len()).filter(|&i| !placed[i] && needs[i].iter().all(|&on| placed[on])).collect();
            if layer.is_empty() {
                return Err(BadPlan::Cycle(self.circle(&needs, &placed)));
            }
            layer.iter().for_each(|&i| placed[i] = true);
            layers.push(layer);
        }
        Ok(layers)
    }

    /// One circle among the tasks that could not be placed, as `a -> b -> a`.
    fn circle(&self, needs: &[Vec<usize>], placed: &[bool]) -> String {
        // Each of these needs another of them, so a walk along the needs comes round.
        let Some(mut at) = placed.iter().position(|p| !p) else { return String::new() };
        let mut walk: Vec<usize> = Vec::new();
        loop {
            if let Some(start) = walk.iter().position(|&seen| seen == at) {
                let names: Vec<&str> = walk[start..].iter().chain([&at]).map(|&i| self.tasks[i].key.as_str()).collect();
                return names.join(" -> ");
            }
            walk.push(at);
            let Some(&next) = needs[at].iter().find(|&&on| !placed[on]) else { return String::new() };
            at = next;
        }
    }

    /// A task by its key.
    pub fn task(&self, key: &str) -> Option<&PlanTask> {
        self.tasks.iter().find(|t| t.key == key)
    }
}

fn told(text: &str, what: &str, most: usize) -> Result<(), BadPlan> {
    match text.trim().len() {
        0 => Err(BadPlan::Blank(what.to_owned())),
        bytes if bytes > most => Err(BadPlan::TooLong { what: what.to_owned(), bytes, most }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(tasks: &[(&str, &[&str])]) -> PlanDocument {
        let task = |(key, on): &(&str, &[&str])| serde_json::json!({"key": key, "title": key, "kind": "code", "prompt": "do it", "depends_on": on});
        let tasks: Vec<_> = tasks.iter().map(task).collect();
        serde_json::from_value(serde_json::json!({"goal": "It works", "tasks": tasks})).unwrap()
    }

    #[test]
    fn a_plan_is_read_out_of_what_stands_around_it() {
        let good = plan(&[("a", &[]), ("b", &["a"])]);
        let json = serde_json::to_string_pretty(&good).unwrap();
        for answer in [json.clone(), format!("Here {{it}} is:\n```json\n{json}\n```\nFix 1: closed: in {{b}}.")] {
            assert_eq!(plan_of(&answer, 10), Ok(good.clone()), "{answer}");
        }
    }

    #[test]
    fn what_is_no_plan_is_refused_with_the_reason() {
        let task = r#"{"key":"a","title":"A","kind":"code","prompt":"p"}"#;
        for (answer, says) in [
            ("All done!".to_owned(), "no JSON object"),
            (r#"{"goal": "x", "tasks": "#.to_owned(), "not of the asked form: EOF"),
            (r#"{"steps": []}"#.to_owned(), "neither `goal` nor `tasks`"),
            (r#"{"goal":"x","tasks":[]}"#.to_owned(), "it has no tasks"),
            (r#"{"goal":" ","tasks":[]}"#.to_owned(), "the goal is empty"),
            (format!(r#"{{"goal":"x","steps":1,"tasks":[{task}]}}"#), "unknown field `steps`"),
            (format!(r#"{{"goal":"x","tasks":[{task},{task}]}}"#), "the key `a` is there twice"),
            (r#"{"goal":"x","tasks":[{"key":"a","title":"A","kind":"cooking","prompt":"p"}]}"#.to_owned(), "unknown variant `cooking`"),
            (r#"{"goal":"x","tasks":[{"key":"a","title":"A","kind":"triage","prompt":"p"}]}"#.to_owned(), "not for planned work"),
            (r#"{"goal":"x","tasks":[{"key":"a b","title":"A","kind":"code","prompt":"p"}]}"#.to_owned(), "not one word"),
            (r#"{"goal":"x","tasks":[{"key":"a","title":"A","kind":"code","prompt":" "}]}"#.to_owned(), "the prompt of task `a` is empty"),
            (
                r#"{"goal":"x","tasks":[{"key":"a","title":"A","kind":"code","prompt":"p","estimate_tokens":[9,1]}]}"#.to_owned(),
                "low figure first",
            ),
            (
                r#"{"goal":"x","tasks":[{"key":"a","title":"A","kind":"code","prompt":"p","artefacts":["ok.md","../../.ssh/id"]}]}"#
                    .to_owned(),
                "task `a`: of its artefacts, \"../../.ssh/id\" is no path below",
            ),
        ] {
            let wrong = plan_of(&answer, 10).unwrap_err().to_string();
            assert!(wrong.contains(says), "{answer}: {wrong}");
        }
        let says = |tasks: &[(&str, &[&str])], most| plan(tasks).check(most).unwrap_err().to_string();
        assert_eq!(says(&[("a", &["x"]), ("b", &[])], 10), "task `a` depends on `x`, which is no task of the plan: a, b");
        assert_eq!(says(&[("a", &[]), ("b", &["a", "a"])], 10), "task `b` names `a` twice in depends_on");
        assert_eq!(says(&[("a", &["a"])], 10), "the tasks wait for one another in a circle: a -> a");
        assert_eq!(
            says(&[("x", &[]), ("a", &["c", "x"]), ("b", &["a"]), ("c", &["b"])], 10),
            "the tasks wait for one another in a circle: a -> c -> b -> a"
        );
        assert!(says(&[("a", &[]), ("b", &[])], 1).starts_with("it has 2 tasks, and 1 is the most"));
    }

    #[test]
    fn tasks_stand_in_layers() {
        let p = plan(&[("c", &["b", "a"]), ("a", &[]), ("b", &["a"]), ("d", &[])]);
        assert_eq!(p.layers(), Ok(vec![vec![1, 3], vec![2], vec![0]]));
        assert_eq!(p.check(4), Ok(()));
    }

    /// Whatever the graph, it is either laid out whole, each task after all that it needs, or told as a circle that is one.
    #[test]
    fn any_graph_is_laid_out_or_refused_with_a_real_circle() {
        let mut circles = 0;
        for seed in 0..2_000 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let n = rng.usize(1..9);
            let names: Vec<String> = (0..n).map(|i| format!("t{i}")).collect();
            let tasks: Vec<(&str, Vec<&str>)> = (0..n)
                .map(|i| (names[i].as_str(), (0..n).filter(|_| rng.usize(..5) == 0).map(|on| names[on].as_str()).collect()))
                .collect();
            let refs: Vec<(&str, &[&str])> = tasks.iter().map(|(k, on)| (*k, on.as_slice())).collect();
            let p = plan(&refs);
            match p.layers() {
                Ok(layers) => {
                    let mut layer = vec![usize::MAX; n];
                    layers.iter().enumerate().for_each(|(l, all)| all.iter().for_each(|&i| layer[i] = l));
                    for (i, t) in p.tasks.iter().enumerate() {
                        for on in &t.depends_on {
                            let on = p.tasks.iter().position(|o| o.key == *on).unwrap();
                            assert!(layer[on] < layer[i], "seed {seed}");
                        }
                    }
                }
                Err(BadPlan::Cycle(says)) => {
                    circles += 1;
                    let walk: Vec<&str> = says.split(" -> ").collect();
                    assert!(walk.len() > 1 && walk.first() == walk.last(), "seed {seed}: {says}");
                    assert!(walk.windows(2).all(|w| p.task(w[0]).unwrap().depends_on.iter().any(|on| on == w[1])), "seed {seed}: {says}");
                }
                Err(e) => panic!("seed {seed}: {e}"),
            }
        }
        assert!((200..1_800).contains(&circles), "{circles}");
    }
}
