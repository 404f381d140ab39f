//! A sealed lab: namespaces that play the host and the internet.
