//! Prompt assembly: what exactly an agent is told.

use orc::config::{Skill, Workspace, init, skill};
use orc::domain::{
    AttemptId, Fix, Job, JobId, JobSpec, JobState, Outcome, PartKind, Review, ReviewId, ReviewOutcome, Stage, Timestamp, estimate,
    sha256_hex,
};
use orc::engine::prompt::{Guide, PromptInput, assemble};
use std::fs;
use tempfile::{TempDir, tempdir};

fn workspace() -> (TempDir, Workspace) {
    let home = tempdir().unwrap();
    let (workspace, _) = init(home.path()).unwrap();
    let put = |name: &str, text: &str| {
        let path = workspace.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put(
        "CLAUDE.md",
        "# Operating file\n\nNot for jobs.\n\n## Critical rules\n<!-- - example (incident e, 2026-01-01) -->\n\
         - Look at the page before you call it published. (incident blank-page, 2026-01-31)\n- Never push to main.\n",
    );
    put("core-memory.md", "# Core memory\n<!-- for people -->\n\n## Operator\n\n- Ada, mornings only\n");
    put("personas/engineer.md", "# Engineer\n\nSmall steps.\n");
    put("skills/ours/SKILL.md", "---\nname: ours\ndescription: house rules\n---\n# Ours\n\nSee references/style.md.\n");
    put("skills/other/SKILL.md", "---\nname: other\ndescription: more\n---\nMore.\n");
    (home, workspace)
}

fn job(prompt: &str) -> Job {
    Job {
        id: JobId(12),
        spec: JobSpec::new("Fix the\nlogin", "claude", prompt),
        state: JobState::Queued,
        wait_reason: None,
        attempts: 0,
        losses: 0,
        attempt: None,
        outcome: None,
        note: None,
        ready_at: None,
        created_at: Timestamp(0),
        queued_at: None,
        started_at: None,
        finished_at: None,
        kill_requested: false,
        rounds: 0,
        guide: None,
    }
}

fn input<'a>(job: &'a Job, skills: &'a [Skill]) -> PromptInput<'a> {
    PromptInput {
        job,
        project: Some("Shop"),
        persona: Some("engineer"),
        skills,
        answers: &[],
        tree: false,
        guide: None,
        handover: Some("Half of the form is done."),
        uses_model: true,
    }
}

#[test]
fn every_part_in_its_order_byte_for_byte() {
    let (_home, workspace) = workspace();
    let job = job("Make the login link work.\n\nIt is in the footer.\n");
    let skills = ["ours", "other"].map(|name| skill(&workspace.skills_dir(), name).unwrap());
    let document = assemble(&workspace, &input(&job, &skills)).unwrap();
    let root = workspace.root().display().to_string();
    let told = format!("=== system ===\n{}=== prompt ===\n{}", document.system, document.prompt).replace(&root, "/ws");
    insta::assert_snapshot!(told);

    // the same files give the same bytes
    assert_eq!(assemble(&workspace, &input(&job, &skills)).unwrap(), document);

    // each part is found in the text as it is listed, with its hash and its length
    let kinds: Vec<PartKind> = document.parts.iter().map(|p| p.kind).collect();
    use PartKind::{Core, Handover, Job, Persona, Rules, Skill};
    assert_eq!(kinds, [Rules, Core, Persona, Skill, Skill, Handover, Job]);
    for part in &document.parts {
        let place = if part.kind.is_system() { &document.system } else { &document.prompt };
        assert!(place.contains(part.text.trim_end()), "{} is not where it belongs", part.kind);
        assert_eq!((part.hash.as_str(), part.bytes), (sha256_hex(part.text.as_bytes()).as_str(), part.text.len() as u64));
        assert_eq!(part.tokens, estimate(&part.text));
    }
    assert_eq!(document.tokens, document.parts.iter().map(|p| p.tokens).sum::<u64>());
    assert_eq!(document.parts[3].source, format!("{root}/skills/ours/SKILL.md"));
}

#[test]
fn what_there_is_none_of_is_left_out_with_its_heading() {
    let (_home, workspace) = workspace();
    for name in ["CLAUDE.md", "core-memory.md"] {
        fs::remove_file(workspace.root().join(name)).unwrap();
    }
    let job = job("Say hello.");
    let bare = PromptInput {
        job: &job,
        project: None,
        persona: None,
        skills: &[],
        answers: &[],
        tree: false,
        guide: None,
        handover: None,
        uses_model: true,
    };
    let document = assemble(&workspace, &bare).unwrap();
    assert_eq!((document.system.as_str(), document.parts.len()), ("", 1));
    assert!(document.prompt.starts_with("# Job 12: Fix the login\n\nSay hello.\n\n## How this job is run\n"), "{}", document.prompt);

    // a fresh workspace has no rules yet: no empty section either
    let fresh = tempdir().unwrap();
    let (fresh, _) = init(fresh.path()).unwrap();
    let kinds: Vec<PartKind> = assemble(&fresh, &bare).unwrap().parts.iter().map(|p| p.kind).collect();
    assert_eq!(kinds, [PartKind::Core, PartKind::Job]);
}

#[test]
fn a_reviews_fixes_are_told_alone_to_a_session_that_knows_the_job() {
    let (_home, workspace) = workspace();
    let job = Job { attempts: 0, rounds: 1, ..job("Make the login link work.") };
    let fix = |number, text: &str, closed| Fix { number, text: text.into(), criterion: None, closed, evidence: None };
    let review = Review {
        id: ReviewId(3),
        job: job.id,
        attempt: AttemptId(4),
        round: 1,
        stage: Stage::Over,
        hash: Some("sha256:1".into()),
        copy: None,
        rubric: None,
        test_job: None,
        tests_passed: None,
        review_job: None,
        reviewer: None,
        judgement: None,
        score: Some(0.5),
        threshold: 0.8,
        fixes: vec![fix(1, "Underline it.", false), fix(2, "Was done.", true), fix(3, "Test it:\non a phone.", false)],
        decision: None,
        outcome: Some(ReviewOutcome::Fixes),
        note: None,
        voids: 0,
        began_at: Timestamp(0),
        ended_at: Some(Timestamp(1)),
    };
    let told = |resumed| {
        let guide = Guide { review: &review, remark: Some("blue, please"), resumed, result: Some("It works now.") };
        assemble(&workspace, &PromptInput { guide: Some(guide), ..input(&job, &[]) }).unwrap().prompt
    };
    let known = told(true);
    assert!(known.contains("1. Underline it.\n3. Test it:\n   on a phone.\n\nThe operator adds: blue, please"), "{known}");
    assert!(known.contains("It scores 0.50, and 0.80 is needed.") && !known.contains("Was done."));
    assert!(!known.contains("Make the login link work.") && !known.contains("It works now."));
    let tree = assemble(&workspace, &PromptInput { tree: true, ..input(&job, &[]) }).unwrap().prompt;
    assert!(tree.contains("a git work tree of your own") && !known.contains("work tree"));
    let anew = told(false);
    assert!(
        anew.contains("Make the login link work.")
            && anew.contains("## What you delivered\n\nIt works now.")
            && anew.contains("1. Underline it.")
    );
}

#[test]
fn a_script_reaches_its_backend_byte_for_byte() {
    let (_home, workspace) = workspace();
    let script = "#!/bin/sh\n\n  echo '# not a heading'\n\n";
    let job = job(script);
    let document =
        assemble(&workspace, &PromptInput { uses_model: false, ..input(&job, &[skill(&workspace.skills_dir(), "ours").unwrap()]) })
            .unwrap();
    assert_eq!((document.prompt.as_str(), document.system.as_str(), document.parts.len()), (script, "", 1));
}

#[test]
fn another_attempt_is_told_how_the_last_one_ended() {
    let (_home, workspace) = workspace();
    let job = Job { attempts: 1, outcome: Some(Outcome::Timeout), note: Some("past 60m\n(attempt 1 of 3)".into()), ..job("Build it.") };
    let document = assemble(&workspace, &input(&job, &[])).unwrap();
    assert!(
        document.prompt.contains("## This was tried before\n\nThe last attempt ended: timeout: past 60m (attempt 1 of 3)\n"),
        "{}",
        document.prompt
    );
}

#[test]
fn what_is_missing_or_broken_is_named_and_nothing_is_made_up() {
    let (_home, workspace) = workspace();
    let job = job("Build it.");
    let told = |input: &PromptInput<'_>| assemble(&workspace, input).unwrap_err().to_string();
    let nobody = told(&PromptInput { persona: Some("nobody"), ..input(&job, &[]) });
    assert!(nobody.starts_with("there is no persona `nobody`") && nobody.ends_with("critic, engineer, pulse, researcher"), "{nobody}");
    let outside = told(&PromptInput { persona: Some("../CLAUDE"), ..input(&job, &[]) });
    assert!(outside.contains("cannot be a persona's name"), "{outside}");

    fs::write(workspace.core_memory(), [0xff, 0xfe]).unwrap();
    let unreadable = told(&input(&job, &[]));
    assert!(unreadable.starts_with("cannot read the core memory") && unreadable.contains("core-memory.md"), "{unreadable}");
}
