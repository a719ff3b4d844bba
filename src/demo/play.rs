//! The demonstration from beginning to end.

use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;

use async_signal::{Signal, Signals};
use smol::LocalExecutor;
use smol::future::FutureExt as _;
use smol::stream::StreamExt as _;

use super::compare::{self, Bytes, Row};
use super::flow::{Flow, Traffic};
use super::names::{self, Host, Net};
use super::refusals::{Refusals, handshakes, limits, owners, requests, strangers};
use super::report::Report;
use super::sessions::{Session, Sessions};
use super::show::Show;
use super::stage::{Folder, Stage, counted};
use super::wait::{fail, until};
use super::{gateway, guarded, keep, outage, pages, restart, tamper};
use crate::core::Clock;
use crate::core::exit::{self, Failure};

/// What the last bundles of all sessions take to be acknowledged, on a busy machine.
const SETTLED_WITHIN: Duration = Duration::from_secs(30);
/// The first probe comes soon after a session opens; a second chance comes a minute later.
const PROBED_WITHIN: Duration = Duration::from_secs(75);
/// Counts stand still at once when no tunnel is left.
const STILL_WITHIN: Duration = Duration::from_secs(15);
/// Tries to find a /24 that nobody uses.
const MOST_DRAWS: usize = 32;
/// Exit code of a run that a signal ended (shells' 128 + SIGINT).
const INTERRUPTED: i32 = 130;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Seconds of traffic.
    pub seconds: u64,
    /// One JSON document on standard output, nothing else.
    pub json: bool,
    /// Leave everything up until Ctrl-C.
    pub keep: bool,
    /// With `keep`: serve the app's pages for the first node.
    pub panel: bool,
    /// Flip bytes of what was written, and show that it is noticed.
    pub self_test: bool,
}

/// Runs the demonstration.
///
/// # Errors
/// Anything that is not as it should be, named; or a signal.
pub fn run(options: Options) -> Result<(), Failure> {
    let ex = Rc::new(LocalExecutor::new());
    let mut signals = Signals::new([Signal::Int, Signal::Term, Signal::Hup]).map_err(|e| Failure::new(exit::OS, format!("signals: {e}")))?;
    let interrupted = async {
        signals.next().await;
        Err(Failure::new(INTERRUPTED, "interrupted; all processes are ended"))
    };
    smol::block_on(ex.run(interrupted.or(play(&ex, options))))
}

async fn play(ex: &Rc<LocalExecutor<'static>>, options: Options) -> Result<(), Failure> {
    let clock = Clock::system();
    let show = Show::new(options.json);
    let net = free_net()?;
    let folder = Folder::new(net)?;
    let mut stage = Stage::set(&clock, net, folder).await?;
    let outcome = match acts(ex, &mut stage, options, &show).await {
        Ok((report, sessions)) => close(&stage, &report, &sessions, options, &show).await,
        Err(failure) => Err(failure),
    };
    if outcome.is_err() && !options.json {
        eprintln!("{}", stage.tails());
    }
    outcome
}

/// A /24 at random that no other run on this machine uses.
fn free_net() -> Result<Net, Failure> {
    for _ in 0..MOST_DRAWS {
        let mut octet = [0];
        getrandom::fill(&mut octet).map_err(|_| Failure::new(exit::OS, "the system gave no random bytes"))?;
        let net = Net(octet[0]);
        if TcpListener::bind(net.addr(Host::Coordinator, 0)).is_ok() {
            return Ok(net);
        }
    }
    Err(fail(format!("port {} is in use under every address tried; are other demonstrations still running?", names::PORT)))
}

