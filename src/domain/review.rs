//! The completion gate: what a reviewer has to judge, what an answer of theirs has to hold, and what follows from it. Pure.

#[cfg(test)]
mod tests;

use super::words::words;
use super::{AttemptId, DecisionId, JobId, ReviewId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The most fixes that one review may ask for: a longer list is not worked off one by one.
pub const MOST_FIXES: usize = 20;
/// The longest fix or piece of evidence, in bytes.
pub const LONGEST_TEXT: usize = 4000;
/// So often what is judged may change under the review before the operator is asked.
pub const MOST_VOIDS: u32 = 3;

words!(
    /// What a round of review waits for.
    Stage {
        /// What is judged is fixed and copied.
        Gather = "gather",
        /// The project's test command runs.
        Test = "test",
        /// A reviewer judges.
        Judge = "judge",
        /// What was judged is looked at once more: a change voids the verdict.
        Confirm = "confirm",
        /// The operator decides.
        Operator = "operator",
        /// It is over.
        Over = "over",
    }
);

words!(
    /// How a round of review ended.
    ReviewOutcome {
        /// The result is good enough.
        Passed = "passed",
        /// Nobody was there to review it, and its tests, if it has any, passed.
        Unreviewed = "unreviewed",
        /// It goes back to its worker.
        Fixes = "fixes",
        /// The operator took it as it is.
        Accepted = "accepted",
        /// The operator gave it up.
        Failed = "failed",
        /// What was judged had changed meanwhile; judged anew.
        Void = "void",
        /// Its job ended or went on otherwise.
        Dropped = "dropped",
    }
);

/// What the work of a kind is judged by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rubric {
    /// The score from which on a result is good enough, 0 to 1; `None` = the setting `review_threshold`.
    #[serde(default)]
    pub threshold: Option<f64>,
    /// What the reviewer is told beyond the criteria.
    #[serde(default)]
    pub guidance: String,
    pub criterion: Vec<Criterion>,
}

/// One thing that is judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// A short word.
    pub id: String,
    /// How much it counts beside the others; above 0.
    pub weight: f64,
    /// The question to the reviewer.
    pub asks: String,
}

impl Rubric {
    /// What makes it useless, if anything does.
    pub fn mistake(&self) -> Option<String> {
        let mut ids = BTreeSet::new();
        let bad = |c: &&Criterion| c.id.is_empty() || c.id.contains(char::is_whitespace);
        if self.criterion.is_empty() {
            return Some("it has no [[criterion]]".into());
        }
        if let Some(c) = self.criterion.iter().find(bad) {
            return Some(format!("the criterion id {:?} is not one word", c.id));
        }
        if let Some(c) = self.criterion.iter().find(|c| !ids.insert(c.id.as_str())) {
            return Some(format!("the criterion `{}` is there twice", c.id));
        }
        if let Some(c) = self.criterion.iter().find(|c| !(c.weight.is_finite() && c.weight > 0.0)) {
            return Some(format!("the weight of `{}` has to be above 0", c.id));
        }
        if let Some(c) = self.criterion.iter().find(|c| c.asks.trim().is_empty()) {
            return Some(format!("`{}` asks nothing", c.id));
        }
        self.threshold.filter(|t| !(0.0..=1.0).contains(t)).map(|t| format!("the threshold {t} is not 0 to 1"))
    }
}

/// What one criterion of a result is worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    pub id: String,
    /// 0 to 1.
    pub score: f64,
    /// What in the material shows it.
    pub evidence: String,
}

/// A fix that a reviewer asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    #[serde(default)]
    pub criterion: Option<String>,
    pub text: String,
}

/// What became of an earlier fix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closed {
    /// Its number.
    pub fix: u32,
    pub closed: bool,
    pub evidence: String,
}

/// A reviewer's answer, checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judgement {
    pub criteria: Vec<Score>,
    pub fixes: Vec<Asked>,
    #[serde(default)]
    pub earlier: Vec<Closed>,
}

/// One numbered fix of a round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fix {
    /// 1 for the round's first.
    pub number: u32,
    pub text: String,
    #[serde(default)]
    pub criterion: Option<String>,
    pub closed: bool,
    /// What the next reviewer saw of it.
    #[serde(default)]
    pub evidence: Option<String>,
}

