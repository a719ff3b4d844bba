//! `echomesh panel`, asked as a browser asks it.

use std::net::TcpStream;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::http::{self, Answer};
use super::process::{self, Process};
use super::wait::SOON;

/// A panel that serves a small source tree of the test's own: a shell, and the app's real menu and access groups.
pub struct Panel {
    pub process: Process,
    pub tree: PathBuf,
    /// `127.0.0.1:PORT`.
    pub host: String,
}

/// The page that the facts are put into.
const SHELL: &str = "<script>ENV = /*ENV*/null;</script>";
/// Where every page is.
pub const BASE: &str = "/cgi-bin/luci/admin/services/echomesh";

impl Panel {
    /// Starts it in `folder` beside the daemon of `run_dir`, with more arguments.
    #[track_caller]
    pub fn start(folder: &Path, run_dir: &Path, config: &Path, more: &[&str]) -> Panel {
        let tree = folder.join("tree");
        let source = Path::new(env!("CARGO_MANIFEST_DIR"));
        for path in ["usr/share/luci/menu.d/luci-app-echomesh.json", "usr/share/rpcd/acl.d/luci-app-echomesh.json"] {
            let path = Path::new("luci-app/root").join(path);
            std::fs::create_dir_all(tree.join(&path).parent().unwrap()).unwrap();
            std::fs::copy(source.join(&path), tree.join(&path)).unwrap();
        }
        let put = |path: &str, text: &str| {
            std::fs::create_dir_all(tree.join(path).parent().unwrap()).unwrap();
            process::write(&tree.join(path), text);
        };
        put("tests/luci/runtime/shell.html", SHELL);
        put("tests/luci/runtime/ui.js", "runtime");
        put("luci-app/htdocs/luci-static/resources/view/echomesh/overview.js", "app");
        put("luci-app/htdocs/luci-static/resources/view/status/include/25_echomesh.js", "tile");
        put("luci-app/po/de/echomesh.po", "po");
        put("secret", "secret");
        let (tree_path, run_dir, config) = (tree.to_str().unwrap(), run_dir.to_str().unwrap(), config.to_str().unwrap());
        let mut args = vec!["--run-dir", run_dir, "panel", "--config", config, "--files", tree_path];
        args.extend(more);
        // What it has in the place of the router's files goes with the test, even where the panel is killed.
        let env = [("TMPDIR".to_owned(), folder.to_str().unwrap().to_owned())];
        let mut process = Process::start_with(&env, "panel", folder, args);
        let said = process.lines_to("panel at ").pop().unwrap();
        let host = said.strip_prefix("panel at http://").and_then(|rest| rest.strip_suffix('/')).unwrap().to_owned();
        Panel { process, tree, host }
    }

    /// A file of the tree's root folder is replaced.
    pub fn install(&self, path: &str, value: &Value) {
        process::write(&self.tree.join("luci-app/root").join(path), &value.to_string());
    }

    /// One request, by any `Host`.
    #[track_caller]
    pub fn ask(&self, method: &str, target: &str, host: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        http::exchange(&mut stream, &http::request(method, target, host, headers, body)).unwrap()
    }

    /// A page or file.
    #[track_caller]
    pub fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, &self.host, &[], b"")
    }

    /// What the page at `path` (below [`BASE`]) is told.
    #[track_caller]
    pub fn env(&self, path: &str) -> Value {
        let page = self.get(&format!("{BASE}/{path}"));
        assert_eq!(page.status, 200, "{}", page.text());
        let text = page.text();
        let (start, end) = SHELL.split_once("/*ENV*/null").unwrap();
        let env = text.strip_prefix(start).and_then(|rest| rest.strip_suffix(end)).unwrap_or_else(|| panic!("{text}"));
        serde_json::from_str(env).unwrap_or_else(|e| panic!("{e}: {env}"))
    }

    /// The session of a login.
    #[track_caller]
    pub fn session(&self, login: &str) -> String {
        self.env(&format!("overview?as={login}"))["sessionid"].as_str().unwrap().to_owned()
    }

    /// A body to `/ubus/`.
    #[track_caller]
    pub fn spoken(&self, body: &str) -> Value {
        self.ask("POST", "/ubus/?1234", &self.host, &[("Content-Type", "application/json")], body.as_bytes()).json()
    }

    /// One call.
    #[track_caller]
    pub fn call(&self, session: &str, object: &str, method: &str, args: &Value) -> Value {
        let said = self.spoken(&json!({"jsonrpc": "2.0", "id": 7, "method": "call", "params": [session, object, method, args]}).to_string());
        assert_eq!((&said["jsonrpc"], &said["id"]), (&json!("2.0"), &json!(7)));
        said
    }

    /// One call of `uci`; its result.
    #[track_caller]
    pub fn uci(&self, session: &str, method: &str, mut args: Value) -> Value {
        if !["apply", "confirm", "rollback"].contains(&method) {
            args["config"] = json!("echomesh");
        }
        self.call(session, "uci", method, &args)["result"].take()
    }
}
