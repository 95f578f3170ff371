//! Where the operator is in a list. The selection follows the row's key, and the screen does not jump when rows come and go.

/// A selection and a scroll position over rows named by keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Cursor<K> {
    key: Option<K>,
    /// The selected row.
    pub index: usize,
    /// The first visible row.
    pub top: usize,
    /// Rows that fit.
    pub height: usize,
    len: usize,
}

impl<K> Default for Cursor<K> {
    fn default() -> Cursor<K> {
        Cursor { key: None, index: 0, top: 0, height: 1, len: 0 }
    }
}

impl<K: PartialEq + Clone> Cursor<K> {
    /// The selected key.
    pub fn key(&self) -> Option<&K> {
        self.key.as_ref()
    }

    /// Selects a key; the position follows at the next `sync`.
    pub fn select(&mut self, key: K) {
        self.key = Some(key);
    }

    /// Brings the position up to date with the rows: the selected key keeps its line on the screen. If it is gone, the row
    /// in its place is selected.
    pub fn sync(&mut self, keys: &[K], height: usize) {
        self.height = height.max(1);
        self.len = keys.len();
        let line = self.index.saturating_sub(self.top);
        let found = self.key.as_ref().and_then(|key| {
            // most often it has not moved
            if keys.get(self.index) == Some(key) { Some(self.index) } else { keys.iter().position(|k| k == key) }
        });
        if let Some(i) = found {
            self.top = i.saturating_sub(line);
            self.index = i;
        }
        self.clamp();
        self.key = keys.get(self.index).cloned();
    }

    /// Shows the first row again if that does not put the selection out of sight.
    pub fn show_top(&mut self) {
        self.top = 0;
        self.clamp();
    }

    /// Moves the selection by rows.
    pub fn step(&mut self, by: isize, keys: &[K]) {
        self.go(self.index.saturating_add_signed(by), keys);
    }

    /// Moves the selection to a row.
    pub fn go(&mut self, index: usize, keys: &[K]) {
        self.index = index;
        self.len = keys.len();
        self.clamp();
        self.key = keys.get(self.index).cloned();
    }

    /// Moves selection and screen to the last row.
    pub fn end(&mut self, keys: &[K]) {
        self.go(keys.len().saturating_sub(1), keys);
    }

    /// The first `dropped` rows are gone; `keys` are those that are left. Nothing moves on the screen.
    pub fn shift(&mut self, dropped: usize, keys: &[K]) {
        self.top = self.top.saturating_sub(dropped);
        self.go(self.index.saturating_sub(dropped), keys);
    }

    /// The last of `len` rows that are still to be named by `sync`.
    pub fn select_end(&mut self, len: usize) {
        self.key = None;
        self.index = len.saturating_sub(1);
        self.top = self.index;
    }

    /// The visible rows.
    pub fn visible(&self) -> std::ops::Range<usize> {
        self.top.min(self.len)..(self.top + self.height).min(self.len)
    }

    /// True when the last row is selected.
    pub fn at_end(&self) -> bool {
        self.index + 1 >= self.len
    }

    fn clamp(&mut self) {
        self.index = self.index.min(self.len.saturating_sub(1));
        self.top = self.top.min(self.index).min(self.len.saturating_sub(self.height));
        if self.index >= self.top + self.height {
            self.top = self.index + 1 - self.height;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selection_follows_its_key_and_keeps_its_line() {
        let mut c = Cursor::default();
        let mut keys: Vec<u32> = (0..100).collect();
        c.sync(&keys, 10);
        c.go(50, &keys);
        let line = c.index - c.top;
        for new in [1000, 1001, 1002] {
            keys.insert(0, new);
        }
        c.sync(&keys, 10);
        assert_eq!((c.key(), c.index, c.index - c.top), (Some(&50), 53, line));
    }

    #[test]
    fn a_row_that_goes_leaves_the_selection_in_its_place() {
        let mut c = Cursor::default();
        c.sync(&[1, 2, 3], 10);
        c.go(1, &[1, 2, 3]);
        c.sync(&[1, 3], 10);
        assert_eq!(c.key(), Some(&3));
        c.sync(&[], 10);
        assert_eq!((c.key(), c.visible()), (None, 0..0));
        c.sync(&[7], 10);
        assert_eq!(c.key(), Some(&7));
    }

    #[test]
    fn the_screen_is_never_left_half_empty() {
        let mut c = Cursor::default();
        let keys: Vec<u32> = (0..30).collect();
        c.sync(&keys, 10);
        c.end(&keys);
        assert_eq!(c.visible(), 20..30);
        c.sync(&keys, 25);
        assert_eq!(c.visible(), 5..30);
    }
}
