//! What a verb needs, found only when it is asked for: a submission reads no configuration that it does not use.

use super::args::Globals;
use super::error::{CliError, Result};
use super::output::Out;
use super::wake::{self, Knock};
use crate::config::{self, Backend, Settings, Workspace};
use crate::domain::{Act, Actor, Applied, Command, Job, JobId, Timestamp};
use crate::engine::actor;
use crate::os::clock;
use crate::store::{self, Store};
use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;

/// The command line's surroundings.
pub struct Context {
    pub globals: Globals,
    pub out: Out,
    workspace: OnceCell<Workspace>,
    /// Who acts: it takes a look at every process above this one.
    who: OnceCell<Actor>,
    knock: Cell<Option<Knock>>,
}

/// The write-ahead log is brought in when it is longer than this, in bytes: about ten submissions.
const LONG_LOG: u64 = 256 << 10;

/// What a submitted change met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    There,
    Absent,
}

impl Context {
    /// From the global flags.
    pub fn new(globals: Globals) -> Context {
        let out = Out::new(globals.json, globals.quiet, globals.color);
        Context { globals, out, workspace: OnceCell::new(), who: OnceCell::new(), knock: Cell::new(None) }
    }

    /// The wall clock.
    pub fn now(&self) -> Timestamp {
        clock::now()
    }

    /// The workspace.
    ///
    /// # Errors
    /// There is none.
    pub fn workspace(&self) -> Result<&Workspace> {
        if let Some(found) = self.workspace.get() {
            return Ok(found);
        }
        let found = Workspace::find(self.globals.workspace.as_deref())?;
        Ok(self.workspace.get_or_init(|| found))
    }

    /// The settings, with those given by --set. Read anew each time: most commands need none.
    ///
    /// # Errors
    /// No workspace, or a broken configuration; every mistake is named.
    pub fn settings(&self) -> Result<Settings> {
        Ok(config::load(self.workspace()?, &self.globals.set)?)
    }

    /// True if some layer of the settings says something about `key`: a look at the text, so that a submission that needs one
    /// setting parses the file only where it has to.
    pub fn sets(&self, key: &str) -> bool {
        let file = self.workspace().ok().and_then(|w| std::fs::read_to_string(w.settings_file()).ok()).unwrap_or_default();
        !self.globals.set.is_empty()
            || std::env::var_os(format!("ORC_{}", key.to_uppercase())).is_some()
            || file.lines().map(str::trim_start).any(|l| !l.starts_with('#') && l.contains(key))
    }

    /// The backends by name, and what is wrong with descriptions.
    ///
    /// # Errors
    /// No workspace, a broken configuration, or the folder of descriptions cannot be read.
    pub fn backends(&self) -> Result<(BTreeMap<String, Backend>, Vec<String>)> {
        let workspace = self.workspace()?;
        let cannot = |e| CliError::workspace(format!("cannot read the backends in {}: {e}", workspace.backends_dir().display()));
        config::backends(workspace, &self.settings()?).map_err(cannot)
    }

    /// The database, for reading.
    ///
    /// # Errors
    /// No workspace, or no database that this version reads.
    pub fn reader(&self) -> Result<Store> {
        Ok(Store::open_reader(&self.workspace()?.database())?)
    }

    /// The database, for writing.
    ///
    /// # Errors
    /// No workspace, or no database that this version writes.
    pub fn writer(&self) -> Result<Store> {
        Ok(Store::open(&self.workspace()?.database())?)
    }

    /// Who acts: the worker of the job that this process belongs to, else the operator.
    ///
    /// # Errors
    /// No workspace; the database.
    pub fn who(&self, store: &Store) -> Result<Actor> {
        let workspace = self.workspace()?;
        let known = self.who.get().cloned().map_or_else(|| actor::this(store, workspace), Ok)?;
        Ok(self.who.get_or_init(|| known).clone())
    }

    /// Who acts, once they have been asked whether they may.
    ///
    /// # Errors
    /// `Refused`, with the rule that forbids it; the database.
    pub fn permit(&self, store: &mut Store, act: &Act<'_>) -> Result<Actor> {
        let (who, now) = (self.who(store)?, self.now());
        // A transaction only where there is something to refuse: it is an fsync.
        if who.may(act).is_err() {
            store.write(|tx| tx.permit(&who, act, now))?.map_err(|refusal| CliError::refused(refusal.to_string()))?;
        }
        Ok(who)
    }

    /// Lets the engine know that a change is about to come, so that it has less to do when it has.
    ///
    /// # Errors
    /// No workspace.
    pub fn knock(&self) -> Result {
        self.knock.set(Knock::at(&self.workspace()?.socket()));
        Ok(())
    }

    /// Tells the engine, if there is one, that the database has changed.
    ///
    /// # Errors
    /// No workspace.
    pub fn wake(&self) -> Result<Engine> {
        let there = self.knock.take().is_some_and(Knock::wake) || wake::wake(&self.workspace()?.socket());
        Ok(if there { Engine::There } else { Engine::Absent })
    }

    /// Tells the engine of a change; without one, keeps the write-ahead log short. Whoever opens the database first reads the
    /// whole log, so that with no engine to bring it in each submission would cost more than the one before.
    ///
    /// # Errors
    /// No workspace.
    pub fn wake_or_tidy(&self, store: &Store) -> Result<Engine> {
        let met = self.wake()?;
        let mut log = store.path().as_os_str().to_owned();
        log.push("-wal");
        if met == Engine::Absent && std::fs::metadata(log).is_ok_and(|m| m.len() > LONG_LOG) {
            // The change is safe already; a checkpoint that fails is tried by the next one.
            let _ = store.empty_log();
        }
        Ok(met)
    }

    /// Applies a command; what it says when it is done.
    ///
    /// # Errors
    /// `Refused` when it cannot be done; the database.
    pub fn apply(&self, store: &mut Store, command: &Command) -> Result<String> {
        let actor = self.who(store)?;
        let now = self.now();
        match store.write(|tx| store::apply(tx, command, &actor, now))? {
            Applied::Done { message, .. } => Ok(message),
            Applied::Added { job, .. } => Ok(format!("job {job}")),
            Applied::Planned { plan } => Ok(format!("plan {plan}")),
            Applied::Sent { message } => Ok(format!("message {message}")),
            Applied::Stale { message } | Applied::Refused { message } => Err(CliError::refused(message)),
        }
    }

    /// A job that has to exist.
    ///
    /// # Errors
    /// It does not.
    pub fn job(&self, store: &Store, id: JobId) -> Result<Job> {
        store.job(id)?.ok_or_else(|| CliError::not_found(format!("there is no job {id}")).hint("`orc job ls --all` lists them"))
    }

    /// Runs `f` for each job, says what each came to, and fails as the first failure did once all had their turn.
    ///
    /// # Errors
    /// The first failure, told already.
    pub fn each(&mut self, ids: &[JobId], mut f: impl FnMut(&mut Context, JobId) -> Result<String>) -> Result {
        let mut first = None;
        let mut rows = Vec::new();
        for &id in ids {
            match f(self, id) {
                Ok(message) => {
                    self.out.done(&message)?;
                    rows.push(serde_json::json!({ "id": id, "ok": true, "message": message }));
                }
                Err(e) => {
                    super::complain(&e);
                    rows.push(serde_json::json!({ "id": id, "ok": false, "message": e.message }));
                    first.get_or_insert(e.kind);
                }
            }
        }
        if self.out.json {
            self.out.value(&rows)?;
        }
        first.map_or(Ok(()), |kind| Err(CliError::told(kind)))
    }
}
