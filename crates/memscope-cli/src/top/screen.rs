//! The screen of `memscope top`, and its keys.
//!
//! Deliberately absent: colours. What is chosen is reversed, what matters is bold; that works on every terminal.

use super::{Line, Look, next};
use crate::error::Error;
use memscope_profile::analyze::Metric;
use memscope_profile::file;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line as Text;
use ratatui::widgets::{List, ListItem, ListState, Paragraph, Sparkline};
use ratatui::{DefaultTerminal, Frame};
use std::collections::HashMap;
use std::io;
use std::sync::mpsc::Receiver;
use std::time::Duration;

/// What is on the screen.
struct Screen {
    pid: u32,
    look: Look,
    /// Live bytes at each look.
    history: Vec<u64>,
    metric: usize,
    chosen: ListState,
    is_open: bool,
    is_paused: bool,
    /// Threads instead of sites.
    has_threads: bool,
    /// Text that a line's name or stack must have.
    filter: String,
    is_typing: bool,
    /// By metric, each line's value when the mark was set.
    mark: Option<Vec<HashMap<String, u64>>>,
    /// What the last key did.
    said: String,
}

/// Shows looks until the user or the program ends it. The value says so if it was the program.
pub(super) fn show(
    pid: u32,
    first: Look,
    receiver: &Receiver<Result<Look, Error>>,
) -> io::Result<Option<String>> {
    let mut terminal = ratatui::try_init()?;
    let result = Screen::new(pid, first).run(&mut terminal, receiver);
    ratatui::try_restore()?;
    result
}

impl Screen {
    fn new(pid: u32, look: Look) -> Self {
        let history = vec![look.profile.totals.live_bytes];
        let live = Metric::ALL.iter().position(|metric| *metric == Metric::LiveAtEnd);
        Self {
            pid,
            look,
            history,
            metric: live.unwrap_or(0),
            chosen: ListState::default().with_selected(Some(0)),
            is_open: false,
            is_paused: false,
            has_threads: false,
            filter: String::new(),
            is_typing: false,
            mark: None,
            said: String::new(),
        }
    }

    fn run(
        mut self,
        terminal: &mut DefaultTerminal,
        receiver: &Receiver<Result<Look, Error>>,
    ) -> io::Result<Option<String>> {
        loop {
            terminal.draw(|frame| self.draw(frame))?;
            if event::poll(Duration::from_millis(100))?
                && let Event::Key(key) = event::read()?
                && key.kind != KeyEventKind::Release
            {
                let is_interrupt =
                    key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c');
                if is_interrupt || !self.press(key.code) {
                    return Ok(None);
                }
            }
            match next(receiver) {
                Some(Ok(look)) if !self.is_paused => {
                    self.history.push(look.profile.totals.live_bytes);
                    self.look = look;
                }
                Some(Err(error)) => {
                    return Ok(Some(format!("the program has ended, or {error}")));
                }
                _ => {}
            }
        }
    }

    /// Does what a key asks for. `false`: to end.
    fn press(&mut self, key: KeyCode) -> bool {
        if self.is_typing {
            match key {
                KeyCode::Enter => self.is_typing = false,
                KeyCode::Esc => (self.is_typing, self.filter) = (false, String::new()),
                KeyCode::Backspace => drop(self.filter.pop()),
                KeyCode::Char(c) => self.filter.push(c),
                _ => {}
            }
            self.chosen.select(Some(0));
            return true;
        }
        self.said.clear();
        match key {
            KeyCode::Char('q') => return false,
            KeyCode::Esc if self.is_open => self.is_open = false,
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Up | KeyCode::Char('k') => self.chosen.select_previous(),
            KeyCode::Down | KeyCode::Char('j') => self.chosen.select_next(),
            KeyCode::Enter => self.is_open = !self.is_open,
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Char('s') => self.metric = (self.metric + 1) % Metric::ALL.len(),
            KeyCode::Char(' ') => self.is_paused = !self.is_paused,
            KeyCode::Char('t') => self.has_threads = !self.has_threads,
            KeyCode::Char('m') => self.set_mark(),
            KeyCode::Char('w') => self.keep(),
            _ => {}
        }
        true
    }

    fn set_mark(&mut self) {
        let values = |(_, lines): &(Metric, Vec<Line>)| {
            lines.iter().map(|line| (key(line), line.value)).collect()
        };
        self.mark = Some(self.look.lines.iter().map(values).collect());
        "marked: + and − are the growth since now".clone_into(&mut self.said);
    }

    fn keep(&mut self) {
        let path = format!("memscope-{}.memscope", self.pid);
        self.said = match file::save(&self.look.profile, path.as_ref()) {
            Ok(()) => format!("kept in {path}"),
            Err(error) => error.to_string(),
        };
    }

    fn lines(&self) -> Vec<&Line> {
        let has = |text: &str| text.to_lowercase().contains(&self.filter.to_lowercase());
        let (_, sites) = &self.look.lines[self.metric];
        let lines = if self.has_threads { &self.look.threads } else { sites };
        lines.iter().filter(|it| has(&it.name) || it.stack.iter().any(|row| has(row))).collect()
    }

