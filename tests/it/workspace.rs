//! The workspace: made, found, and its files as they ship.

use orc::config::{BUILTIN_SKILLS, ConfigError, Persona, Step, Surroundings, Workspace, init, rules, skill, skill_names, skills};
use orc::memory::core::CoreMemory;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::tempdir;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

/// Every path below a folder, with its content, so that two states can be compared.
fn tree(root: &Path) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let mut found = Vec::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path.clone());
            }
            found.push((path.strip_prefix(root).unwrap().to_path_buf(), fs::read(&path).ok()));
        }
    }
    found.sort();
    found
}

#[test]
fn init_makes_the_whole_workspace_for_its_owner_only() {
    let home = tempdir().unwrap();
    let root = home.path().join("new/ws");
    let (workspace, report) = init(&root).unwrap();
    assert_eq!(mode(&root), 0o700);
    let made: Vec<String> = tree(&root).into_iter().map(|(p, _)| p.display().to_string()).collect();
    insta::assert_snapshot!(made.join("\n"));
    for (path, _) in tree(&root) {
        let (full, link) = (root.join(&path), root.join(&path).is_symlink());
        assert!(link || mode(&full) & 0o077 == 0, "{} is open to others", path.display());
    }
    assert_eq!(report.kept().count(), 0);
    assert!(report.steps.iter().all(|s| matches!(s, Step::Made(_))), "{:?}", report.steps);
    // each backend's CLI reads the same text
    let operating = fs::read(workspace.operating_file()).unwrap();
    for name in ["AGENTS.md", "GEMINI.md"] {
        assert!(root.join(name).is_symlink() && fs::read(root.join(name)).unwrap() == operating, "{name}");
    }
}

#[test]
fn init_again_changes_nothing_and_never_overwrites() {
    let home = tempdir().unwrap();
    init(home.path()).unwrap();
    fs::write(home.path().join("orc.toml"), "max_running = 3\n").unwrap();
    fs::write(home.path().join("personas/mine.md"), "# Mine\n").unwrap();
    fs::remove_file(home.path().join("AGENTS.md")).unwrap();
    fs::write(home.path().join("AGENTS.md"), "my own\n").unwrap();
    let before = tree(home.path());

    let (_, report) = init(home.path()).unwrap();
    assert_eq!(tree(home.path()), before);
    assert_eq!(report.made().count(), 0);
    assert!(report.notes().any(|(p, note)| p == Path::new("AGENTS.md") && note.contains("not a link")), "{:?}", report.steps);
}

#[test]
fn init_completes_what_is_missing_and_leaves_the_rest() {
    let home = tempdir().unwrap();
    fs::write(home.path().join("SOUL.md"), "mine\n").unwrap();
    let (_, report) = init(home.path()).unwrap();
    assert_eq!(fs::read_to_string(home.path().join("SOUL.md")).unwrap(), "mine\n");
    assert!(report.kept().any(|p| p == Path::new("SOUL.md")));
    assert!(report.made().any(|p| p == Path::new("CLAUDE.md")));
}

