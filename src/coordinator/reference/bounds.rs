//! Every table of the reference coordinator has a limit here, with what it costs at the very most.

/// Nodes known: about 2 kB each with 31 days of figures, 2 MB.
pub const NODES: usize = 1024;
/// Names that were given up for another: 64 bytes each, 1 MB.
pub const SUCCESSIONS: usize = 16 * 1024;
/// Buyers known: 150 bytes each, 40 kB.
pub const BUYERS: usize = 256;
/// Sessions in the table, settled ones of the last [`KEEP_SETTLED_SEC`] included: at most 10 kB each (inline profiles), 40 MB;
/// with named profiles 600 bytes each, 2.4 MB.
pub const SESSIONS: usize = 4096;
/// Live sessions of one buyer.
pub const SESSIONS_PER_BUYER: usize = 64;
/// Live sessions of one node.
pub const SESSIONS_PER_NODE: usize = 32;
/// One session as JSON: an inline profile must fit in here.
pub const DEFINITION_BYTES: usize = 8 * 1024;
/// All live sessions of one node as JSON: a snapshot of them must fit into one answer of 64 KiB.
pub const SNAPSHOT_BYTES: usize = 48 * 1024;
/// Events kept per node for a poll that resumes: 64 × 80 bytes, 5 MB over all nodes.
pub const STREAM_HISTORY: usize = 64;
/// Nonces remembered per node while their time could still be accepted: 512 × 24 bytes, 12 MB over all nodes.
pub const NONCES_PER_NODE: usize = 512;
/// Boot ids of a node that were superseded: 8 × 24 bytes.
pub const SUPERSEDED_BOOTS: usize = 8;
/// Nodes that refused one session and are not asked again for a while.
pub const REFUSALS_PER_SESSION: usize = 32;
/// Days of figures behind a reputation, today included.
pub const REPUTATION_DAYS: u64 = 30;
/// Bundle files held open: one descriptor each.
pub const OPEN_BUNDLE_FILES: usize = 64;
/// Answers that wait for an event (nodes' polls and buyers' waits): one channel of 100 bytes each.
pub const WAITING: usize = 2 * NODES;
/// Sources whose failed attempts are counted: 1024 × 40 bytes.
pub const STRIKE_SOURCES: usize = 1024;
/// Failed attempts of one source within a minute before it is refused unread.
pub const STRIKES_PER_MINUTE: u32 = 60;
/// Probe bodies streamed at once by the trusted endpoint: 4 × 64 KiB in flight each.
pub const PROBE_STREAMS: usize = 16;
/// Address checks under way at once: one socket and one TLS client each, about 40 kB.
pub const ADDRESS_CHECKS: usize = 16;
/// Nodes at the gateway at once: 200 kB each with their buyers' copies, and up to 4 MiB of windows where buyers do not
/// read; 256 MiB at the very most.
pub const GATEWAY_LINKS: usize = 64;
/// Nodes' handshakes at the gateway under way at once: about 40 kB each.
pub const GATEWAY_HANDSHAKES: usize = 64;
/// Settled sessions stay in the table this long; their bundles stay on disk until the operator removes them.
pub const KEEP_SETTLED_SEC: u64 = 35 * 86_400;
/// A node's telemetry as JSON, 4 MB over all nodes; what is longer is not kept.
pub const TELEMETRY_BYTES: usize = 4 * 1024;
/// Windows in which buyers' records and bundles are compared: those of the last day, and disputed ones of the last month. 250 bytes
/// each, 8 MB; a full table takes no more records.
pub const WINDOWS: usize = 32 * 1024;
/// Unannounced purchases remembered: 300 bytes each, 300 kB.
pub const PURCHASES: usize = 1024;
/// Unannounced purchases under way: two TLS clients and 2 MiB each, 9 MB.
pub const PURCHASES_AT_ONCE: usize = 4;
/// Texts a caller names itself by (region, category, version, reason): longer ones are refused.
pub const NAME_BYTES: usize = 128;
/// Items of a caller's list of such texts.
pub const LIST_ITEMS: usize = 64;
