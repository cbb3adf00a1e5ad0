//! The methods over HTTP.

use super::Dialect;
use crate::methods::Connector;

impl Connector for Dialect {}
