//! The node that nobody can dial: its buyers come through the coordinator's gateway. It is a node of its own, because the
//! gateway goes away with its coordinator, and the traffic of the other two is to go on without it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use smol::LocalExecutor;
use smol::io::AsyncReadExt as _;

use super::buyer::{self, Stream};
use super::compare::LEAST_EACH_WAY;
use super::flow::{Flow, Traffic};
use super::names::{self, BEHIND};
use super::refusals::Refusals;
use super::restart;
use super::sessions::Session;
use super::stage::{Stage, counted};
use super::wait::{fail, until};
use crate::core::Reason;
use crate::core::exit::Failure;
use crate::net::within;

/// What must come true soon, on a busy machine.
const SOON: Duration = Duration::from_secs(20);
/// The node's pauses between tries have grown meanwhile (30 s at most), and the coordinator checks the way before it tells it.
const BACK_WITHIN: Duration = Duration::from_secs(60);
/// Body bytes each way once the gateway is back.
const AFTER: u64 = 64 * 1024;

/// A tunnel through the gateway in which nothing moves.
pub struct Held(Box<dyn Stream>);

/// Traffic through the gateway, and a tunnel that is left open in it.
///
/// # Errors
/// Something of that does not work.
pub async fn through(ex: &Rc<LocalExecutor<'static>>, stage: &Stage, session: &Session) -> Result<Held, Failure> {
    let host = names::origin(BEHIND);
    let traffic = Traffic::start(ex, &session.access, &stage.origin_tls, &host);
    let flow = traffic.flow.clone();
    until("traffic goes through the gateway", SOON, async || match flow.failure() {
        Some(why) => Err(fail(format!("through the gateway: {why}"))),
        None => Ok((flow.up.get().min(flow.down.get()) > LEAST_EACH_WAY).then_some(())),
    })
    .await?;
    traffic.stop().await;
    if let Some(why) = flow.failure() {
        return Err(fail(format!("through the gateway: {why}")));
    }
    let (answer, tunnel) = session.access.connect(&format!("{host}:{}", names::PORT)).await.map_err(|e| fail(e.to_string()))?;
    if answer.status != 200 {
        return Err(fail(format!("no tunnel through the gateway: {} {}", answer.status, answer.reason.unwrap_or_default())));
    }
    let tls = buyer::inside(&stage.origin_tls, &host, tunnel).await.map_err(|e| fail(format!("{host}: {e}")))?;
    // With bytes still on their way, the two sides could not agree on how many there were.
    until("the tunnel is at rest", SOON, async || {
        let (origin, _) = counted(stage.net, BEHIND).await?;
        Ok((origin == restart::of(&stage.behind, session).await?).then_some(()))
    })
    .await?;
    Ok(Held(Box::new(tls)))
}

/// The coordinator was away, and the gateway with it: the tunnel has ended for that reason, and the node is reached again.
///
/// # Errors
/// The node is not reached again.
pub async fn lost_and_found(stage: &Stage, session: &Session, origin: &Arc<ClientConfig>, held: Held, book: &Refusals) -> Result<(), Failure> {
    book.note(Reason::GatewayLost, ended(stage, held).await);
    let (host, flow) = (names::origin(BEHIND), Rc::new(Flow::default()));
    let target = format!("{host}:{}", names::PORT);
    until("the gateway leads to its node again", BACK_WITHIN, async || {
        let answer = session.access.connect(&target).await;
        Ok(answer.is_ok_and(|(answer, _)| answer.status == 200).then_some(()))
    })
    .await?;
    for (up, down) in [(AFTER, 0), (0, AFTER)] {
        let visit = session.access.https(origin, &host, names::PORT, up, down, &flow).await;
        visit.map_err(|e| fail(format!("through the gateway that is back, {host}: {e}")))?;
    }
    Ok(())
}

async fn ended(stage: &Stage, Held(mut tunnel): Held) -> Result<(), String> {
    match within(SOON, tunnel.read(&mut [0])).await {
        None => return Err("the tunnel outlived its gateway".into()),
        Some(Ok(n)) if n > 0 => return Err("the tunnel went on".into()),
        Some(_) => {}
    }
    let counted = async || Ok((stage.behind.gave(Reason::GatewayLost).await? > 0).then_some(()));
    until("counted", SOON, counted).await.map_err(|_| "the node's metrics do not count it".into())
}
