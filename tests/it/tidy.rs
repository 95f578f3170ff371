//! What one package has no compiler for: layers, sizes, forgotten files, words that do not belong in the repository.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Who may use whom: the table of `src/ARCHITECTURE.md`. A folder may use itself.
const LAYERS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("config", &["domain"]),
    ("os", &["domain"]),
    ("store", &["domain"]),
    ("wire", &["domain"]),
    ("memory", &["domain"]),
    ("engine", &["domain", "config", "os", "store", "wire", "memory"]),
    ("shim", &["domain", "os", "wire"]),
    ("cli", &["domain", "config", "os", "store", "wire", "memory", "engine"]),
    ("tui", &["domain", "config", "os", "store", "wire", "memory", "engine"]),
];

/// Lines that a file may have. The aim is 400.
const LINES: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below a folder, as paths from the package's root, without what was built.
fn files(below: &str) -> Vec<PathBuf> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                if !["target", ".git", "node_modules"].iter().any(|n| entry.file_name() == *n) {
                    walk(&path, found);
                }
            } else {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(below), &mut found);
    found.sort();
    found
}

fn rust(below: &str) -> Vec<(PathBuf, String)> {
    let is_rust = |p: &PathBuf| p.extension().is_some_and(|e| e == "rs");
    files(below).into_iter().filter(is_rust).map(|p| (p.clone(), fs::read_to_string(root().join(p)).unwrap())).collect()
}

/// The layer of a file in `src`; the files beside the folders belong to the programs.
fn layer(path: &Path) -> Option<&str> {
    let first = path.strip_prefix("src").unwrap().components().next()?.as_os_str().to_str()?;
    LAYERS.iter().map(|(name, _)| *name).find(|name| *name == first)
}

/// The layers that a text names: `crate::X`, `crate::{X, Y::z}`, and `super::` up to the root.
fn uses(text: &str, depth: usize) -> Vec<String> {
    let code: String = text.lines().map(|l| l.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let above = "super::".repeat(depth);
    let mut found = Vec::new();
    for start in ["crate::", above.as_str()] {
        for (at, _) in code.match_indices(start) {
            // `super::super::` is matched at each of its places: only the first counts.
            if code[..at].ends_with("super::") || code[..at].ends_with(|c: char| c == '_' || c.is_alphanumeric()) {
                continue;
            }
            let rest = &code[at + start.len()..];
            let names = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
            match rest.strip_prefix('{') {
                Some(group) => found.extend(top_of(group).iter().map(|item| names(item.trim()))),
                None => found.push(names(rest)),
            }
        }
    }
    found.retain(|name| name != "super");
    found
}

/// The items of a group of imports, without what stands in groups inside it.
fn top_of(group: &str) -> Vec<String> {
    let (mut depth, mut items) = (0, vec![String::new()]);
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => items.push(String::new()),
            c if depth == 0 => items.last_mut().unwrap().push(c),
            _ => {}
        }
    }
    items
}

#[test]
fn the_way_imports_are_read_sees_them() {
    let text =
        "use crate::{wire::{A, B}, os};\n// crate::tui\nfn f() { crate::store::x(); super::super::memory::y(); super::super::super::no() }";
    assert_eq!(uses(text, 2), ["wire", "os", "store", "memory"]);
}

