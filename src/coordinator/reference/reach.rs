//! The coordinator's own TLS handshake at a node's address: no buyer gets an address that did not show the told key.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use futures_rustls::TlsConnector;
use rustls::pki_types::ServerName;
use smol::{Async, future};

use super::gateway::Gateway;
use super::membership::AddressCheck;
use crate::core::Clock;
use crate::net::address::Table;
use crate::net::roots;

/// Resolving, connecting and the handshake together.
const WITHIN: Duration = Duration::from_secs(10);
/// Addresses of one name that are tried.
const TRIES: usize = 4;

/// Whether a TLS handshake at the address shows the key. Says why not in the log.
pub async fn shows(check: &AddressCheck, gateway: Option<&Gateway>, clock: &Clock) -> bool {
    let deadline = async {
        smol::Timer::after(WITHIN).await;
        Err("no answer within 10 s".to_owned())
    };
    match future::or(attempt(check, gateway, clock), deadline).await {
        Ok(()) => true,
        Err(why) => {
            log::warn!("node {} at {}: {why}", check.node.short(), check.address);
            false
        }
    }
}

async fn attempt(check: &AddressCheck, gateway: Option<&Gateway>, clock: &Clock) -> Result<(), String> {
    let config = roots::pinned(check.spki, &[], clock).map_err(|e| e.to_string())?;
    let host = check.address.rsplit_once(':').map_or("", |(h, _)| h).trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(host).map_err(|e| e.to_string())?;
    if check.by_gateway {
        let gateway = gateway.ok_or("there is no gateway")?;
        let stream = gateway.reach(check.node).await.ok_or("it is not connected to the gateway")?;
        return TlsConnector::from(config).connect(name, stream).await.map(drop).map_err(|e| e.to_string());
    }
    let address = check.address.clone();
    let found = smol::unblock(move || address.to_socket_addrs().map(Iterator::collect::<Vec<_>>)).await.map_err(|e| e.to_string())?;
    let mut why = "no address that may be dialled".to_owned();
    for target in found.into_iter().filter(|t| may_dial(t.ip(), check.caller)).take(TRIES) {
        match handshake(target, &config, &name).await {
            Ok(()) => return Ok(()),
            Err(e) => why = e.to_string(),
        }
    }
    Err(why)
}

async fn handshake(target: SocketAddr, config: &std::sync::Arc<rustls::ClientConfig>, name: &ServerName<'static>) -> std::io::Result<()> {
    let stream = Async::<std::net::TcpStream>::connect(target).await?;
    TlsConnector::from(config.clone()).connect(name.clone(), stream).await.map(drop)
}

/// A node must not make the coordinator knock at machines of its own network: an address off the public Internet is dialled
/// only for a node that itself called from one (a pilot in a laboratory, the demonstration).
pub(super) fn may_dial(target: IpAddr, caller: Option<IpAddr>) -> bool {
    let table = Table::internet();
    let public = |ip: IpAddr| table.judge(ip.to_canonical()).is_ok();
    public(target) || caller.is_some_and(|c| !public(c))
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use crate::codec::Hash;
    use crate::identity::certificate::{ListenerKey, self_signed};
    use crate::net::tls;

    #[test]
    fn inner_addresses_are_for_inner_nodes() {
        let ip = |t: &str| t.parse::<IpAddr>().unwrap();
        assert!(may_dial(ip("93.184.216.34"), Some(ip("93.184.216.34"))));
        assert!(may_dial(ip("127.0.0.1"), Some(ip("127.0.0.1"))));
        assert!(may_dial(ip("127.0.0.1"), Some(ip("::ffff:10.0.0.1"))));
        assert!(!may_dial(ip("127.0.0.1"), Some(ip("93.184.216.34"))));
        assert!(!may_dial(ip("10.0.0.1"), None));
    }

    #[test]
    fn only_the_told_key_is_good() {
        let key = ListenerKey::generate().unwrap();
        let cert = self_signed(&key, "node", &["127.0.0.1".into()]).unwrap();
        let acceptor = tls::acceptor(&cert, &[]).unwrap();
        let listener = Async::<std::net::TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
        let address = listener.get_ref().local_addr().unwrap().to_string();
        let ex = smol::LocalExecutor::new();
        smol::block_on(ex.run(async {
            let serve = ex.spawn(async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let _ = acceptor.accept(stream).await;
                }
            });
            let clock = Clock::test(1_800_000_000);
            let caller = Some([127, 0, 0, 1].into());
            let check = AddressCheck { node: testing::id(1), address, spki: key.spki(), caller, by_gateway: false };
            assert!(shows(&check, None, &clock).await);
            assert!(!shows(&AddressCheck { spki: Hash::of(b"another"), ..check.clone() }, None, &clock).await);
            assert!(!shows(&AddressCheck { caller: None, ..check.clone() }, None, &clock).await);
            assert!(!shows(&AddressCheck { by_gateway: true, ..check }, None, &clock).await);
            drop(serve);
        }));
    }
}
