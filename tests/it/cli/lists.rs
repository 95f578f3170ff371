use super::{Bench, snapshot};

#[test]
fn projects_and_tasks() {
    let b = Bench::new();
    std::fs::create_dir(b.path("site")).unwrap();
    snapshot!(
        "projects",
        b.run("pm project ls"),
        b.run("pm project add --title 'The web site' --dir site"),
        b.run("pm task add --title 'Write the front page' --project-id 1"),
        b.run("pm job add --type shell --prompt true --project-id 1 --task-id 1"),
        b.run("pm project ls"),
        b.run("pm project show 1"),
        b.run("pm task ls"),
        b.run("pm task show 1"),
        b.run("pm project add --title 'The web site'"),
        b.run("pm project add --title 'The web site'"),
        b.run("pm project ls"),
        b.run("pm project add --title x --dir nowhere"),
        b.run("pm task add --title x --project-id 9"),
        b.run("pm task show 9"),
    );
}

#[test]
fn workers_and_lanes() {
    let b = Bench::new();
    snapshot!(
        "workers",
        b.run("orc worker ls"),
        b.run("orc worker add --name docs-writer --type claude"),
        b.run("orc worker add --name docs-writer --type claude"),
        b.run("orc worker add --name 7 --type claude"),
        b.run("orc worker ls"),
        b.run("orc worker show docs-writer"),
        b.run("orc worker pause docs-writer"),
        b.run("orc worker resume 1"),
        b.run("orc worker retire docs-writer"),
        b.run("orc worker ls --json"),
        b.run("orc worker pause docs-writer"),
        b.run("orc lane pause 2"),
        b.run("orc lane resume 2 --json"),
        b.run("orc lane pause 3"),
    );
}

#[test]
fn an_engine_that_is_not_there() {
    let b = Bench::new();
    snapshot!(
        "no-engine",
        b.run("orc engine status"),
        b.run("orc engine stop"),
        b.run("orc engine pause"),
        b.run("orc engine resume"),
        b.run("orc engine drain"),
        b.run("orc engine drain --off"),
        b.run("pm engine"),
    );
}
