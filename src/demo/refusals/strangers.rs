//! The refusal of plain CONNECT from beyond loopback: needs an address of this machine that is not of loopback. Its packets
//! stay on the loopback device all the same, since both ends are this machine.

use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use super::Refusals;
use crate::core::Reason;
use crate::core::exit::Failure;
use crate::demo::buyer::Access;
use crate::demo::names;
use crate::demo::node::Node;
use crate::demo::wait::until;

/// The node counts a reason as soon as it acts on it.
const COUNTED_WITHIN: Duration = Duration::from_secs(5);
/// Of the block for documentation (RFC 5737). Nothing is sent there: connecting a UDP socket only asks for the route.
const ANYWHERE: &str = "192.0.2.1:9";

/// Comes plainly from an address that is neither loopback nor one the buyer named.
///
/// # Errors
/// The node's control API does not answer.
pub async fn provoke(node: &Node, access: &Access, book: &Refusals) -> Result<(), Failure> {
    let Some(source) = own_address() else {
        book.skip(Reason::Insecure, "this machine has no address but those of loopback");
        return Ok(());
    };
    let stranger = Access { node_tls: None, source: Some(source), ..access.clone() };
    let before = node.gave(Reason::Insecure).await?;
    let came = match stranger.ask(&stranger.connect_head(&format!("{}:{}", names::origin(2), names::PORT))).await {
        Ok((answer, _)) => Err(format!("was answered {} instead of closed", answer.status)),
        Err(_) => {
            let counted = async || Ok((node.gave(Reason::Insecure).await? > before).then_some(()));
            until("counted", COUNTED_WITHIN, counted).await.map_err(|_| "the node's metrics do not count it".into())
        }
    };
    book.note(Reason::Insecure, came);
    Ok(())
}

/// An IPv4 address of this machine that other machines could use.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect(ANYWHERE).ok()?;
    socket.local_addr().ok().map(|addr| addr.ip()).filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
}
