//! Protocol buffers, as far as pprof needs them: numbers, texts, packed lists of numbers, messages in messages.

use std::io::{self, Write};

/// A message that is being made. Numbers that are 0 and lists that are empty are left out, as the format's defaults.
#[derive(Debug, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn number(self, field: u32, number: u64) -> Self {
        if number == 0 { self } else { self.always(field, number) }
    }

    /// A number of a list, which stands there even if it is 0.
    pub(super) fn always(mut self, field: u32, number: u64) -> Self {
        varint(&mut self.0, u64::from(field) << 3);
        varint(&mut self.0, number);
        self
    }

    pub(super) fn packed(mut self, field: u32, numbers: &[u64]) -> Self {
        if !numbers.is_empty() {
            let mut packed = Vec::with_capacity(numbers.len() * 2);
            numbers.iter().for_each(|&number| varint(&mut packed, number));
            start(&mut self.0, field, packed.len());
            self.0.extend(packed);
        }
        self
    }

    pub(super) fn message(mut self, field: u32, message: &Self) -> Self {
        start(&mut self.0, field, message.0.len());
        self.0.extend(&message.0);
        self
    }
}

/// Writes a message as a field of the outermost one.
pub(super) fn embedded(out: &mut dyn Write, field: u32, message: Message) -> io::Result<()> {
    let mut head = Vec::new();
    start(&mut head, field, message.0.len());
    out.write_all(&head)?;
    out.write_all(&message.0)
}

/// Writes a text as a field of the outermost message.
pub(super) fn text(out: &mut dyn Write, field: u32, text: &str) -> io::Result<()> {
    embedded(out, field, Message(text.as_bytes().to_vec()))
}

/// The beginning of a field whose content is `length` bytes.
fn start(bytes: &mut Vec<u8>, field: u32, length: usize) {
    varint(bytes, u64::from(field) << 3 | 2);
    varint(bytes, length as u64);
}

fn varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_of_the_format() {
        let message = Message::new().number(1, 300).number(2, 0).packed(3, &[1, 128]);
        assert_eq!(message.bytes(), [0x08, 0xac, 0x02, 0x1a, 3, 1, 0x80, 0x01]);
        let outer = Message::new().message(4, &Message::new().always(13, 0));
        assert_eq!(outer.bytes(), [0x22, 2, 0x68, 0]);
    }
}
