//! The gate's and the dialler's halves of the transparent proxy.
