//! What comes from the update server: manifest, signature, program. HTTPS alone, no redirects, every length bounded.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

use ureq::Agent;
use ureq::http::Request;

use super::manifest::{MAX_MANIFEST, Manifest};
use super::minisign::{self, Key, MAX_SIGNATURE};
use super::{Trouble, trouble::Id};
use crate::codec::Hash;
use crate::config::Settings;
use crate::coordinator::client::{Origin, agent};
use crate::core::Clock;
use crate::net::roots;

/// Manifest and signature.
const SMALL: Duration = Duration::from_secs(30);
/// A whole download: 5 MB at 50 kbit/s.
const LARGE: Duration = Duration::from_secs(15 * 60);
/// Times a download that breaks off is continued.
const TRIES: u32 = 5;
/// Bytes moved at once.
const PIECE: usize = 32 * 1024;

/// The update server as the settings name it.
pub struct Server<'a> {
    origin: Origin,
    /// Path of the folder, without its last slash.
    folder: String,
    settings: &'a Settings,
    clock: &'a Clock,
    keys: Vec<Key>,
}

impl<'a> Server<'a> {
    /// Of these settings.
    pub fn new(settings: &'a Settings, clock: &'a Clock) -> Result<Server<'a>, Trouble> {
        let url = settings.update.url.as_str();
        let unset = |what: &str| Trouble::new(Id::NotSetUp, format!("{what}: see docs/how-to/update.md, or install new packages by opkg or apk"));
        let rest = url.strip_prefix("https://").ok_or_else(|| unset("update.url says nothing, so there is nowhere to look for updates"))?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let origin = Origin::parse(&format!("https://{authority}")).ok_or_else(|| unset("update.url is no https:// URL"))?;
        let keys: Vec<Key> = settings.update.keys.iter().filter_map(|k| Key::parse(k)).collect();
        if keys.is_empty() {
            return Err(unset("update.key names no minisign key, so nothing could be verified"));
        }
        Ok(Server { origin, folder: path.trim_end_matches('/').to_owned(), settings, clock, keys })
    }

    /// The manifest of the channel, its signature verified.
    pub fn manifest(&self) -> Result<Manifest, Trouble> {
        let agent = self.agent(SMALL)?;
        let channel = &self.settings.update.channel;
        let read = || -> Result<Option<Vec<u8>>, Trouble> {
            let text = self.small(&agent, &format!("{channel}.json"), MAX_MANIFEST)?;
            let signature = self.small(&agent, &format!("{channel}.json.minisig"), MAX_SIGNATURE)?;
            Ok(minisign::verifies(&self.keys, &text, &signature).then_some(text))
        };
        // Between the two a new release may have come.
        let text = match read()? {
            Some(text) => Some(text),
            None => read()?,
        };
        let text = text.ok_or_else(|| {
            Trouble::new(
                Id::Signature,
                "no key of update.key has signed the manifest: nothing of it was believed; check update.key with who makes the releases",
            )
        })?;
        let manifest = Manifest::parse(&text)?;
        if manifest.channel != *channel {
            let message = format!("what is served as channel {channel} was signed for channel {}; nothing of it was believed", manifest.channel);
            return Err(Trouble::new(Id::Signature, message));
        }
        Ok(manifest)
    }

    /// Downloads a program of `size` bytes to `to`, going on where an earlier try ended, and compares its hash.
    /// `told` hears how many bytes are there, and says whether to go on.
    pub fn program(&self, name: &str, size: u64, hash: Hash, to: &Path, told: &mut dyn FnMut(u64) -> bool) -> Result<(), Trouble> {
        let agent = self.agent(LARGE)?;
        let mut failure = String::new();
        for _ in 0..TRIES {
            let have = std::fs::metadata(to).map_or(0, |m| m.len());
            if have < size {
                match self.piece(&agent, name, size, have, to, told) {
                    Ok(()) => {}
                    Err(Some(trouble)) => return Err(trouble),
                    Err(None) => {
                        failure = "it broke off again and again".into();
                        continue;
                    }
                }
            }
            let found = super::which::hash(to).map_err(|e| system(to, &e))?;
            let whole = std::fs::metadata(to).is_ok_and(|m| m.len() == size);
            if whole && found == hash {
                return Ok(());
            }
            let _ = std::fs::remove_file(to);
            if have == 0 {
                return Err(Trouble::new(Id::Hash, format!("{name} is not what was signed (its hash is {found}); nothing was changed")));
            }
            // What an earlier try left was other bytes: once more from the start.
        }
        Err(self.trouble(name, &failure))
    }

    /// The rest from `have` on. An error without trouble: it broke off, and what came is kept.
    fn piece(&self, agent: &Agent, name: &str, size: u64, have: u64, to: &Path, told: &mut dyn FnMut(u64) -> bool) -> Result<(), Option<Trouble>> {
        let range = (have > 0).then(|| format!("bytes={have}-"));
        let mut response = self.ask(agent, name, range.as_deref()).map_err(Some)?;
        let continued = response.headers().get("content-range").and_then(|v| v.to_str().ok());
        let continues = continued.is_some_and(|v| v.strip_prefix("bytes ").is_some_and(|v| v.starts_with(&format!("{have}-"))));
        let from = match (response.status().as_u16(), have) {
            (206, 1..) if continues => have,
            (200, _) => 0,
            (status, _) => return Err(Some(self.trouble(name, &format!("the server answered {status}")))),
        };
        let mut file = OpenOptions::new().create(true).truncate(from == 0).append(from > 0).write(true).open(to).map_err(|e| Some(system(to, &e)))?;
        let mut body = response.body_mut().as_reader();
        let (mut piece, mut there) = (vec![0; PIECE], from);
        loop {
            match body.read(&mut piece) {
                Ok(0) if there < size => return Err(None),
                Ok(0) => return Ok(()),
                Ok(n) => {
                    there += n as u64;
                    if there > size {
                        drop(file);
                        let _ = std::fs::remove_file(to);
                        return Err(Some(Trouble::new(Id::Hash, format!("{name} is longer than was signed; nothing was changed"))));
                    }
                    file.write_all(&piece[..n]).map_err(|e| Some(system(to, &e)))?;
                    if !told(there) {
                        return Err(Some(Trouble::new(Id::Aborted, "the owner ended it")));
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::TimedOut => return Err(Some(self.trouble(name, "it took too long"))),
                Err(_) => return Err(None),
            }
        }
    }

    fn small(&self, agent: &Agent, name: &str, limit: usize) -> Result<Vec<u8>, Trouble> {
        let mut response = self.ask(agent, name, None)?;
        if response.status().as_u16() != 200 {
            return Err(self.trouble(name, &format!("the server answered {}", response.status().as_u16())));
        }
        response.body_mut().with_config().limit(limit as u64).read_to_vec().map_err(|e| self.trouble(name, &e.to_string()))
    }

    fn ask(&self, agent: &Agent, name: &str, range: Option<&str>) -> Result<ureq::http::Response<ureq::Body>, Trouble> {
        let authority = self.origin.authority();
        let uri = format!("https://{authority}{}/{name}", self.folder);
        let mut request = Request::builder().method("GET").uri(uri).header("Host", authority).header("Accept", "*/*");
        if let Some(range) = range {
            request = request.header("Range", range);
        }
        request.body(()).map_err(ureq::Error::Http).and_then(|r| agent.run(r)).map_err(|e| self.trouble(name, &e.to_string()))
    }

    fn agent(&self, limit: Duration) -> Result<Agent, Trouble> {
        let tls = roots::client_config(self.settings.coordinator.ca_file.as_deref(), &[b"http/1.1"], self.clock);
        let tls = tls.map_err(|e| Trouble::new(Id::System, e.to_string()))?;
        Ok(agent(&self.origin, tls, env!("CARGO_PKG_VERSION"), limit))
    }

    fn trouble(&self, name: &str, why: &str) -> Trouble {
        let place = format!("https://{}{}/{name}", self.origin.authority(), self.folder);
        Trouble::new(Id::Server, format!("{place}: {why}; check update.url and the line, and try again later"))
    }
}

fn system(path: &Path, e: &io::Error) -> Trouble {
    Trouble::new(Id::System, format!("{}: {e}", path.display()))
}

/// Name of a download that may be continued: another program has another.
pub fn part_of(hash: Hash) -> String {
    format!("{}.part", &hash.to_string()[3..35])
}

/// Makes a whole download a program.
pub fn finish(part: &Path, program: &Path) -> Result<(), Trouble> {
    use std::os::unix::fs::PermissionsExt as _;
    let done = File::open(part).and_then(|f| f.set_permissions(std::fs::Permissions::from_mode(0o755))).and_then(|()| std::fs::rename(part, program));
    done.map_err(|e| system(program, &e))
}
