//! An embedding endpoint as the settings name it, through the command line.

use crate::cli::Bench;
use orc::domain::{Reembedding, Timestamp};
use orc::engine::{Input, Library, Memories, MemoryRequest, MemoryThread};
use orc::memory::Semantic;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An endpoint that knows two things: what is about food, and the rest.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(&stream);
            let head: Vec<String> = reader.by_ref().lines().map_while(Result::ok).take_while(|l| !l.is_empty()).collect();
            let length = head.iter().find_map(|l| l.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            let Ok(asked) = reader.read_exact(&mut body).map(|()| serde_json::from_slice::<serde_json::Value>(&body).unwrap()) else {
                continue;
            };
            let food = |t: &serde_json::Value| ["soup", "lunch", "hungry"].iter().any(|w| t.as_str().unwrap().contains(w));
            let texts = asked["input"].as_array().unwrap().iter();
            let data: Vec<_> = texts.map(|t| serde_json::json!({ "embedding": if food(t) { [3.0, 0.1] } else { [0.1, 2.0] } })).collect();
            let body = serde_json::json!({ "data": data }).to_string();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = (&stream).write_all((head + &body).as_bytes());
        }
    });
    url
}

fn doctor(b: &Bench, settings: &[&str]) -> serde_json::Value {
    let sets = settings.iter().flat_map(|s| ["--set", s]);
    let out = b.command("orc").args(sets).args(["doctor", "--json"]).output().unwrap();
    let said: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    said["components"].as_array().unwrap().iter().find(|c| c["component"] == "embedder").unwrap().clone()
}

#[test]
fn the_doctor_tries_the_embedder() {
    let b = Bench::new();
    let shipped = doctor(&b, &[]);
    assert_eq!((shipped["status"].as_str(), shipped["says"].as_str()), (Some("ok"), Some("static256@02ef7f0d, 256 dimensions, offline")));
    let url = serve();
    let answers = doctor(&b, &["embedder=http", &format!("embedder_url={url}"), "embedder_model=two"]);
    assert_eq!(answers["says"], format!("http:two at {url} answers with 2 dimensions"));
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = doctor(&b, &["embedder=http", &format!("embedder_url=http://{gone}/v1")]);
    assert_eq!(silent["status"], "warn");
    assert!(silent["says"].as_str().unwrap().contains("cannot be reached"), "{silent}");
}

#[test]
fn a_change_of_the_embedder_makes_vectors_anew_and_its_failure_leaves_words() {
    let b = Bench::new();
    b.do_all(&["orc memory add 'There is soup at noon.'", "orc memory add 'The proxy listens on port 8443.'"]);
    let (workspace, _) = orc::config::init(&b.workspace()).unwrap();
    let library = Library::new(workspace.clone());
    let settings = |set: &[&str]| orc::config::load(&workspace, &set.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()).unwrap();
    let asks = |store: &Semantic, query: &str| -> Vec<i64> {
        store.recall(query, 6, None, Timestamp(1_800_000_000_000)).unwrap().iter().map(|r| r.memory.id.0).collect()
    };
    let shipped = library.store(&settings(&[])).unwrap();
    assert_eq!(shipped.standings().unwrap().embedder.as_deref(), Some("static256@02ef7f0d"));
    assert!(shipped.fold().unwrap());

    let url = format!("embedder_url={}", serve());
    let set = ["embedder=http", &url, "embedder_model=two", "recall_floor=0.9"];
    let store = library.store(&settings(&set)).unwrap();
    let mut told = Vec::new();
    store.maintain(&mut |p| told.push(p)).unwrap();
    assert_eq!((told.first().copied(), told.last().copied()), (Some(Some(Reembedding { done: 0, total: 2 })), Some(None)));
    assert_eq!(store.standings().unwrap().embedder.as_deref(), Some("http:two"));
    assert_eq!(asks(&store, "hungry"), [1], "no word is the same");
    assert_eq!(asks(&library.store(&settings(&set)).unwrap(), "hungry"), [1]);

    // The endpoint is gone: words are left, and nothing is lost.
    let gone = format!("embedder_url=http://{}/v1", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let store = library.store(&settings(&["embedder=http", &gone, "embedder_model=two"])).unwrap();
    assert_eq!(asks(&store, "hungry"), Vec::<i64>::new());
    assert_eq!(asks(&store, "which port has the proxy?"), [2]);

    // Back to what ships.
    let store = library.store(&settings(&[])).unwrap();
    store.maintain(&mut |_| ()).unwrap();
    assert_eq!(store.standings().unwrap().embedder.as_deref(), Some("static256@02ef7f0d"));
    assert_eq!(asks(&store, "which port has the proxy?"), [2]);
}

#[test]
fn a_change_of_the_embedder_wakes_the_upkeep() {
    let b = Bench::new();
    b.do_all(&["orc memory add 'There is soup at noon.'"]);
    let (workspace, _) = orc::config::init(&b.workspace()).unwrap();
    let settings =
        |set: &[&str]| Arc::new(orc::config::load(&workspace, &set.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()).unwrap());
    assert!(Library::new(workspace.clone()).store(&settings(&[])).unwrap().fold().unwrap());
    let (inputs, mut told) = tokio::sync::mpsc::channel(16);
    // Upkeep comes once a minute by itself.
    let mut over = |what: &str| {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !matches!(told.try_recv(), Ok(Input::Reembedding(None))) {
            assert!(Instant::now() < deadline, "no vectors by {what}");
            std::thread::yield_now();
        }
    };
    let url = format!("embedder_url={}", serve());
    let http = settings(&["embedder=http", &url, "embedder_model=two"]);
    let mut memories = MemoryThread::start(Library::new(workspace.clone()), workspace.clone(), http, inputs).unwrap();
    over("the endpoint");
    memories.ask(MemoryRequest::Settings(settings(&[])));
    over("what ships");
}
