//! Exit codes (sysexits.h) and the error a subcommand ends with.

/// Usage: the words of the command line are off.
pub const USAGE: i32 = 64;
/// The input is there but wrong.
pub const DATA: i32 = 65;
/// An input is missing or cannot be read.
pub const NO_INPUT: i32 = 66;
/// A service that is needed does not answer (the daemon is not running, the coordinator is away).
pub const UNAVAILABLE: i32 = 69;
/// A fault of our own.
pub const SOFTWARE: i32 = 70;
/// The system lacks something (socket, file descriptor, memory).
pub const OS: i32 = 71;
/// A file of ours cannot be written.
pub const CANT_CREATE: i32 = 73;
/// Reading or writing failed.
pub const IO: i32 = 74;
/// Permission denied.
pub const NO_PERM: i32 = 77;
/// The configuration is wrong.
pub const CONFIG: i32 = 78;

/// What a subcommand ends with when it fails: an exit code, and a message that says what to do next.
#[derive(Debug)]
pub struct Failure {
    /// sysexits code.
    pub code: i32,
    /// For the person who ran it.
    pub message: String,
}

impl Failure {
    /// A failure of `code` with `message`.
    pub fn new(code: i32, message: impl Into<String>) -> Failure {
        Failure { code, message: message.into() }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
