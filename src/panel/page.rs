//! Pages: the shell around a view, with what the browser side has to know of login, menu and look.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::Panel;
use super::access::{Login, Rights};
use super::files::{self, Files};
use super::menu::{Found, Menu};
use super::request::{LANGUAGES, Viewer};

/// Where pages start; LuCI's dispatcher is a CGI program.
const SCRIPT: &str = "/cgi-bin/luci";
/// The page a visitor is led to.
const START: &str = "/cgi-bin/luci/admin/services/echomesh";
/// Scripts of LuCI and of the app.
const RESOURCES: &str = "/luci-static/resources/";
/// Scripts and styles of the stand-in alone.
const MEDIA: &str = "/luci-static/stand-in/";
/// Translations.
const PO: &str = "/luci-static/stand-in/po/";
/// What the shell has where the page's facts belong.
const HERE: &str = "/*ENV*/null";
/// Where an app's tiles of the status page are.
const TILES: &str = "luci-static/resources/view/status/include";

/// What is answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Type of the body.
    pub kind: &'static str,
    /// Where to go instead.
    pub location: Option<String>,
    /// The body.
    pub body: Cow<'static, [u8]>,
}

impl Answer {
    /// A line of text.
    pub fn text(status: u16, text: &str) -> Answer {
        Answer { status, kind: files::kind(""), location: None, body: Cow::Owned(format!("{text}\n").into_bytes()) }
    }

    /// What JSON-RPC says.
    pub fn json(said: String) -> Answer {
        Answer { status: 200, kind: "application/json", location: None, body: Cow::Owned(said.into_bytes()) }
    }

    /// Leads to `to`.
    fn elsewhere(to: String) -> Answer {
        Answer { location: Some(to), ..Answer::text(302, "elsewhere") }
    }

    fn found(path: &str, body: Option<Cow<'static, [u8]>>) -> Answer {
        match body {
            Some(body) => Answer { status: 200, kind: files::kind(path), location: None, body },
            None => Answer::text(404, "there is no such file"),
        }
    }
}

/// The answer to GET of `path` for `viewer`.
pub fn answer(panel: &Panel, path: &str, viewer: Viewer) -> Answer {
    let files = &panel.files;
    if path == "/" || path == SCRIPT || path.strip_suffix('/') == Some(SCRIPT) {
        return Answer::elsewhere(START.into());
    }
    if let Some(name) = path.strip_prefix(PO) {
        let language = name.strip_suffix(".po").filter(|language| LANGUAGES.contains(language));
        return Answer::found(name, language.and_then(|language| files.read(files::PO, &format!("{language}/echomesh.po"))));
    }
    if let Some(name) = path.strip_prefix(MEDIA) {
        return Answer::found(name, files.read(files::RUNTIME, name));
    }
    if let Some(name) = path.strip_prefix(RESOURCES) {
        let own = files.read(files::HTDOCS, &format!("luci-static/resources/{name}"));
        return Answer::found(name, own.or_else(|| files.read(files::RUNTIME, name)));
    }
    match path.strip_prefix(SCRIPT).and_then(|rest| rest.strip_prefix('/')) {
        Some(node) => page(panel, node.trim_end_matches('/'), viewer).unwrap_or_else(|what| Answer::text(500, &what)),
        None => Answer::text(404, "there is nothing here"),
    }
}

fn page(panel: &Panel, node: &str, viewer: Viewer) -> Result<Answer, String> {
    let rights = Rights::of(viewer.login, &panel.files)?;
    let menu = Menu::read(&panel.files)?;
    let (view, title, readonly) = match menu.find(node, &rights) {
        Found::View { view, title, readonly } => (view, title, readonly),
        Found::Elsewhere(to) => return Ok(Answer::elsewhere(format!("{SCRIPT}/{to}"))),
        Found::Forbidden => return Ok(Answer::text(403, "this login may not see this page")),
        Found::Nowhere => return Ok(Answer::text(404, "there is no such page")),
    };
    let env = json!({
        "sessionid": panel.logins.session(viewer.login),
        "scriptname": SCRIPT,
        "resource": RESOURCES.trim_end_matches('/'),
        "media": MEDIA.trim_end_matches('/'),
        "ubuspath": super::server::UBUS,
        "requestpath": node.split('/').collect::<Vec<_>>(),
        "nodespec": {
            "title": title, "satisfied": true, "readonly": readonly, "action": { "type": "view", "path": view },
        },
        "menu": menu.tree(&rights),
        "lang": viewer.language,
        "theme": viewer.theme,
        "login": viewer.login.name(),
        "logins": Login::ALL.map(Login::name),
        "languages": LANGUAGES,
        "statusIncludes": tiles(&panel.files),
    });
    let shell = panel.files.read(files::RUNTIME, "shell.html").ok_or("the shell page is missing")?;
    let shell = String::from_utf8_lossy(&shell);
    if !shell.contains(HERE) {
        return Err(format!("the shell page has no {HERE}"));
    }
    let page = shell.replacen(HERE, &in_script(&env), 1);
    Ok(Answer { status: 200, kind: files::kind(".html"), location: None, body: Cow::Owned(page.into_bytes()) })
}

/// The names of the app's tiles, as LuCI finds them: without the ending.
fn tiles(files: &Files) -> Vec<String> {
    files.all(files::HTDOCS, TILES).into_iter().filter_map(|(name, _)| name.strip_suffix(".js").map(str::to_owned)).collect()
}

/// `value` as JSON that can stand in a script element: nothing in it ends the element or begins a comment.
fn in_script(value: &Value) -> String {
    let mut out = String::new();
    for c in value.to_string().chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_the_script_and_nothing_is_lost() {
        let value = json!({"title": "</script><!-- & \u{2028}\u{2029} \"x\"", "<k>": ["]]>"]});
        let text = in_script(&value);
        assert!(!text.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
