//! The projects on screen, what their jobs deliver, and what the keys ask for.

use super::desk::Console;
use super::world::{self, ago, job};
use insta::assert_snapshot;
use orc::domain::{
    Command, Deliverable, FileForm, JobId, JobRow, JobState, Kind, OnFailure, Picture, Plan, PlanDocument, PlanId, PlanJob, PlanState,
    Priority, Progress, ProjectId, ProjectState, TaskId, preview,
};
use orc::tui::{Effect, Msg};
use orc::wire::{Answer, BranchRow, FileContent, PendingProject, PlanDetail, ProjectDetail, ProjectDisk, ProjectRow, Query, TaskRow};
use std::collections::BTreeMap;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 36), (200, 60)];

/// A deliverable in a list.
pub fn deliverable(name: &str, form: FileForm, bytes: Option<u64>, note: &str) -> Deliverable {
    Deliverable { name: name.to_owned(), form, bytes, changed_at: bytes.map(|_| ago(3_000)), note: note.to_owned() }
}

/// What any job of the tests delivers.
pub fn files() -> Vec<Deliverable> {
    vec![
        deliverable("report.md", FileForm::Markdown, Some(4_211), ""),
        deliverable("out/totals.csv", FileForm::Text, Some(812), ""),
        deliverable("out/chart.png", FileForm::Image, Some(48_100), ""),
        deliverable("out/book.pdf", FileForm::Binary, Some(1_204_000), ""),
        deliverable("notes.txt", FileForm::Missing, None, "not there yet"),
        deliverable("orc/job-1468-rate-limits", FileForm::Diff, None, "not merged"),
    ]
}

/// A deliverable as the desk reads it.
pub fn content(job: JobId, name: &str) -> Option<FileContent> {
    let row = files().into_iter().find(|d| d.name == name)?;
    let text = match row.form {
        FileForm::Markdown => "# Rate limits\n\nEach tenant has **its own** limit.\n\n- default 100/s\n- \u{1b}]0;owned\u{7}burst 20\n".to_owned(),
        FileForm::Text => format!("tenant,limit\nacme,100\nwide,{}\n", "0123456789 ".repeat(24)),
        FileForm::Diff => "diff --git a/src/limit.rs b/src/limit.rs\n--- a/src/limit.rs\n+++ b/src/limit.rs\n@@ -1,3 +1,3 @@\n fn limit() {\n-    100\n+    tenant.limit()\n }\n".to_owned(),
        FileForm::Missing => return None,
        _ => String::new(),
    };
    Some(FileContent {
        job,
        name: name.to_owned(),
        form: row.form,
        bytes: row.bytes.unwrap_or(text.len() as u64),
        cut: false,
        text,
        kind: if row.form == FileForm::Binary { "PDF document".to_owned() } else { String::new() },
        picture: (row.form == FileForm::Image).then(|| Picture { format: "PNG".to_owned(), width: 1280, height: 720 }),
        from: format!("/home/ops/acme/projects/api/{name}"),
    })
}

fn row(id: i64, title: &str, state: ProjectState, [jobs, done, running, failed]: [u32; 4]) -> ProjectRow {
    ProjectRow {
        id: ProjectId(id),
        title: title.to_owned(),
        state,
        created_at: ago(90_000),
        submitted_at: (state == ProjectState::PendingApproval).then(|| ago(1_200)),
        closed_at: (state == ProjectState::Approved).then(|| ago(40_000)),
        remark: (state == ProjectState::Rejected).then(|| "the totals of March are still wrong".to_owned()),
        jobs,
        done,
        running,
        failed,
        tasks: jobs / 2,
        tasks_done: done / 2,
        tokens: u64::from(jobs) * 41_000,
        cost_usd: f64::from(jobs) * 0.31,
    }
}

