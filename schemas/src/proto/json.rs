//! Canonical proto3 JSON for the well-known types, where `pbjson_types` is not.
//!
//! The generated serde code reads and writes fields of these types through this module (the rewriting is in
//! `tests/generated/canonical.rs`). Left to itself it writes times with `+00:00` where canonical is `Z`, and the
//! keys of a `Struct` in a random order; refuses a whole message for one integer beyond 53 bits in a `Struct`; and
//! overflows on a hostile duration.

use std::collections::HashMap;
use std::fmt;

use pbjson_types::value::Kind;
use pbjson_types::{Duration, ListValue, Struct, Timestamp, Value};
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::ser::{self, SerializeMap as _, SerializeSeq as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::time;

/// A `google.protobuf.Timestamp` as RFC 3339 in UTC.
pub(crate) struct Time<T>(pub(crate) T);

/// A `google.protobuf.Duration` as seconds and `s`.
pub(crate) struct Span<T>(pub(crate) T);

/// A `google.protobuf.Struct` as an object, its keys in order.
pub(crate) struct Fields<T>(pub(crate) T);

/// A `google.protobuf.Value`.
struct AnyValue<T>(T);

impl Serialize for Time<&Timestamp> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let at = time::from_proto(self.0).map_err(ser::Error::custom)?;
        serializer.serialize_str(&time::text(at))
    }
}

impl<'de> Deserialize<'de> for Time<Timestamp> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_str(Text("an RFC 3339 time"))
            .and_then(|text: String| {
                let at = time::parse(&text).map_err(de::Error::custom)?;
                Ok(Self(time::to_proto(at)))
            })
    }
}

impl Serialize for Span<&Duration> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        time::duration_from_proto(self.0).map_err(ser::Error::custom)?;
        // Within range pbjson's form is the canonical one.
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Span<Duration> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_str(Text("a duration such as 1.5s"))
            .and_then(|text: String| time::parse_duration(&text).map(Self).map_err(de::Error::custom))
    }
}

/// Reads text, whether borrowed or not.
struct Text(&'static str);

impl Visitor<'_> for Text {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
}

impl Serialize for Fields<&Struct> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields: Vec<_> = self.0.fields.iter().collect();
        fields.sort_unstable_by_key(|&(name, _)| name);
        let mut object = serializer.serialize_map(Some(fields.len()))?;
        for (name, value) in fields {
            object.serialize_entry(name, &AnyValue(value))?;
        }
        object.end()
    }
}

impl Serialize for AnyValue<&Value> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0.kind {
            None | Some(Kind::NullValue(_)) => serializer.serialize_unit(),
            Some(Kind::BoolValue(value)) => serializer.serialize_bool(*value),
            Some(Kind::NumberValue(number)) => serialize_number(*number, serializer),
            Some(Kind::StringValue(text)) => serializer.serialize_str(text),
            Some(Kind::StructValue(fields)) => Fields(fields).serialize(serializer),
            Some(Kind::ListValue(list)) => {
                let mut array = serializer.serialize_seq(Some(list.values.len()))?;
                for value in &list.values {
                    array.serialize_element(&AnyValue(value))?;
                }
                array.end()
            }
        }
    }
}

/// Whole numbers without a fraction (`5`, not `5.0`), as every other implementation writes them.
fn serialize_number<S: Serializer>(number: f64, serializer: S) -> Result<S::Ok, S::Error> {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
    if !number.is_finite() {
        return Err(ser::Error::custom(
            "a number that is not finite has no JSON form; leave the field out",
        ));
    }
    if number.fract() == 0.0 && number.abs() < EXACT && !(number == 0.0 && number.is_sign_negative()) {
        // Exact: whole, and within 53 bits.
        return serializer.serialize_i64(number as i64);
    }
    serializer.serialize_f64(number)
}

impl<'de> Deserialize<'de> for Fields<Struct> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_map(ValueVisitor)?.kind {
            Some(Kind::StructValue(fields)) => Ok(Self(fields)),
            _ => Err(de::Error::custom("expected an object")),
        }
    }
}

impl<'de> Deserialize<'de> for AnyValue<Value> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor).map(Self)
    }
}

struct ValueVisitor;

fn value(kind: Kind) -> Value {
    Value { kind: Some(kind) }
}

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(value(Kind::NullValue(0)))
    }

    fn visit_bool<E: de::Error>(self, found: bool) -> Result<Value, E> {
        Ok(value(Kind::BoolValue(found)))
    }

    // JSON numbers are doubles here: beyond 53 bits the nearest one.
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Value, E> {
        Ok(value(Kind::NumberValue(number as f64)))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        Ok(value(Kind::NumberValue(number as f64)))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        Ok(value(Kind::NumberValue(number)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Value, E> {
        Ok(value(Kind::StringValue(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(AnyValue(found)) = array.next_element()? {
            values.push(found);
        }
        Ok(value(Kind::ListValue(ListValue { values })))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut fields = HashMap::new();
        while let Some((name, AnyValue(found))) = object.next_entry()? {
            fields.insert(name, found);
        }
        Ok(value(Kind::StructValue(Struct { fields })))
    }
}
