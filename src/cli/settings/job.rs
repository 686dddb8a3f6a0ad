//! The settings of a job that is sent to a cluster: the same names as in the environment, without what belongs to a
//! process or a cluster.

use std::collections::BTreeMap;

use super::checkpoints::Checkpoints;
use super::poison::Poison;
use super::{CHECKPOINT, Limits, POISON, Settings, names_of, unknown_name};
use crate::cli::failure::Failure;

/// What is said where a job's settings are wrong.
const ORIGIN: &str = "settings";

/// Limits that belong to a process, or have a place of their own.
const OWN_LIMITS: [&str; 2] = ["arbiters", "parallelism"];

/// What the nodes say of checkpoints.
const OWN_CHECKPOINTS: [&str; 1] = ["store"];

/// Options that a job may have.
const OPTIONS: [&str; 3] = ["dead_letters", "state_backend", "state_memory_mib"];

impl Settings {
    /// What is set, as a job takes it along.
    pub(in crate::cli) fn of_job(&self) -> BTreeMap<String, String> {
        let limits = self.limits.iter().filter(|(name, _)| !OWN_LIMITS.contains(name));
        let checkpoints = self.checkpoints.iter().filter(|(name, _)| !OWN_CHECKPOINTS.contains(name));
        let options = self.options.iter().filter(|(name, _)| OPTIONS.contains(name));
        let plain = limits.chain(options).map(|(name, value)| (name.to_owned(), value));
        let checkpoints = checkpoints.map(|(name, value)| (format!("{CHECKPOINT}{name}"), value));
        let poison = self.poison.iter().map(|(name, value)| (format!("{POISON}{name}"), value));
        let all = plain.chain(checkpoints).chain(poison);
        all.map(|(name, value)| (name, value.to_owned())).collect()
    }

    /// What a job has taken along.
    pub(in crate::cli) fn from_job(set: &BTreeMap<String, String>) -> Result<Settings, Failure> {
        let known = known();
        let mut settings = Settings::default();
        for (name, value) in set {
            let plain = match name.replace('-', "_").as_str() {
                // As the flags of `run` are called.
                "guarantee" => format!("{CHECKPOINT}guarantee"),
                "poison" => format!("{POISON}policy"),
                plain => plain.to_owned(),
            };
            if !known.contains(&plain) {
                return Err(unknown_name(ORIGIN, name, &known));
            }
            if let Some(name) = plain.strip_prefix(CHECKPOINT) {
                settings.checkpoints.set(name, value, ORIGIN);
            } else if let Some(name) = plain.strip_prefix(POISON) {
                settings.poison.set(name, value, ORIGIN);
            } else if OPTIONS.contains(&plain.as_str()) {
                settings.options.set(plain, value, ORIGIN);
            } else {
                settings.limits.set(plain, value, ORIGIN);
            }
        }
        Ok(settings)
    }
}

/// The names of all settings that a job may have.
fn known() -> Vec<String> {
    let limits = names_of::<Limits>().into_iter().filter(|name| !OWN_LIMITS.contains(&name.as_str()));
    let checkpoints =
        names_of::<Checkpoints>().into_iter().filter(|name| !OWN_CHECKPOINTS.contains(&name.as_str()));
    let checkpoints = checkpoints.map(|name| format!("{CHECKPOINT}{name}"));
    let poison = names_of::<Poison>().into_iter().map(|name| format!("{POISON}{name}"));
    limits.chain(checkpoints).chain(poison).chain(OPTIONS.map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn set(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_a_job_takes_along_is_what_its_nodes_read() {
        let taken =
            set(&[("checkpoint-interval", "250ms"), ("poison", "quarantine"), ("batch_records", "7")]);
        let settings = Settings::from_job(&taken).unwrap();
        let (config, _) = settings.config().unwrap();
        assert_eq!(config.checkpoints.interval, Some(Duration::from_millis(250)));
        assert_eq!(config.batch_records, 7);
        let again =
            set(&[("checkpoint_interval", "250ms"), ("poison_policy", "quarantine"), ("batch_records", "7")]);
        assert_eq!(settings.of_job(), again);
    }

    #[test]
    fn a_setting_that_no_job_has_is_answered_with_the_nearest() {
        let error = |name| Settings::from_job(&set(&[(name, "1")])).err().expect("it is refused").to_string();
        assert!(error("checkpoint_intervall").contains("did you mean \"checkpoint_interval\""));
        assert!(error("arbiters").starts_with("settings: there is no \"arbiters\""));
        assert!(error("checkpoint_store").starts_with("settings: there is no \"checkpoint_store\""));
    }

    #[test]
    fn what_belongs_to_a_process_stays_with_it() {
        let mut settings = Settings::default();
        settings.limits.set("arbiters", "4", "here");
        settings.options.set("json", "true", "here");
        settings.checkpoints.set("store", "s3://a/b", "here");
        assert_eq!(settings.of_job(), BTreeMap::new());
    }
}
