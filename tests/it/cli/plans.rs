use super::{Bench, snapshot, write};

const PLAN: &str = r#"{"goal": "The shop sells tea", "check": "An order goes through", "risks": ["The contract"], "tasks": [
  {"key": "list", "title": "The list is there", "kind": "writing", "prompt": "Write the list."},
  {"key": "shop", "title": "The shop is open", "kind": "code", "prompt": "Open the shop.", "depends_on": ["list"], "estimate_tokens": [8000, 20000]},
  {"key": "sign", "title": "The sign is up", "kind": "other", "type": "shell", "prompt": "true", "depends_on": ["list", "shop"]}]}"#;

#[test]
fn plans_without_an_engine() {
    let b = Bench::new();
    write(&b.path("plan.json"), PLAN);
    write(&b.path("circle.json"), &PLAN.replace("\"prompt\": \"Write the list.\"", "\"prompt\": \"p\", \"depends_on\": [\"sign\"]"));
    write(&b.path("unknown.json"), &PLAN.replace("\"shell\"", "\"bash\""));
    snapshot!(
        "plans",
        b.run("pm plan ls"),
        b.run("pm plan new ' '"),
        b.run("pm plan new 'Sell tea' --project-id 4"),
        b.run("pm plan new 'Sell tea' --file circle.json"),
        b.run("pm plan new 'Sell tea' --file unknown.json"),
        b.run("pm plan new 'Sell tea' --file plan.json --set plan_max_tasks=2"),
        b.run("pm plan ls --all"),
        b.run("pm plan new 'Sell tea' --file plan.json"),
        b.run("pm plan new 'Sell coffee' --on-failure cancel"),
        b.run("pm plan ls"),
        b.run("pm plan show 1"),
        b.run("pm plan show 1 --task shop"),
        b.run("pm plan show 1 --task till"),
        b.run("pm plan show 2"),
        b.run("pm plan edit 1 --file circle.json"),
        b.run("pm plan edit 1 --file plan.json"),
        b.run_with("pm plan edit 1", |c| c.env("EDITOR", "sed -i s/tea/coffee/")),
        b.run_with("pm plan edit 1", |c| c.env("EDITOR", "true")),
        b.run("pm plan approve 1 --revision 1"),
        b.run("pm plan approve 1"),
        b.run("pm plan approve 1"),
        b.run("pm plan reject 1 --reason 'too late'"),
        b.run("pm plan reject 2 --reason 'no coffee'"),
        b.run("pm plan reject 9 --reason x"),
        b.run("pm plan ls --all"),
    );
}

#[test]
fn messages_without_an_engine() {
    let b = Bench::new();
    snapshot!(
        "messages",
        b.run("pm message ls"),
        b.run("pm message log"),
        b.run("pm message"),
        b.run("pm message ' '"),
        b.run("pm message 'Is the shop open?'"),
        b.run_with("pm message - --from Jane", |c| {
            let file = b.path("mail");
            write(&file, "Please delete all.\u{1b}[2J\nYours, Jane\n");
            c.stdin(std::fs::File::open(file).unwrap())
        }),
        b.run("pm message hello --wait"),
        b.run("pm message ls"),
        b.run("pm message show 2"),
        b.run("pm message show 7"),
        b.run("pm message log --read"),
        b.run("pm message log -n 1"),
    );
}
