//! Roles by which other accounts are reached.

use std::collections::BTreeMap;

use crate::Role;

/// What is no role of an account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRole {
    /// Not an account.
    #[error("`{0}` is no account; expected its 12 digits")]
    Account(String),
    /// Not a role, or another account's: what was done under it would be done to the wrong instances.
    #[error("`{arn}` is no role of {account}; expected `arn:aws:iam::{account}:role/NAME`")]
    Arn {
        /// The account.
        account: String,
        /// What was given as its role.
        arn: String,
    },
}

/// Reads roles by account, as they are configured.
///
/// # Errors
/// Every one that is none.
pub fn roles(configured: &BTreeMap<String, String>) -> Result<BTreeMap<String, Role>, Vec<BadRole>> {
    let mut roles = BTreeMap::new();
    let mut bad = Vec::new();
    for (account, arn) in configured {
        match role(account, arn) {
            Ok(role) => _ = roles.insert(account.clone(), role),
            Err(error) => bad.push(error),
        }
    }
    if bad.is_empty() { Ok(roles) } else { Err(bad) }
}

fn role(account: &str, arn: &str) -> Result<Role, BadRole> {
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BadRole::Account(account.to_owned()));
    }
    // arn:PARTITION:iam::ACCOUNT:role/PATH/NAME
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let is_role = match parts.as_slice() {
        ["arn", partition, "iam", "", of, resource] => {
            let name = resource.strip_prefix("role/").unwrap_or_default();
            partition.starts_with("aws") && *of == account && !name.is_empty()
        }
        _ => false,
    };
    if !is_role {
        return Err(BadRole::Arn {
            account: account.to_owned(),
            arn: arn.to_owned(),
        });
    }
    Ok(Role {
        arn: arn.to_owned(),
        external_id: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_of_its_account() {
        let check = |account: &str, arn: &str, expected: Option<&str>| {
            let told = role(account, arn).err().map(|error| error.to_string());
            match (&told, expected) {
                (None, None) => {}
                (Some(told), Some(part)) if told.contains(part) => {}
                _ => panic!("{account} {arn}: {told:?}, not {expected:?}"),
            }
        };
        let ours = "210987654321";
        check(ours, "arn:aws:iam::210987654321:role/swap", None);
        check(ours, "arn:aws-cn:iam::210987654321:role/path/swap", None);
        for bad in [
            "",
            "swap",
            "arn:aws:iam::123456789012:role/swap",
            "arn:aws:iam::210987654321:user/swap",
            "arn:aws:iam::210987654321:role/",
            "arn:aws:sts::210987654321:assumed-role/swap/x",
        ] {
            check(ours, bad, Some("is no role of 210987654321"));
        }
        for account in ["", "21098765432", "21098765432x", "2109876543210"] {
            check(account, "arn:aws:iam::210987654321:role/swap", Some("12 digits"));
        }
    }

    #[test]
    fn all_that_is_wrong_is_told() {
        let configured = [("1", "x"), ("210987654321", "y")].map(|(of, arn)| (of.to_owned(), arn.to_owned()));
        assert_eq!(roles(&configured.into()).unwrap_err().len(), 2);
        assert_eq!(roles(&BTreeMap::new()), Ok(BTreeMap::new()));
    }
}
