//! A scenario as it travels to other processes and machines: every default written out, and with its files.
//!
//! What belongs here: packing and unpacking. What does not: who sends it where (`sweep`).

use super::error::ScenarioError;
use super::{Scenario, read};
use crate::genesis::{self, snapshot};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A scenario that needs no other file. Unpacked it has the simulation hash it had before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packed {
    /// The scenario in full (TOML).
    pub scenario: String,
    /// Its snapshot and metagraphs, but for those that ship with every build.
    pub files: Vec<PackedFile>,
}

/// A file that a scenario names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackedFile {
    /// Its name, without folders.
    pub name: String,
    /// What is in it.
    pub text: String,
}

impl Scenario {
    /// Packs it.
    ///
    /// # Errors
    /// A behaviour or setting is unknown, or its snapshot cannot be read.
    pub fn pack(&self) -> Result<Packed, ScenarioError> {
        let mut document = self.document.clone();
        self.traced(genesis::write_out(&self.place(), &mut document))?;
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let place = self.place();
        let mut files: Vec<PackedFile> = Vec::new();
        for (key, name) in snapshot::files(&mut document) {
            let (text, origin) = snapshot::text(&place, &key, name, folder)?;
            *name = file_name(name);
            if origin == snapshot::Origin::Shipped {
                continue;
            }
            // Two files of one name come from different folders.
            if files.iter().any(|file| file.name == *name && file.text != text) {
                *name = format!("{}-{name}", files.len());
            }
            if files.iter().all(|file| file.name != *name) {
                files.push(PackedFile { name: name.clone(), text });
            }
        }
        let scenario = toml::to_string(&document).expect("a document is plain data");
        Ok(Packed { scenario, files })
    }
}

impl Packed {
    /// Reads it; its files are put into a folder. The environment changes nothing.
    ///
    /// # Errors
    /// It is no scenario, or the folder cannot be written.
    pub fn unpack(&self, folder: &Path) -> Result<Scenario, ScenarioError> {
        for PackedFile { name, text } in &self.files {
            // Whatever it is called, it stays in its folder.
            let path = folder.join(file_name(name));
            std::fs::write(&path, text).map_err(|error| {
                ScenarioError::new(format!("cannot write {}: {error}", path.display()), None)
            })?;
        }
        read(&folder.join("scenario.toml"), &self.scenario, &[])
    }
}

fn file_name(path: &str) -> String {
    let name = Path::new(path).file_name();
    name.map_or_else(|| "snapshot.json".to_owned(), |name| name.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Overrides, load};

    #[test]
    fn a_packed_scenario_has_its_hash_wherever_it_is_unpacked() {
        let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs");
        let home = tempfile::tempdir().expect("writable");
        let away = tempfile::tempdir().expect("writable");
        let mainnet = std::fs::read_to_string(configs.join("mainnet.toml")).expect("it ships");
        let shipped = "data/finney_subnets_taostats_2026-04-11.json";
        let data = std::fs::read_to_string(configs.join(shipped)).expect("it ships");
        assert!(mainnet.contains(shipped), "the snapshot is where it was");
        std::fs::create_dir(home.path().join("other")).expect("writable");
        let changed = data.replacen("\"tempo\": 360", "\"tempo\": 99", 1);
        assert_ne!(changed, data);
        std::fs::write(home.path().join("other/own.json"), changed).expect("writable");
        let own = mainnet.replace(shipped, "other/own.json");
        std::fs::write(home.path().join("own.toml"), own).expect("writable");
        let rows = [
            (configs.join("quickstart.toml"), vec![]),
            (configs.join("mainnet.toml"), vec![]),
            (home.path().join("own.toml"), vec!["own.json"]),
        ];
        for (file, attached) in rows {
            let scenario = load(&file, &Overrides::default()).expect("valid");
            let packed = scenario.pack().expect("valid");
            let names: Vec<&str> = packed.files.iter().map(|file| file.name.as_str()).collect();
            assert_eq!(names, attached, "{}", file.display());
            let again = packed.unpack(away.path()).expect("it is the same");
            let hash = |scenario: &Scenario| scenario.plan().expect("valid").simulation_hash();
            assert_eq!(hash(&again), hash(&scenario), "{}", file.display());
        }
    }

    #[test]
    fn a_snapshot_never_leaves_its_folder() {
        let folder = tempfile::tempdir().expect("writable");
        let inside = folder.path().join("inside");
        std::fs::create_dir(&inside).expect("writable");
        let file = PackedFile { name: "../outside.json".to_owned(), text: String::new() };
        let packed = Packed { scenario: String::new(), files: vec![file] };
        packed.unpack(&inside).expect("an empty scenario is the default one");
        assert!(inside.join("outside.json").exists());
        assert!(!folder.path().join("outside.json").exists());
    }
}
