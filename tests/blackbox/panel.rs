//! `echomesh panel`: what a browser gets from the stand-in for uhttpd, rpcd and LuCI's dispatcher, beside real daemons.

use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::folder::Folder;
use crate::support::panel::{BASE, Panel};
use crate::support::wait::SOON;
use crate::support::{Plan, World, process, until, within};

/// What the issue and the documents promise for settings that are applied.
const IN_FORCE: Duration = Duration::from_secs(3);
/// JSON-RPC errors as uhttpd numbers them.
const DENIED: i64 = -32002;
const NO_OBJECT: i64 = -32000;

/// A panel whose daemon does not run yet.
struct Alone {
    folder: Folder,
    config: PathBuf,
    panel: Panel,
}

fn alone(more: &[&str]) -> Alone {
    let folder = Folder::new();
    let config = folder.join("config");
    let state = folder.join("state");
    let text = format!(
        "config node 'node'\n\toption enabled '0'\n\toption state_dir '{}'\n\toption log_dest 'stderr'\n\nconfig network 'network'\n\toption max_mbps '5'\n\
         \nconfig security 'security'\n\toption sandbox_mode 'standard'\n\nconfig window\n\toption start '01:00'\n\toption end '02:00'\n",
        state.display()
    );
    process::write(&config, &text);
    let panel = Panel::start(folder.path(), &folder.join("run"), &config, more);
    Alone { folder, config, panel }
}

impl Alone {
    fn file(&self) -> String {
        std::fs::read_to_string(&self.config).unwrap()
    }
}

#[test]
fn pages_scripts_and_translations_are_where_luci_has_them() {
    let alone = alone(&[]);
    let panel = &alone.panel;
    let leads = |from: &str| panel.get(from).header("Location").map(str::to_owned);
    assert_eq!(leads("/").as_deref(), Some(BASE));
    assert_eq!(leads(BASE), Some(format!("{BASE}/overview")));
    let page = panel.get(&format!("{BASE}/overview"));
    assert_eq!((page.status, page.header("Cache-Control")), (200, Some("no-store")));
    assert_eq!(page.header("Content-Security-Policy"), Some("default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:"));
    let env = panel.env("overview");
    assert_eq!(env["requestpath"], json!(["admin", "services", "echomesh", "overview"]));
    assert_eq!(
        env["nodespec"],
        json!({"title": "Overview", "satisfied": true, "readonly": false, "action": {"type": "view", "path": "echomesh/overview"}})
    );
    assert_eq!((&env["lang"], &env["theme"], &env["login"], &env["ubuspath"]), (&json!("en"), &json!("auto"), &json!("owner"), &json!("/ubus/")));
    assert_eq!(env["statusIncludes"], json!(["25_echomesh"]));
    let pages = env["menu"]["children"]["admin"]["children"]["services"]["children"]["echomesh"]["children"].as_object().unwrap();
    assert!(pages.len() > 5 && pages.values().all(|page| page["title"].is_string()), "{pages:?}");
    for (path, status, text) in [
        ("/luci-static/resources/view/echomesh/overview.js", 200, "app"),
        ("/luci-static/resources/ui.js", 200, "runtime"),
        ("/luci-static/stand-in/ui.js", 200, "runtime"),
        ("/luci-static/stand-in/po/de.po", 200, "po"),
        ("/luci-static/stand-in/po/es.po", 404, ""),
        ("/luci-static/resources/nothing.js", 404, ""),
        ("/cgi-bin/luci/admin/nothing", 404, ""),
        ("/favicon.ico", 404, ""),
    ] {
        let answer = panel.get(path);
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.text().starts_with(text), "{path}: {}", answer.text());
    }
    let script = panel.get("/luci-static/resources/ui.js");
    assert_eq!(script.header("Content-Type"), Some("text/javascript; charset=utf-8"));
}

