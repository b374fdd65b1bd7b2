//! What a group launches from: what is to be known of it, and which types come of that.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    choice::{NoChoice, Offer},
    world::{
        Blueprint, Configuration, Fitting, Group, Instance, Override, Requirements, Source, SpotMarket,
        Template, TemplateRef, Types,
    },
};

/// Types by requirements that are judged: of some more prices could not be read in one go.
const MOST_FITTING: usize = 60;

/// What the names in a group's source stand for.
#[derive(Clone, Debug, Default)]
pub struct Resolved {
    /// What each template is now.
    pub templates: Vec<(TemplateRef, Template)>,
    /// The launch configuration.
    pub configuration: Option<Configuration>,
    /// The types that EC2 told.
    pub fitting: Vec<(Need, Vec<Fitting>)>,
}

/// Types that EC2 is to be asked for. The image decides of which architecture they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// What they have to be like.
    pub attributes: BTreeMap<String, Vec<String>>,
    /// `ami-...`, or where an image is named otherwise (`resolve:ssm:...`), that.
    pub image: String,
    /// The template that names it otherwise: EC2 resolves names of images in templates only.
    pub template: Option<TemplateRef>,
}

/// One type, and by what it is launched.
pub(super) struct Kind<'a> {
    pub(super) instance_type: String,
    pub(super) blueprint: Blueprint,
    pub(super) image: Option<String>,
    /// Whose requirements it meets, and who else does.
    pub(super) required: Option<(&'a Requirements, &'a [Fitting])>,
}

/// Templates a group names, each once.
#[must_use]
pub fn templates(source: &Source) -> Vec<TemplateRef> {
    let mut found: Vec<TemplateRef> = Vec::new();
    let mut add = |template: &TemplateRef| {
        if !found.contains(template) {
            found.push(template.clone());
        }
    };
    match source {
        Source::Template(template) => add(template),
        Source::Mixed {
            template, overrides, ..
        } => {
            if overrides.is_empty() || overrides.iter().any(|one| one.template.is_none()) {
                add(template);
            }
            overrides
                .iter()
                .filter_map(|one| one.template.as_ref())
                .for_each(add);
        }
        Source::Configuration(_) | Source::Unknown(_) => {}
    }
    found
}

/// What types EC2 is to be asked for, each once, now that the templates are known.
///
/// # Errors
/// A template is not there, or has no image to tell the architecture by.
pub fn needs(source: &Source, known: &Resolved) -> Result<Vec<Need>, NoChoice> {
    let mut needs = Vec::new();
    if let Source::Mixed {
        template, overrides, ..
    } = source
    {
        for one in overrides {
            if let Types::Required(requirements) = &one.types {
                let need = known.need(one, template, requirements)?;
                if !needs.contains(&need) {
                    needs.push(need);
                }
            }
        }
    }
    Ok(needs)
}

/// Terms of the spot market, with the group's highest price; none: on demand.
#[must_use]
pub fn market(group: &Group, known: &Resolved, spot: bool) -> Option<SpotMarket> {
    let max_price = match &group.source {
        Source::Mixed { max_price, .. } => max_price.clone(),
        Source::Configuration(_) => known.configuration.as_ref().and_then(|of| of.max_price.clone()),
        Source::Template(_) | Source::Unknown(_) => None,
    };
    spot.then_some(SpotMarket { max_price })
}

/// The weight of the old one's type: 1 in a group without weights. One that is named by no override came by requirements.
#[must_use]
pub fn weight(group: &Group, old: &Instance) -> u32 {
    let Source::Mixed { overrides, .. } = &group.source else {
        return 1;
    };
    let named = |one: &&Override| matches!(&one.types, Types::Named(instance_type) if *instance_type == old.instance_type);
    let required = |one: &&Override| matches!(one.types, Types::Required(_));
    overrides
        .iter()
        .find(named)
        .or_else(|| overrides.iter().find(required))
        .map_or(1, |one| one.weight.max(1))
}

impl Resolved {
    fn template(&self, named: &TemplateRef) -> Result<&Template, NoChoice> {
        self.templates
            .iter()
            .find(|(reference, _)| reference == named)
            .map(|(_, template)| template)
            .ok_or_else(|| NoChoice::Template(named.id.clone()))
    }

    fn need(
        &self,
        one: &Override,
        template: &TemplateRef,
        requirements: &Requirements,
    ) -> Result<Need, NoChoice> {
        let template = self.template(one.template.as_ref().unwrap_or(template))?;
        let image = one.image.as_ref().or(template.image.as_ref()).cloned();
        let image = image.ok_or_else(|| NoChoice::Image(template.resolved.id.clone()))?;
        let is_named = one.image.is_none() && !image.starts_with("ami-");
        Ok(Need {
            attributes: requirements.attributes.clone(),
            image,
            template: is_named.then(|| template.resolved.clone()),
        })
    }

