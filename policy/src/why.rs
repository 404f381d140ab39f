//! Why is a destination allowed or denied, and what is the smallest edit that would change the answer?
