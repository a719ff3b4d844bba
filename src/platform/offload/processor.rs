//! What /proc says of processor, crypto drivers and modules. Pure.

use super::MOST_DRIVERS;

/// Longest name of a driver that is told; the kernel's own limit is 128.
const LONGEST: usize = 64;
/// The kernel's portable code registers with priorities up to here (aes-generic 100, aes-fixed-time 101); what is faster, above.
const PORTABLE: i32 = 110;
/// The modes that tunnels and TLS use.
const MODES: [&str; 4] = ["gcm(aes)", "ctr(aes)", "cbc(aes)", "rfc7539(chacha20,poly1305)"];

/// Whether /proc/cpuinfo names instructions for AES and for GCM's multiplication, as ring asks for both. `None` where it is
/// empty. MIPS has no such line: there are none.
pub fn aes_in(cpuinfo: &str) -> Option<bool> {
    let flags = cpuinfo.lines().filter_map(|line| line.split_once(':')).find(|(name, _)| matches!(name.trim(), "flags" | "Features"));
    match flags {
        // x86: aes and pclmulqdq; ARM, 32-bit under a 64-bit kernel too: aes and pmull.
        Some((_, flags)) => Some(word_in(flags, "aes") && (word_in(flags, "pclmulqdq") || word_in(flags, "pmull"))),
        None => cpuinfo.contains(':').then_some(false),
    }
}

/// Drivers of /proc/crypto that do one of [`MODES`], passed their test and stand above the portable code; each once, at most
/// [`MOST_DRIVERS`].
pub fn drivers_in(crypto: &str) -> Vec<String> {
    let mut drivers: Vec<String> = Vec::new();
    for entry in crypto.split("\n\n") {
        let of = |name: &str| entry.lines().filter_map(|line| line.split_once(':')).find(|(n, _)| n.trim() == name).map(|(_, value)| value.trim());
        let above = of("priority").and_then(|p| p.parse::<i32>().ok()).is_some_and(|p| p > PORTABLE);
        let fit = of("name").is_some_and(|name| MODES.contains(&name)) && of("internal") != Some("yes") && of("selftest") != Some("unknown");
        let Some(driver) = of("driver").filter(|_| above && fit) else { continue };
        let plain = driver.len() <= LONGEST && driver.bytes().all(|b| b.is_ascii_graphic());
        // A template around generic code inherits a priority, not speed.
        if plain && !driver.contains("generic") && drivers.len() < MOST_DRIVERS && !drivers.iter().any(|d| d == driver) {
            drivers.push(driver.to_owned());
        }
    }
    drivers
}

/// Whether /proc/modules has the flow table of netfilter.
pub fn flowtable_in(modules: &str) -> bool {
    modules.lines().any(|line| line.split(' ').next() == Some("nf_flow_table"))
}

/// Whether `word` is one of the words of `text`.
pub fn word_in(text: &str, word: &str) -> bool {
    text.split_ascii_whitespace().any(|w| w == word)
}
