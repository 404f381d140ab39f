//! How does a client have a process in a bottle? It brings the pipes or takes the terminal, forwards signals, and waits for the end.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use super::message::{ExecRequest, Further, Told};
use crate::async_channel::AsyncChannel;
use crate::control::{Line, LineError, Refusal};
use crate::init::message::End;
use crate::init::plan::Window;
use crate::options::Stdio;
use crate::outcome::Status;
use crate::records::Known;
use crate::signal::Signal;
use crate::supervisor::signals::{Arrived, Signals};
use crate::supervisor::stdio::{Relays, Streams};
use crate::supervisor::terminal::{self, Terminal};

/// How long a bottle may take until it runs: it may be measured meanwhile.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long it may still take when somebody has signalled: what runs by then is to hear the signal itself.
const ANSWER: Duration = Duration::from_secs(1);

/// What is to run in a bottle beside its first process.
#[derive(Clone, Debug)]
pub struct ExecOptions {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Variables beside those that the first process got.
    pub env: Vec<(String, String)>,
    /// The working directory inside; by default the first process's.
    pub workdir: Option<PathBuf>,
    /// Uid and gid inside; by default the first process's.
    pub user: Option<String>,
    /// What its standard streams are.
    pub stdio: Stdio,
}

/// Why there is no exit code.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// The bottle can't be asked, or said no.
    #[error(transparent)]
    Line(#[from] LineError),
    /// The bottle ended.
    #[error("the bottle ended, and the command with it")]
    Over,
    /// Its output could not be written.
    #[error("the command ran and ended with {code}, but not all that it wrote could be written")]
    Unwritten {
        /// The command's own exit code.
        code: u8,
        /// Why not.
        source: io::Error,
    },
    /// Something of our own failed.
    #[error("cannot {step}")]
    Step {
        /// Which step.
        step: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

impl ExecError {
    /// 126 and 127 as `run` has them, 137 where the bottle's end killed it, 125 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            ExecError::Line(LineError::Refused(refusal)) => refusal.code,
            ExecError::Over => 137,
            _ => 125,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            ExecError::Line(error) => error.hint(),
            _ => None,
        }
    }
}

fn step(step: &'static str) -> impl FnOnce(io::Error) -> ExecError {
    move |source| ExecError::Step { step, source }
}

/// Runs a command in a bottle that runs, and waits for its end.
pub fn exec(known: &Known, options: ExecOptions) -> Result<Status, ExecError> {
    let tokio =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(step("start the event loop"))?;
    let result = tokio.block_on(converse(known, options));
    tokio.shutdown_background();
    result
}

/// What the process writes to.
enum Output {
    Relays(Relays),
    Terminal { copied: Terminal, master: OwnedFd },
}

async fn converse(known: &Known, options: ExecOptions) -> Result<Status, ExecError> {
    let mut signals = Signals::listen().map_err(step("take over signals"))?;
    let streams = match options.stdio {
        Stdio::Terminal => None,
        stdio => Some(Streams::open(stdio == Stdio::Interactive).map_err(step("prepare the standard streams"))?),
    };
    let ends: Vec<BorrowedFd<'_>> = streams.iter().flat_map(|streams| &streams.ends).map(AsFd::as_fd).collect();
    let line = Line::to(known)?.enter(request(options), &ends)?;
    let channel = AsyncChannel::new(line).map_err(step("hear the bottle"))?;
    let (told, master, signalled) = match begun(known, &channel, &mut signals).await? {
        Begun::Told(told, descriptors, signalled) => (told, descriptors, signalled),
        Begun::GivenUp(signal) => return Ok(Status::Signalled(signal)),
    };
    let output = match (told, streams, master.into_iter().next()) {
        (Told::Refused(refusal), ..) => return Err(LineError::Refused(refusal).into()),
        (Told::Running, Some(streams), None) => Output::Relays(streams.hand_over()),
        (Told::Running, None, Some(master)) => {
            let copied = Terminal::connect(&master).map_err(step("connect the terminal"))?;
            Output::Terminal { copied, master }
        }
        _ => return Err(LineError::Refused(Refusal::ending()).into()),
    };
    if let Some(number) = signalled {
        forward(&channel, number).await;
    }
    let end = until_the_end(&channel, &mut signals, &output).await;
    let written = all_written(output, &mut signals).await;
    let status = end?;
    written.map_err(|source| ExecError::Unwritten { code: status.code(), source })?;
    Ok(status)
}

