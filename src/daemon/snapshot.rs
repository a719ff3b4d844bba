//! The status object, composed from what the rooms publish.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::confine;
use super::node::Node;
use super::supervisor::RoleState;
use super::updates;
use crate::control::health;
use crate::control::status::{self, At, NodeState, Status};
use crate::control::{Event, metrics::Counters};
use crate::coordinator::client::Fault;
use crate::core::Mono;
use crate::guard;
use crate::meter::usage;
use crate::platform::{facts, files};
use crate::session::Session;
use crate::session::entry::GB;

impl Node {
    /// The status object of this moment.
    pub fn snapshot(&self) -> Status {
        self.refresh_alerts();
        let now = self.clock.now();
        let unix = self.clock.unix();
        let (state, since, reason) = self.state();
        let settings = self.settings();
        let ledger = self.registry.ledger.borrow();
        let heard = self.heard.borrow();
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
            paused: self.pause_view(),
            quarantine: self.quarantine_view(),
            uptime_sec: now.0 / 1000,
            clock_synced: self.clock.synced(),
            roles: self.roles_view(state),
            sessions: self.registry.all().iter().map(|s| self.session_view(s, &ledger)).collect(),
            qos: self.qos(),
            geo: self.geo_view(),
            reputation_guard: self.reputation_view(),
            caps: status::Caps {
                max_mbps,
                effective_mbps: self.effective_mbps(),
                yielding: self.yields(),
                give_way: self.give_way_view(),
                max_gb_per_day: settings.network.max_gb_per_day,
                used_today_bytes: ledger.usage().today(unix),
                max_gb_per_month: settings.network.max_gb_per_month,
                used_month_bytes: ledger.usage().this_month(unix),
                resets_at: At(usage::next_day(unix)),
            },
            schedule: self.schedule_view(),
            earnings: heard.as_ref().map(|h| h.earnings.clone()),
            reputation: heard.as_ref().map(|h| h.reputation.clone()),
            coordinator: status::Coordinator {
                reachable: link.reachable,
                last_contact: link.last_contact.map(At),
                retry_in_sec: if link.reachable { None } else { retry },
                spooled_bundles: u32::try_from(ledger.spooled()).unwrap_or(u32::MAX),
            },
            sandbox: confine::view(&self.sandbox),
            offload: self.offload_view(),
            memory: status::Memory {
                rss_bytes: facts::rss_bytes(),
                ram_bytes: facts::ram_bytes(),
                pool_bytes: pool.bytes as u64,
                pool_budget_bytes: pool.budget as u64,
                pipes: u32::try_from(pool.pipes).unwrap_or(u32::MAX),
                buffers: u32::try_from(pool.buffers).unwrap_or(u32::MAX),
            },
            flash: status::Flash { writes_today: writes, bytes_today: u64::from(kib) * 1024 },
            update: self.update_view(),
            alerts: self.health.borrow().alerts(),
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
        BTreeMap::from([(
            "proxy".to_owned(),
            status::Role { state: word.into(), restarts: health.restarts(), listen, error: health.error(), gateway: self.gateway_view() },
        )])
    }

