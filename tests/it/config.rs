//! The settings: the shipped file and the table agree, the layers, and every mistake told at once.

use orc::config::{BACKEND_KEYS, DEFAULT_SETTINGS, Layers, Origin, Problems, Settings, keys};
use orc::domain::Kind;
use std::path::PathBuf;
use std::time::Duration;

fn layers(file: &str) -> Layers {
    Layers { file: Some((PathBuf::from("/ws/orc.toml"), file.to_owned())), ..Layers::default() }
}

fn problems(file: &str) -> String {
    layers(file).read().expect_err("there is something wrong").to_string()
}

/// The shipped file with the `# ` taken from every line that sets something: `# key = value`, not `#   key = value`.
fn uncommented() -> String {
    fn sets(line: &str) -> Option<&str> {
        let (key, _) = line.strip_prefix("# ")?.split_once(" = ")?;
        key.chars().all(|c| c.is_ascii_lowercase() || c == '_').then_some(&line[2..])
    }
    DEFAULT_SETTINGS.lines().map(|line| sets(line).unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_shipped_file_sets_nothing_and_names_every_setting_at_its_default() {
    assert_eq!(layers(DEFAULT_SETTINGS).read().unwrap(), Settings::default());

    // the strict loader refuses any line of the file that the table does not know
    let all = layers(&uncommented()).read().unwrap_or_else(|e| panic!("{e}"));
    for key in keys() {
        assert!(matches!(all.origin(&key.name), Origin::File { .. }), "config/orc.toml lacks `{}`", key.name);
        assert_eq!(key.show(&all), key.show(&Settings::default()), "config/orc.toml gives another default for `{}`", key.name);
    }
}

#[test]
fn every_setting_in_the_shipped_file_carries_its_meaning_range_and_unit() {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
    for key in keys() {
        // a table's keys share the words above its header
        let start = match key.name.split_once('.') {
            Some((table, _)) => format!("[{table}]"),
            None => format!("# {} = ", key.name),
        };
        let at = DEFAULT_SETTINGS.find(&format!("\n{start}")).unwrap_or_else(|| panic!("config/orc.toml lacks {start}"));
        let lines: Vec<&str> = DEFAULT_SETTINGS[..=at].lines().rev().take_while(|l| l.starts_with("# ")).collect();
        let range = format!(
            "# {} {}",
            key.shape.range(),
            if ["share", "time", "bytes"].contains(&key.shape.unit()) { "" } else { key.shape.unit() }
        );
        assert_eq!(lines.first().copied(), Some(range.trim_end()), "the range of `{}`", key.name);
        let told = words(&lines[1..].iter().rev().map(|l| &l[2..]).collect::<Vec<_>>().join(" "));
        assert_eq!(told, words(key.doc), "the meaning of `{}`", key.name);
    }
}

#[test]
fn the_example_of_a_backend_in_the_shipped_file_names_every_key_and_is_valid() {
    let example: Vec<&str> = DEFAULT_SETTINGS.lines().filter_map(|l| l.strip_prefix("#   ")).collect();
    let settings = layers(&example.join("\n")).read().unwrap_or_else(|e| panic!("{e}"));
    for key in BACKEND_KEYS {
        let name = format!("backend.claude.{}", key.name);
        assert_ne!(*settings.origin(&name), Origin::Default, "the example lacks `{name}`");
    }
    let claude = &settings.backend["claude"];
    assert_eq!((claude.enabled, claude.concurrent, claude.per_minute), (Some(true), Some(4), Some(10)));
    assert_eq!(settings.model("claude", Kind::Plan), Some("opus"));
    assert_eq!(settings.model("claude", Kind::Triage), Some("haiku"));
    assert_eq!(settings.model("codex", Kind::Plan), None);
    assert_eq!(settings.keys["dispatch"], "n ctrl-n");
}

#[test]
fn defaults_are_those_of_the_specification() {
    let s = Settings::default();
    assert_eq!((s.max_running, s.reserved_slots, s.token_budget), (8, 1, 400_000));
    assert_eq!((s.backpressure_high, s.backpressure_low, s.backpressure_queue_depth), (0.8, 0.7, 5));
    assert_eq!((s.cache_read_weight, s.max_session_jobs, s.max_session_tokens), (0.0, 50, 150_000));
    let minutes = |m: u64| Duration::from_secs(60 * m);
    assert_eq!((s.token_window, s.starvation_after, s.stall_after), (minutes(5), minutes(30), minutes(15)));
    assert_eq!((s.timeout[Kind::Review], s.timeout[Kind::Code]), (minutes(15), minutes(60)));
    assert_eq!((s.timeout[Kind::Triage], s.heartbeat, s.tick), (Duration::from_secs(30), Duration::from_secs(30), Duration::from_secs(10)));
    assert_eq!((s.memory_low_water, s.disk_low_water, s.kill_grace), (1 << 30, 2 << 30, Duration::from_secs(10)));
    assert!(!s.stall_kill);
}

#[test]
fn each_layer_wins_over_the_one_below_and_every_key_knows_who_set_it() {
    let l = Layers {
        file: Some(("/ws/orc.toml".into(), "max_running = 2\n\ntick = \"3s\"\ntoken_budget = 5000\n[timeout]\ncode = \"2h\"\n".into())),
        environment: vec![
            ("ORC_TICK".into(), "4s".into()),
            ("ORC_TOKEN_BUDGET".into(), "6_000".into()),
            ("ORC_TIMEOUT_TRIAGE".into(), "1m".into()),
            ("ORC_WORKSPACE".into(), "/elsewhere".into()),
            ("ORC_ATTEMPT".into(), "x/7".into()),
        ],
        set: vec!["token_budget=7000".into(), "backend.claude.concurrent = 3".into()],
    };
    let s = l.read().unwrap();
    assert_eq!((s.max_running, s.tick.as_secs(), s.token_budget), (2, 4, 7000));
    assert_eq!((s.timeout[Kind::Code].as_secs(), s.timeout[Kind::Triage].as_secs()), (7200, 60));
    assert_eq!(s.backend["claude"].concurrent, Some(3));
    let told: Vec<String> = s.changed().map(|(k, o)| format!("{k} by {o}")).collect();
    assert_eq!(
        told,
        [
            "backend.claude.concurrent by --set",
            "max_running by /ws/orc.toml:1",
            "tick by $ORC_TICK",
            "timeout.code by /ws/orc.toml:6",
            "timeout.triage by $ORC_TIMEOUT_TRIAGE",
            "token_budget by --set",
        ]
    );
    assert_eq!(*s.origin("heartbeat"), Origin::Default);
}

#[test]
fn every_mistake_is_told_at_once_with_its_line_and_its_remedy() {
    insta::assert_snapshot!(problems(
        r#"max_runing = 4
max_running = 0
tick = 10
token_budget = "lots"
stall_kill = "yes"
theme = "pink"
timezone = "Mars/Olympus"
memory_low_water = "-1GiB"
max_running = 5
heartbeat = "2m
starvation_after = "8days"
timeout = "5m"
nonsense = 1

[timeout]
cod = "5m"

[backend.claude]
concurent = 2
per_minute = -1
models.depe = "opus"
env.ANTHROPIC_API_KEY = "sk-1"

[colours]
"#
    ));
}

#[test]
fn mistakes_in_environment_and_flags_name_their_source() {
    let l = Layers {
        file: None,
        environment: vec![
            ("ORC_MAX_RUNING".into(), "3".into()),
            ("ORC_TICK".into(), "soon".into()),
            ("ORC_SOMETHING_ELSE".into(), "1".into()),
        ],
        set: vec!["max_running".into(), "max_running=many".into(), "tik=3s".into()],
    };
    insta::assert_snapshot!(l.read().unwrap_err());
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    insta::assert_snapshot!(problems("backpressure_low = 0.9\nretry_max = \"1s\"\nheartbeat = \"10m\"\nstall_after = \"1m\"\n"));
}

#[test]
fn one_mistake_withholds_the_whole_file_so_that_a_reload_keeps_the_last_good_settings() {
    assert!(layers("max_running = 4\ntick = \"never\"\n").read().is_err());
    assert_eq!(layers("max_running = 4\n").read().unwrap().max_running, 4);
}

#[test]
fn what_is_read_from_a_workspace_is_its_own_file_and_its_absence_is_told() {
    let home = tempfile::tempdir().unwrap();
    let (workspace, _) = orc::config::init(home.path()).unwrap();
    std::fs::write(workspace.settings_file(), "max_running = 3\n").unwrap();
    let settings = orc::config::load(&workspace, &["reserved_slots=2".to_owned()]).unwrap();
    assert_eq!((settings.max_running, settings.reserved_slots), (3, 2));
    std::fs::remove_file(workspace.settings_file()).unwrap();
    let gone = orc::config::load(&workspace, &[]).unwrap_err().to_string();
    assert!(gone.contains("orc.toml:1: cannot read it") && gone.ends_with("`orc init` makes a new one where it is missing"), "{gone}");
}

proptest::proptest! {
    #[test]
    fn no_text_is_too_broken_to_be_told_about(
        lines in proptest::collection::vec("[a-z_.]{0,12} ?[=\\[\\]]{0,2} ?[\"'0-9a-zé\\-{},#]{0,12}", 0..12),
        set in "\\PC{0,30}",
        cut in 0_usize..4000,
    ) {
        let shipped: String = uncommented().chars().take(cut).collect();
        for file in [lines.join("\n"), format!("{shipped}\n{}", lines.join("\n"))] {
            let read = Layers { set: vec![set.clone()], ..layers(&file) }.read();
            if let Err(Problems(problems)) = read {
                let last = file.lines().count().max(1) + 1;
                for p in problems {
                    if let Origin::File { line, .. } = p.origin {
                        assert!((1..=last).contains(&line), "line {line} of {last}");
                    }
                    assert!(!p.what.is_empty() && !p.fix.is_empty());
                }
            }
        }
    }
}
