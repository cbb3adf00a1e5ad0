//! Wire types and codecs of every surface
