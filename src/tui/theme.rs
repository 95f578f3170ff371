//! Colours by role, in four capability levels. No role is told apart by colour alone: words and marks carry the meaning.

use ratatui::style::{Color, Modifier, Style};

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ColorLevel {
    /// No colour at all (`NO_COLOR`): modifiers only.
    None,
    /// The sixteen of the terminal's own palette.
    Ansi16,
    /// The 256-colour cube.
    Indexed,
    /// 24 bits.
    True,
}

/// Light text on a dark ground, or the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    Dark,
    Light,
}

/// A theme: a style for each role. The ground is always the terminal's own.
#[derive(Clone, Debug, PartialEq)]
pub struct Theme {
    pub level: ColorLevel,
    pub ground: Ground,
    /// Draw with ASCII only (the locale is not UTF-8).
    pub ascii: bool,
    pub text: Style,
    /// Secondary facts.
    pub dim: Style,
    /// Lines and frames.
    pub border: Style,
    /// The focused pane's frame.
    pub focus: Style,
    pub title: Style,
    /// The product's own colour: brand, keys, active tab.
    pub accent: Style,
    pub ok: Style,
    pub warn: Style,
    pub fail: Style,
    pub info: Style,
    /// The selected row.
    pub selected: Style,
    /// A solid label (badge, active tab).
    pub badge: Style,
    pub badge_warn: Style,
    pub badge_fail: Style,
    /// The ground of overlays and input fields.
    pub field: Style,
    /// Filled part of a gauge.
    pub gauge: Style,
    /// Reserved part of a gauge.
    pub gauge_reserved: Style,
    /// Empty part of a gauge.
    pub gauge_empty: Style,
    /// What a filter matched.
    pub hit: Style,
}

/// A colour per level: (truecolor, 256, 16).
type Shade = ((u8, u8, u8), u8, Color);

struct Palette {
    dim: Shade,
    border: Shade,
    accent: Shade,
    ok: Shade,
    warn: Shade,
    fail: Shade,
    info: Shade,
    selected: Shade,
    field: Shade,
    reserved: Shade,
    empty: Shade,
    on_badge: Shade,
}

const DARK: Palette = Palette {
    dim: ((0x8b, 0x93, 0xa7), 245, Color::DarkGray),
    border: ((0x4a, 0x52, 0x68), 240, Color::DarkGray),
    accent: ((0x7a, 0xb8, 0xff), 111, Color::Cyan),
    ok: ((0x8f, 0xd1, 0x7f), 114, Color::Green),
    warn: ((0xf2, 0xc1, 0x5f), 221, Color::Yellow),
    fail: ((0xff, 0x7b, 0x72), 210, Color::Red),
    info: ((0xc4, 0xa7, 0xf5), 183, Color::Magenta),
    selected: ((0x2a, 0x33, 0x47), 237, Color::Blue),
    field: ((0x1d, 0x22, 0x2e), 235, Color::Reset),
    reserved: ((0xa8, 0x8a, 0x4a), 137, Color::Yellow),
    empty: ((0x3a, 0x41, 0x52), 238, Color::DarkGray),
    on_badge: ((0x12, 0x16, 0x1f), 234, Color::Black),
};

const LIGHT: Palette = Palette {
    dim: ((0x64, 0x6c, 0x7d), 242, Color::DarkGray),
    border: ((0xa9, 0xb1, 0xc0), 249, Color::Gray),
    accent: ((0x1f, 0x5f, 0xc4), 26, Color::Blue),
    ok: ((0x1c, 0x7a, 0x33), 28, Color::Green),
    warn: ((0x8f, 0x5d, 0x00), 94, Color::Yellow),
    fail: ((0xc0, 0x22, 0x2b), 160, Color::Red),
    info: ((0x7a, 0x3f, 0xb8), 97, Color::Magenta),
    selected: ((0xd8, 0xe3, 0xf5), 189, Color::Gray),
    field: ((0xee, 0xf0, 0xf4), 255, Color::Reset),
    reserved: ((0xb8, 0x8a, 0x2e), 136, Color::Yellow),
    empty: ((0xd0, 0xd5, 0xde), 252, Color::Gray),
    on_badge: ((0xff, 0xff, 0xff), 231, Color::White),
};

