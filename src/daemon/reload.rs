//! New settings, by the smallest change: live tunnels stay wherever they can.

use std::path::Path;
use std::rc::Rc;

use super::node::Node;
use super::roles::Roles;
use crate::config::{self, Settings};
use crate::control::Event;
use crate::core::Clock;
use crate::core::exit::{self, Failure};
use crate::guard::Owner;
use crate::net::doh::Doh;
use crate::net::resolve::Resolver;
use crate::net::roots::Roots;
use crate::net::work;

/// Reads the file again and applies it. What is wrong is logged, and nothing changes.
///
/// Files are read beside this thread: a list of 100,000 domains takes a small router a good part of a second.
pub async fn from_file(node: &Rc<Node>, roles: &Roles) {
    node.look_for_ntp();
    loop {
        let (before, path) = (node.settings(), node.config.clone());
        let read = work::aside(move || read(&path)).await;
        // Other settings came into force meanwhile, and were written before: what was read may be older than they are.
        if Rc::ptr_eq(&before, &node.settings()) {
            if let Err(why) = read.and_then(|(settings, named)| put(node, roles, settings, named).map_err(|e| vec![e.to_string()])) {
                why.iter().for_each(|why| log::error!("not reloaded: {why}"));
            }
            return;
        }
    }
}

/// What settings name in files, read. Comes from beside the data-plane thread.
pub struct Named {
    owner: Owner,
    roots: Roots,
}

/// The settings of the file with what they name, or everything that is wrong.
fn read(path: &Path) -> Result<(Settings, Named), Vec<String>> {
    let (settings, findings) = config::read(path).map_err(|e| vec![e.to_string()])?;
    if config::any_error(&findings) {
        return Err(findings.iter().filter(|f| f.is_error()).map(ToString::to_string).collect());
    }
    let named = named(&settings).map_err(|e| vec![e.to_string()])?;
    Ok((settings, named))
}

/// Reads what `settings` name: lists of domains, certificate authorities. Not for the data-plane thread.
///
/// # Errors
/// A file cannot be read, a line of a list is no domain, or there is no root at all.
pub fn named(settings: &Settings) -> Result<Named, Failure> {
    let owner = Owner::new(settings).map_err(|e| Failure::new(exit::CONFIG, format!("domain lists: {e}")))?;
    Ok(Named { owner, roots: roots(settings)? })
}

/// Applies checked settings with what they name.
///
/// # Errors
/// The resolver cannot be made; nothing changed.
pub fn put(node: &Rc<Node>, roles: &Roles, settings: Settings, named: Named) -> Result<(), Failure> {
    let Named { owner, roots } = named;
    let change = config::diff(&node.settings(), &settings);
    // What can fail comes first.
    let resolver = if change.resolver || change.coordinator { Some(resolver(&settings, &roots, &node.clock)?) } else { None };
    *node.settings.borrow_mut() = Rc::new(settings);
    *node.roots.borrow_mut() = roots;
    let settings = node.settings();
    log::set_max_level(settings.node.log_level);
    node.apply_policy(owner);
    node.apply_cooldown();
    if change.limits {
        node.apply_limits();
    }
    // The time zone may have changed without an option of ours.
    node.apply_windows();
    if let Some(resolver) = resolver {
        *node.engine.resolver.borrow_mut() = resolver;
    }
    if change.uplink {
        node.engine.addresses.borrow().set_uplinks(node.world.uplinks(&settings));
        // There is an alert about one that is not there.
        node.registry.changed.ring();
    }
    if change.listener {
        node.rebind.ring();
    }
    if change.roles {
        roles.follow_settings();
    } else if change.coordinator {
        roles.connect();
    } else if change.register {
        node.link(|link| link.registered = false);
        node.post.ring();
    }
    if change.restart_needed {
        log::warn!("node.state_dir and node.log_dest take effect at the next start");
    }
    node.look_at_machine();
    log::info!("settings reloaded");
    node.tell(&Event::Policy { changed: change.names() });
    Ok(())
}

/// Roots trusted for what the node itself connects to: the system's and `ca_file`.
///
/// # Errors
/// A file cannot be read, or there is no root at all.
pub fn roots(settings: &Settings) -> Result<Roots, Failure> {
    Roots::load(settings.coordinator.ca_file.as_deref()).map_err(|e| Failure::new(exit::NO_INPUT, e.to_string()))
}

/// The resolver the settings ask for.
///
/// # Errors
/// A resolver's URL cannot be used.
pub fn resolver(settings: &Settings, roots: &Roots, clock: &Clock) -> Result<Rc<Resolver>, Failure> {
    if !settings.security.dns_over_https {
        return Ok(Rc::new(Resolver::system(clock)));
    }
    let doh = Doh::new(&settings.security.doh_url, roots, clock).map_err(|e| Failure::new(exit::CONFIG, e.to_string()))?;
    Ok(Rc::new(Resolver::doh(doh, clock)))
}
