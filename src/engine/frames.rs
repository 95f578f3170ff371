//! What shims say, taken into the store: hello, events, exit. Each frame takes effect once, whatever is sent again.

use super::input::Link;
use super::live::one_line;
use super::state::{Effect, LinkState, State};
use crate::config::Backend;
use crate::domain::{AgentEvent, AttemptId, ExitReport, Timestamp, charge, sha256_hex};
use crate::store::{StoreError, Tx};
use crate::wire::{EngineFrame, Heartbeat, Hello, PROTOCOL, ShimFrame, SpooledEvent};

impl State {
    pub(super) fn on_frame(
        &mut self,
        tx: &Tx<'_>,
        link: Link,
        frame: ShimFrame,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        match frame {
            ShimFrame::Hello(hello) => self.on_hello(tx, link, &hello, out),
            ShimFrame::Event(event) => {
                let Some(attempt) = self.attempt_of(link) else { return Ok(()) };
                self.on_event(tx, attempt, &event, now, out)
            }
            ShimFrame::Exit { seq, report } => {
                let Some(attempt) = self.attempt_of(link) else { return Ok(()) };
                if report.attempt != attempt {
                    out.push(Effect::bye(link, "the report names another attempt"));
                    return Ok(());
                }
                self.ended(tx, &report, now, out)?;
                out.push(Effect::Send(link, EngineFrame::Ack { seq }));
                Ok(())
            }
            // Taken without a transaction: see `State::on_heartbeat`.
            ShimFrame::Heartbeat(_) => Ok(()),
        }
    }

    pub(super) fn attempt_of(&self, link: Link) -> Option<AttemptId> {
        self.links.get(&link).and_then(|l| l.attempt)
    }

    fn on_hello(&mut self, tx: &Tx<'_>, link: Link, hello: &Hello, out: &mut Vec<Effect>) -> Result<(), StoreError> {
        if hello.protocol > PROTOCOL {
            out.push(Effect::bye(
                link,
                &format!("this engine speaks protocol {PROTOCOL}, the shim {}: upgrade the engine", hello.protocol),
            ));
            return Ok(());
        }
        let Some(live) = self.lives.get_mut(&hello.attempt) else {
            // Over already: its report was taken from the disk, or it was superseded.
            out.push(Effect::bye(link, "the attempt is over"));
            return Ok(());
        };
        if live.token_hash != sha256_hex(hello.token.as_bytes()) {
            out.push(Effect::bye(link, "the attempt's token does not match"));
            return Ok(());
        }
        if let Some(old) = live.link.replace(link)
            && old != link
        {
            out.push(Effect::Close(old));
        }
        live.probing = false;
        tx.set_shim(hello.attempt, &hello.identity)?;
        if let Some(l) = self.links.get_mut(&link) {
            l.attempt = Some(hello.attempt);
        }
        out.push(Effect::Send(link, EngineFrame::Welcome { epoch: self.epoch, acked: live.acked }));
        if live.kill_requested {
            out.push(Effect::Send(link, self.cancel("killed by the operator")));
        }
        Ok(())
    }

    pub(super) fn on_heartbeat(&mut self, link: Link, beat: Heartbeat) {
        let Some(live) = self.attempt_of(link).and_then(|a| self.lives.get_mut(&a)) else { return };
        live.hang = beat.hang;
        live.heartbeat = Some(beat);
        self.changed = true;
    }

    pub(super) fn on_link_gone(&mut self, link: Link) {
        if let Some(LinkState { attempt: Some(attempt), .. }) = self.links.remove(&link)
            && let Some(live) = self.lives.get_mut(&attempt)
            && live.link == Some(link)
        {
            live.link = None;
            self.changed = true;
        }
    }

