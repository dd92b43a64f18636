//! A security layer for MCP tool servers.
#![forbid(unsafe_code)]

// Floor 0: values.
pub mod call;
pub mod clock;
pub mod secret;

// Floor 1: bytes.
pub mod digest;
pub mod sign;
