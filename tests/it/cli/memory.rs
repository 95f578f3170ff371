use super::{Bench, snapshot, write};
use std::process::Stdio;

#[test]
fn memories_are_kept_found_changed_forgotten_and_brought_back() {
    let b = Bench::new();
    snapshot!(
        "memory-life",
        b.run("orc memory ls"),
        b.run("orc memory add 'The staging database is reset every Monday at 06:00.' --category fact --importance 0.7"),
        b.run("orc memory add 'Invoices go out as PDF, never as Word files.' -c preference -i 0.9"),
        b.run("orc memory add 'A mail from the carrier says that parcels over 30 kg are refused.' --external"),
        b.run("orc memory add 'x' --importance 3"),
        b.run("orc memory add '   '"),
        b.run("orc memory ls"),
        b.run("orc memory show 3"),
        b.run("orc memory edit 1 --text 'The staging database is reset every Sunday at 06:00.' --importance 0.8"),
        b.run("orc memory edit 1"),
        b.run("orc memory forget 2 7"),
        b.run("orc memory ls --category preference"),
        b.run("orc memory ls --standing forgotten"),
        b.run("orc memory restore 2"),
        b.run("orc memory conflicts"),
        b.run("orc memory settle 1 both"),
        b.run("orc memory stats"),
        b.run("orc memory show 99"),
    );
}

#[test]
fn a_search_says_what_its_score_is_made_of() {
    let b = Bench::new();
    b.do_all(&[
        "orc memory add 'The staging database is reset every Monday at 06:00.' --importance 0.7",
        "orc memory add 'Invoices go out as PDF, never as Word files.' -c preference",
    ]);
    let found = b.json("orc memory search 'when is the staging database reset' --json");
    assert_eq!(
        (found[0]["id"].as_i64(), found[0]["category"].as_str(), found[0]["penalised"].as_bool()),
        (Some(1), Some("fact"), Some(false))
    );
    let term = |name: &str| found[0]["terms"][name].as_f64().unwrap();
    let score = 0.45 * term("similarity") + 0.25 * term("recency") + 0.2 * term("importance") + 0.1 * term("access");
    assert!((score - found[0]["score"].as_f64().unwrap()).abs() < 1e-6, "{found}");
    assert!((term("importance") - 0.7).abs() < 1e-6, "{found}");
    let text = b.run("orc memory search 'when is the staging database reset' --explain");
    assert!(text.contains("SIMILAR") && text.contains("score = 0.45 similar + 0.25 recent + 0.2 important + 0.1 access"), "{text}");
    assert_eq!(b.json("orc memory show 1 --json")["access_count"], 0, "a search is no recall");
}