    /// One event of a spool, from the wire or from the disk.
    pub(super) fn on_event(
        &mut self,
        tx: &Tx<'_>,
        attempt: AttemptId,
        e: &SpooledEvent,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let weight = self.settings.cache_read_weight;
        let Some(live) = self.lives.get_mut(&attempt) else { return Ok(()) };
        if e.seq <= live.acked {
            return Ok(());
        }
        if e.seq != live.acked + 1 {
            // Not what was asked for: the shim shall begin again from what is acknowledged.
            if let Some(link) = live.link {
                out.push(Effect::Close(link));
            }
            return Ok(());
        }
        live.acked = e.seq;
        if let Some(line) = one_line(&e.event) {
            live.last = line;
        }
        match &e.event {
            AgentEvent::Session { id, model, .. } => {
                tx.set_session(attempt, id)?;
                if let Some(model) = model {
                    tx.set_model(attempt, model)?;
                    live.model.get_or_insert_with(|| model.clone());
                }
                if let Some(w) = self.workers.iter_mut().find(|w| w.attempt == Some(attempt)) {
                    w.session = Some(id.clone());
                }
            }
            AgentEvent::Usage { usage, cost_usd } => {
                let total = usage.budgeted(weight);
                let delta = total.saturating_sub(live.spent);
                live.spent = live.spent.max(total);
                live.usage = *usage;
                live.told_usd = cost_usd.or(live.told_usd);
                let uses_model = self.backends.get(&live.backend).is_none_or(Backend::uses_model);
                let price = live.model.as_deref().and_then(|m| self.prices.of(m));
                let charge = charge(live.told_usd, *usage, 0, uses_model, price);
                live.cost_usd = charge.usd.unwrap_or(live.cost_usd);
                tx.set_usage(attempt, *usage, &charge, delta, now)?;
                self.budget_spent(attempt, delta, now);
            }
            AgentEvent::Limited { limit } => {
                let backend = live.backend.clone();
                self.refused(tx, &backend, limit, now)?;
            }
            AgentEvent::Hanging { verdict } => {
                live.hang = Some(*verdict);
                let (job, text) = (live.job, format!("{} {}", live.worker_name, verdict.says()));
                self.note(tx, "stalled", "warn", job, attempt, &text, now)?;
            }
            AgentEvent::Moving => {
                live.hang = None;
                let (job, text) = (live.job, format!("{} moves again", live.worker_name));
                self.note(tx, "moving", "info", job, attempt, &text, now)?;
            }
            _ => {}
        }
        if matches!(e.event, AgentEvent::Text { .. } | AgentEvent::ToolCall { .. } | AgentEvent::Result { ok: true })
            && let Some((backend, began)) = self.lives.get(&attempt).map(|l| (l.backend.clone(), l.started_at))
        {
            self.recovered(&backend, began);
        }
        self.acked.insert(attempt);
        Ok(())
    }

    /// Acknowledges what this batch has taken.
    pub(super) fn acknowledge(&mut self, tx: &Tx<'_>, out: &mut Vec<Effect>) -> Result<(), StoreError> {
        for attempt in std::mem::take(&mut self.acked) {
            let Some(live) = self.lives.get(&attempt) else { continue };
            tx.set_acked(attempt, live.acked)?;
            if let Some(link) = live.link {
                out.push(Effect::Send(link, EngineFrame::Ack { seq: live.acked }));
            }
        }
        Ok(())
    }

    /// What a shim left on the disk when nobody was there to take it: the rest of its events, then its report.
    pub(super) fn take_report(
        &mut self,
        tx: &Tx<'_>,
        report: &ExitReport,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let attempt = report.attempt;
        let acked = self.lives.get(&attempt).map_or(0, |l| l.acked);
        match super::launcher::spooled_after(&self.workspace.spool_dir(), attempt, acked) {
            Ok(events) => {
                for event in events {
                    self.on_event(tx, attempt, &event, now, out)?;
                }
            }
            Err(e) => tracing::warn!("attempt {attempt}: its spool cannot be read: {e}"),
        }
        self.ended(tx, report, now, out)
    }
}
