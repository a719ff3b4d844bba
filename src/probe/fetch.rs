//! Makes one probe: dial, TLS, `GET ENDPOINT?size=N&nonce=X`, BLAKE3 of the body as it streams by.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_rustls::TlsConnector;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ProtocolVersion};
use smol::io::{AsyncRead, AsyncWrite};

use super::attestation;
use super::metered::{ByteBudget, Metered};
use super::plan::Plan;
use super::report::Measured;
use crate::codec::Hash;
use crate::core::{Clock, Mono, Reason};
use crate::identity::certificate::spki_of;
use crate::net::Pace;
use crate::net::address::AddressGuard;
use crate::net::dial::{Dialled, dial};
use crate::net::http::client::{ClientLimits, Outgoing, exchange};
use crate::net::resolve::Resolver;

/// TCP connect, over all addresses of the host.
const DIAL: Duration = Duration::from_secs(10);

/// Largest head of the endpoint's answer.
const MAX_HEAD: usize = 8 * 1024;

/// What a probe is made with.
#[derive(Debug)]
pub struct Means<'a, P, B> {
    /// The system's roots and the owner's, ALPN `http/1.1`.
    pub tls: Arc<ClientConfig>,
    /// Measures.
    pub clock: &'a Clock,
    /// The owner's rate.
    pub pace: &'a P,
    /// The owner's volume.
    pub budget: &'a B,
}

/// Why a granted probe came to nothing.
#[derive(Debug)]
pub enum ProbeFailure {
    /// Name, guard or connect, as for a tunnel.
    Dial(Reason),
    /// Not all of it came in time.
    TimedOut,
    /// TLS, the connection or the volume ended, or what came is no HTTP as expected.
    Broken(io::Error),
    /// Another status than 200.
    Status(u16),
    /// Another number of bytes than asked for.
    Length(u64),
    /// Plain HTTP without a signature: nothing vouches for it.
    Unattested,
}

impl fmt::Display for ProbeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProbeFailure::Dial(reason) => write!(f, "the probe endpoint was not reached: {}", reason.message()),
            ProbeFailure::TimedOut => f.write_str("the probe took too long"),
            ProbeFailure::Broken(e) => write!(f, "the probe broke off: {e}"),
            ProbeFailure::Status(status) => write!(f, "the probe endpoint answered with status {status} instead of 200"),
            ProbeFailure::Length(came) => write!(f, "the probe endpoint sent {came} bytes, not what was asked for"),
            ProbeFailure::Unattested => f.write_str("the plain probe endpoint signed nothing that verifies"),
        }
    }
}

impl std::error::Error for ProbeFailure {}

/// Makes the probe of `plan`. `dial` resolves and dials host and port through the address guard.
///
/// Memory is fixed: the body goes by in pieces. The volume is spent through the budget, also where the probe fails.
pub async fn fetch<P: Pace, B: ByteBudget>(
    plan: &Plan,
    dial: impl AsyncFnOnce(&str, u16) -> Result<Dialled, Reason>,
    means: &Means<'_, P, B>,
) -> Result<Measured, ProbeFailure> {
    let late = async {
        smol::Timer::after(plan.within).await;
        Err(ProbeFailure::TimedOut)
    };
    smol::future::or(run(plan, dial, means), late).await
}

/// The way a probe is dialled: the node's resolver, then its address guard. An address the owner listed is not resolved,
/// but guarded all the same.
pub async fn dial_through(resolver: &Resolver, guard: &AddressGuard, clock: &Clock, host: &str, port: u16) -> Result<Dialled, Reason> {
    let addresses = match host.parse() {
        Ok(address) => vec![address],
        Err(_) => resolver.resolve(host).await?.addresses,
    };
    dial(guard, &addresses, port, clock, DIAL).await
}

