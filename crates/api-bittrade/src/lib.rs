//! The BitTrade document's HTTP API.
//!
//! Every handler: extract, call one use case, render. Errors leave as `{"error": text}`
//! ([`BitTrade`]).

mod admin;
mod auth;
mod keys;
mod market;
mod profile;
mod render;
mod shape;
mod trading;

use std::sync::Arc;

use axum::Router;
use orrery_app::App;
pub use render::{balance, price_update, transaction};
pub use shape::BitTrade;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

#[derive(OpenApi)]
#[openapi(
    info(title = "Orrery", description = "One self-hosted server for people who trade and automate."),
    tags(
        (name = "auth", description = "Registration, login, sessions"),
        (name = "user", description = "Own profile and API keys"),
        (name = "market", description = "Bitcoin price, charts, sentiment"),
        (name = "trading", description = "Trades, balances, transactions"),
        (name = "admin", description = "The operator's views and corrections"),
    )
)]
struct Document;

/// The routes and the part of the OpenAPI document they make.
pub fn router() -> (Router<Arc<App>>, utoipa::openapi::OpenApi) {
    let (router, mut document) = OpenApiRouter::<Arc<App>>::with_openapi(Document::openapi())
        .routes(routes!(auth::register))
        .routes(routes!(auth::login))
        .routes(routes!(auth::verify))
        .routes(routes!(auth::logout))
        .routes(routes!(auth::setup))
        .routes(routes!(profile::get))
        .routes(routes!(profile::name))
        .routes(routes!(profile::email))
        .routes(routes!(profile::password))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::revoke))
        .routes(routes!(market::current))
        .routes(routes!(market::rates))
        .routes(routes!(market::chart))
        .routes(routes!(market::sentiment))
        .routes(routes!(market::history))
        .routes(routes!(trading::trade))
        .routes(routes!(trading::balance))
        .routes(routes!(trading::transactions))
        .routes(routes!(admin::reverse))
        .routes(routes!(admin::reconcile))
        .split_for_parts();
    document.components.get_or_insert_default().add_security_scheme(
        "bearer",
        SecurityScheme::Http(
            Http::builder().scheme(HttpAuthScheme::Bearer).description(Some("JWT or API key")).build(),
        ),
    );
    (router, document)
}
