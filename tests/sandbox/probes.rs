//! The probes. Each has a folder of its own, confines itself, and tries one thing.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;

use echomesh::platform::sandbox::{self, Needs};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

type Probe = fn(&Path);

/// Names that start with `killed-` are of probes the kernel kills with SIGSYS.
pub const PROBES: &[(&str, Probe)] = &[
    ("keeps-files-in-its-folders", keeps_files),
    ("keeps-none-elsewhere", keeps_none_elsewhere),
    ("reads-what-it-needs", reads_what_it_needs),
    ("reads-nothing-else", reads_nothing_else),
    ("starts-itself", starts_itself),
    ("starts-nothing-else", starts_nothing_else),
    ("has-no-privilege", has_no_privilege),
    ("opens-no-odd-socket", opens_no_odd_socket),
    ("resolves-and-connects", resolves_and_connects),
    ("makes-no-unlisted-call", makes_no_unlisted_call),
    ("threads-from-before-are-held", threads_are_held),
    ("killed-for-chroot", chroots),
    ("killed-for-another-user", becomes_another),
];

/// `FOLDER/kept` and `FOLDER/read/list` are what is needed; `FOLDER/other` is not. Confined from here on.
fn confined(folder: &Path) -> std::collections::BTreeMap<String, String> {
    for name in ["kept", "read", "other"] {
        fs::create_dir(folder.join(name)).unwrap();
    }
    for name in ["read/list", "other/secret"] {
        fs::write(folder.join(name), name).unwrap();
    }
    let parts = sandbox::confine(&Needs { keeps: vec![folder.join("kept")], reads: Vec::new(), files: vec![folder.join("read/list")] }).parts();
    for part in ["noNewPrivs", "capabilities", "limits"] {
        assert!(parts[part].starts_with("on"), "{parts:?}");
    }
    parts
}

/// The same, for what only works where `part` is there: `false` where this kernel has none of it.
fn confined_by(part: &str, folder: &Path) -> bool {
    let told = &confined(folder)[part];
    let on = told.starts_with("on");
    if !on {
        // Only a kernel without it excuses: one that refuses the rules is a fault of ours.
        assert!(told.starts_with("absent"), "{part}: {told}");
        println!("SKIPPED: {part} is {told}");
    }
    on
}

#[track_caller]
fn denied<T>(what: std::io::Result<T>) {
    match what {
        Err(e) if e.kind() == ErrorKind::PermissionDenied => {}
        Err(e) => panic!("not for that reason: {e}"),
        Ok(_) => panic!("it was allowed"),
    }
}

fn keeps_files(folder: &Path) {
    confined(folder);
    let (one, two) = (folder.join("kept/one"), folder.join("kept/two"));
    echomesh::platform::files::replace(&one, 0o600, b"x", echomesh::platform::files::Medium::Flash).unwrap();
    fs::rename(&one, &two).unwrap();
    fs::OpenOptions::new().write(true).truncate(true).open(&two).unwrap();
    let listener = std::os::unix::net::UnixListener::bind(&one).unwrap();
    std::os::unix::net::UnixStream::connect(&one).unwrap();
    listener.accept().unwrap();
    assert_eq!(fs::read_dir(folder.join("kept")).unwrap().count(), 2);
    fs::remove_file(one).unwrap();
    fs::remove_file(two).unwrap();
}

fn keeps_none_elsewhere(folder: &Path) {
    if !confined_by("landlock", folder) {
        return;
    }
    denied(fs::write(folder.join("other/new"), "x"));
    denied(fs::write(folder.join("read/list"), "x"));
    denied(fs::write(folder.join("new"), "x"));
    denied(fs::create_dir(folder.join("other/folder")));
    denied(fs::remove_file(folder.join("read/list")));
    denied(fs::OpenOptions::new().write(true).open(folder.join("other/secret")));
}