async fn run<P: Pace, B: ByteBudget>(
    plan: &Plan,
    dial: impl AsyncFnOnce(&str, u16) -> Result<Dialled, Reason>,
    means: &Means<'_, P, B>,
) -> Result<Measured, ProbeFailure> {
    let target = &plan.target;
    let Dialled { stream, connect_ms, .. } = dial(&target.host, target.port).await.map_err(ProbeFailure::Dial)?;
    let mut stream = Metered::new(stream, means.pace, means.budget);
    if !target.https {
        let body = get(plan, &mut stream, means.clock).await?;
        let endpoint_sig = body.signature.ok_or(ProbeFailure::Unattested)?;
        return Ok(Measured {
            bytes: plan.size,
            duration_ms: body.duration_ms,
            connect_ms,
            rtt_ms: connect_ms,
            endpoint_sig,
            attested: true,
            body_hash: body.hash,
            tls_version: "none",
        });
    }
    let name = ServerName::try_from(target.host.clone()).map_err(|_| ProbeFailure::Dial(Reason::Malformed))?;
    let began = means.clock.now();
    let mut tls = TlsConnector::from(means.tls.clone()).connect(name, stream).await.map_err(ProbeFailure::Broken)?;
    let handshake_ms = since(means.clock, began);
    let session = tls.get_ref().1;
    // TLS 1.3 is one round trip, 1.2 two (RFC 8446, figure 1; RFC 5246, figure 1).
    let (tls_version, rtt_ms) =
        if session.protocol_version() == Some(ProtocolVersion::TLSv1_3) { ("1.3", handshake_ms) } else { ("1.2", handshake_ms / 2) };
    let spki = session.peer_certificates().and_then(|chain| spki_of(chain.first()?));
    let body = get(plan, &mut tls, means.clock).await?;
    let attested = body.signature.is_some();
    let endpoint_sig = body.signature.or_else(|| spki.map(attestation::unattested)).ok_or(ProbeFailure::Unattested)?;
    Ok(Measured { bytes: plan.size, duration_ms: body.duration_ms, connect_ms, rtt_ms, endpoint_sig, attested, body_hash: body.hash, tls_version })
}

/// What came of the request.
struct Fetched {
    duration_ms: u64,
    hash: Hash,
    /// The header, where it verifies.
    signature: Option<String>,
}

async fn get<S: AsyncRead + AsyncWrite + Unpin>(plan: &Plan, stream: &mut S, clock: &Clock) -> Result<Fetched, ProbeFailure> {
    let authority = plan.target.authority();
    let target = format!("{}?size={}&nonce={}", plan.target.path, plan.size, plan.nonce);
    let request = Outgoing { headers: &[("Accept-Encoding", "identity")], ..Outgoing::get(&authority, &target) };
    let limits = ClientLimits { head: MAX_HEAD, body: plan.size };
    let (mut hasher, mut came) = (blake3::Hasher::new(), 0u64);
    let began = clock.now();
    let sink = |piece: &[u8]| {
        hasher.update(piece);
        came += piece.len() as u64;
    };
    let got = exchange(stream, &request, &limits, sink).await.map_err(|e| ProbeFailure::Broken(e.into()))?;
    let duration_ms = since(clock, began);
    if got.status != 200 {
        return Err(ProbeFailure::Status(got.status));
    }
    if came != plan.size {
        return Err(ProbeFailure::Length(came));
    }
    let hash = Hash(hasher.finalize().into());
    let signature = got.header(attestation::HEADER).map(str::to_owned).filter(|value| {
        let good = attestation::signer(value, &plan.nonce, plan.size, hash).is_some();
        if !good {
            log::warn!("the probe endpoint's signature does not verify; it is reported as unattested");
        }
        good
    });
    Ok(Fetched { duration_ms, hash, signature })
}

