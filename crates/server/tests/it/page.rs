//! The web page: complete, and closed to what other sites put in.

use crate::site::Site;
use http::StatusCode;

#[tokio::test]
async fn every_file_the_page_names_is_there() {
    let data = tempfile::tempdir().unwrap();
    let site = Site::open(data.path());
    let mut seen = vec!["/".to_owned(), "/link".to_owned()];
    let mut next = 0;
    while let Some(path) = seen.get(next).cloned() {
        next += 1;
        let answer = site.get("", &path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        let policy = answer.header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        // The name of SVG is no address.
        let text = answer.text().replace("http://www.w3.org/2000/svg", "");
        assert!(
            !text.is_empty() && !text.contains("://"),
            "{path} works without a network"
        );
        for (_, rest) in text.match_indices("/web/").map(|(at, _)| text.split_at(at)) {
            let end = rest.find(['"', '\'', ')']).unwrap();
            if !seen.contains(&rest[..end].to_owned()) {
                seen.push(rest[..end].to_owned());
            }
        }
        assert!(
            !text.contains("<script>") && !text.contains("onclick="),
            "{path}: inline script"
        );
    }
    assert!(seen.len() >= 6, "{seen:?}");
    site.get("", "/web/../Cargo.toml")
        .await
        .assert_problem(404, "not-found");
    site.get("", "/web/nothing.js")
        .await
        .assert_problem(404, "not-found");
}
