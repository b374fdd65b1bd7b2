//! The bodies that Telescopes' clients send. What they do not know is passed over, as it was.

use std::fmt;

use hollowtrees_domain::recommend::{Market, nodes::Sum};
use serde_json::{Map, Value};

use super::machine::{CATEGORIES, NETWORKS};
use crate::problem::Problem;

/// More of a thing is a mistake of who wrote it.
const MOST: f64 = 10_000_000.0;
/// Items of a list at most.
const LONGEST: usize = 1_000;
/// Nodes at most.
const MOST_NODES: u32 = 10_000;

/// Which types nodes may be of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filters {
    /// Types with GPUs.
    pub gpus: bool,
    /// Burstable types too.
    pub burstable: bool,
    /// Older generations too.
    pub older_generations: bool,
    /// Only these, of [`CATEGORIES`]; empty: any.
    pub categories: Vec<&'static str>,
    /// Only these, of [`NETWORKS`]; empty: any.
    pub networks: Vec<&'static str>,
    /// None of these types.
    pub excludes: Vec<String>,
    /// Only these types; empty: any.
    pub includes: Vec<String>,
    /// Only there.
    pub zone: Option<String>,
}

impl fmt::Display for Filters {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            burstable,
            older_generations,
            categories,
            networks,
            includes,
            excludes,
            ..
        } = self;
        write!(
            out,
            "allowBurst {burstable}, allowOlderGen {older_generations}, {} of category, {} of networkPerf, {} of includes, \
             {} of excludes",
            categories.len(),
            networks.len(),
            includes.len(),
            excludes.len()
        )
    }
}

/// A new cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// What its nodes are to have together.
    pub sum: Sum,
    /// Nodes at least.
    pub least_nodes: u32,
    /// Nodes at most.
    pub most_nodes: u32,
    /// Share of it on demand.
    pub on_demand_percent: u32,
    /// Which types.
    pub filters: Filters,
}

/// Nodes that a cluster has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nodes {
    /// Their type.
    pub instance_type: String,
    /// How they were bought.
    pub market: Market,
    /// How many.
    pub nodes: u32,
}

/// More nodes of its types.
#[derive(Clone, Debug, PartialEq)]
pub struct ScaleOut {
    /// What its nodes are to have together, those it has included.
    pub sum: Sum,
    /// Share of it on demand.
    pub on_demand_percent: u32,
    /// What it has.
    pub layout: Vec<Nodes>,
    /// Which types: those it has.
    pub filters: Filters,
}

impl Cluster {
    /// Reads a body.
    ///
    /// # Errors
    /// The first field that is not as it should be.
    pub fn read(body: &[u8]) -> Result<Self, Problem> {
        let fields = Fields::of(body)?;
        let sum = Sum {
            vcpus: fields.sum("sumCpu", 1.0)?,
            memory_gib: fields.sum("sumMem", 1.0)?,
            gpus: fields.optional("sumGpu")?,
        };
        let least_nodes = fields.count("minNodes")?;
        let most_nodes = fields.count("maxNodes")?;
        if most_nodes < least_nodes {
            let detail = format!("`maxNodes` is {most_nodes}, less than `minNodes`, {least_nodes}; raise it");
            return Err(Problem::field("maxNodes", detail));
        }
        Ok(Self {
            sum,
            least_nodes,
            most_nodes,
            on_demand_percent: fields.percent("onDemandPct")?,
            filters: Filters {
                gpus: sum.gpus > 0.0,
                burstable: fields.flag("allowBurst")?,
                older_generations: fields.flag("allowOlderGen")?,
                categories: fields.words("category", &CATEGORIES)?,
                networks: fields.words("networkPerf", &NETWORKS)?,
                excludes: fields.texts("excludes")?,
                includes: fields.texts("includes")?,
                zone: fields.text("zone")?,
            },
        })
    }
}

