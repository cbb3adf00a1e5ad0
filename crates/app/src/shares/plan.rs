//! Who should hold which shares, by what everybody can see. Pure: each process decides for itself alone.

use std::collections::{BTreeMap, BTreeSet};

/// What a process sees.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Its own name.
    pub me: &'a str,
    /// The processes that take part. One that is not among them takes nothing.
    pub members: &'a BTreeSet<String>,
    /// Who holds which share; also those who take part no longer, until their leases are over.
    pub held: &'a BTreeMap<String, String>,
    /// The shares that somebody should hold.
    pub wanted: &'a BTreeSet<String>,
}

/// What it does then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Shares to ask for, which others may ask for too.
    pub take: Vec<String>,
    /// Shares to give back.
    pub give: Vec<String>,
}

/// The next step towards equal shares: in the end everybody has as many as everybody else, or one more.
///
/// Who has more than that gives the surplus back; where that leaves somebody with too few, one of those who have the
/// most gives one more. Free shares go to those with too few first, and nobody takes more than its part, so that what
/// one gives back the others take.
pub fn plan(seen: &Seen<'_>) -> Plan {
    let Seen { me, members, held, wanted } = *seen;
    let of = |who: &str| -> Vec<&String> {
        held.iter()
            .filter(|(share, holder)| *holder == who && wanted.contains(*share))
            .map(|(share, _)| share)
            .collect()
    };
    let mine = of(me);
    let mut give: Vec<String> = held
        .iter()
        .filter(|(share, holder)| *holder == me && !wanted.contains(*share))
        .map(|(s, _)| s.clone())
        .collect();
    if !members.contains(me) {
        return Plan { take: Vec::new(), give };
    }
    let counts: BTreeMap<&str, usize> = members.iter().map(|who| (who.as_str(), of(who).len())).collect();
    let (least, most) = (wanted.len() / members.len(), wanted.len().div_ceil(members.len()));
    let somebody_is_short = counts.values().any(|count| *count < least);
    let free: Vec<&String> = wanted.iter().filter(|share| !held.contains_key(*share)).collect();
    let surplus = match mine.len() {
        n if n > most => n - most,
        n if n > least && somebody_is_short && free.is_empty() && first_of_the_fullest(&counts) == Some(me) => 1,
        _ => 0,
    };
    give.extend(mine.iter().rev().take(surplus).map(|share| (*share).clone()));
    let room = match mine.len() {
        n if n < least => least - n,
        n if n < most && !somebody_is_short => 1,
        _ => 0,
    };
    // each begins elsewhere, so that they seldom ask for the same ones
    let place = members.iter().position(|who| who == me).unwrap_or_default();
    let start = free.len() * place / members.len();
    let take = free.iter().cycle().skip(start).take(room.min(free.len())).map(|share| (*share).clone()).collect();
    Plan { take, give }
}

fn first_of_the_fullest<'a>(counts: &BTreeMap<&'a str, usize>) -> Option<&'a str> {
    let most = counts.values().max()?;
    counts.iter().find(|(_, count)| *count == most).map(|(who, _)| *who)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What everybody sees, and everybody's steps.
    #[derive(Clone, Debug, Default)]
    struct World {
        members: BTreeSet<String>,
        held: BTreeMap<String, String>,
        wanted: BTreeSet<String>,
    }

    impl World {
        fn new(members: usize, wanted: usize) -> Self {
            Self {
                members: (0..members).map(|n| format!("process-{n}")).collect(),
                held: BTreeMap::new(),
                wanted: (0..wanted).map(|n| format!("binance/{n:02}")).collect(),
            }
        }

        fn plan(&self, me: &str) -> Plan {
            plan(&Seen { me, members: &self.members, held: &self.held, wanted: &self.wanted })
        }

        /// Everybody decides by what there was, then what they decided happens in turn.
        fn round(&mut self) -> bool {
            let plans: Vec<_> = self.members.iter().map(|me| (me.clone(), self.plan(me))).collect();
            let quiet = plans.iter().all(|(_, plan)| *plan == Plan::default());
            for (me, plan) in plans {
                for share in plan.give {
                    assert_eq!(self.held.remove(&share), Some(me.clone()), "nobody gives what is another's");
                }
                for share in plan.take {
                    self.held.entry(share).or_insert_with(|| me.clone());
                }
            }
            quiet
        }

        fn settle(&mut self) {
            let quiet = (0..200).any(|_| self.round());
            assert!(quiet, "it ends: {self:?}");
            assert_eq!(self.held.keys().collect::<Vec<_>>(), self.wanted.iter().collect::<Vec<_>>());
            let of = |who: &String| self.held.values().filter(|holder| *holder == who).count();
            let counts: Vec<_> = self.members.iter().map(of).collect();
            assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
        }
    }

    #[test]
    fn one_alone_takes_all_at_once() {
        let mut world = World::new(1, 5);
        world.round();
        assert_eq!(world.held.len(), 5);
        world.settle();
    }

    #[test]
    fn who_joins_gets_a_part_and_who_dies_leaves_it() {
        let mut world = World::new(1, 9);
        world.settle();
        world.members.insert("process-1".into());
        assert_eq!(world.plan("process-0").give.len(), 4);
        world.settle();
        world.members.remove("process-0");
        // its leases are not over yet: nobody can take them
        assert_eq!(world.plan("process-1").take, [] as [&str; 0]);
        world.held.retain(|_, holder| holder != "process-0");
        world.settle();
    }

    #[test]
    fn an_outsider_takes_nothing_and_gives_back_what_nobody_wants() {
        let mut world = World::new(1, 2);
        world.held.insert("okx/00".into(), "late".into());
        assert_eq!(world.plan("late"), Plan { take: vec![], give: vec!["okx/00".into()] });
    }

    proptest! {
        #[test]
        fn shares_end_up_equal(
            members in 1..9usize,
            wanted in 0..40usize,
            begins in proptest::collection::vec((0..40usize, 0..9usize), 0..40),
        ) {
            let mut world = World::new(members, wanted);
            for (share, who) in begins {
                world.held.insert(format!("binance/{share:02}"), format!("process-{}", who % members));
            }
            world.settle();
        }
    }
}
