//! `echomesh nft`: the nftables rules for the daemon's user. Printed, not loaded: `echomesh nft --uid 453 | nft -f -`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use argh::FromArgs;

use super::{config, print};
use crate::config::Settings;
use crate::config::settings::Reach;
use crate::coordinator::client::Origin;
use crate::core::exit::{self, Failure};
use crate::net::address::egress::{Egress, nameable};
use crate::net::doh::DohUrl;
use crate::platform::resolvers;
use crate::platform::uplink::Routes;

const HTTP: u16 = 80;
const HTTPS: u16 = 443;

#[derive(FromArgs)]
#[argh(subcommand, name = "nft")]
/// Print the nftables rules that hold the daemon's user to replies, uplinks and the owner's own addresses (a whole table, for nft -f -).
pub struct Nft {
    /// UCI file [/etc/config/echomesh]
    #[argh(option, default = "super::CONFIG.into()")]
    config: PathBuf,
    /// number of the user the daemon runs as; not 0
    #[argh(option)]
    uid: u32,
    /// a device that leads to the Internet; repeat for more [network.uplink, else those with a default route now]
    #[argh(option)]
    uplink: Vec<String>,
}

impl Nft {
    /// Prints them.
    pub fn run(self) -> Result<(), Failure> {
        if self.uid == 0 {
            return Err(Failure::new(exit::USAGE, "rules for user 0 would hold all of the router; give the daemon a user of its own"));
        }
        let settings = config::usable(&self.config)?;
        let uplinks = match [self.uplink, settings.network.uplink.clone()].into_iter().find(|named| !named.is_empty()) {
            Some(named) => named,
            None => Routes::open()
                .and_then(|routes| routes.default_route_devices())
                .map_err(|e| Failure::new(exit::OS, format!("the kernel's routes cannot be asked: {e}; name the devices with --uplink")))?,
        };
        if let Some(odd) = uplinks.iter().find(|device| !nameable(device)) {
            return Err(Failure::new(exit::USAGE, format!("{odd:?} is no device name that a rule can hold")));
        }
        print::text(&egress(self.uid, &settings, uplinks, resolvers::beyond_loopback()).to_string())
    }
}

/// What the settings need. A coordinator named by a host name is reached where the public Internet is; only one named by its
/// address is exempt, because a name leads wherever its DNS says.
fn egress(uid: u32, settings: &Settings, uplinks: Vec<String>, resolvers: Vec<IpAddr>) -> Egress {
    let coordinator = Origin::parse(&settings.coordinator.url);
    let at = coordinator.as_ref().and_then(Origin::address);
    let doh = settings.security.doh_url.iter().filter(|_| settings.security.dns_over_https).filter_map(|url| url.parse::<DohUrl>().ok());
    let own_port = |entry: &String| entry.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    let probes = settings.policy.probe_host.iter();
    let mut ports: Vec<u16> = settings.network.ports.clone();
    ports.extend(coordinator.as_ref().map(Origin::port));
    ports.extend(probes.clone().map(|entry| own_port(entry).unwrap_or(HTTPS)));
    if settings.policy.allow_plain_http_probes {
        ports.extend(probes.filter(|entry| own_port(entry).is_none()).map(|_| HTTP));
    }
    ports.sort_unstable();
    ports.dedup();
    let gateway = settings.proxy.reach == Reach::Gateway;
    let mut owners: Vec<SocketAddr> = at.into_iter().chain(doh.map(|url| url.at)).collect();
    owners.sort_unstable();
    owners.dedup();
    Egress { uid, uplinks, ports, gateway, owners, gateway_at: at.filter(|_| gateway).map(|at| at.ip()), resolvers }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Each `tests/golden/nft/NAME.config` has its rules in `NAME.nft`. `ECHOMESH_BLESS=1` writes them anew.
    #[test]
    fn golden_files() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/nft");
        let mut names: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
        names.retain(|path| path.extension().is_some_and(|e| e == "config"));
        assert!(names.len() >= 3);
        for path in names {
            let settings = config::usable(&path).unwrap();
            let uplinks = if settings.network.uplink.is_empty() { vec!["wan".to_owned()] } else { settings.network.uplink.clone() };
            let told = egress(453, &settings, uplinks, vec!["192.168.1.10".parse().unwrap()]).to_string();
            let golden = path.with_extension("nft");
            if std::env::var_os("ECHOMESH_BLESS").is_some() {
                fs::write(&golden, &told).unwrap();
            }
            assert_eq!(told, fs::read_to_string(&golden).unwrap(), "{}", path.display());
        }
    }

    #[test]
    fn root_is_no_user_to_hold() {
        let nft = Nft { config: "/nonexistent".into(), uid: 0, uplink: Vec::new() };
        assert_eq!(nft.run().unwrap_err().code, exit::USAGE);
    }
}
