//! Debug information from a debuginfod server: one on loopback, made here, that does well or badly.
//!
//! Deliberately absent: TLS, which is curl's.

mod support;

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use support::profile::Profile;
use support::{Outcome, compile, memscope};

const ID: &str = "1234567890abcdef";
const SOURCE: &str = "#include <stdlib.h>\nstatic void *take(void) { return malloc(77); }\nint main(void) { free(take()); return 0; }";

/// What the server does when it is asked for a path.
#[derive(Clone)]
enum Answer {
    File(Vec<u8>),
    /// Bytes without end, and without having said how many.
    Endless,
    /// Nothing, ever.
    Silence,
    Status(&'static str),
    /// Look there.
    Elsewhere(&'static str),
}

/// A server with the paths that it was asked for. Its thread lasts as long as the test's process.
struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(answers: &[(&str, Answer)]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let answers: HashMap<String, Answer> =
            answers.iter().map(|(path, answer)| ((*path).to_owned(), answer.clone())).collect();
        let noted = asked.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (answers, noted) = (answers.clone(), noted.clone());
                // Whoever asks and goes away is no matter of the test.
                thread::spawn(move || drop(answer(&stream.unwrap(), &answers, &noted)));
            }
        });
        Self { address, asked }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How often it was asked for the program's file.
    fn count(&self) -> usize {
        self.asked.lock().unwrap().iter().filter(|path| path.contains(ID)).count()
    }
}

fn answer(
    mut stream: &TcpStream,
    answers: &HashMap<String, Answer>,
    asked: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    asked.lock().unwrap().push(path.clone());
    let head =
        |status: &str, more: &str| format!("HTTP/1.1 {status}\r\nConnection: close\r\n{more}\r\n");
    match answers.get(&path) {
        Some(Answer::File(bytes)) => {
            stream.write_all(
                head("200 OK", &format!("Content-Length: {}\r\n", bytes.len())).as_bytes(),
            )?;
            stream.write_all(bytes)
        }
        Some(Answer::Endless) => {
            stream.write_all(head("200 OK", "").as_bytes())?;
            loop {
                stream.write_all(&[0; 4096])?;
            }
        }
        Some(Answer::Silence) => loop {
            thread::park();
        },
        Some(Answer::Status(status)) => {
            stream.write_all(head(status, "Content-Length: 0\r\n").as_bytes())
        }
        Some(Answer::Elsewhere(path)) => {
            let more = format!("Location: {path}\r\nContent-Length: 0\r\n");
            stream.write_all(head("302 Found", &more).as_bytes())
        }
        None => stream.write_all(head("404 Not Found", "Content-Length: 0\r\n").as_bytes()),
    }
}

/// A stripped program, and what was stripped from it.
fn program(folder: &Path) -> (PathBuf, Vec<u8>) {
    let id = format!("-Wl,--build-id=0x{ID}");
    let debug = compile(folder, "stripped", SOURCE, &["-g", "-O0", &id]);
    let debug = fs::read(debug).unwrap();
    (compile(folder, "stripped", SOURCE, &["-s", "-O0", &id]), debug)
}

/// Records the program. Whether the function `take` has its name and line then, and the warnings.
fn record(folder: &Path, variables: &[(&str, &str)]) -> (bool, String) {
    let mut command = memscope();
    command.env_remove("http_proxy").env("DEBUGINFOD_CACHE_PATH", folder.join("cache"));
    command.envs(variables.iter().copied()).current_dir(folder);
    command.args(["run", "-q", "--json", "x.json", "--", "./stripped"]);
    let outcome = Outcome::of(&mut command);
    assert_eq!((outcome.code(), &*outcome.stdout, &*outcome.stderr), (0, "", ""));
    let profile = Profile::read(&folder.join("x.json"));
    (profile.sites("take", "stripped.c").len() == 1, profile.0["warnings"].to_string())
}

fn path() -> String {
    format!("/buildid/{ID}/debuginfo")
}

