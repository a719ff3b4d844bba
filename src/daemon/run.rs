//! The life of the process: read, open, wire, run, drain, seal.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};
use std::time::Duration;

use smol::LocalExecutor;
use smol::future::FutureExt as _;

use super::answers::Desk;
use super::locked::Locked;
use super::node::{Life, Node};
use super::roles::Roles;
use super::roster::{self, Book};
use super::signals::{Asked, Watch};
use super::state::Turn;
use super::supervisor::RoleHealth;
use super::world::World;
use super::{books, clockwork, confine, giving_way, opt_out, reload, uplink};
use crate::codec::base64;
use crate::config::{self, Settings};
use crate::control::{self, EventHub, Jobs, RunDir};
use crate::core::exit::{self, Failure};
use crate::core::{Clock, Reason, logging};
use crate::guard::Owner;
use crate::identity::certificate::{self, ListenerKey};
use crate::identity::watch::KeyWatch;
use crate::identity::{Identity, Stored, file};
use crate::meter::Journal;
use crate::net::pace::Limiter;
use crate::net::pool::Pool;
use crate::net::reactor::{self, Timer};
use crate::net::{tls, within, work};
use crate::platform::sandbox::Sandbox;
use crate::platform::{facts, sys};
use crate::proxy::{Engine, Parts};
use crate::session::Registry;
use crate::session::registry::Notice;

/// How long live tunnels have to end when the process does.
const DRAIN: Duration = Duration::from_millis(500);
/// By then the start is over, and what only it needed can go.
const STARTED: Duration = Duration::from_secs(5);

type Calls = smol::channel::Receiver<control::Asked>;

/// What `echomesh run` is told.
pub struct Options {
    /// UCI file.
    pub config: PathBuf,
    /// Run folder, on tmpfs.
    pub run_dir: PathBuf,
}

/// Runs the daemon in the Internet as it is, until a signal ends it.
///
/// # Errors
/// What keeps it from starting, with the exit code.
pub fn run(options: Options) -> Result<(), Failure> {
    run_in(options, World::internet())
}

/// The same in another world: for the demonstration and tests.
///
/// # Errors
/// As [`run`].
pub fn run_in(options: Options, world: World) -> Result<(), Failure> {
    let run_dir = options.run_dir.clone();
    live(options, world).inspect_err(|failure| {
        // Of one that runs beside another there is nothing to tell: the other one answers.
        if failure.code != exit::UNAVAILABLE {
            control::run_dir::note_failure(&run_dir, &failure.message);
        }
    })
}

fn live(options: Options, world: World) -> Result<(), Failure> {
    let settings = read(&options)?;
    let clock = Clock::system();
    logging::init(settings.node.log_dest, settings.node.log_level, clock.clone());
    let run_dir = RunDir::claim(&options.run_dir)?;
    let sandbox = confine::confine(&options, &settings, &world);
    let mut signals = Watch::new().map_err(|e| Failure::new(exit::OS, format!("signals: {e}")))?;
    let ex = Rc::new(LocalExecutor::new());
    let run = ex.run(async {
        if opt_out::finish(&options.config, &options.run_dir, &settings.node.state_dir)? {
            return Ok(());
        }
        let stored = file::load_or_create(&settings.node.state_dir).map_err(|e| Failure::new(exit::NO_PERM, e.to_string()))?;
        let (calls, hub) = control::start(&ex, &run_dir)?;
        let jobs = Rc::new(RefCell::new(Jobs::default()));
        let sealed = matches!(stored, Stored::Sealed(_));
        let (identity, settings) = match stored {
            Stored::Plain(identity) => (identity, settings),
            Stored::Sealed(sealed) => {
                let locked = Locked::new(clock.clone(), settings.clone(), sealed, jobs.clone(), sandbox.clone());
                let Some(identity) = locked.wait(&ex, &calls, &hub, &mut signals).await else { return Ok(()) };
                (identity, read_again(&options, settings))
            }
        };
        let keys = Keys { identity, sealed, jobs };
        let node = make(options, settings, clock, world, keys, hub, sandbox)?;
        log::info!("echomesh {} is up as {}", env!("CARGO_PKG_VERSION"), node.identity.node_id());
        let _clockwork = work::start(&ex, clockwork::keep(node.clone()));
        let _uplink = work::start(&ex, uplink::keep(node.clone()));
        let _flash = work::start(&ex, books::keep_flash(node.clone()));
        let _roster = work::start(&ex, roster::keep(node.clone()));
        let _giving_way = work::start(&ex, giving_way::keep(node.clone()));
        let roles = Rc::new(Roles::new(ex.clone(), node.clone()));
        roles.follow_settings();
        let desk = Desk { node: node.clone(), roles: roles.clone() };
        let _answers = work::start(&ex, answer(desk, calls));
        // A task of its own: this future is polled whenever any task has something to do.
        let (tell, told) = smol::channel::bounded(1);
        let _signals = work::start(&ex, async move { while tell.send(signals.next().await).await.is_ok() {} });
        let _tidy = work::start(&ex, async {
            Timer::after(STARTED).await;
            sys::forget_code();
        });
        loop {
            let asked = async { told.recv().await.ok() };
            let gone = async {
                node.farewell.wait().await;
                None
            };
            match asked.or(gone).await {
                Some(Asked::Reload) if node.gone.get() => {}
                Some(Asked::Reload) => reload::from_file(&node, &roles).await,
                Some(Asked::Stop) | None => break,
            }
        }
        leave(&node).await;
        Ok(())
    });
    reactor::block_on(run).map_err(|e| Failure::new(exit::OS, format!("epoll: {e}; the system may be out of memory or files")))?
}

