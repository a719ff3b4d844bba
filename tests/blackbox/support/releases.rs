//! An update server of the tests' own: HTTPS, minisign's own signatures, and the ways it can go wrong.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::folder::Folder;
use super::http::Head;
use super::process::binary;
use super::trust;

/// What this machine's program takes.
pub fn target() -> &'static str {
    std::env::consts::ARCH
}

/// The version of the program under test.
pub const OLD: &str = env!("CARGO_PKG_VERSION");
/// A version after it, with as many letters.
pub const NEW: &str = "0.1.7";
/// One after that.
pub const NEWER: &str = "0.1.8";

/// The program under test without its symbols, which says that it is `version`. Kept between tests.
pub fn program(version: &str) -> PathBuf {
    static MAKING: Mutex<()> = Mutex::new(());
    let _one = MAKING.lock().unwrap();
    assert_eq!(version.len(), OLD.len(), "the bytes of the version are replaced in place");
    let built = std::fs::metadata(binary()).unwrap().modified().unwrap().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("update-programs");
    let path = folder.join(format!("{built}-{version}"));
    if !path.exists() {
        std::fs::create_dir_all(&folder).unwrap();
        let old = std::fs::read_dir(&folder).unwrap().flatten().filter(|e| !e.file_name().to_str().unwrap().starts_with(&built.to_string()));
        old.for_each(|e| drop(std::fs::remove_file(e.path())));
        let made = folder.join(format!("{built}-making"));
        let script = "strip -o \"$2\" \"$1\" && LC_ALL=C sed -i \"s/$3/$4/g\" \"$2\" && chmod 755 \"$2\"";
        let mut sh = Command::new("sh");
        sh.args(["-c", script, "sh"]).arg(binary()).arg(&made).args([OLD.replace('.', "\\."), version.to_owned()]);
        assert!(sh.status().unwrap().success());
        let said = Command::new(&made).arg("--version").output().unwrap();
        assert_eq!(String::from_utf8_lossy(&said.stdout), format!("echomesh {version}\n"));
        std::fs::rename(&made, &path).unwrap();
    }
    path
}

/// How one file is served.
#[derive(Clone, Default)]
struct Served {
    bytes: Arc<Vec<u8>>,
    /// Breaks off after so many bytes, once.
    cut: Option<usize>,
    /// Waits after so many bytes until it is served anew.
    stall: Option<usize>,
}

/// The server. Lives as long as the test process.
pub struct Releases {
    pub addr: SocketAddr,
    /// Its certificate.
    pub pem: String,
    files: Arc<Mutex<BTreeMap<String, Served>>>,
    /// Request lines and ranges, as they came.
    log: Arc<Mutex<Vec<String>>>,
    folder: Folder,
}

/// A key pair without a password.
pub struct Key {
    secret: PathBuf,
    /// As the owner enters it.
    pub public: String,
}