impl ScaleOut {
    /// Reads a body.
    ///
    /// # Errors
    /// The first field that is not as it should be.
    pub fn read(body: &[u8]) -> Result<Self, Problem> {
        let fields = Fields::of(body)?;
        let sum = Sum {
            vcpus: fields.sum("desiredCpu", 1.0)?,
            memory_gib: fields.sum("desiredMem", 1.0)?,
            gpus: fields.optional("desiredGpu")?,
        };
        let layout: Vec<Nodes> = fields
            .list("actualLayout")?
            .iter()
            .map(nodes)
            .collect::<Result<_, _>>()?;
        if layout.is_empty() {
            return Err(Problem::field(
                "actualLayout",
                "`actualLayout` is empty; list the node pools there are, for only they can grow",
            ));
        }
        let mut includes: Vec<String> = layout.iter().map(|one| one.instance_type.clone()).collect();
        includes.sort_unstable();
        includes.dedup();
        Ok(Self {
            sum,
            on_demand_percent: fields.percent("onDemandPct")?,
            layout,
            filters: Filters {
                gpus: sum.gpus > 0.0,
                burstable: true,
                older_generations: true,
                includes,
                excludes: fields.texts("excludes")?,
                zone: fields.text("zone")?,
                ..Filters::default()
            },
        })
    }
}

fn nodes(of: &Value) -> Result<Nodes, Problem> {
    let bad = |detail: &str| Problem::field("actualLayout", format!("`actualLayout`: {detail}"));
    let fields = Fields(
        of.as_object()
            .ok_or_else(|| bad("expected objects with instanceType, vmClass and sumNodes"))?
            .clone(),
    );
    let instance_type = fields
        .text("instanceType")?
        .ok_or_else(|| bad("`instanceType` is missing; give it as m5.large"))?;
    let market = match fields.text("vmClass")?.as_deref() {
        Some("spot") => Market::Spot,
        Some("regular" | "ondemand") => Market::OnDemand,
        _ => return Err(bad("`vmClass` is none of regular, ondemand and spot")),
    };
    let nodes = fields.0.get("sumNodes").and_then(Value::as_u64);
    let nodes = nodes
        .and_then(|nodes| u32::try_from(nodes).ok())
        .filter(|nodes| *nodes <= MOST_NODES);
    Ok(Nodes {
        instance_type,
        market,
        nodes: nodes.ok_or_else(|| bad("`sumNodes` is no number from 0 to 10000"))?,
    })
}

/// Fields of an object, each read by its name.
struct Fields(Map<String, Value>);

