//! How `orc` hosts an engine or a console.

use orc::cli::{CliError, EngineOptions, Kind, Result, TuiOptions};
use orc::config::{Backend, Settings, Workspace, backends, find_program, skill_names};
use orc::engine::{HostError, Seat, SeatOptions, run_headless};
use orc::store::Store;
use orc::telemetry;
use orc::tui::{Choices, Ground, Keymap, Setup};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// Runs a headless engine until it ends.
pub fn engine(options: EngineOptions) -> Result {
    if options.detached {
        // A process that leads its session already has nothing to leave.
        orc::os::process::leave_session();
    }
    let workspace = options.workspace;
    let settings = settings(&workspace, &options.set)?;
    let _log = telemetry::start(&log_dir(&workspace)?).map_err(CliError::workspace)?;
    match run_headless(workspace, settings) {
        Ok(why) => {
            eprintln!("engine left: {why}");
            Ok(())
        }
        Err(e) => Err(told(&e)),
    }
}

/// Opens the console, and hosts the engine where none runs.
pub fn tui(options: TuiOptions) -> Result<ExitCode> {
    let workspace = match options.workspace {
        Some(workspace) => workspace,
        None => orc::cli::demo::make()?,
    };
    let farewell = workspace.is_demo().then(|| orc::cli::demo::farewell(&workspace));
    let settings = settings(&workspace, &options.set)?;
    let log = log_dir(&workspace)?;
    let _log = telemetry::start(&log).map_err(CliError::workspace)?;
    let setup = Setup {
        keymap: Keymap::new(&settings.keys).map_err(|all| {
            CliError::workspace(all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")).hint("mend `keys` in orc.toml")
        })?,
        ground: match settings.theme.as_str() {
            "dark" => Some(Ground::Dark),
            "light" => Some(Ground::Light),
            _ => None,
        },
        monochrome: !options.color,
        choices: choices(&workspace, &settings),
        read_only: options.watch,
        clipboard: workspace.run_dir().join("clipboard"),
        drafts: workspace.root().join("drafts"),
        notices: settings.notices.clone(),
        scratch: workspace.run_dir(),
        stderr: Some(log.join("stderr.log")),
    };
    let program = orc::os::program("orc");
    let seat = Seat::open(workspace, settings, SeatOptions { program, only_attach: options.watch })
        .map_err(|e| CliError::workspace(format!("cannot start a thread: {e}")))?;
    let code = orc::tui::run(seat, setup).map_err(|e| CliError::new(Kind::Failure, e.to_string()))?;
    if let Some(farewell) = farewell {
        eprintln!("{farewell}");
    }
    Ok(code)
}

fn settings(workspace: &Workspace, set: &[String]) -> Result<Arc<Settings>> {
    orc::config::load(workspace, set)
        .map(Arc::new)
        .map_err(|problems| CliError::workspace(problems.to_string()).hint("mend it; `orc doctor` checks the rest"))
}

fn log_dir(workspace: &Workspace) -> Result<std::path::PathBuf> {
    let dir = workspace.log_dir();
    orc::os::files::private_dir(&dir).map_err(|e| CliError::workspace(e.to_string()))?;
    Ok(dir)
}

fn told(e: &HostError) -> CliError {
    match e {
        HostError::Held { .. } => CliError::refused(e.to_string()).hint("`orc engine status` shows it, `orc engine stop` ends it"),
        _ => CliError::workspace(e.to_string()),
    }
}

fn choices(workspace: &Workspace, settings: &Settings) -> Choices {
    let found = backends(workspace, settings).map(|b| b.0).unwrap_or_default();
    let mut models: Vec<String> = found.values().flat_map(|b| b.models.values().cloned()).collect();
    models.extend(settings.backend.values().flat_map(|b| b.models.values().cloned()));
    models.sort();
    models.dedup();
    let projects = Store::open_reader(&workspace.database()).and_then(|s| s.projects()).unwrap_or_default();
    // the agents first, those that are on this machine before the others; then what needs no model, then what needs a setting
    let missing: BTreeMap<String, String> = found
        .values()
        .filter(|b| !b.program.starts_with('{') && find_program(Path::new(&b.program)).is_none())
        .map(|b| (b.name.clone(), b.fix.clone()))
        .collect();
    let mut backends: Vec<&Backend> = found.values().collect();
    let rank = |b: &Backend| match b.name.as_str() {
        "http" | "replay" => 2,
        _ if b.uses_model() => 0,
        _ => 1,
    };
    backends.sort_by_key(|b| (rank(b), missing.contains_key(&b.name)));
    Choices {
        backends: backends.into_iter().map(|b| b.name.clone()).collect(),
        missing,
        models,
        skills: skill_names(&workspace.skills_dir()),
        projects: projects.into_iter().map(|p| (p.id, p.title)).collect(),
    }
}