fn read(options: &Options) -> Result<Settings, Failure> {
    let (settings, findings) = config::read(&options.config).map_err(|e| Failure::new(e.exit_code(), e.to_string()))?;
    let errors: Vec<String> = findings.iter().filter(|f| f.is_error()).map(ToString::to_string).collect();
    if errors.is_empty() { Ok(settings) } else { Err(Failure::new(exit::CONFIG, errors.join("\n"))) }
}

/// The settings as they are now: they may have changed while the node was locked. Those before, where they have become
/// wrong, or name another identity.
fn read_again(options: &Options, before: Settings) -> Settings {
    match read(options) {
        Ok(now) if now.node.state_dir == before.node.state_dir => now,
        Ok(_) => before,
        Err(failure) => {
            log::error!("the settings before stay in force: {failure}");
            before
        }
    }
}

/// The identity, open, and what belongs to it.
struct Keys {
    identity: Identity,
    /// It is sealed at rest.
    sealed: bool,
    /// What was asked for while it was locked.
    jobs: Rc<RefCell<Jobs>>,
}

fn make(options: Options, settings: Settings, clock: Clock, world: World, keys: Keys, hub: EventHub, sandbox: Sandbox) -> Result<Rc<Node>, Failure> {
    let state_dir = settings.node.state_dir.clone();
    let key = ListenerKey::load_or_create(&state_dir.join("listener.key")).map_err(|e| Failure::new(exit::CANT_CREATE, e.to_string()))?;
    let certificate = certificate::self_signed(&key, "echomesh", &certificate_names(&settings)).map_err(software)?;
    let (journal, ledger, restored) = Journal::open(&options.run_dir, &state_dir, &clock)
        .map_err(|e| Failure::new(exit::CANT_CREATE, no_journal(&options.run_dir, &state_dir, &e)))?;
    let ledger = Rc::new(RefCell::new(ledger));
    let (book, damaged) = Book::open(&state_dir, &clock).map_err(|e| Failure::new(exit::CANT_CREATE, format!("roster: {e}")))?;
    let limiter = Limiter::new(clock.clone(), settings.network.max_mbps.bytes_per_sec(), u64::from(settings.network.burst_mb) * 1_000_000);
    let owner = Owner::new(&settings).map_err(|e| Failure::new(exit::CONFIG, format!("domain lists: {e}")))?;
    let notices = Notices::default();
    let registry = Rc::new(Registry::new(clock.clone(), ledger, limiter.clone(), owner, notices.teller()));
    let addresses = world.guard(&settings, &clock).map_err(|e| Failure::new(exit::OS, format!("routes: {e}")))?;
    let roots = reload::roots(&settings)?;
    let resolver = reload::resolver(&settings, &roots, &clock)?;
    let pool = Pool::for_ram(facts::ram_bytes());
    let acceptor = tls::acceptor(&certificate, &[]).map_err(software)?;
    let identity = Rc::new(keys.identity);
    let engine = Rc::new(Engine::new(Parts {
        clock: clock.clone(),
        identity: identity.clone(),
        registry: registry.clone(),
        addresses,
        resolver,
        pool: pool.clone(),
        acceptor,
    }));
    let mut boot_id = [0; 16];
    getrandom::fill(&mut boot_id).map_err(|_| Failure::new(exit::OS, "the system gave no random bytes; try again later"))?;
    let unix = clock.unix();
    let key_watch = KeyWatch::new(state_dir.join(file::FILE));
    let node = Rc::new(Node {
        clock,
        world,
        sandbox,
        config: options.config,
        run_dir: options.run_dir,
        state_dir,
        settings: RefCell::new(Rc::new(settings)),
        identity,
        sealed: Cell::new(keys.sealed),
        attempts: Default::default(),
        gone: Default::default(),
        heard_out: Default::default(),
        farewell: Default::default(),
        jobs: keys.jobs,
        boot_id: base64::url(&boot_id),
        roots: RefCell::new(roots),
        registry,
        limiter,
        household: Default::default(),
        pool,
        machine: Default::default(),
        engine,
        spki: certificate.spki,
        book,
        journal: RefCell::new(journal),
        flash_job: RefCell::default(),
        flash_due: Default::default(),
        client: RefCell::default(),
        hub,
        post: Default::default(),
        hurry: Default::default(),
        held: RefCell::default(),
        key_watch: RefCell::new(key_watch),
        distrust: Default::default(),
        link: Default::default(),
        heard: RefCell::default(),
        probes: Default::default(),
        probe_allowance: RefCell::default(),
        probe_due: Default::default(),
        bundles: Default::default(),
        integrity: RefCell::default(),
        health: RefCell::default(),
        listening: RefCell::default(),
        rebind: Default::default(),
        gateway: Default::default(),
        proxy_health: RoleHealth::new("proxy"),
        life: Life::new(unix),
    });
    notices.to(&node);
    node.look_at_machine();
    node.look_for_ntp();
    node.restore(restored);
    damaged.into_iter().for_each(|finding| node.finding(finding));
    node.apply_limits();
    node.apply_windows();
    Ok(node)
}

