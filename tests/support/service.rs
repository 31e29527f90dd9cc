//! A service that scripts call: it keeps what it was asked, and reacts as it is told.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, SystemTime};

/// Runs until the test ends.
pub struct FakeService {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

/// A service that takes no connection until it opens: whoever calls it waits for one.
pub struct ClosedService {
    listener: TcpListener,
    /// Fills the only place for those that wait to be let in.
    _waits: TcpStream,
}

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
    pub body: String,
    pub at: SystemTime,
    /// The status that was answered; 0 when none was.
    pub status: u16,
}

/// What the service does with a request.
#[derive(Clone, Debug)]
pub struct Reaction {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub delay: Duration,
    /// Close the connection after so many bytes of the answer.
    pub cut_after_bytes: Option<usize>,
}

struct State {
    asked: Vec<Asked>,
    next: VecDeque<Reaction>,
    otherwise: Box<dyn FnMut(&Asked) -> Reaction + Send>,
    connections: usize,
}

impl FakeService {
    /// Answers 200 `{}` until told otherwise.
    pub fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").expect("a port is free"))
    }

    fn on(listener: TcpListener) -> Self {
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let state = Arc::new(Mutex::new(State {
            asked: Vec::new(),
            next: VecDeque::new(),
            otherwise: Box::new(|_| Reaction::default()),
            connections: 0,
        }));
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = shared.clone();
                lock(&state).connections += 1;
                // Ends with its connection.
                thread::spawn(move || {
                    serve(stream, &state);
                    lock(&state).connections -= 1;
                });
            }
        });
        Self { address, state }
    }

    /// What goes into `url = "…"`; the service needs `private_network = true` beside it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Reactions to the requests that come next, one each; then the usual one again.
    pub fn next(&self, reactions: impl IntoIterator<Item = Reaction>) {
        self.state().next.extend(reactions);
    }

    /// The reaction to all requests that `next` says nothing about.
    pub fn always(&self, reaction: Reaction) {
        self.react(move |_| reaction.clone());
    }

    /// As `always`, with a reaction to each request of its own.
    pub fn react(&self, reaction: impl FnMut(&Asked) -> Reaction + Send + 'static) {
        self.state().otherwise = Box::new(reaction);
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }

    /// How often each `Idempotency-Key` came.
    pub fn times_by_key(&self) -> HashMap<String, usize> {
        let mut times = HashMap::new();
        for it in &self.state().asked {
            let key = it
                .headers
                .get("idempotency-key")
                .cloned()
                .unwrap_or_default();
            *times.entry(key).or_insert(0) += 1;
        }
        times
    }

    /// Whether nobody is connected: what a host that has ended had sent is all received.
    pub fn is_quiet(&self) -> bool {
        self.state().connections == 0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl ClosedService {
    pub fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        rustix::net::listen(&listener, 0).expect("it listens already");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        Self {
            _waits: TcpStream::connect(address).expect("there is one place"),
            listener,
        }
    }

    pub fn url(&self) -> String {
        let address = self.listener.local_addr();
        format!("http://{}", address.expect("a bound socket has an address"))
    }

    pub fn open(self) -> FakeService {
        FakeService::on(self.listener)
    }
}

impl Reaction {
    pub fn answer(status: u16, body: &str) -> Self {
        Self {
            status,
            body: body.to_owned(),
            ..Self::default()
        }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// With 0 bytes: the request was taken, and nothing is answered.
    #[must_use]
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.cut_after_bytes = Some(bytes);
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Reaction\r\n", self.status);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        format!(
            "{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
            self.body.len(),
            self.body
        )
        .into_bytes()
    }
}

impl Default for Reaction {
    fn default() -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: "{}".into(),
            delay: Duration::ZERO,
            cut_after_bytes: None,
        }
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut asked = read(&mut stream)?;
        let reaction = {
            let mut state = lock(state);
            let told = state.next.pop_front();
            let reaction = told.unwrap_or_else(|| (state.otherwise)(&asked));
            if reaction.cut_after_bytes.is_none() {
                asked.status = reaction.status;
            }
            state.asked.push(asked);
            reaction
        };
        thread::sleep(reaction.delay);
        let bytes = reaction.bytes();
        match reaction.cut_after_bytes {
            Some(kept) => {
                return stream
                    .get_mut()
                    .write_all(&bytes[..kept.min(bytes.len())])
                    .ok();
            }
            None => stream.get_mut().write_all(&bytes).ok()?,
        }
    }
}

fn read(stream: &mut BufReader<TcpStream>) -> Option<Asked> {
    let first = line(stream)?;
    let (method, rest) = first.split_once(' ')?;
    let path = rest.split(' ').next()?;
    let mut headers = HashMap::new();
    loop {
        let line = line(stream)?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers
        .get("content-length")
        .and_then(|it| it.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    let body = String::from_utf8_lossy(&body).into_owned();
    Some(Asked {
        method: method.to_owned(),
        path: path.to_owned(),
        headers,
        body,
        at: SystemTime::now(),
        status: 0,
    })
}

fn line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    (stream.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("no holder of this lock panics")
}
