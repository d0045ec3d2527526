//! The description of the API.

use axum::{http::header::CONTENT_TYPE, response::IntoResponse};

pub(super) async fn document() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], bongsu_api::OPENAPI)
}
