//! A projection in a temporary folder, fed like a node feeds it. It checks
//! nothing by itself.

use base::{DeviceId, Hash, ItemId, LogId, Name, Slug, SpaceId, VersionId};
use meta::{Metadata, Mode, Target, Timestamp};
use state::{
    Base, Body, Change, Command, Commit, Label, Outcome, Parent, Projection, Reader, Reply, Role,
    TokenHash,
};

pub const LOG: LogId = LogId::from_u64(7);

pub struct Site {
    pub projection: Projection,
    pub reader: Reader,
    pub folder: tempfile::TempDir,
    pub time: u64,
}

impl Site {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let projection = Projection::create(&folder.path().join("state.db"), LOG).unwrap();
        Self {
            reader: projection.reader().unwrap(),
            projection,
            folder,
            time: 1_000_000,
        }
    }

    /// Applies one command as the next entry.
    pub fn run(&mut self, command: &Command) -> Reply {
        let index = self.projection.applied() + 1;
        let bytes = command.encode().unwrap();
        let mut applied = self.projection.apply([(index, bytes.as_slice())]).unwrap();
        assert_eq!(applied.len(), 1);
        applied.remove(0).reply
    }

    /// Applies a command without deduplication.
    pub fn ask(&mut self, device: DeviceId, body: Body) -> Reply {
        let time = self.time;
        self.run(&command(device, 0, 0, time, body))
    }

    pub fn commit(
        &mut self,
        device: DeviceId,
        space: SpaceId,
        changes: Vec<Change>,
    ) -> Vec<Outcome> {
        match self.ask(device, Body::Commit(Commit { space, changes })) {
            Reply::Commit(outcomes) => outcomes,
            other => panic!("{other:?}"),
        }
    }

    /// Applies one change as the administrator.
    pub fn change(&mut self, space: SpaceId, change: Change) -> Outcome {
        self.commit(DeviceId::ADMIN, space, vec![change]).remove(0)
    }

    /// Applies a change that must succeed.
    pub fn committed(&mut self, space: SpaceId, change: Change) -> VersionId {
        match self.change(space, change) {
            Outcome::Committed(id) => id,
            other => panic!("{other:?}"),
        }
    }

    pub fn space(&mut self, slug: &str) -> SpaceId {
        match self.ask(DeviceId::ADMIN, create_space(slug)) {
            Reply::Space { id, .. } => id,
            other => panic!("{other:?}"),
        }
    }

    pub fn device(&mut self, name: &str, grants: &[(SpaceId, Role)]) -> DeviceId {
        let body = Body::RegisterLocal {
            device_token: TokenHash::of(name),
            name: Label::new(name).unwrap(),
            grants: grants.to_vec(),
        };
        match self.ask(DeviceId::ADMIN, body) {
            Reply::Registered { device } => device,
            other => panic!("{other:?}"),
        }
    }
}

pub fn command(device: DeviceId, stream: u64, sequence: u64, time: u64, body: Body) -> Command {
    Command {
        device,
        stream,
        sequence,
        time,
        body,
    }
}

pub fn create_space(slug: &str) -> Body {
    Body::CreateSpace {
        slug: Slug::new(slug).unwrap(),
        root: directory(),
    }
}

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::new(seconds, 5).unwrap()
}

pub fn file(content: &str) -> Metadata {
    let size = content.len() as u64;
    Metadata::file(Hash::of(content.as_bytes()), size, Mode::FILE, at(1)).unwrap()
}

pub fn directory() -> Metadata {
    Metadata::directory(Mode::DIRECTORY, at(1))
}

pub fn link(target: &str) -> Metadata {
    Metadata::symlink(Target::new(target).unwrap(), at(1))
}

pub fn root(space: SpaceId) -> Parent {
    Parent::Item(ItemId::root_of(space))
}

pub fn create(parent: Parent, text: &str, metadata: Metadata) -> Change {
    Change::Put {
        base: Base::Absent {
            parent,
            name: name(text),
        },
        metadata,
        conflict_of: None,
    }
}

pub fn update(base: VersionId, metadata: Metadata) -> Change {
    Change::Put {
        base: Base::Version(base),
        metadata,
        conflict_of: None,
    }
}

pub fn move_to(base: VersionId, parent: Parent, text: &str) -> Change {
    Change::Move {
        base,
        parent,
        name: name(text),
    }
}

pub fn delete(base: VersionId) -> Change {
    Change::Delete { base }
}
