//! Load generator and origin of the benchmark. Each subcommand prints one line of JSON. See `tests/bench/run`.

mod args;
mod bulk;
mod connects;
mod first;
mod hold;
mod origin;
mod proc;
mod tls;
mod way;

use args::Args;

fn main() {
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_default();
    let args = Args::parse(words);
    match command.as_str() {
        "origin" => origin::run(&args),
        "bulk" => bulk::run(&args),
        "connects" => connects::run(&args),
        "hold" => hold::run(&args),
        "first" => first::run(&args),
        _ => {
            eprintln!("load: origin | bulk | connects | hold | first, with --name value ...");
            std::process::exit(64);
        }
    }
}
