//! `import "lib/money" as money;` means scripts/lib/money.rhai. Paths are literal and stay inside of scripts/, so that
//! all that a script can ever load is known before it runs.

use super::parse;
use crate::diagnostic::Diagnostic;
use rhai::{AST, ASTNode, Expr, Position, Stmt};

/// One import of a file.
#[derive(Clone, Debug)]
pub(super) struct Import {
    /// `scripts/lib/money.rhai`
    pub(super) path: String,
    /// `money`
    pub(super) alias: String,
    pub(super) position: Position,
}

/// The file that an import means, or what is wrong with it.
pub(super) fn file_of(written: &str) -> Result<String, &'static str> {
    if written.is_empty() {
        return Err("it names no file");
    }
    if written.starts_with('/') || written.contains(['\\', ':', '\0']) {
        return Err("it has to be a path inside of scripts/");
    }
    if written.split('/').any(|it| matches!(it, "" | "." | "..")) {
        return Err("it cannot lead out of scripts/, and has no empty parts");
    }
    let stem = written.strip_suffix(".rhai").unwrap_or(written);
    Ok(format!("scripts/{stem}.rhai"))
}

/// How people write a path that is not as imports are written, as it is: `scripts/lib/money.rhai`, `./lib/money`.
pub(super) fn plain(written: &str) -> &str {
    let it = written.trim_start_matches(['.', '/']);
    let it = it.strip_prefix("scripts/").unwrap_or(it);
    it.strip_suffix(".rhai").unwrap_or(it)
}

/// The line that imports a file: `scripts/lib/money.rhai`.
pub(super) fn line_for(path: &str, alias: &str) -> String {
    format!("write `import \"{}\" as {alias};`", plain(path))
}

/// All imports of a file, wherever they stand in it, and what is wrong with them.
pub(super) fn imports_of(ast: &AST, file: &str, text: &str) -> (Vec<Import>, Vec<Diagnostic>) {
    let mut imports = Vec::new();
    let mut wrong = Vec::new();
    ast.walk(&mut |path: &[ASTNode]| {
        if let Some(ASTNode::Stmt(Stmt::Import(it, position))) = path.last() {
            let alias = it.1.name.to_string();
            match &it.0 {
                Expr::StringConstant(written, _) => match file_of(written) {
                    Ok(path) => imports.push(Import { path, alias, position: *position }),
                    Err(why) => {
                        let finding = parse::at(file, text, *position, format!("`{written}` cannot be imported: {why}"));
                        let help = match plain(written) {
                            it if file_of(it).is_ok() => {
                                format!("{}: paths begin in scripts/", line_for(it, &alias))
                            }
                            _ => "write for example `import \"lib/money\" as money;` for scripts/lib/money.rhai".to_owned(),
                        };
                        wrong.push(finding.help(help));
                    }
                },
                _ => wrong.push(
                    parse::at(file, text, *position, "an import has to name its file directly")
                        .help("write for example `import \"lib/money\" as money;`"),
                ),
            }
        }
        true
    });
    (imports, wrong)
}