#[test]
fn what_is_exported_can_be_imported_and_a_wrong_line_imports_nothing() {
    let b = Bench::new();
    write(
        &b.path("facts.jsonl"),
        "{\"text\":\"Port 8443 is the proxy's.\",\"category\":\"fact\",\"importance\":0.4,\"source\":\"wiki\",\"created_at\":\"2026-01-02T03:04:05Z\"}\n\n\
         {\"text\":\"Anna decides on prices.\",\"category\":\"person\",\"importance\":0.6}\n",
    );
    assert_eq!(b.json("orc memory import facts.jsonl --json"), serde_json::json!({"added": 2, "merged": 0}));
    assert_eq!(b.json("orc memory import facts.jsonl --json"), serde_json::json!({"added": 0, "merged": 2}));
    let first = b.json("orc memory show 1 --json");
    assert_eq!(
        (&first["source"], &first["created_at"]),
        (&serde_json::json!({"from": "import", "name": "wiki"}), &"2026-01-02T03:04:05.000Z".into())
    );
    write(
        &b.path("bad.jsonl"),
        "{\"text\":\"fine\",\"category\":\"fact\",\"importance\":1}\n{\"text\":\"a\",\"category\":\"rule\",\"importance\":1}\nnonsense\n",
    );
    let text = b.run("orc memory import bad.jsonl");
    assert!(text.contains("[exit 2]") && text.contains("bad.jsonl:2: ") && text.contains("bad.jsonl:3: "), "{text}");
    assert_eq!(b.json("orc memory ls --json").as_array().unwrap().len(), 2);

    let out = b.command("orc").args(["memory", "export"]).output().unwrap();
    write(&b.path("all.jsonl"), &String::from_utf8(out.stdout).unwrap());
    let other = Bench::new();
    let done = other.command("orc").args(["memory", "import"]).arg(b.path("all.jsonl")).stderr(Stdio::inherit()).status().unwrap();
    assert!(done.success());
    let pick = |v: serde_json::Value| {
        v.as_array().unwrap().iter().map(|m| (m["text"].clone(), m["source"].clone(), m["created_at"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(pick(other.json("orc memory ls --json")), pick(b.json("orc memory ls --json")));
}

#[test]
fn the_core_memory_keeps_its_budget() {
    let b = Bench::new();
    write(&b.path("long.md"), &"a line\n".repeat(81));
    write(&b.path("good.md"), "# Core\n\n- We ship on Thursdays.\n");
    write(&b.path("editor"), "#!/bin/sh\necho '- Edited.' >> \"$1\"\n");
    snapshot!(
        "memory-core",
        b.run("orc memory core edit --file long.md"),
        b.run("orc memory core edit --file good.md"),
        b.run("orc memory core show"),
        b.run_with("orc memory core edit", |c| c.env("EDITOR", format!("sh {}", b.path("editor").display()))),
        b.run("orc memory core show"),
        b.run_with("orc memory core edit", |c| c.env("EDITOR", "false")),
    );
    std::fs::copy(b.path("long.md"), b.workspace().join("core-memory.md")).unwrap();
    let text = b.run("orc memory core check");
    assert!(text.contains("[exit 1]") && text.contains("81 lines, 1 over its budget of 80"), "{text}");
    assert!(b.run("orc doctor").contains("81 lines, 1 over its budget"));
}

#[test]
fn a_day_is_reviewed_only_where_there_is_a_backend_for_it() {
    let b = Bench::new();
    snapshot!(
        "memory-review",
        b.run("orc memory consolidate"),
        b.run("orc --set memory_backend=replay memory consolidate --day 2020-01-01"),
        b.run("orc memory why 1"),
        b.run("pm memory ls"),
    );
}

#[test]
fn what_was_forgotten_or_superseded_stays_that_in_another_workspace() {
    let b = Bench::new();
    // As an export of a store in which memory 1 was superseded by 4, and 2 was forgotten.
    let line = |id: u32, text: &str, more: &str| {
        format!(
            "{{\"id\":{id},\"text\":\"{text}\",\"category\":\"fact\",\"importance\":0.5,\"source\":{{\"from\":\"operator\"}},\
             \"external\":{},\"created_at\":\"2026-01-0{id}T00:00:00.000Z\"{more}}}\n",
            id == 4
        )
    };
    let recalled = ",\"last_recalled_at\":\"2026-02-01T00:00:00.000Z\",\"access_count\":7";
    let text = line(1, "The port is 80.", ",\"superseded_by\":4,\"superseded_at\":\"2026-01-04T00:00:00.000Z\",\"disputed\":true")
        + &line(2, "Anna is on leave.", ",\"forgotten_at\":\"2026-01-05T00:00:00.000Z\"")
        + &line(3, "Ship on Thursdays.", recalled)
        + &line(4, "The port is 81.", "")
        + &line(5, "The cat is grey.", ",\"superseded_by\":99,\"superseded_at\":\"2026-01-06T00:00:00.000Z\"");
    write(&b.path("all.jsonl"), &text);
    b.do_all(&["orc memory add 'Something of its own.'"]);
    assert_eq!(b.json("orc memory import all.jsonl --json"), serde_json::json!({"added": 5, "merged": 0}));
    assert_eq!(b.json("orc memory import all.jsonl --json"), serde_json::json!({"added": 0, "merged": 5}));
    let of = |id: u32| b.json(&format!("orc memory show {id} --json"));
    assert_eq!((&of(2)["superseded_by"], &of(2)["disputed"]), (&serde_json::json!(5), &serde_json::json!(true)), "by its number here");
    assert_eq!(of(3)["forgotten_at"], "2026-01-05T00:00:00.000Z");
    assert_eq!((&of(4)["access_count"], &of(4)["last_recalled_at"]), (&serde_json::json!(7), &"2026-02-01T00:00:00.000Z".into()));
    assert_eq!(of(6)["forgotten_at"], "2026-01-06T00:00:00.000Z", "what superseded it did not come along");
    assert_eq!(b.json("orc memory ls --json").as_array().unwrap().len(), 3);
    assert_eq!(b.json("orc memory conflicts --json").as_array().unwrap().len(), 1);
    // And the way back.
    let out = b.command("orc").args(["memory", "export", "--all"]).output().unwrap();
    let other = Bench::new();
    write(&other.path("all.jsonl"), &String::from_utf8(out.stdout).unwrap());
    assert_eq!(other.json("orc memory import all.jsonl --json")["added"], 6);
    for id in 1..=6 {
        assert_eq!(other.json(&format!("orc memory show {id} --json")), of(id));
    }
}

#[test]
fn a_draft_that_was_refused_is_not_put_over_a_newer_core_memory() {
    let b = Bench::new();
    write(&b.path("long"), "#!/bin/sh\nseq 90 >> \"$1\"\n");
    write(&b.path("short"), "#!/bin/sh\ncp \"$1\" seen; echo '- Edited.' >> \"$1\"\n");
    let edit = |editor: &str| b.run_with("orc memory core edit", |c| c.env("EDITOR", format!("sh {}", b.path(editor).display())));
    let refused = edit("long");
    assert!(refused.contains("not taken over") && refused.contains("[exit 4]"), "{refused}");
    assert!(edit("long").contains("not taken over"), "it is opened again, to be mended");
    write(&b.path("newer.md"), "- Newer.\n");
    b.do_all(&["orc memory core edit --file newer.md"]);
    let text = edit("short");
    assert!(text.contains("saved"), "{text}");
    assert_eq!(std::fs::read_to_string(b.workspace().join("core-memory.md")).unwrap(), "- Newer.\n- Edited.\n");
    // One that was changed by hand since.
    edit("long");
    write(&b.workspace().join("core-memory.md"), "- By hand.\n");
    let text = edit("short");
    assert!(text.contains("has changed since") && text.contains("saved"), "{text}");
    assert_eq!(std::fs::read_to_string(b.workspace().join("core-memory.md")).unwrap(), "- By hand.\n- Edited.\n");
}
