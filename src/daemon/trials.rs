//! What can be tried before anything is written: the coordinator and its key, the resolver, the port. Changes nothing anywhere.

use std::net::TcpListener;

use ed25519_dalek::SigningKey;
use serde_json::{Value, json};

use super::reload;
use crate::config::Settings;
use crate::config::settings::Reach;
use crate::coordinator::client::{Access, CallKind, Client, Keyring};
use crate::core::Clock;
use crate::core::Reason;
use crate::net::dns::Kind;
use crate::net::doh::Doh;
use crate::net::resolve::Resolver;
use crate::net::roots::Roots;

/// A session nobody has: asking for it brings a signed refusal, which is all that is wanted.
const NO_SESSION: &str = "00000000-0000-4000-8000-000000000000";
/// A name that has addresses, for where the coordinator has no name.
const SOME_NAME: &str = "example.com";

/// What was tried, and what came of it: a sentence, or what is wrong and what helps.
pub struct Trial {
    /// What.
    pub name: &'static str,
    /// Well, or not.
    pub outcome: Result<String, String>,
}

/// Tries what these settings need; `ours` are the addresses this very node listens on now. Nothing where no role is on. Each
/// ends within half a minute; it blocks, so not for the data-plane thread.
pub fn run(settings: &Settings, ours: &[String], tell: &mut dyn FnMut(&Trial)) -> bool {
    if !settings.proxy.enabled {
        return true;
    }
    let mut well = true;
    let mut told = |name, outcome| {
        let trial = Trial { name, outcome };
        well &= trial.outcome.is_ok();
        tell(&trial);
    };
    let clock = Clock::system();
    // The system's clock is taken at its word; where it is off, the coordinator's signed answer says so.
    clock.vouch_ntp();
    match reload::roots(settings) {
        Ok(roots) => {
            told("coordinator", coordinator(settings, &roots, &clock));
            told("names", names(settings, &roots, &clock));
        }
        Err(failure) => told("certificates", Err(failure.message)),
    }
    if settings.proxy.reach != Reach::Gateway {
        told("port", port(settings, ours));
    }
    well
}

/// The same as a JSON object: `{tests: [{name, passed, message}], passed}`.
pub fn listed(settings: &Settings, ours: &[String]) -> Value {
    let mut tests = Vec::new();
    let passed = run(settings, ours, &mut |trial| {
        let (Ok(message) | Err(message)) = &trial.outcome;
        tests.push(json!({ "name": trial.name, "passed": trial.outcome.is_ok(), "message": message }));
    });
    json!({ "tests": tests, "passed": passed })
}

/// Calls it under a name that lives for this call: nobody is registered, and the signed answer proves the key.
fn coordinator(settings: &Settings, roots: &Roots, clock: &Clock) -> Result<String, String> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|_| "the system gave no random bytes; try again".to_owned())?;
    let access = Access {
        url: settings.coordinator.url.clone(),
        keys: Keyring::new(&settings.coordinator.keys, &[]),
        roots: roots.clone(),
        key: SigningKey::from_bytes(&seed),
        clock: clock.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
    };
    let (client, _events) = Client::start(access).map_err(|e| e.to_string())?;
    match smol::block_on(client.head(NO_SESSION)) {
        Ok(_) => Ok("it answers, and its key is the one you gave".into()),
        Err(e) => match e.kind {
            CallKind::Refused { .. } => Ok("it answers, and its key is the one you gave".into()),
            CallKind::Unreachable => Err(e.message),
            CallKind::BadAnswer => {
                Err(format!("{}; something answers there, but not under the key you gave: compare it with the operator's", e.message))
            }
            CallKind::Clock => Err("it answers, but this router's clock is off: enable NTP (System, Time synchronisation)".into()),
        },
    }
}

/// Asks the resolver the node will use. That a name does not exist is an answer, too.
fn names(settings: &Settings, roots: &Roots, clock: &Clock) -> Result<String, String> {
    let url = settings.coordinator.url.trim_start_matches("https://");
    let host = url.rsplit_once(':').map_or(url, |(host, _)| host);
    let host = if host.contains(|c: char| c.is_ascii_alphabetic()) && !host.starts_with('[') { host } else { SOME_NAME };
    if !settings.security.dns_over_https {
        return match smol::block_on(Resolver::system(clock).resolve(host)) {
            Ok(_) => Ok("the router's own resolver answers".into()),
            Err(_) => Err("the router's own resolver does not answer; check its DNS, or set security.dns_over_https to 1".into()),
        };
    }
    let doh = Doh::new(&settings.security.doh_url, roots, clock).map_err(|e| e.to_string())?;
    match smol::block_on(doh.look_up(host, Kind::A)) {
        Ok(_) => Ok("DNS over HTTPS answers".into()),
        Err(Reason::TimedOut) => Err("no DNS-over-HTTPS server answered in time; check the line, or name another in security.doh_url".into()),
        Err(_) => Err("no DNS-over-HTTPS server gave an answer; check the line, or name another in security.doh_url".into()),
    }
}

/// Whether the port is free, or taken by this very node.
fn port(settings: &Settings, ours: &[String]) -> Result<String, String> {
    for at in settings.proxy.listen.iter().filter(|at| !ours.contains(&at.to_string())) {
        if let Err(e) = TcpListener::bind(at) {
            return Err(format!("{at} cannot be listened on: {e}; choose another port, or stop what uses it"));
        }
    }
    Ok("it can be listened on; whether the Internet reaches it shows once the node runs".into())
}
