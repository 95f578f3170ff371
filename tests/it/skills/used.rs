//! Versions in use: recorded with each attempt, pinned, rolled back, tried on a share, reloaded; what a broken one falls back to.

use crate::engine::Bench;
use orc::domain::{Command, JobId, JobSpec, JobState, LogFilter, Page, SkillHow, in_canary};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// A prompt of the replay backend that ends well at once.
fn plays(text: &str) -> String {
    format!(
        "{text}\nreplay:\n{}\n{}\n",
        json!({"event": {"type": "text", "text": "done"}}),
        json!({"event": {"type": "result", "ok": true}})
    )
}

impl Bench {
    fn put(&self, file: &str, text: &str) {
        let path = self.workspace.skills_dir().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn skill_text(&self, body: &str) {
        self.put(
            "house/SKILL.md",
            &format!("---\nname: house\ndescription: How it is done here.\ntriggers: [\"our house style\"]\n---\n# House\n\n{body}\n"),
        );
    }

    fn with_skill(&mut self, prompt: &str, skills: &[&str]) -> JobId {
        let skills = skills.iter().map(|s| (*s).to_owned()).collect();
        let job = self.add(JobSpec { skills, ..JobSpec::new("a job", "replay", plays(prompt)) });
        assert_eq!(self.ends(job), JobState::Done, "{:?}", self.job(job).note);
        job
    }

    fn given_text(&self, job: JobId) -> String {
        let dir = self.workspace.attempt_dir(self.job(job).attempt.unwrap());
        [orc::wire::files::SYSTEM, orc::wire::files::PROMPT].iter().filter_map(|f| fs::read_to_string(dir.join(f)).ok()).collect()
    }

    fn orc_json(&self, args: &[&str]) -> Value {
        let done = self.command("orc").args(args).arg("--json").output().unwrap();
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
        serde_json::from_slice(&done.stdout).unwrap()
    }

    fn event(&self, text: &str) -> bool {
        let filter = LogFilter { job: None, text: text.to_owned() };
        !self.store.log(&filter, Page { before: None, limit: 10 }).unwrap().is_empty()
    }
}

#[test]
fn each_attempt_keeps_its_version_and_the_command_line_tells_what_each_made() {
    let mut b = Bench::new(&[]);
    b.skill_text("First way.");
    b.start();
    let one = b.with_skill("Do it", &["house", "writing"]);
    b.skill_text("Second way.");
    b.put("house/scripts/go.sh", "#!/bin/sh\necho go\n");
    let two = b.with_skill("Do it", &["house"]);
    assert!(b.given_text(one).contains("First way.") && b.given_text(two).contains("Second way."));
    assert!(b.given_text(two).contains(&format!("{}/house", b.workspace.skills_dir().display())), "the prompt says where its files are");
    let of = |job| b.store.skills_of(job).unwrap().into_iter().find(|g| g.skill == "house").unwrap().hash.unwrap();
    let (first, second) = (of(one), of(two));
    assert_ne!(first, second);

    let log = b.orc_json(&["skill", "log", "house"]);
    assert_eq!((log[0]["hash"].as_str(), log[1]["hash"].as_str(), log[0]["uses"].as_u64()), (Some(&*second), Some(&*first), Some(1)));
    let diff = b.orc_json(&["skill", "diff", "house"]);
    let diff = diff["diff"].as_str().unwrap();
    assert!(diff.contains("-First way.\n+Second way.") && diff.contains("+echo go"), "{diff}");
    let outputs = b.orc_json(&["skill", "outputs", "house", "--version", &first[..8]]);
    assert_eq!(
        (outputs.as_array().unwrap().len(), outputs[0]["job"].as_i64(), outputs[0]["outcome"].as_str()),
        (1, Some(one.0), Some("ok"))
    );
    let ls = b.orc_json(&["skill", "ls"]);
    let house = ls.as_array().unwrap().iter().find(|s| s["name"] == "house").unwrap();
    assert_eq!((house["uses"].as_u64(), house["success"].as_f64(), house["source"].as_str()), (Some(2), Some(1.0), Some("workspace")));
    assert_eq!(b.orc_json(&["job", "show", &one.to_string()])["given_skills"][0]["hash"], json!(first));
    // An old version is shown as it was.
    let old = b.orc_json(&["skill", "show", "house", "--version", &first[..8]]);
    assert!(old["text"].as_str().unwrap().contains("First way."), "{old}");
}

#[test]
fn a_rollback_gives_the_version_before_with_its_files_and_a_pin_is_lifted() {
    let mut b = Bench::new(&[]);
    b.skill_text("First way.");
    b.put("house/scripts/go.sh", "#!/bin/sh\necho first\n");
    b.start();
    b.with_skill("Do it", &["house"]);
    b.skill_text("Second way.");
    b.put("house/scripts/go.sh", "#!/bin/sh\necho second\n");
    b.with_skill("Do it", &["house"]);
    b.orc_json(&["skill", "rollback", "house"]);
    let back = b.with_skill("Do it", &["house"]);
    let told = b.given_text(back);
    assert!(told.contains("First way.") && !told.contains("Second way."), "{told}");
    let place = told.lines().find_map(|l| l.strip_prefix("Files that this skill names are in ")).unwrap();
    let ran = std::process::Command::new(Path::new(place).join("scripts/go.sh")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "first\n", "its own files, as they were, and to be run");
    b.orc_json(&["skill", "pin", "house", "--off"]);
    let again = b.with_skill("Do it", &["house"]);
    assert!(b.given_text(again).contains("Second way."));
    // There is nothing before the first.
    b.orc_json(&["skill", "rollback", "house"]);
    assert_eq!(b.command("orc").args(["skill", "rollback", "house"]).output().unwrap().status.code(), Some(4));
}

#[test]
fn a_share_of_the_jobs_gets_the_new_version_first() {
    let mut b = Bench::new(&["max_running=8"]);
    b.skill_text("First way.");
    b.start();
    b.with_skill("Do it", &["house"]);
    b.skill_text("Second way.");
    b.orc_json(&["skill", "canary", "house", "50%"]);
    let jobs: Vec<JobId> = (0..12).map(|_| b.with_skill("Do it", &["house"])).collect();
    let mut new = 0;
    for job in jobs {
        let second = b.given_text(job).contains("Second way.");
        assert_eq!(second, in_canary(job, "house", 50), "job {job}");
        new += usize::from(second);
    }
    assert!((1..12).contains(&new), "{new} of 12");
    b.orc_json(&["skill", "canary", "house", "100%"]);
    let all = b.with_skill("Do it", &["house"]);
    assert!(b.given_text(all).contains("Second way."));
}

#[test]
fn a_broken_skill_is_told_at_once_and_its_last_good_version_stays_in_use() {
    let mut b = Bench::new(&["skill_canary=0"]);
    b.skill_text("Good way.");
    b.start();
    b.with_skill("Do it", &["house"]);
    b.put("house/SKILL.md", "---\nname: house\ndescription: unfinished\n");
    b.within(|| b.event("house/SKILL.md:1: the frontmatter has no end").then_some(()));
    assert!(b.event("stays in use"));
    let job = b.with_skill("Do it", &["house"]);
    assert!(b.given_text(job).contains("Good way."));
    // Whole again, and new: with a share of 0 it waits for the operator's word.
    b.skill_text("Better way.");
    b.within(|| b.event("house is whole again").then_some(()));
    b.within(|| b.store.skill_hold("house").unwrap().base.map(drop));
    let job = b.with_skill("Do it", &["house"]);
    assert!(b.given_text(job).contains("Good way."));
    b.orc_json(&["skill", "canary", "house", "100%"]);
    let job = b.with_skill("Do it", &["house"]);
    assert!(b.given_text(job).contains("Better way."));
    // One that was never good: the job says which file and line.
    b.put("never/SKILL.md", "nothing\n");
    let failed = b.add(JobSpec { skills: vec!["never".into()], max_attempts: 1, ..JobSpec::new("t", "replay", plays("x")) });
    assert_eq!(b.ends(failed), JobState::Failed);
    assert!(b.job(failed).note.unwrap().contains("never/SKILL.md:1: it has to begin with frontmatter"));
}

#[test]
fn triggers_suggest_or_inject_by_setting_and_the_job_shows_it() {
    for mode in ["suggest", "inject", "off"] {
        let mut b = Bench::new(&[&format!("skill_triggers={mode}")]);
        b.skill_text("Our way.");
        b.start();
        let job = b.with_skill("Write it in our House-Style please", &[]);
        let shown = b.orc_json(&["job", "show", &job.to_string()]);
        let given = b.store.skills_of(job).unwrap();
        match mode {
            "inject" => {
                assert!(b.given_text(job).contains("Our way."));
                assert_eq!((given[0].how, given[0].trigger.as_deref()), (SkillHow::Trigger, Some("our house style")));
                assert_eq!(shown["given_skills"][0]["skill"], "house");
            }
            "suggest" => {
                assert!(!b.given_text(job).contains("Our way.") && given.is_empty());
                assert_eq!(shown["suggested_skills"], json!([{ "skill": "house", "trigger": "our house style" }]));
            }
            _ => assert!(given.is_empty() && shown["suggested_skills"] == json!([])),
        }
        // What was asked for needs no advice.
        let job = b.with_skill("In our house style", &["house"]);
        assert_eq!(b.store.suggested_skills(job).unwrap(), []);
    }
}

#[test]
fn a_version_that_was_used_is_kept_when_its_folder_is_gone() {
    let mut b = Bench::new(&[]);
    b.skill_text("First way.");
    b.start();
    let job = b.with_skill("Do it", &["house"]);
    let hash = b.store.skills_of(job).unwrap()[0].hash.clone();
    fs::remove_dir_all(b.workspace.skills_dir().join("house")).unwrap();
    b.apply(Command::PinSkill { skill: "house".into(), hash });
    let again = b.with_skill("Do it", &["house"]);
    assert!(b.given_text(again).contains("First way."));
}
