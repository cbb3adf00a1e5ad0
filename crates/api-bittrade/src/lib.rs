//! The BitTrade REST surface
