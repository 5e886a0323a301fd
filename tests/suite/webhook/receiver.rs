//! A server that takes alerts by HTTP/1.1, and answers as a test wants it.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

/// Bytes of a request that are read.
const REQUEST_BYTES_MAX: usize = 64 << 20;

/// What is answered.
pub(super) enum Answer {
    /// This status, with these further header lines.
    Status(u16, &'static str),
    /// Nothing, until the client gives up.
    Hang,
}

impl Answer {
    pub(super) fn status(status: u16) -> Answer {
        Answer::Status(status, "")
    }
}

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Request {
    head: String,
    body: String,
}

impl Request {
    /// A header's value; empty where there is none.
    pub(super) fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        found.next().map_or("", |(_, value)| value)
    }

    /// The alerts in it: one a line, or an array.
    pub(super) fn alerts(&self) -> Vec<Value> {
        if self.body.starts_with('[') {
            return serde_json::from_str(&self.body).unwrap();
        }
        assert!(self.body.ends_with('\n'), "a line is ended");
        self.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

type Respond = Box<dyn Fn(&Request) -> Answer + Send + Sync>;

/// What all connections share.
struct Shared {
    respond: Respond,
    /// Requests with the status that each got; 0 for none.
    seen: Mutex<Vec<(Request, u16)>>,
    is_over: AtomicBool,
}

/// The server. It may be stopped and go on, at the same address.
pub(super) struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    pub(super) fn start(respond: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            respond: Box::new(respond),
            seen: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let mut receiver = Receiver { address, shared, thread: None };
        receiver.listen(listener);
        receiver
    }

    fn listen(&mut self, listener: TcpListener) {
        listener.set_nonblocking(true).unwrap();
        self.shared.is_over.store(false, Ordering::Release);
        let shared = self.shared.clone();
        self.thread = Some(std::thread::spawn(move || {
            let mut serving = Vec::new();
            while !shared.is_over.load(Ordering::Acquire) {
                match listener.accept() {
                    Ok((stream, _)) => {
                        let shared = shared.clone();
                        serving.push(std::thread::spawn(move || serve(stream, &shared)));
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        std::thread::park_timeout(Duration::from_millis(5));
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            drop(listener);
            serving.into_iter().for_each(|thread| thread.join().unwrap());
        }));
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Nobody listens any more, and all connections end.
    pub(super) fn stop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    /// Listens again.
    pub(super) fn go_on(&mut self) {
        self.listen(TcpListener::bind(self.address).unwrap());
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.shared.seen.lock().unwrap().iter().map(|(request, _)| request.clone()).collect()
    }

    /// How many requests got this status.
    pub(super) fn answered(&self, status: u16) -> usize {
        self.shared.seen.lock().unwrap().iter().filter(|(_, got)| *got == status).count()
    }

    /// How many requests got no answer.
    pub(super) fn hung(&self) -> usize {
        self.answered(0)
    }

    /// The alerts that were taken, in order, each as often as it came.
    pub(super) fn taken(&self) -> Vec<Value> {
        let seen = self.shared.seen.lock().unwrap();
        let taken = seen.iter().filter(|(_, status)| (200..300).contains(status));
        taken.flat_map(|(request, _)| request.alerts()).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Serves one connection, as long as the client keeps it.
fn serve(stream: TcpStream, shared: &Shared) {
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut out = stream.try_clone().unwrap();
    let mut reader = BufReader::new(Patient { stream, shared });
    while let Some(request) = read(&mut reader) {
        let answer = (shared.respond)(&request);
        let status = match answer {
            Answer::Status(status, _) => status,
            Answer::Hang => 0,
        };
        shared.seen.lock().unwrap().push((request, status));
        let Answer::Status(status, more) = answer else {
            // What comes next is the end: the client has given up.
            assert!(read(&mut reader).is_none(), "a request behind one without an answer");
            return;
        };
        let (reason, body) =
            if status == 400 { ("Bad Request", "no such field") } else { ("-", "") };
        let length = body.len();
        let text =
            format!("HTTP/1.1 {status} {reason}\r\n{more}content-length: {length}\r\n\r\n{body}");
        if out.write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

/// Reads until something comes, or the server is stopped.
struct Patient<'s> {
    stream: TcpStream,
    shared: &'s Shared,
}

impl Read for Patient<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        loop {
            match self.stream.read(into) {
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    if self.shared.is_over.load(Ordering::Acquire) {
                        return Ok(0);
                    }
                }
                read => return read,
            }
        }
    }
}

/// The next request; none where the connection ends.
fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        match reader.read_line(&mut head) {
            Ok(1..) if head.len() < REQUEST_BYTES_MAX => {}
            _ => return None,
        }
    }
    let request = Request { head, body: String::new() };
    assert!(request.head.starts_with("POST /"), "{}", request.head);
    let length: usize = request.header("content-length").parse().unwrap();
    assert!(length < REQUEST_BYTES_MAX);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut text = String::new();
    if request.header("content-encoding") == "gzip" {
        let inflated = flate2::read::MultiGzDecoder::new(&body[..]).take(REQUEST_BYTES_MAX as u64);
        text = std::io::read_to_string(inflated).unwrap();
    } else {
        text += std::str::from_utf8(&body).unwrap();
    }
    Some(Request { body: text, ..request })
}