    fn fitting(&self, need: &Need) -> &[Fitting] {
        let found = self.fitting.iter().find(|(asked, _)| asked == need);
        found.map_or(&[], |(_, fitting)| fitting)
    }
}

/// Types in the group's order; of those by requirements, which have none, the old one's first, then by price on demand as far as
/// that is known, then the smallest.
pub(super) fn kinds(offer: Offer<'_>) -> Result<Vec<Kind<'_>>, NoChoice> {
    let Offer {
        group, old, known, ..
    } = offer;
    let own = |named: &TemplateRef| {
        let template = known.template(named)?;
        if template.by_requirements {
            return Err(NoChoice::TemplateRequirements(named.id.clone()));
        }
        let own = template.instance_type.as_ref().unwrap_or(&old.instance_type);
        Ok(vec![Kind {
            instance_type: own.clone(),
            blueprint: Blueprint::Template(template.resolved.clone()),
            image: None,
            required: None,
        }])
    };
    match &group.source {
        Source::Unknown(what) => Err(NoChoice::Source(what.clone())),
        Source::Configuration(name) => configured(name, known.configuration.as_ref()),
        Source::Template(template) => own(template),
        Source::Mixed {
            template, overrides, ..
        } if overrides.is_empty() => own(template),
        Source::Mixed {
            template, overrides, ..
        } => mixed(offer, template, overrides),
    }
}

fn configured<'a>(name: &str, found: Option<&Configuration>) -> Result<Vec<Kind<'a>>, NoChoice> {
    let Some(found) = found else {
        return Err(NoChoice::Configuration(name.to_owned()));
    };
    if let Some(what) = &found.beyond {
        return Err(NoChoice::Source(format!(
            "launch configuration {name} with {what}"
        )));
    }
    Ok(vec![Kind {
        instance_type: found.instance_type.clone(),
        blueprint: Blueprint::Configuration(found.pinned.clone()),
        image: None,
        required: None,
    }])
}

fn mixed<'a>(
    offer: Offer<'a>,
    template: &TemplateRef,
    overrides: &'a [Override],
) -> Result<Vec<Kind<'a>>, NoChoice> {
    let Offer {
        group, old, known, ..
    } = offer;
    let weight = weight(group, old);
    let mut kinds = Vec::new();
    for one in overrides.iter().filter(|one| one.weight.max(1) == weight) {
        let resolved = known.template(one.template.as_ref().unwrap_or(template))?;
        let kind = |instance_type: &str, required| Kind {
            instance_type: instance_type.to_owned(),
            blueprint: Blueprint::Template(resolved.resolved.clone()),
            image: one.image.clone(),
            required,
        };
        match &one.types {
            Types::Named(instance_type) => kinds.push(kind(instance_type, None)),
            Types::Required(requirements) => {
                let fitting = known.fitting(&known.need(one, template, requirements)?);
                let named = by_requirements(offer, fitting);
                kinds.extend(
                    named
                        .into_iter()
                        .map(|of| kind(&of.name, Some((requirements, fitting)))),
                );
            }
        }
    }
    // The first override that a type meets is the one it comes by.
    let mut seen = BTreeSet::new();
    kinds.retain(|kind| kind.required.is_none() || seen.insert(kind.instance_type.clone()));
    let required = |one: &Override| matches!(one.types, Types::Required(_));
    if kinds.is_empty() && overrides.iter().any(required) {
        return Err(NoChoice::NothingFits);
    }
    Ok(kinds)
}

fn by_requirements<'a>(offer: Offer<'_>, fitting: &'a [Fitting]) -> Vec<&'a Fitting> {
    let mut sorted: Vec<&Fitting> = fitting.iter().collect();
    let price = |of: &Fitting| {
        let known = offer.on_demand.get(&of.name);
        known.map_or(f64::INFINITY, |price| price.dollars())
    };
    sorted.sort_by(|a, b| {
        let size = |of: &Fitting| (of.vcpus, of.memory_mib);
        let is_other = |of: &Fitting| of.name != offer.old.instance_type;
        (is_other(a).cmp(&is_other(b)))
            .then(price(a).total_cmp(&price(b)))
            .then_with(|| size(a).cmp(&size(b)))
            .then_with(|| a.name.cmp(&b.name))
    });
    sorted.truncate(MOST_FITTING);
    sorted
}
