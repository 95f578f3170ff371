//! Each skill that ships, tried with a real CLI: a job of its own, whose model runs the first thing that the skill tells it to look at
//! (or a harmless form of that) with the CLI's shell tool. All of them in one engine, side by side.

use super::texts::{all, strings};
use crate::agents::{Mock, installed, model, signed_in};
use crate::engine::Bench;
use orc::domain::{JobId, JobSpec, JobState};
use orc::os::clock;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// A skill, words of its own, and what they come to here. `REPO` is a repository with a tag and a table. A skill that names no command
/// to look with has its job look at itself.
const TRIED: &[(&str, &str, &str)] = &[
    ("briefing", "pm decision ls --json", "pm decision ls --json"),
    ("code-review", "", ITSELF),
    ("csv-analysis", "wc -lc DATA.csv && head -3 DATA.csv", "cd REPO && wc -lc tea.csv && head -3 tea.csv"),
    ("data-extraction", "sha256sum", "cd REPO && sha256sum tea.csv"),
    ("debugging", "git log --oneline -20 -- PATH", "cd REPO && git log --oneline -20 -- tea.csv"),
    ("decision-cards", "pm decision ask", "pm decision ask --help"),
    ("designer", "", ITSELF),
    ("email-manager", "orc memory search \"NAME\"", "orc memory search \"Ada\""),
    ("frontier-scout", "pm job ls --state failed --json", "pm job ls --state failed --json"),
    ("git-hygiene", "git status --short --branch", "cd REPO && git status --short --branch"),
    ("handover", "git log --oneline -5", "cd REPO && git log --oneline -5"),
    ("healthcheck", "orc engine status", "orc engine status"),
    ("incident-to-rule", "pm job show ID", ITSELF),
    (
        "memory-writing",
        "orc memory search \"THE FACT IN ITS OWN WORDS\" --explain",
        "orc memory search \"Tea is sold by weight\" --explain",
    ),
    ("nightly-maintenance", "orc skill lint --json", "orc skill lint --json"),
    ("planning", "pm job ls --all --json", "pm job ls --all --json"),
    ("project-advance", "pm task ls --project-id N --json", "pm task ls --project-id 1 --json"),
    ("refactoring", "git grep -n NAME", "cd REPO && git grep -n green"),
    ("release-notes", "git describe --tags --abbrev=0", "cd REPO && git describe --tags --abbrev=0"),
    ("research-crosscheck", "", ITSELF),
    ("security-review", "git diff BASE...HEAD", "cd REPO && git diff v1...HEAD"),
    ("smart-browser", "$TMPDIR", "test -w \"$TMPDIR\" && echo \"$TMPDIR\""),
    ("test-writing", "git log -3 --stat", "cd REPO && git log -3 --stat"),
    ("triage", "", ITSELF),
    ("web-publisher", "find sites/NAME/public -type f | sort", "cd REPO && find . -name '*.csv' -type f | sort"),
    ("writing", "", ITSELF),
];
const ITSELF: &str = "pm job show \"$ORC_JOB\"";

/// With these one skill each, beside all of them with Claude Code.
const OTHERS: &[(&str, &str)] = &[("codex", "healthcheck"), ("gemini", "planning"), ("opencode", "project-advance")];

fn repository(dir: &Path) {
    std::fs::create_dir(dir).unwrap();
    let git = |args: &[&str]| {
        let who = ["-c", "user.name=t", "-c", "user.email=t@example.invalid", "-C"];
        assert!(Command::new("git").args(who).arg(dir).args(args).status().unwrap().success(), "{args:?}");
    };
    git(&["init", "-q"]);
    std::fs::write(dir.join("tea.csv"), "name,grams\ngreen,50\n").unwrap();
    git(&["add", "."]);
    git(&["commit", "-qm", "Tea"]);
    git(&["tag", "v1"]);
    std::fs::write(dir.join("tea.csv"), "name,grams\ngreen,50\nblack,70\n").unwrap();
    git(&["commit", "-qam", "More tea"]);
}

struct Trial {
    backend: &'static str,
    skill: &'static str,
    job: JobId,
}

