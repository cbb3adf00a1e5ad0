//! Every port in process
