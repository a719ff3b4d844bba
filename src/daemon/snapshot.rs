//! The status object, composed from what the rooms publish.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::node::Node;
use super::supervisor::RoleState;
use crate::control::health;
use crate::control::status::{self, Alert, At, NodeState, Status};
use crate::control::{Event, metrics::Counters};
use crate::coordinator::client::Fault;
use crate::meter::usage;
use crate::platform::{facts, files};
use crate::session::Session;
use crate::session::entry::GB;

impl Node {
    /// The status object of this moment.
    pub fn snapshot(&self) -> Status {
        let now = self.clock.now();
        let unix = self.clock.unix();
        let (state, since, reason) = self.state();
        let settings = self.settings();
        let gate = self.registry.gate();
        let ledger = self.registry.ledger.borrow();
        let heard = self.heard.borrow();
        let paused = gate.paused_until.filter(|until| now < *until);
        let max_mbps = settings.network.max_mbps.0 as f64 / 1e6;
        let link = self.link.get();
        let pool = self.pool.stats();
        let (writes, kib) = files::flash_writes();
        let retry = link.retry_at.map(|at| u32::try_from(at.since(now).as_secs()).unwrap_or(u32::MAX));
        Status {
            version: env!("CARGO_PKG_VERSION").into(),
            node_id: self.identity.node_id(),
            state,
            state_reason: reason,
            state_since: At(since),
            paused: paused.map(|until| status::Paused { since: At(self.paused_since.get()), until: Some(At(self.clock.unix_at(until))) }),
            quarantine: None,
            uptime_sec: now.0 / 1000,
            clock_synced: self.clock.synced(),
            roles: self.roles_view(state),
            sessions: self.registry.all().iter().map(|s| self.session_view(s, &ledger)).collect(),
            qos: self.qos(),
            caps: status::Caps {
                max_mbps,
                effective_mbps: max_mbps,
                yielding: false,
                max_gb_per_day: settings.network.max_gb_per_day,
                used_today_bytes: ledger.usage().today(unix),
                max_gb_per_month: settings.network.max_gb_per_month,
                used_month_bytes: ledger.usage().this_month(unix),
                resets_at: At(usage::next_day(unix)),
            },
            earnings: heard.as_ref().map(|h| h.earnings.clone()),
            reputation: heard.as_ref().map(|h| h.reputation.clone()),
            coordinator: status::Coordinator {
                reachable: link.reachable,
                last_contact: link.last_contact.map(At),
                retry_in_sec: if link.reachable { None } else { retry },
                spooled_bundles: u32::try_from(ledger.spooled()).unwrap_or(u32::MAX),
            },
            sandbox: status::Sandbox {
                level: "none".into(),
                parts: BTreeMap::from([("process".to_owned(), "this version does not confine itself".to_owned())]),
            },
            offload: status::Offload { relay: if self.pool.splices() { "splice" } else { "copy" }.into() },
            memory: status::Memory {
                rss_bytes: facts::rss_bytes(),
                ram_bytes: facts::ram_bytes(),
                pool_bytes: pool.bytes as u64,
                pool_budget_bytes: pool.budget as u64,
                pipes: u32::try_from(pool.pipes).unwrap_or(u32::MAX),
                buffers: u32::try_from(pool.buffers).unwrap_or(u32::MAX),
            },
            flash: status::Flash { writes_today: writes, bytes_today: u64::from(kib) * 1024 },
            update: status::Update { available: heard.as_ref().and_then(|h| h.update.as_ref()).map(|u| u.version.clone()) },
            alerts: self.alerts_now(),
        }
    }

    fn roles_view(&self, state: NodeState) -> BTreeMap<String, status::Role> {
        let settings = self.settings();
        let on = settings.node.enabled && settings.proxy.enabled;
        let health = &self.proxy_health;
        let word = match (on, state, health.state()) {
            (false, ..) => "off",
            (_, NodeState::Stopped, _) => "stopped",
            (_, _, RoleState::Restarting) => "restarting",
            (_, NodeState::Init | NodeState::Starting, _) if self.listening.borrow().is_empty() => "starting",
            _ => "running",
        };
        let listen = self.listening.borrow().iter().map(ToString::to_string).collect();
        BTreeMap::from([("proxy".to_owned(), status::Role { state: word.into(), restarts: health.restarts(), listen, error: health.error() })])
    }