fn since(clock: &Clock, began: Mono) -> u64 {
    u64::try_from(clock.now().since(began).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::HashMap;
    use std::io::{BufRead as _, BufReader, Read, Write};
    use std::net::TcpListener;

    use ed25519_dalek::SigningKey;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use rustls::{ServerConfig, ServerConnection, StreamOwned};

    use super::*;
    use crate::codec::NodeId;
    use crate::codec::envelope::sign_text;
    use crate::config::settings::Policy;
    use crate::net::resolve::Resolved;
    use crate::net::roots::{Roots, provider};
    use crate::probe::metered::tests::{Grants, Volume};
    use crate::probe::plan::check;
    use crate::probe::plan::tests::{node, request};

    const SIZE: u64 = 300_000;
    const NOW: u64 = 1_800_000_000;

    /// What the endpoint answers to size and nonce; nothing = it stays silent.
    type Answers = fn(u64, &str) -> Vec<u8>;

    struct Outcome {
        measured: Result<Measured, ProbeFailure>,
        certificate: CertificateDer<'static>,
        volume: u64,
        held: usize,
    }

    fn body(size: u64, nonce: &str) -> Vec<u8> {
        let mut out = vec![0; usize::try_from(size).unwrap()];
        blake3::Hasher::new().update(nonce.as_bytes()).finalize_xof().fill(&mut out);
        out
    }

    fn header(size: u64, nonce: &str, body: &[u8]) -> String {
        let key = SigningKey::from_bytes(&[4; 32]);
        let text = attestation::text(nonce, size, Hash::of(body));
        format!("{}: {}:{}\r\n", "Echomesh-Endpoint-Signature", NodeId::from(&key.verifying_key()), sign_text(&text, &key))
    }

    fn answer(status: u16, extra: &str, body: &[u8]) -> Vec<u8> {
        [format!("HTTP/1.1 {status} X\r\n{extra}Content-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
    }

    fn signed(size: u64, nonce: &str) -> Vec<u8> {
        let body = body(size, nonce);
        answer(200, &header(size, nonce, &body), &body)
    }

    fn serve<S: Read + Write>(stream: S, answers: Answers) {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let query = line.strip_prefix("GET /p?size=").and_then(|l| l.strip_suffix(" HTTP/1.1\r\n")).unwrap();
        let (size, nonce) = query.split_once("&nonce=").unwrap();
        let out = answers(size.parse().unwrap(), nonce);
        while stream.read_line(&mut line).unwrap() > 2 {}
        // The client may hang up on what it does not want.
        let _ = stream.get_mut().write_all(&out).and_then(|()| stream.get_mut().flush());
        if out.is_empty() {
            let _ = stream.read(&mut [0]);
        }
    }

    /// One real probe of a real server on loopback.
    fn probe(scheme: &str, answers: Answers, volume: u64, within: Option<Duration>) -> Outcome {
        let listener = TcpListener::bind("127.77.0.20:0").unwrap();
        let at = listener.local_addr().unwrap();
        let made = rcgen::generate_simple_self_signed(["probe.example".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate.clone()], key).unwrap());
        let plain = scheme == "http";
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            if plain { serve(stream, answers) } else { serve(StreamOwned::new(ServerConnection::new(config).unwrap(), stream), answers) }
        });
        let endpoint = format!("{scheme}://probe.example:{}/p", at.port());
        let policy = Policy { probe_host: vec![format!("probe.example:{}", at.port())], allow_plain_http_probes: plain, ..Policy::default() };
        let mut plan = check(&request(&endpoint, "n0nce", SIZE, NOW), &policy, node(), NOW).unwrap();
        plan.within = within.unwrap_or(plan.within);

        let clock = Clock::system();
        let guard = AddressGuard::loopback(&["127.77.0.0/16".parse().unwrap()], clock.clone()).unwrap();
        let tls = Roots::only([certificate.clone()]).unwrap().client_config(&[b"http/1.1"], &clock).unwrap();
        let (pace, budget) = (Grants::of(20_000), Volume { left: Cell::new(volume) });
        let means = Means { tls, clock: &clock, pace: &pace, budget: &budget };
        // A private address beside the public one is passed over.
        let resolved = Resolved { addresses: vec!["127.0.0.1".parse().unwrap(), at.ip()], chain: Vec::new() };
        let resolver = Resolver::fixed(HashMap::from([("probe.example".to_owned(), resolved)]), &clock);
        let by_name = async |host: &str, port| dial_through(&resolver, &guard, &clock, host, port).await;
        let measured = smol::block_on(fetch(&plan, by_name, &means));
        Outcome { measured, certificate, volume: volume - budget.left.get(), held: pace.taken.get() - pace.returned.get() }
    }

    fn https(answers: Answers) -> Outcome {
        probe("https", answers, u64::MAX, None)
    }

    #[test]
    fn a_signed_answer_is_measured_hashed_and_counted() {
        let Outcome { measured, volume, held, .. } = https(signed);
        let measured = measured.unwrap();
        assert_eq!((measured.bytes, measured.tls_version, measured.attested), (SIZE, "1.3", true));
        let body = body(SIZE, "n0nce");
        assert_eq!(measured.body_hash, Hash::of(&body));
        assert_eq!(format!("Echomesh-Endpoint-Signature: {}\r\n", measured.endpoint_sig), header(SIZE, "n0nce", &body));
        assert!((SIZE..SIZE + 20_000).contains(&volume), "TLS and heads count too: {volume}");
        assert!(held as u64 <= volume, "what was granted and not moved went back");
        let report = crate::probe::report::report(
            &check(&request("https://probe.example/p", "n0nce", SIZE, NOW), &listed(), node(), NOW).unwrap(),
            &measured,
            node(),
            NOW,
        );
        assert_eq!((report.bytes, report.nonce.as_str(), report.body_hash), (SIZE, "n0nce", measured.body_hash));
    }

    fn listed() -> Policy {
        Policy { probe_host: vec!["probe.example".into()], ..Policy::default() }
    }

    #[test]
    fn a_chunked_answer_is_as_good() {
        let measured = https(|size, nonce| {
            let body = body(size, nonce);
            let mut out = format!("HTTP/1.1 200 OK\r\n{}Transfer-Encoding: chunked\r\n\r\n", header(size, nonce, &body)).into_bytes();
            for piece in body.chunks(7000) {
                out.extend(format!("{:x}\r\n", piece.len()).bytes().chain(piece.iter().copied()).chain(*b"\r\n"));
            }
            out.extend(b"0\r\n\r\n");
            out
        })
        .measured
        .unwrap();
        assert!(measured.attested);
    }

    #[test]
    fn without_a_signature_that_verifies_the_key_of_the_tls_stands_in() {
        let cases: [Answers; 2] = [
            |size, nonce| answer(200, "", &body(size, nonce)),
            |size, nonce| answer(200, &header(size, "another", &body(size, nonce)), &body(size, nonce)),
        ];
        for answers in cases {
            let Outcome { measured, certificate, .. } = https(answers);
            let measured = measured.unwrap();
            assert!(!measured.attested);
            assert_eq!(measured.endpoint_sig, format!("tls-spki:{}", spki_of(&certificate).unwrap()));
        }
    }

    #[test]
    fn too_few_too_many_and_redirects_are_no_probe() {
        let short = https(|size, nonce| answer(200, "", &body(size - 1, nonce))).measured;
        assert!(matches!(short, Err(ProbeFailure::Length(n)) if n == SIZE - 1), "{short:?}");
        let long = https(|size, nonce| answer(200, "", &body(size + 1, nonce))).measured;
        assert!(matches!(long, Err(ProbeFailure::Broken(_))), "{long:?}");
        let redirect = https(|_, _| answer(302, "Location: https://elsewhere.example/\r\n", b"")).measured;
        assert!(matches!(redirect, Err(ProbeFailure::Status(302))), "{redirect:?}");
    }

    #[test]
    fn a_used_up_volume_and_a_silent_endpoint_end_it() {
        let volume = probe("https", signed, 100_000, None);
        assert!(volume.measured.is_err());
        assert_eq!(volume.volume, 100_000);
        let silent = probe("https", |_, _| Vec::new(), u64::MAX, Some(Duration::from_millis(200)));
        assert!(matches!(silent.measured, Err(ProbeFailure::TimedOut)), "{:?}", silent.measured);
    }

    #[test]
    fn plain_http_counts_only_when_signed() {
        let measured = probe("http", signed, u64::MAX, None).measured.unwrap();
        assert_eq!((measured.tls_version, measured.attested), ("none", true));
        assert_eq!(measured.rtt_ms, measured.connect_ms);
        let unsigned = probe("http", |size, nonce| answer(200, "", &body(size, nonce)), u64::MAX, None).measured;
        assert!(matches!(unsigned, Err(ProbeFailure::Unattested)), "{unsigned:?}");
    }

    #[test]
    fn what_the_guard_refuses_is_not_dialled() {
        let clock = Clock::system();
        let listed = Policy { probe_host: vec!["127.0.0.1".into()], ..Policy::default() };
        let plan = check(&request("https://127.0.0.1/p", "n", 1, NOW), &listed, node(), NOW).unwrap();
        let guard = AddressGuard::loopback(&["127.77.0.0/16".parse().unwrap()], clock.clone()).unwrap();
        let resolver = Resolver::fixed(HashMap::new(), &clock);
        let (pace, budget) = (Grants::of(1), Volume { left: Cell::new(0) });
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let tls = Roots::only([made.cert.der().clone()]).unwrap().client_config(&[], &clock).unwrap();
        let means = Means { tls, clock: &clock, pace: &pace, budget: &budget };
        let way = async |host: &str, port| dial_through(&resolver, &guard, &clock, host, port).await;
        let refused = smol::block_on(fetch(&plan, way, &means));
        assert!(matches!(refused, Err(ProbeFailure::Dial(Reason::PrivateAddress))));
    }
}
