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

#[tokio::test]
async fn folders_around_and_in_the_nodes_data_are_refused() {
    let above = tempfile::tempdir().unwrap();
    let data = above.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let site = Site::open(&data);
    let link = above.path().join("link");
    std::os::unix::fs::symlink(&data, &link).unwrap();
    for path in [
        above.path().to_owned(),
        data.clone(),
        data.join("blobs"),
        data.join("new/folder"),
        link.join("new"),
    ] {
        let answer = site
            .post(&site.admin(), "/api/folders", json!({ "path": path }))
            .await;
        answer.assert_problem(409, "refused");
        assert!(answer.text().contains("--data"), "{}", answer.text());
    }
    assert!(!data.join("new").exists());
    assert!(!above.path().join(".atoll").exists());
}

#[tokio::test]
async fn a_folder_whose_marker_is_gone_is_not_begun_anew() {
    let (_data, site, space) = Site::fresh().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap().join("f");
    let known = server::node::Folder {
        path: path.clone(),
        space: space.to_u64(),
    };
    site.node.remember_folder(known).unwrap();
    let add = async || {
        let wanted = json!({ "path": path });
        site.post(&site.admin(), "/api/folders", wanted).await
    };
    add().await.assert_problem(409, "refused");
    assert!(!path.exists());
    std::fs::create_dir(&path).unwrap();
    let answer = add().await;
    answer.assert_problem(409, "refused");
    assert!(answer.text().contains("space `s`"), "{}", answer.text());
    assert!(!path.join(".atoll").exists());
}
