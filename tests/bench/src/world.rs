//! Where do transfers happen? In a sealed lab: its internet with the benchmark's server, its host with bottle, and beside
//! the host a namespace that is routed through it, over as many pairs of links as a bottle's bytes cross.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use bottle_lab::{Answer, Helper, Lab, Options, addresses};

use crate::arguments::Task;
use crate::haproxy::Haproxy;
use crate::measure::Setting;
use crate::{Failure, path, serve, tls};

/// The server's name; the lab's internet owns its address as nearly every other.
const NAME: &str = "server.bench.example";
pub(crate) const ADDRESS: std::net::Ipv4Addr = std::net::Ipv4Addr::new(11, 2, 0, 1);
/// The client's program within a bottle.
const CLIENT: &str = "/tmp/bottle-bench";
const CERTIFICATE: &str = "/tmp/bench.pem";

/// What a second brought, in each round.
#[derive(Default)]
pub(crate) struct ByTurns {
    pub(crate) bottle: Vec<f64>,
    pub(crate) routed: Vec<f64>,
    pub(crate) haproxy: Vec<f64>,
}

/// The lab and all that stands in it.
pub(crate) struct World<'a> {
    setting: &'a Setting,
    lab: Lab,
    server: Child,
    routed: path::Routed,
    _haproxy: Haproxy,
    program: PathBuf,
}

impl<'a> World<'a> {
    pub(crate) fn new(setting: &'a Setting) -> Result<World<'a>, Failure> {
        let program = std::env::current_exe()?;
        let helper = Helper::new(&program, ["lab"]);
        let answer = Answer::Addresses(vec![ADDRESS.into()], 3600);
        let lab = Lab::start(Options::default().without_capture().helper(helper).name(NAME, answer))?;
        let internet = path::internet_of(lab.pid())?;
        let (certificate, key) = (setting.at("bench.pem"), setting.at("bench.key"));
        tls::make(NAME, &certificate, &key)?;
        let mut server = path::within(&internet, &program);
        server.arg("serve").args([&certificate, &key]).stdin(Stdio::null()).stdout(Stdio::piped());
        let server = listening(server.spawn()?)?;
        let routed = path::Routed::beside(lab.pid(), &internet, addresses::HOST)?;
        let haproxy = Haproxy::before(NAME, setting, &path::host_of(lab.pid()))?;
        Ok(World { setting, lab, server, routed, _haproxy: haproxy, program })
    }

    /// What the client measures in a bottle, through the transparent proxy.
    pub(crate) fn in_a_bottle(&self, task: Task) -> Result<f64, Failure> {
        let mut run = self.lab.command(&self.setting.bottle);
        let tcp = [serve::SOURCE, serve::SINK].map(|port| format!("tcp://{NAME}:{port}"));
        run.args(["run", "--allow", &tcp[0], "--allow", &tcp[1], "--allow", &format!("{NAME}:{}", serve::TLS)]);
        let certificate = self.setting.at("bench.pem");
        run.args(["-v", &format!("{}:{CLIENT}:ro", self.program.display())]);
        run.args(["-v", &format!("{}:{CERTIFICATE}:ro", certificate.display())]);
        run.args(["-w", "/tmp", "host", "--", CLIENT, "client", task.word(), NAME, CERTIFICATE]);
        run.env("BOTTLE_ROOT", self.setting.at("state")).current_dir(self.project()?);
        rate(&mut run)
    }

    /// The same on the routed path.
    pub(crate) fn routed(&self, task: Task) -> Result<f64, Failure> {
        let mut run = self.routed.command(&self.lab, &self.program);
        run.args(["client", task.word(), NAME]).arg(self.setting.at("bench.pem"));
        rate(&mut run)
    }

    /// The same from there through haproxy.
    fn through_haproxy(&self, task: Task) -> Result<f64, Failure> {
        let mut run = self.routed.command(&self.lab, &self.program);
        run.args(["client", task.word(), NAME]).arg(self.setting.at("bench.pem"));
        rate(run.args(["--at", &path::HOST_END.to_string()]))
    }

    /// All by turns, after one round that warms them up: what each measured, a round a place.
    pub(crate) fn by_turns(&self, task: Task) -> Result<ByTurns, Failure> {
        let mut all = ByTurns::default();
        for round in 0..=self.setting.rounds {
            let (bottle, routed) = (self.in_a_bottle(task)?, self.routed(task)?);
            let haproxy = self.through_haproxy(task)?;
            if round > 0 {
                all.bottle.push(bottle);
                all.routed.push(routed);
                all.haproxy.push(haproxy);
            }
        }
        Ok(all)
    }

    /// The host image shares the working directory: an empty one.
    fn project(&self) -> Result<PathBuf, Failure> {
        let project = self.setting.at("project");
        std::fs::create_dir_all(&project)?;
        Ok(project)
    }
}

impl Drop for World<'_> {
    /// What can't be killed is gone already.
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn listening(mut server: Child) -> Result<Child, Failure> {
    let mut line = String::new();
    let output = server.stdout.take().ok_or("the server has no output")?;
    BufReader::new(output).read_line(&mut line)?;
    if line.is_empty() { Err("the server does not listen".into()) } else { Ok(server) }
}

fn rate(command: &mut Command) -> Result<f64, Failure> {
    let output = command.stdin(Stdio::null()).output()?;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let rate = out.trim().parse();
    rate.map_err(|_| format!("{:?}: {}: {out}{err}", command.get_program(), output.status).into())
}
