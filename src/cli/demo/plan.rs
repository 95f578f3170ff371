//! The demo's plan: approved this morning, so that its jobs are made when the engine starts. Two of them deliver files.

use crate::domain::{Actor, Applied, Command, PlanDocument, Priority, ProjectId, Timestamp};
use crate::store::{NewPlan, StoreError, Tx, apply};
use serde_json::json;

/// The scripts that its tasks play.
#[cfg(test)]
pub const SCRIPTS: [&str; 4] = ["research-prices", "returns-figures", "returns-page", "newsletter"];

/// Asks for it, writes it, approves it.
pub fn seed(tx: &Tx<'_>, shop: ProjectId, now: Timestamp) -> Result<(), StoreError> {
    let new = NewPlan {
        request: "Customers do not find out how to return something. We need a page for it.",
        project: Some(shop),
        message: None,
        priority: Priority::P2,
        on_failure: None,
    };
    let plan = tx.add_plan(&new, "demo", now)?;
    let steps = [Command::EditPlan { plan, document: Box::new(document()), revision: None }, Command::ApprovePlan { plan, revision: None }];
    for step in &steps {
        if let Applied::Refused { message } | Applied::Stale { message } = apply(tx, step, &Actor::Operator, now)? {
            return Err(StoreError::Invalid(message));
        }
    }
    Ok(())
}

fn document() -> PlanDocument {
    let task = |key: &str, title: &str, kind: &str, by: (&str, &str), on: &[&str], artefacts: &[&str], ask: &str| {
        json!({
            "key": key, "title": title, "kind": kind, "type": by.0, "depends_on": on, "artefacts": artefacts,
            "prompt": format!("replay: {}\n\n{ask}", by.1),
        })
    };
    let tasks = [
        task("others", "How others handle returns", "research", ("gemini", "research-prices"), &[], &[], "Five shops, their own pages."),
        task(
            "figures",
            "What comes back, and why",
            "research",
            ("claude", "returns-figures"),
            &[],
            &["returns/figures.csv", "returns/chart.png"],
            "Twelve months of returns by reason: a table and a chart.",
        ),
        task(
            "page",
            "Write the returns page",
            "writing",
            ("claude", "returns-page"),
            &["others", "figures"],
            &["returns/page.md"],
            "One page: how, how long, who pays.",
        ),
        task("tell", "Tell customers about it", "writing", ("claude", "newsletter"), &["page"], &[], "A paragraph for the newsletter."),
    ];
    let document = json!({ "goal": "A customer finds out how to return something within one minute", "tasks": tasks });
    serde_json::from_value(document).expect("it is written above, and a test reads it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_is_one() {
        let document = document();
        assert!(document.check(10).is_ok());
        let played: Vec<&str> = document.tasks.iter().filter_map(|t| t.prompt.lines().next()?.strip_prefix("replay: ")).collect();
        assert_eq!(played, SCRIPTS);
    }
}
