//! The way to exchanges, beside stand-ins for them.

mod requests;
mod streams;
mod support;
