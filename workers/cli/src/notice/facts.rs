//! What a notice says, as flags.

use clap::{Args, builder::PossibleValuesParser};
use hollowtrees_schemas::{
    names::{certainty, mode},
    proto::{self, time::to_proto},
};
use jiff::{SignedDuration, Timestamp};

use crate::when::{parse_span, parse_time};

/// What a notice says of its instance.
#[derive(Clone, Debug, Args)]
pub struct Facts {
    /// Kind of notice: spot-interruption, preempted, rebalance-recommendation, scheduled-maintenance, alert, or
    /// one of your own
    #[arg(long, default_value = "spot-interruption")]
    pub kind: String,
    /// Cloud: aws, gcp, azure, or another
    #[arg(long, default_value = "aws")]
    pub provider: String,
    /// What may be touched
    #[arg(long, default_value = mode::TEST, value_parser = PossibleValuesParser::new(mode::ALL))]
    pub mode: String,
    /// Whether it stands, or is taken back
    #[arg(long, default_value = "active", value_parser = PossibleValuesParser::new(["active", "cancelled", "resolved"]))]
    pub state: String,
    /// How sure it is [default: the kind's]
    #[arg(long, value_parser = PossibleValuesParser::new(certainty::ALL))]
    pub certainty: Option<String>,
    /// When the instance goes, RFC 3339 [default: the kind's notice period from now, if it has one]
    #[arg(long, value_name = "TIME", value_parser = parse_time, conflicts_with = "in")]
    pub deadline: Option<Timestamp>,
    /// The instance goes so long from now: 30s, 2m
    #[arg(long = "in", id = "in", value_name = "SPAN", value_parser = parse_span)]
    pub within: Option<SignedDuration>,
    /// The provider's event id: notices with the same one are about one event, the newest counts
    #[arg(long, value_name = "ID")]
    pub event_id: Option<String>,
    /// What the provider will do: terminate, stop, reboot, ...
    #[arg(long, value_name = "WORD")]
    pub provider_action: Option<String>,
    /// Account, project or subscription
    #[arg(long)]
    pub account: Option<String>,
    /// Region
    #[arg(long)]
    pub region: Option<String>,
    /// Zone
    #[arg(long)]
    pub zone: Option<String>,
    /// Kubernetes node name
    #[arg(long)]
    pub node: Option<String>,
    /// Auto-scaling group
    #[arg(long)]
    pub group: Option<String>,
    /// Instance type
    #[arg(long, value_name = "TYPE")]
    pub instance_type: Option<String>,
    /// A label for rules to match, NAME=VALUE; may be given more than once
    #[arg(long, value_name = "LABEL", value_parser = label)]
    pub label: Vec<(String, String)>,
}

impl Facts {
    /// The notice, seen at `now`.
    pub fn notice(&self, cluster: &str, instance: &str, now: Timestamp) -> proto::Notice {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        // A span is at most ten years.
        let within = self.within.and_then(|within| now.checked_add(within).ok());
        proto::Notice {
            cluster: cluster.to_owned(),
            instance: instance.to_owned(),
            kind: self.kind.clone(),
            provider: self.provider.clone(),
            mode: self.mode.clone(),
            state: self.state.clone(),
            certainty: text(&self.certainty),
            noticed_at: Some(to_proto(now)),
            deadline: self.deadline.or(within).map(to_proto),
            event_id: text(&self.event_id),
            provider_action: text(&self.provider_action),
            account: text(&self.account),
            region: text(&self.region),
            zone: text(&self.zone),
            node: text(&self.node),
            group: text(&self.group),
            instance_type: text(&self.instance_type),
            labels: self.label.iter().cloned().collect(),
            detail: None,
        }
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is no label; write NAME=VALUE")),
    }
}
