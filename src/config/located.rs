//! What only others can find wrong with a handlers.toml that was read: a script that is not there, an address to which
//! no call may go. Told with the line that says it.

use super::Config;
use super::findings::Findings;
use super::value::Value;
use super::variables::Variables;
use crate::diagnostic::Diagnostic;
use toml::de::{DeTable, DeValue};

impl Config {
    /// What is wrong with a key of a table, such as `script` of `[handlers.invoice-paid]`.
    pub fn finding(
        &self,
        file: &str,
        (section, name, key): (&str, &str, &str),
        message: String,
    ) -> Diagnostic {
        let findings = Findings::new(file, &self.text);
        let (root, _) = DeTable::parse_recoverable(&self.text);
        let variables = Variables::new(&|_| Err(String::new()));
        let value = |key, inner| Value {
            key,
            inner,
            findings: &findings,
            variables: &variables,
        };
        for section in ["endpoints", "services"] {
            if let Some(it) = root.get_ref().get(section) {
                value(section, it).hide();
            }
        }
        let found = root
            .get_ref()
            .get(section)
            .and_then(|it| table(it.get_ref()));
        let found = found.and_then(|it| table(it.get(name)?.get_ref()));
        match found.and_then(|it| Some(it.get(key)?.span())) {
            Some(at) => findings.error(at, message.clone(), String::new()),
            None => findings.of_file(message.clone(), String::new()),
        }
        let it = findings.into_shown().pop();
        let it = it.unwrap_or_else(|| Diagnostic::of_file(file, message));
        Diagnostic { help: None, ..it }
    }
}

fn table<'a, 'b>(it: &'a DeValue<'b>) -> Option<&'a DeTable<'b>> {
    match it {
        DeValue::Table(it) => Some(it),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::config::parse;

    #[test]
    fn what_others_find_has_its_line_and_shows_no_secret() {
        let text = "[endpoints.e]\npath = \"/e\"\nsigning_secrets = [\"whsec_1\"]\n[services]\n\
            s = { url = \"http://127.0.0.1/TOPSECRET\", private_network = true, headers = { a = \"TOPSECRET\" } }\n\
            [handlers.h]\nevents = [\"invoice.paid\"]\nscript = \"scripts/h.rhai\"\n";
        let config = parse(text, "handlers.toml", &|_| Err("no".into())).expect("good");
        let it = config.finding("handlers.toml", ("services", "s", "url"), "bad".into());
        assert_eq!(
            (it.line, it.message.as_str(), it.help.as_deref()),
            (5, "bad", None)
        );
        assert!(!it.to_string().contains("TOPSECRET"), "{it}");
        let it = config.finding("handlers.toml", ("handlers", "h", "script"), "bad".into());
        assert_eq!(
            (it.line, it.source_line.as_str()),
            (8, "script = \"scripts/h.rhai\"")
        );
        let it = config.finding("handlers.toml", ("handlers", "x", "script"), "bad".into());
        assert_eq!(it.line, 0);
    }
}
