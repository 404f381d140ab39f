//! Programs that the types refuse: a start without a binding, a dial without a record. They lie below `tests/`.
