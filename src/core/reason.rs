//! Every allow or deny is a `Reason`: one stable text id, the same in the audit log, the metrics label, the API and LuCI.

/// Why the node refused or ended something (contracts, "Buyer's side").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)] // the ids and messages below are the documentation
pub enum Reason {
    Malformed,
    HttpsOnly,
    BadCredentials,
    SessionUnknown,
    SessionExpired,
    PortNotAllowed,
    IpLiteral,
    BlockedDomain,
    NotAllowedDomain,
    Category,
    OptOut,
    PrivateAddress,
    Geo,
    SessionCap,
    DailyCap,
    MonthlyCap,
    TunnelCap,
    RateTableFull,
    DnsFailed,
    DialFailed,
    TimedOut,
    Paused,
    Stopped,
    Quarantine,
    Schedule,
    LeaseExpired,
    Overload,
    NotTls,
    SniMissing,
    SniMismatch,
    Alpn,
    Ech,
    GatewayLost,
    NodeRestart,
    /// A plain connection from where plain is not accepted; closed without an answer.
    Insecure,
}

/// TLS alert descriptions (RFC 8446, section 6) for refusals after the 200.
const ACCESS_DENIED: u8 = 49;
const UNRECOGNIZED_NAME: u8 = 112;
const NO_APPLICATION_PROTOCOL: u8 = 120;
const MISSING_EXTENSION: u8 = 109;

impl Reason {
    /// Every reason, in the order of the contracts' table.
    pub const ALL: [Reason; 35] = [
        Reason::Malformed,
        Reason::HttpsOnly,
        Reason::BadCredentials,
        Reason::SessionUnknown,
        Reason::SessionExpired,
        Reason::PortNotAllowed,
        Reason::IpLiteral,
        Reason::BlockedDomain,
        Reason::NotAllowedDomain,
        Reason::Category,
        Reason::OptOut,
        Reason::PrivateAddress,
        Reason::Geo,
        Reason::SessionCap,
        Reason::DailyCap,
        Reason::MonthlyCap,
        Reason::TunnelCap,
        Reason::RateTableFull,
        Reason::DnsFailed,
        Reason::DialFailed,
        Reason::TimedOut,
        Reason::Paused,
        Reason::Stopped,
        Reason::Quarantine,
        Reason::Schedule,
        Reason::LeaseExpired,
        Reason::Overload,
        Reason::NotTls,
        Reason::SniMissing,
        Reason::SniMismatch,
        Reason::Alpn,
        Reason::Ech,
        Reason::GatewayLost,
        Reason::NodeRestart,
        Reason::Insecure,
    ];

    const fn row(self) -> (&'static str, u16, &'static str) {
        match self {
            Reason::Malformed => ("malformed", 400, "the request is not a well-formed CONNECT; send CONNECT host:port HTTP/1.1 with one Host"),
            Reason::HttpsOnly => ("https-only", 405, "only CONNECT is served here; ask for an https URL through the proxy"),
            Reason::BadCredentials => {
                ("bad-credentials", 407, "session id and secret are missing or do not match; use the pair the coordinator gave")
            }
            Reason::SessionUnknown => ("session-unknown", 407, "this node has no such session; ask the coordinator which node serves it"),
            Reason::SessionExpired => ("session-expired", 407, "the session is over; open a new one at the coordinator"),
            Reason::PortNotAllowed => ("port-not-allowed", 403, "this port is not in the session's profile"),
            Reason::IpLiteral => ("ip-literal", 403, "name a host, not an address"),
            Reason::BlockedDomain => ("blocked-domain", 403, "this domain is blocked here"),
            Reason::NotAllowedDomain => ("not-allowed-domain", 403, "this domain is not in the list of allowed ones"),
            Reason::Category => ("category", 403, "the session's category is not one this node serves"),
            Reason::OptOut => ("opt-out", 403, "the owner opted out of this category"),
            Reason::PrivateAddress => ("private-address", 403, "the host has no address on the public Internet"),
            Reason::Geo => ("geo", 403, "the node's place does not fit the session's region"),
            Reason::SessionCap => ("session-cap", 429, "the session's volume is used up"),
            Reason::DailyCap => ("daily-cap", 429, "the owner's volume for today is used up; try tomorrow"),
            Reason::MonthlyCap => ("monthly-cap", 429, "the owner's volume for this month is used up"),
            Reason::TunnelCap => ("tunnel-cap", 429, "too many tunnels at once; close one first"),
            Reason::RateTableFull => ("rate-table-full", 429, "too many callers at once; try again in a minute"),
            Reason::DnsFailed => ("dns-failed", 502, "the host's name did not resolve"),
            Reason::DialFailed => ("dial-failed", 502, "no address of the host accepted a connection"),
            Reason::TimedOut => ("timed-out", 504, "the host did not answer in time"),
            Reason::Paused => ("paused", 503, "the owner paused the node; try again later"),
            Reason::Stopped => ("stopped", 503, "the owner stopped the node"),
            Reason::Quarantine => ("quarantine", 503, "the node is in quarantine"),
            Reason::Schedule => ("schedule", 503, "outside the owner's time windows"),
            Reason::LeaseExpired => ("lease-expired", 503, "the node has lost touch with its coordinator; try again later"),
            Reason::Overload => ("overload", 503, "the node has no room now; try again shortly"),
            Reason::NotTls => ("not-tls", 0, "what followed the CONNECT was not a TLS ClientHello"),
            Reason::SniMissing => ("sni-missing", 0, "the ClientHello names no server"),
            Reason::SniMismatch => ("sni-mismatch", 0, "the ClientHello names another server than the CONNECT"),
            Reason::Alpn => ("alpn", 0, "an application protocol of the ClientHello is not in the profile"),
            Reason::Ech => ("ech", 0, "Encrypted ClientHello is not in the profile"),
            Reason::GatewayLost => ("gateway-lost", 0, "the gateway's connection was lost"),
            Reason::NodeRestart => ("node-restart", 0, "the node is restarting"),
            Reason::Insecure => ("insecure", 0, "plain CONNECT is accepted only from loopback or a session's buyer addresses"),
        }
    }

    /// The stable id, as in logs, metrics and answers.
    pub const fn id(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status of the refusal; `None` for what happens after the 200 or without an answer.
    pub const fn status(self) -> Option<u16> {
        match self.row().1 {
            0 => None,
            status => Some(status),
        }
    }

    /// One sentence for the person who reads it, with what to do.
    pub const fn message(self) -> &'static str {
        self.row().2
    }

    /// The fatal TLS alert sent to the buyer's client, for refusals of a ClientHello.
    pub const fn alert(self) -> Option<u8> {
        match self {
            Reason::SniMissing => Some(MISSING_EXTENSION),
            Reason::SniMismatch => Some(UNRECOGNIZED_NAME),
            Reason::Alpn => Some(NO_APPLICATION_PROTOCOL),
            Reason::Ech => Some(ACCESS_DENIED),
            _ => None,
        }
    }

    /// Whether it is a cause beyond policy: counted as an error of service, not as `denied`.
    pub const fn is_error(self) -> bool {
        matches!(self, Reason::DnsFailed | Reason::DialFailed | Reason::TimedOut | Reason::GatewayLost | Reason::NodeRestart)
    }

    /// The reason of a stable id.
    pub fn from_id(id: &str) -> Option<Reason> {
        Reason::ALL.into_iter().find(|r| r.id() == id)
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_resolve() {
        for r in Reason::ALL {
            assert_eq!(Reason::from_id(r.id()), Some(r));
        }
    }
}
