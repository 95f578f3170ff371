//! What lies over a screen. A stack: the topmost has the keys.

mod answer;
mod confirm;
mod form;
mod help;
mod leave;
mod line;
mod palette;
mod recollect;
mod remember;

pub use answer::Question;
pub use confirm::Confirm;
pub use form::Form;
pub use help::Help;
pub use leave::Leave;
pub use line::{About, Written};
pub use palette::{Palette, Run, VERBS, Way};
pub use remember::{Card, Remember};

use super::model::Model;
use super::widgets::Input;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

/// A layer over the screen.
pub enum Overlay {
    Help(Help),
    Palette(Palette),
    Confirm(Confirm),
    Form(Box<Form>),
    Leave(Leave),
    Remember(Box<Remember>),
    Card(Box<Card>),
    Question(Box<Question>),
    Line(Box<Written>),
    /// The filter of the focused list, being typed. It is drawn in the key line; `before` comes back with Esc.
    Filter {
        input: Input,
        before: String,
    },
}

/// What a layer made of a key.
pub enum Outcome {
    /// It stays.
    Stay,
    /// It is over.
    Close,
    /// It is over, and this is to be done.
    Run(Run),
    /// It stays, and the operator is told something.
    Say(String),
    /// The form asks for the external editor.
    Editor(String),
}

impl Overlay {
    /// Draws the layer; returns where the cursor stands, if it has one.
    pub fn draw(&self, model: &Model, area: Rect, buf: &mut Buffer) -> Option<Position> {
        match self {
            Overlay::Help(help) => help.draw(model, area, buf),
            Overlay::Palette(palette) => return palette.draw(model, area, buf),
            Overlay::Confirm(confirm) => confirm.draw(model, area, buf),
            Overlay::Form(form) => return form.draw(model, area, buf),
            Overlay::Leave(leave) => leave.draw(model, area, buf),
            Overlay::Remember(form) => return form.draw(model, area, buf),
            Overlay::Card(card) => card.draw(model, area, buf),
            Overlay::Question(question) => question.draw(model, area, buf),
            Overlay::Line(line) => line.draw(model, area, buf),
            Overlay::Filter { .. } => {}
        }
        None
    }
}

/// Blanks the ground of a layer.
pub fn clear(area: Rect, buf: &mut Buffer, style: Style) {
    let area = area.intersection(buf.area);
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            buf[(x, y)].reset();
        }
        // a wide character that the layer covers by half
        if area.left() > buf.area.left() && super::text::width(buf[(area.left() - 1, y)].symbol()) > 1 {
            buf[(area.left() - 1, y)].set_symbol(" ");
        }
    }
    buf.set_style(area, style);
}
