//! Where the words beside points stand, for both painters.

/// A point in the drawing, and the width of its word.
#[derive(Debug, Clone, Copy)]
pub struct Beside {
    /// From the left.
    pub x: f64,
    /// From the top.
    pub y: f64,
    /// Of the word.
    pub width: f64,
}

/// How far a word is from its point.
const GAP: f64 = 6.0;

/// The upper left corner of each word of this height: right above its point, else left above, right below or left
/// below. `None` of one that has no free place within the drawing's `[left, top, right, bottom]`.
pub fn places(
    points: &[Beside],
    height: f64,
    [left, top, right, bottom]: [f64; 4],
) -> Vec<Option<[f64; 2]>> {
    let mut taken: Vec<[f64; 4]> = Vec::new();
    let mut place = |Beside { x, y, width }: &Beside| {
        let (before, after) = (x - GAP - width, x + GAP);
        let (above, below) = (y - height - 2.0, y + 2.0);
        let corners = [
            [after, above],
            [before, above],
            [after, below],
            [before, below],
        ];
        let free = |[x, y]: &[f64; 2]| {
            let inside = *x >= left && x + width <= right && *y >= top && y + height <= bottom;
            let apart = |[l, t, r, b]: &[f64; 4]| {
                *x >= r + 2.0 || x + width + 2.0 <= *l || y >= b || y + height <= *t
            };
            inside && taken.iter().all(apart)
        };
        let found = corners.into_iter().find(free)?;
        taken.push([found[0], found[1], found[0] + width, found[1] + height]);
        Some(found)
    };
    points.iter().map(&mut place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_beside_their_points_and_never_over_each_other() {
        let at = |x, y| Beside { x, y, width: 20.0 };
        let points = [
            at(50.0, 50.0),
            at(52.0, 51.0),
            at(95.0, 5.0),
            at(51.0, 50.0),
        ];
        let found = places(&points, 10.0, [0.0, 0.0, 100.0, 100.0]);
        assert_eq!(
            found,
            [
                Some([56.0, 38.0]),
                Some([26.0, 39.0]),
                Some([69.0, 7.0]),
                Some([57.0, 52.0]),
            ]
        );
        let crowd = [at(50.0, 50.0); 5];
        let found = places(&crowd, 10.0, [0.0, 0.0, 100.0, 100.0]);
        assert_eq!(found.iter().flatten().count(), 4, "{found:?}");
    }
}
