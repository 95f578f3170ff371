//! Descriptions, rendered and refused.

use super::load::{all, parse};
use super::*;
use std::path::Path;

fn input<'a>() -> RenderInput<'a> {
    RenderInput {
        model: Some("m1"),
        session: Some("s1"),
        resume: false,
        title: "T",
        attempt_dir: Path::new("/a/7"),
        system_file: Path::new("/a/7/system.md"),
        prompt_file: Path::new("/a/7/prompt.md"),
        cwd: Path::new("/w/drafts"),
        workspace: Path::new("/w"),
        in_repository: false,
        version: None,
        system: "SYS",
        prompt: "P",
        inside_workspace: true,
        root: true,
        shim: Path::new("orc-shim"),
    }
}

fn shown(r: &Rendered) -> String {
    let env: Vec<String> = r.env.iter().map(|(k, v)| format!("{k}={v}")).collect();
    format!("{}\n  {}\n  {:?}", r.argv.join(" "), env.join(" "), r.prompt)
}

#[test]
fn command_lines() {
    let mut all = String::new();
    for (name, backend) in built_in() {
        let new = RenderInput { session: (backend.session == SessionId::Chosen).then_some("s1"), ..input() };
        all += &format!("{name}\n  {}\n\n", shown(&backend.render(&new)));
        if backend.resumes() {
            all += &format!("{name}, resumed\n  {}\n\n", shown(&backend.render(&RenderInput { resume: true, ..input() })));
        }
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_plain_call_has_no_more_than_it_needs() {
    let plain = RenderInput { model: None, system: "", inside_workspace: false, root: false, ..input() };
    for (name, backend) in built_in() {
        let r = backend.render(&RenderInput { session: (backend.session == SessionId::Chosen).then_some("s1"), ..plain });
        assert_eq!(r.prompt, "P", "{name}");
        let all = shown(&r);
        for gone in ["m1", "system", "IS_SANDBOX", "Excludes", "project_doc", "PROJECT_CONFIG"] {
            assert!(!all.contains(gone), "{name}: {all}");
        }
    }
}

#[test]
fn only_versions_that_know_a_flag_get_it() {
    let flag = |version: Option<&str>, resume| {
        let version = version.map(|v| v.parse().unwrap());
        built_in()["claude"].render(&RenderInput { version, resume, ..input() }).argv.contains(&"--system-prompt-snapshot".to_owned())
    };
    assert!(flag(Some("2.1.330"), true) && flag(None, true), "what cannot be told counts as new");
    assert!(!flag(Some("2.1.197"), true));
    assert!(!flag(Some("2.1.330"), false));
}

#[test]
fn a_repository_inside_the_workspace_keeps_its_own_instructions() {
    let isolated = |name: &str, in_repository| {
        let all = shown(&built_in()[name].render(&RenderInput { in_repository, ..input() }));
        ["Excludes", "project_doc", "PROJECT_CONFIG"].iter().any(|w| all.contains(w))
    };
    for name in ["codex", "opencode"] {
        assert!(isolated(name, false) && !isolated(name, true), "{name}");
    }
    assert!(isolated("claude", true), "it reads on above the repository");

    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("projects/site/src");
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::create_dir(dir.path().join(".git")).unwrap();
    assert!(!in_repository(&deep, dir.path()), "the workspace's own repository is no other");
    std::fs::write(dir.path().join("projects/site/.git"), "gitdir: elsewhere").unwrap();
    assert!(in_repository(&deep, dir.path()));
    assert!(!in_repository(dir.path(), dir.path()));
}

#[test]
fn what_replaces_a_placeholder_is_not_looked_at_again() {
    let backend = parse(
        "name = \"x\"\ndialect = \"text\"\nprogram = \"x\"\nargs = ['{title}', '{\"a\":\"{cwd:json}\"}', '{env:KEY}', '{', '{}']",
        "x",
    )
    .unwrap();
    let r = backend.render(&RenderInput { title: "{cwd} {", cwd: Path::new("/w/\"q\""), ..input() });
    assert_eq!(r.argv[1..], ["{cwd} {", r#"{"a":"/w/\"q\""}"#, "{env:KEY}", "{", "{}"].map(str::to_owned));
}

#[test]
fn marks_of_an_agent_around_us_are_not_inherited_but_logins_are() {
    let removed = built_in()["claude"].render(&input()).env_remove;
    let is_removed = |name: &str| removed.iter().any(|r| r.strip_suffix('*').map_or(r == name, |start| name.starts_with(start)));
    assert!(["CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT", "GEMINI_CLI", "CODEX_SANDBOX_NETWORK_DISABLED"].iter().all(|n| is_removed(n)));
    let logins = built_in().into_values().flat_map(|b| b.signed_in);
    assert!(logins.chain(["CLAUDE_CODE_MAX_OUTPUT_TOKENS".to_owned()]).all(|name| !is_removed(&name)));
}

#[test]
fn mistakes_are_named_with_what_would_be_right() {
    let says = |more: &str| parse(&format!("name = \"x\"\ndialect = \"claude\"\nprogram = \"x\"\n{more}"), "x.toml").unwrap_err();
    assert!(
        says("args = ['{sesion}']").starts_with("x.toml: `{sesion}` is not one of {model}, {session}"),
        "{}",
        says("args = ['{sesion}']")
    );
    assert!(says("resume_args = ['--continue']").contains("some other session"));
    assert!(says("session = 'chosen'").contains("no argument passes"));
    assert!(
        says("[[when]]\nat_least = '2'").starts_with("x.toml:5: `2` is not a version like 1.2.3"),
        "{}",
        says("[[when]]\nat_least = '2'")
    );
    assert!(parse("name = 'a b'\ndialect = 'text'\nprogram = 'x'", "x.toml").unwrap_err().contains("one word"));
}

#[test]
fn a_broken_description_is_named_and_the_others_stand() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bad.toml"), "name = \"x\"\ndialect = \"claude\"\nprogram = \"x\"\ncolour = 1\n").unwrap();
    std::fs::write(dir.path().join("mine.toml"), "name = \"mine\"\ndialect = \"text\"\nprogram = \"cat\"\n").unwrap();
    let (found, problems) = all(dir.path()).unwrap();
    assert!(found.contains_key("mine") && found.contains_key("claude"));
    assert_eq!(problems.len(), 1);
    assert!(problems[0].contains("bad.toml:4: unknown field `colour`"), "{}", problems[0]);
}
