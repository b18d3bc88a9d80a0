//! The screen of `memscope top`, and its keys.
//!
//! Deliberately absent: colours. What is chosen is reversed, what matters is bold; that works on every terminal.

use super::{Line, Look, Of, Ranking, next};
use crate::error::Error;
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
    /// What is ranked, and by which of its rankings.
    of: Of,
    by: usize,
    chosen: ListState,
    is_open: bool,
    is_paused: bool,
    /// Text that a line's name or stack must have.
    filter: String,
    is_typing: bool,
    /// For each ranking, each line's value when the mark was set.
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
        let live = rankings_of(&look, Of::Sites).position(|(_, it)| it.by == "live");
        Self {
            of: Of::Sites,
            by: live.unwrap_or(0),
            pid,
            look,
            history,
            chosen: ListState::default().with_selected(Some(0)),
            is_open: false,
            is_paused: false,
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
            KeyCode::Char('s') => {
                self.by = (self.by + 1) % rankings_of(&self.look, self.of).count().max(1);
            }
            KeyCode::Char(' ') => self.is_paused = !self.is_paused,
            KeyCode::Tab => self.turn(1),
            KeyCode::BackTab => self.turn(Of::ALL.len() - 1),
            KeyCode::Char('m') => self.set_mark(),
            KeyCode::Char('w') => self.keep(),
            _ => {}
        }
        true
    }

    /// Goes on to what is ranked so many further.
    fn turn(&mut self, steps: usize) {
        let at = Of::ALL.iter().position(|it| *it == self.of).unwrap_or(0);
        self.of = Of::ALL[(at + steps) % Of::ALL.len()];
        self.by = 0;
        self.is_open = false;
        self.chosen.select(Some(0));
    }

    /// What is shown, with its place among all rankings.
    fn ranking(&self) -> Option<(usize, &Ranking)> {
        rankings_of(&self.look, self.of).nth(self.by)
    }

    fn set_mark(&mut self) {
        let values = |ranking: &Ranking| {
            ranking.lines.iter().map(|line| (key(line, ranking.of), line.value)).collect()
        };
        self.mark = Some(self.look.rankings.iter().map(values).collect());
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
        let lines = self.ranking().map_or(&[][..], |(_, ranking)| &ranking.lines);
        let is_shown =
            |it: &&Line| has(&it.name) || has(&it.threads) || it.stack.iter().any(|row| has(row));
        lines.iter().filter(is_shown).collect()
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

        let filter = match (&*self.filter, self.is_typing) {
            ("", false) => String::new(),
            (text, true) => format!("   filter: {text}_"),
            (text, false) => format!("   filter: {text}"),
        };
        let paused = if self.is_paused { "   PAUSED" } else { "" };
        let (at, by, is_bytes) = self
            .ranking()
            .map_or((0, "", true), |(at, ranking)| (at, ranking.by, ranking.is_bytes));
        let title_text = format!("{}, {by}{filter}{paused}", self.of.title());
        frame.render_widget(Text::styled(title_text, bold), title);

        let amount = |value| if is_bytes { bytes(value) } else { value.to_string() };
        let lines = self.lines();
        let row = |line: &&Line| {
            let growth = self.mark.as_ref().and_then(|mark| mark.get(at)).map(|mark| {
                let before = mark.get(&key(line, self.of)).copied().unwrap_or(0);
                let sign = if line.value < before { '−' } else { '+' };
                format!("{:>11}", format!("{sign}{}", amount(line.value.abs_diff(before))))
            });
            format!("{:>10}{}  {}", amount(line.value), growth.unwrap_or_default(), line.name)
        };
        let place = self.chosen.selected().unwrap_or(0).min(lines.len().saturating_sub(1));
        let mut items: Vec<ListItem<'_>> = lines
            .iter()
            .enumerate()
            .map(|(n, line)| {
                let mut text = vec![Text::raw(row(line))];
                if self.is_open && n == place {
                    let rows = line.stack.iter();
                    let threads = format!("by {}", line.threads);
                    let threads = (!line.threads.is_empty()).then_some(&threads);
                    let rows = rows.chain(threads);
                    text.extend(rows.map(|row| Text::styled(format!("             {row}"), faint)));
                }
                ListItem::new(text)
            })
            .collect();
        if items.is_empty() && self.filter.is_empty() {
            items.push(ListItem::new(Text::styled(self.of.none(), faint)));
        }
        let list = List::new(items).highlight_style(Style::new().add_modifier(Modifier::REVERSED));
        self.chosen.select(Some(place));
        frame.render_stateful_widget(list, body, &mut self.chosen);
        let keys =
            "q quit  tab next list  s sort  / filter  enter more  m mark  space pause  w keep";
        let words = if self.said.is_empty() { keys } else { &self.said };
        frame.render_widget(Text::styled(words, faint), foot);
    }
}

