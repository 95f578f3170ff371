//! States that cannot be: refused by the schema, whoever writes. The statements below are those of a program with a bug.

use super::*;

/// A running job (1, by worker 1 in attempt 1), a queued one (2), and an idle worker (2).
fn bench() -> Bench {
    let mut b = Bench::new();
    let (one, ann) = (b.job(), b.worker("ann"));
    b.add(JobSpec { dedup_key: Some("key".into()), ..spec() });
    b.worker("bob");
    b.claim(one, ann).unwrap();
    let new =
        orc::store::NewPlan { request: "Sell tea", project: None, message: None, priority: orc::domain::Priority::P2, on_failure: None };
    b.store
        .write(|tx| {
            tx.add_plan(&new, "operator", NOW)?;
            tx.add_message("Hello", "console", None, None, "operator", NOW).map(drop)
        })
        .unwrap();
    b
}

const ATTEMPT: &str =
    "INSERT INTO attempts (job_id, number, worker_id, worker, backend, epoch, host, token_hash, directory, started_at, estimate)";
const JOB: &str =
    "INSERT INTO jobs (title, prompt, backend, kind, priority, max_attempts, origin, created_at, state, queued_at, wait_reason,
    finished_at, dedup_key)";

#[test]
fn what_must_never_be_is_refused_by_the_database() {
    let b = bench();
    let db = b.raw();
    let before = b.dump();
    let cases = [
        ("a second open attempt of a job", format!("{ATTEMPT} VALUES (1, 2, 2, 'bob', 'claude', 1, 'h', 't', 'd', 1, 0)")),
        ("a second open attempt of a worker", format!("{ATTEMPT} VALUES (2, 1, 1, 'ann', 'claude', 1, 'h', 't', 'd', 1, 0)")),
        (
            "a second open job of a dedup key",
            format!("{JOB} VALUES ('t', 'p', 'b', 'other', 2, 1, 'cli', 1, 'queued', 1, NULL, NULL, 'key')"),
        ),
        ("a final state without its end", "UPDATE jobs SET state = 'done' WHERE id = 2".into()),
        ("an end of a job that is not over", "UPDATE jobs SET finished_at = 1 WHERE id = 2".into()),
        ("waiting for nothing", "UPDATE jobs SET state = 'waiting' WHERE id = 2".into()),
        ("a reason to wait without waiting", "UPDATE jobs SET wait_reason = 'date' WHERE id = 2".into()),
        ("running in no attempt", "UPDATE jobs SET state = 'running' WHERE id = 2".into()),
        ("queued since never", "UPDATE jobs SET queued_at = NULL WHERE id = 2".into()),
        ("a state that nobody knows", "UPDATE jobs SET state = 'cancelled' WHERE id = 2".into()),
        ("a priority below the lowest", "UPDATE jobs SET priority = 6 WHERE id = 2".into()),
        ("no attempts at all", "UPDATE jobs SET max_attempts = 0 WHERE id = 2".into()),
        ("an outcome of what is not over", "UPDATE attempts SET outcome = 'ok' WHERE id = 1".into()),
        ("an end without an outcome", "UPDATE attempts SET ended_at = 1 WHERE id = 1".into()),
        ("an outcome that nobody knows", "UPDATE attempts SET outcome = 'fine', ended_at = 1 WHERE id = 1".into()),
        ("an attempt of no job", "UPDATE attempts SET job_id = 99 WHERE id = 1".into()),
        ("a job that waits for a younger one", "INSERT INTO dependencies (job_id, depends_on) VALUES (1, 2)".into()),
        ("a job that waits for itself", "INSERT INTO dependencies (job_id, depends_on) VALUES (2, 2)".into()),
        ("two workers of one name", "UPDATE workers SET name = 'ann' WHERE id = 2".into()),
        ("a change of the audit log", "UPDATE events SET text = 'it was not me'".into()),
        ("a second engine", "INSERT INTO engine (id) VALUES (2)".into()),
        ("a proposal of nothing", "UPDATE plans SET state = 'proposed'".into()),
        ("a yes that nobody gave", "UPDATE plans SET state = 'approved', document = '{}'".into()),
        (
            "a plan at work in no project",
            "UPDATE plans SET state = 'dispatched', document = '{}', decided_by = 'me', dispatched_at = 1".into(),
        ),
        ("a message that waits for no time", "UPDATE messages SET stage = 'wait'".into()),
        ("a message that is over and has no end", "UPDATE messages SET stage = 'over'".into()),
        (
            "a message that is told twice",
            "INSERT INTO conversation SELECT NULL, 1, 1, 'message', 'me', 0, 'Hello', NULL, NULL, NULL, NULL".into(),
        ),
        ("text where a number belongs", "UPDATE jobs SET attempts = 'many' WHERE id = 2".into()),
    ];
    for (what, sql) in cases {
        let refused = db.execute(&sql, []);
        assert_eq!(
            refused.as_ref().err().and_then(rusqlite::Error::sqlite_error_code),
            Some(rusqlite::ErrorCode::ConstraintViolation),
            "{what}: {refused:?}"
        );
    }
    assert_eq!(b.dump(), before);
}

#[test]
fn the_same_statements_pass_where_they_are_possible() {
    let b = bench();
    let db = b.raw();
    db.execute(&format!("{ATTEMPT} VALUES (2, 1, 2, 'bob', 'claude', 1, 'h', 't', 'd', 1, 0)"), []).unwrap();
    db.execute("UPDATE jobs SET state = 'running', attempt_id = 2 WHERE id = 2", []).unwrap();
    db.execute("UPDATE attempts SET outcome = 'ok', ended_at = 1 WHERE id = 2", []).unwrap();
    db.execute("UPDATE jobs SET state = 'done', finished_at = 1 WHERE id = 2", []).unwrap();
    db.execute(&format!("{JOB} VALUES ('t', 'p', 'b', 'other', 2, 1, 'cli', 1, 'queued', 1, NULL, NULL, 'key')"), []).unwrap();
}
