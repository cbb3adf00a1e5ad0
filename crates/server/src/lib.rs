//! Composition: configuration, listeners, lifecycle
