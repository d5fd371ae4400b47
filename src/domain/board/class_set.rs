//! A set of class indices, one bit each, so that two sets are intersected 64 classes at a time.

/// Classes by dense index.
#[derive(Clone, Debug, Default)]
pub(super) struct ClassSet(Vec<u64>);

impl ClassSet {
    pub(super) fn contains(&self, class: u32) -> bool {
        self.0.get(class as usize / 64).is_some_and(|word| word >> (class % 64) & 1 == 1)
    }

    pub(super) fn insert(&mut self, class: u32) {
        let word = class as usize / 64;
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (class % 64);
    }

    pub(super) fn remove(&mut self, class: u32) {
        if let Some(word) = self.0.get_mut(class as usize / 64) {
            *word &= !(1 << (class % 64));
        }
    }

    /// Adds every class of `other`.
    pub(super) fn extend(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine |= theirs;
        }
    }

    /// The classes, smallest index first.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().enumerate().flat_map(|(at, word)| bits(at, *word))
    }

    /// The classes in both sets, smallest index first.
    pub(super) fn common<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = u32> + 'a {
        self.0.iter().zip(&other.0).enumerate().flat_map(|(at, (mine, theirs))| bits(at, mine & theirs))
    }
}

/// The indices of the bits of the word at position `at`.
fn bits(at: usize, mut word: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let lowest = (word != 0).then(|| word.trailing_zeros())?;
        word &= word - 1;
        u32::try_from(at * 64).ok().map(|base| base + lowest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_different_length_are_intersected_and_united() {
        let set = |of: &[u32]| {
            let mut set = ClassSet::default();
            of.iter().for_each(|class| set.insert(*class));
            set
        };
        let (mut low, high) = (set(&[0, 3, 63, 64]), set(&[3, 64, 65, 700]));
        assert_eq!(low.common(&high).collect::<Vec<_>>(), [3, 64]);
        assert_eq!(high.common(&low).collect::<Vec<_>>(), [3, 64]);
        low.remove(3);
        low.remove(9_999);
        low.extend(&high);
        assert_eq!(low.iter().collect::<Vec<_>>(), [0, 3, 63, 64, 65, 700]);
    }
}
