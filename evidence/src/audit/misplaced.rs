//! Why may an entry not stand where it stands?

/// Why an entry may not stand where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// An entry that belongs to a run, outside of every run.
    #[error("this entry belongs to a run, and none is open")]
    OutsideRun,
    /// A run begins while another is open.
    #[error("a run begins although the one before has no end and was not recovered")]
    RunInsideRun,
    /// A second run with the same id.
    #[error("a second run with the id of an earlier one")]
    RunRepeated,
    /// A second decision with the same attempt number.
    #[error("a second decision for attempt {0}")]
    DecisionRepeated(u64),
    /// A decision by another policy than the run's.
    #[error("attempt {0} was decided by another policy than the one the run started with")]
    OtherPolicy(u64),
    /// An outcome of an attempt that was never judged.
    #[error("an outcome of attempt {0}, which has no decision")]
    OutcomeWithoutDecision(u64),
    /// A second outcome of one attempt.
    #[error("a second outcome of attempt {0}")]
    OutcomeRepeated(u64),
    /// An outcome without amounts, although somebody was left to say them.
    #[error("the outcome of attempt {0} leaves out what passed, which only a cut one may, and only as a whole")]
    Uncounted(u64),
    /// A second connection from outside with the same number.
    #[error("a second inbound connection {0}")]
    InboundRepeated(u64),
    /// An outcome of a connection from outside that never began.
    #[error("an outcome of inbound connection {0}, which never began")]
    InboundOutcomeAlone(u64),
    /// A second outcome of one connection from outside.
    #[error("a second outcome of inbound connection {0}")]
    InboundOutcomeRepeated(u64),
    /// An outcome without amounts, although somebody was left to say them.
    #[error(
        "the outcome of inbound connection {0} leaves out what passed, which only a cut one may, and only as a whole"
    )]
    InboundUncounted(u64),
    /// It was attested again although its binding held no more.
    #[error("the run was attested again after it had drifted")]
    RenewedAfterDrift,
    /// `run.end` says another number of lines.
    #[error("run.end counts {said} lines, and there are {counted}")]
    WrongCount {
        /// What it says.
        said: u64,
        /// What is there.
        counted: u64,
    },
    /// `run.end` names another head.
    #[error("run.end names another head than the line before it")]
    WrongHead,
    /// `run.end` names another command.
    #[error("run.end names another command than the one the run started with")]
    OtherCommand,
    /// `run.end` has other rows than its entries add up to.
    #[error("run.end's rows per host are not what its entries add up to{}", row_hint(.0))]
    WrongHosts(Option<usize>),
    /// `run.end` says a part of what became of the packets that opened a connection.
    #[error("run.end says what was opened, answered or undecided, and not all three")]
    OpenedInPart,
    /// `run.end` leaves more or fewer of them undecided than there are.
    #[error("run.end leaves {said} opened connections undecided, and by its counts and the decisions it is {counted}")]
    WrongUndecided {
        /// What it says.
        said: u64,
        /// What its counts and the decisions leave.
        counted: u64,
    },
    /// `torn` says another number of unsealed lines.
    #[error("torn says that {said} lines were unsealed, and there are {counted}")]
    WrongUnsealed {
        /// What it says.
        said: u64,
        /// What is there.
        counted: u64,
    },
    /// The log goes on in another file although lines of this one are not signed for.
    #[error("another file of the log begins, and no seal signs for the end of the one before")]
    SegmentUnsealed,
    /// The file has another number than the one that comes next.
    #[error("this begins file {said} of the log, and file {counted} comes next")]
    WrongSegment {
        /// What it says.
        said: u64,
        /// What comes next.
        counted: u64,
    },
    /// A seal with no line to sign for.
    #[error("a seal with nothing to sign for")]
    NothingToSeal,
}

fn row_hint(row: &Option<usize>) -> String {
    row.map_or(String::new(), |row| format!(", from row {row} on"))
}
