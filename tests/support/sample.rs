//! The repository's own handlers.toml and scripts, as a host of the tests runs them.

use super::service::FakeService;
use super::setup::HostSetup;
use std::fs;
use std::path::{Path, PathBuf};

/// The sample set-up, with this service in the place of the accounting service.
pub fn sample(accounting: &FakeService) -> HostSetup {
    let mut setup = HostSetup::new(&sample_config(accounting)).env("ACCOUNTING_TOKEN", "s3cr3t");
    let root = root();
    for path in files(&root.join("scripts")) {
        let text = fs::read_to_string(&path).expect("a script can be read");
        let name = path.strip_prefix(root).expect("it is in the repository");
        setup = setup.file(name.to_str().expect("its name is ASCII"), &text);
    }
    setup
}

/// Its handlers.toml, on a free port.
pub fn sample_config(accounting: &FakeService) -> String {
    let config = fs::read_to_string(root().join("handlers.toml")).expect("the sample is there");
    let config = replaced(
        &config,
        "listen = \"127.0.0.1:4242\"",
        "listen = \"127.0.0.1:0\"",
    );
    replaced(
        &config,
        "url = \"https://accounting.example.com/api\"",
        &format!("url = \"{}/api\"\nprivate_network = true", accounting.url()),
    )
}

/// A text in which exactly one place is another.
#[track_caller]
pub fn replaced(text: &str, old: &str, new: &str) -> String {
    assert_eq!(
        text.matches(old).count(),
        1,
        "`{old}` stands once in the text"
    );
    text.replace(old, new)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder can be read");
    let paths = entries.map(|it| it.expect("an entry can be read").path());
    paths
        .flat_map(|it| if it.is_dir() { files(&it) } else { vec![it] })
        .collect()
}
