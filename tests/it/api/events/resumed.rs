//! Whatever happens, and wherever its stream is cut, a reader ends with what a fresh snapshot shows.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};
use serde_json::Value;

use super::stream::{Stream, Told};
use super::world::{Act, World, act};
use crate::cli::house::LIMIT;

const KINDS: [(&str, &str); 4] =
    [("runner", "runners"), ("job", "jobs"), ("change", "changes"), ("fan_out", "fan_outs")];

/// What a reader knows: things by kind and id.
#[derive(Clone, Debug, Default, PartialEq)]
struct Known(BTreeMap<&'static str, BTreeMap<String, Value>>);

impl Known {
    fn put(&mut self, kind: &'static str, mut body: Value) {
        let id = body["id"].as_str().expect("an id").to_owned();
        // What passes, or grows, without a change.
        for key in ["timeInState", "log_bytes", "last_seen_at", "connections", "max_sessions"] {
            body.as_object_mut().expect("an object").remove(key);
        }
        // What has ended is in no snapshot.
        let has_ended = match kind {
            "job" => body["status"] == "finished",
            "change" => body["state"] != "open",
            "fan_out" => body["status"] != "running",
            _ => false,
        };
        let things = self.0.entry(kind).or_default();
        if has_ended {
            things.remove(&id)
        } else {
            things.insert(id, body)
        };
    }

    fn apply(&mut self, told: &Told) {
        match told.name.as_str() {
            "snapshot" => {
                for (kind, list) in KINDS {
                    told.data[list].as_array().into_iter().flatten().for_each(|body| self.put(kind, body.clone()));
                }
            }
            "reset" => self.0.clear(),
            "removed" => {
                let things = self.0.get_mut(told.data["kind"].as_str().expect("a kind"));
                things.and_then(|things| things.remove(told.data["id"].as_str().expect("an id")));
            }
            name => {
                let (kind, _) = KINDS.into_iter().find(|(kind, _)| *kind == name).expect("a kind");
                self.put(kind, told.data.clone());
            }
        }
    }

    /// Without kinds of which there is nothing.
    fn seen(&self) -> Self {
        Self(self.0.iter().filter(|(_, things)| !things.is_empty()).map(|(kind, all)| (*kind, all.clone())).collect())
    }
}

/// A reader with its state, which opens its stream again whenever it ends.
struct Reader<'w> {
    world: &'w World,
    stream: Stream,
    known: Known,
    resets: Vec<String>,
}

impl<'w> Reader<'w> {
    fn new(world: &'w World) -> Self {
        let stream = Stream::of(&world.address(), &world.ann, "events", None);
        Self { world, stream, known: Known::default(), resets: Vec::new() }
    }

    /// Reads one event if one comes.
    fn read(&mut self, within: Duration) -> Option<Told> {
        let told = self.stream.next_within(within)?;
        if told.name == "reset" {
            self.resets.push(told.data["reason"].as_str().expect("a reason").to_owned());
        }
        self.known.apply(&told);
        Some(told)
    }

    fn cut(&mut self) {
        let last = self.stream.last.clone();
        if last.is_none() {
            self.known = Known::default();
        }
        self.stream = Stream::of(&self.world.address(), &self.world.ann, "events", last.as_deref());
    }

    /// What is known once nothing more comes for a while.
    fn caught_up(&mut self) -> Known {
        while self.read(Duration::from_millis(100)).is_some() {}
        self.known.seen()
    }

    /// What a snapshot shows.
    fn snapshot(world: &'w World) -> Known {
        let mut reader = Reader::new(world);
        while reader.read(LIMIT).expect("a page").data["more"] == true {}
        reader.known.seen()
    }
}

/// Plays the acts before two readers; one is cut now and then. Returns why they had to begin again.
fn play(world: &World, acts: &[Act]) -> Result<Vec<String>, TestCaseError> {
    let (mut steady, mut cut) = (Reader::new(world), Reader::new(world));
    for act in acts {
        world.act(act);
        if let Act::Read(count) = act {
            (0..*count).for_each(|_| _ = cut.read(Duration::from_millis(20)));
            cut.cut();
        }
    }
    world.settle();
    let until = Instant::now() + LIMIT;
    loop {
        let (steadys, cuts, fresh) = (steady.caught_up(), cut.caught_up(), Reader::snapshot(world));
        if steadys == fresh && cuts == fresh {
            return Ok([steady.resets, cut.resets].concat());
        }
        // The engine may do something yet.
        if Instant::now() > until {
            prop_assert_eq!(&steadys, &fresh, "who was never cut");
            prop_assert_eq!(&cuts, &fresh, "who was cut");
        }
    }
}

#[test]
fn a_reader_who_is_cut_anywhere_ends_with_what_a_fresh_snapshot_shows() {
    let world = World::start();
    let submit = || Act::Submit { project: "web", waits: true };
    let resets = play(&world, &[submit(), Act::Read(9), Act::Flood, submit(), Act::Read(2), submit()]);
    assert!(resets.expect("the same").contains(&"slow".to_owned()), "the flood was too much");
    let resets = play(&world, &[submit(), Act::Read(9), Act::Narrow(true), Act::Read(9), Act::Narrow(false)]);
    assert!(resets.expect("the same").contains(&"access".to_owned()), "other roles see other things");
    let mut runner = TestRunner::new(Cases { cases: 6, max_shrink_iters: 20, ..Cases::default() });
    let acts = prop::collection::vec(act(), 5..40);
    runner.run(&acts, |acts| play(&world, &acts).map(drop)).expect("the same");
    world.stop();
}