impl Trial {
    fn name(&self) -> String {
        format!("{}-{}", self.backend, self.skill)
    }
}

#[test]
fn each_skill_reaches_a_real_cli_whole_and_its_first_look_runs_there() {
    let Some(program) = installed("claude") else { return };
    let names: Vec<&str> = TRIED.iter().map(|(name, ..)| *name).collect();
    assert_eq!(all().iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), names, "each one is tried");
    let mock = Mock::start();
    let mut b = Bench::new(&["memory=false", "max_running=8", "token_budget=100000000"]);
    repository(&b.path("repo"));
    let mut path = vec![program.parent().unwrap().to_owned()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    let now = clock::now();
    b.store
        .write::<_, orc::store::StoreError>(|tx| {
            let project = tx.add_project("Tea shop", None, "operator", now)?;
            tx.add_task(project, "Open the till", "operator", now)
        })
        .unwrap();
    let here: Vec<(&str, &str)> = OTHERS.iter().copied().filter(|(cli, _)| installed(cli).is_some()).collect();
    for cli in here.iter().map(|(cli, _)| *cli).chain(["claude"]) {
        b.env.extend(signed_in(cli, mock.port, b.dir.path()));
    }
    b.env.insert("PATH", std::env::join_paths(path).unwrap().into_string().unwrap());
    let mut trials: Vec<Trial> = Vec::new();
    let mut rules = Vec::new();
    for (backend, skill) in TRIED.iter().map(|(skill, ..)| ("claude", *skill)).chain(here) {
        let (_, says, command) = TRIED.iter().find(|(name, ..)| *name == skill).unwrap();
        let body = all().into_iter().find(|s| s.name == skill).unwrap().body;
        assert!(body.contains(says), "{skill} does not say `{says}` any more");
        let t = Trial { backend, skill, job: JobId(0) };
        let out = b.path(&t.name());
        let command = command.replace("REPO", &b.path("repo").display().to_string());
        let command = format!("( {command} ) > {0}.out 2>&1; echo $? > {0}.part; mv {0}.part {0}", out.display());
        rules.push(json!({
            "match": {"prompt": format!("TRY-{}\\b", t.name())}, "turns": [{"shell": command}, {"text": format!("{} looked.", t.name())}],
        }));
        trials.push(t);
    }
    mock.scenario(&json!({"rules": rules}));
    for t in &mut trials {
        let spec = JobSpec::new(t.name(), t.backend, format!("TRY-{} and say what came of it.", t.name()));
        t.job = b.add(JobSpec { skills: vec![t.skill.to_owned()], model: Some(model(t.backend).into()), ..spec });
    }
    b.start();
    let mut said = Vec::new();
    for t in &trials {
        assert_eq!(b.ends(t.job), JobState::Done, "{}: {:?}", t.name(), b.job(t.job).note);
    }
    for request in mock.requests() {
        strings(&serde_json::from_str::<Value>(&request).unwrap(), &mut said);
    }
    for t in &trials {
        let name = t.name();
        let code = std::fs::read_to_string(b.path(&name)).unwrap_or_else(|e| panic!("{name}: its command never ran: {e}"));
        let output = std::fs::read_to_string(b.path(&format!("{name}.out"))).unwrap();
        assert!(code == "0\n" && !output.trim().is_empty(), "{name}: {code}{output}");
        let skill = all().into_iter().find(|s| s.name == t.skill).unwrap();
        let text = skill.body.split_once('\n').unwrap().1.trim();
        assert!(said.iter().any(|s| s.contains(text)), "{name}: the skill did not arrive as it is");
        let given = b.store.skills_of(t.job).unwrap();
        assert_eq!(given.iter().map(|g| g.skill.as_str()).collect::<Vec<_>>(), [t.skill], "{name}");
        assert!(b.store.skill_version(t.skill, given[0].hash.as_deref().unwrap()).unwrap().is_some(), "{name}");
        let result = b.attempts(t.job).pop().unwrap().result_file.unwrap();
        assert!(std::fs::read_to_string(result).unwrap().contains(&format!("{name} looked.")), "{name}");
    }
}
