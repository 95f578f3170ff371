//! The attempt outlives engines, and costs the same however slow they are.

use super::*;
use orc::domain::{AgentEvent, Outcome};
use orc::wire::ShimFrame;

#[tokio::test]
async fn what_happens_between_two_engines_is_neither_lost_nor_doubled() {
    let mut attempt = Attempt::of("i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); [ $i = 5 ] && read go < \"$GATE\"; done; true");
    let gate = attempt.path("gate");
    assert!(Command::new("mkfifo").arg(&gate).status().unwrap().success());
    attempt.spec.env.insert("GATE".to_owned(), gate.display().to_string());
    let engine = attempt.engine();
    attempt.start();
    let mut link = engine.welcome(0).await;
    link.text("line 3").await;
    link.ack(2).await;
    // SIGKILL of an engine, as its shims see it.
    drop((link, engine));
    std::fs::write(&gate, "go\n").unwrap();
    let report = attempt.exit();
    assert_eq!(report.outcome, Outcome::Ok);
    let engine = attempt.engine();
    let (mut link, hello) = engine.call().await;
    let spool = attempt.spool();
    assert_eq!(hello.next_seq, spool.len() as u64 + 1);
    link.send(orc::wire::EngineFrame::Welcome { epoch: 2, acked: 2 }).await;
    let (events, seq, sent) = link.until_exit().await;
    assert_eq!(events, spool[2..], "from the third on, each once");
    assert_eq!((seq, &sent), (hello.next_seq, &report));
    link.ack(seq).await;
    assert_eq!(attempt.left(), Some(0));
    let texts = spool.iter().filter(|e| matches!(e.event, AgentEvent::Text { .. })).count();
    assert_eq!(texts, 300);
}

#[tokio::test]
async fn an_engine_that_had_everything_gets_nothing_twice() {
    let mut attempt = Attempt::of("echo one");
    let engine = attempt.engine();
    attempt.start();
    let mut link = engine.welcome(0).await;
    let (_, seq, report) = link.until_exit().await;
    // It stored the report, and died before it could say so.
    drop(link);
    let mut link = engine.welcome(seq).await;
    while let Some(frame) = link.try_next().await {
        assert!(matches!(frame, ShimFrame::Heartbeat(_)), "{frame:?}");
    }
    assert_eq!(attempt.left(), Some(0));
    assert_eq!(attempt.exit(), report);
}

#[test]
fn without_any_engine_the_report_is_on_disk_and_the_shim_leaves() {
    let mut attempt = Attempt::of("echo one");
    attempt.start();
    assert_eq!(attempt.left(), Some(0));
    assert_eq!(attempt.exit().outcome, Outcome::Ok);
    assert_eq!(attempt.spool().len(), 2);
}

/// Memory of a process in KiB by this field of its status.
fn status_kib(pid: i32, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix(field)).unwrap();
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}

#[tokio::test]
async fn fifty_megabytes_to_an_engine_that_does_not_read_cost_no_memory() {
    // Short lines, long lines, and 10 MB without any newline.
    let script = "yes 'a line of some fifty characters, as agents write it' | head -c 35000000; \
        for i in 1 2 3 4 5; do head -c 1000000 /dev/zero | tr '\\0' y; echo; done; head -c 10000000 /dev/zero | tr '\\0' z";
    let mut attempt = Attempt::of(script);
    let engine = attempt.engine();
    attempt.start();
    let mut link = engine.welcome(0).await;
    // Nothing is read from the link until the agent is done.
    let report = attempt.exit();
    assert_eq!(std::fs::metadata(attempt.path(files::STDOUT)).unwrap().len(), 50_000_005);
    let peak = status_kib(attempt.pid(), "VmHWM:");
    println!("peak resident size after 50 MB: {peak} KiB");
    assert!(peak < 32 << 10, "peak {peak} KiB");
    let (mut seq, mut cut) = (0, 0);
    let exit = loop {
        match link.next().await {
            ShimFrame::Event(event) => {
                seq += 1;
                assert_eq!(event.seq, seq);
                cut += u32::from(matches!(&event.event, AgentEvent::Text { text } if text.ends_with("bytes in all; see stdout.log)")));
            }
            ShimFrame::Heartbeat(_) => {}
            ShimFrame::Exit { seq: last, report } => break (last, report),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(exit, (seq + 1, report));
    assert_eq!(cut, 5, "lines of a megabyte were cut, and say so");
    link.ack(exit.0).await;
    assert_eq!(attempt.left(), Some(0));
}

#[test]
fn a_waiting_job_process_is_small() {
    let mut attempt = Attempt::of("echo up; exec tail -f /dev/null");
    let mut other = Attempt::of("echo up; exec tail -f /dev/null");
    for attempt in [&mut attempt, &mut other] {
        attempt.start();
        within(|| attempt.read(files::STDOUT).contains("up").then_some(()));
    }
    let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", attempt.pid())).unwrap();
    let kib = |field: &str| {
        let line = rollup.lines().find_map(|l| l.strip_prefix(field)).unwrap();
        line.trim_end_matches("kB").trim().parse::<u64>().unwrap()
    };
    let private = kib("Private_Dirty:") + kib("Private_Clean:");
    println!("job process: {private} KiB private, {} KiB resident", kib("Rss:"));
    assert!(private < 4 << 10, "{rollup}");
}

#[test]
fn a_disk_that_takes_no_more_costs_the_rest_of_the_log_and_nothing_else() {
    // No file may grow beyond 64 KiB: to a writer that is the same as a full disk, and needs no privilege.
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 128; exec \"$0\" \"$@\"", SHIM]);
    let mut attempt = Attempt::of("i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; yes err | head -c 100000 >&2");
    let report = attempt.start_through(limited).ended();
    assert_eq!(report.outcome, Outcome::Ok, "{}", report.message);
    assert_eq!(attempt.read(files::STDERR).len(), 64 << 10);
    assert_eq!(attempt.read(files::STDOUT).lines().count(), 2000);
    let spool = attempt.spool();
    assert!(spool.len() > 100, "and it has no half lines");
    assert!(spool.iter().enumerate().all(|(i, e)| e.seq == i as u64 + 1));
    assert!(attempt.read(files::SHIM_LOG).contains("cannot write"), "{}", attempt.read(files::SHIM_LOG));
}