fn reads_what_it_needs(folder: &Path) {
    let script = format!("read go && echo later > '{0}/new' && mv '{0}/new' '{0}/list'", folder.join("read").display());
    let mut editor = Command::new("/bin/sh").args(["-c", &script]).stdin(Stdio::piped()).spawn().unwrap();
    confined(folder);
    assert_eq!(fs::read_to_string(folder.join("read/list")).unwrap(), "read/list");
    assert!(echomesh::platform::facts::rss_bytes().is_some() && echomesh::platform::facts::ram_bytes().is_some());
    // The owner's editor puts another file in the place of the first; whoever does is not confined, and started before.
    editor.stdin.take().unwrap().write_all(b"go\n").unwrap();
    assert!(editor.wait().unwrap().success());
    assert_eq!(fs::read_to_string(folder.join("read/list")).unwrap(), "later\n");
}

fn reads_nothing_else(folder: &Path) {
    if !confined_by("landlock", folder) {
        return;
    }
    denied(fs::read(folder.join("other/secret")));
    denied(fs::read_dir(folder.join("other")));
    denied(fs::read_dir("/"));
    denied(fs::read_dir("/tmp"));
}

fn starts_itself(folder: &Path) {
    confined(folder);
    let output = Command::new("/proc/self/exe").arg("hello").output().unwrap();
    assert!(output.status.success() && output.stdout == b"hello\n", "{output:?}");
}

fn starts_nothing_else(folder: &Path) {
    if confined_by("landlock", folder) {
        denied(Command::new("/bin/sh").args(["-c", "exit 0"]).status());
    }
}

fn has_no_privilege(folder: &Path) {
    let parts = confined(folder);
    let filtered = parts["seccomp"].starts_with("on");
    for thread in fs::read_dir("/proc/self/task").unwrap() {
        let status = fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        let value = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
            assert_eq!(value(set), "0000000000000000", "{set}");
        }
        assert_eq!(value("NoNewPrivs:"), "1");
        assert!(!filtered || value("Seccomp:") == "2");
    }
    let (soft, hard) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_CORE).unwrap();
    assert_eq!((soft, hard), (0, 0));
}

fn opens_no_odd_socket(folder: &Path) {
    if confined_by("seccomp", folder) {
        for family in [AddressFamily::Packet, AddressFamily::Alg, AddressFamily::Vsock] {
            let opened = socket(family, SockType::Datagram, SockFlag::empty(), None);
            assert_eq!(opened.err(), Some(Errno::EAFNOSUPPORT), "{family:?}");
        }
    }
}

fn resolves_and_connects(folder: &Path) {
    confined(folder);
    let listener = std::net::TcpListener::bind(("localhost", 0)).unwrap();
    std::net::TcpStream::connect(("localhost", listener.local_addr().unwrap().port())).unwrap();
    let routes = echomesh::platform::uplink::Routes::open().unwrap();
    assert_eq!(routes.route_to("127.0.0.1".parse().unwrap()).unwrap().device, "lo");
    assert!(!echomesh::platform::uplink::own_addresses().unwrap().is_empty());
    std::thread::spawn(|| {}).join().unwrap();
}

fn makes_no_unlisted_call(folder: &Path) {
    if confined_by("seccomp", folder) {
        fs::write(folder.join("kept/file"), "x").unwrap();
        denied(fs::hard_link(folder.join("kept/file"), folder.join("kept/link")));
        denied(std::os::unix::fs::symlink("file", folder.join("kept/link")));
    }
}

fn threads_are_held(folder: &Path) {
    let (go, wait) = channel::<()>();
    let kept = folder.join("kept");
    let thread = std::thread::spawn(move || {
        wait.recv().unwrap();
        fs::write(kept.join("file"), "x").unwrap();
        fs::hard_link(kept.join("file"), kept.join("link"))
    });
    let on = confined_by("seccomp", folder);
    go.send(()).unwrap();
    let linked = thread.join().unwrap();
    if on {
        denied(linked);
    }
}

fn chroots(folder: &Path) {
    if confined_by("seccomp", folder) {
        panic!("alive: {:?}", nix::unistd::chroot(folder));
    }
}

fn becomes_another(folder: &Path) {
    if confined_by("seccomp", folder) {
        panic!("alive: {:?}", nix::unistd::setuid(nix::unistd::Uid::from_raw(1)));
    }
}
