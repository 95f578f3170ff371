//! The endpoint as it may answer, played by a small server.

use super::*;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

/// A request as it arrived: its head, its body.
type Asked = (String, Value);

/// Answers each request with what `answer` says: a status and a body; no status: never.
struct Server {
    url: String,
    asked: mpsc::Receiver<Asked>,
}

impl Server {
    fn start(mut answer: impl FnMut(&Value) -> (u16, String) + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1/", listener.local_addr().unwrap());
        let (sender, asked) = mpsc::channel();
        std::thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                // One who was given up before he had asked.
                let Some(asked) = request(&stream) else { continue };
                let (status, body) = answer(&asked.1);
                if sender.send(asked).is_err() {
                    return;
                }
                if status == 0 {
                    silent.push(stream);
                    continue;
                }
                write!(stream, "HTTP/1.1 {status} Whatever\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).unwrap();
            }
        });
        Server { url, asked }
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint {
            url: self.url.clone(),
            model: "small".into(),
            key_env: "ORC_TEST_NO_SUCH_KEY".into(),
            dimensions: None,
            timeout: Duration::from_secs(30),
            query_timeout: Duration::from_secs(30),
        }
    }

    fn http(&self) -> Http {
        Http::new(self.endpoint())
    }
}

fn request(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if let Some(n) = line.to_lowercase().strip_prefix("content-length:") {
            length = n.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((head, serde_json::from_slice(&body).ok()?))
}

/// Each text's length and 1, in reverse order with their places.
fn lengths(asked: &Value) -> (u16, String) {
    let texts = asked["input"].as_array().unwrap().iter().enumerate().rev();
    let data: Vec<Value> = texts.map(|(i, t)| json!({ "index": i, "embedding": [t.as_str().unwrap().len(), 1.0] })).collect();
    (200, json!({ "object": "list", "data": data, "usage": { "total_tokens": 3 } }).to_string())
}

fn said(body: &str, status: u16) -> String {
    let body = body.to_owned();
    Server::start(move |_| (status, body.clone())).http().embed(&["a", "b"]).unwrap_err().to_string()
}

#[test]
fn texts_go_in_batches_and_come_back_in_their_order_at_unit_length() {
    let server = Server::start(lengths);
    let http = server.http();
    let texts: Vec<String> = (0..100).map(|n| "x".repeat(n)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let made = http.embed(&texts).unwrap();
    assert_eq!(made.len(), 100);
    assert_eq!(made[0], [0.0, 0.0], "nothing in it, nobody is asked");
    for (n, v) in made.iter().enumerate().skip(1) {
        let length = ((n * n + 1) as f32).sqrt();
        assert!((v[0] - n as f32 / length).abs() < 1e-6 && (v[1] - 1.0 / length).abs() < 1e-6, "{n}: {v:?}");
    }
    let asked: Vec<Asked> = server.asked.try_iter().collect();
    assert!(asked[0].0.starts_with("POST /v1/embeddings HTTP/1.1"), "{}", asked[0].0);
    assert_eq!(asked.iter().map(|a| a.1["input"].as_array().unwrap().len()).collect::<Vec<_>>(), [64, 35]);
    assert_eq!(asked[0].1["model"], "small");
    assert!(asked[0].1.get("dimensions").is_none() && !asked[0].0.to_lowercase().contains("authorization"));
    assert_eq!((http.id(), http.is_local()), ("http:small", false));
}

#[test]
fn dimensions_and_the_key_of_the_named_variable_are_sent() {
    let server = Server::start(lengths);
    // A variable that every process has: the environment of a test cannot be changed safely.
    let path = std::env::var("PATH").unwrap();
    let endpoint = Endpoint { dimensions: Some(2), key_env: "PATH".into(), ..server.endpoint() };
    let http = Http::new(endpoint.clone());
    assert_eq!(http.id(), "http:small@2");
    http.embed(&["one"]).unwrap();
    let (head, body) = server.asked.recv().unwrap();
    assert!(head.contains(&format!("Bearer {}", path.trim())), "{head}");
    assert_eq!(body["dimensions"], 2);
    let other = Http::new(Endpoint { dimensions: Some(3), ..endpoint.clone() }).embed(&["one"]).unwrap_err().to_string();
    assert!(other.contains("a vector of 2 dimensions where 3 were due"), "{other}");
    let told = json!({ "error": { "message": format!("no such key: {path}") } }).to_string();
    let refusing = Server::start(move |_| (401, told.clone()));
    let refused = Http::new(Endpoint { url: refusing.url.clone(), ..endpoint }).embed(&["one"]).unwrap_err().to_string();
    assert!(refused.contains("401") && refused.contains("no such key: …") && !refused.contains(&path), "{refused}");
}

#[test]
fn what_is_wrong_is_told_with_the_place_and_the_remedy() {
    let gone = said("", 404);
    assert!(gone.contains("/v1/embeddings refused with 404") && gone.contains("model `small`") && gone.contains("embedder_url"), "{gone}");
    let keyless = said(r#"{"error":{"message":"You need a key"}}"#, 401);
    assert!(keyless.contains("You need a key") && keyless.contains("variable ORC_TEST_NO_SUCH_KEY"), "{keyless}");
    for (body, what) in [
        ("<html>Welcome</html>", "something else than embeddings"),
        (r#"{"data":[{"index":0,"embedding":[1,0]}]}"#, "1 vectors for 2 texts"),
        (r#"{"data":[{"index":0,"embedding":[1,0]},{"index":1,"embedding":[1]}]}"#, "1 dimensions where 2 were due"),
        (r#"{"data":[{"index":0,"embedding":[1,0]},{"index":0,"embedding":[1,0]}]}"#, "other texts than were asked"),
        (r#"{"data":[{"index":0,"embedding":[1,0]},{"index":9,"embedding":[1,0]}]}"#, "other texts than were asked"),
        (r#"{"data":[{"embedding":[]},{"embedding":[]}]}"#, "0 dimensions"),
        (r#"{"data":[{"embedding":[1e39]},{"embedding":[1]}]}"#, "no figure"),
    ] {
        let got = said(body, 200);
        assert!(got.contains(what) && got.contains("orc.toml"), "{body}: {got}");
    }
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let http = Http::new(Endpoint { url: format!("http://{closed}/v1"), ..Server::start(lengths).endpoint() });
    let closed = http.embed(&["a"]).unwrap_err().to_string();
    assert!(closed.contains("cannot be reached") && closed.contains("refused"), "{closed}");
    let nonsense = Http::new(Endpoint { url: "not an address".into(), ..Server::start(lengths).endpoint() }).embed(&["a"]);
    assert!(nonsense.unwrap_err().to_string().contains("not an address/embeddings"));
}

#[test]
fn vectors_whose_size_changes_between_answers_are_refused() {
    let mut size = 2;
    let server = Server::start(move |_| {
        size += 1;
        (200, json!({ "data": [{ "embedding": vec![1.0; size] }] }).to_string())
    });
    let http = server.http();
    assert_eq!(http.embed(&["a"]).unwrap()[0].len(), 3);
    assert!(http.embed(&["a"]).unwrap_err().to_string().contains("4 dimensions where 3 were due"));
}

#[test]
fn who_waits_is_let_down_soon_and_the_next_one_at_once() {
    let server = Server::start(|asked| if asked["input"][0] == "quick" { lengths(asked) } else { (0, String::new()) });
    let http = Http::new(Endpoint { query_timeout: Duration::from_millis(50), ..server.endpoint() });
    let late = http.embed_query("slow").unwrap_err().to_string();
    assert!(late.contains("no answer within 0.05 s"), "{late}");
    assert!(http.embed_query("quick").unwrap_err().to_string().contains("is not asked"));
    assert_eq!(http.embed(&["quick"]).unwrap().len(), 1, "in the background it is asked");
    assert_eq!(server.asked.try_iter().filter(|a| a.1["input"][0] == "quick").count(), 1);
    assert!(http.failed.lock().unwrap().is_none(), "and its answer ends the rest");
}

#[test]
fn it_can_be_asked_and_dropped_within_another_runtime() {
    let server = Server::start(lengths);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let http = server.http();
    runtime.block_on(async move {
        assert_eq!(http.embed(&["abc"]).unwrap()[0].len(), 2);
        drop(http);
    });
}
