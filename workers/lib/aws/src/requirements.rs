//! Requirements of types, from Auto Scaling's form to EC2's. Both have the same fields in types of their own.

use std::{collections::BTreeMap, str::FromStr};

use aws_sdk_autoscaling::types as asg;
use aws_sdk_ec2::types as ec2;
use hollowtrees_domain::swap::world::{Protection, Requirements};

type Attributes = BTreeMap<String, Vec<String>>;

/// What an override asks of types.
///
/// # Errors
/// A share of a price that is none.
pub(crate) fn of(from: &asg::InstanceRequirements) -> Result<Requirements, String> {
    let percent = |number: Option<i32>| {
        let read = number.map(u32::try_from).transpose();
        read.map_err(|_| format!("price protection of {} percent", number.unwrap_or_default()))
    };
    Ok(Requirements {
        attributes: attributes(from),
        protection: Protection {
            spot_over_lowest: percent(from.spot_max_price_percentage_over_lowest_price())?,
            spot_of_on_demand: percent(from.max_spot_price_as_percentage_of_optimal_on_demand_price())?,
            on_demand_over_lowest: percent(from.on_demand_max_price_percentage_over_lowest_price())?,
        },
    })
}

fn attributes(from: &asg::InstanceRequirements) -> Attributes {
    let mut said = Said::default();
    let of = from.v_cpu_count();
    said.range("VCpuCount", of.map(|of| (of.min(), of.max())));
    let of = from.memory_mib();
    said.range("MemoryMiB", of.map(|of| (of.min(), of.max())));
    let of = from.memory_gib_per_v_cpu();
    said.range("MemoryGiBPerVCpu", of.map(|of| (of.min(), of.max())));
    let of = from.network_interface_count();
    said.range("NetworkInterfaceCount", of.map(|of| (of.min(), of.max())));
    let of = from.total_local_storage_gb();
    said.range("TotalLocalStorageGB", of.map(|of| (of.min(), of.max())));
    let of = from.baseline_ebs_bandwidth_mbps();
    said.range("BaselineEbsBandwidthMbps", of.map(|of| (of.min(), of.max())));
    let of = from.accelerator_count();
    said.range("AcceleratorCount", of.map(|of| (of.min(), of.max())));
    let of = from.accelerator_total_memory_mib();
    said.range("AcceleratorTotalMemoryMiB", of.map(|of| (of.min(), of.max())));
    let of = from.network_bandwidth_gbps();
    said.range("NetworkBandwidthGbps", of.map(|of| (of.min(), of.max())));
    said.one("BareMetal", from.bare_metal().map(asg::BareMetal::as_str));
    let burstable = from.burstable_performance();
    said.one(
        "BurstablePerformance",
        burstable.map(asg::BurstablePerformance::as_str),
    );
    said.one("RequireHibernateSupport", from.require_hibernate_support());
    said.one(
        "LocalStorage",
        from.local_storage().map(asg::LocalStorage::as_str),
    );
    said.list("CpuManufacturer", from.cpu_manufacturers());
    said.list("InstanceGeneration", from.instance_generations());
    said.list("LocalStorageType", from.local_storage_types());
    said.list("AcceleratorType", from.accelerator_types());
    said.list("AcceleratorManufacturer", from.accelerator_manufacturers());
    said.list("AcceleratorName", from.accelerator_names());
    said.list("ExcludedInstanceType", from.excluded_instance_types());
    said.list("AllowedInstanceType", from.allowed_instance_types());
    let factors = from.baseline_performance_factors().and_then(|of| of.cpu());
    let families = factors.map(asg::CpuPerformanceFactorRequest::references);
    let families: Vec<&str> = families
        .unwrap_or_default()
        .iter()
        .filter_map(|of| of.instance_family())
        .collect();
    said.list("BaselinePerformanceFactors.Cpu", &families);
    said.0
}

#[derive(Default)]
struct Said(Attributes);

impl Said {
    fn one(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), vec![value.to_string()]);
        }
    }

    fn list(&mut self, name: &str, values: &[impl AsRef<str>]) {
        if !values.is_empty() {
            let values = values.iter().map(|value| value.as_ref().to_owned()).collect();
            self.0.insert(name.to_owned(), values);
        }
    }

    fn range<T: ToString>(&mut self, name: &str, bounds: Option<(Option<T>, Option<T>)>) {
        let (min, max) = bounds.unwrap_or_default();
        self.one(&format!("{name}.Min"), min);
        self.one(&format!("{name}.Max"), max);
    }
}

