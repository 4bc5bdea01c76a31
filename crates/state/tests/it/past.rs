//! The tree as it was, against trees that were written down at the time.

use crate::site::{Site, create, delete, directory, file, move_to, name, root, update};
use base::{DeviceId, ItemId, Name, Random, SeededRandom, SpaceId, VersionId};
use state::{Outcome, Parent, Reader};
use std::collections::BTreeMap;

/// Every version of a tree, by path.
type Tree = BTreeMap<String, VersionId>;

fn written_down(reader: &Reader, space: SpaceId) -> Tree {
    let mut tree = Tree::new();
    let mut open = vec![(String::new(), ItemId::root_of(space))];
    while let Some((path, parent)) = open.pop() {
        for child in reader.children(parent, None, 100).unwrap() {
            let path = format!("{path}/{}", child.name);
            if child.is_directory() {
                open.push((path.clone(), child.id.item));
            }
            tree.insert(path, child.id);
        }
    }
    tree
}

fn remembered(reader: &Reader, space: SpaceId, time: u64) -> Tree {
    let root = ItemId::root_of(space);
    let entries = reader.tree_at(space, root, time, 1000).unwrap().unwrap();
    let mut paths = BTreeMap::from([(root, String::new())]);
    let mut tree = Tree::new();
    for entry in entries {
        let version = reader.past_version(space, entry).unwrap().unwrap();
        let path = format!("{}/{}", paths[&entry.parent], version.name);
        paths.insert(entry.item, path.clone());
        tree.insert(path, version.id);
    }
    tree
}

fn names(path: &str) -> Vec<Name> {
    path.split('/')
        .filter(|text| !text.is_empty())
        .map(name)
        .collect()
}

#[test]
fn any_moment_comes_back_as_it_was() {
    for seed in 0..8 {
        let random = SeededRandom::new(seed);
        let pick = |count: usize| (random.next_u64() % count as u64) as usize;
        let mut site = Site::new();
        let space = site.space("work");
        let mut moments = Vec::new();
        for step in 0..120 {
            site.time += 1000;
            let known: Vec<VersionId> = written_down(&site.reader, space).into_values().collect();
            let some = (!known.is_empty()).then(|| known[pick(known.len())]);
            let parent = some.map_or(root(space), |id| Parent::Item(id.item));
            let text = ["a", "b", "c"][pick(3)];
            let content = format!("{step}");
            let change = match (pick(5), some) {
                (0, Some(id)) => delete(id),
                (1, Some(id)) => {
                    let to = Parent::Item(known[pick(known.len())].item);
                    move_to(id, to, text)
                }
                (2, Some(id)) => update(id, file(&content)),
                (3, _) => create(parent, text, directory()),
                _ => create(root(space), text, file(&content)),
            };
            let _: Vec<Outcome> = site.commit(DeviceId::ADMIN, space, vec![change]);
            moments.push((site.time, written_down(&site.reader, space)));
        }
        for (time, tree) in moments {
            assert_eq!(
                remembered(&site.reader, space, time),
                tree,
                "seed {seed} at {time}"
            );
            for (path, id) in &tree {
                let found = site.reader.resolve_at(space, &names(path), time).unwrap();
                let found = found.map(|version| version.id);
                assert_eq!(found, Some(*id), "seed {seed}: {path} at {time}");
                let ever = site.reader.path_history(space, &names(path), 1000).unwrap();
                assert!(
                    ever.iter().any(|version| version.id == *id),
                    "seed {seed}: {path} ever"
                );
            }
        }
    }
}

#[test]
fn a_path_has_the_history_of_all_that_stood_there() {
    let mut site = Site::new();
    let space = site.space("work");
    let other = site.space("other");
    let d = site.committed(space, create(root(space), "d", directory()));
    let first = site.committed(space, create(Parent::Item(d.item), "a", file("1")));
    let gone = site.committed(space, delete(first));
    let dressed = site.committed(space, create(Parent::Item(d.item), "a", directory()));
    let elsewhere = site.committed(space, create(root(space), "a", file("2")));
    let history = |space, path: &str, limit| -> Vec<VersionId> {
        let versions = site.reader.path_history(space, &names(path), limit);
        versions.unwrap().iter().map(|version| version.id).collect()
    };
    assert_eq!(history(space, "d/a", 10), [dressed, gone, first]);
    assert_eq!(history(space, "d/a", 2), [dressed, gone]);
    assert_eq!(history(space, "a", 10), [elsewhere]);
    assert_eq!(history(space, "d/x", 10), []);
    assert_eq!(history(other, "d/a", 10), []);
    assert_eq!(history(space, "", 10).len(), 1);
    let whole = site.reader.tree_at(space, d.item, u64::MAX, 4).unwrap();
    assert_eq!(whole.unwrap().len(), 1);
    let bounded = site.reader.tree_at(space, d.item, u64::MAX, 3).unwrap();
    assert_eq!(bounded, None);
}
