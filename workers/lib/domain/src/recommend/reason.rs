//! Why a pool stands where it stands, in words and numbers.

use std::fmt;

use jiff::SignedDuration;

use super::{Band, PlacementScore, Price, Statistics, hazard::Ours};
use crate::duration;

/// One reason.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// What its price was.
    Price {
        /// The figures.
        statistics: Statistics,
        /// The type's on-demand price, where it is known.
        on_demand: Option<Price>,
    },
    /// Its price never changed in the time looked at.
    Unchanged,
    /// Nothing is known of its spot price: it stands after all that have one.
    NoPrice,
    /// Prices were read so long ago; none: never.
    Stale(Option<SignedDuration>),
    /// The type's published frequency of interruptions.
    Band(Option<Band>),
    /// The zone's placement score.
    Placement(PlacementScore),
    /// Our own interruptions there.
    Interrupted(Ours),
    /// What is expected of it.
    Expected {
        /// Interruptions in 1,000 instance-hours.
        per_1000_hours: f64,
        /// Their worth, in US dollars an hour.
        risk: f64,
    },
    /// What it costs on demand; none: not known.
    OnDemand(Option<Price>),
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Price {
                statistics: of,
                on_demand,
            } => {
                let Statistics {
                    mean,
                    high,
                    volatility,
                    ..
                } = of;
                write!(
                    out,
                    "${:.4} an hour now, ${mean:.4} on average over {}, ${high:.4} or less for 90 % of it, volatility {:.0} %",
                    of.now.dollars(),
                    hours(of.covered),
                    volatility * 100.0,
                )?;
                match on_demand {
                    Some(full) => write!(
                        out,
                        ", {:.0} % of on-demand now",
                        of.now.dollars() / full.dollars() * 100.0
                    ),
                    None => out.write_str(", on-demand price unknown"),
                }
            }
            Self::Unchanged => out.write_str("the price did not change in that time"),
            Self::NoPrice => out.write_str("no spot price is known"),
            Self::Stale(Some(age)) => write!(out, "prices are stale, read {} ago", hours(*age)),
            Self::Stale(None) => out.write_str("prices were never read"),
            Self::Band(Some(band)) => write!(
                out,
                "{} of such instances were interrupted last month",
                band.as_str()
            ),
            Self::Band(None) => write!(
                out,
                "no interruption frequency is known, taken for {}",
                Band::From5To10.as_str()
            ),
            Self::Placement(score) => write!(out, "placement score {} of 10", score.number()),
            Self::Interrupted(ours) => write!(
                out,
                "{} of ours interrupted there, the last {} ago, still counting {:.2}",
                ours.count,
                hours(SignedDuration::from_secs(ours.newest_seconds)),
                ours.weight
            ),
            Self::Expected { per_1000_hours, risk } => {
                write!(
                    out,
                    "{per_1000_hours:.2} interruptions expected in 1,000 instance-hours, worth ${risk:.4} an hour"
                )
            }
            Self::OnDemand(Some(price)) => write!(out, "${:.4} an hour on demand", price.dollars()),
            Self::OnDemand(None) => out.write_str("on-demand price unknown"),
        }
    }
}

/// To the minute: nobody reads more of it.
fn hours(span: SignedDuration) -> String {
    duration::format(SignedDuration::from_mins(span.as_mins()))
}
