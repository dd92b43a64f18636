use super::glob::Glob;
use super::number::Exact;
use super::pattern;
use super::seen::{Kind, Seen};
use super::value::Values;
use crate::call::Arguments;
use regex::Regex;
use serde_json::{Number, Value};
use std::cmp::Ordering;

/// How an argument is compared: `rules[].op`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "another operator must be read and explained")]
pub enum OpName {
    /// It is this value.
    Eq,
    /// It is another value.
    Ne,
    /// It is one of these values.
    In,
    /// It is none of these values.
    NotIn,
    /// The text begins so.
    Prefix,
    /// The text ends so.
    Suffix,
    /// The whole text fits the pattern.
    Glob,
    /// The text has a match.
    Regex,
    /// The number is more.
    Gt,
    /// The number is as much or more.
    Ge,
    /// The number is less.
    Lt,
    /// The number is as much or less.
    Le,
    /// It is longer.
    LenGt,
    /// It is as long or shorter.
    LenLe,
    /// It is there, or not.
    Exists,
    /// It is of this type, or of one of these.
    Type,
}

/// An operator with what it compares with, read once.
#[derive(Debug, Clone)]
pub struct Operator(Test);

#[derive(Debug, Clone)]
enum Test {
    Among { values: Values, is: bool },
    Prefix(Box<str>),
    Suffix(Box<str>),
    Glob(Glob),
    Regex(Regex),
    Order { than: Exact, allowed: &'static [Ordering] },
    Length { than: u64, longer: bool },
    Exists(bool),
    Type(Vec<Type>),
}

/// A type as `type` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Integer,
    Of(Kind),
}

/// What an operator says of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "whoever reads must say what each means for the call")]
pub enum Reading {
    /// It matches.
    Met,
    /// It does not.
    Unmet,
    /// The argument has a type that the operator cannot read.
    Unreadable,
}

/// The most values of `in` and `not_in`.
const MAX_VALUES: usize = 10_000;

impl Operator {
    /// Reads an operator with its value; `None` where the rule has none.
    ///
    /// # Errors
    ///
    /// What is wrong with the value, in words that follow its key.
    pub fn read(op: OpName, value: Option<&Value>) -> Result<Self, String> {
        let read = Read { op, value };
        Ok(Self(match op {
            OpName::Eq | OpName::Ne => {
                let values = values(std::slice::from_ref(read.given()?))?;
                Test::Among { values, is: op == OpName::Eq }
            }
            OpName::In | OpName::NotIn => {
                Test::Among { values: values(read.list()?)?, is: op == OpName::In }
            }
            OpName::Prefix => Test::Prefix(read.part()?.into()),
            OpName::Suffix => Test::Suffix(read.part()?.into()),
            OpName::Glob => Test::Glob(Glob::parse(read.text()?)?),
            OpName::Regex => Test::Regex(pattern::compile(read.text()?)?),
            OpName::Gt => read.order(&[Ordering::Greater])?,
            OpName::Ge => read.order(&[Ordering::Greater, Ordering::Equal])?,
            OpName::Lt => read.order(&[Ordering::Less])?,
            OpName::Le => read.order(&[Ordering::Less, Ordering::Equal])?,
            OpName::LenGt | OpName::LenLe => {
                Test::Length { than: read.length()?, longer: op == OpName::LenGt }
            }
            OpName::Exists => Test::Exists(read.flag()?),
            OpName::Type => Test::Type(read.types()?),
        }))
    }

    /// Holds an argument against it. Where the pointer found nothing, only `exists` with `false`
    /// matches.
    pub(crate) fn holds(&self, seen: Option<Seen<'_>>) -> Reading {
        let Some(seen) = seen else {
            return Reading::of(matches!(self.0, Test::Exists(false)));
        };
        let text = |test: &dyn Fn(&str) -> bool| Some(test(seen.text()?));
        let met = match &self.0 {
            Test::Among { values, is } => {
                values.reads(seen.kind()).then(|| values.contains(seen) == *is)
            }
            Test::Prefix(prefix) => text(&|text| text.starts_with(&**prefix)),
            Test::Suffix(suffix) => text(&|text| text.ends_with(&**suffix)),
            Test::Glob(glob) => text(&|text| glob.matches(text)),
            Test::Regex(regex) => text(&|text| regex.is_match(text)),
            Test::Order { than, allowed } => {
                let number = seen.number().and_then(Exact::of);
                number.map(|number| allowed.contains(&number.cmp(*than)))
            }
            Test::Length { than, longer } => {
                let length = seen.len().map(|length| u64::try_from(length).unwrap_or(u64::MAX));
                length.map(|length| (length > *than) == *longer)
            }
            Test::Exists(is) => Some(*is),
            Test::Type(types) => Some(types.iter().any(|one| one.is_of(seen))),
        };
        met.map_or(Reading::Unreadable, Reading::of)
    }

