//! Which runners a fan-out takes.

use super::LeftOut;
use crate::board::{Availability, BoardRunner, accepts};
use crate::filter::Filter;
use crate::ids::RunnerId;

/// The runners that get a row, in the order of the starts, and those that do not although the filter names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    pub rows: Vec<(RunnerId, String)>,
    pub left_out: Vec<LeftOut>,
}

/// Chooses of `runners`, which are sorted by name, those that may take a job of the organisation with this filter.
#[must_use]
pub fn choose(runners: &[BoardRunner], filter: &Filter, org: &str) -> Chosen {
    choose_of(runners.iter().filter(|runner| accepts(filter, org, runner)))
}

/// As `choose`, of runners that are chosen already.
///
/// Those that can start at once go first, so that no canary is a host that is away; then by name. A runner that takes no
/// jobs until somebody says so is left out; one that is busy, unreachable or failed its last Test has its job wait.
#[must_use]
pub fn choose_of<'a>(runners: impl Iterator<Item = &'a BoardRunner>) -> Chosen {
    let (mut ready, mut later, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    for runner in runners {
        let hostname = runner.attributes.hostname.clone();
        match runner.availability {
            Availability::Ready => ready.push((runner.id, hostname)),
            Availability::Unreachable | Availability::Unhealthy => later.push((runner.id, hostname)),
            Availability::Pending
            | Availability::Draining
            | Availability::Disabled
            | Availability::Quarantined
            | Availability::Spent => {
                left_out.push(LeftOut { hostname, why: runner.availability.as_str().to_owned() });
            }
        }
    }
    ready.append(&mut later);
    Chosen { rows: ready, left_out }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Attributes;
    use crate::runner::Scope;
    use uuid::Uuid;

    fn runner(number: u128, hostname: &str, availability: Availability, scope: Scope) -> BoardRunner {
        let attributes = Attributes { hostname: hostname.into(), ..Attributes::default() };
        BoardRunner { id: RunnerId(Uuid::from_u128(number)), attributes, scope, slots: 1, availability }
    }

    #[test]
    fn who_can_start_goes_first_and_who_takes_nothing_is_left_out_and_said_so() {
        let shared = || Scope::Enterprise;
        let runners = [
            runner(1, "away", Availability::Unreachable, shared()),
            runner(2, "b", Availability::Ready, shared()),
            runner(3, "c", Availability::Ready, Scope::Org("default".into())),
            runner(4, "off", Availability::Disabled, shared()),
            runner(5, "others", Availability::Ready, Scope::Org("others".into())),
            runner(6, "sick", Availability::Unhealthy, shared()),
        ];
        let chosen = choose(&runners, &Filter::default(), "default");
        let names: Vec<&str> = chosen.rows.iter().map(|(_, hostname)| hostname.as_str()).collect();
        assert_eq!(names, ["b", "c", "away", "sick"]);
        assert_eq!(chosen.left_out, [LeftOut { hostname: "off".into(), why: "disabled".into() }]);
        let one = Filter { hostname: vec!["b".into(), "off".into()], ..Filter::default() };
        assert_eq!(choose(&runners, &one, "default").rows.len(), 1);
    }
}
