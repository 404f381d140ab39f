//! How is the world made? A process of its own, whose main thread is in the host namespace and whose other threads are the internet.

pub(crate) mod control;
pub(crate) mod enter;
mod links;
mod mounts;
pub(crate) mod namespaces;
pub(crate) mod sealed;
pub(crate) mod user;

use std::io::{self, BufReader};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, mpsc};
use std::thread;

use crate::capture::Capture;
use crate::internet::{Authority, Internet};
use crate::options::Plan;
use crate::protocol::{Ask, Say};
use control::{Control, receive, send};
pub(crate) use mounts::DIRECTORY;

/// Builds the world, says that it is ready and answers questions until the other end of the channel is closed.
///
/// The channel is the lifeline: it closes when the lab's owner ends for whatever reason, and with this process all
/// namespaces of the lab end, since nothing else holds them. (A parent-death signal would fire when the *thread* that started
/// the lab ends, which a lab that several tests share must survive.)
pub(crate) fn run(channel: UnixStream) -> io::Result<()> {
    let mut reader = BufReader::new(channel.try_clone()?);
    let Some(Ask::Build(plan)) = receive(&mut reader)? else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the first message is not a plan"));
    };
    let (control, ca_pem) = match build(plan) {
        Ok(built) => built,
        Err(why) => return send(&channel, &Say::Failed(why)),
    };
    send(&channel, &Say::Ready { ca_pem })?;
    while let Some(ask) = receive(&mut reader)? {
        control.answer(&channel, ask)?;
    }
    Ok(())
}

/// Each step's failure is told with the step's name.
fn build(plan: Plan) -> Result<(Control, String), String> {
    let authority = Authority::new().map_err(|error| format!("making the CA: {error}"))?;
    let ca_pem = authority.pem().to_owned();
    namespaces::make_host().map_err(|error| error.to_string())?;
    mounts::dress_host(&ca_pem).map_err(|error| error.to_string())?;
    let host_capture = plan.capture.then(|| capture("host")).transpose()?;

    let (tell, told) = mpsc::channel();
    let (go, wait) = mpsc::channel();
    let capturing = plan.capture;
    thread::Builder::new()
        .name("internet".into())
        .spawn(move || tell_of(&tell, internet(plan, authority, capturing, &wait, &tell)))
        .map_err(|error| format!("starting the internet's thread: {error}"))?;

    let namespace = match told.recv() {
        Ok(News::Namespace(namespace)) => namespace,
        news => return Err(failure(news)),
    };
    links::join_host(namespace.as_fd()).map_err(|error| format!("building the host's links: {error}"))?;
    go.send(()).map_err(|_| "the internet's thread ended".to_owned())?;
    match told.recv() {
        Ok(News::Serving(internet, internet_capture)) => {
            let captures = host_capture.into_iter().chain(internet_capture).collect();
            Ok((Control::new(internet, captures), ca_pem))
        }
        news => Err(failure(news)),
    }
}

/// What the internet's thread tells the main thread.
enum News {
    Namespace(std::os::fd::OwnedFd),
    Serving(Arc<Internet>, Option<Capture>),
    Failed(String),
}

fn failure(news: Result<News, mpsc::RecvError>) -> String {
    match news {
        Ok(News::Failed(why)) => why,
        _ => "the internet's thread ended".to_owned(),
    }
}

fn tell_of(tell: &mpsc::Sender<News>, ended: Result<(), String>) {
    if let Err(why) = ended {
        // The main thread may have given up first; then nobody is left to be told.
        let _ = tell.send(News::Failed(why));
    }
}

/// The internet's thread: a network namespace of its own, its links, its services. All threads that it starts are in that namespace.
fn internet(
    plan: Plan,
    authority: Authority,
    capturing: bool,
    wait: &mpsc::Receiver<()>,
    tell: &mpsc::Sender<News>,
) -> Result<(), String> {
    let gone = |_| "the main thread ended".to_owned();
    let namespace = namespaces::make_internet().map_err(|error| error.to_string())?;
    let capture = capturing.then(|| capture("internet")).transpose()?;
    tell.send(News::Namespace(namespace)).map_err(gone)?;
    wait.recv().map_err(|_| "the main thread ended".to_owned())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("starting the internet's runtime: {error}"))?;
    runtime.block_on(async {
        links::dress_internet().await.map_err(|error| format!("building the internet's links: {error}"))?;
        let internet = Internet::start(plan, authority).await.map_err(|error| format!("starting services: {error}"))?;
        tell.send(News::Serving(internet, capture)).map_err(|_| "the main thread ended".to_owned())?;
        std::future::pending::<()>().await;
        Ok(())
    })
}

fn capture(namespace: &'static str) -> Result<Capture, String> {
    Capture::start(namespace).map_err(|error| format!("capturing on {namespace}: {error}"))
}
