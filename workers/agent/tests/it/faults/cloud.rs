//! The clouds that announce interruptions, each with its simulated metadata service.

use std::{net::SocketAddr, time::Duration};

use hollowtrees_harness::{
    Metadata,
    metadata::{Alibaba, Azure, Event, Gcp, Instance, When},
    proxy::Fault,
};
use hollowtrees_schemas::proto::{self, time::from_proto};
use jiff::{SignedDuration, Timestamp};

const VM: &str = "aks-spot_3";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cloud {
    Ec2,
    Gcp,
    Azure,
    Alibaba,
}

impl Cloud {
    pub(super) const ALL: [Self; 4] = [Self::Ec2, Self::Gcp, Self::Azure, Self::Alibaba];

    /// As `HT_PROVIDER` has it.
    pub(super) fn provider(self) -> &'static str {
        match self {
            Self::Ec2 => "aws",
            Self::Gcp => "gcp",
            Self::Azure => "azure",
            Self::Alibaba => "alibaba",
        }
    }

    /// A part of the paths of the documents that tell of an interruption, and of no other.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Ec2 => "/meta-data/spot/",
            Self::Gcp => "/instance/preempted",
            Self::Azure => "/metadata/scheduledevents",
            Self::Alibaba => "/spot/termination-time",
        }
    }

    /// How the service answers: Google's bears its mark.
    pub(super) fn answers(self, status: u16) -> Fault {
        match self {
            Self::Gcp => Fault::status(status).header("metadata-flavor", "Google"),
            Self::Ec2 | Self::Azure | Self::Alibaba => Fault::status(status),
        }
    }

    /// Of the instance of the simulated service.
    fn instance(self) -> &'static str {
        match self {
            Self::Ec2 => "i-0d2aab13057917887",
            Self::Gcp => "4520031799277581759",
            Self::Azure => "02aab8a4-74ef-476e-8182-f6d2ba4166a6",
            Self::Alibaba => "i-bp13znx0m0me8cquu123",
        }
    }

    /// It is the notice of the interruption that [`Service::announce`] announced for then.
    #[track_caller]
    pub(super) fn is_right(self, notice: &proto::Notice, at: Timestamp) {
        let (kind, action) = match self {
            Self::Ec2 | Self::Alibaba => ("spot-interruption", "terminate"),
            Self::Gcp | Self::Azure => ("preempted", "preempt"),
        };
        assert_eq!(
            (
                notice.kind.as_str(),
                notice.certainty.as_str(),
                notice.state.as_str(),
                notice.provider_action.as_str(),
                notice.instance.as_str()
            ),
            (kind, "certain", "active", action, self.instance())
        );
        let deadline = from_proto(notice.deadline.as_ref().unwrap()).unwrap();
        if self == Self::Gcp {
            // Its document gives no time: so long after it was seen.
            let noticed = from_proto(notice.noticed_at.as_ref().unwrap()).unwrap();
            assert_eq!(deadline.duration_since(noticed), SignedDuration::from_secs(30));
        } else {
            let early = at.as_second() - deadline.as_second();
            assert!((0..=1).contains(&early), "{deadline}, not {at}");
        }
    }
}

/// A running one.
pub(super) enum Service {
    Ec2(Metadata),
    Gcp(Gcp),
    Azure(Azure),
    Alibaba(Alibaba),
}

/// Does the same at each.
macro_rules! each {
    ($of:expr, $service:ident => $what:expr) => {
        match $of {
            Service::Ec2($service) => $what,
            Service::Gcp($service) => $what,
            Service::Azure($service) => $what,
            Service::Alibaba($service) => $what,
        }
    };
}

impl Service {
    pub(super) async fn start_on(cloud: Cloud, addr: SocketAddr) -> hollowtrees_harness::Result<Self> {
        Ok(match cloud {
            Cloud::Ec2 => {
                let instance = Instance::new(cloud.instance(), "eu-west-1a");
                Self::Ec2(Metadata::start_on(addr, instance).await?)
            }
            Cloud::Gcp => Self::Gcp(Gcp::start_on(addr).await?),
            Cloud::Azure => Self::Azure(Azure::start_on(addr, VM).await?),
            Cloud::Alibaba => Self::Alibaba(Alibaba::start_on(addr).await?),
        })
    }

    pub(super) fn inject(&self, fault: Fault) {
        each!(self, service => service.inject(fault));
    }

    pub(super) fn heal(&self) {
        each!(self, service => service.heal());
    }

    /// How many requests there were for the document that tells of an interruption.
    pub(super) fn readings(&self, cloud: Cloud) -> usize {
        each!(self, service => service.count(cloud.path()))
    }

    pub(super) fn expire_tokens(&self) {
        match self {
            Self::Ec2(service) => service.expire_tokens(),
            Self::Alibaba(service) => service.expire_tokens(),
            Self::Gcp(_) | Self::Azure(_) => {}
        }
    }

    /// Announces an interruption two minutes from now, and returns when.
    pub(super) fn announce(&self) -> Timestamp {
        let at = Timestamp::now() + Duration::from_secs(120);
        self.announce_when(When::At(at));
        at
    }

    /// Announces an interruption, or puts another time into what was announced.
    pub(super) fn announce_when(&self, when: When) {
        match self {
            Self::Ec2(service) => service.interrupt_when("terminate", when),
            Self::Gcp(service) => service.preempt(),
            Self::Azure(service) => {
                let event = Event::new("C1BF8322", "Preempt", VM, Duration::ZERO);
                service.schedule_when(&event, when);
            }
            Self::Alibaba(service) => service.release_when(when),
        }
    }
}
