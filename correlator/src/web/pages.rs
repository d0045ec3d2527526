//! The pages for those who are logged in.

use axum::{
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use bongsu_api::IncidentQuery;
use maud::Markup;

use super::{door, incident as incident_page, incidents as list_page, sensors as sensor_page};
use crate::{
    api::{self, Desk, Refusal},
    store::{ReadError, WriteError},
    view,
};

/// A refusal as a page.
pub(super) struct PageRefusal(Refusal);

impl From<Refusal> for PageRefusal {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl From<ReadError> for PageRefusal {
    fn from(error: ReadError) -> Self {
        Self(error.into())
    }
}

impl From<WriteError> for PageRefusal {
    fn from(error: WriteError) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for PageRefusal {
    fn into_response(self) -> Response {
        self.0.log();
        let status = self.0.status();
        let title = match status {
            StatusCode::NOT_FOUND => "Not found",
            StatusCode::BAD_REQUEST => "This address makes no sense",
            _ => "Something went wrong",
        };
        (status, door::trouble(title, &self.0.to_string())).into_response()
    }
}

/// The bare address shows what is open; `status=all` shows everything.
pub(super) async fn incidents(
    State(desk): State<Desk>,
    query: Result<Query<IncidentQuery>, QueryRejection>,
) -> Result<Markup, PageRefusal> {
    let Query(mut asked) = query.map_err(|rejection| Refusal::malformed(&rejection.body_text()))?;
    asked.status = match asked.status.as_deref() {
        None | Some("") => Some("open".to_owned()),
        Some("all") => None,
        Some(_) => asked.status,
    };
    let list = api::page(&desk, &asked).await?;
    let sensors = desk.store.sensors().await?.len();
    Ok(list_page::incidents(&list, &asked, sensors))
}

pub(super) async fn incident(State(desk): State<Desk>, Path(id): Path<String>) -> Result<Markup, PageRefusal> {
    Ok(incident_page::incident(&api::whole(&desk, &id).await?))
}

pub(super) async fn sensors(State(desk): State<Desk>) -> Result<Markup, PageRefusal> {
    Ok(sensor_page::sensors(&view::sensors(&desk.store, &*desk.presence).await?))
}

/// A program that asked for an address of the API gets a [`bongsu_api::Problem`], even where the API's own router is not reached.
pub(super) async fn no_such_page(uri: Uri) -> Response {
    if uri.path().starts_with("/api") {
        return api::no_such_route(uri).await.into_response();
    }
    let page = door::trouble("Not found", "There is no page at this address.");
    (StatusCode::NOT_FOUND, page).into_response()
}
