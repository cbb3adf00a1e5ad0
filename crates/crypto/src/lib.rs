//! Passwords, tokens and signatures