    /// Holds a value against it, as [`holds`](Self::holds): for the fuzzer.
    #[doc(hidden)]
    pub fn holds_value(&self, value: Option<&Value>) -> Reading {
        self.holds(value.map(Seen::Value))
    }

    /// What it says of every map, whatever is in it; `None` where that depends on what is in it.
    pub(super) fn holds_every_map(&self) -> Option<Reading> {
        match &self.0 {
            Test::Length { .. } => None,
            Test::Among { values, .. } if values.has_map() => None,
            Test::Among { .. }
            | Test::Prefix(_)
            | Test::Suffix(_)
            | Test::Glob(_)
            | Test::Regex(_)
            | Test::Order { .. }
            | Test::Exists(_)
            | Test::Type(_) => Some(self.holds(Some(Seen::Whole(&Arguments::new())))),
        }
    }

    /// True when it can match a value of this kind, as far as the kind goes.
    pub(super) fn may_match(&self, kind: Kind) -> bool {
        match &self.0 {
            Test::Among { values, .. } => values.reads(kind),
            Test::Prefix(_) | Test::Suffix(_) | Test::Glob(_) | Test::Regex(_) => {
                kind == Kind::Text
            }
            Test::Order { .. } => kind == Kind::Number,
            Test::Length { .. } => matches!(kind, Kind::Text | Kind::List | Kind::Map),
            Test::Exists(_) => true,
            Test::Type(types) => types.iter().any(|one| match one {
                Type::Integer => kind == Kind::Number,
                Type::Of(of) => *of == kind,
            }),
        }
    }

    /// Whether it wants the argument to be there, or not; `None` for every other operator.
    pub(super) fn asks_presence(&self) -> Option<bool> {
        if let Test::Exists(there) = &self.0 { Some(*there) } else { None }
    }

    /// How many values it compares with, where it compares with a list.
    pub(super) fn count(&self) -> Option<usize> {
        if let Test::Among { values, .. } = &self.0 { Some(values.count()) } else { None }
    }
}

impl Reading {
    fn of(is: bool) -> Self {
        if is { Self::Met } else { Self::Unmet }
    }
}

impl OpName {
    /// All of them, in the order of the documentation.
    pub const ALL: &'static [Self] = &[
        Self::Eq,
        Self::Ne,
        Self::In,
        Self::NotIn,
        Self::Prefix,
        Self::Suffix,
        Self::Glob,
        Self::Regex,
        Self::Gt,
        Self::Ge,
        Self::Lt,
        Self::Le,
        Self::LenGt,
        Self::LenLe,
        Self::Exists,
        Self::Type,
    ];

    /// The spellings, in the same order.
    pub const WORDS: &'static [&'static str] = &[
        "eq", "ne", "in", "not_in", "prefix", "suffix", "glob", "regex", "gt", "ge", "lt", "le",
        "len_gt", "len_le", "exists", "type",
    ];

    /// The spelling in policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::In => "in",
            Self::NotIn => "not_in",
            Self::Prefix => "prefix",
            Self::Suffix => "suffix",
            Self::Glob => "glob",
            Self::Regex => "regex",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
            Self::LenGt => "len_gt",
            Self::LenLe => "len_le",
            Self::Exists => "exists",
            Self::Type => "type",
        }
    }

    /// The operator that is written so.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|op| op.as_str() == text)
    }

    /// True when a match is what it looks for. The others bound what may come, and a bound that the
    /// schema holds already is no mistake.
    pub(super) fn looks_for_values(self) -> bool {
        matches!(self, Self::Eq | Self::In | Self::Prefix | Self::Suffix | Self::Glob | Self::Regex)
    }

    /// What it can read, in words.
    pub(super) fn reads(self) -> &'static str {
        match self {
            Self::Eq | Self::Ne | Self::In | Self::NotIn => "the types of its values",
            Self::Prefix | Self::Suffix | Self::Glob | Self::Regex => "text",
            Self::Gt | Self::Ge | Self::Lt | Self::Le => "numbers",
            Self::LenGt | Self::LenLe => "text, lists and maps",
            Self::Exists | Self::Type => "every type",
        }
    }
}

