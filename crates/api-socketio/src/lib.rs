//! The Socket.IO surface
