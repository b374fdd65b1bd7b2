//! Types that meet requirements, which moto does not tell: judged here by what it says of each type.
//!
//! Source: EC2 API reference, GetInstanceTypesFromInstanceRequirements, InstanceRequirementsRequest. What is not judged here is
//! refused, so that nobody takes an answer for one that considers it. Prices EC2 does not consider in this call.

use super::Service;
use super::moto::{Moto, child, items, parse, text};
use super::query::{Call, Refusal, escape};
use super::strict::Stop;
use crate::Result;
use crate::http_server::{self, Body};
use http::{Response, StatusCode};
use roxmltree::Node;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Types of a page.
const A_PAGE: usize = 100;
/// What EC2 does not support in this call.
const PRICES: [&str; 3] = [
    "SpotMaxPricePercentageOverLowestPrice",
    "OnDemandMaxPricePercentageOverLowestPrice",
    "MaxSpotPriceAsPercentageOfOptimalOnDemandPrice",
];

/// A type, as far as it is judged.
#[derive(Clone, Debug)]
struct Type {
    name: String,
    vcpus: u32,
    memory_mib: u64,
    architectures: Vec<String>,
    virtualizations: Vec<String>,
    manufacturer: String,
    current: bool,
    burstable: bool,
    bare_metal: bool,
    accelerators: u64,
}

/// Types of the regions that were asked for, the smallest first.
#[derive(Debug, Default)]
pub(super) struct Types(tokio::sync::Mutex<BTreeMap<String, Arc<Vec<Type>>>>);

impl Types {
    /// The answer of `GetInstanceTypesFromInstanceRequirements`.
    pub(super) async fn answer(&self, moto: &Moto, call: &Call) -> Result<Response<Body>, Stop> {
        let needed = |name: &str| {
            let list = numbered(&call.params, name);
            if list.is_empty() {
                return Err(Refusal::new(
                    "MissingParameter",
                    format!("The request must contain the parameter {name}"),
                ));
            }
            Ok(list)
        };
        let (architectures, virtualizations) = (needed("ArchitectureType")?, needed("VirtualizationType")?);
        let under = "InstanceRequirements.";
        let requirements: BTreeMap<String, String> = call
            .params
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(under)?.to_owned(), value.clone())))
            .collect();
        let named = self
            .meeting(
                moto,
                &call.region,
                &requirements,
                &architectures,
                &virtualizations,
            )
            .await?;
        let from: usize = call
            .get("NextToken")
            .and_then(|token| token.parse().ok())
            .unwrap_or_default();
        let found: String = named
            .iter()
            .skip(from)
            .take(A_PAGE)
            .map(|name| format!("<item><instanceType>{}</instanceType></item>", escape(name)))
            .collect();
        let next = if named.len() > from + A_PAGE {
            format!("<nextToken>{}</nextToken>", from + A_PAGE)
        } else {
            String::new()
        };
        let action = &call.action;
        Ok(http_server::with_type(
            StatusCode::OK,
            "text/xml",
            format!(
                "<{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>testbed</requestId>\
                 <instanceTypeSet>{found}</instanceTypeSet>{next}</{action}Response>"
            ),
        ))
    }

    /// Types that meet requirements, by EC2's names of them, the smallest first.
    pub(super) async fn meeting(
        &self,
        moto: &Moto,
        region: &str,
        requirements: &BTreeMap<String, String>,
        architectures: &[String],
        virtualizations: &[String],
    ) -> Result<Vec<String>, Stop> {
        let asked = Asked::read(requirements)?;
        let any = |has: &[String], asked: &[String]| has.iter().any(|one| asked.contains(one));
        let all = self.all(moto, region).await?;
        Ok(all
            .iter()
            .filter(|one| {
                any(&one.architectures, architectures)
                    && any(&one.virtualizations, virtualizations)
                    && asked.is_met_by(one)
            })
            .map(|one| one.name.clone())
            .collect())
    }

    async fn all(&self, moto: &Moto, region: &str) -> Result<Arc<Vec<Type>>> {
        let mut known = self.0.lock().await;
        if let Some(all) = known.get(region) {
            return Ok(Arc::clone(all));
        }
        let xml = moto
            .call(region, Service::Ec2, "DescribeInstanceTypes", &[])
            .await?;
        let document = parse(&xml)?;
        let mut all: Vec<Type> = items(document.root(), "instanceTypeSet").map(a_type).collect();
        all.sort_by(|a, b| (a.vcpus, a.memory_mib, &a.name).cmp(&(b.vcpus, b.memory_mib, &b.name)));
        let all = Arc::new(all);
        known.insert(region.to_owned(), Arc::clone(&all));
        Ok(all)
    }
}

