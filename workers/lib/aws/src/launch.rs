//! One instance from a launch template, or from a launch configuration.

use std::collections::BTreeMap;

use aws_sdk_ec2::{
    config::{
        interceptors::InterceptorContext,
        retry::{ClassifyRetry, RetryAction},
    },
    error::ProvideErrorMetadata,
    operation::run_instances::{RunInstancesError, builders::RunInstancesFluentBuilder},
    types::{
        ConnectionTrackingSpecificationRequest, EnaSrdSpecificationRequest, EnaSrdUdpSpecificationRequest,
        InstanceInterruptionBehavior, InstanceMarketOptionsRequest, InstanceNetworkInterfaceSpecification,
        InstanceType, Ipv4PrefixSpecificationRequest, Ipv6PrefixSpecificationRequest,
        LaunchTemplateInstanceNetworkInterfaceSpecification, LaunchTemplateSpecification,
        LaunchTemplateTagSpecification, MarketType, ResourceType, ResponseLaunchTemplateData,
        SpotInstanceType, SpotMarketOptions, Tag, TagSpecification,
    },
};
use hollowtrees_domain::swap::world::{Blueprint, Instance, Launch, SpotMarket, TemplateRef};

use crate::{Refusal, Region, configuration, placement, read, refusal};

impl Region {
    /// Launches one instance. The same value is the same call: asked again, also by the SDK after a lost reply, it
    /// answers with the same instance, by its token.
    ///
    /// Of a launch configuration all is said, as `configuration::apply` has it. What a template's version says stays in force but for type, subnet, market and tags. EC2 lets each parameter
    /// of the call stand for the same one of the template (EC2 API reference, `RunInstances`, `LaunchTemplate`:
    /// "overwrite the corresponding parameters"), tags included, so that what is to stay of such a parameter is said
    /// again, from the version itself, which never changes:
    ///
    /// - its tags, those of the launch put over them, for each kind of resource;
    /// - its network interfaces, since beside them no subnet may be named for the instance ("If you specify a network
    ///   interface, you must specify any subnets as part of the network interface"): the subnet goes into that of
    ///   device index 0 on network card 0. A secondary one keeps its own subnet, and has the new one where it has none.
    /// - its highest spot price, where the launch sets none;
    /// - its tenancy and host, where the launch sets a placement group.
    ///
    /// # Errors
    /// AWS did not launch it, or does not say that it did. `Rejected` too where the version is no number, where the
    /// template makes spot instances and this launch is to be on demand, or where another launch configuration has the name of
    /// the one that is meant.
    pub async fn launch(&self, launch: &Launch) -> Result<Instance, Refusal> {
        run(self.prepare(launch).await?).await
    }

    /// Launches what may have been launched already. What is refused before EC2 is asked about the launch itself says
    /// nothing of the earlier call, and is `Unclear` here.
    ///
    /// # Errors
    /// As [`Region::launch`].
    pub async fn launch_again(&self, launch: &Launch) -> Result<Instance, Refusal> {
        let prepared = self.prepare(launch).await.map_err(|refusal| {
            if refusal.is_definite() {
                Refusal::unclear(format!("a launch cannot be repeated: {refusal}"))
            } else {
                refusal
            }
        });
        run(prepared?).await
    }

    /// The call, from what its blueprint says.
    async fn prepare(&self, launch: &Launch) -> Result<RunInstancesFluentBuilder, Refusal> {
        let call = self
            .ec2()
            .run_instances()
            .instance_type(InstanceType::from(launch.instance_type.as_str()))
            .min_count(1)
            .max_count(1)
            .client_token(&launch.token)
            .set_capacity_reservation_specification(launch.reserved.as_ref().map(placement::reserved));
        match &launch.blueprint {
            Blueprint::Template(template) => self.by_template(call, launch, template).await,
            Blueprint::Configuration(configuration) => {
                let said = self.configuration(configuration).await?;
                let spot = launch.spot.as_ref();
                let group = launch.placement_group.as_deref();
                Ok(configuration::apply(call, &said, &launch.subnet, group)
                    .set_instance_market_options(spot.map(|spot| one_time(spot.max_price.as_deref())))
                    .set_tag_specifications(Some(tags(&[], &launch.tags, spot.is_some()))))
            }
        }
    }

