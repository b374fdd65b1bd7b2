//! What the names in a group's source stand for, asked of AWS.

use futures::future::try_join_all;
use hollowtrees_domain::swap::{
    choice::NoChoice,
    source::{self, Resolved},
    world::{Group, Source},
};
use hollowtrees_runtime::worker::Failure;

use crate::saga::Saga;

impl Saga<'_> {
    /// Its templates or its launch configuration as they are now, and the types that meet its requirements. What is not there is left
    /// out, and told by who chooses; what AWS does not say is asked again.
    pub(crate) async fn resolve(&mut self, group: &Group) -> Result<Result<Resolved, NoChoice>, Failure> {
        let mut known = Resolved::default();
        let named = source::templates(&group.source);
        let asked = named.clone();
        let templates = self
            .ask("describe-template", move |reads| {
                let asked = asked.clone();
                async move { try_join_all(asked.iter().map(|of| reads.template(of))).await }
            })
            .await?;
        let templates = named.into_iter().zip(templates);
        known.templates = templates
            .filter_map(|(named, template)| Some((named, template?)))
            .collect();
        if let Source::Configuration(name) = &group.source {
            let name = name.clone();
            known.configuration = self
                .ask("describe-configuration", move |reads| {
                    let name = name.clone();
                    async move { reads.configuration(&name).await }
                })
                .await?;
        }
        let needs = match source::needs(&group.source, &known) {
            Ok(needs) => needs,
            Err(why) => return Ok(Err(why)),
        };
        let asked = needs.clone();
        let fitting = self
            .ask("types-by-requirements", move |reads| {
                let asked = asked.clone();
                async move { try_join_all(asked.iter().map(|need| reads.fitting(need))).await }
            })
            .await?;
        for (need, fitting) in needs.into_iter().zip(fitting) {
            match fitting {
                Some(fitting) => known.fitting.push((need, fitting)),
                None => return Ok(Err(NoChoice::NoImage(need.image))),
            }
        }
        Ok(Ok(known))
    }
}
