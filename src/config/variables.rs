//! `${NAME}` and `${file:/path}` in the strings of handlers.toml. They are replaced after the file was parsed: what a
//! variable holds can never become TOML.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What a string of handlers.toml asks to be filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable<'a> {
    /// `${NAME}`
    Env(&'a str),
    /// `${file:/run/secrets/x}`
    File(&'a Path),
}

/// A key, a certificate: nothing that belongs into a string of handlers.toml is longer.
const VARIABLE_SIZE_BYTES_MAX: usize = 64 * 1024;

/// Reads variables, and remembers which files were asked for.
pub(super) struct Variables<'a> {
    world: &'a dyn Fn(Variable) -> Result<String, String>,
    files: RefCell<BTreeSet<PathBuf>>,
    /// What could not be read, by what stands between the braces.
    refused: RefCell<BTreeSet<String>>,
}

/// Why a string cannot be used, and what to write.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub message: String,
    pub help: String,
    /// The same was said of another string.
    pub is_said: bool,
}

impl<'a> Variables<'a> {
    pub(super) fn new(world: &'a dyn Fn(Variable) -> Result<String, String>) -> Self {
        Self {
            world,
            files: RefCell::default(),
            refused: RefCell::default(),
        }
    }

    /// The files that were named, also those that could not be read: they may come.
    pub(super) fn into_files(self) -> Vec<PathBuf> {
        self.files.into_inner().into_iter().collect()
    }

    /// The string with its variables filled in. `$${` stands for `${` itself.
    pub(super) fn fill_in(&self, written: &str) -> Result<String, Refused> {
        let mut filled = String::with_capacity(written.len());
        let mut rest = written;
        while let Some(at) = rest.find("${") {
            if rest[..at].ends_with('$') {
                filled.push_str(&rest[..at]);
                filled.push('{');
                rest = &rest[at + 2..];
                continue;
            }
            filled.push_str(&rest[..at]);
            let inner = &rest[at + 2..];
            let end = inner.find('}').ok_or_else(|| {
                refused(
                    "`${` has no `}`",
                    "write `${NAME}` for a variable, or `$${` for the characters themselves",
                )
            })?;
            filled.push_str(&self.value_of(&inner[..end])?);
            rest = &inner[end + 1..];
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn value_of(&self, name: &str) -> Result<String, Refused> {
        let value = match name.strip_prefix("file:") {
            Some(path) => self.value_of_file(path),
            None => self.value_of_env(name),
        };
        value.map_err(|it| Refused {
            is_said: !self.refused.borrow_mut().insert(name.to_owned()),
            ..it
        })
    }

    fn value_of_env(&self, name: &str) -> Result<String, Refused> {
        if !is_env_name(name) {
            return Err(refused(
                format!("`${{{name}}}` is not the name of an environment variable"),
                "write `${NAME}` with letters, digits and `_`, or `${file:/path/of/a/file}`",
            ));
        }
        let value = (self.world)(Variable::Env(name)).map_err(|why| refused(
            format!("the environment variable `{name}` {why}"),
            format!("set {name} for the process that runs hookyard, or keep the value in a file and write `${{file:/path}}`"),
        ))?;
        bounded(value, name)
    }

    fn value_of_file(&self, path: &str) -> Result<String, Refused> {
        if path.is_empty() {
            return Err(refused(
                "`${file:}` names no file",
                "write `${file:/path/of/the/file}`",
            ));
        }
        self.files.borrow_mut().insert(PathBuf::from(path));
        let text = (self.world)(Variable::File(Path::new(path))).map_err(|why| {
            refused(
                format!("the file `{path}` cannot be read: {why}"),
                "create the file, or let the user that runs hookyard read it",
            )
        })?;
        // Editors and `echo` end a file with a line break that is no part of the secret.
        let text = text
            .strip_suffix('\n')
            .map_or(text.as_str(), |it| it.strip_suffix('\r').unwrap_or(it));
        bounded(text.to_owned(), path)
    }
}

fn is_env_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|it: char| it.is_ascii_digit())
        && name
            .chars()
            .all(|it| it.is_ascii_alphanumeric() || it == '_')
}

fn bounded(value: String, name: &str) -> Result<String, Refused> {
    if value.len() <= VARIABLE_SIZE_BYTES_MAX {
        return Ok(value);
    }
    Err(refused(
        format!(
            "`{name}` holds {} bytes, more than the {VARIABLE_SIZE_BYTES_MAX} that are allowed",
            value.len()
        ),
        "name a variable or a file that holds nothing but the value",
    ))
}

fn refused(message: impl Into<String>, help: impl Into<String>) -> Refused {
    Refused {
        message: message.into(),
        help: help.into(),
        is_said: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(written: &str, expected: Result<&str, &str>) {
        let world = |it: Variable<'_>| match it {
            Variable::Env("A") => Ok("one".to_owned()),
            Variable::Env("LONG") => Ok("x".repeat(VARIABLE_SIZE_BYTES_MAX + 1)),
            Variable::File(path) if path == Path::new("/s") => Ok("two\r\n".to_owned()),
            Variable::File(path) if path == Path::new("/n") => Ok("three\n\n".to_owned()),
            Variable::Env(_) => Err("is not set".to_owned()),
            Variable::File(_) => Err("no such file".to_owned()),
        };
        let variables = Variables::new(&world);
        let filled = variables.fill_in(written).map_err(|it| it.message);
        assert_eq!(filled.as_deref().map_err(String::as_str), expected);
    }

    #[test]
    fn variables_are_filled_in_where_they_stand() {
        check("a ${A} b ${file:/s} c", Ok("a one b two c"));
        check("${A}${A}", Ok("oneone"));
        check("plain, with a $ and a }", Ok("plain, with a $ and a }"));
    }

    #[test]
    fn a_file_loses_one_line_break_at_its_end() {
        check("${file:/n}", Ok("three\n"));
    }

    #[test]
    fn two_dollars_stand_for_the_characters_themselves() {
        check("$${A} ${A}", Ok("${A} one"));
    }

    #[test]
    fn what_cannot_be_filled_in_is_refused() {
        check("${B}", Err("the environment variable `B` is not set"));
        check(
            "${file:/x}",
            Err("the file `/x` cannot be read: no such file"),
        );
        check("${file:}", Err("`${file:}` names no file"));
        check("${A", Err("`${` has no `}`"));
        check(
            "${}",
            Err("`${}` is not the name of an environment variable"),
        );
        check(
            "${a b}",
            Err("`${a b}` is not the name of an environment variable"),
        );
        check(
            "${1A}",
            Err("`${1A}` is not the name of an environment variable"),
        );
        check(
            "${LONG}",
            Err("`LONG` holds 65537 bytes, more than the 65536 that are allowed"),
        );
    }

    #[test]
    fn a_variable_that_stands_in_two_places_is_missed_once() {
        let variables = Variables::new(&|_| Err("is not set".to_owned()));
        let is_said = |it: &str| variables.fill_in(it).unwrap_err().is_said;
        assert_eq!(["${A}", "${B}", "x${A}"].map(is_said), [false, false, true]);
    }

    #[test]
    fn what_a_variable_holds_is_not_looked_at_again() {
        let variables = Variables::new(&|_| Ok("${A}".to_owned()));
        assert_eq!(variables.fill_in("${A}").as_deref(), Ok("${A}"));
    }

    #[test]
    fn files_are_remembered_also_when_they_cannot_be_read() {
        let variables = Variables::new(&|_| Err("no".to_owned()));
        assert!(variables.fill_in("${file:/x}").is_err());
        assert_eq!(variables.into_files(), [PathBuf::from("/x")]);
    }
}