/// The rankings of one kind, each with its place among all.
fn rankings_of(look: &Look, of: Of) -> impl Iterator<Item = (usize, &Ranking)> {
    look.rankings.iter().enumerate().filter(move |(_, ranking)| ranking.of == of)
}

/// What a line is found again by; of a site, the name alone can be another's too.
fn key(line: &Line, of: Of) -> String {
    if of == Of::Sites { line.stack.join("\n") } else { line.name.clone() }
}

/// Bytes with a unit of their size.
pub(super) fn bytes(n: u64) -> String {
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
            threads: format!("{name}-worker"),
        };
        let ranking = |of, by, lines| Ranking { of, by, is_bytes: true, lines };
        let lines: Vec<Line> = values.iter().map(line).collect();
        let rankings = vec![
            ranking(Of::Sites, "at the peak", lines.clone()),
            ranking(Of::Sites, "live", lines),
            ranking(Of::Types, "live", vec![line(&("Vec<Order>", 900))]),
            ranking(Of::Threads, "allocated bytes", vec![line(&("main (7)", 512))]),
            ranking(Of::Tasks, "live", vec![line(&("import › parse", 700))]),
            ranking(Of::Values, "live", Vec::new()),
        ];
        Look { profile: Profile::default(), rankings }
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
        let text = drawn(&mut screen);
        assert!(
            text.contains("parse src/parse.rs:3") && text.contains("by parse-worker"),
            "{text}"
        );
        for key in [KeyCode::Char('m'), KeyCode::Char('/'), KeyCode::Char('a'), KeyCode::Char('d')]
        {
            assert!(screen.press(key));
        }
        screen.look = look(&[("load", 6144), ("parse", 1000)]);
        let text = drawn(&mut screen);
        assert!(text.contains("+2.0 KiB  load") && !text.contains("1000 B"), "{text}");
        assert!(screen.press(KeyCode::Esc) && drawn(&mut screen).contains("parse"));
        // The name of a thread that allocated there is found too.
        for key in "/load-w".chars() {
            assert!(screen.press(KeyCode::Char(key)));
        }
        let text = drawn(&mut screen);
        assert!(text.contains("+2.0 KiB  load") && !text.contains("1000 B"), "{text}");
        assert!(screen.press(KeyCode::Esc) && drawn(&mut screen).contains("parse"));
        assert!(screen.press(KeyCode::Tab));
        let text = drawn(&mut screen);
        assert!(text.contains("Types, live") && text.contains("Vec<Order>"), "{text}");
        assert!(screen.press(KeyCode::Tab));
        let text = drawn(&mut screen);
        assert!(text.contains("Threads") && text.contains("512 B       +0 B  main (7)"), "{text}");
        assert!(!text.contains("load"), "{text}");
        assert!(screen.press(KeyCode::Tab));
        let text = drawn(&mut screen);
        assert!(text.contains("Tasks, live") && text.contains("700 B"), "{text}");
        assert!(text.contains("import › parse"), "{text}");
        assert!(screen.press(KeyCode::Tab));
        let text = drawn(&mut screen);
        assert!(text.contains("Named values") && text.contains("track!"), "{text}");
        assert!(screen.press(KeyCode::BackTab) && drawn(&mut screen).contains("import › parse"));
        assert!(!screen.press(KeyCode::Char('q')));
    }
}
