//! The household comes first: when the node may work, and how fast, out of settings, windows and what the line carries.

use std::cell::{Cell, RefCell};

use super::node::Node;
use crate::config::Settings;
use crate::config::settings::Rate;
use crate::control::status::{self, At};
use crate::core::Mono;
use crate::platform::zone;
use crate::session::Schedule;
use crate::session::give_way::{GiveWay, WHOLE};
use crate::session::schedule::{Hours, Outlook};

/// Seconds after which the schedule is asked again though nothing has changed: what it can see is limited.
const REFRESH: u64 = 24 * 3600;

/// What the household allows now.
#[derive(Default)]
pub struct Household {
    schedule: RefCell<Schedule>,
    /// What the schedule said when it was last asked.
    asked: Cell<Option<Asked>>,
    /// Bytes per second and burst that the limiter has.
    rate: Cell<Option<(u64, u64)>>,
    /// How far we give way to the household.
    pub(super) way: RefCell<GiveWay>,
    /// The uplinks' counters could not be read when they were last looked at.
    pub(super) blind: Cell<bool>,
    /// Bytes of probes since start.
    pub(super) probed: Cell<u64>,
    /// The pause is one of before a restart, and node time was not known when it was taken up.
    pub(super) unplaced_pause: Cell<bool>,
}

/// An answer of the schedule, and for when it holds.
#[derive(Clone, Copy)]
struct Asked {
    outlook: Outlook,
    /// Unix seconds.
    at: u64,
    /// Steps of node time so far.
    steps: u32,
    synced: bool,
}

impl Household {
    /// What the schedule said last; open before it was asked.
    fn hours(&self) -> Hours {
        self.asked.get().map_or(Hours::Open { max: None }, |asked| asked.outlook.now)
    }

    /// Whether less than the whole rate is in force.
    pub(super) fn gives_way(&self, now: Mono) -> bool {
        self.way.borrow().share(now) < WHOLE
    }
}

impl Node {
    /// The windows of the settings, by the time zone that the system has now.
    pub fn apply_windows(&self) {
        let windows = self.settings().windows.clone();
        let schedule = if windows.is_empty() { Schedule::default() } else { Schedule::new(windows, zone::system()) };
        if !schedule.is_empty() {
            log::debug!("windows count by {}", schedule.zone().text());
        }
        *self.household.schedule.borrow_mut() = schedule;
        self.household.asked.set(None);
        self.follow_hours();
    }

    /// Opens and closes the gate as the windows say. Until node time is vouched for, no window is open: it is better to
    /// start some seconds late than to work at a time the owner has ruled out.
    pub fn follow_hours(&self) {
        let schedule = self.household.schedule.borrow();
        let (unix, steps) = (self.clock.unix(), self.clock.steps());
        let synced = schedule.is_empty() || self.clock.synced();
        let holds = |asked: &Asked| {
            let same = (asked.steps, asked.synced) == (steps, synced);
            same && unix >= asked.at && asked.outlook.changes.is_none_or(|at| unix < at) && unix - asked.at < REFRESH
        };
        if self.household.asked.get().as_ref().is_some_and(holds) {
            return;
        }
        let outlook = if synced { schedule.outlook(unix) } else { Outlook { now: Hours::Closed, changes: None, closes: None, opens: None } };
        self.household.asked.set(Some(Asked { outlook, at: unix, steps, synced }));
        drop(schedule);
        let closed = !outlook.now.is_open();
        if self.registry.gate().out_of_hours != closed {
            match (closed, synced) {
                (true, true) => log::info!("outside the owner's windows: no tunnels"),
                (true, false) => log::info!("no window opens before node time is known"),
                (false, _) => log::info!("within the owner's windows"),
            }
            self.gate(|gate| gate.out_of_hours = closed);
            self.tell_state();
        }
        self.apply_rate();
    }

    /// When [`Node::follow_hours`] must come next.
    pub fn hours_change(&self) -> Option<Mono> {
        Some(self.mono_of(self.household.asked.get()?.outlook.changes?))
    }

    /// The global rate as settings and windows have it.
    fn allowed_rate(&self, settings: &Settings) -> Rate {
        match self.household.hours() {
            Hours::Open { max: Some(max) } => max.min(settings.network.max_mbps),
            _ => settings.network.max_mbps,
        }
    }

    /// Gives the limiter the rate that holds now. Who gives way has no burst beyond what a second brings.
    pub fn apply_rate(&self) {
        let settings = self.settings();
        let share = u64::from(self.household.way.borrow().share(self.clock.now()));
        let rate = self.allowed_rate(&settings).bytes_per_sec().saturating_mul(share) / u64::from(WHOLE);
        let burst = u64::from(settings.network.burst_mb) * 1_000_000;
        let burst = if self.household.gives_way(self.clock.now()) { burst.min(rate) } else { burst };
        if self.household.rate.replace(Some((rate, burst))) != Some((rate, burst)) {
            self.limiter.set_rate(rate, burst);
        }
    }

    /// The rate in force, 10^6 bit/s.
    pub fn effective_mbps(&self) -> f64 {
        let share = u64::from(self.household.way.borrow().share(self.clock.now()));
        (self.allowed_rate(&self.settings()).0.saturating_mul(share) / u64::from(WHOLE)) as f64 / 1e6
    }

    /// Whether the rate is lowered for the household now.
    pub fn yields(&self) -> bool {
        self.household.gives_way(self.clock.now())
    }

    /// By what means the node gives way.
    pub fn give_way_view(&self) -> status::GiveWay {
        match self.watched_line() {
            _ if !self.settings().network.yield_to_household => status::GiveWay::Off,
            Some(_) if !self.household.blind.get() => status::GiveWay::Rate,
            _ => status::GiveWay::Marks,
        }
    }

    /// The windows as status tells them; `None` where none is set.
    pub fn schedule_view(&self) -> Option<status::Schedule> {
        let schedule = self.household.schedule.borrow();
        let outlook = self.household.asked.get().filter(|_| !schedule.is_empty())?.outlook;
        let max = match outlook.now {
            Hours::Open { max } => max,
            Hours::Closed => None,
        };
        Some(status::Schedule {
            open: outlook.now.is_open(),
            closes_at: outlook.closes.map(At),
            opens_at: outlook.opens.map(At),
            max_mbps: max.map(|rate| rate.0 as f64 / 1e6),
            zone: schedule.zone().text().to_owned(),
        })
    }
}
