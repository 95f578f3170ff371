//! Process trees: who descends from whom, who carries an attempt's mark, what they use, and how they are ended.
//!
//! Killing a process group is not enough: the tools that coding agents start run in groups and sessions of their own. A
//! subreaper keeps every descendant below itself; the mark in the environment finds them when the subreaper itself is gone.

use super::process::{Handle, Pid, Signal, Stat, signal_group, stat};
use rustix::process::{WaitOptions, waitpid};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The variable whose value marks every process of an attempt.
pub const MARK: &str = "ORC_ATTEMPT";

/// How long a sweep goes on against processes that do not die (uninterruptible ones, or ones that fork without end).
const SWEEP_LIMIT: Duration = Duration::from_secs(5);

/// Every descendant of `root`, zombies included, `root` itself not.
pub fn descendants(root: i32) -> Vec<Stat> {
    if kernel_lists_children() { walk(root, children) } else { walk_table(root, &table()) }
}

/// Every ancestor of `pid`, the nearest first; up to the first process of the system or of a container.
pub fn ancestors(pid: i32) -> Vec<Stat> {
    let mut found = Vec::new();
    let mut above = stat(pid).map_or(0, |s| s.ppid);
    while let Some(stat) = (above > 1).then(|| stat(above)).flatten() {
        above = stat.ppid;
        found.push(stat);
    }
    found
}

/// Linux lists a task's children directly where it is built with `CONFIG_PROC_CHILDREN`; else all of `/proc` is read.
fn kernel_lists_children() -> bool {
    static LISTS: OnceLock<bool> = OnceLock::new();
    *LISTS.get_or_init(|| Path::new("/proc/thread-self/children").exists())
}

fn walk(root: i32, children: impl Fn(i32) -> Vec<i32>) -> Vec<Stat> {
    let mut seen = BTreeSet::from([root]);
    let mut todo = vec![root];
    let mut found = Vec::new();
    while let Some(pid) = todo.pop() {
        for child in children(pid) {
            if seen.insert(child) {
                found.extend(stat(child));
                todo.push(child);
            }
        }
    }
    found
}

/// A process's children, over all its threads: each thread lists those that it has forked or was given.
fn children(pid: i32) -> Vec<i32> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists = threads.flatten().filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<i32>>()).collect()
}

fn walk_table(root: i32, table: &BTreeMap<i32, Stat>) -> Vec<Stat> {
    let mut by_parent: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for stat in table.values() {
        by_parent.entry(stat.ppid).or_default().push(stat.pid);
    }
    let mut found = walk(root, |pid| by_parent.get(&pid).cloned().unwrap_or_default());
    found.retain(|s| table.contains_key(&s.pid));
    found
}

fn pids() -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn table() -> BTreeMap<i32, Stat> {
    pids().filter_map(|pid| Some((pid, stat(pid)?))).collect()
}

/// The living processes that were started with `ORC_ATTEMPT=<mark>`, the calling process excepted. One that empties its
/// environment before it starts others hides them from this; a subreaper or a cgroup does not lose them.
pub fn marked(mark: &str) -> Vec<Stat> {
    let entry = format!("{MARK}={mark}");
    let me = std::process::id() as i32;
    let carries = |pid: &i32| {
        std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| environ.split(|b| *b == 0).any(|var| var == entry.as_bytes()))
    };
    pids().filter(|pid| *pid != me).filter(carries).filter_map(stat).filter(|s| !s.is_dead()).collect()
}

/// Which processes belong together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scope<'a> {
    /// These and their descendants. The calling process may be named as a root, but is never itself in its scope.
    pub roots: &'a [i32],
    /// Signalled as a whole, besides one by one.
    pub group: Option<i32>,
    /// Those that carry this mark, and their descendants. Costs a read of all of `/proc`.
    pub mark: Option<&'a str>,
}

/// What a sweep found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Living processes that were found and signalled, each counted once.
    pub found: u32,
    /// Those that were still there when it gave up.
    pub left: Vec<i32>,
}

