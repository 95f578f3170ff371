//! The demo's day: who works, and what is asked of them when.

use crate::config::Workspace;
use crate::domain::{JobId, JobSpec, Kind, Origin, Priority, ProjectId, Timestamp};
use crate::store::{NewWorker, StoreError, Tx};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long the day lasts, in seconds.
const LENGTH: u64 = 45 * 60;

/// A persistent worker: name, backend, model, persona, skills, works for the shop.
type Member = (&'static str, &'static str, &'static str, Option<&'static str>, &'static [&'static str], bool);

const STAFF: &[Member] = &[
    ("books", "claude", "haiku", None, &[], false),
    ("briefing", "claude", "sonnet", Some("pulse"), &[], false),
    ("desk", "claude", "haiku", Some("pulse"), &[], false),
    ("email", "claude", "haiku", Some("pulse"), &["triage"], false),
    ("research", "gemini", "gemini-pro", Some("researcher"), &["research-crosscheck"], false),
    ("reviewer", "codex", "gpt-5-codex", Some("critic"), &["code-review"], true),
    ("shop", "codex", "gpt-5-codex", Some("engineer"), &[], true),
    ("web", "claude", "sonnet", Some("engineer"), &[], true),
    ("writer", "claude", "sonnet", None, &["writing"], false),
];

/// Something that is asked for again and again.
struct Act {
    script: &'static str,
    /// One is taken after the other round after round.
    titles: &'static [&'static str],
    ask: &'static str,
    backend: &'static str,
    worker: Option<&'static str>,
    /// Asked for where no worker is, so that it takes none of another trade.
    model: Option<&'static str>,
    level: u8,
    kind: Kind,
    origin: Origin,
    /// Seconds into the day.
    at: u64,
    /// Seconds until it is asked for again.
    every: u64,
    shop: bool,
    /// Scripts whose newest job has to be done first.
    after: &'static [&'static str],
    /// The time limit of an attempt, in seconds; 0 = by kind.
    limit: u64,
}

const PLAIN: Act = Act {
    script: "",
    titles: &[],
    ask: "",
    backend: "claude",
    worker: None,
    model: None,
    level: 2,
    kind: Kind::Other,
    origin: Origin::Cli,
    at: 0,
    every: LENGTH,
    shop: false,
    after: &[],
    limit: 0,
};

const ACTS: &[Act] = &[
    Act {
        script: "checkout-fix",
        titles: &["Total is a cent off for three items", "Gift card balance rounds down", "Postage is counted twice"],
        ask: "A customer's receipt shows a wrong total. Find out why, mend it, and prove it with a test.",
        backend: "codex",
        worker: Some("shop"),
        level: 1,
        kind: Kind::Code,
        origin: Origin::Message,
        every: 420,
        shop: true,
        ..PLAIN
    },
    Act {
        script: "email-triage",
        titles: &["Inbox: drafts and alarms"],
        ask: "Go through the unread mail. Draft answers for whoever waits, file the rest, send nothing.",
        worker: Some("email"),
        kind: Kind::Triage,
        origin: Origin::Cron,
        every: 150,
        limit: 300,
        ..PLAIN
    },
    Act {
        script: "morning-briefing",
        titles: &["Morning briefing", "Midday briefing", "Evening briefing"],
        ask: "One screen: today's calendar, what happened overnight, what waits for me.",
        worker: Some("briefing"),
        kind: Kind::Writing,
        origin: Origin::Cron,
        every: 600,
        ..PLAIN
    },
    Act {
        script: "flaky-test",
        titles: &["Flaky test: cart::expires", "Flaky test: session::renew", "Flaky test: stock::reserve"],
        ask: "The test fails about once in thirty runs on CI. Find the cause, do not just retry it.",
        kind: Kind::Code,
        origin: Origin::Plan,
        every: 420,
        shop: true,
        model: Some("opus"),
        ..PLAIN
    },
    Act {
        script: "review-diff",
        titles: &["Review: cart expiry", "Review: session renewal", "Review: stock reservation"],
        ask: "Review the branch against main. Read the diff itself, run its tests.",
        backend: "codex",
        worker: Some("reviewer"),
        kind: Kind::Review,
        origin: Origin::Plan,
        every: 420,
        shop: true,
        after: &["flaky-test"],
        ..PLAIN
    },
    Act {
        script: "import-orders",
        titles: &["Import last month's orders", "Import the supplier's price list"],
        ask: "Import the export of the old shop. Refused rows go to a file of their own.",
        kind: Kind::Maintenance,
        every: 720,
        shop: true,
        limit: 240,
        worker: Some("web"),
        ..PLAIN
    },
    Act {
        script: "research-carriers",
        titles: &["Compare carriers for pallets", "Compare packing suppliers", "Compare card terminals"],
        ask: "Compare three offers. Two sources for each figure; say what is unsure.",
        backend: "gemini",
        worker: Some("research"),
        level: 3,
        kind: Kind::Research,
        origin: Origin::Message,
        every: 540,
        ..PLAIN
    },
    Act {
        script: "quick-answer",
        titles: &[
            "Are we open on Good Friday?",
            "What did the last rope order cost?",
            "When is the dentist?",
            "Who is at the dock on Thursday?",
        ],
        ask: "A quick question. Answer in two sentences.",
        level: 0,
        origin: Origin::Message,
        at: 40,
        every: 200,
        worker: Some("desk"),
        ..PLAIN
    },
    Act {
        script: "triage",
        titles: &[
            "Message: \"newsletter by Friday?\"",
            "Message: \"the printer is back\"",
            "Message: \"can you look at the returns page\"",
        ],
        ask: "What is this message: talk, quick work, or a job?",
        level: 0,
        kind: Kind::Triage,
        origin: Origin::Message,
        at: 75,
        every: 170,
        worker: Some("desk"),
        ..PLAIN
    },
    Act {
        script: "sitemap",
        titles: &["Rebuild and upload the sitemap"],
        ask: "Make the sitemap, upload it, and check that it is served.",
        level: 3,
        kind: Kind::Maintenance,
        origin: Origin::Cron,
        every: 300,
        shop: true,
        model: Some("sonnet"),
        ..PLAIN
    },
    Act {
        script: "newsletter",
        titles: &["Newsletter draft: March", "Newsletter draft: Easter hours", "Text for the tide clock"],
        ask: "A draft in our voice, no longer than the last five.",
        worker: Some("writer"),
        level: 3,
        kind: Kind::Writing,
        origin: Origin::Message,
        every: 290,
        ..PLAIN
    },
    Act {
        script: "release-notes",
        titles: &["Release notes for 2.4", "Release notes for 2.5", "Release notes for 2.6"],
        ask: "What in this release does a customer see? Only that.",
        worker: Some("writer"),
        level: 3,
        kind: Kind::Writing,
        origin: Origin::Plan,
        every: 420,
        shop: true,
        after: &["checkout-fix", "flaky-test"],
        ..PLAIN
    },
    Act {
        script: "catalogue",
        titles: &["Spring catalogue: product texts", "Summer catalogue: product texts"],
        ask: "Four sections from the product sheets. Facts only, one sentence each.",
        level: 4,
        kind: Kind::Writing,
        origin: Origin::Plan,
        every: 380,
        model: Some("opus"),
        ..PLAIN
    },
    Act {
        script: "research-prices",
        titles: &["What do others charge for returns?", "How long do others give for returns?", "Who else sells a tide clock?"],
        ask: "Five shops, their own pages, no forums. A table.",
        backend: "gemini",
        worker: Some("research"),
        level: 4,
        kind: Kind::Research,
        origin: Origin::Plan,
        every: 260,
        ..PLAIN
    },
    Act {
        script: "invoices",
        titles: &["Match invoices with payments"],
        ask: "Match last month's invoices with the bank's list. What does not match waits for me.",
        worker: Some("books"),
        level: 4,
        origin: Origin::Cron,
        every: 330,
        ..PLAIN
    },
    Act {
        script: "audit",
        titles: &["Audit the dependencies"],
        ask: "Known vulnerabilities in what we ship. Change nothing.",
        backend: "gemini",
        level: 5,
        kind: Kind::Maintenance,
        origin: Origin::Cron,
        every: 370,
        shop: true,
        model: Some("gemini-flash"),
        ..PLAIN
    },
];

