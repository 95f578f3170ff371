//! The Prometheus endpoint of a running engine: its text passes `promtool` where that is installed, and the format's rules anyhow.

use crate::engine::Bench;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

fn get(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

#[test]
fn the_figures_are_told_in_prometheus_own_format() {
    // A port that is free now.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut b = Bench::new(&["memory=false", &format!("metrics_listen={port}")]);
    b.start();
    let job = b.run("true");
    b.ends(job);
    let address = port.to_string();
    let answer = b.within(|| get(&address, "/metrics").filter(|a| a.contains("orc_today_jobs{what=\"done\"} 1")));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK") && head.contains("text/plain; version=0.0.4"), "{head}");
    assert!(get(&address, "/").unwrap().starts_with("HTTP/1.1 404"));

    // Each family is announced once, before its samples, and each sample is there once with a number.
    let (mut families, mut samples) = (BTreeSet::new(), BTreeSet::new());
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(families.insert(name.to_owned()) && kind == "gauge", "{line}");
        } else if !line.starts_with("# HELP ") {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok() && samples.insert(sample.to_owned()), "{line}");
            assert!(families.contains(sample.split('{').next().unwrap()), "{line}");
        }
    }
    assert!(body.ends_with('\n') && families.len() > 15, "{body}");
    for part in ["engine", "database", "disk", "scheduler"] {
        assert!(body.contains(&format!("orc_component_status{{component=\"{part}\"}}")), "{body}");
    }

    let Ok(mut promtool) =
        Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    else {
        eprintln!("skipped: promtool is not installed");
        return;
    };
    promtool.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    let said = promtool.wait_with_output().unwrap();
    assert!(said.status.success(), "{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
}