impl Releases {
    pub fn start() -> Releases {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (tls, pem) = trust::server(&["127.0.0.1"]);
        let (files, log) = (Arc::<Mutex<BTreeMap<String, Served>>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (served, told) = (files.clone(), log.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (tls, files, log) = (tls.clone(), served.clone(), told.clone());
                std::thread::spawn(move || serve(stream, tls, &files, &log));
            }
        });
        Releases { addr, pem, files, log, folder: Folder::new() }
    }

    /// What an owner sets as `update.url`.
    pub fn url(&self) -> String {
        format!("https://{}/releases", self.addr)
    }

    pub fn key(&self, name: &str) -> Key {
        let (secret, public) = (self.folder.join(&format!("{name}.key")), self.folder.join(&format!("{name}.pub")));
        minisign(&["-G", "-W", "-f", "-p", public.to_str().unwrap(), "-s", secret.to_str().unwrap()]);
        let public = std::fs::read_to_string(public).unwrap().lines().nth(1).unwrap().to_owned();
        Key { secret, public }
    }

    /// Serves a file of the release folder.
    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        self.files.lock().unwrap().insert(format!("/releases/{name}"), Served { bytes: Arc::new(bytes), ..Served::default() });
    }

    /// The same of everything in a folder.
    pub fn put_all(&self, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            self.put(entry.file_name().to_str().unwrap(), std::fs::read(entry.path()).unwrap());
        }
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Served)) {
        change(self.files.lock().unwrap().get_mut(&format!("/releases/{name}")).unwrap());
    }

    /// Breaks off the next answer after so many bytes.
    pub fn cut(&self, name: &str, at: usize) {
        self.change(name, |f| f.cut = Some(at));
    }

    /// Answers so many bytes and then nothing more, until told otherwise.
    pub fn stall(&self, name: &str, at: Option<usize>) {
        self.change(name, |f| f.stall = at);
    }

    /// No file any more.
    pub fn drop_all(&self) {
        self.files.lock().unwrap().clear();
    }

    /// What was asked for.
    pub fn asked(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// A manifest as it should be, for `program` as `version`.
    pub fn manifest(&self, version: &str, program: &[u8]) -> Value {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let at = |unix: u64| echomesh::codec::time::rfc3339(unix);
        json!({
            "format": "echomesh/update/v1", "channel": "stable", "issuedAt": at(now), "expiresAt": at(now + 86_400), "version": version,
            "minimum": "0.0.1", "rollout": 100,
            "files": [{
                "package": "echomesh", "target": target(), "name": format!("echomesh-{version}"), "size": program.len(),
                "hash": format!("b3:{}", blake3::hash(program).to_hex()),
            }],
        })
    }

    /// Serves a program, and a manifest of it that `change` had its way with, signed by `key`.
    pub fn publish(&self, version: &str, program: &[u8], key: &Key, change: impl FnOnce(&mut Value)) {
        let mut manifest = self.manifest(version, program);
        change(&mut manifest);
        self.put(&format!("echomesh-{version}"), program.to_vec());
        let text = manifest.to_string().into_bytes();
        self.put("stable.json.minisig", self.sign(&text, key));
        self.put("stable.json", text);
    }

    /// The signature minisign makes.
    pub fn sign(&self, text: &[u8], key: &Key) -> Vec<u8> {
        let path = self.folder.join("to-sign");
        std::fs::write(&path, text).unwrap();
        minisign(&["-S", "-s", key.secret.to_str().unwrap(), "-m", path.to_str().unwrap()]);
        std::fs::read(self.folder.join("to-sign.minisig")).unwrap()
    }

    /// Makes and serves a release by the project's own script.
    pub fn release(&self, version: &str, program: &Path, key: &Key) {
        let out = self.folder.join("out");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/cross/release-manifest");
        let made = Command::new("python3")
            .args([script, "--out", out.to_str().unwrap(), "--key", key.secret.to_str().unwrap(), "--version", version, "--minimum", OLD])
            .args(["--notes", "Faster.", &format!("{}={}", target(), program.display())])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        self.put_all(&out);
    }
}

fn minisign(args: &[&str]) {
    let done = Command::new("minisign").args(args).stdin(Stdio::null()).output().expect("minisign is installed: tests/run does it");
    assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn serve(stream: TcpStream, tls: Arc<ServerConfig>, files: &Mutex<BTreeMap<String, Served>>, log: &Mutex<Vec<String>>) {
    let mut tls = StreamOwned::new(ServerConnection::new(tls).unwrap(), stream);
    // Whoever goes away early is no fault of the server's.
    while answer(&mut tls, files, log).is_ok() {}
}

fn answer(
    tls: &mut StreamOwned<ServerConnection, TcpStream>,
    files: &Mutex<BTreeMap<String, Served>>,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let head = Head::read(tls)?;
    let path = head.target().to_owned();
    let range = head.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    log.lock().unwrap().push(range.map_or(path.clone(), |from| format!("{path} from {from}")));
    let Some(file) = files.lock().unwrap().get(&path).cloned() else {
        return tls.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    };
    let from = range.unwrap_or(0).min(file.bytes.len());
    let (status, place) = match range {
        Some(_) => ("206 Partial Content", format!("Content-Range: bytes {from}-{}/{}\r\n", file.bytes.len() - 1, file.bytes.len())),
        None => ("200 OK", String::new()),
    };
    tls.write_all(format!("HTTP/1.1 {status}\r\n{place}Content-Length: {}\r\n\r\n", file.bytes.len() - from).as_bytes())?;
    if let Some(at) = file.cut {
        tls.write_all(&file.bytes[from..at.max(from)])?;
        tls.flush()?;
        files.lock().unwrap().get_mut(&path).unwrap().cut = None;
        return Err(std::io::ErrorKind::ConnectionReset.into());
    }
    if let Some(at) = file.stall {
        tls.write_all(&file.bytes[from..at.max(from)])?;
        tls.flush()?;
        while files.lock().unwrap().get(&path).is_some_and(|f| f.stall.is_some()) {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        return tls.write_all(&file.bytes[at.max(from)..]);
    }
    tls.write_all(&file.bytes[from..])?;
    tls.flush()
}
