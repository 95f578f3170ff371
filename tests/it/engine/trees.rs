//! Work trees that hang, and work trees that hold what no commit does.

use super::Bench;
use super::gate::bench;
use orc::domain::{Command, JobSpec, JobState, Kind, Outcome};
use orc::os::git::Git;
use std::path::Path;

/// A repository whose checkout does not come to an end while `hang` is there.
fn hangs(settings: &[&str]) -> (Bench, orc::domain::ProjectId) {
    let mut b = bench("say Counted; echo 1 > till", "judge 1 ''", &[&["reviewer=none"], settings].concat());
    let (repo, project) = b.repository(None);
    let git = Git::at(&repo);
    std::fs::write(repo.join(".gitattributes"), "*.bin filter=slow\n").unwrap();
    std::fs::write(repo.join("a.bin"), "x\n").unwrap();
    git.run(&["add", "."]).unwrap();
    git.commit(&["commit", "--quiet", "-m", "large files"]).unwrap();
    let hang = b.path("hang").display().to_string();
    let slow = format!("echo > {hang}s; while test -e {hang}; do sleep 0.05; done; cat");
    git.run(&["config", "filter.slow.smudge", &slow]).unwrap();
    b.touch("hang");
    (b, project)
}

#[test]
fn a_checkout_that_hangs_is_an_error_of_the_attempt_and_holds_up_nobody() {
    let (mut b, project) = hangs(&["git_timeout=1s", "retry_base=0s"]);
    let spec = JobSpec { kind: Kind::Code, project_id: Some(project), max_attempts: 1, ..JobSpec::new("Count", "author", "Count.") };
    let job = b.add(spec);
    b.start();
    assert_eq!(b.ends(job), JobState::Failed);
    let said = b.attempts(job)[0].message.clone().unwrap();
    assert!(said.contains("work tree cannot be made ready") && said.contains("took longer than 1s"), "{said}");
    std::fs::remove_file(b.path("hang")).unwrap();
    b.apply(Command::Retry { job, seen: None });
    assert_eq!(b.ends(job), JobState::Done, "{:?}", b.job(job).note);
}

#[test]
fn a_job_that_waits_for_its_tree_can_be_killed() {
    let (mut b, project) = hangs(&[]);
    let job = b.code(project);
    b.start();
    b.appears("hangs");
    b.apply(Command::Kill { job, seen: None });
    assert_eq!(b.ends(job), JobState::Killed);
    assert_eq!(b.attempts(job)[0].outcome, Some(Outcome::Killed));
    std::fs::remove_file(b.path("hang")).unwrap();
    // What comes late harms nobody.
    b.apply(Command::Retry { job, seen: None });
    assert_eq!(b.ends(job), JobState::Done, "{:?}", b.job(job).note);
}

#[test]
fn a_deliverable_that_git_ignores_keeps_its_tree() {
    let author = "echo 'build/' > .gitignore; mkdir -p build; echo zip > build/app.zip; echo 1 > till; say Built";
    let mut b = bench(author, "judge 1 ''", &[]);
    let (_repo, project) = b.repository(None);
    let spec = JobSpec { kind: Kind::Code, project_id: Some(project), ..JobSpec::new("Build", "author", "Build it.") };
    let with = b.add(JobSpec { artefacts: vec!["build/app.zip".into()], ..spec });
    b.start();
    assert_eq!(b.ends(with), JobState::Done, "{:?}", b.job(with).note);
    let branch = b.store.branch(with).unwrap().unwrap();
    let (ok, said) = b.orc(&["project", "merge", &with.to_string()]);
    assert!(
        ok && said.contains("merged into main") && said.contains("stays: job 1 has delivered build/app.zip, which git ignores"),
        "{said}"
    );
    let (ok, said) = b.orc(&["project", "clean", &project.to_string()]);
    assert!(ok && said.contains("build/app.zip"), "{said}");
    let zip = Path::new(&branch.tree).join("build/app.zip");
    assert_eq!(std::fs::read_to_string(&zip).unwrap(), "zip\n");
    // Copied elsewhere, and a clone that nobody has pushed: that one stays for its own sake.
    std::fs::remove_file(&zip).unwrap();
    let clone = Path::new(&branch.tree).join("build/clone");
    std::fs::create_dir(&clone).unwrap();
    Git::at(&clone).run(&["init", "--quiet"]).unwrap();
    let (_, said) = b.orc(&["project", "clean", &project.to_string()]);
    assert!(said.contains("build/clone is a repository of its own") && clone.is_dir(), "{said}");
    std::fs::remove_dir_all(&clone).unwrap();
    let (_, said) = b.orc(&["project", "clean", &project.to_string()]);
    assert!(said.contains("is put away") && !Path::new(&branch.tree).exists(), "{said}");
}
