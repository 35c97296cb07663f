//! The protocol buffers of an event file, as far as mup2 writes them.
//!
//! Field numbers and names are those of TensorFlow's `event.proto`, `summary.proto`, `tensor.proto`
//! and TensorBoard's `plugins/hparams/plugin_data.proto`; a test compares bytes with TensorBoard's.

use prost::Message;
use std::collections::BTreeMap;

/// What readers expect a file to begin with; from version 2 on, session starts say what to forget.
const FILE_VERSION: &str = "brain.Event:2";

/// TensorFlow's numbers of element types.
const FLOAT: i32 = 1;
const STRING: i32 = 7;

/// `SessionLog.START`.
const START: i32 = 1;

/// The tag under which TensorBoard's hyperparameter dashboard looks.
const HYPERPARAMETERS_TAG: &str = "_hparams_/session_start_info";

/// One record of a file.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    pub(super) wall_time: f64,
    #[prost(int64, tag = "2")]
    pub(super) step: i64,
    #[prost(oneof = "Content", tags = "3, 5, 7")]
    pub(super) content: Option<Content>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Content {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
    #[prost(message, tag = "7")]
    SessionLog(SessionLog),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Summary {
    #[prost(message, repeated, tag = "1")]
    pub(super) values: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Value {
    #[prost(string, tag = "1")]
    pub(super) tag: String,
    #[prost(oneof = "Data", tags = "2, 8")]
    pub(super) data: Option<Data>,
    #[prost(message, optional, tag = "9")]
    metadata: Option<Metadata>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Data {
    #[prost(float, tag = "2")]
    Scalar(f32),
    #[prost(message, tag = "8")]
    Tensor(Tensor),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Metadata {
    #[prost(message, optional, tag = "1")]
    plugin: Option<Plugin>,
}

/// The dashboard that shows a value, and what it alone understands.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Plugin {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(bytes = "vec", tag = "2")]
    content: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Tensor {
    #[prost(int32, tag = "1")]
    element: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    strings: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Shape {
    #[prost(message, repeated, tag = "2")]
    dimensions: Vec<Dimension>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Dimension {
    #[prost(int64, tag = "1")]
    size: i64,
}

/// `HParamsPluginData`.
#[derive(Clone, PartialEq, Message)]
struct Session {
    #[prost(message, optional, tag = "3")]
    start: Option<SessionStart>,
}

#[derive(Clone, PartialEq, Message)]
struct SessionStart {
    #[prost(btree_map = "string, message", tag = "1")]
    hyperparameters: BTreeMap<String, HyperparameterValue>,
    /// Seconds since 1970.
    #[prost(double, tag = "5")]
    start_time: f64,
}

/// `google.protobuf.Value`.
#[derive(Clone, PartialEq, Message)]
struct HyperparameterValue {
    #[prost(oneof = "Kind", tags = "2, 3, 4")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Kind {
    #[prost(double, tag = "2")]
    Number(f64),
    #[prost(string, tag = "3")]
    Text(String),
    #[prost(bool, tag = "4")]
    Flag(bool),
}

/// A setting of a run, as TensorBoard's table of hyperparameters shows it.
#[derive(Debug, Clone, PartialEq)]
pub enum Hyperparameter {
    /// A number; TensorBoard has no whole ones.
    Number(f64),
    /// A name, or anything else as text.
    Text(String),
    /// On or off.
    Flag(bool),
}

/// The first record of a file.
pub(super) fn file_version() -> Content {
    Content::FileVersion(FILE_VERSION.to_owned())
}

/// Makes readers forget what earlier files hold at this event's step and later.
pub(super) fn session_start() -> Content {
    Content::SessionLog(SessionLog { status: START })
}

/// A point of a curve.
pub(super) fn scalar(tag: &str, value: f32) -> Content {
    summary(tag, Data::Scalar(value), None)
}

/// A text, which TensorBoard shows as Markdown: a tensor without axes that holds one string.
pub(super) fn text(tag: &str, text: &str) -> Content {
    let tensor = Tensor {
        element: STRING,
        shape: Some(Shape::default()),
        strings: vec![text.as_bytes().to_vec()],
    };
    let plugin = Plugin {
        name: "text".to_owned(),
        content: Vec::new(),
    };
    summary(tag, Data::Tensor(tensor), Some(plugin))
}

/// The settings of a run: all in the plugin's content, beside a tensor without elements.
pub(super) fn hyperparameters(
    values: &BTreeMap<String, Hyperparameter>,
    start_time: f64,
) -> Content {
    let hyperparameters = values
        .iter()
        .map(|(name, value)| {
            let kind = Some(match value {
                Hyperparameter::Number(number) => Kind::Number(*number),
                Hyperparameter::Text(text) => Kind::Text(text.clone()),
                Hyperparameter::Flag(flag) => Kind::Flag(*flag),
            });
            (name.clone(), HyperparameterValue { kind })
        })
        .collect();
    let session = Session {
        start: Some(SessionStart {
            hyperparameters,
            start_time,
        }),
    };
    let tensor = Tensor {
        element: FLOAT,
        shape: Some(Shape {
            dimensions: vec![Dimension { size: 0 }],
        }),
        strings: Vec::new(),
    };
    let plugin = Plugin {
        name: "hparams".to_owned(),
        content: session.encode_to_vec(),
    };
    summary(HYPERPARAMETERS_TAG, Data::Tensor(tensor), Some(plugin))
}

fn summary(tag: &str, data: Data, plugin: Option<Plugin>) -> Content {
    Content::Summary(Summary {
        values: vec![Value {
            tag: tag.to_owned(),
            data: Some(data),
            metadata: plugin.map(|plugin| Metadata {
                plugin: Some(plugin),
            }),
        }],
    })
}
