//! The skills on screen, and what their keys ask for.

use super::desk::Console;
use super::world::{self, ago};
use insta::assert_snapshot;
use orc::domain::{
    Applied, AttemptId, Command, JobId, JobState, Outcome, SkillFile, SkillFrom, SkillHold, SkillOutput, SkillUse, SkillVersion,
};
use orc::wire::{SkillDetail, SkillRow};

/// Four skills: one that two versions of were used, one pinned, one that was never used, one broken.
pub fn skills() -> Vec<SkillDetail> {
    let hash = |c: char| c.to_string().repeat(64);
    let uses = |uses, ok, failed, cost_usd| SkillUse { uses, ok, failed, tokens: uses * 9_000, cost_usd, last_used: Some(ago(700)) };
    let version = |name: &str, c: char, age, use_| SkillVersion {
        name: name.to_owned(),
        hash: hash(c),
        from: SkillFrom::Workspace,
        version: Some("2".to_owned()),
        files: vec![SkillFile { path: "SKILL.md".to_owned(), hash: hash('0'), bytes: 900 }],
        first_seen: ago(age),
        use_,
    };
    let row = |name: &str, c: Option<char>, description: &str| SkillRow {
        name: name.to_owned(),
        description: description.to_owned(),
        hash: c.map(hash),
        version: c.map(|_| "2".to_owned()),
        source: if name == "triage" { SkillFrom::Builtin } else { SkillFrom::Workspace },
        file: format!("/home/ops/acme/skills/{name}/SKILL.md"),
        triggers: vec!["code review".to_owned(), "pull request".to_owned()],
        license: None,
        hold: SkillHold::default(),
        use_: SkillUse::default(),
        success: None,
        problems: Vec::new(),
    };
    let output = |job, c, outcome, title: &str| SkillOutput {
        hash: hash(c),
        attempt: AttemptId(job * 10),
        job: JobId(job),
        title: title.to_owned(),
        state: JobState::Done,
        outcome,
        tokens: 9_000,
        cost_usd: Some(0.11),
        started_at: ago((1500 - job) * 100),
        result_file: None,
    };
    let detail = |row: SkillRow, text: &str| SkillDetail {
        row,
        text: text.to_owned(),
        files: Vec::new(),
        versions: Vec::new(),
        diff: String::new(),
        outputs: Vec::new(),
    };
    let both = uses(31, 27, 3, 3.4);
    let mut review = detail(
        SkillRow {
            use_: both,
            success: both.success(),
            ..row("code-review", Some('a'), "Reviews a change so that its findings can be acted on.")
        },
        "# Code review\n\n1. **What is it for?** Read the task.\n2. **Run it.** Note commands and last lines.\n\n日本語 \u{1b}[31mred",
    );
    review.files = ["SKILL.md", "scripts/count.sh"].map(|p| SkillFile { path: p.to_owned(), hash: hash('0'), bytes: 1_200 }).to_vec();
    review.versions =
        vec![version("code-review", 'a', 9_000, uses(12, 11, 0, 1.2)), version("code-review", 'b', 700_000, uses(19, 16, 3, 2.2))];
    review.diff = format!(
        "--- SKILL.md {}\n+++ SKILL.md {}\n@@ -1,3 +1,3 @@\n # Code review\n-Read the diff.\n+1. **What is it for?** Read the task.\n",
        "b".repeat(12),
        "a".repeat(12)
    );
    review.outputs = vec![
        output(1471, 'a', None, "Move invoices to the new table"),
        output(1466, 'a', Some(Outcome::Ok), "Review the rate limiter"),
        output(1402, 'b', Some(Outcome::Timeout), "Review the import"),
    ];
    let mut pinned = detail(row("house-style", Some('c'), "How texts are written here."), "Short.");
    pinned.row.hold.pin = Some(hash('d'));
    pinned.row.problems = vec!["/home/ops/acme/skills/house-style/SKILL.md:2: it calls itself `House Style`".to_owned()];
    pinned.versions = vec![version("house-style", 'c', 100, SkillUse::default()), version("house-style", 'd', 90_000, uses(4, 4, 0, 0.2))];
    let triage = detail(row("triage", Some('e'), "Sorts an incoming message."), "# Triage");
    let mut broken = detail(row("deploy", None, ""), "The text of the last good version.");
    broken.row.problems =
        vec!["/home/ops/acme/skills/deploy/SKILL.md:4: the frontmatter has no end: a line `---` after its last key".to_owned()];
    vec![review, broken, pinned, triage]
}

#[test]
fn the_skills_at_three_sizes() {
    let scenes = [
        ("skills", "9"),
        ("skills_text", "9 j"),
        ("skills_versions", "9 j right"),
        ("skills_diff", "9 j right right"),
        ("skills_outputs", "9 j right right right enter"),
        ("skills_filtered", "9 / 'style'"),
    ];
    for (name, keys) in scenes {
        for size in [(80, 24), (120, 36), (200, 60)] {
            let mut c = Console::new(size, world::busy());
            c.keys(keys);
            assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), c.screen());
        }
    }
}

#[test]
fn the_pin_is_set_and_taken_away_and_a_skill_goes_back_by_one_version() {
    let hash = |c: char| Some(c.to_string().repeat(64));
    let pin = |skill: &str, hash| Command::PinSkill { skill: skill.to_owned(), hash };
    let mut c = Console::new((120, 36), world::busy());
    c.replies = vec![Applied::Done { message: "pinned".into(), undo: Some(pin("code-review", None)) }];
    // what is broken comes first; then by name
    c.keys("9 j p");
    assert_eq!(c.commands(), [pin("code-review", hash('a'))]);
    c.keys("u");
    assert_eq!(c.commands()[1], pin("code-review", None), "u takes it back");
    c.keys("R");
    assert_eq!(c.commands()[2], pin("code-review", hash('b')));
    c.keys("j p");
    assert_eq!(c.commands()[3], pin("house-style", None));
    // from the pinned one there is none before
    c.keys("R");
    assert_eq!(c.commands().len(), 4);
    assert!(c.screen().contains("there is no version before the one in use"), "{}", c.screen());
}

#[test]
fn enter_reads_and_leads_from_an_output_to_its_job() {
    let mut c = Console::new((120, 36), world::busy());
    c.keys("9 j enter");
    assert!(c.screen().contains("What is it for?") && !c.screen().contains('\u{1b}'), "{}", c.screen());
    c.keys("right right right enter");
    assert!(c.screen().contains("1471"), "{}", c.screen());
    c.keys("esc");
    assert!(c.screen().contains("outputs"), "{}", c.screen());
    c.keys("esc esc");
    assert!(!c.screen().contains("outputs"), "esc leads out: {}", c.screen());
}

#[test]
fn what_changes_in_the_folder_is_read_anew() {
    let mut c = Console::new((120, 36), world::busy());
    c.keys("9");
    let lists = |c: &Console| c.asked.iter().filter(|q| matches!(q, orc::wire::Query::Skills)).count();
    let before = lists(&c);
    let note = |what: &'static str| {
        move |s: &mut orc::wire::Snapshot| {
            let mut line = s.log.last().unwrap().clone();
            line.id += 1;
            line.what = what.to_owned();
            s.log.push(line);
        }
    };
    c.show(note("running"));
    assert_eq!(lists(&c), before);
    c.show(note("skill"));
    assert_eq!(lists(&c), before + 1);
}