fn plan(id: i64, state: PlanState, states: &[JobState]) -> PlanDetail {
    let task = |key: &str, title: &str, kind: Kind, on: &[&str]| serde_json::json!({"key": key, "title": title, "kind": kind, "prompt": "p", "depends_on": on});
    let tasks = [
        task("schema", "Design the table of limits", Kind::Code, &[]),
        task("api", "Read limits per tenant", Kind::Code, &["schema"]),
        task("ui", "A page where support sets them", Kind::Code, &["schema"]),
        task("docs", "Write the page for customers", Kind::Writing, &["api", "ui"]),
    ];
    let document: PlanDocument =
        serde_json::from_value(serde_json::json!({"goal": "Each tenant has its own rate limit", "tasks": tasks})).unwrap();
    let keys = ["schema", "api", "ui", "docs"];
    let jobs: Vec<PlanJob> = states
        .iter()
        .zip(keys)
        .enumerate()
        .map(|(i, (state, key))| PlanJob {
            key: key.to_owned(),
            task: TaskId(i as i64),
            job: JobId([1466, 1467, 1320, 1469][i]),
            state: *state,
        })
        .collect();
    let count = |wanted: JobState| states.iter().filter(|s| **s == wanted).count() as u32;
    PlanDetail {
        preview: Some(preview(&document, &BTreeMap::new(), &BTreeMap::from([(Kind::Code, 40_000), (Kind::Writing, 20_000)]))),
        progress: Progress { tasks: 4, done: count(JobState::Done), running: count(JobState::Running), failed: count(JobState::Failed) },
        jobs,
        plan: Plan {
            id: PlanId(id),
            request: "limits per tenant".to_owned(),
            project: Some(ProjectId(2)),
            message: None,
            priority: Priority::P2,
            state,
            job: Some(JobId(1460)),
            returned: 0,
            document: Some(document),
            revision: 1,
            on_failure: Some(OnFailure::Hold),
            remark: None,
            note: Some("1 task waits for job 1320, which is not done: `orc job retry 1320`".to_owned()),
            made_by: "operator".to_owned(),
            decided_by: None,
            created_at: ago(9_000),
            proposed_at: None,
            decided_at: None,
            dispatched_at: None,
            finished_at: None,
        },
    }
}

fn failed(id: i64, title: &str) -> JobRow {
    JobRow {
        state: JobState::Failed,
        note: Some("error: the working tree has conflicts".to_owned()),
        finished_at: Some(ago(500)),
        ..job(id, title)
    }
}

/// One that waits for approval, one under way with a plan, one that was sent back, one that is closed.
pub fn projects() -> Vec<ProjectDetail> {
    let bare = |row: ProjectRow| ProjectDetail {
        row,
        folder: Some("/home/ops/acme/projects/api".to_owned()),
        test_command: None,
        tasks: Vec::new(),
        plans: Vec::new(),
        failed: Vec::new(),
        open: Vec::new(),
        branches: Vec::new(),
        files: Vec::new(),
    };
    let task = |id, title: &str, state: &str, jobs, done, failed| TaskRow {
        id: TaskId(id),
        title: title.to_owned(),
        state: state.to_owned(),
        jobs,
        done,
        failed,
    };
    let mut limits = bare(row(2, "Rate limits per tenant", ProjectState::Active, [20, 12, 2, 1]));
    limits.test_command = Some("cargo test -p limits".to_owned());
    limits.tasks = vec![
        task(11, "Design the table of limits", "done", 1, 1, 0),
        task(12, "Read limits per tenant", "open", 3, 1, 1),
        task(13, "Which default for trials?", "waiting", 0, 0, 0),
    ];
    limits.plans = vec![plan(3, PlanState::Dispatched, &[JobState::Done, JobState::Running, JobState::Failed, JobState::Waiting])];
    limits.failed = vec![failed(1320, "A page where support sets them")];
    limits.branches = vec![BranchRow {
        job: JobId(1466),
        name: "orc/job-1466-table-of-limits".to_owned(),
        title: "Design the table of limits".to_owned(),
        state: JobState::Done,
    }];
    limits.files = vec![(JobId(1466), files()[..3].to_vec())];
    vec![
        bare(row(4, "Move billing to the new ledger \u{1b}[31m日本語", ProjectState::PendingApproval, [9, 9, 0, 0])),
        limits,
        bare(row(3, "Import last year's orders", ProjectState::Rejected, [6, 5, 0, 1])),
        bare(row(1, "Website", ProjectState::Approved, [31, 30, 0, 1])),
    ]
}

fn disk(project: ProjectId) -> ProjectDisk {
    ProjectDisk {
        project,
        trees: 3,
        bytes: 1_300 << 20,
        frees: 400 << 20,
        stays: vec!["orc/job-1466-table-of-limits is not merged".to_owned()],
    }
}

/// What the desk answers of projects and deliverables.
pub fn answer(query: Query, projects: &[ProjectDetail]) -> Answer {
    match query {
        Query::Projects => Answer::Projects(projects.iter().map(|d| d.row.clone()).collect()),
        Query::Project { project } => match projects.iter().find(|d| d.row.id == project) {
            Some(d) => Answer::Project(Box::new(d.clone())),
            None => Answer::Failed { query, message: format!("there is no project {project}: `orc project ls` lists them") },
        },
        Query::Disk { project } => Answer::Disk(disk(project)),
        Query::File { job, ref name } => match content(job, name) {
            Some(c) => Answer::File(Box::new(c)),
            None => Answer::Failed { message: format!("{name}: it is not there"), query },
        },
        other => unreachable!("{other:?}"),
    }
}

