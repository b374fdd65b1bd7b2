// Generated from schemas/proto; do not edit. To write it anew:
// UPDATE_GENERATED=1 cargo test -p hollowtrees-schemas --test generated
impl serde::Serialize for Action {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if !self.id.is_empty() {
            len += 1;
        }
        if !self.cluster.is_empty() {
            len += 1;
        }
        if !self.kind.is_empty() {
            len += 1;
        }
        if !self.instance.is_empty() {
            len += 1;
        }
        if self.generation != 0 {
            len += 1;
        }
        if !self.certainty.is_empty() {
            len += 1;
        }
        if !self.mode.is_empty() {
            len += 1;
        }
        if !self.effect.is_empty() {
            len += 1;
        }
        if !self.rule.is_empty() {
            len += 1;
        }
        if self.step != 0 {
            len += 1;
        }
        if self.place != 0 {
            len += 1;
        }
        if self.noticed_at.is_some() {
            len += 1;
        }
        if self.created_at.is_some() {
            len += 1;
        }
        if self.start_at.is_some() {
            len += 1;
        }
        if self.deadline.is_some() {
            len += 1;
        }
        if self.close_at.is_some() {
            len += 1;
        }
        if self.deadline_reserve.is_some() {
            len += 1;
        }
        if !self.when_expired.is_empty() {
            len += 1;
        }
        if self.params.is_some() {
            len += 1;
        }
        if self.target.is_some() {
            len += 1;
        }
        if self.redrive != 0 {
            len += 1;
        }
        if self.on_cancel {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("hollowtrees.v1.Action", len)?;
        if !self.id.is_empty() {
            struct_ser.serialize_field("id", &self.id)?;
        }
        if !self.cluster.is_empty() {
            struct_ser.serialize_field("cluster", &self.cluster)?;
        }
        if !self.kind.is_empty() {
            struct_ser.serialize_field("kind", &self.kind)?;
        }
        if !self.instance.is_empty() {
            struct_ser.serialize_field("instance", &self.instance)?;
        }
        if self.generation != 0 {
            #[allow(clippy::needless_borrow)]
            #[allow(clippy::needless_borrows_for_generic_args)]
            struct_ser.serialize_field("generation", ToString::to_string(&self.generation).as_str())?;
        }
        if !self.certainty.is_empty() {
            struct_ser.serialize_field("certainty", &self.certainty)?;
        }
        if !self.mode.is_empty() {
            struct_ser.serialize_field("mode", &self.mode)?;
        }
        if !self.effect.is_empty() {
            struct_ser.serialize_field("effect", &self.effect)?;
        }
        if !self.rule.is_empty() {
            struct_ser.serialize_field("rule", &self.rule)?;
        }
        if self.step != 0 {
            struct_ser.serialize_field("step", &self.step)?;
        }
        if self.place != 0 {
            struct_ser.serialize_field("place", &self.place)?;
        }
        if let Some(v) = self.noticed_at.as_ref() {
            struct_ser.serialize_field("noticedAt", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.created_at.as_ref() {
            struct_ser.serialize_field("createdAt", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.start_at.as_ref() {
            struct_ser.serialize_field("startAt", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.deadline.as_ref() {
            struct_ser.serialize_field("deadline", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.close_at.as_ref() {
            struct_ser.serialize_field("closeAt", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.deadline_reserve.as_ref() {
            struct_ser.serialize_field("deadlineReserve", &crate::proto::json::Span(v))?;
        }
        if !self.when_expired.is_empty() {
            struct_ser.serialize_field("whenExpired", &self.when_expired)?;
        }
        if let Some(v) = self.params.as_ref() {
            struct_ser.serialize_field("params", &crate::proto::json::Fields(v))?;
        }
        if let Some(v) = self.target.as_ref() {
            struct_ser.serialize_field("target", v)?;
        }
        if self.redrive != 0 {
            struct_ser.serialize_field("redrive", &self.redrive)?;
        }
        if self.on_cancel {
            struct_ser.serialize_field("onCancel", &self.on_cancel)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for Action {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "id",
            "cluster",
            "kind",
            "instance",
            "generation",
            "certainty",
            "mode",
            "effect",
            "rule",
            "step",
            "place",
            "noticed_at",
            "noticedAt",
            "created_at",
            "createdAt",
            "start_at",
            "startAt",
            "deadline",
            "close_at",
            "closeAt",
            "deadline_reserve",
            "deadlineReserve",
            "when_expired",
            "whenExpired",
            "params",
            "target",
            "redrive",
            "on_cancel",
            "onCancel",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Id,
            Cluster,
            Kind,
            Instance,
            Generation,
            Certainty,
            Mode,
            Effect,
            Rule,
            Step,
            Place,
            NoticedAt,
            CreatedAt,
            StartAt,
            Deadline,
            CloseAt,
            DeadlineReserve,
            WhenExpired,
            Params,
            Target,
            Redrive,
            OnCancel,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "id" => Ok(GeneratedField::Id),
                            "cluster" => Ok(GeneratedField::Cluster),
                            "kind" => Ok(GeneratedField::Kind),
                            "instance" => Ok(GeneratedField::Instance),
                            "generation" => Ok(GeneratedField::Generation),
                            "certainty" => Ok(GeneratedField::Certainty),
                            "mode" => Ok(GeneratedField::Mode),
                            "effect" => Ok(GeneratedField::Effect),
                            "rule" => Ok(GeneratedField::Rule),
                            "step" => Ok(GeneratedField::Step),
                            "place" => Ok(GeneratedField::Place),
                            "noticedAt" | "noticed_at" => Ok(GeneratedField::NoticedAt),
                            "createdAt" | "created_at" => Ok(GeneratedField::CreatedAt),
                            "startAt" | "start_at" => Ok(GeneratedField::StartAt),
                            "deadline" => Ok(GeneratedField::Deadline),
                            "closeAt" | "close_at" => Ok(GeneratedField::CloseAt),
                            "deadlineReserve" | "deadline_reserve" => Ok(GeneratedField::DeadlineReserve),
                            "whenExpired" | "when_expired" => Ok(GeneratedField::WhenExpired),
                            "params" => Ok(GeneratedField::Params),
                            "target" => Ok(GeneratedField::Target),
                            "redrive" => Ok(GeneratedField::Redrive),
                            "onCancel" | "on_cancel" => Ok(GeneratedField::OnCancel),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = Action;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct hollowtrees.v1.Action")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<Action, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut id__ = None;
                let mut cluster__ = None;
                let mut kind__ = None;
                let mut instance__ = None;
                let mut generation__ = None;
                let mut certainty__ = None;
                let mut mode__ = None;
                let mut effect__ = None;
                let mut rule__ = None;
                let mut step__ = None;
                let mut place__ = None;
                let mut noticed_at__ = None;
                let mut created_at__ = None;
                let mut start_at__ = None;
                let mut deadline__ = None;
                let mut close_at__ = None;
                let mut deadline_reserve__ = None;
                let mut when_expired__ = None;
                let mut params__ = None;
                let mut target__ = None;
                let mut redrive__ = None;
                let mut on_cancel__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Id => {
                            if id__.is_some() {
                                return Err(serde::de::Error::duplicate_field("id"));
                            }
                            id__ = map_.next_value()?;
                        }
                        GeneratedField::Cluster => {
                            if cluster__.is_some() {
                                return Err(serde::de::Error::duplicate_field("cluster"));
                            }
                            cluster__ = map_.next_value()?;
                        }
                        GeneratedField::Kind => {
                            if kind__.is_some() {
                                return Err(serde::de::Error::duplicate_field("kind"));
                            }
                            kind__ = map_.next_value()?;
                        }
                        GeneratedField::Instance => {
                            if instance__.is_some() {
                                return Err(serde::de::Error::duplicate_field("instance"));
                            }
                            instance__ = map_.next_value()?;
                        }
                        GeneratedField::Generation => {
                            if generation__.is_some() {
                                return Err(serde::de::Error::duplicate_field("generation"));
                            }
                            generation__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::Certainty => {
                            if certainty__.is_some() {
                                return Err(serde::de::Error::duplicate_field("certainty"));
                            }
                            certainty__ = map_.next_value()?;
                        }
                        GeneratedField::Mode => {
                            if mode__.is_some() {
                                return Err(serde::de::Error::duplicate_field("mode"));
                            }
                            mode__ = map_.next_value()?;
                        }
                        GeneratedField::Effect => {
                            if effect__.is_some() {
                                return Err(serde::de::Error::duplicate_field("effect"));
                            }
                            effect__ = map_.next_value()?;
                        }
                        GeneratedField::Rule => {
                            if rule__.is_some() {
                                return Err(serde::de::Error::duplicate_field("rule"));
                            }
                            rule__ = map_.next_value()?;
                        }
                        GeneratedField::Step => {
                            if step__.is_some() {
                                return Err(serde::de::Error::duplicate_field("step"));
                            }
                            step__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::Place => {
                            if place__.is_some() {
                                return Err(serde::de::Error::duplicate_field("place"));
                            }
                            place__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::NoticedAt => {
                            if noticed_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("noticedAt"));
                            }
                            noticed_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::CreatedAt => {
                            if created_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("createdAt"));
                            }
                            created_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::StartAt => {
                            if start_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("startAt"));
                            }
                            start_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::Deadline => {
                            if deadline__.is_some() {
                                return Err(serde::de::Error::duplicate_field("deadline"));
                            }
                            deadline__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::CloseAt => {
                            if close_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("closeAt"));
                            }
                            close_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::DeadlineReserve => {
                            if deadline_reserve__.is_some() {
                                return Err(serde::de::Error::duplicate_field("deadlineReserve"));
                            }
                            deadline_reserve__ = map_.next_value::<Option<crate::proto::json::Span<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::WhenExpired => {
                            if when_expired__.is_some() {
                                return Err(serde::de::Error::duplicate_field("whenExpired"));
                            }
                            when_expired__ = map_.next_value()?;
                        }
                        GeneratedField::Params => {
                            if params__.is_some() {
                                return Err(serde::de::Error::duplicate_field("params"));
                            }
                            params__ = map_.next_value::<Option<crate::proto::json::Fields<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::Target => {
                            if target__.is_some() {
                                return Err(serde::de::Error::duplicate_field("target"));
                            }
                            target__ = map_.next_value()?;
                        }
                        GeneratedField::Redrive => {
                            if redrive__.is_some() {
                                return Err(serde::de::Error::duplicate_field("redrive"));
                            }
                            redrive__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::OnCancel => {
                            if on_cancel__.is_some() {
                                return Err(serde::de::Error::duplicate_field("onCancel"));
                            }
                            on_cancel__ = map_.next_value()?;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(Action {
                    id: id__.unwrap_or_default(),
                    cluster: cluster__.unwrap_or_default(),
                    kind: kind__.unwrap_or_default(),
                    instance: instance__.unwrap_or_default(),
                    generation: generation__.unwrap_or_default(),
                    certainty: certainty__.unwrap_or_default(),
                    mode: mode__.unwrap_or_default(),
                    effect: effect__.unwrap_or_default(),
                    rule: rule__.unwrap_or_default(),
                    step: step__.unwrap_or_default(),
                    place: place__.unwrap_or_default(),
                    noticed_at: noticed_at__,
                    created_at: created_at__,
                    start_at: start_at__,
                    deadline: deadline__,
                    close_at: close_at__,
                    deadline_reserve: deadline_reserve__,
                    when_expired: when_expired__.unwrap_or_default(),
                    params: params__,
                    target: target__,
                    redrive: redrive__.unwrap_or_default(),
                    on_cancel: on_cancel__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("hollowtrees.v1.Action", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for ActionState {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if !self.id.is_empty() {
            len += 1;
        }
        if self.step != 0 {
            len += 1;
        }
        if self.place != 0 {
            len += 1;
        }
        if !self.kind.is_empty() {
            len += 1;
        }
        if !self.state.is_empty() {
            len += 1;
        }
        if !self.result.is_empty() {
            len += 1;
        }
        if !self.reason.is_empty() {
            len += 1;
        }
        if !self.message.is_empty() {
            len += 1;
        }
        if self.start_at.is_some() {
            len += 1;
        }
        if self.deadline.is_some() {
            len += 1;
        }
        if self.close_at.is_some() {
            len += 1;
        }
        if self.published_at.is_some() {
            len += 1;
        }
        if self.ended_at.is_some() {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("hollowtrees.v1.ActionState", len)?;
        if !self.id.is_empty() {
            struct_ser.serialize_field("id", &self.id)?;
        }
        if self.step != 0 {
            struct_ser.serialize_field("step", &self.step)?;
        }
        if self.place != 0 {
            struct_ser.serialize_field("place", &self.place)?;
        }
        if !self.kind.is_empty() {
            struct_ser.serialize_field("kind", &self.kind)?;
        }
        if !self.state.is_empty() {
            struct_ser.serialize_field("state", &self.state)?;
        }
        if !self.result.is_empty() {
            struct_ser.serialize_field("result", &self.result)?;
        }
        if !self.reason.is_empty() {
            struct_ser.serialize_field("reason", &self.reason)?;
        }
        if !self.message.is_empty() {
            struct_ser.serialize_field("message", &self.message)?;
        }
        if let Some(v) = self.start_at.as_ref() {
            struct_ser.serialize_field("startAt", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.deadline.as_ref() {
            struct_ser.serialize_field("deadline", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.close_at.as_ref() {
            struct_ser.serialize_field("closeAt", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.published_at.as_ref() {
            struct_ser.serialize_field("publishedAt", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.ended_at.as_ref() {
            struct_ser.serialize_field("endedAt", &crate::proto::json::Time(v))?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for ActionState {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "id",
            "step",
            "place",
            "kind",
            "state",
            "result",
            "reason",
            "message",
            "start_at",
            "startAt",
            "deadline",
            "close_at",
            "closeAt",
            "published_at",
            "publishedAt",
            "ended_at",
            "endedAt",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Id,
            Step,
            Place,
            Kind,
            State,
            Result,
            Reason,
            Message,
            StartAt,
            Deadline,
            CloseAt,
            PublishedAt,
            EndedAt,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "id" => Ok(GeneratedField::Id),
                            "step" => Ok(GeneratedField::Step),
                            "place" => Ok(GeneratedField::Place),
                            "kind" => Ok(GeneratedField::Kind),
                            "state" => Ok(GeneratedField::State),
                            "result" => Ok(GeneratedField::Result),
                            "reason" => Ok(GeneratedField::Reason),
                            "message" => Ok(GeneratedField::Message),
                            "startAt" | "start_at" => Ok(GeneratedField::StartAt),
                            "deadline" => Ok(GeneratedField::Deadline),
                            "closeAt" | "close_at" => Ok(GeneratedField::CloseAt),
                            "publishedAt" | "published_at" => Ok(GeneratedField::PublishedAt),
                            "endedAt" | "ended_at" => Ok(GeneratedField::EndedAt),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = ActionState;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct hollowtrees.v1.ActionState")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<ActionState, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut id__ = None;
                let mut step__ = None;
                let mut place__ = None;
                let mut kind__ = None;
                let mut state__ = None;
                let mut result__ = None;
                let mut reason__ = None;
                let mut message__ = None;
                let mut start_at__ = None;
                let mut deadline__ = None;
                let mut close_at__ = None;
                let mut published_at__ = None;
                let mut ended_at__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Id => {
                            if id__.is_some() {
                                return Err(serde::de::Error::duplicate_field("id"));
                            }
                            id__ = map_.next_value()?;
                        }
                        GeneratedField::Step => {
                            if step__.is_some() {
                                return Err(serde::de::Error::duplicate_field("step"));
                            }
                            step__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::Place => {
                            if place__.is_some() {
                                return Err(serde::de::Error::duplicate_field("place"));
                            }
                            place__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::Kind => {
                            if kind__.is_some() {
                                return Err(serde::de::Error::duplicate_field("kind"));
                            }
                            kind__ = map_.next_value()?;
                        }
                        GeneratedField::State => {
                            if state__.is_some() {
                                return Err(serde::de::Error::duplicate_field("state"));
                            }
                            state__ = map_.next_value()?;
                        }
                        GeneratedField::Result => {
                            if result__.is_some() {
                                return Err(serde::de::Error::duplicate_field("result"));
                            }
                            result__ = map_.next_value()?;
                        }
                        GeneratedField::Reason => {
                            if reason__.is_some() {
                                return Err(serde::de::Error::duplicate_field("reason"));
                            }
                            reason__ = map_.next_value()?;
                        }
                        GeneratedField::Message => {
                            if message__.is_some() {
                                return Err(serde::de::Error::duplicate_field("message"));
                            }
                            message__ = map_.next_value()?;
                        }
                        GeneratedField::StartAt => {
                            if start_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("startAt"));
                            }
                            start_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::Deadline => {
                            if deadline__.is_some() {
                                return Err(serde::de::Error::duplicate_field("deadline"));
                            }
                            deadline__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::CloseAt => {
                            if close_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("closeAt"));
                            }
                            close_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::PublishedAt => {
                            if published_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("publishedAt"));
                            }
                            published_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::EndedAt => {
                            if ended_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("endedAt"));
                            }
                            ended_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(ActionState {
                    id: id__.unwrap_or_default(),
                    step: step__.unwrap_or_default(),
                    place: place__.unwrap_or_default(),
                    kind: kind__.unwrap_or_default(),
                    state: state__.unwrap_or_default(),
                    result: result__.unwrap_or_default(),
                    reason: reason__.unwrap_or_default(),
                    message: message__.unwrap_or_default(),
                    start_at: start_at__,
                    deadline: deadline__,
                    close_at: close_at__,
                    published_at: published_at__,
                    ended_at: ended_at__,
                })
            }
        }
        deserializer.deserialize_struct("hollowtrees.v1.ActionState", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for DeadLetter {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if self.sequence != 0 {
            len += 1;
        }
        if !self.cluster.is_empty() {
            len += 1;
        }
        if !self.stream.is_empty() {
            len += 1;
        }
        if !self.consumer.is_empty() {
            len += 1;
        }
        if !self.subject.is_empty() {
            len += 1;
        }
        if self.original_sequence != 0 {
            len += 1;
        }
        if !self.error_class.is_empty() {
            len += 1;
        }
        if !self.reason.is_empty() {
            len += 1;
        }
        if self.attempts != 0 {
            len += 1;
        }
        if !self.worker.is_empty() {
            len += 1;
        }
        if !self.worker_version.is_empty() {
            len += 1;
        }
        if self.first_at.is_some() {
            len += 1;
        }
        if self.dead_at.is_some() {
            len += 1;
        }
        if !self.headers.is_empty() {
            len += 1;
        }
        if !self.body.is_empty() {
            len += 1;
        }
        if !self.action_id.is_empty() {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("hollowtrees.v1.DeadLetter", len)?;
        if self.sequence != 0 {
            #[allow(clippy::needless_borrow)]
            #[allow(clippy::needless_borrows_for_generic_args)]
            struct_ser.serialize_field("sequence", ToString::to_string(&self.sequence).as_str())?;
        }
        if !self.cluster.is_empty() {
            struct_ser.serialize_field("cluster", &self.cluster)?;
        }
        if !self.stream.is_empty() {
            struct_ser.serialize_field("stream", &self.stream)?;
        }
        if !self.consumer.is_empty() {
            struct_ser.serialize_field("consumer", &self.consumer)?;
        }
        if !self.subject.is_empty() {
            struct_ser.serialize_field("subject", &self.subject)?;
        }
        if self.original_sequence != 0 {
            #[allow(clippy::needless_borrow)]
            #[allow(clippy::needless_borrows_for_generic_args)]
            struct_ser.serialize_field("originalSequence", ToString::to_string(&self.original_sequence).as_str())?;
        }
        if !self.error_class.is_empty() {
            struct_ser.serialize_field("errorClass", &self.error_class)?;
        }
        if !self.reason.is_empty() {
            struct_ser.serialize_field("reason", &self.reason)?;
        }
        if self.attempts != 0 {
            struct_ser.serialize_field("attempts", &self.attempts)?;
        }
        if !self.worker.is_empty() {
            struct_ser.serialize_field("worker", &self.worker)?;
        }
        if !self.worker_version.is_empty() {
            struct_ser.serialize_field("workerVersion", &self.worker_version)?;
        }
        if let Some(v) = self.first_at.as_ref() {
            struct_ser.serialize_field("firstAt", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.dead_at.as_ref() {
            struct_ser.serialize_field("deadAt", &crate::proto::json::Time(v))?;
        }
        if !self.headers.is_empty() {
            struct_ser.serialize_field("headers", &self.headers)?;
        }
        if !self.body.is_empty() {
            #[allow(clippy::needless_borrow)]
            #[allow(clippy::needless_borrows_for_generic_args)]
            struct_ser.serialize_field("body", pbjson::private::base64::encode(&self.body).as_str())?;
        }
        if !self.action_id.is_empty() {
            struct_ser.serialize_field("actionId", &self.action_id)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for DeadLetter {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "sequence",
            "cluster",
            "stream",
            "consumer",
            "subject",
            "original_sequence",
            "originalSequence",
            "error_class",
            "errorClass",
            "reason",
            "attempts",
            "worker",
            "worker_version",
            "workerVersion",
            "first_at",
            "firstAt",
            "dead_at",
            "deadAt",
            "headers",
            "body",
            "action_id",
            "actionId",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Sequence,
            Cluster,
            Stream,
            Consumer,
            Subject,
            OriginalSequence,
            ErrorClass,
            Reason,
            Attempts,
            Worker,
            WorkerVersion,
            FirstAt,
            DeadAt,
            Headers,
            Body,
            ActionId,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "sequence" => Ok(GeneratedField::Sequence),
                            "cluster" => Ok(GeneratedField::Cluster),
                            "stream" => Ok(GeneratedField::Stream),
                            "consumer" => Ok(GeneratedField::Consumer),
                            "subject" => Ok(GeneratedField::Subject),
                            "originalSequence" | "original_sequence" => Ok(GeneratedField::OriginalSequence),
                            "errorClass" | "error_class" => Ok(GeneratedField::ErrorClass),
                            "reason" => Ok(GeneratedField::Reason),
                            "attempts" => Ok(GeneratedField::Attempts),
                            "worker" => Ok(GeneratedField::Worker),
                            "workerVersion" | "worker_version" => Ok(GeneratedField::WorkerVersion),
                            "firstAt" | "first_at" => Ok(GeneratedField::FirstAt),
                            "deadAt" | "dead_at" => Ok(GeneratedField::DeadAt),
                            "headers" => Ok(GeneratedField::Headers),
                            "body" => Ok(GeneratedField::Body),
                            "actionId" | "action_id" => Ok(GeneratedField::ActionId),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = DeadLetter;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct hollowtrees.v1.DeadLetter")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<DeadLetter, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut sequence__ = None;
                let mut cluster__ = None;
                let mut stream__ = None;
                let mut consumer__ = None;
                let mut subject__ = None;
                let mut original_sequence__ = None;
                let mut error_class__ = None;
                let mut reason__ = None;
                let mut attempts__ = None;
                let mut worker__ = None;
                let mut worker_version__ = None;
                let mut first_at__ = None;
                let mut dead_at__ = None;
                let mut headers__ = None;
                let mut body__ = None;
                let mut action_id__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Sequence => {
                            if sequence__.is_some() {
                                return Err(serde::de::Error::duplicate_field("sequence"));
                            }
                            sequence__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::Cluster => {
                            if cluster__.is_some() {
                                return Err(serde::de::Error::duplicate_field("cluster"));
                            }
                            cluster__ = map_.next_value()?;
                        }
                        GeneratedField::Stream => {
                            if stream__.is_some() {
                                return Err(serde::de::Error::duplicate_field("stream"));
                            }
                            stream__ = map_.next_value()?;
                        }
                        GeneratedField::Consumer => {
                            if consumer__.is_some() {
                                return Err(serde::de::Error::duplicate_field("consumer"));
                            }
                            consumer__ = map_.next_value()?;
                        }
                        GeneratedField::Subject => {
                            if subject__.is_some() {
                                return Err(serde::de::Error::duplicate_field("subject"));
                            }
                            subject__ = map_.next_value()?;
                        }
                        GeneratedField::OriginalSequence => {
                            if original_sequence__.is_some() {
                                return Err(serde::de::Error::duplicate_field("originalSequence"));
                            }
                            original_sequence__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::ErrorClass => {
                            if error_class__.is_some() {
                                return Err(serde::de::Error::duplicate_field("errorClass"));
                            }
                            error_class__ = map_.next_value()?;
                        }
                        GeneratedField::Reason => {
                            if reason__.is_some() {
                                return Err(serde::de::Error::duplicate_field("reason"));
                            }
                            reason__ = map_.next_value()?;
                        }
                        GeneratedField::Attempts => {
                            if attempts__.is_some() {
                                return Err(serde::de::Error::duplicate_field("attempts"));
                            }
                            attempts__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::Worker => {
                            if worker__.is_some() {
                                return Err(serde::de::Error::duplicate_field("worker"));
                            }
                            worker__ = map_.next_value()?;
                        }
                        GeneratedField::WorkerVersion => {
                            if worker_version__.is_some() {
                                return Err(serde::de::Error::duplicate_field("workerVersion"));
                            }
                            worker_version__ = map_.next_value()?;
                        }
                        GeneratedField::FirstAt => {
                            if first_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("firstAt"));
                            }
                            first_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::DeadAt => {
                            if dead_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("deadAt"));
                            }
                            dead_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::Headers => {
                            if headers__.is_some() {
                                return Err(serde::de::Error::duplicate_field("headers"));
                            }
                            headers__ = map_.next_value()?;
                        }
                        GeneratedField::Body => {
                            if body__.is_some() {
                                return Err(serde::de::Error::duplicate_field("body"));
                            }
                            body__ = 
                                map_.next_value::<Option<::pbjson::private::BytesDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::ActionId => {
                            if action_id__.is_some() {
                                return Err(serde::de::Error::duplicate_field("actionId"));
                            }
                            action_id__ = map_.next_value()?;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(DeadLetter {
                    sequence: sequence__.unwrap_or_default(),
                    cluster: cluster__.unwrap_or_default(),
                    stream: stream__.unwrap_or_default(),
                    consumer: consumer__.unwrap_or_default(),
                    subject: subject__.unwrap_or_default(),
                    original_sequence: original_sequence__.unwrap_or_default(),
                    error_class: error_class__.unwrap_or_default(),
                    reason: reason__.unwrap_or_default(),
                    attempts: attempts__.unwrap_or_default(),
                    worker: worker__.unwrap_or_default(),
                    worker_version: worker_version__.unwrap_or_default(),
                    first_at: first_at__,
                    dead_at: dead_at__,
                    headers: headers__.unwrap_or_default(),
                    body: body__.unwrap_or_default(),
                    action_id: action_id__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("hollowtrees.v1.DeadLetter", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for Fact {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if !self.kind.is_empty() {
            len += 1;
        }
        if !self.event_id.is_empty() {
            len += 1;
        }
        if !self.state.is_empty() {
            len += 1;
        }
        if !self.certainty.is_empty() {
            len += 1;
        }
        if !self.provider_action.is_empty() {
            len += 1;
        }
        if self.noticed_at.is_some() {
            len += 1;
        }
        if self.received_at.is_some() {
            len += 1;
        }
        if self.deadline.is_some() {
            len += 1;
        }
        if !self.notice_id.is_empty() {
            len += 1;
        }
        if !self.source.is_empty() {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("hollowtrees.v1.Fact", len)?;
        if !self.kind.is_empty() {
            struct_ser.serialize_field("kind", &self.kind)?;
        }
        if !self.event_id.is_empty() {
            struct_ser.serialize_field("eventId", &self.event_id)?;
        }
        if !self.state.is_empty() {
            struct_ser.serialize_field("state", &self.state)?;
        }
        if !self.certainty.is_empty() {
            struct_ser.serialize_field("certainty", &self.certainty)?;
        }
        if !self.provider_action.is_empty() {
            struct_ser.serialize_field("providerAction", &self.provider_action)?;
        }
        if let Some(v) = self.noticed_at.as_ref() {
            struct_ser.serialize_field("noticedAt", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.received_at.as_ref() {
            struct_ser.serialize_field("receivedAt", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.deadline.as_ref() {
            struct_ser.serialize_field("deadline", &crate::proto::json::Time(v))?;
        }
        if !self.notice_id.is_empty() {
            struct_ser.serialize_field("noticeId", &self.notice_id)?;
        }
        if !self.source.is_empty() {
            struct_ser.serialize_field("source", &self.source)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for Fact {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "kind",
            "event_id",
            "eventId",
            "state",
            "certainty",
            "provider_action",
            "providerAction",
            "noticed_at",
            "noticedAt",
            "received_at",
            "receivedAt",
            "deadline",
            "notice_id",
            "noticeId",
            "source",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Kind,
            EventId,
            State,
            Certainty,
            ProviderAction,
            NoticedAt,
            ReceivedAt,
            Deadline,
            NoticeId,
            Source,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "kind" => Ok(GeneratedField::Kind),
                            "eventId" | "event_id" => Ok(GeneratedField::EventId),
                            "state" => Ok(GeneratedField::State),
                            "certainty" => Ok(GeneratedField::Certainty),
                            "providerAction" | "provider_action" => Ok(GeneratedField::ProviderAction),
                            "noticedAt" | "noticed_at" => Ok(GeneratedField::NoticedAt),
                            "receivedAt" | "received_at" => Ok(GeneratedField::ReceivedAt),
                            "deadline" => Ok(GeneratedField::Deadline),
                            "noticeId" | "notice_id" => Ok(GeneratedField::NoticeId),
                            "source" => Ok(GeneratedField::Source),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = Fact;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct hollowtrees.v1.Fact")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<Fact, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut kind__ = None;
                let mut event_id__ = None;
                let mut state__ = None;
                let mut certainty__ = None;
                let mut provider_action__ = None;
                let mut noticed_at__ = None;
                let mut received_at__ = None;
                let mut deadline__ = None;
                let mut notice_id__ = None;
                let mut source__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Kind => {
                            if kind__.is_some() {
                                return Err(serde::de::Error::duplicate_field("kind"));
                            }
                            kind__ = map_.next_value()?;
                        }
                        GeneratedField::EventId => {
                            if event_id__.is_some() {
                                return Err(serde::de::Error::duplicate_field("eventId"));
                            }
                            event_id__ = map_.next_value()?;
                        }
                        GeneratedField::State => {
                            if state__.is_some() {
                                return Err(serde::de::Error::duplicate_field("state"));
                            }
                            state__ = map_.next_value()?;
                        }
                        GeneratedField::Certainty => {
                            if certainty__.is_some() {
                                return Err(serde::de::Error::duplicate_field("certainty"));
                            }
                            certainty__ = map_.next_value()?;
                        }
                        GeneratedField::ProviderAction => {
                            if provider_action__.is_some() {
                                return Err(serde::de::Error::duplicate_field("providerAction"));
                            }
                            provider_action__ = map_.next_value()?;
                        }
                        GeneratedField::NoticedAt => {
                            if noticed_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("noticedAt"));
                            }
                            noticed_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::ReceivedAt => {
                            if received_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("receivedAt"));
                            }
                            received_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::Deadline => {
                            if deadline__.is_some() {
                                return Err(serde::de::Error::duplicate_field("deadline"));
                            }
                            deadline__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::NoticeId => {
                            if notice_id__.is_some() {
                                return Err(serde::de::Error::duplicate_field("noticeId"));
                            }
                            notice_id__ = map_.next_value()?;
                        }
                        GeneratedField::Source => {
                            if source__.is_some() {
                                return Err(serde::de::Error::duplicate_field("source"));
                            }
                            source__ = map_.next_value()?;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(Fact {
                    kind: kind__.unwrap_or_default(),
                    event_id: event_id__.unwrap_or_default(),
                    state: state__.unwrap_or_default(),
                    certainty: certainty__.unwrap_or_default(),
                    provider_action: provider_action__.unwrap_or_default(),
                    noticed_at: noticed_at__,
                    received_at: received_at__,
                    deadline: deadline__,
                    notice_id: notice_id__.unwrap_or_default(),
                    source: source__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("hollowtrees.v1.Fact", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for Group {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if self.schema != 0 {
            len += 1;
        }
        if !self.account.is_empty() {
            len += 1;
        }
        if !self.region.is_empty() {
            len += 1;
        }
        if !self.name.is_empty() {
            len += 1;
        }
        if self.lease.is_some() {
            len += 1;
        }
        if self.base_max != 0 {
            len += 1;
        }
        if self.written_max != 0 {
            len += 1;
        }
        if !self.swaps.is_empty() {
            len += 1;
        }
        if !self.nonce.is_empty() {
            len += 1;
        }
        if self.written_desired.is_some() {
            len += 1;
        }
        if self.pending.is_some() {
            len += 1;
        }
        if self.latest_max.is_some() {
            len += 1;
        }
        if self.latest_desired.is_some() {
            len += 1;
        }
        if self.rebalance_suspended {
            len += 1;
        }
        if self.rebalance_resumed_at.is_some() {
            len += 1;
        }
        if self.latest_exit.is_some() {
            len += 1;
        }
        if self.rebalance_asked.is_some() {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("hollowtrees.v1.Group", len)?;
        if self.schema != 0 {
            struct_ser.serialize_field("schema", &self.schema)?;
        }
        if !self.account.is_empty() {
            struct_ser.serialize_field("account", &self.account)?;
        }
        if !self.region.is_empty() {
            struct_ser.serialize_field("region", &self.region)?;
        }
        if !self.name.is_empty() {
            struct_ser.serialize_field("name", &self.name)?;
        }
        if let Some(v) = self.lease.as_ref() {
            struct_ser.serialize_field("lease", v)?;
        }
        if self.base_max != 0 {
            struct_ser.serialize_field("baseMax", &self.base_max)?;
        }
        if self.written_max != 0 {
            struct_ser.serialize_field("writtenMax", &self.written_max)?;
        }
        if !self.swaps.is_empty() {
            struct_ser.serialize_field("swaps", &self.swaps)?;
        }
        if !self.nonce.is_empty() {
            struct_ser.serialize_field("nonce", &self.nonce)?;
        }
        if let Some(v) = self.written_desired.as_ref() {
            struct_ser.serialize_field("writtenDesired", v)?;
        }
        if let Some(v) = self.pending.as_ref() {
            struct_ser.serialize_field("pending", v)?;
        }
        if let Some(v) = self.latest_max.as_ref() {
            struct_ser.serialize_field("latestMax", v)?;
        }
        if let Some(v) = self.latest_desired.as_ref() {
            struct_ser.serialize_field("latestDesired", v)?;
        }
        if self.rebalance_suspended {
            struct_ser.serialize_field("rebalanceSuspended", &self.rebalance_suspended)?;
        }
        if let Some(v) = self.rebalance_resumed_at.as_ref() {
            struct_ser.serialize_field("rebalanceResumedAt", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.latest_exit.as_ref() {
            struct_ser.serialize_field("latestExit", v)?;
        }
        if let Some(v) = self.rebalance_asked.as_ref() {
            struct_ser.serialize_field("rebalanceAsked", v)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for Group {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "schema",
            "account",
            "region",
            "name",
            "lease",
            "base_max",
            "baseMax",
            "written_max",
            "writtenMax",
            "swaps",
            "nonce",
            "written_desired",
            "writtenDesired",
            "pending",
            "latest_max",
            "latestMax",
            "latest_desired",
            "latestDesired",
            "rebalance_suspended",
            "rebalanceSuspended",
            "rebalance_resumed_at",
            "rebalanceResumedAt",
            "latest_exit",
            "latestExit",
            "rebalance_asked",
            "rebalanceAsked",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Schema,
            Account,
            Region,
            Name,
            Lease,
            BaseMax,
            WrittenMax,
            Swaps,
            Nonce,
            WrittenDesired,
            Pending,
            LatestMax,
            LatestDesired,
            RebalanceSuspended,
            RebalanceResumedAt,
            LatestExit,
            RebalanceAsked,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "schema" => Ok(GeneratedField::Schema),
                            "account" => Ok(GeneratedField::Account),
                            "region" => Ok(GeneratedField::Region),
                            "name" => Ok(GeneratedField::Name),
                            "lease" => Ok(GeneratedField::Lease),
                            "baseMax" | "base_max" => Ok(GeneratedField::BaseMax),
                            "writtenMax" | "written_max" => Ok(GeneratedField::WrittenMax),
                            "swaps" => Ok(GeneratedField::Swaps),
                            "nonce" => Ok(GeneratedField::Nonce),
                            "writtenDesired" | "written_desired" => Ok(GeneratedField::WrittenDesired),
                            "pending" => Ok(GeneratedField::Pending),
                            "latestMax" | "latest_max" => Ok(GeneratedField::LatestMax),
                            "latestDesired" | "latest_desired" => Ok(GeneratedField::LatestDesired),
                            "rebalanceSuspended" | "rebalance_suspended" => Ok(GeneratedField::RebalanceSuspended),
                            "rebalanceResumedAt" | "rebalance_resumed_at" => Ok(GeneratedField::RebalanceResumedAt),
                            "latestExit" | "latest_exit" => Ok(GeneratedField::LatestExit),
                            "rebalanceAsked" | "rebalance_asked" => Ok(GeneratedField::RebalanceAsked),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = Group;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct hollowtrees.v1.Group")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<Group, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut schema__ = None;
                let mut account__ = None;
                let mut region__ = None;
                let mut name__ = None;
                let mut lease__ = None;
                let mut base_max__ = None;
                let mut written_max__ = None;
                let mut swaps__ = None;
                let mut nonce__ = None;
                let mut written_desired__ = None;
                let mut pending__ = None;
                let mut latest_max__ = None;
                let mut latest_desired__ = None;
                let mut rebalance_suspended__ = None;
                let mut rebalance_resumed_at__ = None;
                let mut latest_exit__ = None;
                let mut rebalance_asked__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Schema => {
                            if schema__.is_some() {
                                return Err(serde::de::Error::duplicate_field("schema"));
                            }
                            schema__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::Account => {
                            if account__.is_some() {
                                return Err(serde::de::Error::duplicate_field("account"));
                            }
                            account__ = map_.next_value()?;
                        }
                        GeneratedField::Region => {
                            if region__.is_some() {
                                return Err(serde::de::Error::duplicate_field("region"));
                            }
                            region__ = map_.next_value()?;
                        }
                        GeneratedField::Name => {
                            if name__.is_some() {
                                return Err(serde::de::Error::duplicate_field("name"));
                            }
                            name__ = map_.next_value()?;
                        }
                        GeneratedField::Lease => {
                            if lease__.is_some() {
                                return Err(serde::de::Error::duplicate_field("lease"));
                            }
                            lease__ = map_.next_value()?;
                        }
                        GeneratedField::BaseMax => {
                            if base_max__.is_some() {
                                return Err(serde::de::Error::duplicate_field("baseMax"));
                            }
                            base_max__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::WrittenMax => {
                            if written_max__.is_some() {
                                return Err(serde::de::Error::duplicate_field("writtenMax"));
                            }
                            written_max__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::Swaps => {
                            if swaps__.is_some() {
                                return Err(serde::de::Error::duplicate_field("swaps"));
                            }
                            swaps__ = map_.next_value()?;
                        }
                        GeneratedField::Nonce => {
                            if nonce__.is_some() {
                                return Err(serde::de::Error::duplicate_field("nonce"));
                            }
                            nonce__ = map_.next_value()?;
                        }
                        GeneratedField::WrittenDesired => {
                            if written_desired__.is_some() {
                                return Err(serde::de::Error::duplicate_field("writtenDesired"));
                            }
                            written_desired__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::Pending => {
                            if pending__.is_some() {
                                return Err(serde::de::Error::duplicate_field("pending"));
                            }
                            pending__ = map_.next_value()?;
                        }
                        GeneratedField::LatestMax => {
                            if latest_max__.is_some() {
                                return Err(serde::de::Error::duplicate_field("latestMax"));
                            }
                            latest_max__ = map_.next_value()?;
                        }
                        GeneratedField::LatestDesired => {
                            if latest_desired__.is_some() {
                                return Err(serde::de::Error::duplicate_field("latestDesired"));
                            }
                            latest_desired__ = map_.next_value()?;
                        }
                        GeneratedField::RebalanceSuspended => {
                            if rebalance_suspended__.is_some() {
                                return Err(serde::de::Error::duplicate_field("rebalanceSuspended"));
                            }
                            rebalance_suspended__ = map_.next_value()?;
                        }
                        GeneratedField::RebalanceResumedAt => {
                            if rebalance_resumed_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("rebalanceResumedAt"));
                            }
                            rebalance_resumed_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::LatestExit => {
                            if latest_exit__.is_some() {
                                return Err(serde::de::Error::duplicate_field("latestExit"));
                            }
                            latest_exit__ = map_.next_value()?;
                        }
                        GeneratedField::RebalanceAsked => {
                            if rebalance_asked__.is_some() {
                                return Err(serde::de::Error::duplicate_field("rebalanceAsked"));
                            }
                            rebalance_asked__ = map_.next_value()?;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(Group {
                    schema: schema__.unwrap_or_default(),
                    account: account__.unwrap_or_default(),
                    region: region__.unwrap_or_default(),
                    name: name__.unwrap_or_default(),
                    lease: lease__,
                    base_max: base_max__.unwrap_or_default(),
                    written_max: written_max__.unwrap_or_default(),
                    swaps: swaps__.unwrap_or_default(),
                    nonce: nonce__.unwrap_or_default(),
                    written_desired: written_desired__,
                    pending: pending__,
                    latest_max: latest_max__,
                    latest_desired: latest_desired__,
                    rebalance_suspended: rebalance_suspended__.unwrap_or_default(),
                    rebalance_resumed_at: rebalance_resumed_at__,
                    latest_exit: latest_exit__,
                    rebalance_asked: rebalance_asked__,
                })
            }
        }
        deserializer.deserialize_struct("hollowtrees.v1.Group", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for GroupAsked {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if !self.process.is_empty() {
            len += 1;
        }
        if self.at.is_some() {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("hollowtrees.v1.GroupAsked", len)?;
        if !self.process.is_empty() {
            struct_ser.serialize_field("process", &self.process)?;
        }
        if let Some(v) = self.at.as_ref() {
            struct_ser.serialize_field("at", &crate::proto::json::Time(v))?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for GroupAsked {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "process",
            "at",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Process,
            At,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "process" => Ok(GeneratedField::Process),
                            "at" => Ok(GeneratedField::At),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = GroupAsked;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct hollowtrees.v1.GroupAsked")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<GroupAsked, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut process__ = None;
                let mut at__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Process => {
                            if process__.is_some() {
                                return Err(serde::de::Error::duplicate_field("process"));
                            }
                            process__ = map_.next_value()?;
                        }
                        GeneratedField::At => {
                            if at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("at"));
                            }
                            at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(GroupAsked {
                    process: process__.unwrap_or_default(),
                    at: at__,
                })
            }
        }
        deserializer.deserialize_struct("hollowtrees.v1.GroupAsked", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for GroupExit {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if !self.action_id.is_empty() {
            len += 1;
        }
        if !self.instances.is_empty() {
            len += 1;
        }
        if self.at.is_some() {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("hollowtrees.v1.GroupExit", len)?;
        if !self.action_id.is_empty() {
            struct_ser.serialize_field("actionId", &self.action_id)?;
        }
        if !self.instances.is_empty() {
            struct_ser.serialize_field("instances", &self.instances)?;
        }
        if let Some(v) = self.at.as_ref() {
            struct_ser.serialize_field("at", &crate::proto::json::Time(v))?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for GroupExit {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "action_id",
            "actionId",
            "instances",
            "at",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            ActionId,
            Instances,
            At,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "actionId" | "action_id" => Ok(GeneratedField::ActionId),
                            "instances" => Ok(GeneratedField::Instances),
                            "at" => Ok(GeneratedField::At),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = GroupExit;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct hollowtrees.v1.GroupExit")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<GroupExit, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut action_id__ = None;
                let mut instances__ = None;
                let mut at__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::ActionId => {
                            if action_id__.is_some() {
                                return Err(serde::de::Error::duplicate_field("actionId"));
                            }
                            action_id__ = map_.next_value()?;
                        }
                        GeneratedField::Instances => {
                            if instances__.is_some() {
                                return Err(serde::de::Error::duplicate_field("instances"));
                            }
                            instances__ = map_.next_value()?;
                        }
                        GeneratedField::At => {
                            if at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("at"));
                            }
                            at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(GroupExit {
                    action_id: action_id__.unwrap_or_default(),
                    instances: instances__.unwrap_or_default(),
                    at: at__,
                })
            }
        }
        deserializer.deserialize_struct("hollowtrees.v1.GroupExit", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for GroupLease {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if self.holder.is_some() {
            len += 1;
        }
        if !self.action_id.is_empty() {
            len += 1;
        }
        if self.until.is_some() {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("hollowtrees.v1.GroupLease", len)?;
        if let Some(v) = self.holder.as_ref() {
            struct_ser.serialize_field("holder", v)?;
        }
        if !self.action_id.is_empty() {
            struct_ser.serialize_field("actionId", &self.action_id)?;
        }
        if let Some(v) = self.until.as_ref() {
            struct_ser.serialize_field("until", &crate::proto::json::Time(v))?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for GroupLease {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "holder",
            "action_id",
            "actionId",
            "until",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Holder,
            ActionId,
            Until,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "holder" => Ok(GeneratedField::Holder),
                            "actionId" | "action_id" => Ok(GeneratedField::ActionId),
                            "until" => Ok(GeneratedField::Until),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = GroupLease;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct hollowtrees.v1.GroupLease")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<GroupLease, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut holder__ = None;
                let mut action_id__ = None;
                let mut until__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Holder => {
                            if holder__.is_some() {
                                return Err(serde::de::Error::duplicate_field("holder"));
                            }
                            holder__ = map_.next_value()?;
                        }
                        GeneratedField::ActionId => {
                            if action_id__.is_some() {
                                return Err(serde::de::Error::duplicate_field("actionId"));
                            }
                            action_id__ = map_.next_value()?;
                        }
                        GeneratedField::Until => {
                            if until__.is_some() {
                                return Err(serde::de::Error::duplicate_field("until"));
                            }
                            until__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(GroupLease {
                    holder: holder__,
                    action_id: action_id__.unwrap_or_default(),
                    until: until__,
                })
            }
        }
        deserializer.deserialize_struct("hollowtrees.v1.GroupLease", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for GroupSize {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if self.size != 0 {
            len += 1;
        }
        if self.at.is_some() {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("hollowtrees.v1.GroupSize", len)?;
        if self.size != 0 {
            struct_ser.serialize_field("size", &self.size)?;
        }
        if let Some(v) = self.at.as_ref() {
            struct_ser.serialize_field("at", &crate::proto::json::Time(v))?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for GroupSize {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "size",
            "at",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Size,
            At,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "size" => Ok(GeneratedField::Size),
                            "at" => Ok(GeneratedField::At),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = GroupSize;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct hollowtrees.v1.GroupSize")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<GroupSize, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut size__ = None;
                let mut at__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Size => {
                            if size__.is_some() {
                                return Err(serde::de::Error::duplicate_field("size"));
                            }
                            size__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::At => {
                            if at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("at"));
                            }
                            at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(GroupSize {
                    size: size__.unwrap_or_default(),
                    at: at__,
                })
            }
        }
        deserializer.deserialize_struct("hollowtrees.v1.GroupSize", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for GroupSwap {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if !self.action_id.is_empty() {
            len += 1;
        }
        if !self.cluster.is_empty() {
            len += 1;
        }
        if !self.instance.is_empty() {
            len += 1;
        }
        if self.generation != 0 {
            len += 1;
        }
        if !self.replacement.is_empty() {
            len += 1;
        }
        if self.room != 0 {
            len += 1;
        }
        if self.surplus != 0 {
            len += 1;
        }
        if !self.result.is_empty() {
            len += 1;
        }
        if self.opened_at.is_some() {
            len += 1;
        }
        if self.ended_at.is_some() {
            len += 1;
        }
        if self.attaching != 0 {
            len += 1;
        }
        if self.weight != 0 {
            len += 1;
        }
        if self.on_demand {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("hollowtrees.v1.GroupSwap", len)?;
        if !self.action_id.is_empty() {
            struct_ser.serialize_field("actionId", &self.action_id)?;
        }
        if !self.cluster.is_empty() {
            struct_ser.serialize_field("cluster", &self.cluster)?;
        }
        if !self.instance.is_empty() {
            struct_ser.serialize_field("instance", &self.instance)?;
        }
        if self.generation != 0 {
            #[allow(clippy::needless_borrow)]
            #[allow(clippy::needless_borrows_for_generic_args)]
            struct_ser.serialize_field("generation", ToString::to_string(&self.generation).as_str())?;
        }
        if !self.replacement.is_empty() {
            struct_ser.serialize_field("replacement", &self.replacement)?;
        }
        if self.room != 0 {
            struct_ser.serialize_field("room", &self.room)?;
        }
        if self.surplus != 0 {
            struct_ser.serialize_field("surplus", &self.surplus)?;
        }
        if !self.result.is_empty() {
            struct_ser.serialize_field("result", &self.result)?;
        }
        if let Some(v) = self.opened_at.as_ref() {
            struct_ser.serialize_field("openedAt", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.ended_at.as_ref() {
            struct_ser.serialize_field("endedAt", &crate::proto::json::Time(v))?;
        }
        if self.attaching != 0 {
            struct_ser.serialize_field("attaching", &self.attaching)?;
        }
        if self.weight != 0 {
            struct_ser.serialize_field("weight", &self.weight)?;
        }
        if self.on_demand {
            struct_ser.serialize_field("onDemand", &self.on_demand)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for GroupSwap {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "action_id",
            "actionId",
            "cluster",
            "instance",
            "generation",
            "replacement",
            "room",
            "surplus",
            "result",
            "opened_at",
            "openedAt",
            "ended_at",
            "endedAt",
            "attaching",
            "weight",
            "on_demand",
            "onDemand",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            ActionId,
            Cluster,
            Instance,
            Generation,
            Replacement,
            Room,
            Surplus,
            Result,
            OpenedAt,
            EndedAt,
            Attaching,
            Weight,
            OnDemand,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "actionId" | "action_id" => Ok(GeneratedField::ActionId),
                            "cluster" => Ok(GeneratedField::Cluster),
                            "instance" => Ok(GeneratedField::Instance),
                            "generation" => Ok(GeneratedField::Generation),
                            "replacement" => Ok(GeneratedField::Replacement),
                            "room" => Ok(GeneratedField::Room),
                            "surplus" => Ok(GeneratedField::Surplus),
                            "result" => Ok(GeneratedField::Result),
                            "openedAt" | "opened_at" => Ok(GeneratedField::OpenedAt),
                            "endedAt" | "ended_at" => Ok(GeneratedField::EndedAt),
                            "attaching" => Ok(GeneratedField::Attaching),
                            "weight" => Ok(GeneratedField::Weight),
                            "onDemand" | "on_demand" => Ok(GeneratedField::OnDemand),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = GroupSwap;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct hollowtrees.v1.GroupSwap")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<GroupSwap, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut action_id__ = None;
                let mut cluster__ = None;
                let mut instance__ = None;
                let mut generation__ = None;
                let mut replacement__ = None;
                let mut room__ = None;
                let mut surplus__ = None;
                let mut result__ = None;
                let mut opened_at__ = None;
                let mut ended_at__ = None;
                let mut attaching__ = None;
                let mut weight__ = None;
                let mut on_demand__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::ActionId => {
                            if action_id__.is_some() {
                                return Err(serde::de::Error::duplicate_field("actionId"));
                            }
                            action_id__ = map_.next_value()?;
                        }
                        GeneratedField::Cluster => {
                            if cluster__.is_some() {
                                return Err(serde::de::Error::duplicate_field("cluster"));
                            }
                            cluster__ = map_.next_value()?;
                        }
                        GeneratedField::Instance => {
                            if instance__.is_some() {
                                return Err(serde::de::Error::duplicate_field("instance"));
                            }
                            instance__ = map_.next_value()?;
                        }
                        GeneratedField::Generation => {
                            if generation__.is_some() {
                                return Err(serde::de::Error::duplicate_field("generation"));
                            }
                            generation__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::Replacement => {
                            if replacement__.is_some() {
                                return Err(serde::de::Error::duplicate_field("replacement"));
                            }
                            replacement__ = map_.next_value()?;
                        }
                        GeneratedField::Room => {
                            if room__.is_some() {
                                return Err(serde::de::Error::duplicate_field("room"));
                            }
                            room__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::Surplus => {
                            if surplus__.is_some() {
                                return Err(serde::de::Error::duplicate_field("surplus"));
                            }
                            surplus__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::Result => {
                            if result__.is_some() {
                                return Err(serde::de::Error::duplicate_field("result"));
                            }
                            result__ = map_.next_value()?;
                        }
                        GeneratedField::OpenedAt => {
                            if opened_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("openedAt"));
                            }
                            opened_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::EndedAt => {
                            if ended_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("endedAt"));
                            }
                            ended_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::Attaching => {
                            if attaching__.is_some() {
                                return Err(serde::de::Error::duplicate_field("attaching"));
                            }
                            attaching__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::Weight => {
                            if weight__.is_some() {
                                return Err(serde::de::Error::duplicate_field("weight"));
                            }
                            weight__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::OnDemand => {
                            if on_demand__.is_some() {
                                return Err(serde::de::Error::duplicate_field("onDemand"));
                            }
                            on_demand__ = map_.next_value()?;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(GroupSwap {
                    action_id: action_id__.unwrap_or_default(),
                    cluster: cluster__.unwrap_or_default(),
                    instance: instance__.unwrap_or_default(),
                    generation: generation__.unwrap_or_default(),
                    replacement: replacement__.unwrap_or_default(),
                    room: room__.unwrap_or_default(),
                    surplus: surplus__.unwrap_or_default(),
                    result: result__.unwrap_or_default(),
                    opened_at: opened_at__,
                    ended_at: ended_at__,
                    attaching: attaching__.unwrap_or_default(),
                    weight: weight__.unwrap_or_default(),
                    on_demand: on_demand__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("hollowtrees.v1.GroupSwap", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for GroupWrite {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if !self.action_id.is_empty() {
            len += 1;
        }
        if self.max.is_some() {
            len += 1;
        }
        if self.desired.is_some() {
            len += 1;
        }
        if self.surplus != 0 {
            len += 1;
        }
        if self.at.is_some() {
            len += 1;
        }
        if !self.actions.is_empty() {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("hollowtrees.v1.GroupWrite", len)?;
        if !self.action_id.is_empty() {
            struct_ser.serialize_field("actionId", &self.action_id)?;
        }
        if let Some(v) = self.max.as_ref() {
            struct_ser.serialize_field("max", v)?;
        }
        if let Some(v) = self.desired.as_ref() {
            struct_ser.serialize_field("desired", v)?;
        }
        if self.surplus != 0 {
            struct_ser.serialize_field("surplus", &self.surplus)?;
        }
        if let Some(v) = self.at.as_ref() {
            struct_ser.serialize_field("at", &crate::proto::json::Time(v))?;
        }
        if !self.actions.is_empty() {
            struct_ser.serialize_field("actions", &self.actions)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for GroupWrite {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "action_id",
            "actionId",
            "max",
            "desired",
            "surplus",
            "at",
            "actions",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            ActionId,
            Max,
            Desired,
            Surplus,
            At,
            Actions,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "actionId" | "action_id" => Ok(GeneratedField::ActionId),
                            "max" => Ok(GeneratedField::Max),
                            "desired" => Ok(GeneratedField::Desired),
                            "surplus" => Ok(GeneratedField::Surplus),
                            "at" => Ok(GeneratedField::At),
                            "actions" => Ok(GeneratedField::Actions),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = GroupWrite;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct hollowtrees.v1.GroupWrite")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<GroupWrite, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut action_id__ = None;
                let mut max__ = None;
                let mut desired__ = None;
                let mut surplus__ = None;
                let mut at__ = None;
                let mut actions__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::ActionId => {
                            if action_id__.is_some() {
                                return Err(serde::de::Error::duplicate_field("actionId"));
                            }
                            action_id__ = map_.next_value()?;
                        }
                        GeneratedField::Max => {
                            if max__.is_some() {
                                return Err(serde::de::Error::duplicate_field("max"));
                            }
                            max__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::Desired => {
                            if desired__.is_some() {
                                return Err(serde::de::Error::duplicate_field("desired"));
                            }
                            desired__ = 
                                map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)
                            ;
                        }
                        GeneratedField::Surplus => {
                            if surplus__.is_some() {
                                return Err(serde::de::Error::duplicate_field("surplus"));
                            }
                            surplus__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::At => {
                            if at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("at"));
                            }
                            at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::Actions => {
                            if actions__.is_some() {
                                return Err(serde::de::Error::duplicate_field("actions"));
                            }
                            actions__ = map_.next_value()?;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(GroupWrite {
                    action_id: action_id__.unwrap_or_default(),
                    max: max__,
                    desired: desired__,
                    surplus: surplus__.unwrap_or_default(),
                    at: at__,
                    actions: actions__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("hollowtrees.v1.GroupWrite", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for Header {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if !self.name.is_empty() {
            len += 1;
        }
        if !self.value.is_empty() {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("hollowtrees.v1.Header", len)?;
        if !self.name.is_empty() {
            struct_ser.serialize_field("name", &self.name)?;
        }
        if !self.value.is_empty() {
            struct_ser.serialize_field("value", &self.value)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for Header {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "name",
            "value",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Name,
            Value,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "name" => Ok(GeneratedField::Name),
                            "value" => Ok(GeneratedField::Value),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = Header;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct hollowtrees.v1.Header")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<Header, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut name__ = None;
                let mut value__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Name => {
                            if name__.is_some() {
                                return Err(serde::de::Error::duplicate_field("name"));
                            }
                            name__ = map_.next_value()?;
                        }
                        GeneratedField::Value => {
                            if value__.is_some() {
                                return Err(serde::de::Error::duplicate_field("value"));
                            }
                            value__ = map_.next_value()?;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(Header {
                    name: name__.unwrap_or_default(),
                    value: value__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("hollowtrees.v1.Header", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for Incident {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if self.schema != 0 {
            len += 1;
        }
        if !self.cluster.is_empty() {
            len += 1;
        }
        if !self.instance.is_empty() {
            len += 1;
        }
        if !self.mode.is_empty() {
            len += 1;
        }
        if self.generation != 0 {
            len += 1;
        }
        if !self.state.is_empty() {
            len += 1;
        }
        if !self.facts.is_empty() {
            len += 1;
        }
        if self.facts_dropped != 0 {
            len += 1;
        }
        if self.opened_at.is_some() {
            len += 1;
        }
        if self.noticed_at.is_some() {
            len += 1;
        }
        if self.last_noticed_at.is_some() {
            len += 1;
        }
        if self.closed_at.is_some() {
            len += 1;
        }
        if self.deadline.is_some() {
            len += 1;
        }
        if !self.certainty.is_empty() {
            len += 1;
        }
        if self.target.is_some() {
            len += 1;
        }
        if !self.runs.is_empty() {
            len += 1;
        }
        if self.changes != 0 {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("hollowtrees.v1.Incident", len)?;
        if self.schema != 0 {
            struct_ser.serialize_field("schema", &self.schema)?;
        }
        if !self.cluster.is_empty() {
            struct_ser.serialize_field("cluster", &self.cluster)?;
        }
        if !self.instance.is_empty() {
            struct_ser.serialize_field("instance", &self.instance)?;
        }
        if !self.mode.is_empty() {
            struct_ser.serialize_field("mode", &self.mode)?;
        }
        if self.generation != 0 {
            #[allow(clippy::needless_borrow)]
            #[allow(clippy::needless_borrows_for_generic_args)]
            struct_ser.serialize_field("generation", ToString::to_string(&self.generation).as_str())?;
        }
        if !self.state.is_empty() {
            struct_ser.serialize_field("state", &self.state)?;
        }
        if !self.facts.is_empty() {
            struct_ser.serialize_field("facts", &self.facts)?;
        }
        if self.facts_dropped != 0 {
            struct_ser.serialize_field("factsDropped", &self.facts_dropped)?;
        }
        if let Some(v) = self.opened_at.as_ref() {
            struct_ser.serialize_field("openedAt", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.noticed_at.as_ref() {
            struct_ser.serialize_field("noticedAt", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.last_noticed_at.as_ref() {
            struct_ser.serialize_field("lastNoticedAt", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.closed_at.as_ref() {
            struct_ser.serialize_field("closedAt", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.deadline.as_ref() {
            struct_ser.serialize_field("deadline", &crate::proto::json::Time(v))?;
        }
        if !self.certainty.is_empty() {
            struct_ser.serialize_field("certainty", &self.certainty)?;
        }
        if let Some(v) = self.target.as_ref() {
            struct_ser.serialize_field("target", v)?;
        }
        if !self.runs.is_empty() {
            struct_ser.serialize_field("runs", &self.runs)?;
        }
        if self.changes != 0 {
            #[allow(clippy::needless_borrow)]
            #[allow(clippy::needless_borrows_for_generic_args)]
            struct_ser.serialize_field("changes", ToString::to_string(&self.changes).as_str())?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for Incident {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "schema",
            "cluster",
            "instance",
            "mode",
            "generation",
            "state",
            "facts",
            "facts_dropped",
            "factsDropped",
            "opened_at",
            "openedAt",
            "noticed_at",
            "noticedAt",
            "last_noticed_at",
            "lastNoticedAt",
            "closed_at",
            "closedAt",
            "deadline",
            "certainty",
            "target",
            "runs",
            "changes",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Schema,
            Cluster,
            Instance,
            Mode,
            Generation,
            State,
            Facts,
            FactsDropped,
            OpenedAt,
            NoticedAt,
            LastNoticedAt,
            ClosedAt,
            Deadline,
            Certainty,
            Target,
            Runs,
            Changes,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "schema" => Ok(GeneratedField::Schema),
                            "cluster" => Ok(GeneratedField::Cluster),
                            "instance" => Ok(GeneratedField::Instance),
                            "mode" => Ok(GeneratedField::Mode),
                            "generation" => Ok(GeneratedField::Generation),
                            "state" => Ok(GeneratedField::State),
                            "facts" => Ok(GeneratedField::Facts),
                            "factsDropped" | "facts_dropped" => Ok(GeneratedField::FactsDropped),
                            "openedAt" | "opened_at" => Ok(GeneratedField::OpenedAt),
                            "noticedAt" | "noticed_at" => Ok(GeneratedField::NoticedAt),
                            "lastNoticedAt" | "last_noticed_at" => Ok(GeneratedField::LastNoticedAt),
                            "closedAt" | "closed_at" => Ok(GeneratedField::ClosedAt),
                            "deadline" => Ok(GeneratedField::Deadline),
                            "certainty" => Ok(GeneratedField::Certainty),
                            "target" => Ok(GeneratedField::Target),
                            "runs" => Ok(GeneratedField::Runs),
                            "changes" => Ok(GeneratedField::Changes),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = Incident;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct hollowtrees.v1.Incident")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<Incident, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut schema__ = None;
                let mut cluster__ = None;
                let mut instance__ = None;
                let mut mode__ = None;
                let mut generation__ = None;
                let mut state__ = None;
                let mut facts__ = None;
                let mut facts_dropped__ = None;
                let mut opened_at__ = None;
                let mut noticed_at__ = None;
                let mut last_noticed_at__ = None;
                let mut closed_at__ = None;
                let mut deadline__ = None;
                let mut certainty__ = None;
                let mut target__ = None;
                let mut runs__ = None;
                let mut changes__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Schema => {
                            if schema__.is_some() {
                                return Err(serde::de::Error::duplicate_field("schema"));
                            }
                            schema__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::Cluster => {
                            if cluster__.is_some() {
                                return Err(serde::de::Error::duplicate_field("cluster"));
                            }
                            cluster__ = map_.next_value()?;
                        }
                        GeneratedField::Instance => {
                            if instance__.is_some() {
                                return Err(serde::de::Error::duplicate_field("instance"));
                            }
                            instance__ = map_.next_value()?;
                        }
                        GeneratedField::Mode => {
                            if mode__.is_some() {
                                return Err(serde::de::Error::duplicate_field("mode"));
                            }
                            mode__ = map_.next_value()?;
                        }
                        GeneratedField::Generation => {
                            if generation__.is_some() {
                                return Err(serde::de::Error::duplicate_field("generation"));
                            }
                            generation__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::State => {
                            if state__.is_some() {
                                return Err(serde::de::Error::duplicate_field("state"));
                            }
                            state__ = map_.next_value()?;
                        }
                        GeneratedField::Facts => {
                            if facts__.is_some() {
                                return Err(serde::de::Error::duplicate_field("facts"));
                            }
                            facts__ = map_.next_value()?;
                        }
                        GeneratedField::FactsDropped => {
                            if facts_dropped__.is_some() {
                                return Err(serde::de::Error::duplicate_field("factsDropped"));
                            }
                            facts_dropped__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::OpenedAt => {
                            if opened_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("openedAt"));
                            }
                            opened_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::NoticedAt => {
                            if noticed_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("noticedAt"));
                            }
                            noticed_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::LastNoticedAt => {
                            if last_noticed_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("lastNoticedAt"));
                            }
                            last_noticed_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::ClosedAt => {
                            if closed_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("closedAt"));
                            }
                            closed_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::Deadline => {
                            if deadline__.is_some() {
                                return Err(serde::de::Error::duplicate_field("deadline"));
                            }
                            deadline__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::Certainty => {
                            if certainty__.is_some() {
                                return Err(serde::de::Error::duplicate_field("certainty"));
                            }
                            certainty__ = map_.next_value()?;
                        }
                        GeneratedField::Target => {
                            if target__.is_some() {
                                return Err(serde::de::Error::duplicate_field("target"));
                            }
                            target__ = map_.next_value()?;
                        }
                        GeneratedField::Runs => {
                            if runs__.is_some() {
                                return Err(serde::de::Error::duplicate_field("runs"));
                            }
                            runs__ = map_.next_value()?;
                        }
                        GeneratedField::Changes => {
                            if changes__.is_some() {
                                return Err(serde::de::Error::duplicate_field("changes"));
                            }
                            changes__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(Incident {
                    schema: schema__.unwrap_or_default(),
                    cluster: cluster__.unwrap_or_default(),
                    instance: instance__.unwrap_or_default(),
                    mode: mode__.unwrap_or_default(),
                    generation: generation__.unwrap_or_default(),
                    state: state__.unwrap_or_default(),
                    facts: facts__.unwrap_or_default(),
                    facts_dropped: facts_dropped__.unwrap_or_default(),
                    opened_at: opened_at__,
                    noticed_at: noticed_at__,
                    last_noticed_at: last_noticed_at__,
                    closed_at: closed_at__,
                    deadline: deadline__,
                    certainty: certainty__.unwrap_or_default(),
                    target: target__,
                    runs: runs__.unwrap_or_default(),
                    changes: changes__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("hollowtrees.v1.Incident", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for LedgerEntry {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if self.schema != 0 {
            len += 1;
        }
        if !self.state.is_empty() {
            len += 1;
        }
        if self.owner.is_some() {
            len += 1;
        }
        if self.attempt != 0 {
            len += 1;
        }
        if !self.nonce.is_empty() {
            len += 1;
        }
        if self.checkpoint.is_some() {
            len += 1;
        }
        if self.started_at.is_some() {
            len += 1;
        }
        if self.outcome.is_some() {
            len += 1;
        }
        if self.redrive != 0 {
            len += 1;
        }
        if self.accepted_at.is_some() {
            len += 1;
        }
        if self.handovers != 0 {
            len += 1;
        }
        if self.saga {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("hollowtrees.v1.LedgerEntry", len)?;
        if self.schema != 0 {
            struct_ser.serialize_field("schema", &self.schema)?;
        }
        if !self.state.is_empty() {
            struct_ser.serialize_field("state", &self.state)?;
        }
        if let Some(v) = self.owner.as_ref() {
            struct_ser.serialize_field("owner", v)?;
        }
        if self.attempt != 0 {
            struct_ser.serialize_field("attempt", &self.attempt)?;
        }
        if !self.nonce.is_empty() {
            struct_ser.serialize_field("nonce", &self.nonce)?;
        }
        if let Some(v) = self.checkpoint.as_ref() {
            struct_ser.serialize_field("checkpoint", &crate::proto::json::Fields(v))?;
        }
        if let Some(v) = self.started_at.as_ref() {
            struct_ser.serialize_field("startedAt", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.outcome.as_ref() {
            struct_ser.serialize_field("outcome", v)?;
        }
        if self.redrive != 0 {
            struct_ser.serialize_field("redrive", &self.redrive)?;
        }
        if let Some(v) = self.accepted_at.as_ref() {
            struct_ser.serialize_field("acceptedAt", &crate::proto::json::Time(v))?;
        }
        if self.handovers != 0 {
            struct_ser.serialize_field("handovers", &self.handovers)?;
        }
        if self.saga {
            struct_ser.serialize_field("saga", &self.saga)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for LedgerEntry {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "schema",
            "state",
            "owner",
            "attempt",
            "nonce",
            "checkpoint",
            "started_at",
            "startedAt",
            "outcome",
            "redrive",
            "accepted_at",
            "acceptedAt",
            "handovers",
            "saga",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Schema,
            State,
            Owner,
            Attempt,
            Nonce,
            Checkpoint,
            StartedAt,
            Outcome,
            Redrive,
            AcceptedAt,
            Handovers,
            Saga,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "schema" => Ok(GeneratedField::Schema),
                            "state" => Ok(GeneratedField::State),
                            "owner" => Ok(GeneratedField::Owner),
                            "attempt" => Ok(GeneratedField::Attempt),
                            "nonce" => Ok(GeneratedField::Nonce),
                            "checkpoint" => Ok(GeneratedField::Checkpoint),
                            "startedAt" | "started_at" => Ok(GeneratedField::StartedAt),
                            "outcome" => Ok(GeneratedField::Outcome),
                            "redrive" => Ok(GeneratedField::Redrive),
                            "acceptedAt" | "accepted_at" => Ok(GeneratedField::AcceptedAt),
                            "handovers" => Ok(GeneratedField::Handovers),
                            "saga" => Ok(GeneratedField::Saga),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = LedgerEntry;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct hollowtrees.v1.LedgerEntry")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<LedgerEntry, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut schema__ = None;
                let mut state__ = None;
                let mut owner__ = None;
                let mut attempt__ = None;
                let mut nonce__ = None;
                let mut checkpoint__ = None;
                let mut started_at__ = None;
                let mut outcome__ = None;
                let mut redrive__ = None;
                let mut accepted_at__ = None;
                let mut handovers__ = None;
                let mut saga__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Schema => {
                            if schema__.is_some() {
                                return Err(serde::de::Error::duplicate_field("schema"));
                            }
                            schema__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::State => {
                            if state__.is_some() {
                                return Err(serde::de::Error::duplicate_field("state"));
                            }
                            state__ = map_.next_value()?;
                        }
                        GeneratedField::Owner => {
                            if owner__.is_some() {
                                return Err(serde::de::Error::duplicate_field("owner"));
                            }
                            owner__ = map_.next_value()?;
                        }
                        GeneratedField::Attempt => {
                            if attempt__.is_some() {
                                return Err(serde::de::Error::duplicate_field("attempt"));
                            }
                            attempt__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::Nonce => {
                            if nonce__.is_some() {
                                return Err(serde::de::Error::duplicate_field("nonce"));
                            }
                            nonce__ = map_.next_value()?;
                        }
                        GeneratedField::Checkpoint => {
                            if checkpoint__.is_some() {
                                return Err(serde::de::Error::duplicate_field("checkpoint"));
                            }
                            checkpoint__ = map_.next_value::<Option<crate::proto::json::Fields<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::StartedAt => {
                            if started_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("startedAt"));
                            }
                            started_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::Outcome => {
                            if outcome__.is_some() {
                                return Err(serde::de::Error::duplicate_field("outcome"));
                            }
                            outcome__ = map_.next_value()?;
                        }
                        GeneratedField::Redrive => {
                            if redrive__.is_some() {
                                return Err(serde::de::Error::duplicate_field("redrive"));
                            }
                            redrive__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::AcceptedAt => {
                            if accepted_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("acceptedAt"));
                            }
                            accepted_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::Handovers => {
                            if handovers__.is_some() {
                                return Err(serde::de::Error::duplicate_field("handovers"));
                            }
                            handovers__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::Saga => {
                            if saga__.is_some() {
                                return Err(serde::de::Error::duplicate_field("saga"));
                            }
                            saga__ = map_.next_value()?;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(LedgerEntry {
                    schema: schema__.unwrap_or_default(),
                    state: state__.unwrap_or_default(),
                    owner: owner__,
                    attempt: attempt__.unwrap_or_default(),
                    nonce: nonce__.unwrap_or_default(),
                    checkpoint: checkpoint__,
                    started_at: started_at__,
                    outcome: outcome__,
                    redrive: redrive__.unwrap_or_default(),
                    accepted_at: accepted_at__,
                    handovers: handovers__.unwrap_or_default(),
                    saga: saga__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("hollowtrees.v1.LedgerEntry", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for Liveness {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if self.worker.is_some() {
            len += 1;
        }
        if !self.serves.is_empty() {
            len += 1;
        }
        if self.started_at.is_some() {
            len += 1;
        }
        if !self.takes_at.is_empty() {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("hollowtrees.v1.Liveness", len)?;
        if let Some(v) = self.worker.as_ref() {
            struct_ser.serialize_field("worker", v)?;
        }
        if !self.serves.is_empty() {
            struct_ser.serialize_field("serves", &self.serves)?;
        }
        if let Some(v) = self.started_at.as_ref() {
            struct_ser.serialize_field("startedAt", &crate::proto::json::Time(v))?;
        }
        if !self.takes_at.is_empty() {
            struct_ser.serialize_field("takesAt", &self.takes_at)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for Liveness {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "worker",
            "serves",
            "started_at",
            "startedAt",
            "takes_at",
            "takesAt",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Worker,
            Serves,
            StartedAt,
            TakesAt,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "worker" => Ok(GeneratedField::Worker),
                            "serves" => Ok(GeneratedField::Serves),
                            "startedAt" | "started_at" => Ok(GeneratedField::StartedAt),
                            "takesAt" | "takes_at" => Ok(GeneratedField::TakesAt),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = Liveness;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct hollowtrees.v1.Liveness")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<Liveness, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut worker__ = None;
                let mut serves__ = None;
                let mut started_at__ = None;
                let mut takes_at__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Worker => {
                            if worker__.is_some() {
                                return Err(serde::de::Error::duplicate_field("worker"));
                            }
                            worker__ = map_.next_value()?;
                        }
                        GeneratedField::Serves => {
                            if serves__.is_some() {
                                return Err(serde::de::Error::duplicate_field("serves"));
                            }
                            serves__ = map_.next_value()?;
                        }
                        GeneratedField::StartedAt => {
                            if started_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("startedAt"));
                            }
                            started_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::TakesAt => {
                            if takes_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("takesAt"));
                            }
                            takes_at__ = map_.next_value()?;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(Liveness {
                    worker: worker__,
                    serves: serves__.unwrap_or_default(),
                    started_at: started_at__,
                    takes_at: takes_at__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("hollowtrees.v1.Liveness", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for Notice {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if !self.cluster.is_empty() {
            len += 1;
        }
        if !self.provider.is_empty() {
            len += 1;
        }
        if !self.account.is_empty() {
            len += 1;
        }
        if !self.region.is_empty() {
            len += 1;
        }
        if !self.zone.is_empty() {
            len += 1;
        }
        if !self.instance.is_empty() {
            len += 1;
        }
        if !self.kind.is_empty() {
            len += 1;
        }
        if !self.state.is_empty() {
            len += 1;
        }
        if !self.certainty.is_empty() {
            len += 1;
        }
        if !self.mode.is_empty() {
            len += 1;
        }
        if !self.event_id.is_empty() {
            len += 1;
        }
        if !self.provider_action.is_empty() {
            len += 1;
        }
        if self.noticed_at.is_some() {
            len += 1;
        }
        if self.deadline.is_some() {
            len += 1;
        }
        if !self.node.is_empty() {
            len += 1;
        }
        if !self.group.is_empty() {
            len += 1;
        }
        if !self.instance_type.is_empty() {
            len += 1;
        }
        if !self.labels.is_empty() {
            len += 1;
        }
        if self.detail.is_some() {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("hollowtrees.v1.Notice", len)?;
        if !self.cluster.is_empty() {
            struct_ser.serialize_field("cluster", &self.cluster)?;
        }
        if !self.provider.is_empty() {
            struct_ser.serialize_field("provider", &self.provider)?;
        }
        if !self.account.is_empty() {
            struct_ser.serialize_field("account", &self.account)?;
        }
        if !self.region.is_empty() {
            struct_ser.serialize_field("region", &self.region)?;
        }
        if !self.zone.is_empty() {
            struct_ser.serialize_field("zone", &self.zone)?;
        }
        if !self.instance.is_empty() {
            struct_ser.serialize_field("instance", &self.instance)?;
        }
        if !self.kind.is_empty() {
            struct_ser.serialize_field("kind", &self.kind)?;
        }
        if !self.state.is_empty() {
            struct_ser.serialize_field("state", &self.state)?;
        }
        if !self.certainty.is_empty() {
            struct_ser.serialize_field("certainty", &self.certainty)?;
        }
        if !self.mode.is_empty() {
            struct_ser.serialize_field("mode", &self.mode)?;
        }
        if !self.event_id.is_empty() {
            struct_ser.serialize_field("eventId", &self.event_id)?;
        }
        if !self.provider_action.is_empty() {
            struct_ser.serialize_field("providerAction", &self.provider_action)?;
        }
        if let Some(v) = self.noticed_at.as_ref() {
            struct_ser.serialize_field("noticedAt", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.deadline.as_ref() {
            struct_ser.serialize_field("deadline", &crate::proto::json::Time(v))?;
        }
        if !self.node.is_empty() {
            struct_ser.serialize_field("node", &self.node)?;
        }
        if !self.group.is_empty() {
            struct_ser.serialize_field("group", &self.group)?;
        }
        if !self.instance_type.is_empty() {
            struct_ser.serialize_field("instanceType", &self.instance_type)?;
        }
        if !self.labels.is_empty() {
            struct_ser.serialize_field("labels", &self.labels)?;
        }
        if let Some(v) = self.detail.as_ref() {
            struct_ser.serialize_field("detail", &crate::proto::json::Fields(v))?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for Notice {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "cluster",
            "provider",
            "account",
            "region",
            "zone",
            "instance",
            "kind",
            "state",
            "certainty",
            "mode",
            "event_id",
            "eventId",
            "provider_action",
            "providerAction",
            "noticed_at",
            "noticedAt",
            "deadline",
            "node",
            "group",
            "instance_type",
            "instanceType",
            "labels",
            "detail",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Cluster,
            Provider,
            Account,
            Region,
            Zone,
            Instance,
            Kind,
            State,
            Certainty,
            Mode,
            EventId,
            ProviderAction,
            NoticedAt,
            Deadline,
            Node,
            Group,
            InstanceType,
            Labels,
            Detail,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "cluster" => Ok(GeneratedField::Cluster),
                            "provider" => Ok(GeneratedField::Provider),
                            "account" => Ok(GeneratedField::Account),
                            "region" => Ok(GeneratedField::Region),
                            "zone" => Ok(GeneratedField::Zone),
                            "instance" => Ok(GeneratedField::Instance),
                            "kind" => Ok(GeneratedField::Kind),
                            "state" => Ok(GeneratedField::State),
                            "certainty" => Ok(GeneratedField::Certainty),
                            "mode" => Ok(GeneratedField::Mode),
                            "eventId" | "event_id" => Ok(GeneratedField::EventId),
                            "providerAction" | "provider_action" => Ok(GeneratedField::ProviderAction),
                            "noticedAt" | "noticed_at" => Ok(GeneratedField::NoticedAt),
                            "deadline" => Ok(GeneratedField::Deadline),
                            "node" => Ok(GeneratedField::Node),
                            "group" => Ok(GeneratedField::Group),
                            "instanceType" | "instance_type" => Ok(GeneratedField::InstanceType),
                            "labels" => Ok(GeneratedField::Labels),
                            "detail" => Ok(GeneratedField::Detail),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = Notice;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct hollowtrees.v1.Notice")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<Notice, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut cluster__ = None;
                let mut provider__ = None;
                let mut account__ = None;
                let mut region__ = None;
                let mut zone__ = None;
                let mut instance__ = None;
                let mut kind__ = None;
                let mut state__ = None;
                let mut certainty__ = None;
                let mut mode__ = None;
                let mut event_id__ = None;
                let mut provider_action__ = None;
                let mut noticed_at__ = None;
                let mut deadline__ = None;
                let mut node__ = None;
                let mut group__ = None;
                let mut instance_type__ = None;
                let mut labels__ = None;
                let mut detail__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Cluster => {
                            if cluster__.is_some() {
                                return Err(serde::de::Error::duplicate_field("cluster"));
                            }
                            cluster__ = map_.next_value()?;
                        }
                        GeneratedField::Provider => {
                            if provider__.is_some() {
                                return Err(serde::de::Error::duplicate_field("provider"));
                            }
                            provider__ = map_.next_value()?;
                        }
                        GeneratedField::Account => {
                            if account__.is_some() {
                                return Err(serde::de::Error::duplicate_field("account"));
                            }
                            account__ = map_.next_value()?;
                        }
                        GeneratedField::Region => {
                            if region__.is_some() {
                                return Err(serde::de::Error::duplicate_field("region"));
                            }
                            region__ = map_.next_value()?;
                        }
                        GeneratedField::Zone => {
                            if zone__.is_some() {
                                return Err(serde::de::Error::duplicate_field("zone"));
                            }
                            zone__ = map_.next_value()?;
                        }
                        GeneratedField::Instance => {
                            if instance__.is_some() {
                                return Err(serde::de::Error::duplicate_field("instance"));
                            }
                            instance__ = map_.next_value()?;
                        }
                        GeneratedField::Kind => {
                            if kind__.is_some() {
                                return Err(serde::de::Error::duplicate_field("kind"));
                            }
                            kind__ = map_.next_value()?;
                        }
                        GeneratedField::State => {
                            if state__.is_some() {
                                return Err(serde::de::Error::duplicate_field("state"));
                            }
                            state__ = map_.next_value()?;
                        }
                        GeneratedField::Certainty => {
                            if certainty__.is_some() {
                                return Err(serde::de::Error::duplicate_field("certainty"));
                            }
                            certainty__ = map_.next_value()?;
                        }
                        GeneratedField::Mode => {
                            if mode__.is_some() {
                                return Err(serde::de::Error::duplicate_field("mode"));
                            }
                            mode__ = map_.next_value()?;
                        }
                        GeneratedField::EventId => {
                            if event_id__.is_some() {
                                return Err(serde::de::Error::duplicate_field("eventId"));
                            }
                            event_id__ = map_.next_value()?;
                        }
                        GeneratedField::ProviderAction => {
                            if provider_action__.is_some() {
                                return Err(serde::de::Error::duplicate_field("providerAction"));
                            }
                            provider_action__ = map_.next_value()?;
                        }
                        GeneratedField::NoticedAt => {
                            if noticed_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("noticedAt"));
                            }
                            noticed_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::Deadline => {
                            if deadline__.is_some() {
                                return Err(serde::de::Error::duplicate_field("deadline"));
                            }
                            deadline__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::Node => {
                            if node__.is_some() {
                                return Err(serde::de::Error::duplicate_field("node"));
                            }
                            node__ = map_.next_value()?;
                        }
                        GeneratedField::Group => {
                            if group__.is_some() {
                                return Err(serde::de::Error::duplicate_field("group"));
                            }
                            group__ = map_.next_value()?;
                        }
                        GeneratedField::InstanceType => {
                            if instance_type__.is_some() {
                                return Err(serde::de::Error::duplicate_field("instanceType"));
                            }
                            instance_type__ = map_.next_value()?;
                        }
                        GeneratedField::Labels => {
                            if labels__.is_some() {
                                return Err(serde::de::Error::duplicate_field("labels"));
                            }
                            labels__ = 
                                map_.next_value::<Option<std::collections::BTreeMap<_, _>>>()?
                            ;
                        }
                        GeneratedField::Detail => {
                            if detail__.is_some() {
                                return Err(serde::de::Error::duplicate_field("detail"));
                            }
                            detail__ = map_.next_value::<Option<crate::proto::json::Fields<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(Notice {
                    cluster: cluster__.unwrap_or_default(),
                    provider: provider__.unwrap_or_default(),
                    account: account__.unwrap_or_default(),
                    region: region__.unwrap_or_default(),
                    zone: zone__.unwrap_or_default(),
                    instance: instance__.unwrap_or_default(),
                    kind: kind__.unwrap_or_default(),
                    state: state__.unwrap_or_default(),
                    certainty: certainty__.unwrap_or_default(),
                    mode: mode__.unwrap_or_default(),
                    event_id: event_id__.unwrap_or_default(),
                    provider_action: provider_action__.unwrap_or_default(),
                    noticed_at: noticed_at__,
                    deadline: deadline__,
                    node: node__.unwrap_or_default(),
                    group: group__.unwrap_or_default(),
                    instance_type: instance_type__.unwrap_or_default(),
                    labels: labels__.unwrap_or_default(),
                    detail: detail__,
                })
            }
        }
        deserializer.deserialize_struct("hollowtrees.v1.Notice", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for Outcome {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if !self.action_id.is_empty() {
            len += 1;
        }
        if !self.cluster.is_empty() {
            len += 1;
        }
        if !self.kind.is_empty() {
            len += 1;
        }
        if !self.instance.is_empty() {
            len += 1;
        }
        if self.generation != 0 {
            len += 1;
        }
        if !self.result.is_empty() {
            len += 1;
        }
        if !self.reason.is_empty() {
            len += 1;
        }
        if !self.message.is_empty() {
            len += 1;
        }
        if !self.mode.is_empty() {
            len += 1;
        }
        if self.worker.is_some() {
            len += 1;
        }
        if self.attempt != 0 {
            len += 1;
        }
        if self.times.is_some() {
            len += 1;
        }
        if self.deadline.is_some() {
            len += 1;
        }
        if self.late {
            len += 1;
        }
        if self.detail.is_some() {
            len += 1;
        }
        if self.redrive != 0 {
            len += 1;
        }
        if !self.provider.is_empty() {
            len += 1;
        }
        if !self.certainty.is_empty() {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("hollowtrees.v1.Outcome", len)?;
        if !self.action_id.is_empty() {
            struct_ser.serialize_field("actionId", &self.action_id)?;
        }
        if !self.cluster.is_empty() {
            struct_ser.serialize_field("cluster", &self.cluster)?;
        }
        if !self.kind.is_empty() {
            struct_ser.serialize_field("kind", &self.kind)?;
        }
        if !self.instance.is_empty() {
            struct_ser.serialize_field("instance", &self.instance)?;
        }
        if self.generation != 0 {
            #[allow(clippy::needless_borrow)]
            #[allow(clippy::needless_borrows_for_generic_args)]
            struct_ser.serialize_field("generation", ToString::to_string(&self.generation).as_str())?;
        }
        if !self.result.is_empty() {
            struct_ser.serialize_field("result", &self.result)?;
        }
        if !self.reason.is_empty() {
            struct_ser.serialize_field("reason", &self.reason)?;
        }
        if !self.message.is_empty() {
            struct_ser.serialize_field("message", &self.message)?;
        }
        if !self.mode.is_empty() {
            struct_ser.serialize_field("mode", &self.mode)?;
        }
        if let Some(v) = self.worker.as_ref() {
            struct_ser.serialize_field("worker", v)?;
        }
        if self.attempt != 0 {
            struct_ser.serialize_field("attempt", &self.attempt)?;
        }
        if let Some(v) = self.times.as_ref() {
            struct_ser.serialize_field("times", v)?;
        }
        if let Some(v) = self.deadline.as_ref() {
            struct_ser.serialize_field("deadline", &crate::proto::json::Time(v))?;
        }
        if self.late {
            struct_ser.serialize_field("late", &self.late)?;
        }
        if let Some(v) = self.detail.as_ref() {
            struct_ser.serialize_field("detail", &crate::proto::json::Fields(v))?;
        }
        if self.redrive != 0 {
            struct_ser.serialize_field("redrive", &self.redrive)?;
        }
        if !self.provider.is_empty() {
            struct_ser.serialize_field("provider", &self.provider)?;
        }
        if !self.certainty.is_empty() {
            struct_ser.serialize_field("certainty", &self.certainty)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for Outcome {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "action_id",
            "actionId",
            "cluster",
            "kind",
            "instance",
            "generation",
            "result",
            "reason",
            "message",
            "mode",
            "worker",
            "attempt",
            "times",
            "deadline",
            "late",
            "detail",
            "redrive",
            "provider",
            "certainty",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            ActionId,
            Cluster,
            Kind,
            Instance,
            Generation,
            Result,
            Reason,
            Message,
            Mode,
            Worker,
            Attempt,
            Times,
            Deadline,
            Late,
            Detail,
            Redrive,
            Provider,
            Certainty,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "actionId" | "action_id" => Ok(GeneratedField::ActionId),
                            "cluster" => Ok(GeneratedField::Cluster),
                            "kind" => Ok(GeneratedField::Kind),
                            "instance" => Ok(GeneratedField::Instance),
                            "generation" => Ok(GeneratedField::Generation),
                            "result" => Ok(GeneratedField::Result),
                            "reason" => Ok(GeneratedField::Reason),
                            "message" => Ok(GeneratedField::Message),
                            "mode" => Ok(GeneratedField::Mode),
                            "worker" => Ok(GeneratedField::Worker),
                            "attempt" => Ok(GeneratedField::Attempt),
                            "times" => Ok(GeneratedField::Times),
                            "deadline" => Ok(GeneratedField::Deadline),
                            "late" => Ok(GeneratedField::Late),
                            "detail" => Ok(GeneratedField::Detail),
                            "redrive" => Ok(GeneratedField::Redrive),
                            "provider" => Ok(GeneratedField::Provider),
                            "certainty" => Ok(GeneratedField::Certainty),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = Outcome;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct hollowtrees.v1.Outcome")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<Outcome, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut action_id__ = None;
                let mut cluster__ = None;
                let mut kind__ = None;
                let mut instance__ = None;
                let mut generation__ = None;
                let mut result__ = None;
                let mut reason__ = None;
                let mut message__ = None;
                let mut mode__ = None;
                let mut worker__ = None;
                let mut attempt__ = None;
                let mut times__ = None;
                let mut deadline__ = None;
                let mut late__ = None;
                let mut detail__ = None;
                let mut redrive__ = None;
                let mut provider__ = None;
                let mut certainty__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::ActionId => {
                            if action_id__.is_some() {
                                return Err(serde::de::Error::duplicate_field("actionId"));
                            }
                            action_id__ = map_.next_value()?;
                        }
                        GeneratedField::Cluster => {
                            if cluster__.is_some() {
                                return Err(serde::de::Error::duplicate_field("cluster"));
                            }
                            cluster__ = map_.next_value()?;
                        }
                        GeneratedField::Kind => {
                            if kind__.is_some() {
                                return Err(serde::de::Error::duplicate_field("kind"));
                            }
                            kind__ = map_.next_value()?;
                        }
                        GeneratedField::Instance => {
                            if instance__.is_some() {
                                return Err(serde::de::Error::duplicate_field("instance"));
                            }
                            instance__ = map_.next_value()?;
                        }
                        GeneratedField::Generation => {
                            if generation__.is_some() {
                                return Err(serde::de::Error::duplicate_field("generation"));
                            }
                            generation__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::Result => {
                            if result__.is_some() {
                                return Err(serde::de::Error::duplicate_field("result"));
                            }
                            result__ = map_.next_value()?;
                        }
                        GeneratedField::Reason => {
                            if reason__.is_some() {
                                return Err(serde::de::Error::duplicate_field("reason"));
                            }
                            reason__ = map_.next_value()?;
                        }
                        GeneratedField::Message => {
                            if message__.is_some() {
                                return Err(serde::de::Error::duplicate_field("message"));
                            }
                            message__ = map_.next_value()?;
                        }
                        GeneratedField::Mode => {
                            if mode__.is_some() {
                                return Err(serde::de::Error::duplicate_field("mode"));
                            }
                            mode__ = map_.next_value()?;
                        }
                        GeneratedField::Worker => {
                            if worker__.is_some() {
                                return Err(serde::de::Error::duplicate_field("worker"));
                            }
                            worker__ = map_.next_value()?;
                        }
                        GeneratedField::Attempt => {
                            if attempt__.is_some() {
                                return Err(serde::de::Error::duplicate_field("attempt"));
                            }
                            attempt__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::Times => {
                            if times__.is_some() {
                                return Err(serde::de::Error::duplicate_field("times"));
                            }
                            times__ = map_.next_value()?;
                        }
                        GeneratedField::Deadline => {
                            if deadline__.is_some() {
                                return Err(serde::de::Error::duplicate_field("deadline"));
                            }
                            deadline__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::Late => {
                            if late__.is_some() {
                                return Err(serde::de::Error::duplicate_field("late"));
                            }
                            late__ = map_.next_value()?;
                        }
                        GeneratedField::Detail => {
                            if detail__.is_some() {
                                return Err(serde::de::Error::duplicate_field("detail"));
                            }
                            detail__ = map_.next_value::<Option<crate::proto::json::Fields<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::Redrive => {
                            if redrive__.is_some() {
                                return Err(serde::de::Error::duplicate_field("redrive"));
                            }
                            redrive__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::Provider => {
                            if provider__.is_some() {
                                return Err(serde::de::Error::duplicate_field("provider"));
                            }
                            provider__ = map_.next_value()?;
                        }
                        GeneratedField::Certainty => {
                            if certainty__.is_some() {
                                return Err(serde::de::Error::duplicate_field("certainty"));
                            }
                            certainty__ = map_.next_value()?;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(Outcome {
                    action_id: action_id__.unwrap_or_default(),
                    cluster: cluster__.unwrap_or_default(),
                    kind: kind__.unwrap_or_default(),
                    instance: instance__.unwrap_or_default(),
                    generation: generation__.unwrap_or_default(),
                    result: result__.unwrap_or_default(),
                    reason: reason__.unwrap_or_default(),
                    message: message__.unwrap_or_default(),
                    mode: mode__.unwrap_or_default(),
                    worker: worker__,
                    attempt: attempt__.unwrap_or_default(),
                    times: times__,
                    deadline: deadline__,
                    late: late__.unwrap_or_default(),
                    detail: detail__,
                    redrive: redrive__.unwrap_or_default(),
                    provider: provider__.unwrap_or_default(),
                    certainty: certainty__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("hollowtrees.v1.Outcome", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for PlannedAction {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if !self.kind.is_empty() {
            len += 1;
        }
        if !self.effect.is_empty() {
            len += 1;
        }
        if self.params.is_some() {
            len += 1;
        }
        if self.deadline_reserve.is_some() {
            len += 1;
        }
        if !self.when_expired.is_empty() {
            len += 1;
        }
        if self.timeout.is_some() {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("hollowtrees.v1.PlannedAction", len)?;
        if !self.kind.is_empty() {
            struct_ser.serialize_field("kind", &self.kind)?;
        }
        if !self.effect.is_empty() {
            struct_ser.serialize_field("effect", &self.effect)?;
        }
        if let Some(v) = self.params.as_ref() {
            struct_ser.serialize_field("params", &crate::proto::json::Fields(v))?;
        }
        if let Some(v) = self.deadline_reserve.as_ref() {
            struct_ser.serialize_field("deadlineReserve", &crate::proto::json::Span(v))?;
        }
        if !self.when_expired.is_empty() {
            struct_ser.serialize_field("whenExpired", &self.when_expired)?;
        }
        if let Some(v) = self.timeout.as_ref() {
            struct_ser.serialize_field("timeout", &crate::proto::json::Span(v))?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for PlannedAction {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "kind",
            "effect",
            "params",
            "deadline_reserve",
            "deadlineReserve",
            "when_expired",
            "whenExpired",
            "timeout",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Kind,
            Effect,
            Params,
            DeadlineReserve,
            WhenExpired,
            Timeout,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "kind" => Ok(GeneratedField::Kind),
                            "effect" => Ok(GeneratedField::Effect),
                            "params" => Ok(GeneratedField::Params),
                            "deadlineReserve" | "deadline_reserve" => Ok(GeneratedField::DeadlineReserve),
                            "whenExpired" | "when_expired" => Ok(GeneratedField::WhenExpired),
                            "timeout" => Ok(GeneratedField::Timeout),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = PlannedAction;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct hollowtrees.v1.PlannedAction")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<PlannedAction, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut kind__ = None;
                let mut effect__ = None;
                let mut params__ = None;
                let mut deadline_reserve__ = None;
                let mut when_expired__ = None;
                let mut timeout__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Kind => {
                            if kind__.is_some() {
                                return Err(serde::de::Error::duplicate_field("kind"));
                            }
                            kind__ = map_.next_value()?;
                        }
                        GeneratedField::Effect => {
                            if effect__.is_some() {
                                return Err(serde::de::Error::duplicate_field("effect"));
                            }
                            effect__ = map_.next_value()?;
                        }
                        GeneratedField::Params => {
                            if params__.is_some() {
                                return Err(serde::de::Error::duplicate_field("params"));
                            }
                            params__ = map_.next_value::<Option<crate::proto::json::Fields<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::DeadlineReserve => {
                            if deadline_reserve__.is_some() {
                                return Err(serde::de::Error::duplicate_field("deadlineReserve"));
                            }
                            deadline_reserve__ = map_.next_value::<Option<crate::proto::json::Span<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::WhenExpired => {
                            if when_expired__.is_some() {
                                return Err(serde::de::Error::duplicate_field("whenExpired"));
                            }
                            when_expired__ = map_.next_value()?;
                        }
                        GeneratedField::Timeout => {
                            if timeout__.is_some() {
                                return Err(serde::de::Error::duplicate_field("timeout"));
                            }
                            timeout__ = map_.next_value::<Option<crate::proto::json::Span<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(PlannedAction {
                    kind: kind__.unwrap_or_default(),
                    effect: effect__.unwrap_or_default(),
                    params: params__,
                    deadline_reserve: deadline_reserve__,
                    when_expired: when_expired__.unwrap_or_default(),
                    timeout: timeout__,
                })
            }
        }
        deserializer.deserialize_struct("hollowtrees.v1.PlannedAction", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for PlannedStep {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if !self.name.is_empty() {
            len += 1;
        }
        if !self.actions.is_empty() {
            len += 1;
        }
        if self.before_deadline.is_some() {
            len += 1;
        }
        if !self.on_failure.is_empty() {
            len += 1;
        }
        if !self.on_skipped.is_empty() {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("hollowtrees.v1.PlannedStep", len)?;
        if !self.name.is_empty() {
            struct_ser.serialize_field("name", &self.name)?;
        }
        if !self.actions.is_empty() {
            struct_ser.serialize_field("actions", &self.actions)?;
        }
        if let Some(v) = self.before_deadline.as_ref() {
            struct_ser.serialize_field("beforeDeadline", &crate::proto::json::Span(v))?;
        }
        if !self.on_failure.is_empty() {
            struct_ser.serialize_field("onFailure", &self.on_failure)?;
        }
        if !self.on_skipped.is_empty() {
            struct_ser.serialize_field("onSkipped", &self.on_skipped)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for PlannedStep {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "name",
            "actions",
            "before_deadline",
            "beforeDeadline",
            "on_failure",
            "onFailure",
            "on_skipped",
            "onSkipped",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Name,
            Actions,
            BeforeDeadline,
            OnFailure,
            OnSkipped,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "name" => Ok(GeneratedField::Name),
                            "actions" => Ok(GeneratedField::Actions),
                            "beforeDeadline" | "before_deadline" => Ok(GeneratedField::BeforeDeadline),
                            "onFailure" | "on_failure" => Ok(GeneratedField::OnFailure),
                            "onSkipped" | "on_skipped" => Ok(GeneratedField::OnSkipped),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = PlannedStep;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct hollowtrees.v1.PlannedStep")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<PlannedStep, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut name__ = None;
                let mut actions__ = None;
                let mut before_deadline__ = None;
                let mut on_failure__ = None;
                let mut on_skipped__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Name => {
                            if name__.is_some() {
                                return Err(serde::de::Error::duplicate_field("name"));
                            }
                            name__ = map_.next_value()?;
                        }
                        GeneratedField::Actions => {
                            if actions__.is_some() {
                                return Err(serde::de::Error::duplicate_field("actions"));
                            }
                            actions__ = map_.next_value()?;
                        }
                        GeneratedField::BeforeDeadline => {
                            if before_deadline__.is_some() {
                                return Err(serde::de::Error::duplicate_field("beforeDeadline"));
                            }
                            before_deadline__ = map_.next_value::<Option<crate::proto::json::Span<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::OnFailure => {
                            if on_failure__.is_some() {
                                return Err(serde::de::Error::duplicate_field("onFailure"));
                            }
                            on_failure__ = map_.next_value()?;
                        }
                        GeneratedField::OnSkipped => {
                            if on_skipped__.is_some() {
                                return Err(serde::de::Error::duplicate_field("onSkipped"));
                            }
                            on_skipped__ = map_.next_value()?;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(PlannedStep {
                    name: name__.unwrap_or_default(),
                    actions: actions__.unwrap_or_default(),
                    before_deadline: before_deadline__,
                    on_failure: on_failure__.unwrap_or_default(),
                    on_skipped: on_skipped__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("hollowtrees.v1.PlannedStep", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for Run {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if self.schema != 0 {
            len += 1;
        }
        if !self.cluster.is_empty() {
            len += 1;
        }
        if !self.instance.is_empty() {
            len += 1;
        }
        if !self.mode.is_empty() {
            len += 1;
        }
        if self.generation != 0 {
            len += 1;
        }
        if !self.rule.is_empty() {
            len += 1;
        }
        if !self.rule_version.is_empty() {
            len += 1;
        }
        if !self.certainty.is_empty() {
            len += 1;
        }
        if !self.steps.is_empty() {
            len += 1;
        }
        if !self.on_cancel.is_empty() {
            len += 1;
        }
        if !self.phase.is_empty() {
            len += 1;
        }
        if !self.result.is_empty() {
            len += 1;
        }
        if self.step != 0 {
            len += 1;
        }
        if !self.actions.is_empty() {
            len += 1;
        }
        if self.started_at.is_some() {
            len += 1;
        }
        if self.finished_at.is_some() {
            len += 1;
        }
        if self.due_at.is_some() {
            len += 1;
        }
        if self.deadline.is_some() {
            len += 1;
        }
        if self.target.is_some() {
            len += 1;
        }
        if self.noticed_at.is_some() {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("hollowtrees.v1.Run", len)?;
        if self.schema != 0 {
            struct_ser.serialize_field("schema", &self.schema)?;
        }
        if !self.cluster.is_empty() {
            struct_ser.serialize_field("cluster", &self.cluster)?;
        }
        if !self.instance.is_empty() {
            struct_ser.serialize_field("instance", &self.instance)?;
        }
        if !self.mode.is_empty() {
            struct_ser.serialize_field("mode", &self.mode)?;
        }
        if self.generation != 0 {
            #[allow(clippy::needless_borrow)]
            #[allow(clippy::needless_borrows_for_generic_args)]
            struct_ser.serialize_field("generation", ToString::to_string(&self.generation).as_str())?;
        }
        if !self.rule.is_empty() {
            struct_ser.serialize_field("rule", &self.rule)?;
        }
        if !self.rule_version.is_empty() {
            struct_ser.serialize_field("ruleVersion", &self.rule_version)?;
        }
        if !self.certainty.is_empty() {
            struct_ser.serialize_field("certainty", &self.certainty)?;
        }
        if !self.steps.is_empty() {
            struct_ser.serialize_field("steps", &self.steps)?;
        }
        if !self.on_cancel.is_empty() {
            struct_ser.serialize_field("onCancel", &self.on_cancel)?;
        }
        if !self.phase.is_empty() {
            struct_ser.serialize_field("phase", &self.phase)?;
        }
        if !self.result.is_empty() {
            struct_ser.serialize_field("result", &self.result)?;
        }
        if self.step != 0 {
            struct_ser.serialize_field("step", &self.step)?;
        }
        if !self.actions.is_empty() {
            struct_ser.serialize_field("actions", &self.actions)?;
        }
        if let Some(v) = self.started_at.as_ref() {
            struct_ser.serialize_field("startedAt", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.finished_at.as_ref() {
            struct_ser.serialize_field("finishedAt", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.due_at.as_ref() {
            struct_ser.serialize_field("dueAt", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.deadline.as_ref() {
            struct_ser.serialize_field("deadline", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.target.as_ref() {
            struct_ser.serialize_field("target", v)?;
        }
        if let Some(v) = self.noticed_at.as_ref() {
            struct_ser.serialize_field("noticedAt", &crate::proto::json::Time(v))?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for Run {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "schema",
            "cluster",
            "instance",
            "mode",
            "generation",
            "rule",
            "rule_version",
            "ruleVersion",
            "certainty",
            "steps",
            "on_cancel",
            "onCancel",
            "phase",
            "result",
            "step",
            "actions",
            "started_at",
            "startedAt",
            "finished_at",
            "finishedAt",
            "due_at",
            "dueAt",
            "deadline",
            "target",
            "noticed_at",
            "noticedAt",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Schema,
            Cluster,
            Instance,
            Mode,
            Generation,
            Rule,
            RuleVersion,
            Certainty,
            Steps,
            OnCancel,
            Phase,
            Result,
            Step,
            Actions,
            StartedAt,
            FinishedAt,
            DueAt,
            Deadline,
            Target,
            NoticedAt,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "schema" => Ok(GeneratedField::Schema),
                            "cluster" => Ok(GeneratedField::Cluster),
                            "instance" => Ok(GeneratedField::Instance),
                            "mode" => Ok(GeneratedField::Mode),
                            "generation" => Ok(GeneratedField::Generation),
                            "rule" => Ok(GeneratedField::Rule),
                            "ruleVersion" | "rule_version" => Ok(GeneratedField::RuleVersion),
                            "certainty" => Ok(GeneratedField::Certainty),
                            "steps" => Ok(GeneratedField::Steps),
                            "onCancel" | "on_cancel" => Ok(GeneratedField::OnCancel),
                            "phase" => Ok(GeneratedField::Phase),
                            "result" => Ok(GeneratedField::Result),
                            "step" => Ok(GeneratedField::Step),
                            "actions" => Ok(GeneratedField::Actions),
                            "startedAt" | "started_at" => Ok(GeneratedField::StartedAt),
                            "finishedAt" | "finished_at" => Ok(GeneratedField::FinishedAt),
                            "dueAt" | "due_at" => Ok(GeneratedField::DueAt),
                            "deadline" => Ok(GeneratedField::Deadline),
                            "target" => Ok(GeneratedField::Target),
                            "noticedAt" | "noticed_at" => Ok(GeneratedField::NoticedAt),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = Run;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct hollowtrees.v1.Run")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<Run, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut schema__ = None;
                let mut cluster__ = None;
                let mut instance__ = None;
                let mut mode__ = None;
                let mut generation__ = None;
                let mut rule__ = None;
                let mut rule_version__ = None;
                let mut certainty__ = None;
                let mut steps__ = None;
                let mut on_cancel__ = None;
                let mut phase__ = None;
                let mut result__ = None;
                let mut step__ = None;
                let mut actions__ = None;
                let mut started_at__ = None;
                let mut finished_at__ = None;
                let mut due_at__ = None;
                let mut deadline__ = None;
                let mut target__ = None;
                let mut noticed_at__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Schema => {
                            if schema__.is_some() {
                                return Err(serde::de::Error::duplicate_field("schema"));
                            }
                            schema__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::Cluster => {
                            if cluster__.is_some() {
                                return Err(serde::de::Error::duplicate_field("cluster"));
                            }
                            cluster__ = map_.next_value()?;
                        }
                        GeneratedField::Instance => {
                            if instance__.is_some() {
                                return Err(serde::de::Error::duplicate_field("instance"));
                            }
                            instance__ = map_.next_value()?;
                        }
                        GeneratedField::Mode => {
                            if mode__.is_some() {
                                return Err(serde::de::Error::duplicate_field("mode"));
                            }
                            mode__ = map_.next_value()?;
                        }
                        GeneratedField::Generation => {
                            if generation__.is_some() {
                                return Err(serde::de::Error::duplicate_field("generation"));
                            }
                            generation__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::Rule => {
                            if rule__.is_some() {
                                return Err(serde::de::Error::duplicate_field("rule"));
                            }
                            rule__ = map_.next_value()?;
                        }
                        GeneratedField::RuleVersion => {
                            if rule_version__.is_some() {
                                return Err(serde::de::Error::duplicate_field("ruleVersion"));
                            }
                            rule_version__ = map_.next_value()?;
                        }
                        GeneratedField::Certainty => {
                            if certainty__.is_some() {
                                return Err(serde::de::Error::duplicate_field("certainty"));
                            }
                            certainty__ = map_.next_value()?;
                        }
                        GeneratedField::Steps => {
                            if steps__.is_some() {
                                return Err(serde::de::Error::duplicate_field("steps"));
                            }
                            steps__ = map_.next_value()?;
                        }
                        GeneratedField::OnCancel => {
                            if on_cancel__.is_some() {
                                return Err(serde::de::Error::duplicate_field("onCancel"));
                            }
                            on_cancel__ = map_.next_value()?;
                        }
                        GeneratedField::Phase => {
                            if phase__.is_some() {
                                return Err(serde::de::Error::duplicate_field("phase"));
                            }
                            phase__ = map_.next_value()?;
                        }
                        GeneratedField::Result => {
                            if result__.is_some() {
                                return Err(serde::de::Error::duplicate_field("result"));
                            }
                            result__ = map_.next_value()?;
                        }
                        GeneratedField::Step => {
                            if step__.is_some() {
                                return Err(serde::de::Error::duplicate_field("step"));
                            }
                            step__ = 
                                map_.next_value::<Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|v| v.0)
                            ;
                        }
                        GeneratedField::Actions => {
                            if actions__.is_some() {
                                return Err(serde::de::Error::duplicate_field("actions"));
                            }
                            actions__ = map_.next_value()?;
                        }
                        GeneratedField::StartedAt => {
                            if started_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("startedAt"));
                            }
                            started_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::FinishedAt => {
                            if finished_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("finishedAt"));
                            }
                            finished_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::DueAt => {
                            if due_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("dueAt"));
                            }
                            due_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::Deadline => {
                            if deadline__.is_some() {
                                return Err(serde::de::Error::duplicate_field("deadline"));
                            }
                            deadline__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::Target => {
                            if target__.is_some() {
                                return Err(serde::de::Error::duplicate_field("target"));
                            }
                            target__ = map_.next_value()?;
                        }
                        GeneratedField::NoticedAt => {
                            if noticed_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("noticedAt"));
                            }
                            noticed_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(Run {
                    schema: schema__.unwrap_or_default(),
                    cluster: cluster__.unwrap_or_default(),
                    instance: instance__.unwrap_or_default(),
                    mode: mode__.unwrap_or_default(),
                    generation: generation__.unwrap_or_default(),
                    rule: rule__.unwrap_or_default(),
                    rule_version: rule_version__.unwrap_or_default(),
                    certainty: certainty__.unwrap_or_default(),
                    steps: steps__.unwrap_or_default(),
                    on_cancel: on_cancel__.unwrap_or_default(),
                    phase: phase__.unwrap_or_default(),
                    result: result__.unwrap_or_default(),
                    step: step__.unwrap_or_default(),
                    actions: actions__.unwrap_or_default(),
                    started_at: started_at__,
                    finished_at: finished_at__,
                    due_at: due_at__,
                    deadline: deadline__,
                    target: target__,
                    noticed_at: noticed_at__,
                })
            }
        }
        deserializer.deserialize_struct("hollowtrees.v1.Run", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for RunRef {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if !self.rule.is_empty() {
            len += 1;
        }
        if !self.certainty.is_empty() {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("hollowtrees.v1.RunRef", len)?;
        if !self.rule.is_empty() {
            struct_ser.serialize_field("rule", &self.rule)?;
        }
        if !self.certainty.is_empty() {
            struct_ser.serialize_field("certainty", &self.certainty)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for RunRef {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "rule",
            "certainty",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Rule,
            Certainty,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "rule" => Ok(GeneratedField::Rule),
                            "certainty" => Ok(GeneratedField::Certainty),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = RunRef;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct hollowtrees.v1.RunRef")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<RunRef, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut rule__ = None;
                let mut certainty__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Rule => {
                            if rule__.is_some() {
                                return Err(serde::de::Error::duplicate_field("rule"));
                            }
                            rule__ = map_.next_value()?;
                        }
                        GeneratedField::Certainty => {
                            if certainty__.is_some() {
                                return Err(serde::de::Error::duplicate_field("certainty"));
                            }
                            certainty__ = map_.next_value()?;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(RunRef {
                    rule: rule__.unwrap_or_default(),
                    certainty: certainty__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("hollowtrees.v1.RunRef", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for Target {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if !self.provider.is_empty() {
            len += 1;
        }
        if !self.account.is_empty() {
            len += 1;
        }
        if !self.region.is_empty() {
            len += 1;
        }
        if !self.zone.is_empty() {
            len += 1;
        }
        if !self.node.is_empty() {
            len += 1;
        }
        if !self.group.is_empty() {
            len += 1;
        }
        if !self.instance_type.is_empty() {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("hollowtrees.v1.Target", len)?;
        if !self.provider.is_empty() {
            struct_ser.serialize_field("provider", &self.provider)?;
        }
        if !self.account.is_empty() {
            struct_ser.serialize_field("account", &self.account)?;
        }
        if !self.region.is_empty() {
            struct_ser.serialize_field("region", &self.region)?;
        }
        if !self.zone.is_empty() {
            struct_ser.serialize_field("zone", &self.zone)?;
        }
        if !self.node.is_empty() {
            struct_ser.serialize_field("node", &self.node)?;
        }
        if !self.group.is_empty() {
            struct_ser.serialize_field("group", &self.group)?;
        }
        if !self.instance_type.is_empty() {
            struct_ser.serialize_field("instanceType", &self.instance_type)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for Target {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "provider",
            "account",
            "region",
            "zone",
            "node",
            "group",
            "instance_type",
            "instanceType",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Provider,
            Account,
            Region,
            Zone,
            Node,
            Group,
            InstanceType,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "provider" => Ok(GeneratedField::Provider),
                            "account" => Ok(GeneratedField::Account),
                            "region" => Ok(GeneratedField::Region),
                            "zone" => Ok(GeneratedField::Zone),
                            "node" => Ok(GeneratedField::Node),
                            "group" => Ok(GeneratedField::Group),
                            "instanceType" | "instance_type" => Ok(GeneratedField::InstanceType),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = Target;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct hollowtrees.v1.Target")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<Target, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut provider__ = None;
                let mut account__ = None;
                let mut region__ = None;
                let mut zone__ = None;
                let mut node__ = None;
                let mut group__ = None;
                let mut instance_type__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Provider => {
                            if provider__.is_some() {
                                return Err(serde::de::Error::duplicate_field("provider"));
                            }
                            provider__ = map_.next_value()?;
                        }
                        GeneratedField::Account => {
                            if account__.is_some() {
                                return Err(serde::de::Error::duplicate_field("account"));
                            }
                            account__ = map_.next_value()?;
                        }
                        GeneratedField::Region => {
                            if region__.is_some() {
                                return Err(serde::de::Error::duplicate_field("region"));
                            }
                            region__ = map_.next_value()?;
                        }
                        GeneratedField::Zone => {
                            if zone__.is_some() {
                                return Err(serde::de::Error::duplicate_field("zone"));
                            }
                            zone__ = map_.next_value()?;
                        }
                        GeneratedField::Node => {
                            if node__.is_some() {
                                return Err(serde::de::Error::duplicate_field("node"));
                            }
                            node__ = map_.next_value()?;
                        }
                        GeneratedField::Group => {
                            if group__.is_some() {
                                return Err(serde::de::Error::duplicate_field("group"));
                            }
                            group__ = map_.next_value()?;
                        }
                        GeneratedField::InstanceType => {
                            if instance_type__.is_some() {
                                return Err(serde::de::Error::duplicate_field("instanceType"));
                            }
                            instance_type__ = map_.next_value()?;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(Target {
                    provider: provider__.unwrap_or_default(),
                    account: account__.unwrap_or_default(),
                    region: region__.unwrap_or_default(),
                    zone: zone__.unwrap_or_default(),
                    node: node__.unwrap_or_default(),
                    group: group__.unwrap_or_default(),
                    instance_type: instance_type__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("hollowtrees.v1.Target", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for Times {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if self.noticed_at.is_some() {
            len += 1;
        }
        if self.published_at.is_some() {
            len += 1;
        }
        if self.accepted_at.is_some() {
            len += 1;
        }
        if self.started_at.is_some() {
            len += 1;
        }
        if self.cordoned_at.is_some() {
            len += 1;
        }
        if self.ended_at.is_some() {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("hollowtrees.v1.Times", len)?;
        if let Some(v) = self.noticed_at.as_ref() {
            struct_ser.serialize_field("noticedAt", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.published_at.as_ref() {
            struct_ser.serialize_field("publishedAt", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.accepted_at.as_ref() {
            struct_ser.serialize_field("acceptedAt", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.started_at.as_ref() {
            struct_ser.serialize_field("startedAt", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.cordoned_at.as_ref() {
            struct_ser.serialize_field("cordonedAt", &crate::proto::json::Time(v))?;
        }
        if let Some(v) = self.ended_at.as_ref() {
            struct_ser.serialize_field("endedAt", &crate::proto::json::Time(v))?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for Times {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "noticed_at",
            "noticedAt",
            "published_at",
            "publishedAt",
            "accepted_at",
            "acceptedAt",
            "started_at",
            "startedAt",
            "cordoned_at",
            "cordonedAt",
            "ended_at",
            "endedAt",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            NoticedAt,
            PublishedAt,
            AcceptedAt,
            StartedAt,
            CordonedAt,
            EndedAt,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "noticedAt" | "noticed_at" => Ok(GeneratedField::NoticedAt),
                            "publishedAt" | "published_at" => Ok(GeneratedField::PublishedAt),
                            "acceptedAt" | "accepted_at" => Ok(GeneratedField::AcceptedAt),
                            "startedAt" | "started_at" => Ok(GeneratedField::StartedAt),
                            "cordonedAt" | "cordoned_at" => Ok(GeneratedField::CordonedAt),
                            "endedAt" | "ended_at" => Ok(GeneratedField::EndedAt),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = Times;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct hollowtrees.v1.Times")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<Times, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut noticed_at__ = None;
                let mut published_at__ = None;
                let mut accepted_at__ = None;
                let mut started_at__ = None;
                let mut cordoned_at__ = None;
                let mut ended_at__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::NoticedAt => {
                            if noticed_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("noticedAt"));
                            }
                            noticed_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::PublishedAt => {
                            if published_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("publishedAt"));
                            }
                            published_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::AcceptedAt => {
                            if accepted_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("acceptedAt"));
                            }
                            accepted_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::StartedAt => {
                            if started_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("startedAt"));
                            }
                            started_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::CordonedAt => {
                            if cordoned_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("cordonedAt"));
                            }
                            cordoned_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::EndedAt => {
                            if ended_at__.is_some() {
                                return Err(serde::de::Error::duplicate_field("endedAt"));
                            }
                            ended_at__ = map_.next_value::<Option<crate::proto::json::Time<_>>>()?.map(|v| v.0);
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(Times {
                    noticed_at: noticed_at__,
                    published_at: published_at__,
                    accepted_at: accepted_at__,
                    started_at: started_at__,
                    cordoned_at: cordoned_at__,
                    ended_at: ended_at__,
                })
            }
        }
        deserializer.deserialize_struct("hollowtrees.v1.Times", FIELDS, GeneratedVisitor)
    }
}
impl serde::Serialize for Worker {
    #[allow(deprecated)]
    fn serialize<S>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error>
    where
        S: serde::Serializer,
    {
        use serde::ser::SerializeStruct;
        let mut len = 0;
        if !self.kind.is_empty() {
            len += 1;
        }
        if !self.process.is_empty() {
            len += 1;
        }
        if !self.version.is_empty() {
            len += 1;
        }
        let mut struct_ser = serializer.serialize_struct("hollowtrees.v1.Worker", len)?;
        if !self.kind.is_empty() {
            struct_ser.serialize_field("kind", &self.kind)?;
        }
        if !self.process.is_empty() {
            struct_ser.serialize_field("process", &self.process)?;
        }
        if !self.version.is_empty() {
            struct_ser.serialize_field("version", &self.version)?;
        }
        struct_ser.end()
    }
}
impl<'de> serde::Deserialize<'de> for Worker {
    #[allow(deprecated)]
    fn deserialize<D>(deserializer: D) -> std::result::Result<Self, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        const FIELDS: &[&str] = &[
            "kind",
            "process",
            "version",
        ];

        #[allow(clippy::enum_variant_names)]
        enum GeneratedField {
            Kind,
            Process,
            Version,
            __SkipField__,
        }
        impl<'de> serde::Deserialize<'de> for GeneratedField {
            fn deserialize<D>(deserializer: D) -> std::result::Result<GeneratedField, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                struct GeneratedVisitor;

                impl serde::de::Visitor<'_> for GeneratedVisitor {
                    type Value = GeneratedField;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(formatter, "expected one of: {:?}", &FIELDS)
                    }

                    #[allow(unused_variables)]
                    fn visit_str<E>(self, value: &str) -> std::result::Result<GeneratedField, E>
                    where
                        E: serde::de::Error,
                    {
                        match value {
                            "kind" => Ok(GeneratedField::Kind),
                            "process" => Ok(GeneratedField::Process),
                            "version" => Ok(GeneratedField::Version),
                            _ => Ok(GeneratedField::__SkipField__),
                        }
                    }
                }
                deserializer.deserialize_identifier(GeneratedVisitor)
            }
        }
        struct GeneratedVisitor;
        impl<'de> serde::de::Visitor<'de> for GeneratedVisitor {
            type Value = Worker;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("struct hollowtrees.v1.Worker")
            }

            fn visit_map<V>(self, mut map_: V) -> std::result::Result<Worker, V::Error>
                where
                    V: serde::de::MapAccess<'de>,
            {
                let mut kind__ = None;
                let mut process__ = None;
                let mut version__ = None;
                while let Some(k) = map_.next_key()? {
                    match k {
                        GeneratedField::Kind => {
                            if kind__.is_some() {
                                return Err(serde::de::Error::duplicate_field("kind"));
                            }
                            kind__ = map_.next_value()?;
                        }
                        GeneratedField::Process => {
                            if process__.is_some() {
                                return Err(serde::de::Error::duplicate_field("process"));
                            }
                            process__ = map_.next_value()?;
                        }
                        GeneratedField::Version => {
                            if version__.is_some() {
                                return Err(serde::de::Error::duplicate_field("version"));
                            }
                            version__ = map_.next_value()?;
                        }
                        GeneratedField::__SkipField__ => {
                            let _ = map_.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(Worker {
                    kind: kind__.unwrap_or_default(),
                    process: process__.unwrap_or_default(),
                    version: version__.unwrap_or_default(),
                })
            }
        }
        deserializer.deserialize_struct("hollowtrees.v1.Worker", FIELDS, GeneratedVisitor)
    }
}