fn no_journal(run: &Path, state: &Path, e: &std::io::Error) -> String {
    format!(
        "the journal in {} and {} cannot be read and written: {e}; free some space and make both folders writable",
        run.display(),
        state.display()
    )
}

fn software(e: impl std::fmt::Display) -> Failure {
    Failure::new(exit::SOFTWARE, format!("TLS: {e}"))
}

/// Addresses the listener names, so that a client may check the certificate against one.
fn certificate_names(settings: &Settings) -> Vec<String> {
    let named = settings.proxy.listen.iter().map(|a| a.ip()).filter(|ip| !ip.is_unspecified());
    let mut names: Vec<String> = named.map(|ip| ip.to_string()).collect();
    names.push("echomesh.invalid".into());
    names
}

/// The control API's calls, answered between all else.
async fn answer(desk: Desk, calls: Calls) {
    while let Ok(asked) = calls.recv().await {
        asked.answer(&desk);
    }
}

/// Ends live tunnels, closes the windows, and writes the journal to flash: within 1 s.
async fn leave(node: &Node) {
    node.turn(Turn::Stop, Some("the system asked the process to end".into()));
    node.gate(|gate| gate.leaving = true);
    let live = node.registry.tunnels();
    if live > 0 {
        log::info!("{live} live tunnels end ({})", Reason::NodeRestart);
    }
    let drained = async {
        while node.registry.tunnels() > 0 {
            node.registry.emptied.wait().await;
        }
    };
    let _ = within(DRAIN, drained).await;
    let ended = node.engine.tally.reasons().find_map(|(reason, count)| (reason == Reason::NodeRestart).then_some(count)).unwrap_or(0);
    if ended > 0 {
        log::info!("tunnels ended or refused as {}: {ended}", Reason::NodeRestart);
    }
    node.close_books();
    if !node.gone.get() {
        node.book.flush();
    }
    node.turn(Turn::Drained, None);
}

/// What the table of sessions tells, handed to the node once there is one.
#[derive(Clone, Default)]
struct Notices(Rc<RefCell<Weak<Node>>>);

impl Notices {
    fn teller(&self) -> impl Fn(Notice) + 'static {
        let to = self.0.clone();
        move |notice| {
            if let Some(node) = to.borrow().upgrade() {
                node.noticed(notice);
            }
        }
    }

    fn to(&self, node: &Rc<Node>) {
        *self.0.borrow_mut() = Rc::downgrade(node);
    }
}