fn filled(size: (u16, u16)) -> Console {
    let mut c = Console::new(size, world::busy());
    c.projects = projects();
    c
}

#[test]
fn the_projects_at_three_sizes() {
    for size in SIZES {
        for (name, keys) in [("projects", "w"), ("projects_selected", "w j j"), ("projects_in_full", "w j j enter")] {
            let mut c = filled(size);
            c.keys(keys);
            assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), c.screen());
        }
        let mut c = Console::new(size, world::empty());
        c.keys("w");
        assert_snapshot!(format!("projects_empty_{}x{}", size.0, size.1), c.screen());
    }
}

#[test]
fn what_a_job_delivers_at_three_sizes() {
    let scenes = [
        ("files", ""),
        ("files_markdown", " enter"),
        ("files_text", " j enter"),
        ("files_image", " j j enter"),
        ("files_binary", " j j j enter"),
        ("files_missing", " j j j j enter"),
        ("files_diff", " G enter"),
    ];
    for size in SIZES {
        for (name, keys) in scenes {
            let mut c = Console::new(size, world::busy());
            c.files = files();
            c.keys(&format!("2 j enter left left{keys}"));
            assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), c.screen());
        }
        let mut c = Console::new(size, world::busy());
        c.keys("2 j enter left left");
        assert!(c.screen().contains("declares no files"), "{}", c.screen());
    }
}

#[test]
fn a_deliverable_is_opened_copied_edited_as_a_copy_and_left() {
    let mut c = Console::new((80, 24), world::busy());
    c.files = files();
    // The overview names them, and leads there.
    c.keys("2 j enter left");
    for _ in 0..40 {
        c.keys("k");
    }
    let screen = c.screen();
    assert!(screen.contains("Delivers") || c.keys("j j j j j j j j j j j j").screen().contains("Delivers"), "{screen}");
    c.keys("right right right right right enter");
    assert!(c.asked.contains(&Query::File { job: JobId(1468), name: "report.md".to_owned() }));
    let screen = c.screen();
    assert!(
        screen.contains("its own") && screen.contains("burst 20") && !screen.contains("owned") && !screen.contains('\u{1b}'),
        "{screen}"
    );
    c.keys("y");
    assert!(matches!(c.effects.last(), Some(Effect::Copy(text)) if text.starts_with("# Rate limits")), "{:?}", c.effects.last());
    c.keys("ctrl-o");
    let Some(Effect::OpenEditor { text }) = c.effects.last().cloned() else { panic!("{:?}", c.effects.last()) };
    assert!(!text.contains('\u{1b}'));
    c.send(Msg::EditorDone(Ok(text.clone())));
    assert!(!c.screen().contains("that was a copy"));
    c.send(Msg::EditorDone(Ok(format!("{text} changed"))));
    assert!(c.screen().contains("that was a copy: report.md is as it was"), "{}", c.screen());
    // Of the list the name is copied.
    c.keys("esc j y");
    assert!(matches!(c.effects.last(), Some(Effect::Copy(text)) if text == "out/totals.csv"));
    c.keys("esc");
    assert!(c.screen().contains("▸Jobs"), "{}", c.screen());
}

#[test]
fn what_is_open_is_read_again_when_it_has_changed() {
    let mut c = Console::new((120, 36), world::busy());
    c.files = files();
    c.keys("2 j enter left left enter");
    let reads = |c: &Console| c.asked.iter().filter(|q| matches!(q, Query::File { .. })).count();
    let again = |c: &mut Console| {
        c.show(|s| {
            let mut line = s.log.last().unwrap().clone();
            line.id += 1;
            line.job = Some(JobId(1468));
            s.log.push(line);
        });
    };
    assert_eq!(reads(&c), 1);
    again(&mut c);
    assert_eq!(reads(&c), 1, "nothing has changed");
    c.files[0].bytes = Some(5_000);
    again(&mut c);
    assert_eq!(reads(&c), 2);
}

