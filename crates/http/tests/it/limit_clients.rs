//! Many clients, many threads, other rules: what a [`Limiter`] promises.

use httpd::limit::{Client, Decision, LimitError, Limiter, LimiterSize, Quota, Rules};
use std::net::IpAddr;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const NOW: Duration = Duration::from_secs(1000);

fn rules(routes: &[(&str, &str)]) -> Rules {
    let limit = |text: &str| httpd::limit::Limit::parse(text).unwrap();
    Rules {
        default: None,
        routes: routes
            .iter()
            .map(|(name, text)| ((*name).to_owned(), limit(text)))
            .collect(),
    }
}

fn limiter(routes: &[(&str, &str)]) -> Limiter {
    Limiter::new(&["a", "b"], &rules(routes), LimiterSize::default()).unwrap()
}

#[test]
fn clients_and_routes_are_counted_apart() {
    let limiter = limiter(&[("a", "1 per 1s")]);
    let (a, b) = (limiter.route("a").unwrap(), limiter.route("b").unwrap());
    let ask = |client, route| {
        limiter
            .take(Client::Known(client), route, 1, NOW)
            .is_allowed()
    };
    assert!(ask(1, a) && !ask(1, a));
    assert!(ask(2, a));
    assert_eq!(
        limiter.take(Client::Known(1), b, 1, NOW),
        Decision::Unlimited
    );
    assert_eq!(limiter.route("c"), None);
    assert_eq!(limiter.name(b), "b");
    let stats = limiter.stats();
    assert_eq!((stats.clients, stats.allowed, stats.refused), (2, 2, 1));
}

#[test]
fn addresses_are_those_of_one_customer() {
    let at = |text: &str| Client::at(text.parse::<IpAddr>().unwrap());
    assert_eq!(at("2001:db8:1:2::1"), at("2001:db8:1:2:ffff::9"));
    assert_ne!(at("2001:db8:1:2::1"), at("2001:db8:1:3::1"));
    assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"));
    assert_ne!(at("192.0.2.1"), at("192.0.2.2"));
}

/// Sixteen threads that all ask at one moment get what one would.
#[test]
fn threads_together_get_no_more_than_one() {
    const THREADS: usize = 16;
    for rule in ["500 per 1m", "1 per 1d burst 500"] {
        let limiter = limiter(&[("a", rule)]);
        let route = limiter.route("a").unwrap();
        let (allowed, start) = (AtomicU32::new(0), Barrier::new(THREADS));
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    start.wait();
                    for _ in 0..100 {
                        if limiter.take(Client::Known(7), route, 1, NOW).is_allowed() {
                            allowed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(allowed.into_inner(), 500, "{rule}");
        assert_eq!(limiter.stats().refused, 1600 - 500, "{rule}");
    }
}

/// A hundred thousand addresses cost no more room than there is, and one that
/// keeps asking is not forgotten among them.
#[test]
fn a_flood_of_clients_is_bounded() {
    let size = LimiterSize {
        shards: 4,
        clients: 1000,
        memory: 150_000,
    };
    let rules = rules(&[("a", "20 per 1d"), ("b", "none")]);
    let limiter = Limiter::new(&["a", "b"], &rules, size).unwrap();
    let route = limiter.route("a").unwrap();
    let mut allowed = 0;
    for client in 0..100_000u128 {
        limiter.take(
            Client::Known(client),
            route,
            1,
            NOW + Duration::from_micros(client as u64),
        );
        if client % 50 == 0
            && limiter
                .take(Client::Known(u128::MAX), route, 1, NOW)
                .is_allowed()
        {
            allowed += 1;
        }
    }
    let stats = limiter.stats();
    assert_eq!(allowed, 20);
    assert!(
        stats.clients <= size.clients && stats.memory <= size.memory,
        "{stats:?}"
    );
    assert!(stats.evicted > 90_000, "{stats:?}");
}

#[test]
fn rules_change_while_counting() {
    let limiter = limiter(&[("a", "3 per 1m")]);
    let route = limiter.route("a").unwrap();
    let ask = || limiter.take(Client::Known(1), route, 1, NOW).is_allowed();
    assert!(ask() && ask());
    limiter.reload(&rules(&[("a", "2 per 1m")])).unwrap();
    assert!(!ask(), "what was used stays used");
    limiter.reload(&rules(&[("a", "4 per 1m")])).unwrap();
    assert!(ask() && ask() && !ask());
    limiter
        .reload(&rules(&[("a", "1 per 1s burst 1")]))
        .unwrap();
    assert!(ask() && !ask());
    let error = limiter.reload(&rules(&[("typo", "1 per 1s")])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no route is called \"typo\"; there are: a, b"
    );
    assert!(!ask(), "the former rules stay");
    limiter.reload(&Rules::default()).unwrap();
    assert!(ask() && ask());
}

#[test]
fn names_fit_in_headers() {
    let make = |name: &str| Limiter::new(&[name], &Rules::default(), LimiterSize::default());
    assert!(make("POST/api-v1_x.y").is_ok());
    assert_eq!(
        make("a\"b").unwrap_err(),
        LimitError::RouteName("a\"b".to_owned())
    );
}