impl Scope<'_> {
    /// The living processes of the scope, each once.
    pub fn living(&self) -> Vec<Stat> {
        let mut all: BTreeMap<i32, Stat> = BTreeMap::new();
        let mut tops: Vec<Stat> = self.roots.iter().filter_map(|pid| stat(*pid)).collect();
        tops.extend(self.mark.map(marked).unwrap_or_default());
        for top in tops {
            all.insert(top.pid, top);
            all.extend(descendants(top.pid).into_iter().map(|s| (s.pid, s)));
        }
        all.remove(&(std::process::id() as i32));
        all.into_values().filter(|s| !s.is_dead()).collect()
    }

    /// Ends every process of the scope: SIGTERM, up to `grace` to go by themselves, then SIGKILL until none is found.
    /// Blocks for `grace` and a few seconds at worst.
    pub fn end(&self, grace: Duration) -> Swept {
        let mut seen = BTreeSet::new();
        let mut living = self.living();
        if living.is_empty() {
            return Swept::default();
        }
        if grace > Duration::ZERO {
            self.group.map(|group| signal_group(group, Signal::TERM));
            let until = Instant::now() + grace;
            // A stopped process takes a SIGTERM only when it continues.
            self.signal(&living, &[Signal::TERM, Signal::CONT], until, &mut seen);
            living = self.living();
        }
        let until = Instant::now() + SWEEP_LIMIT;
        while !living.is_empty() && Instant::now() < until {
            self.group.map(|group| signal_group(group, Signal::KILL));
            self.signal(&living, &[Signal::KILL], until, &mut seen);
            living = self.living();
        }
        Swept { found: seen.len() as u32, left: living.iter().map(|s| s.pid).collect() }
    }

    /// Signals each process and waits for all of them, until `until` at the latest.
    fn signal(&self, living: &[Stat], signals: &[Signal], until: Instant, seen: &mut BTreeSet<(i32, u64)>) {
        let handles: Vec<Handle> = living.iter().filter_map(|s| Handle::open(s.pid, s.start_time)).collect();
        seen.extend(living.iter().map(|s| (s.pid, s.start_time)));
        for handle in &handles {
            for signal in signals {
                handle.signal(*signal);
            }
        }
        for handle in &handles {
            handle.ended_within(until.saturating_duration_since(Instant::now()));
        }
    }
}

/// Waits for those children of the calling process that have ended, each by its number, `spare` excepted (someone else waits
/// for that one). "Any child" is never waited for. Returns how many there were.
pub fn reap(spare: Option<i32>) -> u32 {
    let me = std::process::id() as i32;
    let own: Vec<i32> =
        if kernel_lists_children() { children(me) } else { table().values().filter(|s| s.ppid == me).map(|s| s.pid).collect() };
    let ended = own.into_iter().filter(|pid| Some(*pid) != spare && stat(*pid).is_some_and(|s| s.is_dead()));
    ended.filter(|pid| matches!(waitpid(Pid::from_raw(*pid), WaitOptions::NOHANG), Ok(Some(_)))).count() as u32
}

/// What a tree uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// CPU time of the living, and of the dead that one of them (or the root) has waited for. Never of the root itself.
    pub cpu_ms: u64,
    pub rss_bytes: u64,
    /// Living processes.
    pub processes: u32,
}

/// What the descendants of `root` use.
pub fn load(root: i32) -> Load {
    let (tick_hz, page) = units();
    let all = descendants(root);
    let waited = stat(root).map_or(0, |s| s.cpu_waited);
    let ticks = waited + all.iter().map(|s| s.cpu + s.cpu_waited).sum::<u64>();
    let living = || all.iter().filter(|s| !s.is_dead());
    Load { cpu_ms: ticks * 1000 / tick_hz, rss_bytes: living().map(|s| s.rss * page).sum(), processes: living().count() as u32 }
}

