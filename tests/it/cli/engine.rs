//! The command line with a real engine behind it.

use super::Bench;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(60);

/// A headless engine of a workspace; it ends with the test.
struct Running<'a> {
    bench: &'a Bench,
    child: Child,
}

impl Running<'_> {
    fn start(bench: &Bench) -> Running<'_> {
        let child = bench.command("orc").arg("engine").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let running = Running { bench, child };
        let until = Instant::now() + DEADLINE;
        while !bench.run("pm engine status --json").contains("\"mode\":\"running\"") {
            assert!(Instant::now() < until, "the engine never answered");
            std::thread::yield_now();
        }
        running
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // No job outlives its test: what a failed one left behind is ended by the engine before the engine is.
        let out = self.bench.command("pm").args(["job", "ls", "--json"]).output();
        let jobs: Vec<serde_json::Value> = out.ok().and_then(|o| serde_json::from_slice(&o.stdout).ok()).unwrap_or_default();
        for job in jobs {
            let _ = self.bench.run(&format!("pm job kill {}", job["id"]));
            let _ = self.bench.run(&format!("pm job wait --timeout 20s {}", job["id"]));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_job_goes_in_runs_and_its_result_comes_out() {
    let b = Bench::new();
    let _engine = Running::start(&b);
    b.do_all(&["pm job add --type shell --prompt 'echo hello; echo $ORC_JOB'", "pm job wait 1"]);
    assert_eq!(b.run("pm job result 1"), "$ pm job result 1\n[exit 0]\n[stdout]\nhello\n1\n");
    let said = b.json("pm job tail 1 --json");
    assert!(said.as_array().unwrap().iter().all(|e| e["job"] == 1 && e["seq"].is_u64()), "{said}");
    assert!(said.to_string().contains("hello"));
    b.do_all(&["pm job add --type shell --prompt 'exit 3' --max-attempts 1"]);
    assert!(b.run("pm job wait 2 -q").contains("[exit 1]"));
}

#[test]
fn status_tells_what_runs_and_a_kill_ends_it() {
    let b = Bench::new();
    let _engine = Running::start(&b);
    b.do_all(&["pm job add --type shell --prompt 'echo up; sleep 1000'"]);
    let until = Instant::now() + DEADLINE;
    while b.json("pm engine status --json")["slots"]["running"] != 1 {
        assert!(Instant::now() < until, "it never ran");
        std::thread::yield_now();
    }
    assert!(b.run("pm why 1").contains("is running"));
    b.do_all(&["pm job kill 1"]);
    assert!(b.run("pm job wait 1 --timeout 60s").contains("job 1 killed"));
}

#[test]
fn unstick_ends_the_attempt_and_queues_the_job_again() {
    let b = Bench::new();
    let _engine = Running::start(&b);
    b.do_all(&["pm engine pause", "pm job add --type shell --prompt 'test -e again && exit 0; touch again; sleep 1000'"]);
    assert!(b.run("pm job unstick 1").contains("[exit 4]"), "it only waits");
    assert!(b.run("pm why 1").contains("HOLD"));
    b.do_all(&["pm engine resume"]);
    let until = Instant::now() + DEADLINE;
    while !b.run("pm job ls --state running").contains("shell") {
        assert!(Instant::now() < until, "it never ran");
        std::thread::yield_now();
    }
    let marker = b.workspace().join("drafts/again");
    while !marker.exists() {
        assert!(Instant::now() < until, "it never got to work");
        std::thread::yield_now();
    }
    b.do_all(&["pm job unstick 1", "pm job wait 1 --timeout 60s"]);
    let attempts = b.json("pm job show 1 --json")["history"].clone();
    assert_eq!((attempts[0]["outcome"].as_str(), attempts[1]["outcome"].as_str()), (Some("killed"), Some("ok")));
}

#[test]
fn stop_leaves_jobs_running_and_the_next_engine_takes_them_over() {
    let b = Bench::new();
    let mut engine = Running::start(&b);
    let flag = b.path("go");
    b.do_all(&[&format!("pm job add --type shell --prompt 'while ! test -e {}; do sleep 0.05; done; echo survived'", flag.display())]);
    let until = Instant::now() + DEADLINE;
    while b.json("pm engine status --json")["slots"]["running"] != 1 {
        assert!(Instant::now() < until, "it never ran");
        std::thread::yield_now();
    }
    let stopped = b.json("pm engine stop --json");
    assert_eq!((stopped["pid"].as_i64(), stopped["running"].as_i64()), (Some(i64::from(engine.child.id())), Some(1)));
    assert!(engine.child.wait().unwrap().success());
    assert!(b.run("pm engine status").contains("[exit 5]"));
    assert_eq!(b.json("pm job ls --json")[0]["state"], "running");
    super::write(&flag, "");
    let _next = Running::start(&b);
    b.do_all(&["pm job wait 1 --timeout 60s"]);
    assert!(b.run("pm job result 1").contains("survived"));
    assert_eq!(b.json("pm job show 1 --json")["history"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_second_engine_is_refused_and_a_drained_one_leaves() {
    let b = Bench::new();
    let mut engine = Running::start(&b);
    let second = b.run("orc engine");
    assert!(second.contains("[exit 4]") && second.contains("an engine runs already"), "{second}");
    b.do_all(&["pm engine drain"]);
    assert!(engine.child.wait().unwrap().success());
}

#[test]
fn a_job_submits_another_and_the_log_says_which_worker_did() {
    let b = Bench::new();
    let _engine = Running::start(&b);
    b.do_all(&["pm job add --type shell --prompt 'pm job add --type shell --prompt true --title child'", "pm job wait 1 --timeout 60s"]);
    assert_eq!(b.json("pm job show 2 --json")["title"], "child");
    let log = b.json("pm log show --job 2 --json");
    assert!(log[0]["actor"].as_str().is_some_and(|a| a.starts_with("worker:shell-")), "{log}");
}