#[test]
fn enter_leads_from_a_project_to_jobs_changes_and_files() {
    let mut c = filled((120, 36));
    c.keys("w j j enter");
    assert!(c.asked.contains(&Query::Project { project: ProjectId(2) }));
    assert!(c.screen().contains("Plan 3: 1 of 4 done, 1 running, 1 failed"), "{}", c.screen());
    let seek = |c: &mut Console, words: &str| {
        c.keys("g");
        for _ in 0..80 {
            let screen = c.screen();
            if screen.lines().any(|l| l.contains('▌') && l.contains(words)) {
                return;
            }
            c.keys("j");
        }
        panic!("no line {words}:\n{}", c.screen());
    };
    seek(&mut c, "Read limits per tenant");
    c.keys("enter");
    assert!(c.asked.contains(&Query::Job { job: JobId(1467) }), "{:?}", c.asked);
    c.keys("esc");
    seek(&mut c, "done      orc/job-1466-table");
    c.keys("enter");
    assert!(c.asked.contains(&Query::File { job: JobId(1466), name: "orc/job-1466-table-of-limits".to_owned() }));
    c.keys("esc esc");
    seek(&mut c, "out/totals.csv");
    c.keys("enter");
    assert!(c.screen().contains("tenant,limit"), "{}", c.screen());
    c.keys("esc esc");
    // What failed is retried where it stands.
    seek(&mut c, "#1320 A page");
    c.keys("R");
    assert!(matches!(c.commands().last(), Some(Command::Retry { job: JobId(1320), .. })), "{:?}", c.commands());
    c.keys("esc");
    assert!(c.screen().contains("▸Projects"), "{}", c.screen());
}

#[test]
fn a_project_is_approved_sent_back_submitted_and_reopened() {
    let mut c = filled((120, 36));
    c.snapshot.pending = vec![PendingProject {
        id: ProjectId(4),
        title: "Move billing to the new ledger".to_owned(),
        submitted_at: Some(ago(1_200)),
        remark: None,
        jobs: 9,
        done: 9,
        failed: 0,
        tasks: 4,
        tasks_done: 4,
        tokens: 1,
        cost_usd: 1.0,
        newest: Vec::new(),
    }];
    c.show(|_| ());
    c.keys("w a");
    assert!(c.commands().is_empty(), "closing is asked first");
    c.keys("enter r 'no tests' enter");
    let project = ProjectId(4);
    let want = [Command::ApproveProject { project, remark: None }, Command::RejectProject { project, reason: "no tests".to_owned() }];
    assert_eq!(c.commands(), want);
    c.keys("j j a");
    assert!(c.screen().contains("project 2 does not wait for your word"), "{}", c.screen());
    c.keys(": 'submit project 2' enter : 'reopen project 1' enter");
    let want = [Command::SubmitProject { project: ProjectId(2) }, Command::ReopenProject { project: ProjectId(1) }];
    assert_eq!(c.commands()[2..], want);
    // From Approvals Enter opens it, and Esc leads back.
    c.keys("4 enter");
    assert!(c.screen().contains("it says that it is done"), "{}", c.screen());
    c.keys("esc");
    assert!(c.screen().contains("▸Approvals"), "{}", c.screen());
    c.keys(": 'goto projects' enter");
    assert!(c.screen().contains("▸Projects"), "{}", c.screen());
}

#[test]
fn the_disk_is_measured_once_beside_everything_else_and_again_on_demand() {
    let mut c = filled((120, 36));
    c.deaf = true;
    c.keys("w");
    let (rows, detail) = (projects().into_iter().map(|d| d.row).collect(), projects().swap_remove(0));
    c.send(Msg::Answer(Box::new(Answer::Projects(rows))));
    c.send(Msg::Answer(Box::new(Answer::Project(Box::new(detail)))));
    let measures = |c: &Console| c.asked.iter().filter(|q| matches!(q, Query::Disk { .. })).count();
    assert_eq!(measures(&c), 1);
    assert!(c.screen().contains("measuring …"), "{}", c.screen());
    c.keys("R j");
    assert_eq!(measures(&c), 1, "one at a time");
    c.keys("k");
    c.send(Msg::Answer(Box::new(Answer::Disk(disk(ProjectId(4))))));
    assert!(c.screen().contains("3 work trees, 1.3 GiB; `orc project clean 4` frees 400 MiB"), "{}", c.screen());
    c.keys("R");
    assert_eq!(measures(&c), 2);
    let query = Query::Disk { project: ProjectId(4) };
    c.send(Msg::Answer(Box::new(Answer::Failed { query, message: "cannot measure: git is not installed".to_owned() })));
    assert!(c.screen().contains("git is not installed"), "{}", c.screen());
}

#[test]
fn one_that_cannot_be_had_is_asked_for_once() {
    let mut c = filled((120, 36));
    c.projects.truncate(1);
    c.keys("w");
    c.projects.clear();
    c.send(Msg::Answer(Box::new(Answer::Projects(projects().into_iter().map(|d| d.row).collect()))));
    c.keys("j j");
    assert!(c.screen().contains("there is no project 2"), "{}", c.screen());
}
