//! Takes out of a text what could name a person, a machine or a destination, or be a secret: for what leaves the router.
//!
//! It goes by form, so it errs on the side of too much: a file name with a dot is taken for a host. What it puts in place
//! says what kind of thing stood there.

use std::net::{Ipv4Addr, Ipv6Addr};

/// From this length on a word of letters and digits alike may be a secret: session secrets have 43 characters, nonces 22.
const LONG: usize = 20;

/// `text` without addresses, host names, identifiers, keys and what may be a secret. `known` says which dotted words are not
/// host names (options like `network.max_mbps`).
pub fn scrub(text: &str, known: impl Fn(&str) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let len = rest.find(|c| !of_a_word(c)).unwrap_or(rest.len());
        if len == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (run, after) = rest.split_at(len);
        // Full stops and colons at the end belong to the sentence.
        let word = run.trim_end_matches(['.', ':']);
        match judge(word, &known) {
            Some(instead) => out.push_str(instead),
            None => out.push_str(word),
        }
        out.push_str(&run[word.len()..]);
        rest = after;
    }
    out
}

fn of_a_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | ':' | '-' | '_' | '@' | '+')
}

/// What stands in the place of `word`; none where it may stay.
fn judge(word: &str, known: &impl Fn(&str) -> bool) -> Option<&'static str> {
    if word.contains('@') {
        return Some("[account]");
    }
    if word.starts_with("ed25519:") {
        return Some("[key]");
    }
    if word.starts_with("b3:") {
        return Some("[hash]");
    }
    if word.len() == 36 && word.bytes().enumerate().all(|(i, b)| if matches!(i, 8 | 13 | 18 | 23) { b == b'-' } else { b.is_ascii_hexdigit() }) {
        return Some("[id]");
    }
    if has_address(word) {
        return Some("[address]");
    }
    // Without a port and without a scheme that ran into it.
    if word.split(':').any(|part| is_host(part) && !known(part)) {
        return Some("[host]");
    }
    // Parts of a path or of a sentence joined by a dash are no secret; a secret's letters are mixed.
    let secret = |part: &str| {
        let digits = part.bytes().any(|b| b.is_ascii_digit());
        let (upper, lower) = (part.bytes().any(|b| b.is_ascii_uppercase()), part.bytes().any(|b| b.is_ascii_lowercase()));
        part.len() >= LONG && (digits || (upper && lower))
    };
    word.split(['.', ':']).any(secret).then_some("[secret]")
}

fn has_address(word: &str) -> bool {
    if word.parse::<Ipv6Addr>().is_ok() || is_mac(word) {
        return true;
    }
    // `[2001:db8::1]:443` comes here without its brackets and port; a bare one may have a port behind it.
    if word.rsplit_once(':').is_some_and(|(ip, port)| port.parse::<u16>().is_ok() && ip.contains(':') && ip.parse::<Ipv6Addr>().is_ok()) {
        return true;
    }
    // Four numbers in a row, whatever stands around them.
    word.split(['-', '_', ':', '+']).any(|part| {
        let labels: Vec<&str> = part.split('.').collect();
        labels.windows(4).any(|four| four.join(".").parse::<Ipv4Addr>().is_ok())
    })
}

fn is_mac(word: &str) -> bool {
    let parts: Vec<&str> = word.split([':', '-']).collect();
    parts.len() == 6 && parts.iter().all(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Dotted, and the last label is not a number: a name, or something that looks like one.
fn is_host(word: &str) -> bool {
    let Some((_, last)) = word.rsplit_once('.') else { return false };
    word.split('.').all(|label| !label.is_empty()) && last.chars().count() >= 2 && last.chars().any(char::is_alphabetic)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scrubbed(text: &str) -> String {
        scrub(text, |word| word == "network.max_mbps")
    }

    #[test]
    fn what_names_somebody_is_taken_out() {
        for (text, want) in [
            ("coordinator 127.77.3.1:8443: it did not answer", "coordinator [address]: it did not answer"),
            ("dial [2001:db8::1]:443 or fe80::1%eth0", "dial [[address]]:443 or [address]%eth0"),
            ("::1 and ::ffff:192.0.2.1, 2001:db8::1:443.", "[address] and [address], [address]."),
            ("probe of shop.example.test:8443 failed", "probe of [host] failed"),
            ("https://coordinator.example.net/x?y=z", "https://[host]/x?y=z"),
            ("täglich.müller.de", "[host]"),
            ("session 3f0d9a52-3f2a-4d0e-9a52-0d4a6e1b7c10 is open", "session [id] is open"),
            ("up as ed25519:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "up as [key]"),
            ("secret q83vEjRWeJC6q83vEjRWeJC6q83vEjRWeJC6q83vEjQ=", "secret [secret]="),
            ("aa:bb:cc:dd:ee:ff joined", "[address] joined"),
            ("mail owner@example.org", "mail [account]"),
            ("host b3:00ff", "host [hash]"),
        ] {
            assert_eq!(scrubbed(text), want);
        }
    }

    #[test]
    fn what_helps_stays() {
        for text in [
            "the coordinator has not answered for 7 minutes",
            "echomesh 0.1.0 is up; raise network.max_mbps.",
            "running → reconnecting: it did not answer in time",
            "2025-12-19T14:00:00Z daemon::link: next try in 3 s (40 %)",
            "/etc/config/echomesh has mode 0640, 12:30:01",
            "no-such-thing-as-a-very-long-english-compound",
        ] {
            assert_eq!(scrubbed(text), text);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_text_is_taken(text in "\\PC{0,80}") {
            scrubbed(&text);
        }

        /// No address and no host gets through, whatever it is set in.
        #[test]
        fn nothing_gets_through(before in "[ (\"/=,]{0,2}", ip in any::<[u8; 4]>(), v6 in any::<[u16; 8]>(), host in "[a-z]{1,8}(\\.[a-z0-9-]{1,8}){0,2}\\.[a-z]{2,6}", after in "[ )\":,/;]{0,2}") {
            let (v4, v6) = (Ipv4Addr::from(ip).to_string(), Ipv6Addr::from(v6).to_string());
            for secret in [&v4, &v6, &host] {
                let text = scrubbed(&format!("x{before} {secret}{after}"));
                prop_assert!(!text.contains(secret.as_str()) || secret.len() < 3, "{}", text);
            }
        }
    }
}
