//! From the merged layers to a typed value, with errors that name the key, its source and the remedy.
//!
//! The `config` crate's own deserializer names neither the nearest known key nor where an unknown one came from, and
//! its environment source either leaves lists and numbers as text or guesses types and so strips the zeros of an AWS
//! account id. Here text becomes a number, a truth value or a list only where the field asks for one.

use std::{cell::RefCell, fmt};

use config::{Map, Value, ValueKind};
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor, value::StrDeserializer,
};

use super::{
    origin::Origin,
    problem::{Problem, nearest},
};

/// Reads `table` as a `T`; unknown keys are put into `unknown` and left out, anything else ends the reading.
/// `siblings` are top-level keys that others read, so that a misspelt one is recognised.
pub(crate) fn read<T: de::DeserializeOwned>(
    table: Map<String, Value>,
    siblings: &[&str],
    unknown: &RefCell<Vec<Problem>>,
) -> Result<T, Problem> {
    let value = Value::new(None, ValueKind::Table(table));
    T::deserialize(Reader {
        value,
        key: String::new(),
        siblings,
        unknown,
    })
    .map_err(|error| error.0)
}

/// A [`Problem`] on its way up: each level it passes adds its key.
#[derive(Debug)]
pub(crate) struct ReadError(Problem);

impl ReadError {
    /// The error belongs to the value at `key`, unless a deeper level has already said where it belongs.
    fn at(mut self, key: &str, origin: Option<&Origin>) -> Self {
        if self.0.key.is_empty() {
            key.clone_into(&mut self.0.key);
            self.0.origin = origin.cloned();
        }
        self
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for ReadError {}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(Problem::new("", message.to_string()))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format_args!("`{variant}` is not one of {}", expected.join(", ")))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format_args!("`{field}` is missing and has no default"))
    }
}

struct Reader<'a> {
    value: Value,
    key: String,
    siblings: &'a [&'a str],
    unknown: &'a RefCell<Vec<Problem>>,
}

impl<'a> Reader<'a> {
    fn child(&self, name: &str, value: Value) -> Self {
        let key = if self.key.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.key)
        };
        Self {
            value,
            key,
            siblings: &[],
            unknown: self.unknown,
        }
    }

    fn text(&self) -> Option<&str> {
        match &self.value.kind {
            ValueKind::String(text) => Some(text.trim()),
            _ => None,
        }
    }

    fn run<T>(self, read: impl FnOnce(Self) -> Result<T, ReadError>) -> Result<T, ReadError> {
        let (key, origin) = (self.key.clone(), Origin::of(&self.value));
        read(self).map_err(|error| error.at(&key, origin.as_ref()))
    }

    /// Takes the keys out of `table` that `fields` does not name, and notes each as a problem.
    fn refuse_unknown(&self, table: &mut Map<String, Value>, fields: &'static [&'static str]) {
        let mut found: Vec<_> = table
            .keys()
            .filter(|key| !fields.contains(&key.as_str()))
            .cloned()
            .collect();
        found.sort();
        for name in found {
            let Some(value) = table.remove(&name) else {
                continue;
            };
            let known = || fields.iter().chain(self.siblings).copied();
            let origin = Origin::of(&value).or_else(|| leaf_origin(&value));
            let mut what = match nearest(&name, known()) {
                Some(nearest) => format!(
                    "unknown key; did you mean `{}`?",
                    self.child(nearest, Value::default()).key
                ),
                None => format!(
                    "unknown key; known here: {}",
                    known().collect::<Vec<_>>().join(", ")
                ),
            };
            let key = self.child(&name, Value::default()).key;
            if origin == Some(Origin::Environment) && service_link(&name) {
                what.push_str(
                    "; Kubernetes sets this for a Service: set `enableServiceLinks: false` on the pod",
                );
            }
            self.unknown.borrow_mut().push(Problem { key, origin, what });
        }
    }
}

/// Tables made by the environment layer have no origin of their own; their values have.
fn leaf_origin(value: &Value) -> Option<Origin> {
    match &value.kind {
        ValueKind::Table(table) => table
            .values()
            .find_map(|v| Origin::of(v).or_else(|| leaf_origin(v))),
        _ => None,
    }
}

/// Kubernetes gives every pod variables about the Services of its namespace; those of a Service named `ht` or `ht-*`
/// look like ours.
fn service_link(name: &str) -> bool {
    name == "port"
        || ["_port", "service_host", "service_port"]
            .iter()
            .any(|end| name.ends_with(end))
        || name.contains("port_") && (name.contains("_tcp") || name.contains("_udp"))
}

macro_rules! number {
    ($($method:ident $visit:ident $type:ty,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
            self.run(|reader| match reader.text() {
                Some(text) => match text.parse::<$type>() {
                    Ok(number) => visitor.$visit(number),
                    Err(_) => Err(ReadError::custom(
                        format_args!("`{text}` is not a number of type {}", stringify!($type)),
                    )),
                },
                None => reader.any(visitor),
            })
        }
    )*};
}

