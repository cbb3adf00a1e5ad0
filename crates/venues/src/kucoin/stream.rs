//! Streams.

use super::Dialect;
use crate::stream::Streams;

impl Streams for Dialect {}