/// What comes first.
enum Begun {
    /// The bottle's answer, and the signal that came before it.
    Told(Told, Vec<OwnedFd>, Option<i32>),
    /// The caller's signal, and no answer or another signal after it: nothing runs whose client is gone.
    GivenUp(i32),
}

/// Waits until it runs, or will not. The bottle may be measured first, and its supervisor may be stopped.
async fn begun(known: &Known, channel: &AsyncChannel, signals: &mut Signals) -> Result<Begun, ExecError> {
    let mut late = pin!(tokio::time::sleep(PATIENCE));
    let mut signalled = None;
    loop {
        tokio::select! {
            told = channel.recv::<Told>() => return match told {
                Ok((told, descriptors)) => Ok(Begun::Told(told, descriptors, signalled)),
                // Who hangs up before anything runs is about to end.
                Err(_) => Err(LineError::Refused(Refusal::ending()).into()),
            },
            () = &mut late => return match signalled {
                Some(number) => Ok(Begun::GivenUp(number)),
                None => {
                    let name = known.record.name.clone();
                    Err(LineError::Deaf { name, source: io::ErrorKind::TimedOut.into() }.into())
                }
            },
            arrived = signals.next() => if let Arrived::Forward(number) = arrived {
                if signalled.replace(number).is_some() {
                    return Ok(Begun::GivenUp(number));
                }
                late.as_mut().reset(tokio::time::Instant::now() + ANSWER);
            },
        }
    }
}

fn request(options: ExecOptions) -> ExecRequest {
    let ExecOptions { command, env, workdir, user, stdio } = options;
    let (rows, columns) = terminal::size().unwrap_or((24, 80));
    let terminal = (stdio == Stdio::Terminal).then_some(Window { rows, columns });
    ExecRequest { argv: command, env, workdir, user, terminal }
}

async fn until_the_end(channel: &AsyncChannel, signals: &mut Signals, output: &Output) -> Result<Status, ExecError> {
    loop {
        tokio::select! {
            told = channel.recv::<Told>() => return match told {
                Ok((Told::Ended(End::Code(code)), _)) => Ok(Status::Exited(code as u8)),
                Ok((Told::Ended(End::Signal(number)), _)) => Ok(Status::Signalled(number)),
                _ => Err(ExecError::Over),
            },
            arrived = signals.next() => match (arrived, output) {
                (Arrived::Forward(number), _) => forward(channel, number).await,
                (Arrived::Resized, Output::Terminal { master, .. }) => {
                    if let Some((rows, columns)) = terminal::size() {
                        terminal::resize(master, rows, columns);
                    }
                }
                _ => {}
            },
        }
    }
}

/// Has the command sent a signal. A bottle that is gone is heard of.
async fn forward(channel: &AsyncChannel, number: i32) {
    if let Ok(signal) = Signal::try_from(number) {
        let _ = channel.send(&Further::Signal { signal }, &[]).await;
    }
}

/// Whoever the command left running may still write; that is waited for until somebody wants it to end.
async fn all_written(mut output: Output, signals: &mut Signals) -> io::Result<()> {
    let written = async {
        match &mut output {
            Output::Relays(relays) => relays.finished().await,
            Output::Terminal { copied, .. } => copied.finished().await,
        }
    };
    tokio::select! {
        written = written => written,
        _ = signals.asked_to_end() => Ok(()),
    }
}