fn a_type(from: Node<'_, '_>) -> Type {
    let within = |list: &str, name: &str| child(from, list).map_or_else(String::new, |of| text(of, name));
    let texts = |node: Option<Node<'_, '_>>, list: &str| -> Vec<String> {
        let items = node.map(|node| items(node, list).collect::<Vec<_>>());
        let texts = items.unwrap_or_default().into_iter();
        texts
            .filter_map(|item| item.text())
            .map(|text| text.trim().to_owned())
            .collect()
    };
    let is = |name: &str| text(from, name) == "true";
    let processor = child(from, "processorInfo");
    let gpus = child(from, "gpuInfo").map_or(0, |of| {
        let counts = items(of, "gpus").map(|gpu| text(gpu, "count").parse().unwrap_or(1));
        counts.sum()
    });
    let others = ["fpgaInfo", "inferenceAcceleratorInfo", "neuronInfo"];
    let others = others.iter().filter(|name| child(from, name).is_some()).count();
    Type {
        name: text(from, "instanceType"),
        vcpus: within("vCpuInfo", "defaultVCpus").parse().unwrap_or_default(),
        memory_mib: within("memoryInfo", "sizeInMiB").parse().unwrap_or_default(),
        architectures: texts(processor, "supportedArchitectures"),
        virtualizations: texts(Some(from), "supportedVirtualizationTypes"),
        manufacturer: within("processorInfo", "manufacturer"),
        current: is("currentGeneration"),
        burstable: is("burstablePerformanceSupported"),
        bare_metal: is("bareMetal"),
        accelerators: gpus + u64::try_from(others).unwrap_or_default(),
    }
}

/// Requirements that are judged.
struct Asked {
    vcpus: (f64, f64),
    memory_mib: (f64, f64),
    memory_per_vcpu: (f64, f64),
    accelerators: (f64, f64),
    manufacturers: Vec<String>,
    generations: Vec<String>,
    allowed: Vec<String>,
    excluded: Vec<String>,
    bare_metal: String,
    burstable: String,
}

impl Asked {
    fn read(requirements: &BTreeMap<String, String>) -> Result<Self, Refusal> {
        let refused = |message: String| Refusal::new("InvalidParameterValue", message);
        for name in requirements.keys() {
            let first = name.split('.').next().unwrap_or_default();
            if PRICES.contains(&first) {
                return Err(refused(format!("{first} is not supported for this action")));
            }
            if !Self::JUDGED.contains(&first) {
                return Err(refused(format!("the simulation does not judge {name}")));
            }
        }
        for needed in ["VCpuCount.Min", "MemoryMiB.Min"] {
            if !requirements.contains_key(needed) {
                return Err(refused(format!("{needed} is needed")));
            }
        }
        let range = |name: &str| {
            let bound = |end: &str, default: f64| {
                let value = requirements.get(&format!("{name}.{end}"));
                value.map_or(Ok(default), |value| {
                    value
                        .parse()
                        .map_err(|_| refused(format!("{name}.{end} is {value}")))
                })
            };
            Ok((bound("Min", 0.0)?, bound("Max", f64::INFINITY)?))
        };
        let word = |name: &str| {
            let word = requirements.get(name).map_or("excluded", String::as_str);
            if ["included", "required", "excluded"].contains(&word) {
                return Ok(word.to_owned());
            }
            Err(refused(format!("{name} is {word}")))
        };
        let asked = Self {
            vcpus: range("VCpuCount")?,
            memory_mib: range("MemoryMiB")?,
            memory_per_vcpu: range("MemoryGiBPerVCpu")?,
            accelerators: range("AcceleratorCount")?,
            manufacturers: numbered(requirements, "CpuManufacturer"),
            generations: numbered(requirements, "InstanceGeneration"),
            allowed: numbered(requirements, "AllowedInstanceType"),
            excluded: numbered(requirements, "ExcludedInstanceType"),
            bare_metal: word("BareMetal")?,
            burstable: word("BurstablePerformance")?,
        };
        if !asked.allowed.is_empty() && !asked.excluded.is_empty() {
            return Err(refused(
                "either AllowedInstanceTypes or ExcludedInstanceTypes".to_owned(),
            ));
        }
        Ok(asked)
    }

