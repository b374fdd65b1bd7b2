//! Which instance a node is.
//!
//! - EC2: `aws:///us-east-1a/i-0abc` ends with the instance id.
//! - GCP: `gce://project/zone/name` ends with the name, not the numeric id; GKE puts the id into the annotation
//!   [`GKE_INSTANCE_ID`].
//! - Azure: `azure:///subscriptions/.../virtualMachines/name`, or `.../virtualMachineScaleSets/set/virtualMachines/7`
//!   in a scale set; the `vmId` is the node's `systemUUID`, in first-generation machines with the bytes of its first
//!   three groups in reverse order.

/// GKE's annotation with the numeric instance id.
pub const GKE_INSTANCE_ID: &str = "container.googleapis.com/instance_id";

/// What a node says about its machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Machine<'a> {
    /// `spec.providerID`
    pub provider_id: &'a str,
    /// `status.nodeInfo.systemUUID`
    pub system_uuid: &'a str,
    /// The annotation [`GKE_INSTANCE_ID`].
    pub gke_instance_id: &'a str,
}

impl Machine<'_> {
    /// The instance ids by which this machine may be asked for, without repetition.
    #[must_use]
    pub fn instance_ids(&self) -> Vec<String> {
        let mut ids = Vec::new();
        let mut add = |id: String| {
            if !id.is_empty() && !ids.contains(&id) {
                ids.push(id);
            }
        };
        let last = self.provider_id.rsplit('/').next().unwrap_or_default();
        match self
            .provider_id
            .split_once("://")
            .map_or("", |(scheme, _)| scheme)
        {
            "azure" => {
                let id = self.system_uuid.to_ascii_lowercase();
                add(swapped(&id).unwrap_or_default());
                add(id);
                // The number of a machine in its set says nothing outside of it.
                let set = self
                    .provider_id
                    .to_ascii_lowercase()
                    .contains("/virtualmachinescalesets/");
                if !set {
                    add(last.to_owned());
                }
            }
            "gce" => {
                add(self.gke_instance_id.to_owned());
                add(last.to_owned());
            }
            _ => add(last.to_owned()),
        }
        ids
    }

    /// Whether this is certainly not `instance`, whatever its name: EC2 gives a private address, and with it a
    /// node's name, to another instance when the first is gone.
    #[must_use]
    pub fn is_another(&self, instance: &str) -> bool {
        let last = self.provider_id.rsplit('/').next().unwrap_or_default();
        self.provider_id.starts_with("aws://")
            && last.starts_with("i-")
            && instance.starts_with("i-")
            && last != instance
    }
}

/// A UUID with the bytes of its first three groups reversed, as SMBIOS 2.6 and Azure's `vmId` differ.
fn swapped(uuid: &str) -> Option<String> {
    let groups: Vec<&str> = uuid.split('-').collect();
    let [a, b, c, d, e] = groups.as_slice() else {
        return None;
    };
    let reverse = |group: &str| -> Option<String> {
        let pairs: Option<Vec<&str>> = (0..group.len())
            .step_by(2)
            .map(|at| group.get(at..at + 2))
            .collect();
        Some(pairs?.into_iter().rev().collect())
    };
    Some(format!("{}-{}-{}-{d}-{e}", reverse(a)?, reverse(b)?, reverse(c)?))
}
