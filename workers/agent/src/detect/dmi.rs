//! What the firmware says about the machine: the DMI files of the kernel, `/sys/class/dmi/id`.
//!
//! Sources: AWS, "Detect whether a host is an EC2 instance"; Google, "Detect if a VM is running in Compute Engine";
//! cloud-init's `ds-identify` for the asset tags of Azure and Oracle.

use std::{io::Read, path::Path};

use crate::provider::Provider;

/// Azure's asset tag. Any Hyper-V host says `Microsoft Corporation`; only Azure's have this.
const AZURE: &str = "7783-7084-3265-9085-8269-3286-77";

/// No file of these is longer than a page.
const PAGE: u64 = 4096;

/// The files that tell the providers apart; what cannot be read is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Firmware {
    /// `sys_vendor`
    pub sys_vendor: String,
    /// `product_name`
    pub product_name: String,
    /// `product_version`
    pub product_version: String,
    /// `chassis_asset_tag`
    pub chassis_asset_tag: String,
    /// `bios_vendor`
    pub bios_vendor: String,
}

impl Firmware {
    /// Reads them from a directory.
    pub fn read(directory: &Path) -> Self {
        let read = |name: &str| {
            let mut text = Vec::new();
            let file = std::fs::File::open(directory.join(name));
            // A machine without such a file is a machine it says nothing about.
            file.and_then(|file| file.take(PAGE).read_to_end(&mut text))
                .unwrap_or_default();
            String::from_utf8_lossy(&text).trim().to_owned()
        };
        Self {
            sys_vendor: read("sys_vendor"),
            product_name: read("product_name"),
            product_version: read("product_version"),
            chassis_asset_tag: read("chassis_asset_tag"),
            bios_vendor: read("bios_vendor"),
        }
    }

    /// The provider it proves, and the file that does. `None` where it proves none: a metadata service has to say.
    pub fn provider(&self) -> Option<(Provider, &'static str)> {
        let files = [
            (
                Provider::Azure,
                self.chassis_asset_tag == AZURE,
                "chassis_asset_tag",
            ),
            (Provider::Aws, self.sys_vendor == "Amazon EC2", "sys_vendor"),
            (Provider::Aws, self.bios_vendor == "Amazon EC2", "bios_vendor"),
            (
                Provider::Aws,
                self.chassis_asset_tag == "Amazon EC2",
                "chassis_asset_tag",
            ),
            // Xen, before Nitro: `4.11.amazon`.
            (
                Provider::Aws,
                self.product_version.ends_with(".amazon"),
                "product_version",
            ),
            (
                Provider::Gcp,
                self.product_name == "Google Compute Engine",
                "product_name",
            ),
            (
                Provider::Alibaba,
                self.product_name.starts_with("Alibaba Cloud"),
                "product_name",
            ),
            (
                Provider::Oracle,
                self.chassis_asset_tag.starts_with("OracleCloud"),
                "chassis_asset_tag",
            ),
            (
                Provider::DigitalOcean,
                self.sys_vendor == "DigitalOcean",
                "sys_vendor",
            ),
        ];
        let proof = files.into_iter().find(|(_, proves, _)| *proves);
        proof.map(|(provider, _, file)| (provider, file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines() {
        let machine = |[
            sys_vendor,
            product_name,
            product_version,
            chassis_asset_tag,
            bios_vendor,
        ]: [&str; 5]| Firmware {
            sys_vendor: sys_vendor.to_owned(),
            product_name: product_name.to_owned(),
            product_version: product_version.to_owned(),
            chassis_asset_tag: chassis_asset_tag.to_owned(),
            bios_vendor: bios_vendor.to_owned(),
        };
        for (name, files, expected) in [
            (
                "Nitro",
                ["Amazon EC2", "m5.large", "", "Amazon EC2", "Amazon EC2"],
                Some((Provider::Aws, "sys_vendor")),
            ),
            (
                "bare metal of EC2",
                ["", "m5.metal", "", "", "Amazon EC2"],
                Some((Provider::Aws, "bios_vendor")),
            ),
            (
                "Xen of EC2",
                ["Xen", "HVM domU", "4.11.amazon", "", "Xen"],
                Some((Provider::Aws, "product_version")),
            ),
            ("Xen of others", ["Xen", "HVM domU", "4.11", "", "Xen"], None),
            (
                "Compute Engine",
                ["Google", "Google Compute Engine", "", "", "Google"],
                Some((Provider::Gcp, "product_name")),
            ),
            ("a Chromebook", ["Google", "Lars", "1.0", "", "coreboot"], None),
            (
                "Azure",
                [
                    "Microsoft Corporation",
                    "Virtual Machine",
                    "7.0",
                    AZURE,
                    "American Megatrends Inc.",
                ],
                Some((Provider::Azure, "chassis_asset_tag")),
            ),
            (
                "Hyper-V in a cellar",
                [
                    "Microsoft Corporation",
                    "Virtual Machine",
                    "7.0",
                    "1234-5678",
                    "American Megatrends Inc.",
                ],
                None,
            ),
            (
                "ECS",
                [
                    "Alibaba Cloud",
                    "Alibaba Cloud ECS",
                    "pc-i440fx-2.1",
                    "",
                    "SeaBIOS",
                ],
                Some((Provider::Alibaba, "product_name")),
            ),
            (
                "Oracle",
                [
                    "QEMU",
                    "Standard PC (i440FX + PIIX, 1996)",
                    "pc-i440fx-7.2",
                    "OracleCloud.com",
                    "SeaBIOS",
                ],
                Some((Provider::Oracle, "chassis_asset_tag")),
            ),
            (
                "a droplet",
                ["DigitalOcean", "Droplet", "20171212", "", "DigitalOcean"],
                Some((Provider::DigitalOcean, "sys_vendor")),
            ),
            (
                "QEMU",
                [
                    "QEMU",
                    "Standard PC (Q35 + ICH9, 2009)",
                    "pc-q35-7.2",
                    "",
                    "SeaBIOS",
                ],
                None,
            ),
            ("nothing readable", ["", "", "", "", ""], None),
        ] {
            assert_eq!(machine(files).provider(), expected, "{name}");
        }
    }

    #[test]
    fn files_that_are_missing_or_odd() {
        let directory = Path::new("/nonexistent");
        assert_eq!(Firmware::read(directory), Firmware::default());
    }
}
