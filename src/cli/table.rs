//! Tables, and lists of fields.

use super::out::Out;
use anstyle::{AnsiColor, Style};
use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement};

pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const RED: Style = AnsiColor::Red.on_default().bold();
pub(super) const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
pub(super) const GREEN: Style = AnsiColor::Green.on_default();

/// A table without lines, so that other programs can cut it.
pub(super) struct Table(comfy_table::Table);

impl Table {
    pub(super) fn new(header: &[&str]) -> Self {
        let mut table = comfy_table::Table::new();
        table
            .load_style(NOTHING)
            // An id that is broken over two lines cannot be copied.
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(
                header
                    .iter()
                    .map(|it| Cell::new(it).add_attribute(Attribute::Bold)),
            );
        for it in table.column_iter_mut() {
            it.set_padding((0, 2));
        }
        Self(table)
    }

    /// Numbers stand right.
    pub(super) fn right(mut self, columns: &[usize]) -> Self {
        for at in columns {
            if let Some(it) = self.0.column_mut(*at) {
                it.set_cell_alignment(CellAlignment::Right);
            }
        }
        self
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.0.add_row(cells);
    }

    pub(super) fn print(&self, out: &mut Out) -> anyhow::Result<()> {
        for line in self.0.lines() {
            out.line(line.trim_end())?;
        }
        Ok(())
    }
}

/// A run's state; what needs a person stands out.
pub(super) fn state_cell(state: &str) -> Cell {
    let cell = Cell::new(state);
    match state {
        "dead" => cell.fg(Color::Red),
        "held" | "waiting" => cell.fg(Color::Yellow),
        "done" => cell.fg(Color::Green),
        _ => cell,
    }
}

/// The same in running text.
pub(super) fn state_style(state: &str) -> Style {
    match state {
        "dead" | "failed" => RED,
        "held" | "waiting" | "retry" | "put off" => YELLOW,
        "done" => GREEN,
        _ => Style::new(),
    }
}

/// Fields below each other, those without a value left out.
pub(super) fn fields(out: &mut Out, fields: &[(&str, Option<String>)]) -> anyhow::Result<()> {
    let width = fields
        .iter()
        .filter(|(_, it)| it.is_some())
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or(0);
    for (name, value) in fields {
        if let Some(value) = value {
            out.line(format_args!("{DIM}{name:width$}{DIM:#}  {value}"))?;
        }
    }
    Ok(())
}
