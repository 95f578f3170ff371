//! The four clocks of an attempt: is its process there, when did its last byte come, when did it last make progress, and does it
//! use the CPU. From them a verdict on what does not move, and the heartbeat.

use crate::domain::{Hang, Timestamp, Usage};
use crate::os::tree::{self, Load};
use crate::wire::{AttemptLimits, Heartbeat};
use std::time::Duration;
use tokio::time::Instant;

/// Working means more than a tenth of a core: idle agents have been measured at up to a twentieth.
const BUSY_SHARE: u64 = 10;
/// Two samples closer together than this say nothing about CPU use.
const SAMPLE_MIN: Duration = Duration::from_millis(200);

/// How long things have been as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ages {
    /// Since the last byte; since the start if there was none.
    byte: Duration,
    progress: Duration,
    /// Since the result, if there was one.
    result: Option<Duration>,
    any_byte: bool,
    busy: bool,
}

/// The verdict on an attempt with these ages, if it does not move.
fn hang(ages: Ages, limits: &AttemptLimits) -> Option<Hang> {
    let past = |age: Duration, limit_ms: u64| limit_ms > 0 && age >= Duration::from_millis(limit_ms);
    if let Some(since) = ages.result {
        // After the result silence is to be expected; only the exit is missing.
        return past(since, limits.exit_grace_ms).then_some(Hang::NoExit);
    }
    let stall = limits.stall_after_ms;
    match ages {
        Ages { byte, any_byte: false, .. } if past(byte, stall) => Some(Hang::NoOutput),
        Ages { byte, busy: true, .. } if past(byte, stall) => Some(Hang::SilentBusy),
        Ages { byte, .. } if past(byte, stall) => Some(Hang::SilentIdle),
        Ages { progress, .. } if past(progress, stall) => Some(Hang::NoProgress),
        _ => None,
    }
}

/// The clocks of one attempt.
#[derive(Debug)]
pub struct Clocks {
    limits: AttemptLimits,
    started: Instant,
    last_byte: Option<Instant>,
    last_progress: Instant,
    result: Option<Instant>,
    /// When the clocks were last looked at: what was due by then is no longer due.
    looked: Instant,
    /// The verdict that holds.
    pub hang: Option<Hang>,
    load: Load,
    sampled: Instant,
    busy: bool,
    /// CPU time at the last heartbeat.
    beat_cpu_ms: u64,
    next_beat: Option<Instant>,
}

impl Clocks {
    pub fn start(limits: AttemptLimits, now: Instant) -> Clocks {
        Clocks {
            limits,
            started: now,
            last_byte: None,
            last_progress: now,
            result: None,
            looked: now,
            hang: None,
            load: Load::default(),
            sampled: now,
            busy: false,
            beat_cpu_ms: 0,
            next_beat: (limits.heartbeat_ms > 0).then(|| now + Duration::from_millis(limits.heartbeat_ms)),
        }
    }

    pub fn byte(&mut self, now: Instant) {
        self.last_byte = Some(now);
    }

    pub fn progress(&mut self, now: Instant) {
        self.last_progress = now;
    }

    /// The result was seen. Only the first counts: the grace for the exit does not begin again.
    pub fn result(&mut self, now: Instant) {
        self.result.get_or_insert(now);
    }

    /// True once the wall clock of the attempt has run out.
    pub fn timed_out(&self, now: Instant) -> bool {
        self.limits.timeout_ms > 0 && now.duration_since(self.started) >= Duration::from_millis(self.limits.timeout_ms)
    }

    /// When the next look is due: a heartbeat, a verdict, the timeout. In the past, if that look has been missed.
    pub fn next_due(&self) -> Option<Instant> {
        let at = |from: Instant, ms: u64| (ms > 0).then(|| from + Duration::from_millis(ms));
        let stall = self.limits.stall_after_ms;
        let timeout = at(self.started, self.limits.timeout_ms);
        let verdicts = match self.result {
            Some(result) => [at(result, self.limits.exit_grace_ms), None],
            None => [at(self.last_byte.unwrap_or(self.started), stall), at(self.last_progress, stall)],
        };
        let looks = verdicts.into_iter().chain([timeout]).flatten().filter(|at| *at > self.looked);
        looks.chain(self.next_beat).min()
    }

    /// Notes that everything which is due by now is being looked at.
    pub fn look(&mut self, now: Instant) {
        self.looked = now;
    }

    /// True when a heartbeat is due.
    pub fn beat_due(&self, now: Instant) -> bool {
        self.next_beat.is_some_and(|at| at <= now)
    }

    /// Looks at the clocks. `Some` when the verdict has changed: the new one.
    pub fn judge(&mut self, now: Instant) -> Option<Option<Hang>> {
        let mut ages = self.ages(now);
        if hang(ages, &self.limits).is_some() {
            // Only now does it matter whether it works.
            self.sample(now);
            ages.busy = self.busy;
        }
        let verdict = hang(ages, &self.limits);
        (verdict != self.hang).then(|| {
            self.hang = verdict;
            verdict
        })
    }

