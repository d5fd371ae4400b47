//! Lines by the index against lines by splitting the whole text.

use proptest::prelude::*;
use shuntyard_domain::ids::JobId;
use shuntyard_domain::wire::api::LogStyle;
use uuid::Uuid;

use super::*;
use crate::clock::Clock;

fn attempt() -> AttemptId {
    AttemptId { job: JobId(Uuid::from_u128(7)), attempt: 1 }
}

/// What a job writes.
#[derive(Clone, Debug)]
enum Token {
    Text(String),
    Colour(u8),
    Bold,
    Reset,
    Title,
    /// A sequence without an end.
    Open,
    Feed,
}

impl Token {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::Colour(n) => format!("\x1b[3{n}m").into_bytes(),
            Self::Bold => b"\x1b[1m".to_vec(),
            Self::Reset => b"\x1b[m".to_vec(),
            Self::Title => b"\x1b]0;title\x07".to_vec(),
            Self::Open => b"\x1b]0;".to_vec(),
            Self::Feed => b"\n".to_vec(),
        }
    }
}

fn tokens() -> impl Strategy<Value = Vec<Token>> {
    let token = prop_oneof![
        4 => "[a-zäß€ ]{0,12}".prop_map(Token::Text),
        1 => "[a-z]{100,200}".prop_map(Token::Text),
        2 => (0..8_u8).prop_map(Token::Colour),
        1 => Just(Token::Bold),
        1 => Just(Token::Reset),
        1 => Just(Token::Title),
        1 => Just(Token::Open),
        5 => Just(Token::Feed),
    ];
    prop::collection::vec(token, 0..400)
}

/// The lines of tokens: offset, and text with its style.
fn naive(tokens: &[Token]) -> Vec<(u64, Vec<(char, LogStyle)>)> {
    let (mut lines, mut line, mut pen, mut swallowed) = (Vec::new(), Vec::new(), LogStyle::default(), false);
    let (mut at, mut start) = (0, 0);
    for token in tokens {
        at += token.bytes().len() as u64;
        // An escape character ends what is open.
        swallowed &= matches!(token, Token::Text(_));
        match token {
            Token::Text(text) if !swallowed => line.extend(text.chars().map(|c| (c, pen))),
            Token::Text(_) | Token::Title => {}
            Token::Colour(n) => pen.fg = Some(*n),
            Token::Bold => pen.bold = true,
            Token::Reset => pen = LogStyle::default(),
            Token::Open => swallowed = true,
            Token::Feed => {
                lines.push((start, std::mem::take(&mut line)));
                start = at;
            }
        }
    }
    if at > start {
        lines.push((start, line));
    }
    lines
}

