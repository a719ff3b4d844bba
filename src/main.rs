//! The `echomesh` program.

use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    match echomesh::cli::main(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody reads the message where stderr is closed; the code still tells.
            let _ = writeln!(std::io::stderr(), "echomesh: {failure}");
            ExitCode::from(u8::try_from(failure.code).unwrap_or(1))
        }
    }
}