impl Type {
    const ALL: [(&'static str, Self); 7] = [
        ("string", Self::Of(Kind::Text)),
        ("number", Self::Of(Kind::Number)),
        ("integer", Self::Integer),
        ("boolean", Self::Of(Kind::Boolean)),
        ("array", Self::Of(Kind::List)),
        ("object", Self::Of(Kind::Map)),
        ("null", Self::Of(Kind::Null)),
    ];

    fn is_of(self, seen: Seen<'_>) -> bool {
        match self {
            Self::Of(kind) => seen.kind() == kind,
            Self::Integer => seen.number().and_then(Exact::of).is_some_and(Exact::is_whole),
        }
    }
}

/// The value of an operator that is being read.
struct Read<'a> {
    op: OpName,
    value: Option<&'a Value>,
}

impl<'a> Read<'a> {
    fn given(&self) -> Result<&'a Value, String> {
        self.value.ok_or_else(|| format!("is missing; `{}` compares with it", self.op.as_str()))
    }

    fn wrong(&self, wanted: &str, value: &Value) -> String {
        let (op, found) = (self.op.as_str(), Kind::of(value).what());
        format!("must be {wanted} for `{op}`, found {found}")
    }

    fn text(&self) -> Result<&'a str, String> {
        let value = self.given()?;
        value.as_str().ok_or_else(|| self.wrong("text", value))
    }

    fn part(&self) -> Result<&'a str, String> {
        match self.text()? {
            "" => Err("is empty and would match every text; write what is looked for".to_owned()),
            part => Ok(part),
        }
    }

    fn list(&self) -> Result<&'a [Value], String> {
        let value = self.given()?;
        let items = value.as_array().ok_or_else(|| self.wrong("a list of values", value))?;
        if items.is_empty() || items.len() > MAX_VALUES {
            let (op, found) = (self.op.as_str(), items.len());
            return Err(format!(
                "must be a list of 1 to {MAX_VALUES} values for `{op}`, found {found}"
            ));
        }
        Ok(items)
    }

    fn number(&self) -> Result<&'a Number, String> {
        let value = self.given()?;
        let number = value.as_number().ok_or_else(|| self.wrong("a number", value))?;
        if is_exact_number(number) { Ok(number) } else { Err(inexact()) }
    }

    fn order(&self, allowed: &'static [Ordering]) -> Result<Test, String> {
        let than = Exact::of(self.number()?).ok_or_else(inexact)?;
        Ok(Test::Order { than, allowed })
    }

    fn length(&self) -> Result<u64, String> {
        let number = self.number()?;
        let op = self.op.as_str();
        number.as_u64().ok_or_else(|| {
            format!("must be a whole number of at least 0 for `{op}`, found `{number}`")
        })
    }

    fn flag(&self) -> Result<bool, String> {
        match self.value {
            None => Ok(true),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(self.wrong("`true` or `false`", other)),
        }
    }

    fn types(&self) -> Result<Vec<Type>, String> {
        let value = self.given()?;
        let list = value.as_array().filter(|items| !items.is_empty());
        let names = list.map_or(std::slice::from_ref(value), Vec::as_slice);
        let found = names.iter().map(|name| {
            let name = name.as_str()?;
            Type::ALL.iter().find(|(word, _)| *word == name).map(|(_, one)| *one)
        });
        found.collect::<Option<_>>().ok_or_else(|| {
            let words = Type::ALL.map(|(word, _)| format!("`{word}`")).join(", ");
            format!("must be a type, or a list of types, for `type`: {words}")
        })
    }
}

fn values(values: &[Value]) -> Result<Values, String> {
    if values.iter().all(is_exact) { Ok(Values::new(values)) } else { Err(inexact()) }
}

/// True where no number in the value was rounded when the file was read.
fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => is_exact_number(number),
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(map) => map.values().all(is_exact),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// Above 53 bits a number that is none of 64 bits may have been another one in the file.
fn is_exact_number(number: &Number) -> bool {
    const MOST: f64 = 9_007_199_254_740_992.0;
    let is_whole = number.is_u64() || number.is_i64();
    is_whole || number.as_f64().is_some_and(|float| float.abs() <= MOST)
}

fn inexact() -> String {
    "has a number with more digits than can be compared exactly; write a whole number of 64 bits, or \
     a smaller one"
        .to_owned()
}