/// Everything up to the comparison.
async fn acts(ex: &Rc<LocalExecutor<'static>>, stage: &mut Stage, options: Options, show: &Show) -> Result<(Report, Sessions), Failure> {
    stage.up().await?;
    show.step("coordinator, trusted endpoint, DoH server, HTTPS origin and three nodes are up, all over TLS on loopback");
    let sessions = Sessions::open(stage).await?;
    show.step("two buyer sessions are open, one over the TLS listener, one by plain CONNECT; one more through the gateway, nine for refusals");
    let book = Refusals::default();
    let held = gateway::through(ex, stage, &sessions.behind).await?;
    show.step("traffic went through the coordinator's gateway to node-c, which nobody dials; a tunnel stays open in it");
    let flows = traffic(ex, stage, &sessions, options, &book, show).await?;
    show.step("traffic is over; the coordinator is back over the same store");
    let (net, origin_tls) = (stage.net, stage.origin_tls.clone());
    gateway::lost_and_found(stage, &sessions.behind, &origin_tls, held, &book).await?;
    show.step("the gateway was lost with its coordinator, and node-c is reached through it again");
    let [first, second] = &mut stage.nodes;
    if options.self_test {
        let found = restart::with_a_flipped_journal(first).await?;
        closed(stage, &sessions.main[1]).await?;
        let (refusals, skipped) = (book.seen(), book.skipped());
        let report =
            Report { seconds: options.seconds, rows: Vec::new(), bundles_verified: 0, probes_passed: 0, refusals, skipped, faults: vec![found] };
        return Ok((report, sessions));
    }
    let restarting = restart::in_mid_session(net, first, &sessions.main[0], (&origin_tls, 0), &book);
    let owning = async {
        owners::provoke(second, &sessions.crowd.access, &book).await?;
        limits::provoke(second, &sessions, &origin_tls, &book).await?;
        strangers::provoke(second, &sessions.crowd.access, &book).await
    };
    let (restarted, owned) = smol::future::zip(restarting, owning).await;
    restarted?;
    owned?;
    show.step("node-a was restarted in mid-session; node-b was paused, stopped, overrun, kept to a window, and its volumes were used up");
    outage::over(&stage.broker, &stage.nodes, &sessions.dropped).await?;
    let probed = until("a probe passes", PROBED_WITHIN, async || Ok(Some(stage.broker.probes_passed().await?).filter(|n| *n > 0))).await;
    let mut rows = still(stage, &sessions).await?;
    guarded::quarantine(stage, &sessions.crowd.access, &book).await?;
    show.step("node-b was seen elsewhere and took itself out of service; its owner cleared that, and it served again");
    settle(stage, &sessions, &mut rows).await?;
    show.step("all sessions are closed, their last bundles acknowledged");
    let mut faults = compare::differences(&rows);
    faults.extend(book.missing());
    faults.extend(flows.iter().filter_map(|flow| flow.failure()));
    faults.extend(probed.as_ref().err().map(|e| e.message.clone()));
    let verified = stage.broker.verify().await;
    faults.extend(verified.as_ref().err().map(|e| format!("coordinator verify: {e}")));
    let bundles_verified = verified.unwrap_or(0);
    let report = Report {
        seconds: options.seconds,
        rows,
        bundles_verified,
        probes_passed: probed.unwrap_or(0),
        refusals: book.seen(),
        skipped: book.skipped(),
        faults,
    };
    Ok((report, sessions))
}

/// Traffic through both main sessions for as long as asked; beside it the refusals that disturb nobody, and the outage.
async fn traffic(
    ex: &Rc<LocalExecutor<'static>>,
    stage: &mut Stage,
    sessions: &Sessions,
    options: Options,
    book: &Refusals,
    show: &Show,
) -> Result<Vec<Rc<Flow>>, Failure> {
    let start = |nth: u8| Traffic::start(ex, &sessions.main[usize::from(nth)].access, &stage.origin_tls, &names::origin(nth));
    let running = [start(0), start(1)];
    let flows: Vec<Rc<Flow>> = running.iter().map(|t| t.flow.clone()).collect();
    let bars: Vec<(String, Rc<Flow>)> = stage.nodes.iter().map(|n| n.name.clone()).zip(flows.iter().cloned()).collect();
    let (clock, net) = (stage.clock.clone(), stage.net);
    let (nodes, broker, origin_tls) = (&stage.nodes, &mut stage.broker, &stage.origin_tls);
    let script = async {
        requests::provoke(net, broker, sessions, book).await?;
        handshakes::provoke(&nodes[0], &sessions.any.access, book).await?;
        outage::cut(broker, nodes, sessions, origin_tls, &flows, book, show).await?;
        broker.again()?;
        broker.ready().await
    };
    let beside = async {
        let asked = smol::Timer::after(Duration::from_secs(options.seconds));
        // The one that never gets an answer takes 5 s by itself.
        let slow = requests::timed_out(&sessions.any.access, book);
        let ((_, ()), scripted) = smol::future::zip(smol::future::zip(asked, slow), script).await;
        scripted
    };
    let shown = async {
        show.bars(&clock, options.seconds, &bars).await;
        Ok(())
    };
    beside.or(shown).await?;
    for traffic in running {
        traffic.stop().await;
    }
    match flows.iter().find_map(|flow| flow.failure()) {
        Some(why) => Err(fail(format!("traffic broke: {why}"))),
        None => Ok(flows),
    }
}

