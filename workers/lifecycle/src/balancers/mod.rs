//! From an action to an instance that no load balancer sends requests to.
//!
//! | module | what it does |
//! |---|---|
//! | `params` | what an action says of it |
//! | `place` | where an instance is registered |
//! | `desk` | what all actions of a region share |
//! | `shared` | one reading for all, one call for many |
//! | `leave` | takes one instance out, and waits |
//! | `report` | what is told of it |

mod desk;
mod leave;
mod params;
mod place;
mod report;
mod shared;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use hollowtrees_runtime::worker::{Failure, Job, Report};

use crate::{cloud::Cloud, config};
use desk::Desk;
use leave::Leave;
use params::Params;
use shared::lock;

/// Serves `deregister`.
pub(crate) struct Balancers {
    settings: config::Deregister,
    /// By account, as it is reached, and region.
    desks: Mutex<HashMap<(String, String), Arc<Desk>>>,
}

impl Balancers {
    pub(crate) fn new(settings: &config::Deregister) -> Self {
        Self {
            settings: settings.clone(),
            desks: Mutex::default(),
        }
    }

    /// Takes the instance out of its balancers.
    pub(crate) async fn serve(&self, job: Job, cloud: Cloud) -> Result<Report, Failure> {
        let params = Params::of(job.action())?;
        let desk = {
            let mut desks = lock(&self.desks);
            let desk = desks
                .entry((cloud.region.account().to_owned(), cloud.region.name().to_owned()))
                .or_insert_with(|| Arc::new(Desk::new(cloud, &self.settings)));
            Arc::clone(desk)
        };
        Leave::new(job, desk, params, self.settings.poll).run().await
    }
}
