//! Random but repeatable logs: a [`Script`] writes commands that are mostly
//! sensible, keeping the plain tree of `model` to know what there is, and says
//! what each should answer.

use crate::model::Model;
use crate::site::{at, create_space, directory, file, link, name};
use base::{DeviceId, ItemId, SeededRandom, SpaceId, VersionId};
use meta::{Metadata, Mode};
use state::{Base, Body, Change, Command, Commit, Label, Parent, Reply, Role, TokenHash};

/// A random log.
pub struct Script {
    random: SeededRandom,
    model: Model,
    index: u64,
    time: u64,
    sequences: [u64; DEVICES],
    history: Vec<(Command, Reply)>,
    /// Whether it builds long paths rather than broad directories.
    is_deep: bool,
}

/// One entry of it.
pub struct Step {
    pub index: u64,
    pub bytes: Vec<u8>,
    pub reply: Reply,
}

const DEVICES: usize = 3;

/// Few names, so that they meet; one so long that paths reach their limit.
const NAMES: [&str; 5] = ["a", "b", "c", "A", "long"];

impl Script {
    pub fn new(seed: u64) -> Self {
        Self {
            random: SeededRandom::new(seed),
            model: Model::default(),
            index: 0,
            time: 1000,
            sequences: [0; DEVICES],
            history: Vec::new(),
            is_deep: seed % 2 == 1,
        }
    }

    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The next entries, as a log holds them.
    pub fn entries(&mut self, count: usize) -> Vec<(u64, Vec<u8>)> {
        (0..count)
            .map(|_| self.step())
            .map(|step| (step.index, step.bytes))
            .collect()
    }

    /// The next entry and its answer.
    pub fn step(&mut self) -> Step {
        self.index += 1 + self.random.below(2);
        // Proposers' clocks disagree and step back.
        self.time = (self.time + self.random.below(20)).saturating_sub(self.random.below(15));
        let (command, reply) = match self.history.len() {
            0 => self.make_space(),
            made @ 1..=DEVICES => self.make_device(made - 1),
            _ if self.random.below(12) == 0 => self.repeat(),
            _ => self.make_commit(),
        };
        let bytes = command.encode().unwrap();
        self.history.push((command, reply.clone()));
        Step {
            index: self.index,
            bytes,
            reply,
        }
    }

    fn make_space(&mut self) -> (Command, Reply) {
        let space = SpaceId::new(self.index, 0);
        let slug = base::Slug::new("work").unwrap();
        let command = self.command(DeviceId::ADMIN, 0, 0, create_space("work"));
        self.model.create_space(space, self.index, command.time);
        (command, Reply::Space { id: space, slug })
    }

    fn make_device(&mut self, number: usize) -> (Command, Reply) {
        let device = DeviceId::new(self.index, 0);
        self.model.devices.push(device);
        let body = Body::RegisterLocal {
            device_token: TokenHash::of(&number.to_string()),
            name: Label::new("device").unwrap(),
            grants: vec![(self.model.space, Role::Editor)],
        };
        let command = self.command(DeviceId::ADMIN, 0, 0, body);
        self.model.pass(command.time);
        (command, Reply::Registered { device })
    }

    /// A request whose answer was lost is proposed again.
    fn repeat(&mut self) -> (Command, Reply) {
        let commits = self.history.len() - DEVICES - 1;
        if commits == 0 {
            return self.make_commit();
        }
        let chosen = DEVICES + 1 + self.random.below(commits as u64) as usize;
        let (mut command, reply) = self.history[chosen].clone();
        command.time = self.time;
        self.model.pass(command.time);
        (command, reply)
    }

    fn make_commit(&mut self) -> (Command, Reply) {
        let number = self.random.below(DEVICES as u64) as usize;
        let device = self.model.devices[number];
        self.sequences[number] += 1;
        let count = 1 + self.random.below(8);
        let changes = (0..count).map(|ordinal| self.change(ordinal)).collect();
        let commit = Commit {
            space: self.model.space,
            changes,
        };
        let stream = 77 + number as u64;
        let body = Body::Commit(commit.clone());
        let command = self.command(device, stream, self.sequences[number], body);
        let outcomes = self.model.commit(device, command.time, self.index, &commit);
        (command, Reply::Commit(outcomes))
    }

    fn command(&self, device: DeviceId, stream: u64, sequence: u64, body: Body) -> Command {
        crate::site::command(device, stream, sequence, self.time, body)
    }

    fn change(&mut self, ordinal: u64) -> Change {
        match self.random.below(10) {
            0..5 => Change::Put {
                base: Base::Absent {
                    parent: self.parent(ordinal),
                    name: self.name(),
                },
                metadata: self.metadata(),
                conflict_of: (self.random.below(8) == 0).then(|| self.base()),
            },
            5..7 => Change::Put {
                base: Base::Version(self.base()),
                metadata: self.metadata(),
                conflict_of: None,
            },
            7..9 => Change::Move {
                base: self.base(),
                parent: self.parent(ordinal),
                name: self.name(),
            },
            _ => Change::Delete { base: self.base() },
        }
    }

    /// Mostly the current version of something, sometimes an old or wrong one.
    fn base(&mut self) -> VersionId {
        let items = self.model.versions();
        let mut id = items[self.random.below(items.len() as u64) as usize].id;
        match self.random.below(12) {
            0 => id.counter = (id.counter - 1).max(1),
            1 => id.counter += 1,
            2 => id.item = ItemId::new(1 << 40, 1),
            _ => {}
        }
        id
    }

    fn parent(&mut self, ordinal: u64) -> Parent {
        match self.random.below(10) {
            0..2 if ordinal > 0 => Parent::Change(self.random.below(ordinal + 1) as u16),
            2 => Parent::Item(self.base().item),
            _ => {
                let directories = self.model.directories();
                let choice = match self.is_deep {
                    true => directories.len().min(3),
                    false => directories.len(),
                };
                let back = 1 + self.random.below(choice as u64) as usize;
                Parent::Item(directories[directories.len() - back])
            }
        }
    }

    fn name(&mut self) -> base::Name {
        if self.is_deep && self.random.below(2) == 0 {
            return name(&"m".repeat(200 + self.random.below(56) as usize));
        }
        match NAMES[self.random.below(NAMES.len() as u64) as usize] {
            "long" => name(&"n".repeat(100 + self.random.below(156) as usize)),
            short => name(short),
        }
    }

    fn metadata(&mut self) -> Metadata {
        match self.random.below(8) {
            0..4 => directory(),
            4 => link(if self.random.below(2) == 0 { "x" } else { "y" }),
            5 => Metadata::directory(Mode::new(0o700).unwrap(), at(2)),
            _ => file(&self.random.below(4).to_string()),
        }
    }
}
