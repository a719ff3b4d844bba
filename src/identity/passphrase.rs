//! What an owner types to seal or open an identity: never logged, zeroised when dropped.

use zeroize::Zeroizing;

/// Fewest characters of a new passphrase: with the key derivation's cost, what is shorter is searched through.
pub const LEAST_CHARACTERS: usize = 8;
/// Most bytes of one.
pub const MOST_BYTES: usize = 1024;

/// A passphrase. `Debug` prints `[scrubbed]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(Zeroizing<String>);

/// Why a text cannot be a passphrase.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadPassphrase {
    /// Nothing was given.
    Empty,
    /// Too short for a new one.
    Short,
    /// Longer than [`MOST_BYTES`].
    Long,
}

impl std::fmt::Display for BadPassphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BadPassphrase::Empty => f.write_str("the passphrase is empty"),
            BadPassphrase::Short => write!(f, "a new passphrase has at least {LEAST_CHARACTERS} characters; a few random words are a good one"),
            BadPassphrase::Long => write!(f, "a passphrase has at most {MOST_BYTES} bytes"),
        }
    }
}

impl std::error::Error for BadPassphrase {}

impl Passphrase {
    /// One that something was sealed with before.
    ///
    /// # Errors
    /// It is empty or too long.
    pub fn known(text: String) -> Result<Passphrase, BadPassphrase> {
        let text = Zeroizing::new(text);
        match text.len() {
            0 => Err(BadPassphrase::Empty),
            1..=MOST_BYTES => Ok(Passphrase(text)),
            _ => Err(BadPassphrase::Long),
        }
    }

    /// One to seal something with.
    ///
    /// # Errors
    /// It is too short or too long.
    pub fn new(text: String) -> Result<Passphrase, BadPassphrase> {
        let passphrase = Passphrase::known(text)?;
        if passphrase.0.chars().count() < LEAST_CHARACTERS { Err(BadPassphrase::Short) } else { Ok(passphrase) }
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[scrubbed]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_checked_and_nothing_is_printed() {
        assert_eq!(Passphrase::known(String::new()), Err(BadPassphrase::Empty));
        assert_eq!(Passphrase::new("seven77".into()), Err(BadPassphrase::Short));
        assert!(Passphrase::known("seven77".into()).is_ok());
        assert!(Passphrase::new("äöüßäöüß".into()).is_ok(), "characters, not bytes");
        assert_eq!(Passphrase::new("x".repeat(MOST_BYTES + 1)), Err(BadPassphrase::Long));
        assert_eq!(format!("{:?}", Passphrase::new("correct horse".into())), "Ok([scrubbed])");
    }
}
