//! Which series are to be exported or deleted, as a request says it: both take the same
//! parameters, in the address or as a form.

use super::prometheus::{form, refuse};
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use metrics::api::Selection;

/// What a request chooses.
pub struct Chosen(pub Selection);

impl<S: Sync> FromRequest<S> for Chosen {
    type Rejection = Response;

    async fn from_request(request: Request, _: &S) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let form = form(&parts.headers, body).await;
        let form = form.map_err(IntoResponse::into_response)?;
        let query_string = parts.uri.query().unwrap_or_default();
        let selection = Selection::read(query_string, &form);
        selection.map(Self).map_err(refuse)
    }
}
