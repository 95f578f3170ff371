//! A clock that was set: the engine sees it by the kernel's count, says it once, and leaves it to `orc doctor`.

use super::Bench;
use orc::domain::{ClockMark, LogLine, Severity, Timestamp};

fn told(b: &Bench) -> Vec<LogLine> {
    b.store.log_after(0, usize::MAX >> 1).unwrap().into_iter().filter(|l| l.what == "clock").collect()
}

#[test]
fn a_clock_that_was_set_is_told_once_also_where_no_engine_ran_then() {
    let mut b = Bench::new(&["memory=false"]);
    b.start();
    let first: ClockMark = serde_json::from_str(&b.within(|| b.store.meta("clock_mark").unwrap())).unwrap();
    let job = b.run("true");
    b.ends(job);
    assert!(told(&b).is_empty(), "nothing was set");
    b.stop();
    // As if the clock had stood two hours back when the mark was made.
    let before = ClockMark { clock: Timestamp(first.clock.0 - 7_200_000), ..first };
    b.store.write(|tx| tx.set_meta("clock_mark", &serde_json::to_string(&before).unwrap())).unwrap();
    b.start();
    let line = b.within(|| told(&b).pop());
    assert!(line.severity == Severity::Warn && line.text.starts_with("the clock was set ahead by 7"), "{}", line.text);
    b.stop();
    b.start();
    let job = b.run("true");
    b.ends(job);
    assert_eq!(told(&b).len(), 1);
    let out = b.command("orc").args(["doctor", "--json"]).output().unwrap();
    assert!(String::from_utf8_lossy(&out.stdout).contains("set ahead by 7"));
}
