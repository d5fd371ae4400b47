//! Every route for every role at every place: who may call it is let pass, and nobody else.
//!
//! Each request has a query that no route knows. It is looked at only behind the question who may, so who is let pass is
//! told 400 for it, and nothing is done.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shuntyard::http::{At, Declared, Needs, declared_routes};
use shuntyard_domain::access::Role;
use uuid::Uuid;

use super::http::{Answer, request};
use super::users::{make_user, token_of};
use crate::pipelines::yard::Yard;

/// Where somebody of the walk has their role; everything that is asked about lies in `default/web`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seat {
    Enterprise,
    Org,
    Web,
    /// Another project of the same organisation.
    Other,
}

const SEATS: [Seat; 4] = [Seat::Enterprise, Seat::Org, Seat::Web, Seat::Other];

/// The answers that are possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Pass,
    Forbidden,
    NotThere,
}

/// What must come of it; written from the rules in docs/SECURITY.md, not from the code that decides.
fn expected(roles: &[Role], at: At, role: Role, seat: Seat) -> Verdict {
    let fits = role == Role::Admin || roles.contains(&role);
    let if_fits = if fits { Verdict::Pass } else { Verdict::Forbidden };
    match (at, seat) {
        // A runner that serves everybody is looked at by everybody.
        (At::Runner, Seat::Org | Seat::Web | Seat::Other) if roles.len() == Role::ALL.len() => Verdict::Pass,
        (At::Enterprise | At::Runner, Seat::Org | Seat::Web | Seat::Other) => Verdict::Forbidden,
        (At::PartOfOrg, _) => Verdict::Pass,
        (At::Org, Seat::Web | Seat::Other) => Verdict::Forbidden,
        (At::Project | At::Job | At::PhaseRun | At::FanOut | At::Change, Seat::Other) => Verdict::NotThere,
        (
            At::Enterprise
            | At::Anywhere
            | At::Org
            | At::Project
            | At::Runner
            | At::Job
            | At::PhaseRun
            | At::FanOut
            | At::Change,
            _,
        ) => if_fits,
    }
}

/// The same for somebody without a role.
fn expected_of_nobody(at: At) -> Verdict {
    match at {
        At::Enterprise | At::Anywhere => Verdict::Forbidden,
        At::Org | At::PartOfOrg | At::Project | At::Runner | At::Job | At::PhaseRun | At::FanOut | At::Change => {
            Verdict::NotThere
        }
    }
}

/// One thing of each kind, all in project `default/web`.
struct Things {
    job: String,
    phase_run: String,
    fan_out: String,
    change: String,
}

impl Things {
    fn make(yard: &Yard) -> Self {
        let post = |path: &str, body: Value| {
            let answer = yard.send("POST", path, Some(body.to_string().as_bytes()));
            assert_eq!(answer.status, 201, "{path}: {}", answer.json());
            answer.json()["id"].as_str().expect("an id").to_owned()
        };
        let job = json!({"script": "true", "project": "web"});
        let config = json!({"version": "2", "phases": {"unit": {"run": "true"}}});
        let config_text = config.to_string();
        Self {
            job: post("jobs", job.clone()),
            fan_out: post("fan_outs", json!({"job": job})),
            phase_run: post("phase_runs", json!({"project": "web", "phase": "unit", "config": config_text})),
            change: yard.submit("web", &config, &[]),
        }
    }

    /// The path of a route with these things in it, and its query.
    fn path(&self, route: &Declared) -> String {
        let id = match &route.needs {
            Needs::Role(_, At::Job) => &self.job,
            Needs::Role(_, At::PhaseRun) => &self.phase_run,
            Needs::Role(_, At::FanOut) => &self.fan_out,
            Needs::Role(_, At::Change) => &self.change,
            _ => &self.job,
        };
        let words = [
            ("{id}", id.as_str()),
            ("{hostname}", "u1"),
            ("{org}", "default"),
            ("{project}", "web"),
            ("{pipeline}", "master"),
            ("{stage}", "verify"),
        ];
        let mut path = words.iter().fold(route.path.clone(), |path, (word, value)| path.replace(word, value));
        while let (Some(begin), Some(end)) = (path.find('{'), path.find('}')) {
            path.replace_range(begin..=end, "x");
        }
        format!("/api/v0/e/default{path}?no_such_key=1")
    }
}

/// A token of a machine with these grants.
fn token(yard: &Yard, name: &str, grants: &Value) -> String {
    let body = json!({"name": name, "ttl_s": 3600, "machine": true, "grants": grants}).to_string();
    let answer = yard.send("POST", "tokens", Some(body.as_bytes()));
    assert_eq!(answer.status, 201, "{}", answer.json());
    answer.json()["token"].as_str().expect("a token").to_owned()
}

