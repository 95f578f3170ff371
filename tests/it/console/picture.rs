//! Screens as pictures: SVG made from the real buffers. `ORC_PICTURES=DIR` writes them.

use super::desk::Console;
use super::world;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use std::fmt::Write as _;

const CELL: (f32, f32) = (8.4, 18.0);
const PAPER: &str = "#11151d";
const INK: &str = "#d5dae5";

fn hex(color: Color, default: &str) -> String {
    match color {
        Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        _ => default.to_owned(),
    }
}

/// Foreground and background as they are seen.
fn colours(cell: &Cell) -> (String, String) {
    let (fg, bg) = (hex(cell.fg, INK), hex(cell.bg, PAPER));
    if cell.modifier.contains(Modifier::REVERSED) { (bg, fg) } else { (fg, bg) }
}

/// A buffer as an SVG picture: one rectangle per run of a ground, one text per run of a style.
pub fn svg(buf: &Buffer) -> String {
    let (w, h) = (f32::from(buf.area.width) * CELL.0, f32::from(buf.area.height) * CELL.1);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w:.0} {h:.0}\" font-family=\"'DejaVu Sans Mono','JetBrains Mono',Menlo,Consolas,monospace\" font-size=\"14\" xml:space=\"preserve\">\n<rect width=\"100%\" height=\"100%\" fill=\"{PAPER}\"/>\n"
    );
    for y in 0..buf.area.height {
        let mut x = 0;
        while x < buf.area.width {
            let first = &buf[(x, y)];
            let look = (colours(first), first.modifier);
            let start = x;
            let mut text = String::new();
            while x < buf.area.width {
                let cell = &buf[(x, y)];
                if (colours(cell), cell.modifier) != look {
                    break;
                }
                text.push_str(cell.symbol());
                x += unicode_width::UnicodeWidthStr::width(cell.symbol()).max(1) as u16;
            }
            let ((fg, bg), modifier) = look;
            let (left, top, width) = (f32::from(start) * CELL.0, f32::from(y) * CELL.1, f32::from(x - start) * CELL.0);
            if bg != PAPER {
                let _ = writeln!(out, "<rect x=\"{left:.1}\" y=\"{top:.0}\" width=\"{width:.1}\" height=\"{:.0}\" fill=\"{bg}\"/>", CELL.1);
            }
            if text.trim().is_empty() {
                continue;
            }
            let mut style = String::new();
            if modifier.contains(Modifier::BOLD) {
                style.push_str(" font-weight=\"bold\"");
            }
            if modifier.contains(Modifier::ITALIC) {
                style.push_str(" font-style=\"italic\"");
            }
            if modifier.contains(Modifier::UNDERLINED) {
                style.push_str(" text-decoration=\"underline\"");
            }
            let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let _ = writeln!(
                out,
                "<text x=\"{left:.1}\" y=\"{:.1}\" textLength=\"{width:.1}\" fill=\"{fg}\"{style}>{escaped}</text>",
                top + 13.5
            );
        }
    }
    out.push_str("</svg>\n");
    out
}

#[test]
fn pictures_hold_what_the_screen_holds() {
    let scenes = [
        ("dashboard", (120, 40), ""),
        ("dashboard-wide", (200, 50), ""),
        ("dashboard-80x24", (80, 24), ""),
        ("job", (120, 36), "tab tab j enter"),
        ("jobs", (120, 36), "2 j space space"),
        ("dispatch", (120, 40), "n 'Fix the flaky login test' tab down"),
        ("palette", (120, 40), ": 'pau'"),
        ("kill", (120, 40), "tab tab j x"),
        ("why", (120, 36), "2 l l l l enter"),
        ("trouble", (120, 40), "trouble"),
    ];
    let folder = std::env::var_os("ORC_PICTURES").map(std::path::PathBuf::from);
    for (name, size, keys) in scenes {
        let mut c = Console::new(size, if keys == "trouble" { world::trouble() } else { world::busy() });
        c.keys(if keys == "trouble" { "" } else { keys });
        let picture = svg(&c.buffer());
        assert!(picture.contains("running") && picture.contains("</svg>"), "{name}");
        if let Some(folder) = &folder {
            std::fs::write(folder.join(format!("{name}.svg")), picture).unwrap();
        }
    }
}
