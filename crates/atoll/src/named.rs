//! Flags that say one of a few names which a library has: the help lists them. Names that
//! only the command line knows are `ValueEnum`s of their commands.

use clap::builder::{PossibleValuesParser, TypedValueParser};

/// One of `names`, which the help lists.
pub fn named<T, const COUNT: usize>(
    names: [(&'static str, T); COUNT],
) -> impl TypedValueParser<Value = T>
where
    T: Copy + Send + Sync + 'static,
{
    let texts = names.map(|(name, _)| name);
    PossibleValuesParser::new(texts).map(move |said| {
        let place = texts.iter().position(|name| *name == said);
        names[place.expect("no other name is accepted")].1
    })
}
