//! A site of one host: a correlator and a sensor, really started, joined and watching this machine, each in a state directory of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use bongsu_api::{Ledger, Sensor};

use crate::{child::Running, console::Console, stored::Database, usage::Usage};

/// How long a program may take to be ready.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// Where a correlator listens.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct Endpoints {
    /// Its page and API.
    pub url: String,
    /// Where sensors connect.
    pub ingest: String,
    /// Where they enrol.
    pub enrolment: String,
}

/// What is special about a site.
#[derive(Debug, Clone, Default)]
pub struct SiteOptions {
    logs: Vec<PathBuf>,
    correlator: String,
    sensor: String,
    without_probes: bool,
}

impl SiteOptions {
    /// The sensor follows this log file.
    #[must_use]
    pub fn follow(mut self, log: &Path) -> Self {
        self.logs.push(log.to_owned());
        self
    }

    /// More lines for the correlator's configuration.
    #[must_use]
    pub fn correlator(mut self, toml: &str) -> Self {
        self.correlator.push_str(toml);
        self
    }

    /// More lines for the sensor's configuration.
    #[must_use]
    pub fn sensor(mut self, toml: &str) -> Self {
        self.sensor.push_str(toml);
        self
    }

    /// The sensor follows logs only.
    #[must_use]
    pub fn without_probes(mut self) -> Self {
        self.without_probes = true;
        self
    }
}

/// A running site. Dropping it ends both programs and removes what they wrote.
pub struct Site {
    sensor: Option<Running>,
    correlator: Option<Running>,
    console: Console,
    options: SiteOptions,
    folder: tempfile::TempDir,
}

impl Site {
    /// Starts the correlator, enrols a sensor with a join token, and starts it.
    ///
    /// # Errors
    /// When either does not come up.
    pub fn start(options: SiteOptions) -> Result<Self> {
        let mut site = Self::correlator_only(options)?;
        site.join_sensor()?;
        site.start_sensor()?;
        Ok(site)
    }