#[test]
fn two_inits_at_once_leave_one_whole_workspace() {
    let home = tempdir().unwrap();
    let results: Vec<_> = std::thread::scope(|s| {
        let inits: Vec<_> = (0..8).map(|_| s.spawn(|| init(home.path()).map(|(_, report)| report.made().count()))).collect();
        inits.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let made: usize = results.into_iter().map(|r| r.unwrap()).sum();
    let alone = tempdir().unwrap();
    let (_, report) = init(alone.path()).unwrap();
    assert_eq!(tree(home.path()), tree(alone.path()));
    // each path was made by exactly one of them
    assert_eq!(made, report.made().count());
}

#[test]
fn what_is_in_the_way_is_named() {
    let home = tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, "x").unwrap();
    let told = |dir: &Path| init(dir).unwrap_err().to_string();
    assert!(told(&file).contains("file is in the way: it is a file, and a workspace is a folder"), "{}", told(&file));
    let below = told(&file.join("ws"));
    assert!(
        below.contains(&format!("cannot make the folder {}", file.join("ws").display())) && below.contains("A file is where a folder"),
        "{below}"
    );

    let ws = home.path().join("ws");
    fs::create_dir(&ws).unwrap();
    fs::write(ws.join("run"), "x").unwrap();
    assert!(matches!(init(&ws), Err(ConfigError::InTheWay { path, .. }) if path.ends_with("ws/run")));
    // what it made until then is no workspace yet
    assert!(Workspace::open(&ws).is_err());
}

#[test]
fn the_nearer_name_wins_flag_variable_parent_data_folder() {
    let home = tempdir().unwrap();
    let make = |name: &str| {
        let dir = home.path().join(name);
        init(&dir).unwrap();
        fs::canonicalize(dir).unwrap()
    };
    let (flag, variable, parent, data) = (make("flag"), make("variable"), make("parent"), make("data"));
    let deep = parent.join("projects/a/b");
    fs::create_dir_all(&deep).unwrap();
    let mut at = Surroundings { named: Some(variable.clone().into()), here: Some(deep), data: Some(data.clone()) };
    let find = |named: Option<&Path>, at: &Surroundings| Workspace::find_from(named, at).map(|w| w.root().to_path_buf());
    assert_eq!(find(Some(&flag), &at).unwrap(), flag);
    assert_eq!(find(None, &at).unwrap(), variable);
    at.named = None;
    assert_eq!(find(None, &at).unwrap(), parent);
    at.here = Some(home.path().to_path_buf());
    assert_eq!(find(None, &at).unwrap(), data);
    at.data = Some(home.path().join("absent"));
    let none = find(None, &at).unwrap_err().to_string();
    assert!(none.starts_with("no workspace: no `orc.toml` here or in a parent folder") && none.contains("`orc init` makes one"), "{none}");

    // what was named and is none is an error, never a reason to look elsewhere
    at.named = Some(home.path().join("typo").into());
    let typo = find(None, &at).unwrap_err().to_string();
    assert!(typo.contains("typo is not a workspace") && typo.ends_with("ORC_WORKSPACE names it"), "{typo}");
}

#[test]
fn a_socket_that_lies_too_deep_is_reached_through_a_short_link() {
    let home = tempdir().unwrap();
    let deep = home.path().join("d".repeat(60)).join("e".repeat(60));
    let (workspace, _) = init(&deep).unwrap();
    let socket = workspace.socket();
    assert!(socket.as_os_str().len() <= 107, "{}", socket.display());
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    // it lies in the workspace all the same, and everybody finds the same path
    assert!(deep.join("run/engine.sock").exists());
    assert_eq!(Workspace::open(&deep).unwrap().socket(), socket);
    std::os::unix::net::UnixStream::connect(Workspace::open(&deep).unwrap().socket()).unwrap();
    drop(listener);
    fs::remove_file(socket.parent().unwrap()).unwrap();

    let (near, _) = init(&home.path().join("ws")).unwrap();
    assert_eq!(near.socket(), near.root().join("run/engine.sock"));
}

#[test]
fn a_run_folder_that_others_may_enter_is_closed() {
    let home = tempdir().unwrap();
    init(home.path()).unwrap();
    fs::set_permissions(home.path().join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    Workspace::open(home.path()).unwrap();
    assert_eq!(mode(&home.path().join("run")), 0o700);
}

#[test]
fn the_shipped_texts_are_within_their_limits_and_invent_no_incident() {
    let home = tempdir().unwrap();
    let (workspace, _) = init(home.path()).unwrap();
    let operating = fs::read_to_string(workspace.operating_file()).unwrap();
    let found = rules::parse(&operating);
    assert_eq!((found.rules.len(), found.problems.len()), (0, 0), "{found:?}");
    // the form that the section explains is the form that the parser reads
    let example = operating.lines().find(|l| l.contains("(incident blank-page")).unwrap();
    assert_eq!(rules::parse(&format!("## Critical rules\n{example}\n")).rules[0].incident, "blank-page");
    for section in ["Message triage", "Tool budget", "Plan preview gate", "Workspace map", "File zones", "File hygiene", "Critical rules"] {
        assert!(operating.lines().any(|l| l.trim_start_matches('#').trim() == section), "no section {section}");
    }

    let core = CoreMemory::load(&workspace.core_memory()).unwrap();
    assert_eq!(core.problems, Vec::<String>::new());
    assert!(!core.text.contains("<!--") && core.text.contains("## Operator"));
    assert_eq!(Persona::names(&workspace), ["critic", "engineer", "pulse", "researcher"]);
    for name in Persona::names(&workspace) {
        assert!(Persona::find(&workspace, &name).unwrap().text.len() > 500, "{name} says too little");
    }
    let stranger = Persona::find(&workspace, "wizard").unwrap_err().to_string();
    assert!(stranger.contains("there is no persona `wizard`") && stranger.contains("critic, engineer, pulse, researcher"), "{stranger}");
}

#[test]
fn every_folder_in_skills_is_built_in_and_reads_well() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("skills");
    let mut shipped: Vec<String> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    shipped.sort();
    assert_eq!(shipped, BUILTIN_SKILLS.iter().map(|(n, _)| *n).collect::<Vec<_>>());
    let empty = tempdir().unwrap();
    let all = skills(empty.path());
    assert!(all.problems.is_empty(), "{:?}", all.problems);
    for skill in all.skills.values() {
        let name = &skill.name;
        let written = BUILTIN_SKILLS.iter().find(|(n, _)| n == name).unwrap().1;
        assert!(written.contains(&format!("\nname: {name}\n")), "{name}: its own name differs");
        assert!(skill.description.len() > 60 && skill.description.len() <= 1024, "{name}: description");
        assert!(!skill.triggers.is_empty() && skill.version.is_some(), "{name}: triggers and version");
        assert!((40..=150).contains(&written.lines().count()), "{name}: {} lines", written.lines().count());
    }
}

#[test]
fn a_workspaces_skill_shadows_and_a_broken_one_is_named_by_file_and_line() {
    let home = tempdir().unwrap();
    let put = |name: &str, text: &str| {
        fs::create_dir_all(home.path().join(name)).unwrap();
        fs::write(home.path().join(name).join("SKILL.md"), text).unwrap();
    };
    let builtin = skill(home.path(), "writing").unwrap();
    assert!(builtin.folder().is_none() && builtin.hash.len() == 64);

    put(
        "writing",
        "---\nname: Writing Well\ndescription: >-\n  ours,\n  in two lines\nlicense: MIT\nversion: 1.10\nallowed-tools: Bash(git log:*) Read\nmetadata:\n  author: me\n  stars: 3\ntriggers: a, b c\nunknown: {x: [1]}\n---\n\n# Ours\n---\nkept\n",
    );
    let ours = skill(home.path(), "writing").unwrap();
    assert_eq!((ours.name.as_str(), ours.description.as_str(), ours.body.as_str()), ("writing", "ours, in two lines", "# Ours\n---\nkept"));
    assert_eq!(
        (ours.triggers.as_slice(), ours.allowed_tools.as_slice()),
        (["a".to_owned(), "b c".to_owned()].as_slice(), ["Bash(git log:*)".to_owned(), "Read".to_owned()].as_slice())
    );
    assert_eq!((ours.metadata["author"].as_str(), ours.metadata["stars"].as_str()), ("me", "3"));
    assert_ne!(ours.hash, builtin.hash);
    assert_eq!(ours.folder(), Some(home.path().join("writing").as_path()));

    put("crlf", "\u{feff}---\r\nname: crlf\r\ndescription: made elsewhere\r\n---\r\nBody\r\n");
    assert_eq!(skill(home.path(), "crlf").unwrap().body, "Body");

    put("no-front", "# Just text\n");
    put("no-end", "---\nname: x\ndescription: y\nbody\n");
    put("no-description", "---\nname: no-description\n---\nBody\n");
    put("bad-yaml", "---\nname: bad-yaml\ndescription: [a\n---\nBody\n");
    put("bad-list", "---\nname: bad-list\ndescription: d\ntriggers:\n  a: 1\n---\nBody\n");
    put("empty", "---\nname: empty\ndescription: d\n---\n\n");
    put("triage", "broken\n");
    let all = skills(home.path());
    let told: Vec<String> = all.problems.iter().map(|p| p.to_string().replace(&format!("{}/", home.path().display()), "")).collect();
    insta::assert_snapshot!(told.join("\n"));
    // a broken one does not bring the built-in one back behind the operator's back
    assert!(!all.skills.contains_key("triage") && all.skills.contains_key("planning"));

    assert!(skill(home.path(), "../writing").unwrap_err().to_string().contains("cannot be a skill's name"));
    let unknown = skill(home.path(), "wirting").unwrap_err().to_string();
    assert!(unknown.starts_with("there is no skill `wirting`. The skills: bad-list, bad-yaml, briefing, code-review"), "{unknown}");
    assert!(skill_names(home.path()).contains(&"crlf".to_owned()));
}

/// The commands that a text tells people and agents to run: program, verbs, flags.
fn commands(text: &str) -> Vec<(String, Vec<String>, Vec<String>)> {
    let spans = text.split('`').skip(1).step_by(2).chain(text.lines().filter_map(|l| l.strip_prefix("    ")));
    let mut found = Vec::new();
    for span in spans {
        let span = span.split([';', '|', '<']).next().unwrap();
        let mut words = span.split_whitespace();
        let program = words.next().unwrap_or_default().to_owned();
        if !["orc", "pm"].contains(&program.as_str()) {
            continue;
        }
        let words: Vec<&str> = words.collect();
        let verbs: Vec<String> = words
            .iter()
            .take_while(|w| w.starts_with(|c: char| c.is_ascii_lowercase()) && w.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
            .map(|w| (*w).to_owned())
            .collect();
        let flags = words.iter().filter(|w| w.starts_with("--")).map(|w| w.trim_end_matches(['.', ',']).to_owned()).collect();
        if !verbs.is_empty() {
            found.push((program, verbs, flags));
        }
    }
    found
}

#[test]
fn every_command_that_a_shipped_text_names_exists_with_its_flags() {
    let home = tempdir().unwrap();
    init(home.path()).unwrap();
    let mut texts: Vec<(String, String)> = BUILTIN_SKILLS.iter().map(|(n, t)| (format!("skills/{n}"), (*t).to_owned())).collect();
    for (path, content) in tree(home.path()) {
        if let Some(Ok(text)) = content.map(String::from_utf8) {
            texts.push((path.display().to_string(), text));
        }
    }
    let mut asked = std::collections::BTreeMap::new();
    let mut checked = 0;
    for (name, text) in &texts {
        for (program, verbs, flags) in commands(text) {
            let help = asked.entry((program.clone(), verbs.clone())).or_insert_with(|| {
                let bin = if program == "pm" { env!("CARGO_BIN_EXE_pm") } else { env!("CARGO_BIN_EXE_orc") };
                let out = std::process::Command::new(bin).args(&verbs).arg("--help").env("NO_COLOR", "1").output().unwrap();
                out.status.success().then(|| String::from_utf8(out.stdout).unwrap())
            });
            let help = help.as_ref().unwrap_or_else(|| panic!("{name}: there is no `{program} {}`", verbs.join(" ")));
            for flag in &flags {
                assert!(help.contains(flag.as_str()), "{name}: `{program} {}` has no {flag}", verbs.join(" "));
            }
            checked += 1;
        }
    }
    assert!(checked > 30, "only {checked} commands were found in the texts");
}
