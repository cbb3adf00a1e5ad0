//! The BitTrade document's HTTP API.
//!
//! Every handler: extract, call one use case, render. Errors leave as `{"error": text}`
//! ([`BitTrade`]).

mod admin;
mod auth;
mod export;
mod fields;
mod house;
mod keys;
mod loans;
mod market;
mod orders;
mod plans;
mod profile;
mod render;
mod shape;
mod trading;
mod transfers;

use std::sync::Arc;

use axum::Router;
pub use house::{metrics_body, plans_reply, settings_body, transactions_reply, users_reply};
use orrery_app::App;
pub use render::{balance, plans, price_update, transaction};
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
        (name = "plans", description = "Plans that trade by themselves"),
        (name = "loans", description = "Loans against bitcoin"),
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
        .routes(routes!(export::export))
        .routes(routes!(orders::place))
        .routes(routes!(orders::cancel))
        .routes(routes!(transfers::send))
        .routes(routes!(transfers::withdraw))
        .routes(routes!(plans::list, plans::create))
        .routes(routes!(plans::status))
        .routes(routes!(plans::delete))
        .routes(routes!(loans::deposit_collateral))
        .routes(routes!(loans::add_collateral))
        .routes(routes!(loans::release_collateral))
        .routes(routes!(loans::borrow))
        .routes(routes!(loans::repay))
        .routes(routes!(loans::partial_liquidation))
        .routes(routes!(loans::full_liquidation))
        .routes(routes!(loans::status))
        .routes(routes!(loans::history))
        .routes(routes!(loans::risk))
        .routes(routes!(house::users))
        .routes(routes!(house::delete_user))
        .routes(routes!(house::set_password))
        .routes(routes!(house::set_role))
        .routes(routes!(house::deposit_cash))
        .routes(routes!(house::deposit_bitcoin))
        .routes(routes!(house::withdraw_cash))
        .routes(routes!(house::withdraw_bitcoin))
        .routes(routes!(house::transactions))
        .routes(routes!(house::plans))
        .routes(routes!(house::total_balance))
        .routes(routes!(house::metrics))
        .routes(routes!(house::settings, house::change_settings))
        .routes(routes!(house::treasury))
        .routes(routes!(house::fund_treasury))
        .routes(routes!(house::write_off))
        .routes(routes!(house::withdrawals))
        .routes(routes!(house::pay_withdrawal))
        .routes(routes!(house::reject_withdrawal))
        .routes(routes!(house::audit))
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
