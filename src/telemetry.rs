//! The program's own log: a file a day in the workspace, never the terminal.

use std::path::Path;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling::{Builder, Rotation};
use tracing_subscriber::EnvFilter;

/// Days of logs that are kept.
const KEEP: usize = 14;

/// The environment variable with the filter, such as `info,orc::engine=debug`.
pub const FILTER: &str = "ORC_LOG";

/// Writes what the program traces into `dir/orc.DATE.log` until the guard is dropped. A line that cannot be written is lost:
/// logging never holds up the engine or the console.
///
/// # Errors
/// The folder cannot be written, or `ORC_LOG` is no filter.
pub fn start(dir: &Path) -> Result<WorkerGuard, String> {
    let filter = match std::env::var(FILTER) {
        Ok(text) if !text.is_empty() => EnvFilter::try_new(&text)
            .map_err(|e| format!("{FILTER}=`{text}` is no filter: {e}. Give levels such as `info` or `warn,orc::engine=debug`"))?,
        _ => EnvFilter::new("info"),
    };
    let file = Builder::new()
        .rotation(Rotation::DAILY)
        .filename_prefix("orc")
        .filename_suffix("log")
        .max_log_files(KEEP)
        .build(dir)
        .map_err(|e| format!("cannot write logs in {}: {e}. Check the folder's permissions", dir.display()))?;
    let (writer, guard) = tracing_appender::non_blocking(file);
    // A second start in one process (a test) keeps the first subscriber.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(false).with_target(true).try_init();
    Ok(guard)
}