    const JUDGED: [&str; 10] = [
        "VCpuCount",
        "MemoryMiB",
        "MemoryGiBPerVCpu",
        "AcceleratorCount",
        "CpuManufacturer",
        "InstanceGeneration",
        "AllowedInstanceType",
        "ExcludedInstanceType",
        "BareMetal",
        "BurstablePerformance",
    ];

    fn is_met_by(&self, one: &Type) -> bool {
        let within = |value: f64, (least, most): (f64, f64)| value >= least && value <= most;
        #[allow(clippy::cast_precision_loss, reason = "sizes of instances are exact")]
        let (memory, accelerators) = (one.memory_mib as f64, one.accelerators as f64);
        let vcpus = f64::from(one.vcpus);
        let maker = match one.manufacturer.as_str() {
            "Intel" => "intel",
            "AMD" => "amd",
            "AWS" => "amazon-web-services",
            "Apple" => "apple",
            other => other,
        };
        let generation = if one.current { "current" } else { "previous" };
        let either = |list: &[String], value: &str| list.is_empty() || list.iter().any(|one| one == value);
        let named = |patterns: &[String]| patterns.iter().any(|of| matches(of, &one.name));
        let may = |word: &str, is: bool| match word {
            "required" => is,
            "excluded" => !is,
            _ => true,
        };
        within(vcpus, self.vcpus)
            && within(memory, self.memory_mib)
            && within(memory / 1024.0 / vcpus, self.memory_per_vcpu)
            && within(accelerators, self.accelerators)
            && either(&self.manufacturers, maker)
            && either(&self.generations, generation)
            && (self.allowed.is_empty() || named(&self.allowed))
            && !named(&self.excluded)
            && may(&self.bare_metal, one.bare_metal)
            && may(&self.burstable, one.burstable)
    }
}

/// Whether a name is of a pattern: `c5*.*`.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => name.strip_prefix(before).is_some_and(|rest| {
            let ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            ends.into_iter().any(|at| matches(after, &rest[at..]))
        }),
    }
}

/// The values of `name.1` and on.
fn numbered(params: &BTreeMap<String, String>, name: &str) -> Vec<String> {
    (1..)
        .map_while(|i| params.get(&format!("{name}.{i}")).cloned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_types() {
        for (pattern, name, expected) in [
            ("m5.large", "m5.large", true),
            ("m5.large", "m5.xlarge", false),
            ("c5*.*", "c5n.large", true),
            ("c5*.*", "m5.large", false),
            ("*3*", "t3.micro", true),
            ("r*", "r5.large", true),
            ("m5a.*", "m5.large", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn what_is_not_judged_is_refused() {
        let read = |more: &[(&str, &str)]| {
            let all = [("VCpuCount.Min", "2"), ("MemoryMiB.Min", "1")];
            let all = all.iter().chain(more);
            let all = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            Asked::read(&all.collect())
                .map(drop)
                .map_err(|refusal| refusal.message)
        };
        assert_eq!(read(&[]), Ok(()));
        assert!(
            read(&[("LocalStorage", "included")])
                .unwrap_err()
                .contains("LocalStorage")
        );
        let price = ("SpotMaxPricePercentageOverLowestPrice", "100");
        assert!(
            read(&[price])
                .unwrap_err()
                .contains("not supported for this action")
        );
        assert!(read(&[("BareMetal", "maybe")]).is_err());
        assert!(
            Asked::read(&BTreeMap::new()).is_err_and(|refusal| refusal.message.contains("VCpuCount.Min"))
        );
    }
}
