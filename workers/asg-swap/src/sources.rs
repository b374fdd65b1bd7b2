//! What the names in a group's source stand for, asked of AWS.

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
        for named in source::templates(&group.source) {
            let asked = named.clone();
            let template = self
                .ask("describe-template", move |reads| {
                    let asked = asked.clone();
                    async move { reads.template(&asked).await }
                })
                .await?;
            known.templates.extend(template.map(|template| (named, template)));
        }
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
        for need in needs {
            let asked = need.clone();
            let fitting = self
                .ask("types-by-requirements", move |reads| {
                    let asked = asked.clone();
                    async move { reads.fitting(&asked).await }
                })
                .await?;
            match fitting {
                Some(fitting) => known.fitting.push((need, fitting)),
                None => return Ok(Err(NoChoice::NoImage(need.image))),
            }
        }
        Ok(Ok(known))
    }
}
