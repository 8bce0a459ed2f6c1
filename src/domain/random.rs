//! Chance that can be had again: the same seed gives the same numbers, in every version of Batida.

/// A small seeded generator (SplitMix64, Steele et al. 2014). Written out here because a crate may change its
/// sequence, and then the same seed would no longer mean the same benchmark.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A sequence of its own for each seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A sequence of its own for each way through `path`, e.g. a seed and a request's index.
    pub fn at(path: &[u64]) -> Self {
        let mut random = Self(0);
        for step in path {
            random.0 = random.bits() ^ step;
        }
        random.0 = random.bits();
        random
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0 to `n` − 1.
    ///
    /// # Panics
    /// When `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    /// From 0 up to, but without, 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Exponentially distributed with mean 1: the gaps between independent arrivals.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }

    /// Normally distributed with mean 0 and deviation 1 (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (2.0 * self.exponential()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Gamma distributed with this shape (above 0) and scale 1, so that the mean is the shape (Marsaglia and Tsang
    /// 2000).
    pub fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let power = (1.0 - self.unit()).powf(1.0 / shape);
            return self.gamma(shape + 1.0) * power;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            let u = 1.0 - self.unit();
            if v > 0.0 && u.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    /// A factor between 1 − spread and 1 + spread.
    pub fn around(&mut self, spread: f64) -> f64 {
        1.0 + spread * (2.0 * self.unit() - 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the authors' `splitmix64.c` with seed 1234567.
    #[test]
    fn the_sequence_never_changes() {
        let mut random = Random::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| random.bits()).collect();
        assert_eq!(
            first,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn every_way_has_its_own_sequence() {
        let mut firsts: Vec<u64> = (0..100)
            .flat_map(|a| (0..100).map(move |b| Random::at(&[a, b]).bits()))
            .collect();
        firsts.push(Random::at(&[1]).bits());
        let all = firsts.len();
        firsts.sort_unstable();
        firsts.dedup();
        assert_eq!(firsts.len(), all);
    }

    #[test]
    fn the_distributions_have_their_moments() {
        let mut random = Random::new(7);
        let mut moments = |draw: fn(&mut Random) -> f64| {
            let n = 100_000;
            let (sum, squares) = (0..n)
                .map(|_| draw(&mut random))
                .fold((0.0, 0.0), |(sum, squares), x| (sum + x, squares + x * x));
            let mean = sum / f64::from(n);
            (mean, squares / f64::from(n) - mean * mean)
        };
        for (draw, mean, variance) in [
            (Random::unit as fn(&mut Random) -> f64, 0.5, 1.0 / 12.0),
            (Random::exponential, 1.0, 1.0),
            (Random::normal, 0.0, 1.0),
            (|random| random.gamma(2.0), 2.0, 2.0),
            (|random| random.gamma(0.5), 0.5, 0.5),
        ] {
            let (m, v) = moments(draw);
            assert!(
                (m - mean).abs() < 0.02 && (v - variance).abs() < 0.04,
                "{m} {v}"
            );
        }
    }
}