/// What lies in the cache for the program: its size, or `None`.
fn cached(folder: &Path) -> Option<u64> {
    let place = folder.join("cache").join(ID);
    let names =
        fs::read_dir(&place).map(|all| all.map(|it| it.unwrap().file_name()).collect::<Vec<_>>());
    assert!(
        names.unwrap_or_default().iter().all(|name| name == "debuginfo"),
        "nothing is left behind"
    );
    fs::metadata(place.join("debuginfo")).ok().map(|it| it.len())
}

#[test]
fn a_server_is_asked_once_and_only_if_the_variable_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let (_, debug) = program(folder.path());
    let there = Server::start(&[
        (&path(), Answer::Elsewhere("/there")),
        ("/there", Answer::File(debug.clone())),
    ]);
    let not_there = Server::start(&[]);
    assert!(!record(folder.path(), &[]).0);
    // The first has nothing; the second says where it is.
    let urls = format!("{} {}/", not_there.url(), there.url());
    let (found, warnings) = record(folder.path(), &[("DEBUGINFOD_URLS", &urls)]);
    assert!(found, "{warnings}");
    assert!(!warnings.contains("127.0.0.1"), "{warnings}");
    assert_eq!((not_there.count(), there.count()), (1, 1));
    assert_eq!(cached(folder.path()), Some(debug.len() as u64));
    // Kept, so that the server is no longer needed.
    assert!(record(folder.path(), &[("DEBUGINFOD_URLS", &urls)]).0);
    assert_eq!((not_there.count(), there.count()), (1, 1));
}

#[test]
fn that_no_server_has_a_file_is_remembered_and_no_news() {
    let folder = tempfile::tempdir().unwrap();
    program(folder.path());
    let server = Server::start(&[]);
    for _ in 0..2 {
        let (found, warnings) = record(folder.path(), &[("DEBUGINFOD_URLS", &server.url())]);
        assert!(!found && !warnings.contains("127.0.0.1"), "{warnings}");
        assert_eq!((server.count(), cached(folder.path())), (1, Some(0)));
    }
}

#[test]
fn what_is_not_what_was_asked_for_is_refused_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let (_, debug) = program(folder.path());
    let other = compile(folder.path(), "other", SOURCE, &["-g", "-Wl,--build-id=0xfeedfeed"]);
    let too_large = format!("is larger than {} bytes", debug.len() - 1);
    let size = (debug.len() - 1).to_string();
    for (answer, most, what) in [
        (Answer::File(fs::read(other).unwrap()), "", "another build id"),
        (Answer::File(b"<html>".to_vec()), "", "another build id"),
        (Answer::File(debug), &*size, &*too_large),
        (Answer::Endless, "1000000", "is larger than 1000000 bytes"),
    ] {
        let server = Server::start(&[(&path(), answer)]);
        let variables = [("DEBUGINFOD_URLS", &*server.url()), ("DEBUGINFOD_MAXSIZE", most)];
        let (found, warnings) = record(folder.path(), &variables);
        assert!(!found && warnings.contains(what), "{warnings}");
        assert_eq!((server.count(), cached(folder.path())), (1, None));
    }
}

#[test]
fn a_server_that_does_not_answer_is_given_up_and_said() {
    let folder = tempfile::tempdir().unwrap();
    program(folder.path());
    let silent = Server::start(&[(&path(), Answer::Silence)]);
    let failing = Server::start(&[(&path(), Answer::Status("500 Internal Server Error"))]);
    // Nobody listens there any more.
    let closed = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let urls = format!("{} {} http://{closed}", silent.url(), failing.url());
    let variables = [("DEBUGINFOD_URLS", &*urls), ("DEBUGINFOD_TIMEOUT", "1")];
    let (found, warnings) = record(folder.path(), &variables);
    assert!(!found);
    for url in [silent.url(), failing.url(), format!("http://{closed}")] {
        assert!(warnings.contains(&format!("{url} gave no debug information: ")), "{warnings}");
    }
    assert!(warnings.contains("500"), "{warnings}");
    // It may answer the next time.
    assert_eq!(cached(folder.path()), None);
}
