//! The files of the app and of the stand-in: out of a source tree, or out of the program itself.

use std::borrow::Cow;
use std::path::PathBuf;

use include_dir::{Dir, include_dir};

/// Folders of the source tree that are served from.
pub const HTDOCS: &str = "luci-app/htdocs";
/// What the app installs into the system: menu, access groups.
pub const ROOT: &str = "luci-app/root";
/// Translations.
pub const PO: &str = "luci-app/po";
/// The stand-in for LuCI's browser side.
pub const RUNTIME: &str = "tests/luci/runtime";

/// Where files come from.
#[derive(Clone, Debug)]
pub enum Files {
    /// A source tree, read at each request.
    Tree(PathBuf),
    /// This program.
    Embedded,
}

impl Files {
    /// `tree` where it is given. Else a release has them inside; a debug build reads the tree it was made from, so that a changed page
    /// is no new build.
    pub fn new(tree: Option<PathBuf>) -> Files {
        if cfg!(debug_assertions) {
            return Files::Tree(tree.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into()));
        }
        tree.map_or(Files::Embedded, Files::Tree)
    }

    /// The bytes of `path` below `folder`, one of the constants.
    pub fn read(&self, folder: &str, path: &str) -> Option<Cow<'static, [u8]>> {
        if !is_plain(path) {
            return None;
        }
        match self {
            Files::Tree(tree) => std::fs::read(tree.join(folder).join(path)).ok().map(Cow::Owned),
            Files::Embedded => {
                let whole = format!("{folder}/{path}");
                let (inside, path) = embedded(&whole)?;
                inside.get_file(path).map(|file| Cow::Borrowed(file.contents()))
            }
        }
    }

    /// The bytes of all files right below `path` of `folder`, by name.
    pub fn all(&self, folder: &str, path: &str) -> Vec<(String, Cow<'static, [u8]>)> {
        let mut names = match self {
            Files::Tree(tree) => {
                let entries = std::fs::read_dir(tree.join(folder).join(path)).into_iter().flatten().flatten();
                entries.filter_map(|entry| entry.file_name().into_string().ok()).collect::<Vec<_>>()
            }
            Files::Embedded => {
                let path = format!("{folder}/{path}");
                let found = embedded(&path).and_then(|(inside, path)| inside.get_dir(path));
                let files = found.into_iter().flat_map(|folder| folder.files());
                files.filter_map(|file| Some(file.path().file_name()?.to_str()?.to_owned())).collect()
            }
        };
        names.sort();
        names.into_iter().filter_map(|name| self.read(folder, &format!("{path}/{name}")).map(|bytes| (name, bytes))).collect()
    }
}

/// Whether `path` names something below a folder, without any way out of it, and nothing hidden.
fn is_plain(path: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    path.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && part.bytes().all(plain))
}

/// The type a browser takes `path` for.
pub fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, end)| end) {
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        _ => "text/plain; charset=utf-8",
    }
}

/// Folders of the source tree that are inside this program.
#[cfg(not(debug_assertions))]
static INSIDE: [(&str, Dir<'static>); 2] =
    [("luci-app", include_dir!("$CARGO_MANIFEST_DIR/luci-app")), ("tests/luci/runtime", include_dir!("$CARGO_MANIFEST_DIR/tests/luci/runtime"))];
/// A debug build has one small folder inside, so that this way of reading is tested.
#[cfg(debug_assertions)]
static INSIDE: [(&str, Dir<'static>); 1] = [("openwrt/files/usr/share", include_dir!("$CARGO_MANIFEST_DIR/openwrt/files/usr/share"))];

/// The folder inside this program that `path` of the source tree is in, and where in it.
fn embedded(path: &str) -> Option<(&'static Dir<'static>, &str)> {
    INSIDE.iter().find_map(|(folder, inside)| Some((inside, path.strip_prefix(folder)?.strip_prefix('/')?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_find_the_same_files() {
        let (folder, path) = ("openwrt/files/usr/share", "rpcd/acl.d");
        let names = |files: Files| files.all(folder, path);
        let tree = names(Files::Tree(env!("CARGO_MANIFEST_DIR").into()));
        assert_eq!(tree, names(Files::Embedded));
        assert!(tree.iter().any(|(name, bytes)| name == "echomesh.json" && bytes.starts_with(b"{")));
    }

    #[test]
    fn nothing_leads_out_of_a_folder() {
        let tree = Files::Tree(env!("CARGO_MANIFEST_DIR").into());
        for path in ["../Cargo.toml", "files/../Makefile", "/etc/passwd", "files//x", "", ".", "files/%2e%2e/Makefile", "a\\b", "a\0b", ".npmrc"] {
            assert!(!is_plain(path), "{path:?}");
            assert_eq!(tree.read("openwrt", path), None, "{path:?}");
        }
        assert!(tree.read("openwrt", "Makefile").is_some());
    }
}