/// A round of review as the database holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Review {
    pub id: ReviewId,
    pub job: JobId,
    /// The attempt whose result is judged.
    pub attempt: AttemptId,
    /// 1 for the first since the job was submitted or retried.
    pub round: u32,
    pub stage: Stage,
    /// What was judged: `tree:` and the id of a git tree, or `sha256:` and the digest of result and artefacts.
    pub hash: Option<String>,
    /// The folder with the copy that the reviewer reads.
    pub copy: Option<String>,
    /// What it is judged by, as it stood when the round began.
    pub rubric: Option<Rubric>,
    pub test_job: Option<JobId>,
    pub tests_passed: Option<bool>,
    pub review_job: Option<JobId>,
    /// Who judges, and how far they are from the author, in words.
    pub reviewer: Option<String>,
    pub judgement: Option<Judgement>,
    /// 0 to 1.
    pub score: Option<f64>,
    pub threshold: f64,
    pub fixes: Vec<Fix>,
    /// The card that the operator was asked by.
    pub decision: Option<DecisionId>,
    pub outcome: Option<ReviewOutcome>,
    /// One line for people.
    pub note: Option<String>,
    /// How often what is judged has changed under this round.
    pub voids: u32,
    pub began_at: Timestamp,
    pub ended_at: Option<Timestamp>,
}

impl Review {
    /// The fixes that are not closed.
    pub fn open_fixes(&self) -> Vec<Fix> {
        self.fixes.iter().filter(|f| !f.closed).cloned().collect()
    }
}

/// Reads a reviewer's answer: the first JSON object of the asked form in it, whatever stands around. `open` are the fixes of the
/// round before that wait to be closed.
///
/// # Errors
/// What is wrong with it, in a line.
pub fn judgement(answer: &str, rubric: &Rubric, threshold: f64, open: &[Fix]) -> Result<Judgement, String> {
    let object = answer.find('{').zip(answer.rfind('}')).filter(|(a, b)| a < b).map(|(a, b)| &answer[a..=b]);
    let Some(object) = object else { return Err("it holds no JSON object".into()) };
    let judged: Judgement = serde_json::from_str(object).map_err(|e| format!("its JSON is not of the asked form: {e}"))?;
    let mut seen = BTreeSet::new();
    for score in &judged.criteria {
        if !rubric.criterion.iter().any(|c| c.id == score.id) {
            return Err(format!("`{}` is no criterion of this rubric", score.id));
        }
        if !seen.insert(score.id.as_str()) {
            return Err(format!("the criterion `{}` is judged twice", score.id));
        }
        if !(0.0..=1.0).contains(&score.score) {
            return Err(format!("the score of `{}` is {}, which is not 0 to 1", score.id, score.score));
        }
        told(&score.evidence, &format!("the evidence for `{}`", score.id))?;
    }
    if let Some(c) = rubric.criterion.iter().find(|c| !seen.contains(c.id.as_str())) {
        return Err(format!("the criterion `{}` is not judged", c.id));
    }
    if judged.fixes.len() > MOST_FIXES {
        return Err(format!("{} fixes, and {MOST_FIXES} is the most", judged.fixes.len()));
    }
    for (i, fix) in judged.fixes.iter().enumerate() {
        told(&fix.text, &format!("fix {}", i + 1))?;
    }
    let mut numbers = BTreeSet::new();
    for closed in &judged.earlier {
        if !open.iter().any(|f| f.number == closed.fix) {
            return Err(format!("there was no open fix {}", closed.fix));
        }
        if !numbers.insert(closed.fix) {
            return Err(format!("fix {} is judged twice", closed.fix));
        }
        told(&closed.evidence, &format!("the evidence for fix {}", closed.fix))?;
    }
    if let Some(fix) = open.iter().find(|f| !numbers.contains(&f.number)) {
        return Err(format!("it does not say whether fix {} is closed", fix.number));
    }
    let left = judged.earlier.iter().any(|c| !c.closed);
    if score(&judged, rubric) < threshold && judged.fixes.is_empty() && !left {
        return Err("its score is below the threshold, and it names no fix".into());
    }
    Ok(judged)
}

fn told(text: &str, what: &str) -> Result<(), String> {
    match text.trim().len() {
        0 => Err(format!("{what} is empty")),
        n if n > LONGEST_TEXT => Err(format!("{what} has {n} bytes, and {LONGEST_TEXT} is the most")),
        _ => Ok(()),
    }
}

