//! `orc tui --demo`: a throw-away workspace with a believable day in it. The engine, the job processes and the spools are
//! the real ones; only the agents are played: the workspace describes `claude`, `codex` and `gemini` as `orc-shim --replay`
//! with the scripts of `assets/demo/`, so the demo needs no login and costs nothing.

mod day;
mod memories;
mod plan;

use super::error::{CliError, Result};
use crate::config::{BUILT_IN_RUBRICS, Workspace, init};
use crate::os::clock;
use crate::os::files::{self, Durable};
use crate::store::Store;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// The scripts, by name.
const SCRIPTS: &[(&str, &str)] = &[
    ("audit", include_str!("../../assets/demo/audit.jsonl")),
    ("catalogue", include_str!("../../assets/demo/catalogue.jsonl")),
    ("critic", include_str!("../../assets/demo/critic.jsonl")),
    ("checkout-fix", include_str!("../../assets/demo/checkout-fix.jsonl")),
    ("email-triage", include_str!("../../assets/demo/email-triage.jsonl")),
    ("flaky-test", include_str!("../../assets/demo/flaky-test.jsonl")),
    ("import-orders", include_str!("../../assets/demo/import-orders.jsonl")),
    ("invoices", include_str!("../../assets/demo/invoices.jsonl")),
    ("morning-briefing", include_str!("../../assets/demo/morning-briefing.jsonl")),
    ("newsletter", include_str!("../../assets/demo/newsletter.jsonl")),
    ("quick-answer", include_str!("../../assets/demo/quick-answer.jsonl")),
    ("release-notes", include_str!("../../assets/demo/release-notes.jsonl")),
    ("research-carriers", include_str!("../../assets/demo/research-carriers.jsonl")),
    ("research-prices", include_str!("../../assets/demo/research-prices.jsonl")),
    ("returns-figures", include_str!("../../assets/demo/returns-figures.jsonl")),
    ("returns-page", include_str!("../../assets/demo/returns-page.jsonl")),
    ("review-diff", include_str!("../../assets/demo/review-diff.jsonl")),
    ("sitemap", include_str!("../../assets/demo/sitemap.jsonl")),
    ("triage", include_str!("../../assets/demo/triage.jsonl")),
];

/// The played backends: name, jobs at once, models by tier (deep, routine, classification).
const BACKENDS: &[(&str, u32, [&str; 3])] = &[
    ("claude", 6, ["opus", "sonnet", "haiku"]),
    ("codex", 2, ["gpt-5-codex", "gpt-5-codex", "gpt-5-mini"]),
    ("gemini", 2, ["gemini-pro", "gemini-pro", "gemini-flash"]),
];

/// Who reviews the others' work, in the same words each time: it plays its script whatever it is asked.
const CRITIC: (&str, [&str; 3]) = ("critic", ["gpt-5", "gpt-5", "gpt-5-mini"]);

/// What the critic's script judges by, for every kind.
const RUBRIC: &str = "# DEMO: the played critic judges by these three.
threshold = 0.8

[[criterion]]
id = \"does-it\"
weight = 3
asks = \"Is everything done that was asked for?\"

[[criterion]]
id = \"correct\"
weight = 2
asks = \"Is it right?\"

[[criterion]]
id = \"clear\"
weight = 1
asks = \"Does the result stand alone?\"
";

/// What differs from the defaults, so that within minutes everything is seen once. It goes before the file's first table.
const SETTINGS: &str = "\
# DEMO. A throw-away workspace whose agents are played. What differs from the defaults:
max_running = 5
heartbeat = \"10s\"
stall_after = \"45s\"
token_budget = 300000
retry_base = \"20s\"
backpressure_queue_depth = 12
memory_low_water = \"64MiB\"
disk_low_water = \"64MiB\"
reviewer = \"critic\"
work_backend = \"none\"
memory_backend = \"none\"

";

/// Makes the demo's workspace, jobs included.
///
/// # Errors
/// The temporary folder cannot be written.
pub fn make() -> Result<Workspace> {
    let root = place();
    let failed = |e: &dyn Display| {
        CliError::workspace(format!("cannot make the demo in {}: {e}", root.display()))
            .hint("it needs a few megabytes; TMPDIR says where temporary folders are made")
    };
    let (workspace, _) = init(&root).map_err(|e| failed(&e))?;
    furnish(&workspace).map_err(|e| failed(&e))?;
    let mut store = Store::open(&workspace.database()).map_err(|e| failed(&e))?;
    store.write(|tx| day::seed(tx, &workspace, clock::now())).map_err(|e| failed(&e))?;
    memories::seed(&workspace, clock::now()).map_err(|e| failed(&e))?;
    Ok(workspace)
}

/// What to say when the console has closed: where the demo lies and how it is ended for good.
pub fn farewell(workspace: &Workspace) -> String {
    let root = workspace.root().display();
    let orc = crate::os::program("orc");
    let orc = orc.display();
    format!(
        "The demo's workspace is {root}\n  \
         {orc} --workspace {root} tui           look again\n  \
         {orc} --workspace {root} engine stop   end its engine\n  \
         rm -r {root}"
    )
}

