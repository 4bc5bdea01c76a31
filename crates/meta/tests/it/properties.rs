//! What holds for every tree and every text; a failure prints the input, shrunk.

use meta::Timestamp;
use meta::text::{
    Comment, Document, Entry, Float, Integer, Item, List, Mapping, Node, Notes, Scalar, Source,
    Span, Tree, Value, parse, print,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

fn comment() -> impl Strategy<Value = Comment<'static>> {
    "#( ?[a-z:\"#é-]{1,6}){0,2}".prop_map(|text| Comment::new(text).unwrap())
}

fn notes() -> impl Strategy<Value = Notes<'static>> {
    prop_oneof![
        3 => Just(Notes::default()),
        1 => (vec(comment(), 0..3), option::of(comment()))
            .prop_map(|(before, after)| Notes::new(before, after)),
    ]
}

fn scalar() -> impl Strategy<Value = Scalar<'static>> {
    prop_oneof![
        any::<String>().prop_map(|text| Scalar::Text(text.into())),
        any::<u64>().prop_map(|n| Scalar::Integer(n.into())),
        any::<i64>().prop_map(|n| Scalar::Integer(Integer::from(n))),
        any::<f64>().prop_filter_map("finite", |n| Float::new(n).map(Scalar::Float)),
        any::<bool>().prop_map(Scalar::Boolean),
        (any::<i64>(), 0..1_000_000_000_u32)
            .prop_map(|(s, ns)| Scalar::Timestamp(Timestamp::new(s, ns).unwrap())),
        (-1_000_000_000_000..1_000_000_000_000_i64)
            .prop_map(|s| Scalar::Timestamp(Timestamp::new(s, 0).unwrap())),
    ]
}

/// A mapping of at least one entry over values.
fn mapping(value: BoxedStrategy<Node<'static>>) -> impl Strategy<Value = Mapping<'static>> {
    let key = prop_oneof!["[a-z_][a-z0-9_.-]{0,4}", any::<String>()];
    let entries = btree_map(key, (value, notes()), 1..6);
    (entries, vec(comment(), 0..2)).prop_map(|(entries, end)| {
        let entry = |(key, (node, notes)): (String, (Node<'static>, _))| Entry {
            notes,
            ..Entry::new(key, node)
        };
        Mapping {
            entries: entries.into_iter().map(entry).collect(),
            end,
        }
    })
}

fn list(value: BoxedStrategy<Node<'static>>) -> impl Strategy<Value = List<'static>> {
    let items = vec((value, notes()), 1..5);
    (items, vec(comment(), 0..2)).prop_map(|(items, end)| {
        let item = |(node, notes)| Item {
            value: Value::from(node),
            notes,
        };
        List {
            items: items.into_iter().map(item).collect(),
            end,
        }
    })
}

fn node() -> BoxedStrategy<Node<'static>> {
    let leaf = prop_oneof![
        8 => scalar().prop_map(Node::from),
        1 => Just(Node::from(List::default())),
        1 => Just(Node::from(Mapping::default())),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            mapping(inner.clone()).prop_map(Node::from),
            list(inner).prop_map(Node::from),
        ]
    })
    .boxed()
}

fn tree() -> impl Strategy<Value = Tree<'static>> {
    let document = mapping(node()).prop_map(|root| Document { root });
    let documents = vec(document, 1..4).prop_map(|documents| Tree {
        documents,
        comments: Vec::new(),
    });
    let comments = vec(comment(), 0..3).prop_map(|comments| Tree {
        documents: Vec::new(),
        comments,
    });
    prop_oneof![9 => documents, 1 => comments]
}

/// Pieces of the language in an order of their own.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => prop::sample::select(vec![
            "\n", "\n  ", "\n    ", "\n      ", "\r\n", "\t", " ", "- ", "-", "---", "---\n",
            "a:", "b: ", "\"k\": ", "a: 1\n", "- 1\n", "- b: 2\n", "[]", "{}", "[", "{", ":",
            "true", "1", "-2.5e3", "2026-11-20T15:30:00Z", "\"x\"", "\"\\n", "\"", "\\u{41}",
            "# c", "# c\n", "#", "\u{feff}", "é", "\u{7f}", "\r",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn check_spans(tree: &Tree<'_>, text: &str) {
    let check = |span: Span| {
        let inside = text.get(span.start as usize..span.end as usize);
        assert!(inside.is_some_and(|it| !it.is_empty()), "{span:?}");
    };
    let mut mappings: Vec<&Mapping<'_>> = tree.documents.iter().map(|it| &it.root).collect();
    let mut values = Vec::new();
    loop {
        if let Some(mapping) = mappings.pop() {
            for entry in &mapping.entries {
                check(entry.key.span);
                values.push(&entry.value);
            }
        } else if let Some(value) = values.pop() {
            check(value.span);
            match &value.node {
                Node::Scalar(_) => {}
                Node::Mapping(mapping) => mappings.push(mapping),
                Node::List(list) => values.extend(list.items.iter().map(|item| &item.value)),
            }
        } else {
            break;
        }
    }
}

proptest! {
    #[test]
    fn what_is_printed_is_read_as_it_was(tree in tree()) {
        let text = print(&tree);
        let parsed = parse(Source::new(text.as_bytes()).unwrap());
        prop_assert_eq!(&parsed.problems, &Vec::new(), "{}", text);
        prop_assert_eq!(&parsed.tree, &tree, "{}", text);
        check_spans(&parsed.tree, &text);
    }

    #[test]
    fn what_was_understood_is_printed_the_same_for_ever(text in text()) {
        let parsed = parse(Source::new(text.as_bytes()).unwrap());
        check_spans(&parsed.tree, &text);
        for problem in &parsed.problems {
            let (start, end) = (problem.span.start as usize, problem.span.end as usize);
            prop_assert!(text.get(start..end).is_some());
            prop_assert!(problem.marked.end <= problem.excerpt.chars().count());
        }
        let printed = print(&parsed.tree);
        let again = parse(Source::new(printed.as_bytes()).unwrap());
        prop_assert_eq!(&again.tree, &parsed.tree, "{}", printed);
        prop_assert_eq!(print(&again.tree), printed);
    }

    #[test]
    fn any_bytes_are_answered(bytes in vec(any::<u8>(), 0..300)) {
        match Source::new(&bytes) {
            Ok(source) => drop(parse(source)),
            Err(problem) => prop_assert!(problem.span.end as usize <= bytes.len()),
        }
    }
}