    async fn by_template(
        &self,
        call: RunInstancesFluentBuilder,
        launch: &Launch,
        template: &TemplateRef,
    ) -> Result<RunInstancesFluentBuilder, Refusal> {
        if template.version.parse::<u64>().is_err() {
            let message = format!(
                "`{}` is no number of a version of {}; a repeated launch could be another one",
                template.version, template.id
            );
            return Err(Refusal::unsaid("template-version", message));
        }
        let version = self.template_version(template).await?;
        let none = ResponseLaunchTemplateData::builder().build();
        let data = version.launch_template_data().unwrap_or(&none);
        let interfaces = interfaces(data.network_interfaces(), &launch.subnet);
        let tags = tags(data.tag_specifications(), &launch.tags, launch.spot.is_some());
        let call = call
            .launch_template(
                LaunchTemplateSpecification::builder()
                    .launch_template_id(&template.id)
                    .version(&template.version)
                    .build(),
            )
            .set_image_id(launch.image.clone())
            .set_placement(placement::over(
                data.placement(),
                launch.placement_group.as_deref(),
            ))
            .set_instance_market_options(market(data, launch.spot.as_ref())?)
            .set_tag_specifications(Some(tags));
        Ok(if interfaces.is_empty() {
            call.subnet_id(&launch.subnet)
        } else {
            call.set_network_interfaces(Some(interfaces))
        })
    }
}

async fn run(call: RunInstancesFluentBuilder) -> Result<Instance, Refusal> {
    let answer = call.send().await?;
    answer
        .instances()
        .first()
        .map(read::instance)
        .ok_or_else(|| Refusal::unclear("a launch answered without an instance"))
}

/// Spot, one-time and ended at an interruption; or nothing, which is on demand.
fn market(
    data: &ResponseLaunchTemplateData,
    spot: Option<&SpotMarket>,
) -> Result<Option<InstanceMarketOptionsRequest>, Refusal> {
    let own = data.instance_market_options();
    let Some(spot) = spot else {
        return match own.and_then(|own| own.market_type()) {
            // There is no way to say "on demand" over it.
            Some(market) => Err(Refusal::unsaid(
                "template-market",
                format!(
                    "the launch template's market is {}; an on-demand instance cannot come from it",
                    market.as_str()
                ),
            )),
            None => Ok(None),
        };
    };
    let own_price = own.and_then(|own| own.spot_options()?.max_price());
    Ok(Some(one_time(spot.max_price.as_deref().or(own_price))))
}

fn one_time(max_price: Option<&str>) -> InstanceMarketOptionsRequest {
    let options = SpotMarketOptions::builder()
        .spot_instance_type(SpotInstanceType::OneTime)
        .instance_interruption_behavior(InstanceInterruptionBehavior::Terminate)
        .set_max_price(max_price.map(str::to_owned))
        .build();
    InstanceMarketOptionsRequest::builder()
        .market_type(MarketType::Spot)
        .spot_options(options)
        .build()
}