/// The scripts that are played.
#[cfg(test)]
pub fn scripts() -> impl Iterator<Item = &'static str> {
    ACTS.iter().map(|act| act.script)
}

/// Fills the database: projects, workers, and every job of the day, the later ones with their date.
pub fn seed(tx: &Tx<'_>, workspace: &Workspace, now: Timestamp) -> Result<(), StoreError> {
    let dir = workspace.project_dir("harbour").to_string_lossy().into_owned();
    let shop = tx.add_project("Harbour shop", Some(&dir), "demo", now)?;
    for task in ["Returns page", "Move the orders over", "Version 2.4"] {
        tx.add_task(shop, task, "demo", now)?;
    }
    for &(name, backend, model, persona, skills, for_shop) in STAFF {
        let worker = NewWorker {
            name: name.into(),
            backend: backend.into(),
            model: Some(model.into()),
            persona: persona.map(str::to_owned),
            skills: skills.iter().map(|s| (*s).to_owned()).collect(),
            persistent: true,
            project_id: for_shop.then_some(shop),
            directory: if for_shop { dir.clone() } else { workspace.worker_dir(name).to_string_lossy().into_owned() },
        };
        tx.add_worker(&worker, "demo", now)?;
    }
    super::plan::seed(tx, shop, now)?;
    let mut newest: BTreeMap<&str, JobId> = BTreeMap::new();
    for (at, round, act) in latest_first() {
        let mut spec = spec(act, round, shop);
        spec.depends_on = act.after.iter().filter_map(|script| newest.get(script).copied()).collect();
        spec.not_before = (at > 0).then(|| now + Duration::from_secs(at));
        newest.insert(act.script, tx.add_job(&spec, "demo", now)?.job);
    }
    Ok(())
}

/// Every act as often as the day has room for it: the latest first, so that what runs now has the highest numbers and stands on
/// top of the lists; within a minute what others wait for comes before them.
fn latest_first() -> Vec<(u64, usize, &'static Act)> {
    let mut all = Vec::new();
    for act in ACTS {
        let times = (act.at..LENGTH).step_by(act.every as usize).enumerate();
        all.extend(times.map(|(round, at)| (at, round, act)));
    }
    all.sort_by_key(|(at, _, act)| (Reverse(at / 60), !act.after.is_empty(), *at));
    all
}

fn spec(act: &Act, round: usize, shop: ProjectId) -> JobSpec {
    let title = act.titles[round % act.titles.len()];
    JobSpec {
        kind: act.kind,
        priority: Priority::new(act.level).unwrap_or(Priority::P2),
        origin: act.origin,
        project_id: act.shop.then_some(shop),
        worker: act.worker.map(str::to_owned),
        model: act.model.map(str::to_owned),
        timeout: (act.limit > 0).then(|| Duration::from_secs(act.limit)),
        tags: vec!["demo".to_owned()],
        ..JobSpec::new(title, act.backend, format!("replay: {}\n\n{}", act.script, act.ask))
    }
}