impl<'a> Reader<'a> {
    fn any<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.value.kind.clone() {
            ValueKind::Nil => visitor.visit_unit(),
            ValueKind::Boolean(value) => visitor.visit_bool(value),
            ValueKind::I64(value) => visitor.visit_i64(value),
            ValueKind::I128(value) => visitor.visit_i128(value),
            ValueKind::U64(value) => visitor.visit_u64(value),
            ValueKind::U128(value) => visitor.visit_u128(value),
            ValueKind::Float(value) => visitor.visit_f64(value),
            ValueKind::String(value) => visitor.visit_string(value),
            ValueKind::Table(table) => self.table(table, visitor),
            ValueKind::Array(array) => self.list(array, visitor),
        }
    }

    fn table<'de, V: Visitor<'de>>(
        &self,
        table: Map<String, Value>,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let mut entries: Vec<_> = table.into_iter().collect();
        entries.sort_by(|(a, _), (b, _)| b.cmp(a));
        visitor.visit_map(Table {
            reader: self,
            entries,
            value: None,
        })
    }

    fn list<'de, V: Visitor<'de>>(&self, array: Vec<Value>, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_seq(List {
            reader: self,
            items: array.into_iter(),
            index: 0,
        })
    }
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.run(|reader| reader.any(visitor))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.run(
            |reader| match reader.text().map(str::to_ascii_lowercase).as_deref() {
                Some("true") => visitor.visit_bool(true),
                Some("false") => visitor.visit_bool(false),
                Some(text) => Err(ReadError::custom(format_args!(
                    "`{text}` is neither true nor false"
                ))),
                None => reader.any(visitor),
            },
        )
    }

    number! {
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16, deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64, deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64, deserialize_f32 visit_f32 f32,
        deserialize_f64 visit_f64 f64,
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.run(|reader| match &reader.value.kind {
            // An account id without quotes.
            ValueKind::I64(number) => visitor.visit_string(number.to_string()),
            _ => reader.any(visitor),
        })
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.value.kind {
            ValueKind::Nil => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.run(|reader| match reader.text() {
            Some(text) => {
                let origin = reader.value.origin().map(str::to_owned);
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                let items = items.map(|item| Value::new(origin.as_ref(), item)).collect();
                reader.list(items, visitor)
            }
            None => reader.any(visitor),
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.run(|reader| match reader.value.kind.clone() {
            ValueKind::Table(mut table) => {
                reader.refuse_unknown(&mut table, fields);
                reader.table(table, visitor)
            }
            _ => Err(ReadError::custom(format_args!(
                "is a section with the keys {}",
                fields.join(", ")
            ))),
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.run(|reader| match reader.value.kind.clone() {
            ValueKind::String(variant) => {
                let access: StrDeserializer<'_, ReadError> = variant.as_str().into_deserializer();
                visitor.visit_enum(access)
            }
            ValueKind::Table(table) if table.len() == 1 => match table.into_iter().next() {
                Some((variant, value)) => visitor.visit_enum(Variant {
                    inner: reader.child(&variant, value),
                    variant,
                }),
                None => Err(ReadError::custom("is empty")),
            },
            _ => Err(ReadError::custom("is a word, or a table with one key")),
        })
    }

    /// Reached for a field that its struct does not know: only where the struct reads a free map around it.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct map identifier
    }
}

struct Table<'r, 'a> {
    reader: &'r Reader<'a>,
    /// In falling order: taken from the end.
    entries: Vec<(String, Value)>,
    value: Option<(String, Value)>,
}

impl<'de> MapAccess<'de> for Table<'_, '_> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        self.value = self.entries.pop();
        match &self.value {
            Some((name, _)) => {
                let name: StrDeserializer<'_, ReadError> = name.as_str().into_deserializer();
                seed.deserialize(name).map(Some)
            }
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        match self.value.take() {
            Some((name, value)) => seed_at(seed, self.reader.child(&name, value)),
            None => Err(ReadError::custom("a value was asked for before its key")),
        }
    }
}

struct List<'r, 'a> {
    reader: &'r Reader<'a>,
    items: std::vec::IntoIter<Value>,
    index: usize,
}

impl<'de> SeqAccess<'de> for List<'_, '_> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        let Some(value) = self.items.next() else {
            return Ok(None);
        };
        let key = format!("{}[{}]", self.reader.key, self.index);
        self.index += 1;
        let item = Reader {
            value,
            key,
            siblings: &[],
            unknown: self.reader.unknown,
        };
        seed_at(seed, item).map(Some)
    }
}

/// Reads one value; whatever its type says about it (a `try_from`, a `with`) is said at its key.
fn seed_at<'de, S: DeserializeSeed<'de>>(seed: S, reader: Reader<'_>) -> Result<S::Value, ReadError> {
    let (key, origin) = (reader.key.clone(), Origin::of(&reader.value));
    seed.deserialize(reader)
        .map_err(|error| error.at(&key, origin.as_ref()))
}

struct Variant<'a> {
    variant: String,
    inner: Reader<'a>,
}

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = ReadError;
    type Variant = Reader<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Reader<'a>), ReadError> {
        let name: StrDeserializer<'_, ReadError> = self.variant.as_str().into_deserializer();
        Ok((seed.deserialize(name)?, self.inner))
    }
}

impl<'de> VariantAccess<'de> for Reader<'_> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        Err(ReadError::custom("takes no keys").at(&self.key, Origin::of(&self.value).as_ref()))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ReadError> {
        seed_at(seed, self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.deserialize_struct("", fields, visitor)
    }
}
