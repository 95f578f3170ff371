//! What a job has to deliver: it is there before the job is done, whoever works, and lies in the job's own folder.

use super::Bench;
use orc::domain::{JobSpec, JobState, Outcome};

#[test]
fn an_exit_code_of_zero_delivers_nothing_also_where_nobody_reviews() {
    let mut b = Bench::new(&["retry_base=0s"]);
    let d = b.dir.path().display().to_string();
    // First nothing, then an empty file, then a link to what is the operator's, then the file.
    let script = format!(
        "n=$(cat {d}/runs 2>/dev/null || echo 0); echo $((n + 1)) > {d}/runs; echo hunter2 > {d}/secret
         case $n in 0) ;; 1) : > out.md;; 2) ln -sf {d}/secret out.md;; *) rm -f out.md; echo done > out.md;; esac"
    );
    let job = b.add(JobSpec { artefacts: vec!["out.md".into()], max_attempts: 5, ..b.spec(&script) });
    b.start();
    assert_eq!(b.ends(job), JobState::Done, "{:?}", b.job(job).note);
    let attempts = b.attempts(job);
    let said: Vec<&str> = attempts.iter().map(|a| a.message.as_deref().unwrap_or_default()).collect();
    assert_eq!(attempts.len(), 4, "{said:?}");
    assert!(attempts[..3].iter().all(|a| a.outcome == Some(Outcome::Error) && a.exit_code == Some(0)));
    assert!(said[0].ends_with("missing or empty: out.md") && said[1].ends_with("missing or empty: out.md"), "{said:?}");
    assert!(said[2].contains("leads out of"), "{said:?}");
}

#[test]
fn a_name_that_leads_elsewhere_is_refused_when_it_is_declared() {
    let b = Bench::new(&[]);
    for name in ["/etc/passwd", "../x", "docs/../../x", ""] {
        let args = ["job", "add", "--type", "shell", "--prompt", "true", "--artefact", name];
        let out = b.command("pm").args(args).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(!out.status.success() && said.contains("no path below the job's folder"), "{name}: {said}");
    }
}