/// Clock ticks a second and bytes a page: AT_CLKTCK and AT_PAGESZ of the auxiliary vector (getauxval(3)).
fn units() -> (u64, u64) {
    static UNITS: OnceLock<(u64, u64)> = OnceLock::new();
    *UNITS.get_or_init(|| {
        const WORD: usize = size_of::<usize>();
        let auxv = std::fs::read("/proc/self/auxv").unwrap_or_default();
        let word = |bytes: &[u8]| usize::from_ne_bytes(bytes.try_into().expect("chunks of a word's size"));
        let pairs: BTreeMap<usize, usize> = auxv.chunks_exact(2 * WORD).map(|p| (word(&p[..WORD]), word(&p[WORD..]))).collect();
        let of = |key: usize, otherwise: u64| pairs.get(&key).map_or(otherwise, |v| *v as u64).max(1);
        (of(17, 100), of(6, 4096))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command, Stdio};

    /// A shell with a child in a session of its own; both ignore SIGTERM. Returns when both are up.
    fn stubborn(mark: &str) -> Child {
        let script = "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo up; exec tail -f /dev/null' & wait";
        let mut child = Command::new("sh").args(["-c", script]).env(MARK, mark).process_group(0).stdout(Stdio::piped()).spawn().unwrap();
        let mut up = [0; 3];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut up).unwrap();
        // Its last exec is under way, during which a process shows neither memory nor environment.
        let until = Instant::now() + Duration::from_secs(20);
        let is_tail = |s: &Stat| std::fs::read(format!("/proc/{}/comm", s.pid)).is_ok_and(|comm| comm == b"tail\n") && s.state == b'S';
        while !descendants(child.id() as i32).iter().all(is_tail) {
            assert!(Instant::now() < until);
            std::thread::yield_now();
        }
        child
    }

    fn unique(name: &str) -> String {
        format!("{name}-{}", std::process::id())
    }

    #[test]
    fn a_child_in_another_session_is_found_and_ended() {
        let mark = unique("tree");
        let mut child = stubborn(&mark);
        let pid = child.id() as i32;
        assert_eq!(descendants(pid).len(), 1);
        assert_eq!(walk_table(pid, &table()).len(), 1, "the slow walk agrees");
        assert_eq!(marked(&mark).len(), 2);
        let swept = Scope { roots: &[pid], group: Some(pid), mark: None }.end(Duration::from_millis(1));
        assert_eq!((swept.found, swept.left), (2, Vec::new()));
        assert!(marked(&mark).is_empty());
        child.wait().unwrap();
    }

    #[test]
    fn an_orphan_is_found_by_its_mark() {
        let mark = unique("orphan");
        let mut child = stubborn(&mark);
        let top = Handle::open(child.id() as i32, stat(child.id() as i32).unwrap().start_time).unwrap();
        assert!(top.signal(Signal::KILL));
        child.wait().unwrap();
        assert_eq!(marked(&mark).len(), 1, "its child lives on");
        let swept = Scope { mark: Some(&mark), ..Scope::default() }.end(Duration::ZERO);
        assert_eq!((swept.found, swept.left), (1, Vec::new()));
        assert!(marked(&mark).is_empty());
        assert_eq!(Scope { mark: Some(&mark), ..Scope::default() }.end(Duration::ZERO), Swept::default());
    }

    #[test]
    fn the_caller_is_never_in_its_own_scope() {
        let me = std::process::id() as i32;
        assert!(Scope { roots: &[me], ..Scope::default() }.living().iter().all(|s| s.pid != me));
    }

    #[test]
    fn load_counts_processes_and_memory() {
        let mut child = stubborn(&unique("load"));
        let pid = child.id() as i32;
        let load = load(pid);
        assert_eq!(load.processes, 1);
        assert!(load.rss_bytes > 100_000, "{load:?}");
        Scope { roots: &[pid], ..Scope::default() }.end(Duration::ZERO);
        child.wait().unwrap();
        assert!(units().0 >= 1 && units().1 >= 4096);
    }
}
