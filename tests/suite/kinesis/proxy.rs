//! A way to a server that can be made bad: calls answered with errors, or not at all.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Says by operation and its number, from 1, whether to answer with this error instead.
pub(crate) type Faults = fn(&str, u64) -> Option<&'static str>;

/// A proxy for requests in the AWS JSON protocol, one a connection.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) url: String,
    target: String,
    faults: Faults,
    calls: Arc<Mutex<BTreeMap<String, u64>>>,
    is_cut: Arc<AtomicBool>,
}

impl Proxy {
    /// Listens on loopback for as long as the process lives.
    pub(crate) fn start(target: &str, faults: Faults) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy {
            url: format!("http://{}", listener.local_addr().unwrap()),
            target: target.strip_prefix("http://").unwrap().to_owned(),
            faults,
            calls: Arc::default(),
            is_cut: Arc::default(),
        };
        let answering = proxy.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (proxy, stream) = (answering.clone(), stream.unwrap());
                // A peer that goes away in the middle is no fault of the test.
                std::thread::spawn(move || drop(proxy.answer(&stream)));
            }
        });
        proxy
    }

    /// From now on nothing comes through.
    pub(crate) fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
    }

    /// How often an operation was asked for.
    pub(crate) fn calls(&self, operation: &str) -> u64 {
        self.calls.lock().unwrap().get(operation).copied().unwrap_or(0)
    }

    fn answer(&self, stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        let (mut length, mut operation) = (0, String::new());
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            if let Some((name, value)) = line.split_once(':') {
                match name.to_ascii_lowercase().as_str() {
                    "content-length" => length = value.trim().parse().unwrap(),
                    "x-amz-target" => {
                        operation = value.trim().rsplit('.').next().unwrap().to_owned();
                    }
                    _ => {}
                }
            }
            if line.trim().is_empty() {
                break;
            }
            head += &line;
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        if self.is_cut.load(Ordering::Relaxed) {
            return stream.shutdown(Shutdown::Both);
        }
        let number = {
            let mut calls = self.calls.lock().unwrap();
            let number = calls.entry(operation.clone()).or_default();
            *number += 1;
            *number
        };
        let mut client = stream;
        if let Some(code) = (self.faults)(&operation, number) {
            let body = format!("{{\"__type\":\"{code}\",\"message\":\"injected\"}}");
            write!(
                client,
                "HTTP/1.1 400 Bad Request\r\ncontent-type: application/x-amz-json-1.1\r\n\
                 content-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            )?;
            return stream.shutdown(Shutdown::Both);
        }
        let mut server = TcpStream::connect(&self.target)?;
        write!(server, "{head}connection: close\r\n\r\n")?;
        server.write_all(&body)?;
        std::io::copy(&mut server, &mut client)?;
        stream.shutdown(Shutdown::Both)
    }
}
