//! Server-sent events out of bytes, as the HTML standard's "event stream interpretation" says.

/// An event is refused when it grows beyond this: a stream of it would fill the memory.
const EVENT_MAX_BYTES: usize = 32 << 20;

/// One dispatched event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// The `event` field; empty when it was not given (the standard reads that as `message`).
    pub name: String,
    /// The `data` lines, joined by line feeds.
    pub data: String,
    /// The last `id` seen so far, also from earlier events.
    pub id: Option<String>,
}

/// The stream holds one event that is larger than any of the server's.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("one event of the stream is larger than {} MiB", EVENT_MAX_BYTES >> 20)]
pub struct EventTooLarge;

/// A parser that takes bytes in any portions.
#[derive(Debug, Default)]
pub struct SseParser {
    line: Vec<u8>,
    /// The last byte was a carriage return: a line feed right after it belongs to the same line end.
    after_cr: bool,
    started: bool,
    name: String,
    data: String,
    id: Option<String>,
}

impl SseParser {
    /// Returns the events that `bytes` completes, in order; comments (keep-alives) yield nothing.
    ///
    /// # Errors
    /// `EventTooLarge`; the parser is of no use afterwards.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<SseEvent>, EventTooLarge> {
        let mut events = Vec::new();
        let mut rest = bytes;
        while let Some(&first) = rest.first() {
            if std::mem::take(&mut self.after_cr) && first == b'\n' {
                rest = &rest[1..];
                continue;
            }
            let end = rest.iter().position(|b| matches!(b, b'\n' | b'\r'));
            let (part, after) = rest.split_at(end.unwrap_or(rest.len()));
            self.line.extend_from_slice(part);
            if self.line.len() + self.data.len() > EVENT_MAX_BYTES {
                return Err(EventTooLarge);
            }
            let Some((&line_end, after)) = after.split_first() else { break };
            self.after_cr = line_end == b'\r';
            events.extend(self.end_line());
            rest = after;
        }
        Ok(events)
    }

    fn end_line(&mut self) -> Option<SseEvent> {
        let mut bytes = std::mem::take(&mut self.line);
        if !std::mem::replace(&mut self.started, true) && bytes.starts_with(b"\xef\xbb\xbf") {
            bytes.drain(..3);
        }
        if bytes.is_empty() {
            return self.dispatch();
        }
        let line = String::from_utf8_lossy(&bytes);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            // A comment has an empty field name; unknown fields are ignored, `retry` is ours to decide.
            _ => {}
        }
        None
    }

    fn dispatch(&mut self) -> Option<SseEvent> {
        let name = std::mem::take(&mut self.name);
        let mut data = std::mem::take(&mut self.data);
        // Without data there is no event; the last line feed is not part of the data.
        data.pop()?;
        Some(SseEvent { name, data, id: self.id.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(bytes: &[u8]) -> Vec<SseEvent> {
        SseParser::default().feed(bytes).unwrap()
    }

    fn event(name: &str, data: &str, id: Option<&str>) -> SseEvent {
        SseEvent { name: name.into(), data: data.into(), id: id.map(Into::into) }
    }

    #[test]
    fn fields_comments_and_line_ends_read_as_the_standard_says() {
        for (bytes, expected) in [
            ("data: a\n\n", vec![event("", "a", None)]),
            ("\u{feff}data:a\r\ndata: b\r\n\r\n", vec![event("", "a\nb", None)]),
            ("event: chunk\rid: 7\rdata: x\r\r", vec![event("chunk", "x", Some("7"))]),
            (": keep-alive\n\n", vec![]),
            ("event: x\n\ndata: y\n\n", vec![event("", "y", None)]),
            ("id: 1\ndata: a\n\ndata: b\n\n", vec![event("", "a", Some("1")), event("", "b", Some("1"))]),
            ("data\n\n", vec![event("", "", None)]),
            ("data:  two\nretry: 5\nunknown: z\n\n", vec![event("", " two", None)]),
            ("data: unfinished\n", vec![]),
        ] {
            assert_eq!(parse(bytes.as_bytes()), expected, "{bytes:?}");
        }
    }

    #[test]
    fn an_endless_line_is_refused_instead_of_kept() {
        let mut parser = SseParser::default();
        let mega = vec![b'x'; 1 << 20];
        assert!((0..40).any(|_| parser.feed(&mega).is_err()));
    }

    fn any_event() -> impl Strategy<Value = (String, Vec<String>, Option<u32>)> {
        let line = "[^\r\n\u{feff}]{0,12}";
        ("[a-z]{0,6}", prop::collection::vec(line, 1..4), prop::option::of(0..99_u32))
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_events(
            events in prop::collection::vec(any_event(), 0..6),
            line_end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
            cuts in prop::collection::vec(1..9_usize, 1..40),
        ) {
            let (mut text, mut expected, mut last_id) = (String::new(), Vec::new(), None);
            for (name, data, id) in &events {
                text += &format!(": noise{line_end}event: {name}{line_end}");
                if let Some(id) = id {
                    text += &format!("id: {id}{line_end}");
                    last_id = Some(id.to_string());
                }
                for line in data {
                    text += &format!("data: {line}{line_end}");
                }
                text += line_end;
                expected.push(SseEvent { name: name.clone(), data: data.join("\n"), id: last_id.clone() });
            }
            let (mut parser, mut seen, mut rest) = (SseParser::default(), Vec::new(), text.as_bytes());
            for size in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (part, after) = rest.split_at((*size).min(rest.len()));
                seen.extend(parser.feed(part).unwrap());
                rest = after;
            }
            prop_assert_eq!(seen, expected);
        }
    }
}