/// A token of a user with these grants, got by their password.
fn user(yard: &Yard, name: &str, grants: &Value) -> String {
    make_user(&yard.house, name, grants);
    token_of(&yard.house, name)
}

fn grant(role: Role, seat: Seat) -> Value {
    match seat {
        Seat::Enterprise => json!({"role": role}),
        Seat::Org => json!({"role": role, "org": "default"}),
        Seat::Web => json!({"role": role, "org": "default", "project": "web"}),
        Seat::Other => json!({"role": role, "org": "default", "project": "other"}),
    }
}

/// Reads a verdict from an answer; none for anything else.
fn verdict(answer: &Answer) -> Option<Verdict> {
    match (answer.status, answer.json()["path"].as_str()) {
        (400, Some("no_such_key")) => Some(Verdict::Pass),
        (403, None) if answer.body.is_empty() => Some(Verdict::Forbidden),
        (404, None) if answer.json()["error"] == "not_found" => Some(Verdict::NotThere),
        _ => None,
    }
}

#[test]
fn every_route_lets_pass_the_roles_that_it_declares_and_no_others() {
    let yard = Yard::open();
    let things = Things::make(&yard);
    let mut people = BTreeMap::new();
    for role in Role::ALL {
        for seat in SEATS {
            let (name, grants) = (format!("{role}-{seat:?}"), json!([grant(role, seat)]));
            // People and programs in turn: what they are makes no difference.
            let own = match seat {
                Seat::Enterprise | Seat::Other => user(&yard, &name, &grants),
                Seat::Org | Seat::Web => token(&yard, &name, &grants),
            };
            people.insert((role, seat), own);
        }
    }
    let nobody = user(&yard, "nobody", &json!([]));
    let routes = declared_routes();
    assert!(routes.len() > 100, "{}", routes.len());
    let mut wrong = Vec::new();
    for route in &routes {
        let path = things.path(route);
        let ask = |token: Option<&str>| request(yard.house.address(), route.method, &path, token, None);
        let mut hold = |who: String, answer: Answer, expected: Verdict| {
            if verdict(&answer) != Some(expected) {
                let (method, path) = (route.method, &route.path);
                wrong.push(format!(
                    "{method} {path} for {who}: {} {} and not {expected:?}",
                    answer.status,
                    answer.json()
                ));
            }
        };
        match &route.needs {
            Needs::Nothing => hold("nobody".into(), ask(None), Verdict::Pass),
            Needs::Token => hold("nobody".into(), ask(Some(&nobody)), Verdict::Pass),
            Needs::Role(roles, at) => {
                hold("nobody".into(), ask(Some(&nobody)), expected_of_nobody(*at));
                for ((role, seat), token) in &people {
                    hold(format!("{role} of {seat:?}"), ask(Some(token)), expected(roles, *at, *role, *seat));
                }
            }
        }
        if route.needs != Needs::Nothing {
            let answer = ask(None);
            if answer.status != 401 || answer.header("www-authenticate").is_none() {
                wrong.push(format!("{} {} without a token: {}", route.method, route.path, answer.status));
            }
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_is_not_ours_is_answered_as_what_does_not_exist() {
    let yard = Yard::open();
    let things = Things::make(&yard);
    let other = token(&yard, "other", &json!([grant(Role::Committer, Seat::Other)]));
    let told = |path: &str, own: &str| {
        let answer = request(yard.house.address(), "GET", &format!("/api/v0/e/default/{path}"), Some(&other), None);
        let mut body = answer.json();
        if let Some(keys) = body.as_object_mut() {
            keys.remove("request_id");
        }
        (answer.status, body.to_string().replace(own, "ID"))
    };
    let unknown = Uuid::now_v7().to_string();
    for (kind, id) in [
        ("jobs", &things.job),
        ("phase_runs", &things.phase_run),
        ("fan_outs", &things.fan_out),
        ("changes", &things.change),
        ("orgs/default/projects", &"web".to_owned()),
    ] {
        let unknown = if kind.starts_with("orgs") { "nowhere".to_owned() } else { unknown.clone() };
        let (theirs, missing) = (told(&format!("{kind}/{id}"), id), told(&format!("{kind}/{unknown}"), &unknown));
        assert_eq!(theirs, missing, "{kind}");
        assert_eq!(theirs.0, 404);
    }
    for list in ["jobs?state=all", "changes", "fan_outs"] {
        assert_eq!(told(list, "-"), (200, "[]".into()), "{list}");
    }
    assert_eq!(told("orgs/default/projects", "-").1, r#"{"projects":[]}"#);
}