    fn ages(&self, now: Instant) -> Ages {
        Ages {
            byte: now.duration_since(self.last_byte.unwrap_or(self.started)),
            progress: now.duration_since(self.last_progress),
            result: self.result.map(|at| now.duration_since(at)),
            any_byte: self.last_byte.is_some(),
            busy: self.busy,
        }
    }

    fn sample(&mut self, now: Instant) {
        let since = now.duration_since(self.sampled);
        let load = tree::load(std::process::id() as i32);
        if since >= SAMPLE_MIN {
            let used = load.cpu_ms.saturating_sub(self.load.cpu_ms);
            self.busy = used * BUSY_SHARE >= since.as_millis() as u64;
            self.sampled = now;
            self.load = load;
        } else {
            self.load = Load { cpu_ms: self.load.cpu_ms, ..load };
        }
    }

    /// Takes the pulse, and sets the time of the next one.
    pub fn beat(&mut self, now: Instant, at: Timestamp, agent_alive: bool, usage: Usage) -> Heartbeat {
        self.sample(now);
        let ages = self.ages(now);
        let delta = self.load.cpu_ms.saturating_sub(self.beat_cpu_ms);
        self.beat_cpu_ms = self.load.cpu_ms;
        self.next_beat = self.next_beat.map(|_| now + Duration::from_millis(self.limits.heartbeat_ms));
        Heartbeat {
            at,
            agent_alive,
            byte_age_ms: ages.byte.as_millis() as u64,
            progress_age_ms: ages.progress.as_millis() as u64,
            cpu_ms: self.load.cpu_ms,
            cpu_delta_ms: delta,
            rss_bytes: self.load.rss_bytes,
            processes: self.load.processes,
            usage,
            hang: self.hang,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> AttemptLimits {
        AttemptLimits {
            timeout_ms: 10_000,
            stall_after_ms: 1_000,
            stall_kill: false,
            exit_grace_ms: 500,
            kill_grace_ms: 100,
            heartbeat_ms: 3_000,
            max_unknown_steps: 0,
            max_output_bytes: 0,
            memory_max_bytes: 0,
        }
    }

    fn ages(byte_ms: u64, progress_ms: u64) -> Ages {
        Ages { byte: Duration::from_millis(byte_ms), progress: Duration::from_millis(progress_ms), any_byte: true, ..Ages::default() }
    }

    #[test]
    fn each_kind_of_hang_has_its_verdict() {
        let l = limits();
        assert_eq!(hang(ages(999, 999), &l), None);
        assert_eq!(hang(Ages { any_byte: false, ..ages(1000, 1000) }, &l), Some(Hang::NoOutput));
        assert_eq!(hang(Ages { busy: true, ..ages(1000, 1000) }, &l), Some(Hang::SilentBusy));
        assert_eq!(hang(ages(1000, 1000), &l), Some(Hang::SilentIdle));
        assert_eq!(hang(ages(0, 1000), &l), Some(Hang::NoProgress));
        let after_result = |ms| Ages { result: Some(Duration::from_millis(ms)), ..ages(5000, 5000) };
        assert_eq!(hang(after_result(499), &l), None, "silence after the result is no hang");
        assert_eq!(hang(after_result(500), &l), Some(Hang::NoExit));
    }

    #[test]
    fn zero_switches_a_watchdog_off() {
        let l = AttemptLimits { stall_after_ms: 0, exit_grace_ms: 0, timeout_ms: 0, ..limits() };
        assert_eq!(hang(ages(u64::MAX / 2, u64::MAX / 2), &l), None);
        assert_eq!(hang(Ages { result: Some(Duration::MAX), ..ages(0, 0) }, &l), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_look_is_when_something_is_due() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let mut clocks = Clocks::start(limits(), start);
        assert_eq!(clocks.next_due(), Some(start + ms(1000)));
        clocks.byte(start + ms(800));
        clocks.progress(start + ms(700));
        assert_eq!(clocks.next_due(), Some(start + ms(1700)), "until somebody looks, however late it is");
        assert_eq!(clocks.judge(start + ms(1699)), None);
        assert_eq!(clocks.judge(start + ms(1700)), Some(Some(Hang::NoProgress)));
        assert_eq!(clocks.judge(start + ms(1750)), None, "it holds on");
        clocks.progress(start + ms(1760));
        assert_eq!(clocks.judge(start + ms(1760)), Some(None), "it moves");
        clocks.result(start + ms(1770));
        clocks.result(start + ms(2200));
        clocks.look(start + ms(2200));
        assert_eq!(clocks.next_due(), Some(start + ms(2270)), "the first result counts");
        assert_eq!(clocks.judge(start + ms(2270)), Some(Some(Hang::NoExit)));
        clocks.look(start + ms(2270));
        assert_eq!(clocks.next_due(), Some(start + ms(3000)), "the heartbeat");
        assert!(!clocks.timed_out(start + ms(9999)) && clocks.timed_out(start + ms(10_000)));
        assert!(clocks.beat_due(start + ms(3000)));
    }
}
