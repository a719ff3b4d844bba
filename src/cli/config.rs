//! `echomesh config`: check a file, show and change the settings, print their schema.

use std::path::{Path, PathBuf};

use argh::FromArgs;

use super::ask::Daemon;
use super::print;
use crate::config::table::{ROWS, WINDOW, WINDOW_ROWS};
use crate::config::{self, Settings, json, schema};
use crate::core::exit::{self, Failure};

pub mod set;

#[derive(FromArgs)]
#[argh(subcommand, name = "config")]
/// Check a configuration, show or change the settings, print their schema.
pub struct Config {
    #[argh(subcommand)]
    what: What,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum What {
    Check(Check),
    Show(Show),
    Set(set::Set),
    Schema(Schema),
}

#[derive(FromArgs)]
#[argh(subcommand, name = "check")]
/// Read a UCI file and print everything that is wrong or odd; needs no daemon. Ends with 78 on errors.
struct Check {
    /// UCI file [/etc/config/echomesh]
    #[argh(option, default = "super::CONFIG.into()")]
    config: PathBuf,
}

#[derive(FromArgs)]
#[argh(subcommand, name = "show")]
/// Print the settings in force, one section.option=value a line, as `config set` takes them.
struct Show {
    /// print them in their JSON shape
    #[argh(switch)]
    json: bool,
    /// show what this UCI file says instead of asking the daemon
    #[argh(option)]
    config: Option<PathBuf>,
}

#[derive(FromArgs)]
#[argh(subcommand, name = "schema")]
/// Print the JSON Schema of the settings.
struct Schema {}

impl Config {
    /// Does it.
    pub fn run(self, run_dir: &Path) -> Result<(), Failure> {
        match self.what {
            What::Check(check) => check.run(),
            What::Show(show) => show.run(run_dir),
            What::Set(set) => set.run(run_dir),
            What::Schema(_) => print::json(&schema::schema()),
        }
    }
}

impl Check {
    fn run(self) -> Result<(), Failure> {
        let (_, findings) = config::read(&self.config).map_err(|e| Failure::new(e.exit_code(), e.to_string()))?;
        print::text(&findings.iter().map(|f| format!("{f}\n")).collect::<String>())?;
        match findings.iter().filter(|f| f.is_error()).count() {
            0 => Ok(()),
            n => Err(Failure::new(exit::CONFIG, format!("{} has {n} error{}", self.config.display(), if n == 1 { "" } else { "s" }))),
        }
    }
}

impl Show {
    fn run(self, run_dir: &Path) -> Result<(), Failure> {
        let document = match &self.config {
            Some(path) => json::to_json(&usable(path)?),
            None => Daemon::at(run_dir).get("/config")?.read()?,
        };
        if self.json {
            return print::json(&document);
        }
        // A daemon of another version may know other members; then the JSON is still shown as it is.
        match json::from_json(&document) {
            Ok(settings) => print::text(&lines(&settings)),
            Err(_) => print::json(&document),
        }
    }
}

/// What the file at `path` says, if it may be used.
pub(super) fn usable(path: &Path) -> Result<Settings, Failure> {
    let (settings, findings) = config::read(path).map_err(|e| Failure::new(e.exit_code(), e.to_string()))?;
    match findings.iter().find(|f| f.is_error()) {
        None => Ok(settings),
        Some(first) => Err(Failure::new(exit::CONFIG, format!("{}: {first}; `echomesh config check` lists all", path.display()))),
    }
}

fn lines(settings: &Settings) -> String {
    let rows = ROWS.iter().flat_map(|row| (row.get)(settings).into_iter().map(|text| format!("{}.{}={text}\n", row.section, row.name)));
    let windows = settings.windows.iter().enumerate().flat_map(|(i, window)| {
        WINDOW_ROWS.iter().flat_map(move |row| (row.get)(window).into_iter().map(move |text| format!("@{WINDOW}[{i}].{}={text}\n", row.name)))
    });
    rows.chain(windows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_show_prints_set_takes() {
        let mut settings = Settings::default();
        settings.network.ports = vec![443, 8443];
        settings.network.block_domain = vec!["a.example".into()];
        let words: Vec<String> = lines(&settings).lines().map(str::to_owned).collect();
        assert!(words.contains(&"network.port=8443".to_owned()), "{words:?}");
        let patch = json::assign(&words).unwrap();
        assert_eq!(json::merge(&Settings::default(), &patch).unwrap(), settings);
    }

    #[test]
    fn check_ends_with_78_on_a_bad_value_and_0_with_warnings() {
        let path = std::env::temp_dir().join(format!("em-cli-config-{}", std::process::id()));
        let check = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Check { config: path.clone() }.run().map_err(|f| f.code)
        };
        assert_eq!(check("config node 'node'\n\toption enabled '0'\n\toption odd '1'\n"), Ok(()));
        assert_eq!(check("config network 'network'\n\toption max_mbps 'fast'\n"), Err(exit::CONFIG));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(Check { config: path.clone() }.run().unwrap_err().code, exit::NO_INPUT);
    }
}