/// The same as a call of EC2's has it. Price protection is not said, which that call does not support.
pub(crate) fn request(from: &Attributes) -> ec2::InstanceRequirementsRequest {
    let asked = Asked(from);
    let factors = asked.list("BaselinePerformanceFactors.Cpu").map(|families| {
        let reference = |family: String| {
            let of = ec2::PerformanceFactorReferenceRequest::builder();
            of.instance_family(family).build()
        };
        let of = families.into_iter().map(reference).collect();
        let cpu = ec2::CpuPerformanceFactorRequest::builder().set_references(Some(of));
        let factors = ec2::BaselinePerformanceFactorsRequest::builder();
        factors.cpu(cpu.build()).build()
    });
    let vcpus = asked.range("VCpuCount").map(|(min, max)| {
        let of = ec2::VCpuCountRangeRequest::builder();
        of.set_min(min).set_max(max).build()
    });
    let memory = asked.range("MemoryMiB").map(|(min, max)| {
        let of = ec2::MemoryMiBRequest::builder();
        of.set_min(min).set_max(max).build()
    });
    let memory_per_vcpu = asked.range("MemoryGiBPerVCpu").map(|(min, max)| {
        let of = ec2::MemoryGiBPerVCpuRequest::builder();
        of.set_min(min).set_max(max).build()
    });
    let interfaces = asked.range("NetworkInterfaceCount").map(|(min, max)| {
        let of = ec2::NetworkInterfaceCountRequest::builder();
        of.set_min(min).set_max(max).build()
    });
    let storage = asked.range("TotalLocalStorageGB").map(|(min, max)| {
        let of = ec2::TotalLocalStorageGbRequest::builder();
        of.set_min(min).set_max(max).build()
    });
    let ebs = asked.range("BaselineEbsBandwidthMbps").map(|(min, max)| {
        let of = ec2::BaselineEbsBandwidthMbpsRequest::builder();
        of.set_min(min).set_max(max).build()
    });
    let accelerators = asked.range("AcceleratorCount").map(|(min, max)| {
        let of = ec2::AcceleratorCountRequest::builder();
        of.set_min(min).set_max(max).build()
    });
    let accelerator_memory = asked.range("AcceleratorTotalMemoryMiB").map(|(min, max)| {
        let of = ec2::AcceleratorTotalMemoryMiBRequest::builder();
        of.set_min(min).set_max(max).build()
    });
    let network = asked.range("NetworkBandwidthGbps").map(|(min, max)| {
        let of = ec2::NetworkBandwidthGbpsRequest::builder();
        of.set_min(min).set_max(max).build()
    });
    ec2::InstanceRequirementsRequest::builder()
        .set_v_cpu_count(vcpus)
        .set_memory_mib(memory)
        .set_memory_gib_per_v_cpu(memory_per_vcpu)
        .set_network_interface_count(interfaces)
        .set_total_local_storage_gb(storage)
        .set_baseline_ebs_bandwidth_mbps(ebs)
        .set_accelerator_count(accelerators)
        .set_accelerator_total_memory_mib(accelerator_memory)
        .set_network_bandwidth_gbps(network)
        .set_bare_metal(asked.word("BareMetal"))
        .set_burstable_performance(asked.word("BurstablePerformance"))
        .set_require_hibernate_support(asked.one("RequireHibernateSupport"))
        .set_local_storage(asked.word("LocalStorage"))
        .set_cpu_manufacturers(asked.words("CpuManufacturer"))
        .set_instance_generations(asked.words("InstanceGeneration"))
        .set_local_storage_types(asked.words("LocalStorageType"))
        .set_accelerator_types(asked.words("AcceleratorType"))
        .set_accelerator_manufacturers(asked.words("AcceleratorManufacturer"))
        .set_accelerator_names(asked.words("AcceleratorName"))
        .set_excluded_instance_types(asked.list("ExcludedInstanceType"))
        .set_allowed_instance_types(asked.list("AllowedInstanceType"))
        .set_baseline_performance_factors(factors)
        .build()
}

struct Asked<'a>(&'a Attributes);