impl Fields {
    fn of(body: &[u8]) -> Result<Self, Problem> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(Problem::field(
                "",
                "the body is no JSON object; send one, see /openapi.yaml",
            )),
            Err(error) => {
                let detail = format!("the body is no JSON ({error}); send an object, see /openapi.yaml");
                Err(Problem::field("", detail))
            }
        }
    }

    /// Null is as good as absent: Go's clients write it for an empty list.
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn sum(&self, name: &str, least: f64) -> Result<f64, Problem> {
        let found = self.get(name).and_then(Value::as_f64);
        let good = found.filter(|number| (least..=MOST).contains(number));
        good.ok_or_else(|| {
            Problem::field(
                name,
                format!("`{name}` has to be a number from {least} to {MOST}"),
            )
        })
    }

    fn optional(&self, name: &str) -> Result<f64, Problem> {
        match self.get(name) {
            None => Ok(0.0),
            Some(_) => self.sum(name, 0.0),
        }
    }

    fn count(&self, name: &str) -> Result<u32, Problem> {
        let found = self
            .get(name)
            .and_then(Value::as_u64)
            .and_then(|number| u32::try_from(number).ok());
        let good = found.filter(|number| (1..=MOST_NODES).contains(number));
        good.ok_or_else(|| {
            Problem::field(
                name,
                format!("`{name}` has to be a whole number from 1 to {MOST_NODES}"),
            )
        })
    }

    fn percent(&self, name: &str) -> Result<u32, Problem> {
        let Some(found) = self.get(name) else {
            return Ok(0);
        };
        let found = found.as_u64().and_then(|number| u32::try_from(number).ok());
        let good = found.filter(|number| *number <= 100);
        good.ok_or_else(|| Problem::field(name, format!("`{name}` has to be a whole number from 0 to 100")))
    }

    fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(Problem::field(name, format!("`{name}` has to be true or false"))),
        }
    }

    fn text(&self, name: &str) -> Result<Option<String>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() <= 64 => {
                Ok(Some(text.clone()).filter(|text| !text.is_empty()))
            }
            Some(_) => Err(Problem::field(
                name,
                format!("`{name}` has to be a text of at most 64 bytes"),
            )),
        }
    }

    fn list(&self, name: &str) -> Result<&[Value], Problem> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Value::Array(items)) if items.len() <= LONGEST => Ok(items),
            Some(_) => Err(Problem::field(
                name,
                format!("`{name}` has to be a list of at most {LONGEST}"),
            )),
        }
    }

    fn texts(&self, name: &str) -> Result<Vec<String>, Problem> {
        let bad = || Problem::field(name, format!("`{name}` has to be a list of texts"));
        let items = self.list(name)?.iter();
        items
            .map(|item| item.as_str().map(str::to_owned).ok_or_else(bad))
            .collect()
    }

    fn words(&self, name: &str, known: &[&'static str]) -> Result<Vec<&'static str>, Problem> {
        let bad = || Problem::field(name, format!("`{name}` has to be a list of {}", known.join(", ")));
        let texts = self.texts(name)?;
        let word = |text: &String| known.iter().find(|word| *word == text).copied().ok_or_else(bad);
        texts.iter().map(word).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cluster() {
        let body = json!({
            "sumCpu": 32, "sumMem": 128.0, "minNodes": 4, "maxNodes": 10, "sameSize": true, "onDemandPct": 25,
            "sumGpu": 0, "allowBurst": true, "networkPerf": ["high"], "category": ["General purpose"],
            "excludes": null, "includes": [], "zone": "",
        });
        let read = Cluster::read(body.to_string().as_bytes()).unwrap();
        assert_eq!(
            (read.sum.vcpus, read.least_nodes, read.on_demand_percent),
            (32.0, 4, 25)
        );
        assert_eq!(read.filters.networks, ["high"]);
        assert_eq!((read.filters.zone, read.filters.burstable), (None, true));
    }

    #[test]
    fn what_is_wrong_is_said_by_its_field() {
        let good = json!({"sumCpu": 32, "sumMem": 128, "minNodes": 4, "maxNodes": 10});
        let check = |field: &str, value: Value| {
            let mut body = good.clone();
            body[field] = value;
            let told = Cluster::read(body.to_string().as_bytes()).unwrap_err();
            assert_eq!(told.field, field, "{told}");
            assert!(told.detail.contains(field), "{told}");
        };
        check("sumCpu", json!(0.5));
        check("sumCpu", json!("32"));
        check("sumMem", json!(null));
        check("sumGpu", json!(-1));
        check("minNodes", json!(0));
        check("maxNodes", json!(3));
        check("maxNodes", json!(1e9));
        check("onDemandPct", json!(101));
        check("allowBurst", json!("yes"));
        check("category", json!(["Cheap"]));
        check("networkPerf", json!("high"));
        check("excludes", json!([1]));
        check("zone", json!(1));
        for body in ["", "[]", "{", "7"] {
            let told = Cluster::read(body.as_bytes()).unwrap_err();
            assert!(told.detail.contains("object"), "{told}");
        }
    }

    #[test]
    fn a_layout() {
        let body =
            |layout: Value| json!({"desiredCpu": 40, "desiredMem": 160, "actualLayout": layout}).to_string();
        let good = json!([
            {"instanceType": "m5.xlarge", "vmClass": "regular", "sumNodes": 1},
            {"instanceType": "m5.xlarge", "vmClass": "spot", "sumNodes": 4},
        ]);
        let read = ScaleOut::read(body(good).as_bytes()).unwrap();
        assert_eq!(read.filters.includes, ["m5.xlarge"]);
        assert_eq!(read.layout[1].market, Market::Spot);
        for layout in [
            json!([]),
            json!(null),
            json!([1]),
            json!([{"instanceType": "m5.xlarge", "vmClass": "cheap", "sumNodes": 1}]),
            json!([{"instanceType": "m5.xlarge", "vmClass": "spot", "sumNodes": -1}]),
            json!([{"vmClass": "spot", "sumNodes": 1}]),
        ] {
            let told = ScaleOut::read(body(layout).as_bytes()).unwrap_err();
            assert_eq!(told.field, "actualLayout", "{told}");
        }
    }
}
