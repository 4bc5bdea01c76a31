//! Requests that have an answer. The shapes are those of Prometheus 2.42 and of the
//! source of 3.

use super::{ask, check, check_response};
use metrics::api::Settings;

fn success(path: &str, query_string: &str, data: &str) {
    let expected = format!("{{\"status\":\"success\",\"data\":{data}}}");
    check(path, query_string, 200, &expected);
}

/// The same with something behind the data.
fn remarked(path: &str, query_string: &str, data: &str, remarks: &str) {
    let expected = format!("{{\"status\":\"success\",\"data\":{data},{remarks}}}");
    check(path, query_string, 200, &expected);
}

const TRUNCATED: &str = r#""warnings":["results truncated due to limit"]"#;

#[test]
fn instant_queries() {
    success(
        "query",
        "query=up",
        r#"{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"a"},"value":[600,"1"]},{"metric":{"__name__":"up","job":"b"},"value":[600,"0"]}]}"#,
    );
    success(
        "query",
        "query=sum(up)&time=61.5",
        r#"{"resultType":"vector","result":[{"metric":{},"value":[61.500,"2"]}]}"#,
    );
    success(
        "query",
        "query=up&time=1970-01-02T00:00:00Z",
        r#"{"resultType":"vector","result":[]}"#,
    );
    success(
        "query",
        "query=%7B%22http.time%22%7D&time=0",
        r#"{"resultType":"vector","result":[{"metric":{"__name__":"http.time","path.name":"/\"x\""},"value":[0,"+Inf"]}]}"#,
    );
    success(
        "query",
        "query=load%5B2m%5D&time=120.001",
        r#"{"resultType":"matrix","result":[{"metric":{"__name__":"load","job":"a"},"values":[[60,"0.25"],[120,"0.5"]]}]}"#,
    );
    success(
        "query",
        "query=1e21",
        r#"{"resultType":"scalar","result":[600,"1000000000000000000000"]}"#,
    );
    success(
        "query",
        "query=vector(1e21)",
        r#"{"resultType":"vector","result":[{"metric":{},"value":[600,"1e+21"]}]}"#,
    );
    success(
        "query",
        "query=0/0",
        r#"{"resultType":"scalar","result":[600,"NaN"]}"#,
    );
    success(
        "query",
        "query=%22a%5Cn%3Cb%3E%22",
        r#"{"resultType":"string","result":[600,"a\n<b>"]}"#,
    );
    success(
        "query",
        "query='%5Cxff'",
        "{\"resultType\":\"string\",\"result\":[600,\"\u{fffd}\"]}",
    );
}

#[test]
fn range_queries() {
    success(
        "query_range",
        "query=load&start=60&end=180&step=1m",
        r#"{"resultType":"matrix","result":[{"metric":{"__name__":"load","job":"a"},"values":[[60,"0.25"],[120,"0.5"],[180,"0.75"]]}]}"#,
    );
    success(
        "query_range",
        "query=1&start=0&end=0.2&step=0.1",
        r#"{"resultType":"matrix","result":[{"metric":{},"values":[[0,"1"],[0.100,"1"],[0.200,"1"]]}]}"#,
    );
    success(
        "query_range",
        "query=none&start=0&end=1&step=1",
        r#"{"resultType":"matrix","result":[]}"#,
    );
    // As many steps as there may be.
    let response = ask(
        "query_range",
        "query=vector(1)&start=0&end=11000&step=1",
        "",
        Settings::default(),
        &|_| None,
    );
    let json: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    let values = json["data"]["result"][0]["values"].as_array().unwrap();
    assert_eq!(values.len(), 11_001);
    assert_eq!(values[11_000][0], 11_000);
}

#[test]
fn what_requests_may_say() {
    let data = r#"{"resultType":"vector","result":[]}"#;
    success(
        "query",
        "query=load&time=719.999&lookback_delta=2m",
        &data.replace(
            "[]",
            r#"[{"metric":{"__name__":"load","job":"a"},"value":[719.999,"2.5"]}]"#,
        ),
    );
    success("query", "query=load&time=720&lookback_delta=2m", data);
    success("query", "query=load&time=900&lookback_delta=0", data);
    let one = r#"{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"a"},"value":[600,"1"]}]}"#;
    remarked(
        "query",
        "query=up&limit=1&stats=all&unknown=x",
        one,
        TRUNCATED,
    );
    remarked(
        "query_range",
        "query=up&start=0&end=0&step=1&limit=1",
        r#"{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"a"},"values":[[0,"1"]]}]}"#,
        TRUNCATED,
    );
    success(
        "query",
        "query=1&limit=1",
        r#"{"resultType":"scalar","result":[600,"1"]}"#,
    );
}