impl Asked<'_> {
    fn list(&self, name: &str) -> Option<Vec<String>> {
        self.0.get(name).cloned()
    }

    fn one<T: FromStr>(&self, name: &str) -> Option<T> {
        self.0.get(name)?.first()?.parse().ok()
    }

    /// A word of the SDK's, also one that it does not know.
    fn word<T: for<'b> From<&'b str>>(&self, name: &str) -> Option<T> {
        self.0.get(name)?.first().map(|word| T::from(word.as_str()))
    }

    fn words<T: for<'b> From<&'b str>>(&self, name: &str) -> Option<Vec<T>> {
        let words = self.0.get(name)?;
        Some(words.iter().map(|word| T::from(word.as_str())).collect())
    }

    fn range<T: FromStr>(&self, name: &str) -> Option<(Option<T>, Option<T>)> {
        let bounds = (self.one(&format!("{name}.Min")), self.one(&format!("{name}.Max")));
        (bounds.0.is_some() || bounds.1.is_some()).then_some(bounds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that Auto Scaling knows, with a value of its own each.
    fn all() -> asg::InstanceRequirements {
        let cpu = asg::CpuPerformanceFactorRequest::builder().references(
            asg::PerformanceFactorReferenceRequest::builder()
                .instance_family("c6i")
                .build(),
        );
        asg::InstanceRequirements::builder()
            .v_cpu_count(asg::VCpuCountRequest::builder().min(2).max(3).build())
            .memory_mib(asg::MemoryMiBRequest::builder().min(4_001).max(8_001).build())
            .memory_gib_per_v_cpu(asg::MemoryGiBPerVCpuRequest::builder().min(1.25).max(7.5).build())
            .network_interface_count(asg::NetworkInterfaceCountRequest::builder().min(5).max(6).build())
            .total_local_storage_gb(
                asg::TotalLocalStorageGbRequest::builder()
                    .min(9.5)
                    .max(10.5)
                    .build(),
            )
            .baseline_ebs_bandwidth_mbps(
                asg::BaselineEbsBandwidthMbpsRequest::builder()
                    .min(11)
                    .max(12)
                    .build(),
            )
            .accelerator_count(asg::AcceleratorCountRequest::builder().min(13).max(14).build())
            .accelerator_total_memory_mib(
                asg::AcceleratorTotalMemoryMiBRequest::builder()
                    .min(15)
                    .max(16)
                    .build(),
            )
            .network_bandwidth_gbps(
                asg::NetworkBandwidthGbpsRequest::builder()
                    .min(17.5)
                    .max(18.5)
                    .build(),
            )
            .bare_metal(asg::BareMetal::Included)
            .burstable_performance(asg::BurstablePerformance::Required)
            .require_hibernate_support(true)
            .local_storage(asg::LocalStorage::Excluded)
            .cpu_manufacturers(asg::CpuManufacturer::Intel)
            .cpu_manufacturers(asg::CpuManufacturer::from("of-a-new-maker"))
            .instance_generations(asg::InstanceGeneration::Current)
            .local_storage_types(asg::LocalStorageType::Ssd)
            .accelerator_types(asg::AcceleratorType::Gpu)
            .accelerator_manufacturers(asg::AcceleratorManufacturer::Nvidia)
            .accelerator_names(asg::AcceleratorName::T4)
            .excluded_instance_types("m5*")
            .allowed_instance_types("c5.*")
            .baseline_performance_factors(
                asg::BaselinePerformanceFactorsRequest::builder()
                    .cpu(cpu.build())
                    .build(),
            )
            .spot_max_price_percentage_over_lowest_price(100)
            .max_spot_price_as_percentage_of_optimal_on_demand_price(70)
            .on_demand_max_price_percentage_over_lowest_price(20)
            .build()
    }

    /// What is there, in no order: both services have their fields in another one, and types of other names.
    fn words(shown: &str) -> Vec<String> {
        let mut words: Vec<_> = shown
            .replace("VCpuCountRangeRequest", "VCpuCountRequest")
            .split(|c: char| !(c.is_alphanumeric() || "._*-".contains(c)))
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect();
        words.sort();
        words
    }

    #[test]
    fn all_that_is_asked_for_is_asked_of_ec2_but_prices() {
        let from = all();
        assert!(!format!("{from:?}").contains("None"), "{from:?}");
        let read = of(&from).unwrap();
        let expected = format!("{from:?}")
            .replace("InstanceRequirements {", "InstanceRequirementsRequest {")
            .replace(
                "spot_max_price_percentage_over_lowest_price: Some(100)",
                "spot_max_price_percentage_over_lowest_price: None",
            )
            .replace(
                "max_spot_price_as_percentage_of_optimal_on_demand_price: Some(70)",
                "max_spot_price_as_percentage_of_optimal_on_demand_price: None",
            )
            .replace(
                "on_demand_max_price_percentage_over_lowest_price: Some(20)",
                "on_demand_max_price_percentage_over_lowest_price: None",
            );
        // EC2 has one that Auto Scaling has not.
        let expected = format!("{expected} require_encryption_in_transit: None");
        assert_eq!(
            words(&format!("{:?}", request(&read.attributes))),
            words(&expected)
        );
        assert_eq!(
            read.protection,
            Protection {
                spot_over_lowest: Some(100),
                spot_of_on_demand: Some(70),
                on_demand_over_lowest: Some(20),
            }
        );
    }

    #[test]
    fn what_is_not_asked_for_is_not_said() {
        let bare = asg::InstanceRequirements::builder()
            .v_cpu_count(asg::VCpuCountRequest::builder().min(2).build())
            .memory_mib(asg::MemoryMiBRequest::builder().min(0).build())
            .build();
        let read = of(&bare).unwrap();
        let said: Vec<_> = read
            .attributes
            .iter()
            .map(|(name, values)| format!("{name}={}", values.join("+")))
            .collect();
        assert_eq!(said, ["MemoryMiB.Min=0", "VCpuCount.Min=2"]);
        assert_eq!(read.protection, Protection::default());
        let asked = request(&read.attributes);
        assert_eq!(asked.v_cpu_count().and_then(|of| of.max()), None);
        assert_eq!(asked.accelerator_count(), None);
        let below = asg::InstanceRequirements::builder()
            .spot_max_price_percentage_over_lowest_price(-1)
            .build();
        assert!(of(&below).unwrap_err().contains("-1 percent"));
    }
}
