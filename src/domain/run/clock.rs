//! Which clock says when bytes arrived.

use serde::{Deserialize, Serialize};

/// The clock that says when bytes arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// The kernel's, which stamps each segment as it comes in: a read that is late moves no time.
    Kernel,
    /// The program's, at each read: a read that is late makes a time that much too long.
    Process,
    /// The kernel's for some reads, the program's for others.
    Mixed,
}

impl Clock {
    /// As the report has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Process => "process",
            Self::Mixed => "mixed",
        }
    }

    /// What it means for the figures, for people.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Kernel => {
                "The kernel stamps the bytes as they arrive: a late read does not move TTFT or ITL"
            }
            Self::Process => {
                "Bytes have the time at which they are read: a late read makes TTFT and ITL too long"
            }
            Self::Mixed => {
                "The kernel stamped some of the bytes; the others have the time at which they were read"
            }
        }
    }
}