/// The template's tags, those of the launch over them for the instance and its volumes.
fn tags(
    of_template: &[LaunchTemplateTagSpecification],
    ours: &BTreeMap<String, String>,
    spot: bool,
) -> Vec<TagSpecification> {
    let mut kinds: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
    for specification in of_template {
        // A request for spot instances is not made by a launch on demand.
        let Some(kind) = specification
            .resource_type()
            .filter(|kind| spot || **kind != ResourceType::SpotInstancesRequest)
        else {
            continue;
        };
        kinds
            .entry(kind.as_str())
            .or_default()
            .extend(read::tags(specification.tags()));
    }
    for kind in [ResourceType::Instance.as_str(), ResourceType::Volume.as_str()] {
        kinds
            .entry(kind)
            .or_default()
            .extend(ours.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    kinds
        .into_iter()
        .filter(|(_, tags)| !tags.is_empty())
        .map(|(kind, tags)| {
            let tags = tags
                .into_iter()
                .map(|(key, value)| Tag::builder().key(key).value(value).build());
            TagSpecification::builder()
                .resource_type(ResourceType::from(kind))
                .set_tags(Some(tags.collect()))
                .build()
        })
        .collect()
}

/// The template's network interfaces with this subnet, in their order; none where it has none.
fn interfaces(
    of: &[LaunchTemplateInstanceNetworkInterfaceSpecification],
    subnet: &str,
) -> Vec<InstanceNetworkInterfaceSpecification> {
    of.iter()
        .map(|from| {
            let first = from.device_index().unwrap_or_default() == 0
                && from.network_card_index().unwrap_or_default() == 0;
            let subnet = match from.subnet_id() {
                Some(own) if !first => own,
                _ => subnet,
            };
            // An interface that exists already is in its subnet.
            let new = from.network_interface_id().is_none();
            interface(from, new.then(|| subnet.to_owned()))
        })
        .collect()
}

/// One of them, whole. A template's form of it and a launch's differ in their types only.
fn interface(
    from: &LaunchTemplateInstanceNetworkInterfaceSpecification,
    subnet: Option<String>,
) -> InstanceNetworkInterfaceSpecification {
    let from = from.clone();
    InstanceNetworkInterfaceSpecification::builder()
        .set_associate_carrier_ip_address(from.associate_carrier_ip_address)
        .set_associate_public_ip_address(from.associate_public_ip_address)
        .set_connection_tracking_specification(from.connection_tracking_specification.map(|from| {
            ConnectionTrackingSpecificationRequest::builder()
                .set_tcp_established_timeout(from.tcp_established_timeout)
                .set_udp_timeout(from.udp_timeout)
                .set_udp_stream_timeout(from.udp_stream_timeout)
                .build()
        }))
        .set_delete_on_termination(from.delete_on_termination)
        .set_description(from.description)
        .set_device_index(from.device_index)
        .set_ena_queue_count(from.ena_queue_count)
        .set_ena_srd_specification(from.ena_srd_specification.map(|from| {
            EnaSrdSpecificationRequest::builder()
                .set_ena_srd_enabled(from.ena_srd_enabled)
                .set_ena_srd_udp_specification(from.ena_srd_udp_specification.map(|from| {
                    EnaSrdUdpSpecificationRequest::builder()
                        .set_ena_srd_udp_enabled(from.ena_srd_udp_enabled)
                        .build()
                }))
                .build()
        }))
        .set_groups(from.groups)
        .set_interface_type(from.interface_type)
        .set_ipv4_prefix_count(from.ipv4_prefix_count)
        .set_ipv4_prefixes(from.ipv4_prefixes.map(|prefixes| {
            prefixes
                .into_iter()
                .map(|from| {
                    Ipv4PrefixSpecificationRequest::builder()
                        .set_ipv4_prefix(from.ipv4_prefix)
                        .build()
                })
                .collect()
        }))
        .set_ipv6_address_count(from.ipv6_address_count)
        .set_ipv6_addresses(from.ipv6_addresses)
        .set_ipv6_prefix_count(from.ipv6_prefix_count)
        .set_ipv6_prefixes(from.ipv6_prefixes.map(|prefixes| {
            prefixes
                .into_iter()
                .map(|from| {
                    Ipv6PrefixSpecificationRequest::builder()
                        .set_ipv6_prefix(from.ipv6_prefix)
                        .build()
                })
                .collect()
        }))
        .set_network_card_index(from.network_card_index)
        .set_network_interface_id(from.network_interface_id)
        .set_primary_ipv6(from.primary_ipv6)
        .set_private_ip_address(from.private_ip_address)
        .set_private_ip_addresses(from.private_ip_addresses)
        .set_secondary_private_ip_address_count(from.secondary_private_ip_address_count)
        .set_subnet_id(subnet)
        .build()
}

/// Keeps the SDK from repeating a launch whose pool has no capacity: EC2 says that with status 500, which it would
/// otherwise take for an accident. Nor one that is throttled: whose launch is next is for who launches to say.
#[derive(Debug)]
pub(crate) struct Definite;

impl ClassifyRetry for Definite {
    fn classify_retry(&self, ctx: &InterceptorContext) -> RetryAction {
        let code = ctx
            .output_or_error()
            .and_then(Result::err)
            .and_then(|error| error.as_operation_error())
            .and_then(|error| error.downcast_ref::<RunInstancesError>())
            .and_then(ProvideErrorMetadata::code);
        match code {
            Some(code) if refusal::is_capacity(code) || refusal::is_throttled(code) => {
                RetryAction::RetryForbidden
            }
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "definite answers to launches"
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{
        ConnectionTrackingSpecification, InstanceIpv6Address, Ipv4PrefixSpecificationResponse,
        Ipv6PrefixSpecificationResponse, LaunchTemplateEnaSrdSpecification,
        LaunchTemplateEnaSrdUdpSpecification, LaunchTemplateInstanceMarketOptions,
        LaunchTemplateSpotMarketOptions, PrivateIpAddressSpecification,
    };

    use super::*;

    type Interface = LaunchTemplateInstanceNetworkInterfaceSpecification;

    #[test]
    fn an_interface_is_copied_whole() {
        let from = Interface::builder()
            .associate_carrier_ip_address(true)
            .associate_public_ip_address(true)
            .connection_tracking_specification(
                ConnectionTrackingSpecification::builder()
                    .tcp_established_timeout(60)
                    .udp_timeout(31)
                    .udp_stream_timeout(61)
                    .build(),
            )
            .delete_on_termination(true)
            .description("d")
            .device_index(0)
            .ena_queue_count(4)
            .ena_srd_specification(
                LaunchTemplateEnaSrdSpecification::builder()
                    .ena_srd_enabled(true)
                    .ena_srd_udp_specification(
                        LaunchTemplateEnaSrdUdpSpecification::builder()
                            .ena_srd_udp_enabled(true)
                            .build(),
                    )
                    .build(),
            )
            .groups("sg-1")
            .groups("sg-2")
            .interface_type("efa")
            .ipv4_prefix_count(1)
            .ipv4_prefixes(
                Ipv4PrefixSpecificationResponse::builder()
                    .ipv4_prefix("10.0.0.0/28")
                    .build(),
            )
            .ipv6_address_count(2)
            .ipv6_addresses(
                InstanceIpv6Address::builder()
                    .ipv6_address("fd00::1")
                    .is_primary_ipv6(true)
                    .build(),
            )
            .ipv6_prefix_count(3)
            .ipv6_prefixes(
                Ipv6PrefixSpecificationResponse::builder()
                    .ipv6_prefix("fd00::/80")
                    .build(),
            )
            .network_card_index(0)
            .primary_ipv6(true)
            .private_ip_address("10.0.0.9")
            .private_ip_addresses(
                PrivateIpAddressSpecification::builder()
                    .primary(true)
                    .private_ip_address("10.0.0.9")
                    .build(),
            )
            .secondary_private_ip_address_count(5)
            .subnet_id("subnet-of-the-template")
            .build();
        // All that the template's form has is there; the launch's has the same fields in another order.
        let copied = &interfaces(std::slice::from_ref(&from), "subnet-new")[0];
        assert_eq!(copied.subnet_id(), Some("subnet-new"));
        let fields = |shown: String| {
            let shown = shown
                .replace("Request", "")
                .replace("Response", "")
                .replace("LaunchTemplate", "")
                .replace("subnet-of-the-template", "subnet-new");
            let mut words: Vec<_> = shown
                .split(|c: char| !(c.is_alphanumeric() || "._:/-".contains(c)))
                .map(str::to_owned)
                .collect();
            words.sort();
            words
        };
        assert_eq!(fields(format!("{copied:?}")), fields(format!("{from:?}")));
        assert!(
            !format!("{from:?}")
                .replace("network_interface_id: None", "")
                .contains("None"),
            "{from:?}"
        );
    }

    #[test]
    fn the_subnet_of_each_interface() {
        let at = |device: Option<i32>, card: Option<i32>| {
            Interface::builder()
                .set_device_index(device)
                .set_network_card_index(card)
        };
        let of = [
            at(Some(1), None).subnet_id("own").build(),
            at(Some(0), None).subnet_id("own").build(),
            at(Some(2), None).build(),
            at(Some(0), Some(1)).subnet_id("own").build(),
            at(None, None).build(),
            at(Some(0), None).network_interface_id("eni-1").build(),
        ];
        let subnets: Vec<_> = interfaces(&of, "new")
            .into_iter()
            .map(|interface| interface.subnet_id)
            .collect();
        let subnets: Vec<_> = subnets.iter().map(Option::as_deref).collect();
        assert_eq!(
            subnets,
            [
                Some("own"),
                Some("new"),
                Some("new"),
                Some("own"),
                Some("new"),
                None
            ]
        );
        assert!(interfaces(&[], "new").is_empty());
    }

    #[test]
    fn the_market() {
        let with = |market: Option<MarketType>, price: Option<&str>| {
            let options = LaunchTemplateSpotMarketOptions::builder()
                .set_max_price(price.map(str::to_owned))
                .build();
            ResponseLaunchTemplateData::builder()
                .instance_market_options(
                    LaunchTemplateInstanceMarketOptions::builder()
                        .set_market_type(market)
                        .spot_options(options)
                        .build(),
                )
                .build()
        };
        let none = ResponseLaunchTemplateData::builder().build();
        let price = |data: &ResponseLaunchTemplateData, price: Option<&str>| {
            let spot = SpotMarket {
                max_price: price.map(str::to_owned),
            };
            let market = market(data, Some(&spot)).unwrap().unwrap();
            assert_eq!(market.market_type(), Some(&MarketType::Spot));
            market.spot_options().unwrap().max_price().map(str::to_owned)
        };
        assert_eq!(price(&none, None), None);
        assert_eq!(price(&none, Some("1")), Some("1".to_owned()));
        let template = with(Some(MarketType::Spot), Some("2"));
        assert_eq!(price(&template, None), Some("2".to_owned()));
        assert_eq!(price(&template, Some("1")), Some("1".to_owned()));
        assert_eq!(market(&none, None), Ok(None));
        assert_eq!(
            market(&template, None).unwrap_err().code(),
            Some("template-market")
        );
    }
}