fn cells(line: &Line) -> (u64, Vec<(char, LogStyle)>) {
    (line.offset, line.runs.iter().flat_map(|run| run.text.chars().map(|c| (c, run.style))).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn lines_are_those_of_the_whole_text_however_it_grows_and_whatever_is_asked(
        tokens in tokens(),
        looks in prop::collection::vec((1..40_usize, 0..300_u64, 0..300_u64, any::<bool>()), 1..30),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let logs = LogStore::open(dir.path()).unwrap();
        let mut writer = logs.writer(attempt()).unwrap();
        let (mut known, mut stored) = (0, 0);
        for (grows, from, count, last) in looks {
            let upto = (known + grows).min(tokens.len());
            let bytes: Vec<u8> = tokens[known..upto].iter().flat_map(Token::bytes).collect();
            known = upto;
            stored = writer.append(stored, &bytes).unwrap();
            let all = naive(&tokens[..known]);
            let wanted = if last { Wanted::Last } else { Wanted::From(from) };
            let lines = logs.lines(attempt(), wanted, count).unwrap();
            prop_assert_eq!(lines.total, all.len() as u64);
            let from = if last { all.len().saturating_sub(count as usize) } else { all.len().min(from as usize) };
            let expected = &all[from..all.len().min(from + count as usize)];
            let numbers: Vec<u64> = lines.lines.iter().map(|line| line.number).collect();
            prop_assert_eq!(numbers, (from as u64..from as u64 + expected.len() as u64).collect::<Vec<_>>());
            prop_assert_eq!(lines.lines.iter().map(cells).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn of_a_log_without_its_middle_they_are_those_of_the_text_that_says_so(
        steps in prop::collection::vec((0..40_000_usize, 1..50_usize, any::<bool>(), 0..3_000_u64), 1..12),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let logs = LogStore::open(dir.path()).unwrap().capped(64 << 10);
        let mut writer = logs.writer(attempt()).unwrap();
        let mut whole = Vec::new();
        for (n, (size, width, look, from)) in steps.into_iter().enumerate() {
            let old = whole.len();
            whole.extend((old..old + size).map(|at| if at % width == 0 { b'\n' } else { b'a' + (n as u8 % 26) }));
            writer.append(old as u64, &whole[old..]).unwrap();
            writer.seal().unwrap();
            let elided = logs.elided(attempt()).unwrap();
            let text = match &elided {
                None => whole.clone(),
                Some(gap) => [&whole[..gap.start as usize], b"\n\0\n", &whole[gap.end as usize..]].concat(),
            };
            let mut all: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
            all.truncate(all.len() - usize::from(text.last().is_none_or(|byte| *byte == b'\n')));
            if look {
                let lines = logs.lines(attempt(), Wanted::From(from), 2_000).unwrap();
                prop_assert_eq!(lines.total, all.len() as u64);
                let mark = all.iter().position(|line| *line == b"\0");
                prop_assert_eq!(lines.elided_line, mark.map(|at| at as u64));
                for (line, expected) in lines.lines.iter().zip(&all[all.len().min(from as usize)..]) {
                    let shown: String = line.runs.iter().map(|run| run.text.as_str()).collect();
                    if *expected == b"\0" {
                        prop_assert_eq!(Some(line.elided_bytes), elided.as_ref().map(|gap| gap.end - gap.start));
                    } else {
                        prop_assert_eq!((shown.as_bytes(), line.elided_bytes), (&expected[..shown.len()], 0));
                        prop_assert_eq!(shown.len() as u64 + line.cut_bytes, expected.len() as u64);
                    }
                }
            }
        }
    }

    #[test]
    fn a_search_finds_every_line_in_which_the_words_stand(
        lines in prop::collection::vec("([abAB]|\x1b\\[31m){0,8}", 0..300),
        words in "[abAB]{1,3}",
        ignore_case: bool,
        limit in 1..20_usize,
        from in 0..300_u64,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let logs = LogStore::open(dir.path()).unwrap();
        logs.writer(attempt()).unwrap().append(0, lines.join("\n").as_bytes()).unwrap();
        let fold = |text: &str| if ignore_case { text.to_lowercase() } else { text.to_owned() };
        let expected: Vec<u64> = (from..lines.len() as u64)
            .filter(|n| fold(&lines[*n as usize].replace("\x1b[31m", "")).contains(&fold(&words)))
            .collect();
        let (words, mut found, mut next) = (Words::new(&words, ignore_case), Vec::new(), Some(from));
        while let Some(from) = next {
            let matches = logs.search(attempt(), &words, from, limit).unwrap();
            prop_assert!(matches.matches.len() <= limit && matches.next.is_none_or(|next| next > from));
            found.extend(matches.matches.iter().map(|found| found.number));
            next = matches.next;
        }
        prop_assert_eq!(found, expected);
    }
}

/// A log of this text.
fn log_of(text: &[u8]) -> (tempfile::TempDir, LogStore) {
    let dir = tempfile::tempdir().unwrap();
    let logs = LogStore::open(dir.path()).unwrap();
    logs.writer(attempt()).unwrap().append(0, text).unwrap();
    (dir, logs)
}

fn text_of(line: &Line) -> String {
    line.runs.iter().map(|run| run.text.as_str()).collect()
}

#[test]
fn without_a_log_there_are_no_lines() {
    let dir = tempfile::tempdir().unwrap();
    let logs = LogStore::open(dir.path()).unwrap();
    assert_eq!(logs.lines(attempt(), Wanted::Last, 10).unwrap(), Lines::default());
    assert_eq!(logs.search(attempt(), &Words::new("x", false), 0, 10).unwrap(), Matches::default());
}

#[test]
fn of_a_long_line_the_beginning_is_shown_and_the_line_behind_it_keeps_its_colour() {
    let long = format!("\x1b[31m{}\x1b[32m\nnext\n", "x".repeat(3_000_000));
    let (_dir, logs) = log_of(long.as_bytes());
    let lines = logs.lines(attempt(), Wanted::From(0), 10).unwrap();
    let [first, second] = &lines.lines[..] else { panic!("{} lines", lines.lines.len()) };
    assert_eq!((text_of(first).len(), first.cut_bytes), (16 * 1024 - 5, 3_000_010 - 16 * 1024));
    assert_eq!((text_of(second).as_str(), second.runs[0].style.fg), ("next", Some(2)));
}

#[test]
fn of_a_line_that_is_written_again_and_again_the_last_is_shown() {
    let bar: String = (0..=5_000).map(|n| format!("\r{n} of 5000 files")).collect();
    let (_dir, logs) = log_of(bar.as_bytes());
    let lines = logs.lines(attempt(), Wanted::Last, 10).unwrap();
    assert_eq!((lines.total, text_of(&lines.lines[0]).as_str()), (1, "5000 of 5000 files"));
    let unseen = bar.len() - 16 * 1024;
    assert!((unseen..unseen + 20).contains(&(lines.lines[0].cut_bytes as usize)), "{}", lines.lines[0].cut_bytes);
}

#[test]
fn a_page_ends_when_it_is_large_enough() {
    let (_dir, logs) = log_of(format!("{}\n", "y".repeat(9_999)).repeat(300).as_bytes());
    let lines = logs.lines(attempt(), Wanted::From(100), 2_000).unwrap();
    assert_eq!((lines.total, lines.lines.len(), lines.lines[0].number), (300, 104, 100));
}

#[test]
fn words_are_found_deep_in_a_long_line_and_a_search_goes_on_where_it_stopped() {
    let text = format!("first\n{}Needle\n{}", "x".repeat(9_000_000), "needle again\n".repeat(3));
    let (_dir, logs) = log_of(text.as_bytes());
    let words = Words::new("nEEDle", true);
    let first = logs.search(attempt(), &words, 0, 10).unwrap();
    assert_eq!((first.matches[0].number, first.matches[0].text.len(), first.next), (1, 86, Some(2)));
    let second = logs.search(attempt(), &words, 2, 2).unwrap();
    let numbers: Vec<u64> = second.matches.iter().map(|found| found.number).collect();
    assert_eq!((numbers, second.next), (vec![2, 3], Some(4)));
}

#[test]
fn a_line_has_the_time_of_its_first_byte_and_says_where_the_connection_came_back() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::fixed(1_000);
    let logs = LogStore::open(dir.path()).unwrap().timed(clock.clone());
    let mut writer = logs.writer(attempt()).unwrap();
    writer.append(0, b"one\ntw").unwrap();
    clock.set(2_000);
    writer.append(6, b"o\n").unwrap();
    clock.set(3_000);
    writer.reattached();
    writer.append(8, b"three\n").unwrap();
    let lines = logs.lines(attempt(), Wanted::From(0), 10).unwrap().lines;
    let told: Vec<_> = lines.iter().map(|line| (text_of(line), line.at_ms, line.reattached_at_ms)).collect();
    let expected = [("one", 1_000, None), ("two", 1_000, None), ("three", 3_000, Some(3_000))];
    assert_eq!(told, expected.map(|(text, at_ms, back)| (text.to_owned(), Some(at_ms), back)));
}

#[test]
fn indexes_are_kept_for_the_logs_that_were_looked_at_last() {
    let indexes = Indexes::default();
    let nth = |n: u32| AttemptId { attempt: n, ..attempt() };
    let first = indexes.of(nth(1));
    (2..=KEPT_INDEXES as u32).for_each(|n| drop(indexes.of(nth(n))));
    assert!(Arc::ptr_eq(&first, &indexes.of(nth(1))), "still there, and the newest again");
    (100..99 + KEPT_INDEXES as u32).for_each(|n| drop(indexes.of(nth(n))));
    assert!(Arc::ptr_eq(&first, &indexes.of(nth(1))));
    (200..200 + KEPT_INDEXES as u32).for_each(|n| drop(indexes.of(nth(n))));
    assert!(!Arc::ptr_eq(&first, &indexes.of(nth(1))));
    assert_eq!(indexes.0.lock().unwrap().len(), KEPT_INDEXES);
}
