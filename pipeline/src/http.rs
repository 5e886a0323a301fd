//! The daemon's HTTP port, for those who watch over it: `/metrics` and `/health`.
//!
//! It is off unless `[http]` names an address. On the loopback anybody may ask; elsewhere metrics want a
//! token, since they name rules and sinks (health does not, and is what orchestrators probe). There
//! is no TLS: put a proxy before it where the way to it is not trusted. A thread of its own serves few at once, and whoever
//! takes too long is cut off, so nothing that comes in here holds up anything else.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::config::Hidden;
use crate::metrics::metrics;

/// Connections at once; further ones wait.
const CONNECTIONS_MAX: usize = 16;

/// How long a request may take from its first byte to the last of its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long nothing is accepted after that has failed, for want of file handles.
const PAUSE: Duration = Duration::from_millis(200);

/// What Prometheus asks for, and OpenMetrics 1.0 prescribes.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const PLAIN: &str = "text/plain; charset=utf-8";

/// Serves until the process ends, and says where: the port is chosen where it is 0.
///
/// # Errors
/// The address is taken, or is not this machine's.
pub fn serve(address: SocketAddr, token: Option<Hidden>) -> io::Result<SocketAddr> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind(address))?;
    let address = listener.local_addr()?;
    let gate = Arc::new(Gate { token });
    let thread = std::thread::Builder::new().name("http".into());
    thread.spawn(move || runtime.block_on(accept(&listener, &gate)))?;
    Ok(address)
}

async fn accept(listener: &TcpListener, gate: &Arc<Gate>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    while let Ok(place) = places.clone().acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let gate = gate.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let answer = gate.answer(&request);
                async { Ok::<_, Infallible>(answer) }
            });
            let serving = http1::Builder::new()
                .keep_alive(false)
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .serve_connection(TokioIo::new(stream), service);
            // Who hangs up or dawdles gets no answer, and nobody else is any the wiser.
            drop(timeout(PATIENCE, serving).await);
            drop(place);
        });
    }
}

/// Who may ask for what.
struct Gate {
    token: Option<Hidden>,
}

impl Gate {
    fn answer<B>(&self, request: &Request<B>) -> Response<String> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered\n");
            answer.headers_mut().insert(ALLOW, "GET, HEAD".parse().expect("it is a header"));
            return answer;
        }
        match request.uri().path() {
            "/health" if metrics().ledger_writable.get() == 1 => plain(StatusCode::OK, "ok\n"),
            "/health" => plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "reading waits until the ledger can be written\n",
            ),
            "/metrics" if !self.lets_in(request) => {
                let mut answer = plain(StatusCode::UNAUTHORIZED, "the token is missing or wrong\n");
                let bearer = "Bearer".parse().expect("it is a header");
                answer.headers_mut().insert(WWW_AUTHENTICATE, bearer);
                answer
            }
            "/metrics" => typed(StatusCode::OK, OPEN_METRICS, metrics().text()),
            _ => plain(StatusCode::NOT_FOUND, "there are /metrics and /health\n"),
        }
    }

    fn lets_in<B>(&self, request: &Request<B>) -> bool {
        let Some(token) = &self.token else { return true };
        let given = request.headers().get(AUTHORIZATION).map(|value| value.as_bytes());
        let given = given.and_then(|value| value.strip_prefix(b"Bearer "));
        given.is_some_and(|given| is_same(given, token.reveal().as_bytes()))
    }
}

/// Whether a token is the right one, at a speed that tells nothing of where it differs.
fn is_same(given: &[u8], token: &[u8]) -> bool {
    let differing = given.iter().zip(token).fold(0, |bits, (one, other)| bits | (one ^ other));
    given.len() == token.len() && std::hint::black_box(differing) == 0
}

fn plain(status: StatusCode, text: &str) -> Response<String> {
    typed(status, PLAIN, text.to_owned())
}

fn typed(status: StatusCode, sort: &'static str, text: String) -> Response<String> {
    let mut answer = Response::new(text);
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, sort.parse().expect("it is a header"));
    answer
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::config::Secret;

    fn asked(
        gate: &Gate,
        method: Method,
        path: &str,
        authorization: Option<&str>,
    ) -> (u16, String) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let answer = gate.answer(&request.body(()).unwrap());
        (answer.status().as_u16(), answer.into_body())
    }

    #[test]
    fn metrics_are_for_those_who_have_the_token() {
        let token = Secret::Env("TOKEN".into()).fetch(&|_| Some("open sesame".into())).unwrap();
        let gate = Gate { token: Some(token) };
        let get = |path, authorization| asked(&gate, Method::GET, path, authorization);
        for wrong in [None, Some("open sesame"), Some("Bearer open"), Some("Bearer open sesamE")] {
            assert_eq!(get("/metrics", wrong).0, 401, "{wrong:?}");
        }
        assert!(get("/metrics", Some("Bearer open sesame")).1.contains("floodmark_records_total"));
        assert_eq!(get("/health", None), (200, "ok\n".into()));
        let open = Gate { token: None };
        assert_eq!(asked(&open, Method::GET, "/metrics", None).0, 200);
    }

    #[test]
    fn what_is_not_there_is_said() {
        let gate = Gate { token: None };
        assert_eq!(asked(&gate, Method::GET, "/", None).0, 404);
        assert_eq!(asked(&gate, Method::POST, "/metrics", None).0, 405);
        assert_eq!(asked(&gate, Method::HEAD, "/health", None).0, 200);
    }
}
