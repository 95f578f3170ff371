//! The job process. It links neither the console, nor the store, nor the memory: there may be five hundred of it.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
orc-shim: the job process of orc. It is started by the engine, not by hand.

usage: orc-shim run DIR                        run the attempt in DIR; its token is the first line of standard input
       orc-shim --exec PARENT -- PROGRAM ...   become PROGRAM once PARENT says go
       orc-shim --sweep MARK                   end what is left of an attempt
       orc-shim --replay [--session ID] [--model NAME] [--script NAME]   an agent played from the script that its prompt names
       orc-shim --http [--base-url URL] [--model NAME] [--key-env NAME] [--system FILE]   one chat completion
       orc-shim --version";

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    match args.first().and_then(|verb| verb.to_str()) {
        Some("run") if args.len() == 2 => orc::shim::run(Path::new(&args[1])),
        Some("--exec") => orc::shim::exec(&args[1..]),
        Some("--sweep") if args.len() == 2 => orc::shim::sweep(&args[1]),
        Some("--http") => orc::shim::http(&args[1..]),
        Some("--replay") => orc::shim::replay(&args[1..]),
        Some("--version" | "-V") => {
            println!("orc-shim {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Some("--help" | "-h") => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}