/// The rows as origin and nodes count, once nothing moves any more. The ledger's column is still empty.
async fn still(stage: &Stage, sessions: &Sessions) -> Result<Vec<Row>, Failure> {
    for node in stage.all_nodes() {
        owners::empty(node).await?;
    }
    let mut rows = Vec::new();
    for nth in 0..names::ORIGINS {
        let what = "the origin's connections are over";
        let origin = until(what, STILL_WITHIN, async || Ok(Some(counted(stage.net, nth).await?).filter(|(_, open)| *open == 0))).await?.0;
        let cut_off = nth == names::CUT_OFF;
        let own = match nth {
            names::CUT_OFF => Some(&sessions.capped),
            names::BEHIND => Some(&sessions.behind),
            nth => sessions.main.get(usize::from(nth)),
        };
        let (name, node) = match own {
            Some(session) => (stage.node(session.at).name.clone(), Some(restart::of(stage.node(session.at), session).await?)),
            None => ("other sessions".to_owned(), None),
        };
        let name = if cut_off { format!("{name}, cut off") } else { name };
        rows.push(Row { name, session: own.map(|s| s.id().to_owned()), origin, node, ledger: Bytes::default(), cut_off });
    }
    Ok(rows)
}

/// Closes every session, waits for their last bundles, and fills in the ledger's column.
async fn settle(stage: &Stage, sessions: &Sessions, rows: &mut [Row]) -> Result<(), Failure> {
    sessions.close(&stage.broker).await?;
    let mut open = Vec::new();
    let settled = until("every session is settled", SETTLED_WITHIN, async || {
        let held = stage.broker.held().await?;
        open = held.iter().filter(|s| s.state != "settled").map(|s| format!("{} ({}, {} bundles)", s.session_id, s.state, s.bundles)).collect();
        Ok(open.is_empty().then_some(held))
    });
    let settled = settled.await;
    let held = match settled {
        Ok(held) => held,
        Err(e) if open.is_empty() => return Err(e),
        Err(e) => return Err(Failure::new(e.code, format!("{e}; these are not: {}", open.join(", ")))),
    };
    outage::drained(stage.all_nodes()).await?;
    for session in &held {
        let own = rows.iter().position(|row| row.session.as_deref() == Some(session.session_id.as_str()));
        let others = rows.iter().position(|row| row.session.is_none());
        if let Some(row) = own.or(others).and_then(|at| rows.get_mut(at)) {
            row.ledger = row.ledger.plus(session.bytes());
        }
    }
    Ok(())
}

/// Closes one session and waits for its last bundle.
async fn closed(stage: &Stage, session: &Session) -> Result<(), Failure> {
    stage.broker.close(session.id()).await?;
    until("the session is settled", SETTLED_WITHIN, async || {
        let held = stage.broker.held().await?;
        Ok(held.iter().any(|s| s.session_id == session.id() && s.state == "settled").then_some(()))
    })
    .await
}

/// Tells the result, and what is to come after it.
async fn close(stage: &Stage, report: &Report, sessions: &Sessions, options: Options, show: &Show) -> Result<(), Failure> {
    if options.self_test {
        return noticed(stage, report, sessions, options).await;
    }
    if options.json {
        println(&serde_json::to_string_pretty(&report.json()).unwrap_or_default());
    } else {
        println(&report.text());
    }
    if !report.ok() {
        return Err(Failure::new(exit::DATA, format!("not as it should be: {}", report.faults.join("; "))));
    }
    if options.keep {
        let pages = if options.panel { Some(pages::open(stage)?) } else { None };
        let hints = keep::hints(stage, &pages.as_ref().map(pages::hint).unwrap_or_default()).await?;
        if options.json {
            eprintln!("{hints}")
        } else {
            println(&hints)
        }
        show.step("waiting");
        if pages.is_some() {
            match pages::calm_traffic(stage).await? {}
        }
        return std::future::pending().await;
    }
    Ok(())
}

/// The self-test: the flipped journal must have been noticed, and a flipped bundle must be found.
async fn noticed(stage: &Stage, report: &Report, sessions: &Sessions, options: Options) -> Result<(), Failure> {
    let journal = report.faults.iter().find(|fault| fault.starts_with(stage.nodes[0].name.as_str()));
    let journal = journal.ok_or_else(|| fail("a byte of a node's journal was flipped, and nobody noticed"))?;
    let path = tamper::bundle(stage.broker.dir(), sessions.main[1].id())?;
    let bundle = match stage.broker.verify().await {
        Ok(_) => return Err(fail(format!("a byte of {} was flipped, and the verification did not notice", path.display()))),
        Err(found) => found.message,
    };
    if options.json {
        println(&serde_json::json!({ "ok": true, "journalFlip": journal, "bundleFlip": bundle }).to_string());
    } else {
        println(&format!("a flipped byte of a node's journal was noticed: {journal}\na flipped byte of a stored bundle was noticed: {bundle}"));
    }
    Ok(())
}

fn println(text: &str) {
    use std::io::Write as _;
    // Who closed standard output does not want it.
    let _ = writeln!(std::io::stdout(), "{text}");
}