#[test]
fn login_language_and_theme_count_at_once_and_are_kept() {
    let alone = alone(&[]);
    let panel = &alone.panel;
    let asked = panel.get(&format!("{BASE}/overview?as=observer&lang=de&theme=dark"));
    let cookies: Vec<&str> = asked.headers.iter().filter(|(name, _)| name == "Set-Cookie").map(|(_, value)| value.as_str()).collect();
    assert_eq!(cookies.len(), 3, "{cookies:?}");
    assert!(cookies.iter().all(|cookie| cookie.ends_with("; Path=/; SameSite=Strict")), "{cookies:?}");
    assert!(asked.text().contains(r#""login":"observer""#) && asked.text().contains(r#""lang":"de""#) && asked.text().contains(r#""theme":"dark""#));
    let kept: Vec<&str> = cookies.iter().map(|cookie| cookie.split(';').next().unwrap()).collect();
    let again = panel.ask("GET", &format!("{BASE}/overview"), &panel.host, &[("Cookie", &kept.join("; "))], b"");
    assert_eq!(again.text(), asked.text());
    assert_ne!(panel.session("owner"), panel.session("observer"));
}

#[test]
fn only_who_asks_by_loopback_is_answered_and_nothing_leads_out_of_the_folders() {
    let alone = alone(&[]);
    let (panel, folder) = (&alone.panel, &alone.folder);
    let port = panel.host.rsplit(':').next().unwrap();
    for host in ["example.com", "example.com:80", "localhost.example.com", "192.0.2.1", ""] {
        for (method, target, body) in [("GET", BASE, ""), ("GET", "/luci-static/resources/ui.js", ""), ("POST", "/ubus/", "{}")] {
            assert_eq!(panel.ask(method, target, host, &[], body.as_bytes()).status, 403, "{host} {target}");
        }
    }
    for host in [format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        assert_eq!(panel.ask("GET", "/luci-static/resources/ui.js", &host, &[], b"").status, 200, "{host}");
    }
    for way in ["../../../secret", "..%2f..%2f..%2fsecret", "%2e%2e/%2e%2e/%2e%2e/secret", "..\\secret", ".//../secret", "./ui.js", "/etc/passwd"] {
        for base in ["/luci-static/resources/", "/luci-static/stand-in/", "/luci-static/stand-in/po/", "/cgi-bin/luci/"] {
            let answer = panel.get(&format!("{base}{way}"));
            assert!(answer.status == 404 && !answer.text().contains("secret"), "{base}{way}: {} {}", answer.status, answer.text());
        }
    }
    let refused = process::run(["--run-dir", folder.join("x").to_str().unwrap(), "panel", "--listen", "0.0.0.0:0"]);
    assert_eq!(refused.status.code(), Some(64), "{}", process::text(&refused.stderr));
}

#[test]
fn the_facts_in_a_page_stay_facts() {
    let alone = alone(&[]);
    let panel = &alone.panel;
    let title = "</script><script>alert(1)</script><!-- & \u{2028}";
    let entry = |title: &str, action: Value| json!({"title": title, "order": 1, "action": action, "depends": {"acl": ["luci-app-echomesh"]}});
    panel.install(
        "usr/share/luci/menu.d/luci-app-echomesh.json",
        &json!({
            "admin/services/echomesh": entry(title, json!({"type": "firstchild"})),
            "admin/services/echomesh/overview": entry(title, json!({"type": "view", "path": "</script>"})),
        }),
    );
    // The page is one script element to its end, and what it says reads back as it was.
    assert_eq!(panel.get(&format!("{BASE}/overview")).text().matches("</script>").count(), 1);
    let env = panel.env("overview");
    assert_eq!((&env["nodespec"]["title"], &env["nodespec"]["action"]["path"]), (&json!(title), &json!("</script>")));
}

#[test]
fn an_observer_sees_and_changes_nothing() {
    let alone = alone(&[]);
    let panel = &alone.panel;
    let (owner, observer) = (panel.session("owner"), panel.session("observer"));
    assert_eq!(panel.env("overview?as=observer")["nodespec"]["readonly"], true);
    let groups: Value =
        serde_json::from_slice(&std::fs::read(panel.tree.join("luci-app/root/usr/share/rpcd/acl.d/luci-app-echomesh.json")).unwrap()).unwrap();
    let methods = |side: &str| groups["luci-app-echomesh"][side]["ubus"]["echomesh"].as_array().unwrap().clone();
    // An argument that no method has: the plugin refuses it by name, and so shows that the call reached it.
    let reaches = |session: &str, method: &str| {
        let said = panel.call(session, "echomesh", method, &json!({"none-has-this": 1}));
        if said["error"]["code"] == DENIED {
            return false;
        }
        assert_eq!(said["result"][1]["error"]["reason"], "bad-arguments", "{method}: {said}");
        true
    };
    let (reads, writes) = (methods("read"), methods("write"));
    assert!(reads.len() > 5 && writes.len() > 5);
    for method in reads.iter().map(|m| m.as_str().unwrap()) {
        assert!(reaches(&owner, method) && reaches(&observer, method), "{method}");
    }
    for method in writes.iter().map(|m| m.as_str().unwrap()) {
        assert!(reaches(&owner, method) && !reaches(&observer, method), "{method}");
    }
    // Methods that the app does not name are nobody's, whatever the plugin has.
    assert!(!reaches(&owner, "logs_open_day"));

    let section = json!({"config": "echomesh", "section": "network", "type": "window", "values": {"max_mbps": "7"}, "sections": [], "name": "x"});
    for method in ["add", "set", "delete", "order", "rename", "revert", "apply", "confirm", "rollback"] {
        assert_eq!(panel.call(&observer, "uci", method, &section)["error"]["code"], DENIED, "{method}");
    }
    assert_eq!(panel.uci(&observer, "get", json!({"section": "network", "option": "max_mbps"})), json!([0, {"value": "5"}]));
    assert_eq!(panel.uci(&owner, "set", section)[0], 0);
    assert_eq!(panel.call(&owner, "uci", "get", &json!({"config": "network"}))["result"], json!([6]), "only its own settings");
    let may = |session: &str, args: Value| panel.call(session, "session", "access", &args)["result"][1]["access"].clone();
    let write = json!({"scope": "access-group", "object": "luci-app-echomesh", "function": "write"});
    assert_eq!((may(&owner, write.clone()), may(&observer, write)), (json!(true), json!(false)));
}

#[test]
fn who_lacks_the_group_or_the_role_does_not_see_the_page() {
    let alone = alone(&[]);
    let panel = &alone.panel;
    let view = |depends: Value| json!({"title": "T", "order": 1, "action": {"type": "view", "path": "echomesh/x"}, "depends": depends});
    panel.install(
        "usr/share/luci/menu.d/luci-app-echomesh.json",
        &json!({
            "admin/services/echomesh": {"title": "E", "action": {"type": "firstchild"}},
            "admin/services/echomesh/keys": view(json!({"acl": ["nobody-has-this"]})),
            "admin/services/echomesh/relay": view(json!({"fs": {"/usr/share/echomesh/roles/relay": "file"}})),
            "admin/services/echomesh/overview": view(json!({"acl": ["luci-app-echomesh"], "fs": {"/usr/share/echomesh/roles/proxy": "file"}})),
        }),
    );
    assert_eq!(panel.get(BASE).header("Location"), Some(format!("{BASE}/overview").as_str()));
    assert_eq!(panel.get(&format!("{BASE}/keys")).status, 403);
    assert_eq!(panel.get(&format!("{BASE}/relay")).status, 403);
    let env = panel.env("overview");
    let seen = env["menu"]["children"]["admin"]["children"]["services"]["children"]["echomesh"]["children"].as_object().unwrap();
    assert_eq!(seen.keys().collect::<Vec<_>>(), ["overview"]);
}

#[test]
fn json_rpc_is_uhttpds() {
    let alone = alone(&[]);
    let panel = &alone.panel;
    let owner = panel.session("owner");
    let code = |said: &Value| said["error"]["code"].clone();
    assert_eq!(code(&panel.call(&owner, "network.interface", "dump", &json!({}))), NO_OBJECT);
    assert_eq!(code(&panel.call(&owner, "echomesh", "fly", &json!({}))), DENIED);
    for nobody in ["", "00000000000000000000000000000000", &"f".repeat(32)] {
        assert_eq!(code(&panel.call(nobody, "echomesh", "tile", &json!({}))), DENIED);
    }
    let request = |params: Value| json!({"jsonrpc": "2.0", "id": 1, "method": "call", "params": params}).to_string();
    for (body, expected) in [
        ("", -32700),
        ("{", -32700),
        ("7", -32700),
        (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"list"}"#, -32700),
        ("{}", -32600),
        (r#"{"jsonrpc":"1.0","id":1,"method":"list"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"fly"}"#, -32601),
        (&request(json!([owner, "echomesh", "tile"])), -32602),
        (&request(json!([owner, "echomesh", "tile", []])), -32602),
        (&request(json!([1, "echomesh", "tile", {}])), -32602),
        (&request(json!({})), -32602),
    ] {
        let said = panel.spoken(body);
        assert_eq!((&said["jsonrpc"], code(&said)), (&json!("2.0"), json!(expected)), "{body}: {said}");
    }
    // A batch is answered in its order, each by itself.
    let one = |id: u32, session: &str| json!({"jsonrpc": "2.0", "id": id, "method": "call", "params": [session, "echomesh", "tile", {}]});
    let said = panel.spoken(&json!([one(3, &owner), one(1, "x"), one(2, &owner)]).to_string());
    let ids: Vec<&Value> = said.as_array().unwrap().iter().map(|one| &one["id"]).collect();
    assert_eq!(ids, [3, 1, 2]);
    assert_eq!((&said[0]["result"][1]["running"], code(&said[1]), &said[2]["result"][0]), (&json!(false), json!(DENIED), &json!(0)));
    let listed = panel.spoken(r#"{"jsonrpc":"2.0","id":1,"method":"list","params":["echomesh"]}"#);
    assert_eq!(listed["result"]["echomesh"]["policy_explain"]["host"], "string", "{listed}");
    let long = format!("\"{}\"", "x".repeat(64 * 1024));
    assert_eq!(panel.ask("POST", "/ubus/", &panel.host, &[], long.as_bytes()).status, 413);
    assert_eq!(panel.ask("PUT", "/ubus/", &panel.host, &[], b"{}").status, 405);
}

#[test]
fn uci_changes_are_a_sessions_own_until_they_are_applied() {
    let alone = alone(&[]);
    let panel = &alone.panel;
    let (owner, observer) = (panel.session("owner"), panel.session("observer"));
    let uci = |method: &str, args: Value| panel.uci(&owner, method, args);
    let before = alone.file();
    assert_eq!(uci("apply", json!({})), json!([5]), "nothing is staged");
    assert_eq!(uci("set", json!({"section": "network", "values": {"max_mbps": 7, "port": ["443", "8443"], "yield": true}})), json!([0]));
    assert_eq!(uci("set", json!({"section": "nothing", "values": {"a": "b"}})), json!([4]));
    for wrong in [json!({"a": {}}), json!({"a b": "x"}), json!({"a": null}), json!({"a": "x\u{0}"}), json!({})] {
        assert_eq!(uci("set", json!({"section": "network", "values": wrong})), json!([2]), "{wrong}");
    }
    let added = uci("add", json!({"type": "window", "values": {"start": "03:00", "end": "04:00", "days": ["Mon"]}}));
    let added = added[1]["section"].as_str().unwrap().to_owned();
    let all = uci("get", json!({}))[1]["values"].clone();
    let windows: Vec<&str> = all.as_object().unwrap().keys().filter(|name| name.starts_with("cfg")).map(String::as_str).collect();
    assert!(windows.len() == 2 && windows.contains(&added.as_str()), "{windows:?}");
    assert_eq!(
        all[&added],
        json!({".anonymous": true, ".type": "window", ".name": added, ".index": 4, "start": "03:00", "end": "04:00", "days": ["Mon"]})
    );
    assert_eq!((&all["network"]["max_mbps"], &all["network"]["yield"]), (&json!("7"), &json!("1")));
    let first = windows.iter().find(|name| **name != added).unwrap();
    assert_eq!(uci("order", json!({"sections": [added, "node"]})), json!([0]));
    assert_eq!(uci("delete", json!({"section": first})), json!([0]));
    assert_eq!(uci("delete", json!({"section": "security", "option": "sandbox_mode"})), json!([0]));
    assert_eq!(uci("rename", json!({"section": added, "name": "night"})), json!([0]));

    let staged = uci("changes", json!({}))[1]["changes"].clone();
    let network = ["set", "network", "max_mbps", "7"];
    assert!(staged.as_array().unwrap().iter().any(|change| *change == json!(network)), "{staged}");
    assert_eq!(panel.uci(&observer, "changes", json!({}))[1]["changes"], json!([]), "another session has none");
    assert_eq!(panel.call(&owner, "uci", "changes", &json!({}))["result"][1]["changes"]["echomesh"], staged);
    assert_eq!(alone.file(), before);

    assert_eq!(uci("apply", json!({})), json!([0]));
    let after = alone.file();
    let expected = "
config window 'night'
\tlist days 'Mon'
\toption end '04:00'
\toption start '03:00'
";
    assert!(after.starts_with(expected), "{after}");
    assert!(after.contains("option max_mbps '7'") && after.contains("list port '8443'"), "{after}");
    assert!(!after.contains("01:00") && !after.contains("sandbox_mode"), "{after}");
    assert_eq!(uci("changes", json!({}))[1]["changes"], json!([]));

    uci("set", json!({"section": "network", "values": {"max_mbps": "9"}}));
    uci("revert", json!({}));
    assert_eq!((uci("apply", json!({})), alone.file()), (json!([5]), after));
}

#[test]
fn an_apply_that_nobody_confirms_is_taken_back() {
    let alone = alone(&[]);
    let panel = &alone.panel;
    let owner = panel.session("owner");
    let set = |mbps: &str| assert_eq!(panel.uci(&owner, "set", json!({"section": "network", "values": {"max_mbps": mbps}})), json!([0]));
    let mbps = || panel.uci(&owner, "get", json!({"section": "network", "option": "max_mbps"}))[1]["value"].clone();
    set("7");
    assert_eq!(panel.uci(&owner, "apply", json!({"rollback": true, "timeout": 1})), json!([0]));
    assert!(alone.file().contains("max_mbps '7'"));
    set("8");
    assert_eq!(panel.uci(&owner, "apply", json!({"rollback": true, "timeout": 1})), json!([6]), "one at a time");
    panel.uci(&owner, "revert", json!({}));
    until("it is taken back", || (mbps() == "5").then_some(()));
    set("8");
    assert_eq!(panel.uci(&owner, "apply", json!({"rollback": true, "timeout": 600})), json!([0]));
    assert_eq!(panel.uci(&owner, "confirm", json!({})), json!([0]));
    assert_eq!(panel.uci(&owner, "confirm", json!({})), json!([5]));
    set("9");
    assert_eq!(panel.uci(&owner, "apply", json!({"rollback": true, "timeout": 600})), json!([0]));
    assert_eq!(panel.uci(&owner, "rollback", json!({})), json!([0]));
    assert!(alone.file().contains("max_mbps '8'"));
}

#[test]
fn what_is_applied_is_in_force_within_three_seconds() {
    let world = World::start(Plan::default());
    let node = &world.node;
    let panel = Panel::start(world.folder.path(), &node.run_dir, &node.config, &[]);
    let owner = panel.session("owner");
    assert_eq!(panel.uci(&owner, "set", json!({"section": "network", "values": {"max_mbps": "6"}})), json!([0]));
    assert_ne!(node.status()["caps"]["maxMbps"].as_f64(), Some(6.0));
    assert_eq!(panel.uci(&owner, "apply", json!({"rollback": true, "timeout": 30})), json!([0]));
    within(IN_FORCE, "the new rate is in force", || (node.status()["caps"]["maxMbps"].as_f64() == Some(6.0)).then_some(()));
    assert_eq!(panel.uci(&owner, "rollback", json!({})), json!([0]));
    within(IN_FORCE, "and the old one again", || (node.status()["caps"]["maxMbps"].as_f64() == Some(8000.0)).then_some(()));
}

#[test]
fn a_node_of_its_own_runs_when_a_page_or_the_settings_say_so() {
    let mut alone = alone(&["--node", "--in-demo"]);
    let panel = &alone.panel;
    let owner = panel.session("owner");
    let running = |runs: bool| {
        until(&format!("runs: {runs}"), || {
            let said = panel.call(&owner, "echomesh", "status", &json!({}))["result"][1].clone();
            (said["running"] == runs && said["error"].is_null()).then_some(())
        });
    };
    running(false);
    let said = panel.call(&owner, "echomesh", "setup_start", &json!({}));
    assert_eq!(said["result"][1]["id"], "setup", "{said}");
    running(true);
    let turn = |on: &str| {
        assert_eq!(panel.uci(&owner, "set", json!({"section": "node", "values": {"enabled": on}})), json!([0]));
        assert_eq!(panel.uci(&owner, "apply", json!({})), json!([0]));
    };
    turn("1");
    turn("0");
    running(false);
    turn("1");
    running(true);
    // One that dies comes back by itself.
    let pid = std::fs::read_to_string(alone.folder.join("run/pid")).unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.trim().parse().unwrap()), Signal::SIGKILL).unwrap();
    until("another one runs", || (std::fs::read_to_string(alone.folder.join("run/pid")).ok()? != pid).then_some(()));
    running(true);
    // It ends with the panel.
    alone.panel.process.signal(Signal::SIGTERM);
    assert!(alone.panel.process.ended(SOON).success());
    assert!(!alone.folder.join("run/pid").exists());
}

#[test]
fn words_that_do_not_go_together_are_named() {
    for (words, part) in [(&["demo", "--panel"][..], "--keep"), (&["panel", "--in-demo"], "--node")] {
        let refused = process::run(words);
        let said = process::text(&refused.stderr);
        assert!(refused.status.code() == Some(64) && said.contains(part), "{words:?}: {said}");
    }
}
