//! A full disk: what cannot be made durable is not acknowledged, what was acknowledged is there, and room is all it takes.

use super::*;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::Command as Program;

/// A small disk in memory, unmounted at the end.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new() -> Result<Disk, String> {
        let dir = tempfile::tempdir().unwrap();
        let out = Program::new("mount").args(["-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs"]).arg(dir.path()).output();
        match out {
            Ok(out) if out.status.success() => Ok(Disk(dir)),
            Ok(out) => Err(String::from_utf8_lossy(&out.stderr).trim().to_owned()),
            Err(e) => Err(e.to_string()),
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes every byte that is left.
    fn fill(&self) {
        let mut filler = std::fs::File::create(self.path().join("filler")).unwrap();
        for piece in [1 << 16, 1 << 12, 1] {
            while filler.write_all(&vec![0; piece]).is_ok() {}
        }
    }

    fn make_room(&self) {
        std::fs::remove_file(self.path().join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Program::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let disk = match Disk::new() {
        Ok(disk) => disk,
        Err(why) => return eprintln!("skipped: no small disk can be mounted here ({why})"),
    };
    let (workspace, _) = orc::config::init(&disk.path().join("ws")).unwrap();
    let mut store = Store::open(&workspace.database()).unwrap();
    let ann = worker(&mut store, "ann");
    let mut acknowledged: BTreeSet<JobId> = (0..5).map(|_| add(&mut store, &spec()).unwrap()).collect();
    disk.fill();
    // The log may have room of its own for a while.
    let refused = loop {
        match add(&mut store, &JobSpec { prompt: "x".repeat(4000), ..spec() }) {
            Ok(job) => drop(acknowledged.insert(job)),
            Err(e) => break e,
        }
        assert!(acknowledged.len() < 1000, "the disk never fills");
    };
    assert!(matches!(refused, StoreError::Full { .. }), "{refused:?}");
    assert!(refused.to_string().contains("make room"), "{refused}");

    // A claim either: nothing starts that is not written down.
    let job = *acknowledged.first().unwrap();
    let claimed = store.write(|tx| tx.claim(&claim(job, ann), NOW));
    assert!(matches!(claimed, Err(StoreError::Full { .. }) | Ok(Some(_))), "{claimed:?}");
    let claimed = claimed.is_ok();
    assert_eq!(store.open_attempts().unwrap().len(), usize::from(claimed));

    // From the command line: no id, a clear word, an exit code.
    let pm = Program::new(env!("CARGO_BIN_EXE_pm"))
        .args(["--workspace"])
        .arg(workspace.root())
        .args(["job", "add", "--title", "t", "--type", "shell", "--prompt"])
        .arg("x".repeat(60_000))
        .output()
        .unwrap();
    let says = String::from_utf8_lossy(&pm.stderr);
    assert!(!pm.status.success() && pm.stdout.is_empty(), "{pm:?}");
    assert!(says.contains("full"), "{says}");

    // As after a power cut: another process finds what was acknowledged.
    drop(store);
    disk.make_room();
    let mut store = Store::open(&workspace.database()).unwrap();
    let there: BTreeSet<JobId> =
        store.jobs(&Default::default(), orc::domain::Page { before: None, limit: 5000 }).unwrap().iter().map(|j| j.id).collect();
    assert_eq!(there, acknowledged);
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
    assert_eq!(store.open_attempts().unwrap().len(), usize::from(claimed));
    add(&mut store, &spec()).unwrap();
}
