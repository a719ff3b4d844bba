//! The answers of a set-up that was interrupted: a file beside the run folder, on tmpfs, readable by its owner alone.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::answers::Answers;
use crate::codec::json::MAX_BODY;
use crate::core::exit::{self, Failure};
use crate::platform::files::{self, Medium};

/// Where the answers are kept until the set-up is done. Beside the run folder, not in it: that one belongs to the daemon.
#[derive(Clone, Debug)]
pub struct Kept(PathBuf);

impl Kept {
    /// Those that belong to `run_dir`.
    pub fn of(run_dir: &Path) -> Kept {
        let mut name = run_dir.file_name().unwrap_or_default().to_owned();
        name.push(".setup");
        Kept(run_dir.with_file_name(name))
    }

    /// What an interrupted set-up left; none where there is nothing that can be read.
    pub fn load(&self) -> Option<Answers> {
        let mut bytes = Vec::new();
        std::fs::File::open(&self.0).ok()?.take(MAX_BODY as u64).read_to_end(&mut bytes).ok()?;
        Answers::read(&bytes).ok().filter(|answers| !answers.is_empty())
    }

    /// Keeps the answers so far.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, answers: &Answers) -> Result<(), Failure> {
        let bytes = answers.to_json().to_string();
        files::replace(&self.0, 0o600, bytes.as_bytes(), Medium::Tmpfs)
            .map_err(|e| Failure::new(exit::CANT_CREATE, format!("{}: {e}; run this as root, or name another --run-dir", self.0.display())))
    }

    /// The set-up is done, or begun anew.
    pub fn forget(&self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::question::Name;
    use super::*;

    #[test]
    fn answers_are_private_and_come_back() {
        let kept = Kept::of(&std::env::temp_dir().join(format!("em-kept-{}", std::process::id())));
        assert!(kept.load().is_none());
        let mut answers = Answers::default();
        answers.set(Name::Region, "PH".into());
        kept.save(&answers).unwrap();
        assert_eq!(std::fs::metadata(&kept.0).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(kept.load(), Some(answers));
        std::fs::write(&kept.0, "{\"region\"").unwrap();
        assert!(kept.load().is_none(), "a torn file is no answers");
        kept.forget();
        assert!(!kept.0.exists());
    }
}
