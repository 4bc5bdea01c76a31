//! Two folders, one node, random edits, and looks in any order: after quiet all
//! are equal, a further round does nothing, and no byte was ever dropped that
//! the node does not have (the CanopyCheck of Dropbox's sync engine, in small).
//!
//! The folders and the node are maps in memory; what to do is decided by the
//! very functions that the engine calls.

use base::{Hash, ItemId, SeededRandom, VersionId};
use meta::{Metadata, Mode, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use sync::folder::{Observation, ObservedKind};
use sync::plan::{Remote, Settlement, Sight, Step, Synced, decide, settle};

type Content = u64;
type Names = BTreeMap<&'static str, (Content, Observation)>;

const NAMES: [&str; 3] = ["a", "b", "c"];

/// One live item at most for each name, and everything that ever was.
#[derive(Default)]
struct Node {
    live: BTreeMap<String, (VersionId, Content)>,
    /// Newest version of every item: name and content, `None` when deleted.
    items: BTreeMap<ItemId, (u64, String, Option<Content>)>,
    history: BTreeSet<Content>,
}

enum Outcome {
    Committed(VersionId),
    Conflict,
}

impl Node {
    fn put(&mut self, base: Option<VersionId>, name: &str, content: Content) -> Outcome {
        let standing = self.live.get(name).copied();
        let version = match (base, standing) {
            (None, None) => VersionId {
                item: ItemId::new(self.items.len() as u64 + 1, 0),
                counter: 1,
            },
            (Some(base), Some((current, _))) if base == current => VersionId {
                counter: base.counter + 1,
                ..base
            },
            (_, Some((current, same))) if same == content => return Outcome::Committed(current),
            _ => return Outcome::Conflict,
        };
        self.history.insert(content);
        self.live.insert(name.to_owned(), (version, content));
        self.items.insert(
            version.item,
            (version.counter, name.to_owned(), Some(content)),
        );
        Outcome::Committed(version)
    }

    fn delete(&mut self, base: VersionId, name: &str) -> bool {
        match self.live.get(name) {
            Some((current, _)) if *current == base => {
                self.live.remove(name);
                self.items
                    .insert(base.item, (base.counter + 1, name.to_owned(), None));
                true
            }
            Some((current, _)) if current.item == base.item => false,
            _ => true,
        }
    }
}

#[derive(Default)]
struct Client {
    local: Names,
    synced: BTreeMap<String, Synced>,
    /// What the feed said last, item by item.
    told: BTreeMap<ItemId, (u64, String, Option<Content>)>,
    copies: Vec<(String, Content, Observation)>,
    last_write_wins: bool,
}

struct World {
    random: SeededRandom,
    node: Node,
    clients: [Client; 2],
    stamp: u64,
}

fn metadata(content: Content) -> Metadata {
    Metadata::file(
        Hash::of(&content.to_le_bytes()),
        8,
        Mode::FILE,
        Timestamp::default(),
    )
    .expect("valid")
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            random: SeededRandom::new(seed),
            node: Node::default(),
            clients: Default::default(),
            stamp: 0,
        };
        world.clients[1].last_write_wins = seed % 4 == 3;
        world
    }

    fn observation(&mut self) -> Observation {
        self.stamp += 1;
        let time = Timestamp::new(self.stamp as i64, 0).expect("valid");
        Observation {
            kind: ObservedKind::File,
            size: 8,
            mode: Mode::FILE,
            modified: time,
            changed: time,
            inode: self.stamp,
        }
    }

    fn edit(&mut self, who: usize) {
        let name = NAMES[self.random.below(3) as usize];
        if self.random.below(4) == 0 {
            self.clients[who].local.remove(name);
        } else {
            let seen = self.observation();
            // Few contents, so that both sides sometimes write the same.
            let content = self.random.below(5);
            self.clients[who].local.insert(name, (content, seen));
        }
    }

    /// Hears some of the feed, always the newest of an item.
    fn hear(&mut self, who: usize, all: bool) {
        for (item, news) in &self.node.items {
            if all || self.random.below(2) == 0 {
                self.clients[who].told.insert(*item, news.clone());
            }
        }
    }

    fn remote(&self, who: usize, name: &str) -> Option<(Remote, Content)> {
        let client = &self.clients[who];
        let synced = client.synced.get(name);
        let fresh = |item: &ItemId, counter: u64| {
            !client
                .synced
                .values()
                .any(|s| s.version.item == *item && s.version.counter >= counter)
        };
        let alive = client
            .told
            .iter()
            .find_map(|(item, (counter, at, content))| {
                let content = (*content)?;
                let version = VersionId {
                    item: *item,
                    counter: *counter,
                };
                (at == name && fresh(item, *counter)).then(|| {
                    (
                        Remote {
                            own: false,
                            version,
                            metadata: metadata(content),
                        },
                        content,
                    )
                })
            });
        let stale = synced.is_some_and(|s| {
            client
                .told
                .get(&s.version.item)
                .is_some_and(|(counter, ..)| fresh(&s.version.item, *counter))
        });
        match (alive, synced) {
            (Some(alive), _) => Some(alive),
            (None, Some(s)) if !stale => {
                let content = self
                    .node
                    .items
                    .values()
                    .find_map(|(.., c)| c.filter(|c| metadata(*c).same_content(&s.metadata)));
                Some((
                    Remote {
                        own: false,
                        version: s.version,
                        metadata: s.metadata.clone(),
                    },
                    content.unwrap_or(u64::MAX),
                ))
            }
            _ => None,
        }
    }

    /// Looks at one name and acts; whether anything was to do.
    fn look(&mut self, who: usize, name: &'static str) -> bool {
        let local = self.clients[who].local.get(name).copied();
        let synced = self.clients[who].synced.get(name).cloned();
        let remote = self.remote(who, name);
        let step = decide(Sight {
            local: local.as_ref().map(|(_, seen)| seen),
            synced: synced.as_ref(),
            remote: remote.as_ref().map(|(remote, _)| remote),
        });
        match (step, local, synced, remote) {
            (Step::Nothing, ..) => return false,
            (Step::Create, Some(local), ..) => self.offer(who, name, None, local),
            (Step::Update, Some(local), Some(synced), _) => {
                self.offer(who, name, Some(synced.version), local);
            }
            (Step::DeleteRemote, _, Some(synced), _) => {
                if self.node.delete(synced.version, name) {
                    self.clients[who].synced.remove(name);
                }
            }
            (Step::Prove, Some(local), Some(synced), _) => {
                if metadata(local.0).same_content(&synced.metadata) {
                    self.drop_local(who, name);
                    self.clients[who].synced.remove(name);
                } else {
                    self.offer(who, name, None, local);
                }
            }
            (Step::Forget, ..) => drop(self.clients[who].synced.remove(name)),
            (Step::RemoveLocal, ..) => {
                self.drop_local(who, name);
                self.clients[who].synced.remove(name);
            }
            (Step::Fetch, .., Some(remote)) => self.fetch(who, name, remote),
            (Step::Compare, Some(local), synced, Some(remote)) => {
                self.compare(who, name, local, synced.as_ref(), remote);
            }
            (step, ..) => panic!("{step:?} among files"),
        }
        true
    }

    fn compare(
        &mut self,
        who: usize,
        name: &'static str,
        local: (Content, Observation),
        synced: Option<&Synced>,
        remote: (Remote, Content),
    ) {
        let ours = metadata(local.0);
        match settle(&ours, synced.map(|s| &s.metadata), &remote.0) {
            Settlement::Adopt => self.agree(who, name, remote.0.version, local),
            Settlement::Fetch => self.fetch(who, name, remote),
            Settlement::UpdateOnRemote => self.offer(who, name, Some(remote.0.version), local),
            Settlement::Conflict if self.clients[who].last_write_wins => {
                self.offer(who, name, Some(remote.0.version), local);
            }
            Settlement::Conflict => {
                self.clients[who].local.remove(name);
                let copy = format!("{name}.conflict-{}", self.stamp);
                self.clients[who].copies.push((copy, local.0, local.1));
                self.fetch(who, name, remote);
            }
        }
    }

    fn agree(
        &mut self,
        who: usize,
        name: &str,
        version: VersionId,
        (content, seen): (Content, Observation),
    ) {
        let synced = Synced {
            version,
            metadata: metadata(content),
            seen,
            racy: false,
        };
        self.clients[who].synced.insert(name.to_owned(), synced);
    }

    fn offer(
        &mut self,
        who: usize,
        name: &'static str,
        base: Option<VersionId>,
        local: (Content, Observation),
    ) {
        if base.is_none() {
            self.clients[who].synced.remove(name);
        }
        if let Outcome::Committed(version) = self.node.put(base, name, local.0) {
            self.agree(who, name, version, local);
        }
    }

    fn fetch(&mut self, who: usize, name: &'static str, (remote, content): (Remote, Content)) {
        self.drop_local(who, name);
        let seen = self.observation();
        self.clients[who].local.insert(name, (content, seen));
        self.agree(who, name, remote.version, (content, seen));
    }

    /// The heart of it: what is dropped here, the node has.
    fn drop_local(&mut self, who: usize, name: &str) {
        if let Some((content, _)) = self.clients[who].local.remove(name) {
            assert!(
                self.node.history.contains(&content),
                "content {content} of {name} was dropped"
            );
        }
    }

    fn settle_all(&mut self) {
        for _ in 0..12 {
            for who in [0, 1] {
                self.hear(who, true);
                for name in NAMES {
                    self.look(who, name);
                }
            }
        }
    }
}

fn run(seed: u64) {
    let mut world = World::new(seed);
    for _ in 0..40 {
        let who = world.random.below(2) as usize;
        match world.random.below(4) {
            0 => world.edit(who),
            1 => world.hear(who, false),
            _ => {
                let name = NAMES[world.random.below(3) as usize];
                world.look(who, name);
            }
        }
    }
    world.settle_all();
    let contents = |who: usize| -> BTreeMap<_, _> {
        world.clients[who]
            .local
            .iter()
            .map(|(name, (content, _))| (name.to_string(), *content))
            .collect()
    };
    let node: BTreeMap<_, _> = world
        .node
        .live
        .iter()
        .map(|(name, (_, content))| (name.clone(), *content))
        .collect();
    assert_eq!(contents(0), contents(1));
    assert_eq!(contents(0), node);
    for who in [0, 1] {
        for name in NAMES {
            assert!(!world.look(who, name), "a round after quiet did something");
        }
    }
}

#[test]
fn folders_converge_and_drop_nothing() {
    for seed in 0..3000 {
        if std::panic::catch_unwind(|| run(seed)).is_err() {
            panic!("replay with seed {seed}");
        }
    }
}