#[test]
fn notes_on_answers() {
    remarked(
        "query",
        "query=rate(load%5B5m%5D)",
        r#"{"resultType":"vector","result":[{"metric":{"job":"a"},"value":[600,"0.004166666666666667"]}]}"#,
        r#""infos":["PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"load\" (1:6)"]"#,
    );
    let values: Vec<String> = (2..14)
        .map(|n| format!("quantile({n},none%2Bon()up)"))
        .collect();
    let query = format!(
        "query={}",
        values.join("%20or%20").replace("none%2Bon()up", "up")
    );
    let response = ask("query", &query, "", Settings::default(), &|_| None);
    let json: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    let warnings = json["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 11);
    assert_eq!(
        warnings[0],
        "PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)"
    );
    assert_eq!(warnings[10], "2 more warning annotations omitted");
}

#[test]
fn forms_come_first() {
    let response = ask(
        "query",
        "query=2&time=1",
        "query=1",
        Settings::default(),
        &|_| None,
    );
    let expected = r#"{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}"#;
    check_response(&response, 200, expected, "form");
}

#[test]
fn labels_and_their_values() {
    success("labels", "", r#"["__name__","job","path.name"]"#);
    success(
        "labels",
        "match%5B%5D=up&match[]=load",
        r#"["__name__","job"]"#,
    );
    success("labels", "match[]=none", "[]");
    success("labels", "start=601&end=700", "[]");
    success(
        "labels",
        "start=600&end=600",
        r#"["__name__","job","path.name"]"#,
    );
    success("labels", "start=700&end=0", "[]");
    remarked("labels", "limit=2", r#"["__name__","job"]"#, TRUNCATED);
    success("labels", "limit=3", r#"["__name__","job","path.name"]"#);
    success("label/job/values", "", r#"["a","b"]"#);
    success("label/job/values", "match[]=load", r#"["a"]"#);
    success(
        "label/job/values",
        "match[]=load&match[]=up{job=%22b%22}",
        r#"["a","b"]"#,
    );
    remarked("label/job/values", "limit=1", r#"["a"]"#, TRUNCATED);
    success("label/none/values", "", "[]");
    success("label/path%2ename/values", "", r#"["/\"x\""]"#);
    success("label/U__path_2e_name/values", "", r#"["/\"x\""]"#);
    success(
        "label/__name__/values",
        "start=-292273086-05-16T16:47:06Z&end=%2B292277025-08-18T07:12:54.999999999Z",
        r#"["http.time","load","up"]"#,
    );
}

#[test]
fn series() {
    success(
        "series",
        "match[]=up",
        r#"[{"__name__":"up","job":"a"},{"__name__":"up","job":"b"}]"#,
    );
    success(
        "series",
        "match[]=%7Bjob=%22a%22%7D&match[]=up",
        r#"[{"__name__":"load","job":"a"},{"__name__":"up","job":"a"},{"__name__":"up","job":"b"}]"#,
    );
    remarked(
        "series",
        "match[]=up&limit=1",
        r#"[{"__name__":"up","job":"a"}]"#,
        TRUNCATED,
    );
    success("series", "match[]=up&limit=0&start=9999", "[]");
}

#[test]
fn metadata() {
    let load = r#""load":[{"type":"gauge","help":"","unit":""}]"#;
    let requests = r#""requests_total":[{"type":"counter","help":"","unit":""}]"#;
    success("metadata", "", &format!("{{{load},{requests}}}"));
    success(
        "metadata",
        "limit=-1&limit_per_metric=1",
        &format!("{{{load},{requests}}}"),
    );
    success("metadata", "limit=1", &format!("{{{load}}}"));
    success("metadata", "limit=0", "{}");
    success(
        "metadata",
        "metric=requests_total",
        &format!("{{{requests}}}"),
    );
    success("metadata", "metric=none", "{}");
}

#[test]
fn the_node_itself() {
    success(
        "status/buildinfo",
        "",
        r#"{"version":"3.0.0","revision":"atoll 1.2.3","branch":"","buildUser":"","buildDate":"","goVersion":""}"#,
    );
    success(
        "status/runtimeinfo",
        "",
        r#"{"startTime":"2026-11-30T00:29:18.550Z","CWD":"","hostname":"vm","serverTime":"1970-01-01T00:10:00.000Z","reloadConfigSuccess":true,"lastConfigTime":"2026-11-30T00:29:18.550Z","corruptionCount":0,"goroutineCount":0,"GOMAXPROCS":2,"GOMEMLIMIT":0,"GOGC":"","GODEBUG":"","storageRetention":"15d"}"#,
    );
    success(
        "status/tsdb",
        "limit=1",
        r#"{"headStats":{"numSeries":4,"numLabelPairs":6,"chunkCount":5,"minTime":-1,"maxTime":600000},"seriesCountByMetricName":[{"name":"up","value":2}],"labelValueCountByLabelName":[{"name":"__name__","value":3}],"memoryInBytesByLabelName":[{"name":"__name__","value":17}],"seriesCountByLabelValuePair":[{"name":"__name__=up","value":2}]}"#,
    );
    success(
        "status/tsdb",
        "",
        r#"{"headStats":{"numSeries":4,"numLabelPairs":6,"chunkCount":5,"minTime":-1,"maxTime":600000},"seriesCountByMetricName":[{"name":"up","value":2},{"name":"load","value":1}],"labelValueCountByLabelName":[{"name":"__name__","value":3},{"name":"job","value":2}],"memoryInBytesByLabelName":[{"name":"__name__","value":17},{"name":"path.name","value":4}],"seriesCountByLabelValuePair":[{"name":"__name__=up","value":2},{"name":"path.name=/\"x\"","value":1}]}"#,
    );
}

#[test]
fn what_there_is_none_of() {
    for (path, data) in [
        ("query_exemplars", "[]"),
        ("rules", r#"{"groups":[]}"#),
        ("alerts", r#"{"alerts":[]}"#),
        (
            "targets",
            r#"{"activeTargets":[],"droppedTargets":[],"droppedTargetCounts":{}}"#,
        ),
        ("targets/metadata", "[]"),
        (
            "alertmanagers",
            r#"{"activeAlertmanagers":[],"droppedAlertmanagers":[]}"#,
        ),
        ("status/config", r#"{"yaml":""}"#),
        ("status/flags", "{}"),
    ] {
        success(path, "query=whatever&start=x", data);
    }
}

#[test]
fn queries_are_formatted() {
    success(
        "format_query",
        "query=sum(up)by(job)",
        r#""sum by (job) (up)""#,
    );
}