    /// Starts the correlator alone.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn correlator_only(options: SiteOptions) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("bongsu-site-").tempdir_in("/var/tmp")?;
        let console = Console::new(&folder.path().join("correlator"));
        let mut site = Self { sensor: None, correlator: None, console, options, folder };
        site.write_configuration("127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0")?;
        site.start_correlator()?;
        site.keep_the_ports()?;
        Ok(site)
    }

    /// Starts the correlator on the state it has.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start_correlator(&mut self) -> Result<()> {
        let arguments = [
            "serve".into(),
            "--config".into(),
            self.path("correlator.toml"),
            "--state-dir".into(),
            self.path("correlator"),
        ];
        let mut correlator = Running::start("bongsu-correlator", arguments, &self.path("correlator.log"))?;
        let console = self.console.clone();
        correlator.until("the correlator answers", READY_WITHIN, || console.incidents())?;
        self.correlator = Some(correlator);
        Ok(())
    }

    /// Gives the sensor its identity.
    ///
    /// # Errors
    /// When enrolment fails.
    pub fn join_sensor(&self) -> Result<()> {
        let token = self.console.join_token()?.token;
        let state_dir = self.path("sensor");
        let arguments = ["join".into(), PathBuf::from(token), "--state-dir".into(), state_dir];
        let log = self.path("join.log");
        let mut join = Running::start("bongsu-sensor", arguments, &log)?;
        let status = join.until_ended(READY_WITHIN)?;
        ensure!(status.success(), "join ended with {status}: {}", join.log());
        Ok(())
    }

    /// Starts the sensor on the state it has.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_sensor(&mut self) -> Result<()> {
        let mut arguments =
            vec!["run".into(), "--config".into(), self.path("sensor.toml"), "--state-dir".into(), self.path("sensor")];
        if self.options.without_probes {
            arguments.push("--no-probes".into());
        }
        self.sensor = Some(Running::start("bongsu-sensor", arguments, &self.path("sensor.log"))?);
        Ok(())
    }

    /// Waits until the correlator knows the sensor as online, hooks and all.
    ///
    /// # Errors
    /// At the deadline, or when a program ends.
    pub fn wait_for_sensor(&mut self) -> Result<Sensor> {
        let without_probes = self.options.without_probes;
        self.until("the sensor is online", READY_WITHIN, |site| {
            let sensor = site.sensor_record()?;
            ensure!(sensor.status == "online", "the sensor is {}", sensor.status);
            ensure!(without_probes || !sensor.hooks.is_empty(), "it has no hooks");
            Ok(sensor)
        })
    }

    /// Waits until `look` has an answer, both programs running.
    ///
    /// # Errors
    /// At the deadline, or when a program ends; with the end of its log.
    pub fn until<T>(&mut self, what: &str, limit: Duration, mut look: impl FnMut(&Self) -> Result<T>) -> Result<T> {
        let start = std::time::Instant::now();
        loop {
            for running in [&mut self.correlator, &mut self.sensor].into_iter().flatten() {
                running.ensure_running()?;
            }
            let late = start.elapsed() > limit;
            match look(self) {
                Ok(answer) => return Ok(answer),
                Err(missing) if late => {
                    let logs: Vec<String> =
                        [&self.correlator, &self.sensor].into_iter().flatten().map(Running::last_lines).collect();
                    bail!("{}\n--\n{what}: not so after {} s: {missing:#}", logs.join("\n--\n"), limit.as_secs())
                }
                Err(_) => std::thread::sleep(crate::wait::LOOK_EVERY),
            }
        }
    }

    /// What the correlator says of the sensor.
    ///
    /// # Errors
    /// When there is not exactly one.
    pub fn sensor_record(&self) -> Result<Sensor> {
        let mut sensors = self.console.sensors()?;
        ensure!(sensors.len() == 1, "{} sensors are known", sensors.len());
        sensors.pop().context("no sensor is known")
    }

    /// The ledger of the sensor's present epoch, taken after `moment`, and only if it adds up. The machine goes on meanwhile, so a few
    /// events may always be waiting in the spool.
    ///
    /// # Errors
    /// Says what does not add up, or that the figures are older.
    pub fn ledger_after(&self, moment: jiff::Timestamp) -> Result<Ledger> {
        let ledger = self.sensor_record()?.ledgers.into_iter().next().context("no ledger yet")?;
        let as_of: jiff::Timestamp = ledger.as_of.as_deref().context("the sensor has not said yet")?.parse()?;
        ensure!(as_of > moment, "the figures are of {as_of}");
        ensure!(ledger.balanced, "the ledger does not balance: {ledger:?}");
        let shed: u64 = ledger.shed.iter().map(|shed| shed.count).sum();
        ensure!(ledger.last_seq == ledger.stored + ledger.spooled + shed, "the figures do not add up: {ledger:?}");
        ensure!(
            ledger.kernel_emitted == ledger.read + ledger.ring_lost,
            "the kernel's figures do not add up: {ledger:?}"
        );
        ensure!(ledger.last_seq > 0, "no event was numbered");
        Ok(ledger)
    }

    /// The command line.
    #[must_use]
    pub fn console(&self) -> &Console {
        &self.console
    }

    /// The store, read beside the product.
    ///
    /// # Errors
    /// When there is none yet.
    pub fn database(&self) -> Result<Database> {
        Database::open(&self.path("correlator/bongsu.db"))
    }

    /// The address of its pages.
    ///
    /// # Errors
    /// When the correlator has not said it yet.
    pub fn url(&self) -> Result<String> {
        Ok(self.endpoints()?.url.trim_end_matches('/').to_owned())
    }

    /// The link that logs a person in once, as the correlator printed it at its first start.
    ///
    /// # Errors
    /// When it printed none.
    pub fn admin_link(&self) -> Result<String> {
        let log = self.correlator_log();
        let mut words = log.split_whitespace().filter(|word| word.starts_with("http"));
        words.rfind(|word| word.contains("login")).map(str::to_owned).context("it printed no admin link")
    }

    /// Shows an incident as the command line does.
    ///
    /// # Errors
    /// When the verb refuses.
    pub fn shown_incident(&self, id: &str) -> Result<String> {
        let output = self.console.run(&["incident", "show", id])?;
        ensure!(output.status.success(), "bongsu incident show {id} ended with {}", output.status);
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// A file or folder of the site.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the sensor printed.
    #[must_use]
    pub fn sensor_log(&self) -> String {
        fs::read_to_string(self.path("sensor.log")).unwrap_or_default()
    }

    /// What the correlator printed.
    #[must_use]
    pub fn correlator_log(&self) -> String {
        fs::read_to_string(self.path("correlator.log")).unwrap_or_default()
    }

    /// The pid of the sensor.
    ///
    /// # Errors
    /// When it does not run.
    pub fn sensor_pid(&self) -> Result<u32> {
        Ok(self.sensor.as_ref().context("the sensor does not run")?.pid())
    }

    /// What the sensor cost so far.
    ///
    /// # Errors
    /// When it does not run.
    pub fn sensor_usage(&self) -> Result<Usage> {
        Usage::of(self.sensor_pid()?)
    }

    /// What the correlator cost so far.
    ///
    /// # Errors
    /// When it does not run.
    pub fn correlator_usage(&self) -> Result<Usage> {
        Usage::of(self.correlator.as_ref().context("the correlator does not run")?.pid())
    }

    /// SIGKILL for the sensor.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill_sensor(&mut self) -> Result<()> {
        self.sensor.take().context("the sensor does not run")?.kill()
    }

    /// Waits until the sensor ends by itself, with an error; gives what it printed.
    ///
    /// # Errors
    /// When it goes on, or calls it a success.
    pub fn sensor_ends(&mut self, limit: Duration) -> Result<String> {
        let mut sensor = self.sensor.take().context("the sensor does not run")?;
        let status = sensor.until_ended(limit)?;
        ensure!(!status.success(), "the sensor ended with {status}");
        Ok(sensor.log())
    }

    /// Hands over the running sensor; whoever has it ends it.
    ///
    /// # Errors
    /// When it does not run.
    pub fn take_sensor(&mut self) -> Result<Running> {
        self.sensor.take().context("the sensor does not run")
    }

    /// SIGKILL for the correlator.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill_correlator(&mut self) -> Result<()> {
        self.correlator.take().context("the correlator does not run")?.kill()
    }

    /// Ends both in order, and removes everything.
    ///
    /// # Errors
    /// When one does not end when asked.
    pub fn end(mut self) -> Result<()> {
        for running in [self.sensor.take(), self.correlator.take()].into_iter().flatten() {
            let (name, log) = (
                running.name(),
                self.path(if running.name() == "bongsu-sensor" { "sensor.log" } else { "correlator.log" }),
            );
            let status = running.stop()?;
            ensure!(status.success(), "{name} ended with {status}:\n{}", fs::read_to_string(log).unwrap_or_default());
        }
        Ok(())
    }

    /// What the correlator says of where it listens.
    ///
    /// # Errors
    /// When it has not said so yet.
    pub fn endpoints(&self) -> Result<Endpoints> {
        let path = self.path("correlator/endpoints.json");
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is not understood", path.display()))
    }

    /// From now on the correlator starts on the ports that the system chose the first time: sensors know it by them.
    fn keep_the_ports(&self) -> Result<()> {
        let endpoints = self.endpoints()?;
        let web = endpoints.url.trim_start_matches("http://").trim_end_matches('/');
        self.write_configuration(web, &endpoints.ingest, &endpoints.enrolment)
    }

    fn write_configuration(&self, web: &str, ingest: &str, enrolment: &str) -> Result<()> {
        let correlator = format!(
            "[listen]\nweb = \"{web}\"\ningest = \"{ingest}\"\nenrolment = \"{enrolment}\"\n\n{}",
            self.options.correlator
        );
        fs::write(self.path("correlator.toml"), correlator)?;
        let mut sensor = self.options.sensor.clone();
        for log in &self.options.logs {
            sensor.push_str(&format!("\n[[log]]\npath = \"{}\"\n", log.display()));
        }
        fs::write(self.path("sensor.toml"), sensor)?;
        Ok(())
    }
}