    fn session_view(&self, session: &Rc<Session>, ledger: &crate::meter::Ledger) -> status::Session {
        let chain = ledger.session(&session.id);
        let totals = chain.map(|c| c.totals()).unwrap_or_default();
        let (p50, p95) = chain.map(|c| c.latency()).unwrap_or_default();
        let halted = self.registry.gate().refuses(self.clock.now()).is_some() && matches!(session.phase().name(), "active" | "probing");
        status::Session {
            session_id: session.id.clone(),
            state: if halted { "halted" } else { session.phase().name() }.into(),
            opened_at: At(session.opened_at),
            expires_at: At(session.assigned().expires_at),
            lease_until: At(self.clock.unix_at(session.lease_until())),
            tunnels: session.tunnels(),
            bytes_ingress: totals.ingress,
            bytes_egress: totals.egress,
            latency_ms_p50: p50.map(u64::from),
            latency_ms_p95: p95.map(u64::from),
            error_rate_pct: totals.error_rate_pct(),
            tls: session.tls().map(|t| status::Tls { version: t.version, alpn: t.alpn, handshake_ms: t.handshake_ms }),
        }
    }

    /// Quality over all sessions.
    pub fn qos(&self) -> status::Qos {
        let unix = self.clock.unix();
        let ledger = self.registry.ledger.borrow();
        let figures = ledger.qos(unix);
        let (bits_in, bits_out) = ledger.rate(unix);
        status::Qos {
            latency_ms_p50: figures.p50,
            latency_ms_p95: figures.p95,
            error_rate_pct: figures.error_rate_pct,
            bits_in_per_sec: bits_in,
            bits_out_per_sec: bits_out,
            probe_pass_rate_pct: self.probes.get().pass_rate_pct(),
            geo_confidence: self.heard.borrow().as_ref().map(|h| h.geo.confidence),
        }
    }

    /// The alerts that stand now, with the time each first stood.
    fn alerts_now(&self) -> Vec<Alert> {
        let unix = self.clock.unix();
        let settings = self.settings();
        let qos = self.qos();
        let ledger = self.registry.ledger.borrow();
        let volume = |used: u64, gb: u32| health::Volume { used, limit: u64::from(gb) * GB };
        let integrity = self.integrity.borrow();
        let before = self.alerts.borrow();
        let working = settings.node.enabled && settings.proxy.enabled;
        health::alerts(&health::Inputs {
            now: unix,
            error_rate_pct: qos.error_rate_pct,
            latency_ms_p95: qos.latency_ms_p95,
            probe_pass_rate_pct: qos.probe_pass_rate_pct,
            day: volume(ledger.usage().today(unix), settings.network.max_gb_per_day),
            month: volume(ledger.usage().this_month(unix), settings.network.max_gb_per_month),
            coordinator_away: self.link.get().away_since.map(|at| self.clock.now().since(at)),
            clock_synced: self.clock.synced() || !working,
            duplicate_identity: self.registry.gate().duplicate,
            quarantine: None,
            integrity: &integrity,
            before: &before,
        })
    }

    /// Derives the alerts anew and tells listeners what came and went.
    pub fn refresh_alerts(&self) {
        let now = self.alerts_now();
        let before = self.alerts.replace(now.clone());
        for alert in now.iter().filter(|a| !before.iter().any(|b| b.id == a.id)) {
            log::warn!("alert {}: {}; {}", alert.id, alert.message, alert.remedy);
            self.tell(&Event::Alert { alert: alert.clone() });
        }
        for gone in before.iter().filter(|b| !now.iter().any(|a| a.id == b.id)) {
            self.tell(&Event::AlertCleared { id: gone.id.clone() });
        }
    }

    /// What only grows since start.
    pub fn counted(&self) -> Counters {
        let (bytes_ingress, bytes_egress) = self.registry.relayed();
        let tally = &self.engine.tally;
        let probes = self.probes.get();
        let (acked, refused) = self.bundles.get();
        let faults = self.client.borrow().as_ref().map(|c| c.faults());
        let dropped = faults.map_or(0, |f| Fault::ALL.iter().map(|k| u64::from(f.of(*k))).sum());
        Counters {
            bytes_ingress,
            bytes_egress,
            requests: tally.requests.get(),
            errors: tally.errors.get(),
            reasons: self.engine.tally.reasons().collect(),
            probes_passed: probes.passed,
            probes_failed: probes.failed,
            bundles_acked: acked,
            bundles_refused: refused,
            coordinator_dropped: dropped,
            coordinator_failures: self.link.get().failures,
        }
    }
}