fn place() -> PathBuf {
    std::env::temp_dir().join(format!("orc-demo-{}-{}", std::process::id(), clock::now().millis()))
}

/// Settings, backends, scripts, and the mark that makes it a demo.
fn furnish(workspace: &Workspace) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let write = |path: &Path, text: &str| files::write_atomic(path, text.as_bytes(), Durable::No);
    let settings = std::fs::read_to_string(workspace.settings_file())?;
    write(&workspace.settings_file(), &format!("{SETTINGS}{settings}"))?;
    let scripts = workspace.root().join("demo");
    files::private_dir(&scripts)?;
    for (name, text) in SCRIPTS {
        write(&scripts.join(format!("{name}.jsonl")), text)?;
    }
    for (name, concurrent, models) in BACKENDS {
        write(&workspace.backends_dir().join(format!("{name}.toml")), &backend(name, *concurrent, models, &scripts))?;
    }
    let (name, models) = CRITIC;
    let critic = backend(name, 2, &models, &scripts).replace("[\"--replay\"]", "[\"--replay\", \"--script\", \"critic\"]");
    write(&workspace.backends_dir().join(format!("{name}.toml")), &critic)?;
    for (kind, _) in BUILT_IN_RUBRICS {
        write(&workspace.rubrics_dir().join(format!("{kind}.toml")), RUBRIC)?;
    }
    write(&workspace.demo_mark(), "")?;
    Ok(())
}

fn backend(name: &str, concurrent: u32, [deep, routine, classification]: &[&str; 3], scripts: &Path) -> String {
    // A basic string of TOML escapes what one of JSON does.
    let dir = serde_json::json!(scripts.to_string_lossy());
    format!(
        "# DEMO: not {name} itself, but a player of the scripts in demo/.
name = \"{name}\"
dialect = \"native\"
program = \"{{shim}}\"
args = [\"--replay\"]
new_args = [\"--session\", \"{{session}}\"]
resume_args = [\"--session\", \"{{session}}\"]
model_args = [\"--model\", \"{{model}}\"]
session = \"chosen\"
concurrent = {concurrent}
env = {{ ORC_REPLAY_DIR = {dir} }}
fix = \"it is played: nothing to install, nothing to sign in to\"

[models]
deep = \"{deep}\"
routine = \"{routine}\"
classification = \"{classification}\"
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_script_is_embedded_and_every_act_has_one() {
        let embedded: BTreeSet<String> = SCRIPTS.iter().map(|(name, _)| format!("{name}.jsonl")).collect();
        let there = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo")).unwrap();
        assert_eq!(embedded, there.map(|e| e.unwrap().file_name().into_string().unwrap()).collect());
        for script in day::scripts().chain(plan::SCRIPTS) {
            assert!(embedded.contains(&format!("{script}.jsonl")), "{script}");
        }
    }

    #[test]
    fn the_critic_judges_by_the_demos_rubric() {
        let rubric: crate::domain::Rubric = toml::from_str(RUBRIC).unwrap();
        assert_eq!(rubric.mistake(), None);
        let (_, script) = SCRIPTS.iter().find(|(name, _)| *name == "critic").unwrap();
        let events = script.lines().filter_map(|l| serde_json::from_str::<serde_json::Value>(l).ok());
        let said: Vec<String> = events.filter_map(|l| Some(l["event"]["text"].as_str()?.to_owned())).collect();
        let judged = crate::domain::judgement(said.last().unwrap(), &rubric, 0.8, &[]).unwrap();
        assert!(crate::domain::review_score(&judged, &rubric) >= 0.8);
    }

    #[test]
    fn the_workspace_says_that_it_is_a_demo_and_its_descriptions_hold() {
        let dir = tempfile::tempdir().unwrap();
        let (workspace, _) = init(&dir.path().join("a \"quoted\" place")).unwrap();
        furnish(&workspace).unwrap();
        assert!(workspace.is_demo());
        let settings = crate::config::load(&workspace, &[]).unwrap();
        assert_eq!(settings.max_running, 5);
        // Players know their scripts only, and nothing that is said here reaches an agent that is really installed.
        assert_eq!(settings.work_backend, "none");
        let (found, problems) = crate::config::backends(&workspace, &settings).unwrap();
        assert_eq!(problems, Vec::<String>::new());
        for (name, ..) in BACKENDS {
            assert_eq!(found[*name].program, "{shim}", "{name} is played");
            assert_eq!(found[*name].env["ORC_REPLAY_DIR"], workspace.root().join("demo").to_string_lossy());
        }
    }

    #[test]
    fn the_day_is_seeded_whole() {
        let dir = tempfile::tempdir().unwrap();
        let (workspace, _) = init(&dir.path().join("w")).unwrap();
        let mut store = Store::open(&workspace.database()).unwrap();
        store.write(|tx| day::seed(tx, &workspace, clock::now())).unwrap();
        assert!(store.workers().unwrap().len() >= 6);
        assert!(store.next_date().unwrap().is_some(), "some of it comes later");
    }
}