    fn draw(&mut self, frame: &mut Frame<'_>) {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let faint = Style::new().add_modifier(Modifier::DIM);
        let [head, graph, title, body, foot] = Layout::vertical([
            Constraint::Length(3),
            Constraint::Length(3),
            Constraint::Length(1),
            Constraint::Min(3),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        let profile = &self.look.profile;
        let (totals, done) = (&profile.totals, &profile.completeness);
        let is_complete = done.attempts == done.successes;
        let head_lines = vec![
            Text::styled(format!("memscope top  pid {}  {}", self.pid, profile.run.exe), bold),
            Text::raw(format!(
                "live {} in {} blocks   peak {}   {} allocations",
                bytes(totals.live_bytes),
                totals.live_blocks,
                bytes(totals.peak_bytes),
                totals.allocations
            )),
            Text::raw(format!(
                "{}: {} of {} events recorded   {} threads",
                if is_complete { "complete" } else { "incomplete or under way" },
                done.successes,
                done.attempts,
                profile.threads.len()
            )),
        ];
        frame.render_widget(Paragraph::new(head_lines), head);
        let seen = self.history.len().saturating_sub(usize::from(graph.width));
        frame.render_widget(Sparkline::default().data(&self.history[seen..]), graph);

        let (metric, _) = self.look.lines[self.metric];
        let label = match metric {
            Metric::Peak => "at the peak",
            Metric::LiveAtEnd => "live",
            Metric::Allocations => "allocations",
            Metric::AllocatedBytes => "allocated bytes",
            Metric::Temporary => "temporary",
        };
        let filter = match (&*self.filter, self.is_typing) {
            ("", false) => String::new(),
            (text, true) => format!("   filter: {text}_"),
            (text, false) => format!("   filter: {text}"),
        };
        let paused = if self.is_paused { "   PAUSED" } else { "" };
        let what = if self.has_threads {
            "Threads, allocated bytes".to_owned()
        } else {
            format!("Sites, {label}")
        };
        frame.render_widget(Text::styled(format!("{what}{filter}{paused}"), bold), title);

        let is_bytes = self.has_threads || metric.is_bytes();
        let amount = |value| if is_bytes { bytes(value) } else { value.to_string() };
        let lines = self.lines();
        let row = |line: &&Line| {
            let growth = self.mark.as_ref().filter(|_| !self.has_threads).map(|mark| {
                let before = mark[self.metric].get(&key(line)).copied().unwrap_or(0);
                let sign = if line.value < before { '−' } else { '+' };
                format!("{:>11}", format!("{sign}{}", amount(line.value.abs_diff(before))))
            });
            format!("{:>10}{}  {}", amount(line.value), growth.unwrap_or_default(), line.name)
        };
        let place = self.chosen.selected().unwrap_or(0).min(lines.len().saturating_sub(1));
        let items: Vec<ListItem<'_>> = lines
            .iter()
            .enumerate()
            .map(|(n, line)| {
                let mut text = vec![Text::raw(row(line))];
                if self.is_open && n == place {
                    let rows = line.stack.iter();
                    text.extend(rows.map(|row| Text::styled(format!("             {row}"), faint)));
                }
                ListItem::new(text)
            })
            .collect();
        let list = List::new(items).highlight_style(Style::new().add_modifier(Modifier::REVERSED));
        self.chosen.select(Some(place));
        frame.render_stateful_widget(list, body, &mut self.chosen);
        let keys = "q quit  s sort  t threads  / filter  enter stack  m mark  space pause  w keep";
        let words = if self.said.is_empty() { keys } else { &self.said };
        frame.render_widget(Text::styled(words, faint), foot);
    }
}

/// What a line is found again by; names alone can be the same.
fn key(line: &Line) -> String {
    line.stack.join("\n")
}

/// Bytes with a unit of their size.
fn bytes(n: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = n as f64;
    let mut unit = "B";
    for next in UNITS {
        if value < 1023.5 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit == "B" { format!("{n} B") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memscope_profile::Profile;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn look(values: &[(&str, u64)]) -> Look {
        let line = |(name, value): &(&str, u64)| Line {
            name: (*name).to_owned(),
            value: *value,
            stack: vec![format!("{name} src/{name}.rs:3"), "main".to_owned()],
        };
        let lines = |metric| (metric, values.iter().map(line).collect());
        let threads = vec![line(&("main (7)", 512))];
        Look { profile: Profile::default(), lines: Metric::ALL.map(lines).into(), threads }
    }

    fn drawn(screen: &mut Screen) -> String {
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        terminal.draw(|frame| screen.draw(frame)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn keys_choose_open_filter_and_mark() {
        let mut screen = Screen::new(7, look(&[("load", 4096), ("parse", 1000)]));
        let text = drawn(&mut screen);
        assert!(text.contains("4.0 KiB  load") && text.contains("1000 B  parse"), "{text}");
        assert!(!text.contains("src/load.rs"));
        assert!(screen.press(KeyCode::Down) && screen.press(KeyCode::Enter));
        assert!(drawn(&mut screen).contains("parse src/parse.rs:3"));
        for key in [KeyCode::Char('m'), KeyCode::Char('/'), KeyCode::Char('a'), KeyCode::Char('d')]
        {
            assert!(screen.press(key));
        }
        screen.look = look(&[("load", 6144), ("parse", 1000)]);
        let text = drawn(&mut screen);
        assert!(text.contains("+2.0 KiB  load") && !text.contains("1000 B"), "{text}");
        assert!(screen.press(KeyCode::Esc) && drawn(&mut screen).contains("parse"));
        assert!(screen.press(KeyCode::Char('t')));
        let text = drawn(&mut screen);
        assert!(text.contains("Threads") && text.contains("512 B  main (7)"), "{text}");
        assert!(!text.contains("load"), "{text}");
        assert!(!screen.press(KeyCode::Char('q')));
    }
}
