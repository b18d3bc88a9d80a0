//! One reading of the counters, and what may be said of it.
//!
//! Invariants: ratios lie between 0 and 1 and are never NaN; words for people are in percent.
//! Deliberately absent: any guess at why something was missed.

use std::fmt;

/// The counts of a [`TrackingStats`](super::TrackingStats) at one moment, and the ratios that follow from them.
///
/// `Display` prints it in one line, the ratios in percent. With feature `serde` it is `Serialize` and `Deserialize`.
///
/// ```
/// use memscope_rs::tracking::TrackingStats;
///
/// let stats = TrackingStats::new();
/// for _ in 0..199 {
///     stats.record_attempt();
///     stats.record_success();
/// }
/// stats.record_attempt();
/// stats.record_miss();
/// let detailed = stats.get_detailed_stats();
/// assert_eq!((detailed.attempts, detailed.successes, detailed.misses), (200, 199, 1));
/// assert_eq!(detailed.quality_grade(), "Excellent");
/// assert_eq!(
///     detailed.to_string(),
///     "99.50% complete (200 attempts, 199 successes, 1 miss, 0 open), contention 0.50%"
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DetailedStats {
    /// How many attempts were recorded.
    pub attempts: u64,
    /// How many of them were recorded to have succeeded.
    pub successes: u64,
    /// How many of them were recorded to have failed.
    pub misses: u64,
    /// Successes per attempt, from 0 to 1; 1 if there was no attempt.
    pub completeness: f64,
    /// Misses per attempt, from 0 to 1; 0 if there was no attempt.
    pub contention_rate: f64,
}

/// Successes per attempt. Complete, the usual case, needs no division; and it is what there is without attempts.
#[inline]
pub(super) fn completeness(successes: u64, attempts: u64) -> f64 {
    if successes >= attempts { 1.0 } else { float(successes) / float(attempts) }
}

/// Misses per attempt, and 1 even for callers who record misses without attempts.
#[inline]
fn contention_rate(misses: u64, attempts: u64) -> f64 {
    if misses == 0 { 0.0 } else { (float(misses) / float(attempts)).min(1.0) }
}

/// No count reaches 2^63, and from a signed number it is one instruction.
#[inline]
fn float(count: u64) -> f64 {
    count as i64 as f64
}

impl DetailedStats {
    #[inline]
    pub(crate) fn new(attempts: u64, successes: u64, misses: u64) -> Self {
        Self {
            attempts,
            successes,
            misses,
            completeness: completeness(successes, attempts),
            contention_rate: contention_rate(misses, attempts),
        }
    }

    /// How many attempts had no outcome yet. A subtraction.
    ///
    /// ```
    /// use memscope_rs::tracking::TrackingStats;
    ///
    /// let stats = TrackingStats::new();
    /// stats.record_attempt();
    /// assert_eq!(stats.get_detailed_stats().open(), 1);
    /// ```
    pub fn open(&self) -> u64 {
        self.attempts.saturating_sub(self.successes.saturating_add(self.misses))
    }

    /// Whether figures that rest on this tracking may be relied on: completeness at least 0.95 and contention rate at
    /// most 0.05. Two comparisons.
    ///
    /// ```
    /// use memscope_rs::tracking::TrackingStats;
    ///
    /// let stats = TrackingStats::new();
    /// assert!(stats.get_detailed_stats().is_healthy()); // nothing was attempted, so nothing is missing
    /// stats.record_attempt();
    /// stats.record_miss();
    /// assert!(!stats.get_detailed_stats().is_healthy());
    /// ```
    pub fn is_healthy(&self) -> bool {
        self.completeness >= 0.95 && self.contention_rate <= 0.05
    }

    /// The completeness in a word: `Excellent` from 0.98, `Good` from 0.95, `Fair` from 0.90, `Poor` from 0.80, and
    /// `Critical` below. A few comparisons.
    ///
    /// ```
    /// use memscope_rs::tracking::TrackingStats;
    ///
    /// let stats = TrackingStats::new();
    /// for attempt in 0..20 {
    ///     stats.record_attempt();
    ///     if attempt == 0 { stats.record_miss() } else { stats.record_success() }
    /// }
    /// assert_eq!(stats.get_detailed_stats().quality_grade(), "Good"); // 0.95
    /// ```
    pub fn quality_grade(&self) -> &'static str {
        match self.completeness {
            c if c >= 0.98 => "Excellent",
            c if c >= 0.95 => "Good",
            c if c >= 0.90 => "Fair",
            c if c >= 0.80 => "Poor",
            _ => "Critical",
        }
    }
}

impl fmt::Display for DetailedStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}% complete ({}, {}, {}, {} open), contention {}%",
            Percent(self.completeness),
            Counted(self.attempts, "attempt", "attempts"),
            Counted(self.successes, "success", "successes"),
            Counted(self.misses, "miss", "misses"),
            self.open(),
            Percent(self.contention_rate),
        )
    }
}

/// A ratio in percent with two digits. Only a whole is shown as 100.00, and only nothing as 0.00.
struct Percent(f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = self.0 * 100.0;
        let shown =
            if percent > 0.0 && percent < 100.0 { percent.clamp(0.01, 99.99) } else { percent };
        write!(f, "{shown:.2}")
    }
}

struct Counted(u64, &'static str, &'static str);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, if self.0 == 1 { self.1 } else { self.2 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_attempts_nothing_is_missing() {
        let none = DetailedStats::new(0, 0, 0);
        assert_eq!((none.completeness, none.contention_rate, none.open()), (1.0, 0.0, 0));
        assert!(none.is_healthy());
        assert_eq!(
            none.to_string(),
            "100.00% complete (0 attempts, 0 successes, 0 misses, 0 open), contention 0.00%"
        );
    }

    #[test]
    fn grades_change_where_they_say() {
        let grade = |successes| DetailedStats::new(100, successes, 100 - successes).quality_grade();
        let grades = [98, 97, 95, 94, 90, 89, 80, 79].map(grade);
        let expected = ["Excellent", "Good", "Good", "Fair", "Fair", "Poor", "Poor", "Critical"];
        assert_eq!(grades, expected);
    }

    #[test]
    fn health_needs_both_ratios() {
        assert!(DetailedStats::new(100, 95, 5).is_healthy());
        assert!(!DetailedStats::new(100, 94, 5).is_healthy());
        assert!(!DetailedStats::new(100, 94, 6).is_healthy());
        // Open attempts are not misses, but they are not successes either.
        assert!(!DetailedStats::new(100, 90, 0).is_healthy());
    }

    #[test]
    fn ratios_stay_ratios_for_outcomes_without_attempts() {
        let odd = DetailedStats::new(1, 5, 5);
        assert_eq!((odd.completeness, odd.contention_rate, odd.open()), (1.0, 1.0, 0));
        let odder = DetailedStats::new(0, 0, 1);
        assert_eq!((odder.completeness, odder.contention_rate, odder.open()), (1.0, 1.0, 0));
    }

    #[test]
    fn a_single_miss_in_a_million_shows() {
        let text = DetailedStats::new(1_000_000, 999_999, 1).to_string();
        assert!(text.starts_with("99.99% complete"), "{text}");
        assert!(text.ends_with("contention 0.01%"), "{text}");
    }
}
