//! Commands that need no daemon: bad settings are named, and end with 78.

use crate::support::folder::Folder;
use crate::support::process::{run, said, text, write};

#[test]
fn config_check_names_section_option_and_value_of_everything_that_is_wrong() {
    let folder = Folder::new();
    let path = folder.join("config");
    let bad: &[(&str, &str, &str)] = &[
        ("node", "enabled", "maybe"),
        ("node", "state_dir", "etc/echomesh"),
        ("node", "region_allow", "Philippines"),
        ("node", "log_level", "loud"),
        ("network", "max_mbps", "fast"),
        ("network", "burst_mb", "0"),
        ("network", "https_only", "0"),
        ("network", "port", "70000"),
        ("network", "block_domain", "https://example.com/"),
        ("network", "max_tunnels", "-1"),
        ("security", "doh_url", "http://1.1.1.1/dns-query"),
        ("security", "sandbox_mode", "none"),
        ("coordinator", "url", "ftp://c.example"),
        ("coordinator", "key", "ed25519:short"),
        ("proxy", "listen", "everywhere"),
        ("proxy", "reach", "pigeon"),
    ];
    let check = || run(["config", "check", "--config", path.to_str().unwrap()]);
    for (section, option, value) in bad {
        write(&path, &format!("config {section} '{section}'\n\toption {option} '{value}'\n"));
        let out = check();
        assert_eq!(out.status.code(), Some(78), "{section}.{option}");
        let shown = text(&out.stdout);
        let line = shown.lines().find(|l| l.contains(&format!("{section}.{option}"))).unwrap_or_else(|| panic!("{section}.{option} not in {shown}"));
        assert!(line.starts_with("error") && line.contains(value) && line.contains("allowed"), "{line}");
    }
    // All of them at once are all named.
    let whole: String = bad.iter().map(|(section, option, value)| format!("config {section}\n\toption {option} '{value}'\n")).collect();
    write(&path, &whole);
    let shown = text(&check().stdout);
    for (section, option, _) in bad {
        assert!(shown.contains(&format!("{section}.{option}")), "{section}.{option} not in {shown}");
    }
    // The daemon refuses such a file with the same words and code.
    let started = run(["run", "--config", path.to_str().unwrap(), "--run-dir", folder.join("run").to_str().unwrap()]);
    assert_eq!(started.status.code(), Some(78));
    assert!(text(&started.stderr).contains("network.max_mbps"), "{}", text(&started.stderr));

    write(&path, "config network 'network'\n\toption max_mbpss '1'\nconfig nonsense\n");
    let out = check();
    assert_eq!(out.status.code(), Some(0), "what it does not know is a warning");
    assert!(text(&out.stdout).contains("max_mbpss") && text(&out.stdout).contains("nonsense"), "{}", text(&out.stdout));
    write(&path, "config network 'network\n");
    assert_eq!(check().status.code(), Some(78));
    std::fs::remove_file(&path).unwrap();
    let out = check();
    assert_eq!(out.status.code(), Some(66));
    assert!(text(&out.stderr).contains(path.to_str().unwrap()));
}

#[test]
fn usage_version_and_schema() {
    assert_eq!(said(["--version"]), format!("echomesh {}\n", env!("CARGO_PKG_VERSION")));
    for words in [&["nonsense"][..], &["run", "--nonsense"], &["control"], &[]] {
        let out = run(words);
        assert_eq!(out.status.code(), Some(64), "{words:?}");
        assert!(text(&out.stderr).starts_with("echomesh: "), "{}", text(&out.stderr));
    }
    let help = said(["--help"]);
    for word in ["run", "status", "control", "sessions", "config", "identity", "logs", "policy", "coordinator", "demo"] {
        assert!(help.contains(word), "{word} not in {help}");
    }
    let schema: serde_json::Value = serde_json::from_str(&said(["config", "schema"])).unwrap();
    assert!(schema["properties"]["network"].is_object(), "{schema}");
    let away = run(["status", "--json", "--run-dir", "/nonexistent/echomesh"]);
    assert_eq!(away.status.code(), Some(69));
    assert!(text(&away.stderr).contains("not running"));
}
