//! The addresses of the API, below `/api/v1/`.

use super::error::ApiError;
use super::form::decode_path;

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// `query`
    Query,
    /// `query_range`
    QueryRange,
    /// `query_exemplars`, of which there are none
    QueryExemplars,
    /// `format_query`
    FormatQuery,
    /// `labels`
    Labels,
    /// `label/{name}/values`, with the name as it is in the path but for its percent
    /// signs
    LabelValues(String),
    /// `series`
    Series,
    /// `metadata`
    Metadata,
    /// `status/buildinfo`
    BuildInfo,
    /// `status/runtimeinfo`
    RuntimeInfo,
    /// `status/tsdb`
    StoreStatus,
    /// What Prometheus has and this has not. Dashboards ask all the same, so they are
    /// told that there is none of it, in its own shape: this JSON.
    Nothing(&'static str),
}

/// What there is none of.
const NOTHING: [(&str, &str); 7] = [
    ("rules", "{\"groups\":[]}"),
    ("alerts", "{\"alerts\":[]}"),
    (
        "targets",
        "{\"activeTargets\":[],\"droppedTargets\":[],\"droppedTargetCounts\":{}}",
    ),
    ("targets/metadata", "[]"),
    (
        "alertmanagers",
        "{\"activeAlertmanagers\":[],\"droppedAlertmanagers\":[]}",
    ),
    ("status/config", "{\"yaml\":\"\"}"),
    ("status/flags", "{}"),
];

impl Endpoint {
    /// The endpoint of a path below `/api/v1/`, with its percent signs as they were sent.
    ///
    /// # Errors
    /// [`ApiError::NoEndpoint`], and paths that cannot be decoded.
    pub fn at(path: &str) -> Result<Self, ApiError> {
        Ok(match path {
            "query" => Self::Query,
            "query_range" => Self::QueryRange,
            "query_exemplars" => Self::QueryExemplars,
            "format_query" => Self::FormatQuery,
            "labels" => Self::Labels,
            "series" => Self::Series,
            "metadata" => Self::Metadata,
            "status/buildinfo" => Self::BuildInfo,
            "status/runtimeinfo" => Self::RuntimeInfo,
            "status/tsdb" => Self::StoreStatus,
            _ => return Self::other(path),
        })
    }

    /// Whether parameters may come as a form, by POST; all may come by GET.
    pub fn takes_forms(&self) -> bool {
        match self {
            Self::Query
            | Self::QueryRange
            | Self::QueryExemplars
            | Self::FormatQuery
            | Self::Labels
            | Self::Series => true,
            Self::LabelValues(_)
            | Self::Metadata
            | Self::BuildInfo
            | Self::RuntimeInfo
            | Self::StoreStatus
            | Self::Nothing(_) => false,
        }
    }

    fn other(path: &str) -> Result<Self, ApiError> {
        let mut nothing = NOTHING.iter();
        if let Some((_, data)) = nothing.find(|(name, _)| *name == path) {
            return Ok(Self::Nothing(data));
        }
        let name = path.strip_prefix("label/");
        let name = name.and_then(|rest| rest.strip_suffix("/values"));
        match name.filter(|name| !name.contains('/')) {
            Some(name) => Ok(Self::LabelValues(decode_path(name)?)),
            None => Err(ApiError::NoEndpoint(path.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn paths_of_labels() {
        let check = |path, expected: Result<&str, &str>| {
            let found = Endpoint::at(path).map_err(|error| error.to_string());
            let expected = expected.map(|name| Endpoint::LabelValues(name.to_owned()));
            assert_eq!(found, expected.map_err(str::to_owned), "{path}");
        };
        check("label/job/values", Ok("job"));
        check("label/a%2Fb+c%20d/values", Ok("a/b+c d"));
        check("label//values", Ok(""));
        check(
            "label/a/b/values",
            Err("there is no endpoint \"label/a/b/values\""),
        );
        check("label/job", Err("there is no endpoint \"label/job\""));
        let escape = "error parsing form values: invalid URL escape \"%zz\"";
        check("label/%zz/values", Err(escape));
    }
}
