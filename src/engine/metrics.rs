//! The Prometheus endpoint: off by default, on loopback only. One small answer to each request; nothing is read from it but its first
//! line, and nobody is waited for.

use crate::config::Workspace;
use crate::domain::{ComponentHealth, Health, Timestamp, components};
use crate::os::clock;
use crate::wire::Snapshot;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How long a client may take over its request.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest request that is read, in bytes.
const LONGEST: usize = 8 << 10;
/// Health is looked at anew after this.
const HEALTH_EVERY: Duration = Duration::from_secs(60);

/// Where to listen: `off`, or an address of this machine alone.
///
/// # Errors
/// It is no address, or others could reach it; in words.
pub fn address(setting: &str) -> Result<Option<SocketAddr>, String> {
    if setting == "off" {
        return Ok(None);
    }
    let address: SocketAddr =
        setting.parse().map_err(|_| format!("`metrics_listen` is `{setting}`: write `off`, or an address such as 127.0.0.1:9477"))?;
    if !address.ip().is_loopback() {
        return Err(format!("`metrics_listen` is {address}, which others can reach: only 127.0.0.1 or [::1] is listened on"));
    }
    Ok(Some(address))
}

/// Answers requests as long as the engine lives.
pub(super) async fn serve(address: SocketAddr, workspace: Workspace, views: watch::Receiver<Arc<Snapshot>>) {
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(e) => return tracing::warn!("no metrics on {address}: {e}"),
    };
    let mut health: Option<(Timestamp, Vec<ComponentHealth>)> = None;
    // One after the other: a scrape comes every few seconds, and takes no time.
    while let Ok((stream, _)) = listener.accept().await {
        let now = clock::now();
        if health.as_ref().is_none_or(|(at, _)| now.since(*at) > HEALTH_EVERY || now < *at) {
            let at = workspace.clone();
            let found = tokio::task::spawn_blocking(move || super::health::cheap(&at)).await.unwrap_or_default();
            health = Some((now, components(&found)));
        }
        // Memories are not opened for this: what was not looked at is left out.
        let known: Vec<ComponentHealth> =
            health.iter().flat_map(|(_, all)| all).filter(|c| !c.parts.is_empty() || c.status != Health::Warn).cloned().collect();
        let text = super::health::metrics(&views.borrow().clone(), &known);
        let _ = tokio::time::timeout(PATIENCE, answer(stream, &text)).await;
    }
}

async fn answer(mut stream: TcpStream, text: &str) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut part = [0; 1024];
    while !request.windows(4).any(|w| w == b"\r\n\r\n") && request.len() < LONGEST {
        match stream.read(&mut part).await? {
            0 => break,
            n => request.extend_from_slice(&part[..n]),
        }
    }
    let line = String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned();
    let mut words = line.split(' ');
    let (status, body) = match (words.next(), words.next().map(|p| p.split('?').next().unwrap_or(p))) {
        (Some("GET"), Some("/metrics")) => ("200 OK", text),
        (Some("GET"), _) => ("404 Not Found", "the figures are at /metrics\n"),
        _ => ("405 Method Not Allowed", "only GET /metrics\n"),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_listened_to() {
        assert_eq!(address("off"), Ok(None));
        assert!(address("127.0.0.1:9477").unwrap().is_some() && address("[::1]:9477").unwrap().is_some());
        for open in ["0.0.0.0:9477", "192.168.1.2:9477", "[::]:9477", "localhost", "9477"] {
            assert!(address(open).is_err(), "{open}");
        }
    }
}
