//! Whether a session can be called a failure, whatever its figures are.

use super::{BenchReport, LevelEnd, LevelReport, Requests, SessionEnd};

impl BenchReport {
    /// Why the session as a whole failed: it was stopped, could not go on, or ended for too many errors.
    pub fn failed_because(&self) -> Option<String> {
        let of_session = match &self.ended {
            SessionEnd::Complete | SessionEnd::Limit(_) => None,
            SessionEnd::Stopped => Some("the session was stopped".to_owned()),
            SessionEnd::Failed(why) => Some(why.clone()),
            SessionEnd::Errors(why) => {
                Some(format!("the session ended for too many errors: {why}"))
            }
        };
        let of_level = || self.levels.iter().find_map(LevelReport::failed_because);
        let unanswered = || {
            let nothing = self.levels.iter().all(|level| level.requests.ok == 0);
            nothing.then(|| "no request was answered".to_owned())
        };
        of_session.or_else(of_level).or_else(unanswered)
    }
}

impl LevelReport {
    /// Why the level failed: it ended for too many errors.
    pub fn failed_because(&self) -> Option<String> {
        let Requests { failed, ended, .. } = &self.requests;
        // A probe of a search with many errors only fails.
        (self.ended == LevelEnd::Errors && self.probe.is_none()).then(|| {
            format!(
                "{} ended for too many errors: {failed} of {ended} requests failed",
                self.place()
            )
        })
    }
}
