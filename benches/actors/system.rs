//! The systems that are compared.

#[cfg(feature = "peers")]
mod kameo;
#[cfg(feature = "peers")]
mod ractor;
pub(crate) mod watershed;

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::flood;
use crate::measure::{Figures, Load};

/// Names a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum System {
    /// Watershed, with the actor on a thread of its own.
    Watershed,
    /// Watershed, with the actor and whoever asks it on the threads of the links.
    WatershedLinks,
    /// Watershed as at first, with links that do not look out for the next event before they sleep.
    WatershedAsleep,
    /// kameo over libp2p.
    #[cfg(feature = "peers")]
    Kameo,
    /// ractor with `ractor_cluster`.
    #[cfg(feature = "peers")]
    Ractor,
    /// The frames of Watershed, without actors.
    #[value(hide = true)]
    Frames,
}

impl System {
    /// The name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Watershed => "watershed",
            Self::WatershedLinks => "watershed-links",
            Self::WatershedAsleep => "watershed-asleep",
            #[cfg(feature = "peers")]
            Self::Kameo => "kameo",
            #[cfg(feature = "peers")]
            Self::Ractor => "ractor",
            Self::Frames => "frames",
        }
    }

    /// Has an actor that others reach, for ever.
    pub(crate) fn answer(self) -> Result<(), Error> {
        let ended = match self {
            Self::Watershed => watershed::answer(watershed::Way::Own),
            Self::WatershedLinks => watershed::answer(watershed::Way::Links),
            Self::WatershedAsleep => watershed::answer(watershed::Way::Asleep),
            #[cfg(feature = "peers")]
            Self::Kameo => kameo::answer(),
            #[cfg(feature = "peers")]
            Self::Ractor => ractor::answer(),
            Self::Frames => flood::answer(),
        };
        ended.map_err(|why| Error::System { system: self, why })
    }

    /// Measures the actor at some place.
    pub(crate) fn measure(self, place: &str, load: &Load) -> Result<Figures, Error> {
        let measured = match self {
            Self::Watershed => watershed::measure(watershed::Way::Own, place, load),
            Self::WatershedLinks => watershed::measure(watershed::Way::Links, place, load),
            Self::WatershedAsleep => watershed::measure(watershed::Way::Asleep, place, load),
            #[cfg(feature = "peers")]
            Self::Kameo => kameo::measure(place, load),
            #[cfg(feature = "peers")]
            Self::Ractor => ractor::measure(place, load),
            Self::Frames => Err("frames are not asked".to_owned()),
        };
        measured.map_err(|why| Error::System { system: self, why })
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
