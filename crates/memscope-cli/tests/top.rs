//! `memscope top` on a terminal of 80x24, which `script` provides.

mod support;

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use support::Outcome;

struct Terminal {
    child: Child,
    bytes: Receiver<Vec<u8>>,
    text: String,
}

impl Terminal {
    fn start(arguments: &str) -> Self {
        let command = format!(
            "stty rows 24 cols 80; exec {} top {arguments}",
            env!("CARGO_BIN_EXE_memscope")
        );
        let mut child = Command::new("timeout")
            .args(["60", "script", "-qfec", &command, "/dev/null"])
            .env("TERM", "xterm")
            .env_remove("LD_PRELOAD")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = child.stdout.take().unwrap();
        let (sender, bytes) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = out.read(&mut buffer) {
                let _ = sender.send(buffer[..n].to_vec());
            }
        });
        Self { child, bytes, text: String::new() }
    }

    fn wait_for(&mut self, wanted: &str) {
        let begun = Instant::now();
        while !self.text.contains(wanted) {
            assert!(begun.elapsed() < Duration::from_secs(50), "no {wanted:?} in {:?}", self.text);
            if let Ok(bytes) = self.bytes.recv_timeout(Duration::from_millis(100)) {
                self.text += &String::from_utf8_lossy(&bytes);
            }
        }
    }

    fn press(&mut self, keys: &str) {
        self.child.stdin.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    fn end(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

/// What puts the terminal back as it was.
const SCREEN_LEFT: &str = "\x1b[?1049l";

#[test]
fn a_program_is_watched_until_the_user_has_seen_enough() {
    let mut terminal = Terminal::start("-- sh -c 'sleep 40; true'");
    terminal.wait_for("Sites, live");
    terminal.wait_for("q quit");
    terminal.press("m");
    terminal.wait_for("marked");
    terminal.press("q");
    terminal.wait_for(SCREEN_LEFT);
    assert_eq!(terminal.end(), Some(0));
}

#[test]
fn it_ends_when_the_program_does() {
    let mut terminal = Terminal::start("-- sh -c 'sleep 2; true'");
    terminal.wait_for("Sites, live");
    terminal.wait_for(SCREEN_LEFT);
    terminal.wait_for("the program has ended");
    assert_eq!(terminal.end(), Some(0));
}

#[test]
fn what_cannot_be_watched_is_refused() {
    let mut terminal = Terminal::start("999999999");
    terminal.wait_for("no memscope of yours records a process 999999999");
    assert_eq!(terminal.end(), Some(1));
    let mut command = support::memscope();
    command.args(["top", "1"]).stdin(Stdio::null());
    Outcome::of(&mut command).assert_refused(1, "there is none");
}