/// The weighted mean of the criteria's scores, 0 to 1. What the reviewer would have summed up is not asked for.
pub fn score(judged: &Judgement, rubric: &Rubric) -> f64 {
    let weight = |id: &str| rubric.criterion.iter().find(|c| c.id == id).map_or(0.0, |c| c.weight);
    let total: f64 = rubric.criterion.iter().map(|c| c.weight).sum();
    let sum: f64 = judged.criteria.iter().map(|s| s.score * weight(&s.id)).sum();
    if total > 0.0 { (sum / total).clamp(0.0, 1.0) } else { 0.0 }
}

/// What follows from a round.
#[derive(Clone, Debug, PartialEq)]
pub enum Conclusion {
    Passed,
    /// Back to the worker with these.
    Fixes(Vec<Fix>),
    /// Round after round, and still not good enough: the operator decides.
    Deadlock(Vec<Fix>),
}

/// What follows from a judgement: passed, if it reaches the threshold and closes every earlier fix.
pub fn conclude(judged: &Judgement, rubric: &Rubric, threshold: f64, open: &[Fix], round: u32, max_rounds: u32) -> Conclusion {
    let left = |fix: &&Fix| judged.earlier.iter().any(|c| c.fix == fix.number && !c.closed);
    let left: Vec<&Fix> = open.iter().filter(left).collect();
    if score(judged, rubric) >= threshold && left.is_empty() {
        return Conclusion::Passed;
    }
    let carried = left.into_iter().map(|f| (f.text.clone(), f.criterion.clone()));
    let new = judged.fixes.iter().map(|f| (f.text.trim().to_owned(), f.criterion.clone()));
    again(numbered(carried.chain(new)), round, max_rounds)
}

/// What follows where the project's tests fail: they come first, and what was open stays so, unjudged.
pub fn tests_failed(output: &str, open: &[Fix], round: u32, max_rounds: u32) -> Conclusion {
    let tests = (format!("The project's test command fails. Make it pass. The end of its output:\n{}", output.trim()), None);
    let carried =
        open.iter().filter(|f| !f.text.starts_with("The project's test command fails.")).map(|f| (f.text.clone(), f.criterion.clone()));
    again(numbered(std::iter::once(tests).chain(carried)), round, max_rounds)
}

fn numbered(fixes: impl Iterator<Item = (String, Option<String>)>) -> Vec<Fix> {
    let of = |(i, (text, criterion)): (usize, (String, Option<String>))| Fix {
        number: i as u32 + 1,
        text,
        criterion,
        closed: false,
        evidence: None,
    };
    fixes.take(MOST_FIXES).enumerate().map(of).collect()
}

fn again(fixes: Vec<Fix>, round: u32, max_rounds: u32) -> Conclusion {
    if round >= max_rounds { Conclusion::Deadlock(fixes) } else { Conclusion::Fixes(fixes) }
}

/// The fixes of the round before, with what this judgement says of them.
pub fn settled(earlier: &[Fix], judged: &Judgement) -> Vec<Fix> {
    let says = |fix: &Fix| judged.earlier.iter().find(|c| c.fix == fix.number && !fix.closed);
    earlier
        .iter()
        .map(|fix| match says(fix) {
            Some(c) => Fix { closed: c.closed, evidence: Some(c.evidence.trim().to_owned()), ..fix.clone() },
            None => fix.clone(),
        })
        .collect()
}

/// Why a result cannot be one, whatever the exit code: it is empty, or a refusal in prose. `None` = it is worth a reviewer.
pub fn hollow(result: &str) -> Option<String> {
    let text = result.trim();
    if text.is_empty() {
        return Some("it ended without a result: its last message is empty".into());
    }
    const SHORT: usize = 300;
    const REFUSALS: &[&str] = &[
        "hit your usage limit",
        "hit your session limit",
        "usage limit reached",
        "session limit reached",
        "weekly limit reached",
        "limit will reset",
        "rate limit reached",
        "rate limit exceeded",
        "exceeded your current quota",
        "quota exceeded",
        "exhausted your",
        "resource_exhausted",
        "insufficient_quota",
        "credit balance is too low",
        "overloaded_error",
        "please run /login",
        "invalid api key",
        "api error: 4",
        "api error: 5",
    ];
    let head: String = text.to_lowercase().chars().take(120).collect();
    let refusal = text.len() <= SHORT && REFUSALS.iter().any(|r| head.contains(r));
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    refusal.then(|| format!("its result is no result but a refusal: {line}"))
}
