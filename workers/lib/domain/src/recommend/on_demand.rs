//! Prices on demand, as an operator gives them: EC2 does not tell them.

use std::collections::BTreeMap;

use super::Price;

/// By region and type, US dollars an hour.
pub type OnDemand = BTreeMap<String, BTreeMap<String, Price>>;

/// Reads `{"eu-west-1": {"m5.large": 0.107}}`.
///
/// # Errors
/// Where the text is not as it should be.
pub fn read(text: &str) -> Result<OnDemand, String> {
    let read: BTreeMap<String, BTreeMap<String, f64>> = serde_json::from_str(text).map_err(|error| {
        format!("{error}; expected prices in dollars an hour, as {{\"eu-west-1\": {{\"m5.large\": 0.107}}}}")
    })?;
    read.into_iter()
        .map(|(region, types)| {
            let types = types
                .into_iter()
                .map(|(name, dollars)| match Price::new(dollars) {
                    Ok(price) => Ok((name, price)),
                    Err(error) => Err(format!("{region}, {name}: {error}")),
                });
            Ok((region.clone(), types.collect::<Result<_, String>>()?))
        })
        .collect()
}
