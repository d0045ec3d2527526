//! The sensor by itself: joined, and then its correlator ended, so that events go to its spool and stay there until somebody asks.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Seen, Text, Watcher};
use crate::{
    child::Running,
    site::{Site, SiteOptions},
};

/// A sensor's identity and spool, from one life of it to the next.
pub struct Alone {
    site: Site,
    lives: usize,
}

/// One life.
pub struct Life {
    sensor: Running,
}

impl Alone {
    /// Joins it, and ends the correlator.
    ///
    /// # Errors
    /// When either does not come up.
    pub fn join() -> Result<Self> {
        let mut site = Site::correlator_only(SiteOptions::default())?;
        site.join_sensor()?;
        site.kill_correlator()?;
        Ok(Self { site, lives: 0 })
    }

    /// Starts it and waits until its hooks are in place, and cost what they cost from then on.
    ///
    /// # Errors
    /// When they are not in time.
    pub fn start(&mut self) -> Result<Life> {
        self.site.start_sensor()?;
        let mut sensor = self.site.take_sensor()?;
        self.lives += 1;
        let lives = self.lives;
        let log = self.site.path("sensor.log");
        // While the kernel counts what programs cost they cost more; that passes.
        sensor.until("the sensor has started", Duration::from_secs(60), || {
            let said = std::fs::read_to_string(&log)?;
            ensure!(said.matches(" counted no longer").count() >= lives, "it is still starting");
            Ok(())
        })?;
        Ok(Life { sensor })
    }

    /// Brings the correlator back, and hands over the site once it has everything.
    ///
    /// # Errors
    /// When something is missing after a while.
    pub fn into_site(mut self) -> Result<Site> {
        self.site.start_correlator()?;
        self.site.start_sensor()?;
        self.site.wait_for_sensor()?;
        let moment = jiff::Timestamp::now();
        self.site.until("everything is stored", Duration::from_secs(240), |site| {
            let ledger = site.ledger_after(moment)?;
            ensure!(ledger.spooled < 100, "{} events are in the spool", ledger.spooled);
            Ok(())
        })?;
        Ok(self.site)
    }
}

impl Watcher for Life {
    fn pids(&self) -> Vec<u32> {
        vec![self.sensor.pid()]
    }

    fn end(self: Box<Self>) -> Result<Seen> {
        let log = self.sensor.log_path().to_owned();
        let status = self.sensor.stop()?;
        ensure!(status.success(), "the sensor ended with {status}");
        let said = std::fs::read_to_string(log)?;
        // The last words are those of its end.
        let lost = said.rsplit_once("ring_lost=").context("the sensor does not say what it lost")?.1;
        let digits: String = lost.chars().take_while(char::is_ascii_digit).collect();
        Ok(Seen { text: Text::Stored, lost: Some(digits.parse()?) })
    }
}
