//! The node's own folders: what is refused before any client starts.

use crate::site::Site;
use serde_json::json;

#[tokio::test]
async fn folders_that_cannot_be_added() {
    let data = tempfile::tempdir().unwrap();
    let site = Site::open(data.path());
    let admin = site.admin();
    let add = async |path: &std::path::Path| {
        site.post(&admin, "/api/folders", json!({ "path": path }))
            .await
    };
    add(std::path::Path::new("relative"))
        .await
        .assert_problem(400, "malformed");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    add(&file).await.assert_problem(409, "refused");

    std::fs::create_dir(folder.path().join(".atoll")).unwrap();
    let marker = json!({
        "site": "00000000000000ff", "node": "lagoon", "space": "1", "slug": "s",
        "server": "http://elsewhere:1",
    });
    std::fs::write(folder.path().join(".atoll/marker.json"), marker.to_string()).unwrap();
    let held = add(folder.path()).await;
    held.assert_problem(409, "refused");
    assert!(held.text().contains("lagoon"), "{}", held.text());
    assert_eq!(
        site.get(&admin, "/api/spaces").await.json()["items"],
        json!([])
    );
}