impl Theme {
    /// The theme for a terminal of this kind.
    pub fn new(ground: Ground, level: ColorLevel, ascii: bool) -> Theme {
        let p = match ground {
            Ground::Dark => &DARK,
            Ground::Light => &LIGHT,
        };
        let color = |s: Shade| match level {
            ColorLevel::None => Color::Reset,
            ColorLevel::Ansi16 => s.2,
            ColorLevel::Indexed => Color::Indexed(s.1),
            ColorLevel::True => Color::Rgb(s.0.0, s.0.1, s.0.2),
        };
        let none = level == ColorLevel::None;
        let coarse = level <= ColorLevel::Ansi16;
        let fg = |s: Shade| if none { Style::new() } else { Style::new().fg(color(s)) };
        let badge = |s: Shade| {
            if none {
                Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD)
            } else {
                Style::new().fg(color(p.on_badge)).bg(color(s)).add_modifier(Modifier::BOLD)
            }
        };
        Theme {
            level,
            ground,
            ascii,
            text: Style::new(),
            dim: if none { Style::new().add_modifier(Modifier::DIM) } else { fg(p.dim) },
            border: if none { Style::new().add_modifier(Modifier::DIM) } else { fg(p.border) },
            focus: fg(p.accent),
            title: Style::new().add_modifier(Modifier::BOLD),
            accent: fg(p.accent).add_modifier(Modifier::BOLD),
            ok: fg(p.ok),
            warn: fg(p.warn),
            fail: fg(p.fail).add_modifier(Modifier::BOLD),
            info: fg(p.info),
            selected: if coarse { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new().bg(color(p.selected)) },
            badge: badge(p.accent),
            badge_warn: badge(p.warn),
            badge_fail: badge(p.fail),
            field: if coarse { Style::new() } else { Style::new().bg(color(p.field)) },
            gauge: fg(p.accent),
            gauge_reserved: fg(p.reserved),
            gauge_empty: if none { Style::new().add_modifier(Modifier::DIM) } else { fg(p.empty) },
            hit: fg(p.accent).add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
        }
    }
}

impl Default for Theme {
    fn default() -> Theme {
        Theme::new(Ground::Dark, ColorLevel::True, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every style of a theme.
    fn styles(t: &Theme) -> Vec<Style> {
        vec![
            t.text,
            t.dim,
            t.border,
            t.focus,
            t.title,
            t.accent,
            t.ok,
            t.warn,
            t.fail,
            t.info,
            t.selected,
            t.badge,
            t.badge_warn,
            t.badge_fail,
            t.field,
            t.gauge,
            t.gauge_reserved,
            t.gauge_empty,
            t.hit,
        ]
    }

    #[test]
    fn each_level_keeps_to_its_colours() {
        for ground in [Ground::Dark, Ground::Light] {
            for level in [ColorLevel::None, ColorLevel::Ansi16, ColorLevel::Indexed, ColorLevel::True] {
                let colours = styles(&Theme::new(ground, level, false)).into_iter().flat_map(|s| [s.fg, s.bg]).flatten();
                for c in colours {
                    let allowed = match (level, c) {
                        (_, Color::Reset) => true,
                        (ColorLevel::None, _) => false,
                        (ColorLevel::Ansi16, c) => !matches!(c, Color::Indexed(_) | Color::Rgb(..)),
                        (ColorLevel::Indexed, c) => matches!(c, Color::Indexed(_)),
                        (ColorLevel::True, c) => matches!(c, Color::Rgb(..)),
                    };
                    assert!(allowed, "{ground:?} {level:?} uses {c:?}");
                }
            }
        }
    }

    #[test]
    fn without_colour_the_selected_row_and_badges_still_show() {
        let t = Theme::new(Ground::Dark, ColorLevel::None, false);
        assert!(t.selected.add_modifier.contains(Modifier::REVERSED));
        assert!(t.badge_fail.add_modifier.contains(Modifier::REVERSED));
    }
}
