//! Statements that do nothing: `status == "paid";` where a name was to be given a value.

use super::super::host::compare;
use super::Check;
use rhai::{Expr, Stmt};

impl Check<'_> {
    /// Of the script itself, which gives nothing back. Rhai shows no statements of functions.
    pub(super) fn comparisons(&mut self) {
        for it in self.unit.ast.statements() {
            self.comparison(it);
        }
    }

    /// Of blocks inside, which may be values too: `let x = if a { b == c } else { false };`
    pub(super) fn comparisons_within(&mut self, statement: &Stmt) {
        match statement {
            Stmt::If(it, _) => {
                self.comparisons_but_last(it.body.statements());
                self.comparisons_but_last(it.branch.statements());
            }
            Stmt::While(it, _) | Stmt::Do(it, ..) => {
                it.body
                    .statements()
                    .iter()
                    .for_each(|it| self.comparison(it));
            }
            Stmt::For(it, _) => {
                let body = it.2.body.statements();
                body.iter().for_each(|it| self.comparison(it));
            }
            Stmt::Block(it) => self.comparisons_but_last(it.statements()),
            // The rest has no blocks of its own.
            _ => {}
        }
    }

    fn comparisons_but_last(&mut self, block: &[Stmt]) {
        if let Some((_, before)) = block.split_last() {
            before.iter().for_each(|it| self.comparison(it));
        }
    }

    fn comparison(&mut self, statement: &Stmt) {
        let (call, position) = match statement {
            Stmt::FnCall(it, position) => (it, *position),
            Stmt::Expr(it) => match &**it {
                Expr::FnCall(it, position) => (it, *position),
                _ => return,
            },
            _ => return,
        };
        let Some(operator) = compare::written(&call.name) else {
            return;
        };
        let ask = format!("to ask write `if a {operator} b {{ … }}`");
        let help = if operator == "==" {
            format!("to give a name a value write `=`; {ask}")
        } else {
            ask
        };
        let finding = self
            .finding(
                position,
                "this only compares, and nothing is done with the answer",
            )
            .help(help)
            .warning();
        self.findings.push(finding);
    }
}