#[test]
fn each_folder_uses_what_stands_left_of_it() {
    let mut wrong = Vec::new();
    let mut seen = BTreeMap::<&str, usize>::new();
    let sources = rust("src");
    for (path, text) in &sources {
        let Some(own) = layer(path) else { continue };
        let allowed = LAYERS.iter().find(|(name, _)| *name == own).unwrap().1;
        // A module's root is as many `super`s away as it has folders; one less from its own `mod.rs`.
        let folders = path.components().count() - 2;
        let depth = if path.ends_with("mod.rs") { folders } else { folders + 1 };
        for used in uses(text, depth) {
            if LAYERS.iter().any(|(name, _)| *name == used) {
                *seen.entry(own).or_default() += 1;
                if used != own && !allowed.contains(&used.as_str()) {
                    wrong.push(format!("{}: {own} uses {used}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "src/ARCHITECTURE.md does not allow it:\n{}", wrong.join("\n"));
    assert!(seen.len() + 1 >= LAYERS.len(), "nothing was read of some layers: {seen:?}");
}

/// The database and the vectors each have one home, and so has the terminal.
#[test]
fn each_heavy_library_has_one_home() {
    let homes = [
        ("rusqlite", "src/store"),
        ("lance", "src/memory"),
        ("lance_index", "src/memory"),
        ("lance_linalg", "src/memory"),
        ("arrow", "src/memory"),
        ("ratatui", "src/tui"),
        ("crossterm", "src/tui"),
    ];
    let mut wrong = Vec::new();
    for (path, text) in rust("src") {
        for (library, home) in homes {
            if !path.starts_with(home) && text.lines().any(|l| !l.trim_start().starts_with("//") && l.contains(&format!("{library}::"))) {
                wrong.push(format!("{} uses {library}, which belongs to {home}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// By the symbols of what was built: the compiler knows better than any list what a program reaches.
#[test]
fn the_small_programs_reach_neither_console_nor_vectors() {
    let has = |program: &str, symbol: &str| {
        let looked = std::process::Command::new("grep").args(["-aqF", symbol, program]).status().unwrap();
        looked.code().filter(|code| *code < 2).expect("grep reads the program") == 0
    };
    let orc = env!("CARGO_BIN_EXE_orc");
    for symbol in ["3orc3tui", "3orc6engine4core"] {
        assert!(has(orc, symbol), "symbols are not named like {symbol} any more: this test sees nothing");
    }
    for small in [env!("CARGO_BIN_EXE_pm"), env!("CARGO_BIN_EXE_orc-shim")] {
        for symbol in ["3orc3tui", "3orc6engine4core", "3orc6memory8semantic", "12ratatui_core", "5lance", "10lance_core", "11arrow_array"]
        {
            assert!(!has(small, symbol), "{small} reaches {symbol}");
        }
    }
}

#[test]
fn files_stay_small() {
    let long: Vec<String> = rust("src")
        .iter()
        .map(|(path, text)| (text.lines().count(), path))
        .filter(|(lines, _)| *lines > LINES)
        .map(|(lines, path)| format!("{lines} {}", path.display()))
        .collect();
    assert!(long.is_empty(), "over {LINES} lines (the aim is 400), to be split:\n{}", long.join("\n"));
}

/// A file that no `mod` names is compiled by nobody: a test in it never fails.
#[test]
fn no_file_is_forgotten() {
    let mut forgotten = Vec::new();
    for below in ["src", "tests/it"] {
        for (path, _) in rust(below) {
            let dir = path.parent().unwrap();
            let name = path.file_stem().unwrap().to_str().unwrap();
            if ["lib", "main", "build"].contains(&name) || path.starts_with("src/bin") {
                continue;
            }
            let (module, home) =
                if name == "mod" { (dir.file_name().unwrap().to_str().unwrap(), dir.parent().unwrap()) } else { (name, dir) };
            let above = [home.join("mod.rs"), home.with_extension("rs"), home.join("main.rs"), home.join("lib.rs")];
            let declares = |file: &PathBuf| {
                let text = fs::read_to_string(root().join(file)).unwrap_or_default();
                text.lines()
                    .map(str::trim)
                    .any(|l| l.strip_suffix(&format!("mod {module};")).is_some_and(|before| before.is_empty() || before.starts_with("pub")))
            };
            if !above.iter().any(declares) {
                forgotten.push(path.display().to_string());
            }
        }
    }
    assert!(forgotten.is_empty(), "no `mod` reaches {forgotten:?}");
}

/// Every file says what it is for, and every public type what it means. (Arguments of the command line say it to the reader of
/// `--help`, so theirs stands on the command.)
#[test]
fn files_and_public_types_say_what_they_are() {
    let mut silent = Vec::new();
    for (path, text) in rust("src") {
        if !text.starts_with("//!") {
            silent.push(format!("{}: no `//!` at its head", path.display()));
        }
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (i, line) in lines.iter().enumerate() {
            if !["pub struct ", "pub enum ", "pub trait "].iter().any(|start| line.starts_with(start)) || line.contains('$') {
                continue;
            }
            let mut above = lines[..i].iter().rev().skip_while(|l| l.starts_with("#["));
            let arguments = lines[i.saturating_sub(4)..i].iter().any(|l| {
                l.starts_with("#[derive(") && ["Args", "Subcommand", "Parser", "ValueEnum"].iter().any(|d| l.contains(d))
                    || l.starts_with("#[command")
            });
            if !arguments && !above.next().is_some_and(|l| l.starts_with("///") || l.ends_with("*/")) {
                silent.push(format!("{}:{}: {line}", path.display(), i + 1));
            }
        }
    }
    assert!(silent.is_empty(), "without a word of what it is:\n{}", silent.join("\n"));
}

#[test]
fn nothing_of_one_machine_is_in_the_repository() {
    let here = root().to_str().unwrap();
    // Pieces, so that this file does not name what it looks for.
    let hosts = ["index-", "extra-index-"]
        .map(|s| format!("{s}url"))
        .into_iter()
        .chain([["--", "registry"].concat(), ["artifact", "ory"].concat()]);
    let hosts: Vec<String> = hosts.collect();
    let mut wrong = Vec::new();
    for path in files(".") {
        let path = path.strip_prefix(".").unwrap_or(&path);
        // In a linked work tree `.git` is a file that names its home.
        if path == Path::new(".git") {
            continue;
        }
        let Ok(text) = fs::read_to_string(root().join(path)) else { continue };
        for (i, line) in text.lines().enumerate() {
            let at = || format!("{}:{}: {}", path.display(), i + 1, line.chars().take(120).collect::<String>());
            if here.len() > 1 && line.contains(here) || hosts.iter().any(|h| line.contains(h.as_str())) {
                wrong.push(at());
            }
            if line.contains(concat!("registry", "+")) && !line.contains("github.com/rust-lang/crates.io-index") {
                wrong.push(at());
            }
            if path.extension().is_some_and(|e| e == "snap") && line.starts_with("source: ") && line.contains("..") {
                wrong.push(at());
            }
        }
    }
    assert!(wrong.is_empty(), "paths or hosts of one machine:\n{}", wrong.join("\n"));
}

#[test]
fn the_top_level_holds_what_it_should() {
    let allowed = ["Cargo.toml", "Cargo.lock", "LICENSE", "README.md", "src", "skills", "config", "tests", "assets", "target"];
    let mut more: Vec<String> = fs::read_dir(root()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    more.retain(|name| !name.starts_with('.') && !allowed.contains(&name.as_str()));
    assert!(more.is_empty(), "{more:?} has no place at the top level");
}
