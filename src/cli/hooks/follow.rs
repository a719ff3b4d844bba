//! Listens to the daemon for as long as there is one, and again when there is.

use std::collections::BTreeSet;
use std::io::{self, Read, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::feed::Feed;
use super::news::{CLOSE, News, OPEN};
use super::queue::Queue;
use super::updates::Updates;
use crate::control::doorman::MAX_ANSWER;
use crate::control::events::ALIVE_EVERY;
use crate::core::Clock;
use crate::core::backoff::Backoff;
use crate::session::registry::MOST_SESSIONS;

/// Between two tries while no daemon is there.
const FIRST: Duration = Duration::from_millis(250);
const MOST: Duration = Duration::from_secs(10);
/// A daemon that says nothing for so long is gone, or hangs.
const SILENCE: Duration = Duration::from_secs(3 * ALIVE_EVERY.as_secs());
/// Longest head of an answer.
const MOST_HEAD: usize = 8 * 1024;
/// Read at once.
const READ: usize = 2 * 1024;

/// Hears the daemon behind `socket`, for ever.
pub fn for_ever(socket: &Path, scripts: &Queue, ubus: Option<&Queue>, updates: Option<&Updates>) {
    let clock = Clock::system();
    let mut backoff = Backoff::new(FIRST, MOST);
    let mut ear = Ear { known: BTreeSet::new(), scripts, ubus, updates };
    let mut said = false;
    // Since when nobody is heard; none once the updater was told.
    let mut away = Some(clock.now());
    loop {
        let mut heard = false;
        if let Err(e) = ear.listen(socket, &mut heard)
            && (heard || !said)
        {
            log::info!("no events from the daemon: {e}; trying again until there are");
            said = true;
        }
        if heard {
            backoff.succeeded();
            away = Some(clock.now());
        }
        if let Some(updates) = updates
            && away.is_some_and(|since| clock.now().since(since) >= updates.patience)
        {
            away = None;
            updates.rescue();
        }
        std::thread::sleep(backoff.failed(u32::MAX / 2));
    }
}

/// Where news go.
struct Ear<'a> {
    /// Sessions that scripts believe open.
    known: BTreeSet<String>,
    scripts: &'a Queue,
    ubus: Option<&'a Queue>,
    /// Told when there is a new version.
    updates: Option<&'a Updates>,
}

impl Ear<'_> {
    /// Until the stream ends.
    fn listen(&mut self, socket: &Path, heard: &mut bool) -> io::Result<()> {
        let (mut stream, first) = ask(socket, "/events")?;
        *heard = true;
        // What happened while nobody listened. What happens from here on is in the stream.
        let (status, mut body) = ask(socket, "/status")?;
        status.take(MAX_ANSWER as u64).read_to_end(&mut body)?;
        self.catch_up(&serde_json::from_slice(&body)?);
        log::info!("listening to the daemon");
        let mut feed = Feed::default();
        let mut buffer = [0; READ];
        feed.push(&first, &mut |news| self.tell(news));
        loop {
            match stream.read(&mut buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => feed.push(&buffer[..n], &mut |news| self.tell(news)),
            }
        }
    }

    /// Makes up for what was not heard: sessions that are open now, and those that no longer are.
    fn catch_up(&mut self, status: &Value) {
        let live = |session: &&Value| !matches!(session["state"].as_str(), None | Some("closing" | "settled" | "idle" | "quarantine"));
        let sessions = status["sessions"].as_array().map(Vec::as_slice).unwrap_or_default();
        let open: BTreeSet<&str> = sessions.iter().filter(live).filter_map(|s| s["sessionId"].as_str()).collect();
        let gone: Vec<String> = self.known.iter().filter(|id| !open.contains(id.as_str())).cloned().collect();
        gone.iter().for_each(|id| self.run_for(News::missed(CLOSE, id)));
        open.iter().for_each(|id| self.run_for(News::missed(OPEN, id)));
    }

    fn tell(&mut self, news: News) {
        if let Some(ubus) = self.ubus {
            ubus.push(news.clone());
        }
        if let Some(updates) = self.updates.filter(|_| news.is_of_an_update()) {
            updates.ring();
        }
        if news.is_for_scripts() {
            self.run_for(news);
        }
    }

    /// An opening that scripts know of, or an ending of what they do not, is none.
    fn run_for(&mut self, news: News) {
        let is_new = match (news.kind(), news.session()) {
            (OPEN, Some(id)) => self.known.len() < MOST_SESSIONS && self.known.insert(id.to_owned()),
            (CLOSE, Some(id)) => self.known.remove(id),
            (OPEN | CLOSE, None) => false,
            _ => true,
        };
        if is_new {
            self.scripts.push(news);
        }
    }
}

/// Asks for `target`; the stream after the answer's head, and what of the body came with it.
fn ask(socket: &Path, target: &str) -> io::Result<(UnixStream, Vec<u8>)> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(SILENCE))?;
    // HTTP/1.0: the body is what follows, to the end of the connection.
    stream.write_all(format!("GET {target} HTTP/1.0\r\nHost: localhost\r\n\r\n").as_bytes())?;
    let (mut head, mut buffer) = (Vec::new(), [0; READ]);
    loop {
        if let Some(end) = head.windows(4).position(|w| w == b"\r\n\r\n") {
            let body = head.split_off(end + 4);
            let status = head.get(9..12).unwrap_or_default();
            return match status {
                b"200" => Ok((stream, body)),
                _ => Err(io::Error::other(format!("it answers {}", String::from_utf8_lossy(status)))),
            };
        }
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ if head.len() > MOST_HEAD => return Err(io::ErrorKind::InvalidData.into()),
            n => head.extend_from_slice(&buffer[..n]),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn all(queue: &Queue, n: usize) -> Vec<String> {
        (0..n).map(|_| queue.next().0.text()).collect()
    }

    #[test]
    fn each_session_opens_once_and_ends_once_also_where_nobody_listened() {
        let scripts = Queue::new("the test");
        let mut ear = Ear { known: BTreeSet::new(), scripts: &scripts, ubus: None, updates: None };
        ear.catch_up(&json!({"sessions": [{"sessionId": "a", "state": "active"}, {"sessionId": "b", "state": "halted"}, {"sessionId": "c", "state": "closing"}]}));
        ear.tell(News::missed(OPEN, "a"));
        ear.tell(News::missed(CLOSE, "x"));
        ear.tell(News::missed(CLOSE, "a"));
        ear.tell(News::missed("state", "a"));
        ear.catch_up(&json!({"sessions": [{"sessionId": "d", "state": "active"}, {"sessionId": 7}]}));
        ear.catch_up(&json!("nonsense"));
        let told = all(&scripts, 6);
        let of = |kind: &str, id: &str| News::missed(kind, id).text();
        assert_eq!(told, [of(OPEN, "a"), of(OPEN, "b"), of(CLOSE, "a"), of(CLOSE, "b"), of(OPEN, "d"), of(CLOSE, "d")]);
    }

    #[test]
    fn what_is_believed_open_is_bounded() {
        let scripts = Queue::new("the test");
        let mut ear = Ear { known: BTreeSet::new(), scripts: &scripts, ubus: None, updates: None };
        (0..2 * MOST_SESSIONS).for_each(|n| ear.tell(News::missed(OPEN, &n.to_string())));
        assert_eq!(ear.known.len(), MOST_SESSIONS);
    }
}
