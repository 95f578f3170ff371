//! `orc memory core show|edit|check`: the lines that every job gets, and their budget.

use crate::cli::context::Context;
use crate::cli::error::{CliError, Kind, Result};
use crate::domain::Act;
use crate::engine::note_of_memory;
use crate::memory::core::{CoreMemory, CoreMemoryError, LINE_BUDGET};
use crate::os::files::{Durable, write_atomic};
use clap::{Args, Subcommand, ValueHint};
use serde_json::json;
use std::io::Read;
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub enum Verb {
    /// Print what every job gets
    Show,
    /// Change it in your editor ($VISUAL, $EDITOR); what is over the budget is not taken
    Edit(Edit),
    /// Check it against the budget
    Check,
}

#[derive(Args)]
pub struct Edit {
    /// Take this file's text instead of opening an editor; `-` for standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,
}

/// Runs a verb.
///
/// # Errors
/// The file; the editor; the budget.
pub fn run(cx: &mut Context, verb: Verb) -> Result {
    let path = cx.workspace()?.core_memory();
    match verb {
        Verb::Show => {
            let core = CoreMemory::load(&path)?;
            if cx.out.json {
                return cx.out.value(&json!({
                    "path": core.path, "lines": core.lines, "budget": LINE_BUDGET, "text": core.text, "problems": core.problems,
                }));
            }
            if core.text.is_empty() {
                cx.out.done("the core memory says nothing yet: `orc memory core edit`")
            } else {
                cx.out.block(&core.text)
            }
        }
        Verb::Check => {
            let core = CoreMemory::load(&path)?;
            if cx.out.json {
                cx.out.value(&json!({ "lines": core.lines, "budget": LINE_BUDGET, "problems": core.problems }))?;
            } else {
                for problem in &core.problems {
                    cx.out.line(problem)?;
                }
                if core.problems.is_empty() {
                    cx.out.done(&format!("{} of {LINE_BUDGET} lines", core.lines))?;
                }
            }
            if core.problems.is_empty() { Ok(()) } else { Err(CliError::told(Kind::Failure)) }
        }
        Verb::Edit(e) => edit(cx, &path, e.file.as_deref()),
    }
}

fn edit(cx: &mut Context, path: &Path, file: Option<&Path>) -> Result {
    // It goes into every prompt.
    let mut db = cx.writer()?;
    let who = cx.permit(&mut db, &Act::Steer("changing the core memory"))?;
    let before = read(path)?;
    let draft = cx.workspace()?.run_dir().join("core-memory.draft.md");
    // What the file said when the draft was begun: over another text the draft would undo what came between.
    let base = cx.workspace()?.run_dir().join("core-memory.draft.base.md");
    let after = match file {
        Some(file) => taken(file)?,
        None => {
            // What was refused last time is still there to be mended.
            let (refused, begun_on) = (read(&draft)?, read(&base)?);
            let goes_on = !refused.is_empty() && begun_on == before;
            if !refused.is_empty() && !goes_on && refused != begun_on {
                let aside = draft.with_extension("old.md");
                save(&aside, &refused, Durable::No)?;
                cx.out.done(&format!("{} has changed since: what was not taken over is in {}", path.display(), aside.display()))?;
            }
            save(&draft, if goes_on { &refused } else { &before }, Durable::No)?;
            save(&base, &before, Durable::No)?;
            edited(&draft)?
        }
    };
    let core = CoreMemory::of(path, &after);
    let kept = |why: String| {
        let hint = format!("your text is kept in {}; `orc memory core edit` opens it again", draft.display());
        save(&draft, &after, Durable::No)
            .and_then(|()| save(&base, &before, Durable::No))
            .err()
            .unwrap_or(CliError::refused(why).hint(hint))
    };
    if !core.problems.is_empty() {
        return Err(kept(format!("not taken over\n{}", core.problems.join("\n"))));
    }
    if after != before {
        if read(path)? != before {
            return Err(kept(format!("not taken over: {} has changed while you edited", path.display())));
        }
        save(path, &after, Durable::Yes)?;
        note_of_memory(&mut db, &who, &format!("changed the core memory: {} of {LINE_BUDGET} lines", core.lines), cx.now())?;
        cx.wake()?;
    }
    for left in [&draft, &base] {
        let _ = std::fs::remove_file(left);
    }
    let what = if after == before { "nothing was changed" } else { "saved: the next job gets it" };
    if cx.out.json {
        cx.out.value(&json!({ "changed": after != before, "lines": core.lines, "budget": LINE_BUDGET }))
    } else {
        cx.out.done(&format!("{what}; {} of {LINE_BUDGET} lines", core.lines))
    }
}

/// A file's text; one that is not there says nothing.
fn read(path: &Path) -> Result<String> {
    match std::fs::read_to_string(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        read => read.map_err(|e| CliError::workspace(format!("cannot read {}: {e}", path.display()))),
    }
}

fn save(path: &Path, text: &str, durable: Durable) -> Result {
    write_atomic(path, text.as_bytes(), durable).map_err(|e| CliError::workspace(e.to_string()))
}

fn taken(file: &Path) -> Result<String> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|mut f| f.read_to_string(&mut text))
    };
    read.map_err(|e| CliError::not_found(format!("cannot read {}: {e}", file.display())))?;
    Ok(text)
}

/// Runs the operator's editor on a file; what is in it then.
fn edited(draft: &Path) -> Result<String> {
    let set = |name: &str| std::env::var(name).ok().filter(|v| !v.trim().is_empty());
    let editor = set("VISUAL").or_else(|| set("EDITOR")).unwrap_or_else(|| "vi".to_owned());
    // EDITOR may carry arguments (`code --wait`), so a shell splits it, as git and others do; the path is an argument.
    let status = std::process::Command::new("/bin/sh").arg("-c").arg(format!("{editor} \"$@\"")).arg(&editor).arg(draft).status();
    match status {
        Ok(s) if s.success() => {}
        Ok(s) => return Err(CliError::new(Kind::Failure, format!("the editor `{editor}` ended with {s}; nothing was changed"))),
        Err(e) => return Err(CliError::new(Kind::Failure, format!("the editor `{editor}` cannot be started: {e}")).hint("set EDITOR")),
    }
    std::fs::read_to_string(draft).map_err(|e| CliError::workspace(format!("cannot read {}: {e}", draft.display())))
}

impl From<CoreMemoryError> for CliError {
    fn from(e: CoreMemoryError) -> CliError {
        CliError::workspace(e.to_string())
    }
}