    fn session_view(&self, session: &Rc<Session>, ledger: &crate::meter::Ledger) -> status::Session {
        let chain = ledger.session(&session.id);
        let totals = chain.map(|c| c.totals()).unwrap_or_default();
        let (p50, p95) = chain.map(|c| c.latency()).unwrap_or_default();
        let halted = self.registry.gate().refuses(self.clock.now()).is_some() && matches!(session.phase().name(), "active" | "probing");
        status::Session {
            session_id: session.id.clone(),
            state: if halted { "halted" } else { session.state_name() }.into(),
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

    fn quarantine_view(&self) -> Option<status::Quarantine> {
        let held = self.held.borrow();
        let (since, _) = held.standing()?;
        let until = held.ends().map(|at| At(self.clock.unix_at(at)));
        Some(status::Quarantine { reason: held.reason()?, remedy: held.remedy()?, since: At(since), until })
    }

    fn geo_view(&self) -> status::Geo {
        let place = self.registry.place.borrow();
        let Some(seen) = place.observed() else { return status::Geo::default() };
        let observed = match (&seen.country, &seen.region) {
            (Some(country), Some(region)) => Some(format!("{country}-{region}")),
            (country, _) => country.clone(),
        };
        status::Geo { observed, observed_confidence: Some(seen.confidence), mismatch: place.mismatch(self.registry.owner().regions()) }
    }

    fn reputation_view(&self) -> Vec<status::HeldBack> {
        let view = |held: guard::reputation::Held| status::HeldBack {
            category: held.category,
            step: held.step.name().into(),
            reason: held.why.text().into(),
            until: At(self.clock.unix_at(held.until)),
            sites: held.sites,
        };
        self.engine.reputation.borrow().held().into_iter().map(view).collect()
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
            geo_confidence: self.registry.place.borrow().confidence(self.registry.owner().regions()),
        }
    }

    /// Hands `judge` what alerts are derived from.
    fn with_figures<T>(&self, judge: impl FnOnce(&health::Inputs<'_>) -> T) -> T {
        let unix = self.clock.unix();
        let settings = self.settings();
        let ledger = self.registry.ledger.borrow();
        let figures = ledger.qos(unix);
        let probes = self.probes.get();
        let volume = |used: u64, gb: u32| health::Volume { used, limit: u64::from(gb) * GB };
        let integrity = self.integrity.borrow();
        let (quarantine, geo, distrust) = (self.quarantine_view(), self.geo_view(), self.distrust_now());
        let held_back = self.reputation_view();
        let update = self.update_view();
        let (gateway_error, no_uplink) = (self.gateway_error(), self.missing_uplink());
        let working = settings.node.enabled && settings.proxy.enabled;
        judge(&health::Inputs {
            now: unix,
            mono: self.clock.now(),
            error_rate_pct: figures.error_rate_pct,
            requests: figures.requests,
            latency_ms_p95: figures.p95,
            latencies: figures.latencies,
            probe_pass_rate_pct: probes.pass_rate_pct(),
            probes: probes.counted(),
            day: volume(ledger.usage().today(unix), settings.network.max_gb_per_day),
            month: volume(ledger.usage().this_month(unix), settings.network.max_gb_per_month),
            day_ends_in: usage::next_day(unix).saturating_sub(unix),
            coordinator_away: self.link.get().away_since.map(|at| self.clock.now().since(at)),
            gateway_away: self.gateway_away().map(|at| self.clock.now().since(at)),
            gateway_error: gateway_error.as_deref(),
            no_uplink: no_uplink.as_deref().filter(|_| working),
            clock_synced: self.clock.synced() || !working,
            duplicate_identity: self.registry.gate().duplicate,
            quarantine: quarantine.as_ref(),
            geo_mismatch: geo.mismatch.as_deref(),
            held_back: &held_back,
            distrust: distrust.as_deref(),
            integrity: &integrity,
            update_failed: updates::failed(&update),
            update_available: update.available.as_deref(),
        })
    }

    /// Derives the alerts anew and tells listeners what came and went. Returns when to do so again though nothing happens.
    pub fn refresh_alerts(&self) -> Option<Mono> {
        let (changed, next) = self.with_figures(|figures| {
            let mut health = self.health.borrow_mut();
            (health.look(figures), health.next_look(figures))
        });
        for alert in changed.raised {
            log::warn!("alert {}: {}; {}", alert.id, alert.message, alert.remedy);
            self.tell(&Event::Alert { alert });
        }
        for id in changed.cleared {
            log::info!("alert {id} is over");
            self.tell(&Event::AlertCleared { id });
        }
        next
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
            coordinator_faults: Fault::ALL.iter().map(|k| (k.id(), faults.map_or(0, |f| u64::from(f.of(*k))))).collect(),
            reputation_strikes: self.engine.reputation.borrow().strikes(),
            coordinator_failures: self.link.get().failures,
        }
    }
}
