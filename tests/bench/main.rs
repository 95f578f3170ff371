//! What the product costs, measured on the machine at hand: `cargo bench --profile dev -- FIGURE`. See README.md beside this
//! file. Figures are printed, never asserted: what has to hold is a test in `tests/it`.

mod console;
mod drain;
mod fleet;
mod import;
mod locomo;
mod peers;
#[path = "../it/terminal/pty.rs"]
#[allow(dead_code, reason = "shared with the tests of the console")]
mod pty;
mod queue;
mod recall;
mod site;
mod skills;
mod spread;
mod submit;

const USAGE: &str = "\
usage: cargo bench --profile dev -- FIGURE [N]

  submit [N]    submission to the job's first instruction, idle engine, beside task-spooler, nq and pueue (N submissions each)
  drain [N]     N trivial jobs on two slots (200)
  queue [N]     adding and claiming behind 0 to N queued jobs (100000)
  fleet [N]     N job processes at once (500)
  console       the first frame, a key, and rest
  recall [N]    memories found, kept and opened, up to N of them (100000)
  import [N]    N memories imported beside an engine and one who recalls (100000)
  skills [N]    a folder of N skills read, and a prompt looked at for their triggers (300)
  locomo FILE [--by words|vectors|hybrid|score|passing]
                how well memories are found, on the questions of a LoCoMo file (which is not a part of this repository)
  all           one after the other, but for locomo

ORC_BENCH_DIR=DIR says where workspaces are made: the disk whose fsync counts. Default: the build's folder.";

fn main() {
    // Cargo adds `--bench`.
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let number = |default| args.get(1).map_or(default, |n| n.parse().unwrap_or_else(|_| panic!("{n} is no number\n{USAGE}")));
    match args.first().map(String::as_str) {
        Some("submit") => submit::run(number(40)),
        Some("drain") => drain::run(number(200)),
        Some("queue") => queue::run(number(100_000)),
        Some("fleet") => fleet::run(number(500)),
        Some("console") => console::run(),
        Some("recall") => recall::run(number(100_000)),
        Some("import") => import::run(number(100_000)),
        Some("skills") => skills::run(number(300)),
        Some("locomo") => locomo::run(&args[1..]),
        Some(recall::OPENS) => recall::opening(&args[1]),
        Some("all") => {
            submit::run(40);
            drain::run(200);
            queue::run(100_000);
            fleet::run(500);
            console::run();
            recall::run(100_000);
            import::run(100_000);
            skills::run(300);
        }
        _ => println!("{USAGE}"),
    }
}
