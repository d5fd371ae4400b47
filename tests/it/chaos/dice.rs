//! Chance that can be repeated.

/// Small numbers from a seed, by xorshift64*. The seed is printed, and taken from SHUNT_CHAOS_SEED when that is set.
pub struct Dice(u64);

impl Dice {
    pub fn new() -> Self {
        let given =
            std::env::var("SHUNT_CHAOS_SEED").ok().map(|seed| seed.parse().expect("SHUNT_CHAOS_SEED: a number"));
        let seed = given.unwrap_or_else(|| uuid::Uuid::now_v7().as_u64_pair().1);
        eprintln!("SHUNT_CHAOS_SEED={seed}");
        let mut dice = Self(seed.max(1));
        // Small seeds differ in few bits.
        (0..20).for_each(|_| _ = dice.roll(2));
        dice
    }

    /// From 0 to `limit` - 1.
    pub fn roll(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }

    /// True once in `of` times.
    pub fn once_in(&mut self, of: u64) -> bool {
        self.roll(of) == 0
    }

    /// Other dice for another thread, from the same seed.
    pub fn split(&mut self) -> Self {
        Self((self.roll(u64::MAX) << 31 | self.roll(u64::MAX)).max(1))
    }
}
